"""CPython, linked statically with its libraries, relocatable, without what a release does not need."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.files import copy_file, copy_tree, remove

if TYPE_CHECKING:
    from bundle.recipe import Workshop

PYTHON = Path("python/bin/python3")
SITE_PACKAGES = Path("python/lib/python3.13/site-packages")
_LIB = Path("python/lib/python3.13")
# It finds its library from its own place; this prefix is what it would fall back to, and exists nowhere.
_PREFIX = "/nonexistent/dkumonitor"
_LEFT_OUT = frozenset(
    [
        "ensurepip",
        "idlelib",
        "lib2to3",
        "pydoc_data",
        "test",
        "tkinter",
        "turtle.py",
        "turtledemo",
        "venv",
        "__phello__",
        "site-packages",
    ]
)
# configure's names of the libraries, the parts that bring them, and what the linker calls them
_LIBRARIES = {
    "ZLIB": ("zlib", "-lz"),
    "BZIP2": ("bzip2", "-lbz2"),
    "LIBLZMA": ("xz", "-llzma"),
    "LIBFFI": ("libffi", "-lffi"),
    "LIBSQLITE3": ("sqlite", "-lsqlite3 -lm -lpthread -ldl"),
}


def build(shop: Workshop) -> None:
    """Build CPython, stage it, prune it, compile its library."""
    deps = shop.scratch / "deps"
    for needed in shop.needs.values():
        copy_tree(needed.tree, deps)
    environment = _configure_environment(deps)
    shop.run(
        "./configure",
        f"--prefix={_PREFIX}",
        "--build=x86_64-linux-gnu",
        f"--with-openssl={deps}",
        *shop.part.options,
        env=environment,
    )
    shop.run("make", shop.jobs, env=environment)
    staged = shop.scratch / "staged"
    shop.run("make", "install", f"DESTDIR={staged}", env=environment)
    _keep(shop, staged / _PREFIX.lstrip("/"))
    compile_python(shop, shop.tree, _LIB)


def compile_python(shop: Workshop, release: Path, below: Path) -> None:
    """Compile every module below a folder of a release tree, with the Python of cpython's part."""
    python = shop.tree if shop.part.name == "cpython" else shop.needs["cpython"].tree
    script = Path(__file__).with_name("bytecode.py")
    shop.run(python / PYTHON, "-I", "-B", script, release, below, cwd=shop.scratch, env={"PYTHONHASHSEED": "0"})


def _configure_environment(deps: Path) -> dict[str, str]:
    environment = {
        "PKG_CONFIG": "false",
        "CPPFLAGS": f"-I{deps}/include",
        "LDFLAGS": f"-L{deps}/lib -s",
        "OPT": "-DNDEBUG -fwrapv -O3 -Wall",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for name, (_, libraries) in _LIBRARIES.items():
        environment[f"{name}_CFLAGS"] = f"-I{deps}/include"
        environment[f"{name}_LIBS"] = f"-L{deps}/lib {libraries}"
    return environment


def _keep(shop: Workshop, installed: Path) -> None:
    library = installed / "lib/python3.13"

    def keep(relative: str) -> bool:
        name = relative.rsplit("/", 1)[-1]
        return (
            relative not in _LEFT_OUT
            and name not in {"__pycache__", "test", "tests"}
            and not relative.startswith("config-")
        )

    copy_file(installed / "bin/python3.13", shop.tree / PYTHON)
    copy_tree(library, shop.tree / _LIB, keep)
    (shop.tree / SITE_PACKAGES).mkdir()
    (shop.tree / SITE_PACKAGES / "README.txt").write_text(
        "The packages of dkumonitor and what they need.\n", encoding="utf-8"
    )
    for settings in (shop.tree / _LIB).glob("_sysconfigdata_*.py"):
        text = settings.read_text(encoding="utf-8")
        settings.write_text(re.sub(re.escape(str(shop.scratch)), "/build", text), encoding="utf-8")
    remove(installed)
