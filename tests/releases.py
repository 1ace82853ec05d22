"""Releases for tests, made of the real one: a newer version, and one whose installer is deliberately broken."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VARIANTS = Path(__file__).parent / "faults/variants"
_INSTALLER = re.compile(
    r"VERSION$|installer$|templates/|python/bin/|python/lib/(?!python3[.]\d+/site-packages/)"
    r"|python/lib/python3[.]\d+/site-packages/(installer|click|jinja2|markupsafe)/"
)
# What `dkm setup` runs beyond that, where the type has a store.
_SETUP = re.compile(
    r"python/lib/python3[.]\d+/site-packages/((__pycache__/)?typing_extensions[.]"
    r"|(dkm|dkumonitor|collectors|supervisor|msgspec|sqlalchemy|alembic|mako)/)"
)
ADDED = "\n# a line that this version adds\n"


def newer(
    release: Path, folder: Path, version: str, gone: tuple[str, ...] = ("templates/telegraf/telegraf.conf",)
) -> Path:
    """The release with another version, a line more in some templates, and without some files."""
    copy = _copied(release, folder, version)
    (copy / "VERSION").write_text(f"{version}\n")
    changed = {"VERSION"}
    for name in ("collectd/collectd.conf", "go-carbon/storage-schemas.conf", "dkumonitor/dkumonitor.toml"):
        path = copy / "templates" / name
        path.write_text(path.read_text() + ADDED)
        changed.add(f"templates/{name}")
    for name in gone:
        (copy / name).unlink()
    _write_manifest(copy, changed, frozenset(gone))
    return copy


def slim(release: Path, folder: Path, *, with_store: bool = False) -> Path:
    """The release with no more than its installer needs to run: what is installed hundreds of times is better small.

    Types with a store need `with_store`.
    """
    copy = _copied(release, folder, (release / "VERSION").read_text().strip())
    names = [line[66:] for line in (copy / "MANIFEST.sha256").read_text().splitlines()]
    kept = {name for name in names if _INSTALLER.match(name) or (with_store and _SETUP.match(name))}
    gone = set(names) - kept
    for name in gone:
        (copy / name).unlink()
    _write_manifest(copy, set(), gone)
    return copy


def broken(release: Path, folder: Path, patch: str) -> Path:
    """The release with a patch of tests/faults/variants applied to its code."""
    copy = _copied(release, folder, (release / "VERSION").read_text().strip())
    (packages,) = copy.glob("python/lib/python3*/site-packages")
    patched = re.findall(r"^\+\+\+ b/(\S+)", (VARIANTS / patch).read_text(), re.MULTILINE)
    changed, gone = set(), set()
    for name in patched:
        source = packages / name
        _unshare(source)
        for compiled in source.parent.glob(f"__pycache__/{source.stem}.*.pyc"):
            compiled.unlink()
            gone.add(str(compiled.relative_to(copy)))
        changed.add(str(source.relative_to(copy)))
    subprocess.run(
        ["patch", "-p1", "--no-backup-if-mismatch", "-i", VARIANTS / patch],
        cwd=packages,
        check=True,
        capture_output=True,
    )
    _write_manifest(copy, changed, gone)
    return copy


def _copied(release: Path, folder: Path, version: str) -> Path:
    """Hard links, which are quick; a file is given bytes of its own before it is changed."""
    copy = folder / f"dkumonitor-{version}"
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    subprocess.run(["cp", "-al", release, copy], check=True)
    for path in copy.glob("templates/**/*"):
        if path.is_file():
            _unshare(path)
    for name in ("VERSION", "MANIFEST.sha256"):
        _unshare(copy / name)
    return copy


def _unshare(path: Path) -> None:
    data, mode = path.read_bytes(), path.stat().st_mode
    path.unlink()
    path.write_bytes(data)
    path.chmod(mode & 0o7777)


def _write_manifest(root: Path, changed: set[str], gone: frozenset[str] | set[str]) -> None:
    manifest = root / "MANIFEST.sha256"
    lines = []
    for line in manifest.read_text().splitlines():
        name = line[66:]
        if name in gone:
            continue
        lines.append(f"{hashlib.sha256((root / name).read_bytes()).hexdigest()}  {name}" if name in changed else line)
    manifest.write_text("".join(f"{line}\n" for line in lines))


def snapshot(directory: Path, shown: Callable[[str], bool] = lambda _name: True) -> Mapping[str, str]:
    """Every path below ``directory`` that is ``shown``, with its kind, mode, owner, and content or target."""
    found = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if not shown(name):
            continue
        status = path.lstat()
        if path.is_symlink():
            content = f"-> {path.readlink()}"
        elif path.is_dir():
            content = "folder"
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            content = "other"
        found[name] = f"{status.st_mode:o} {status.st_uid}:{status.st_gid} {content}"
    return found
