"""The Python packages of requirements.txt: downloaded by hash, the one sdist built, all unpacked and compiled."""

from __future__ import annotations

import json
import re
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from bundle import cpython
from bundle.archives import unpack_tarball, unpack_wheel
from bundle.errors import BuildError
from bundle.files import copy_file, remove
from bundle.hashes import sha256_of
from bundle.toolchain import download_wheels

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.recipe import Workshop

SDISTS = ("graphyte",)  # published as source only
_OPTIONS = [
    "--only-binary", ":all:", *(word for name in SDISTS for word in ("--no-binary", name)), "--no-build-isolation",
    "--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_17_x86_64", "--python-version", "3.13",
    "--implementation", "cp", "--abi", "cp313", "--abi", "abi3", "--abi", "none",
]  # fmt: skip
# Of no use at run time. SQLAlchemy's compiled modules stand beside the same ones in Python, and only save time on large
# results; they are a third of what all packages weigh. rich colours source code by pygments' lexers; we draw tables.
_LEFT_OUT = (
    "*/tests", "alembic/testing", "sqlalchemy/testing", "sqlalchemy/**/*.so", "sqlalchemy/dialects/mssql",
    "sqlalchemy/dialects/oracle", "ldap3/protocol/schemas", "pygments/lexers/[!_]*.py", "pygments/lexers/_[!_m]*.py",
)  # fmt: skip
_LICENCE_NAME = re.compile(r"(licen[cs]e|copying|copyright|notice|authors)\S*", re.IGNORECASE)
_BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


def build(shop: Workshop, lock_file: Path) -> None:
    """Fill the release's site-packages, and list the packages with hash, licence and licence texts."""
    downloads = shop.scratch / "downloads"
    backend = {"PYTHONPATH": str(shop.compiler.packages)}
    download_wheels(lock_file, downloads, shop.commands, part=shop.part.name, options=_OPTIONS, env=backend)
    site = shop.tree / cpython.SITE_PACKAGES
    bill = []
    for path in sorted(downloads.iterdir()):
        wheel = path if path.suffix == ".whl" else _build_wheel(shop, path)
        before = set(site.glob("*.dist-info"))
        unpack_wheel(wheel, site)
        (info,) = set(site.glob("*.dist-info")) - before
        bill.append(_entry(info, path, shop.licences))
    expected = len(re.findall(r"^[A-Za-z0-9]\S*==", lock_file.read_text(encoding="utf-8"), flags=re.MULTILINE))
    if len(bill) != expected:
        raise BuildError(f"{lock_file.name} names {expected} packages and {len(bill)} came", "Lock it again.")
    for pattern in _LEFT_OUT:
        for path in sorted(site.glob(pattern)):
            remove(path)
    (shop.tree / "packages.json").write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")
    cpython.compile_python(shop, shop.tree, cpython.SITE_PACKAGES)


def _build_wheel(shop: Workshop, sdist: Path) -> Path:

    source = shop.scratch / "sdist" / sdist.name
    source.mkdir(parents=True)
    unpack_tarball(sdist, source)
    target = shop.scratch / "built" / sdist.name
    target.mkdir(parents=True)
    python = shop.needs["cpython"].tree / cpython.PYTHON
    shop.run(
        python,
        "-B",
        "-c",
        _BUILD,
        target,
        cwd=source,
        env={"PYTHONPATH": str(shop.compiler.packages), "PYTHONHASHSEED": "0"},
    )
    (wheel,) = target.glob("*.whl")
    return wheel


def _entry(info: Path, downloaded: Path, licences: Path) -> dict[str, str]:
    metadata = HeaderParser().parsestr((info / "METADATA").read_text(encoding="utf-8"))
    name = re.sub(r"[-_.]+", "-", str(metadata["Name"])).lower()
    texts = [path for path in sorted(info.rglob("*")) if path.is_file() and _LICENCE_NAME.fullmatch(path.name)]
    for path in texts:
        copy_file(path, licences / name / path.name, executable=False)
    licence = metadata["License-Expression"] or _short_licence(
        metadata["License"] or "", metadata.get_all("Classifier", [])
    )
    if not texts:
        words = f"{name} {metadata['Version']} carries no licence text; its metadata says: {licence}\n"
        (licences / name).mkdir(parents=True)
        (licences / name / "LICENCE").write_text(words, encoding="utf-8")
    return {
        "name": name,
        "version": str(metadata["Version"]),
        "licence": licence,
        "file": downloaded.name,
        "sha256": sha256_of(downloaded),
    }


def _short_licence(text: str, classifiers: list[str]) -> str:
    known = {"BSD-3-Clause": "BSD-3-Clause", "MIT License": "MIT", "MIT": "MIT", "Apache-2.0": "Apache-2.0"}
    named = [
        known[name] for name in [text.strip(), *(entry.rsplit(" :: ", 1)[-1] for entry in classifiers)] if name in known
    ]
    return named[0] if named else "LicenseRef-see-licenses-folder"
