"""The static libraries that CPython is linked with: OpenSSL, zlib, bzip2, liblzma, libffi, SQLite.

Each leaves `lib/*.a` and `include/` in its tree. They are position-independent, since CPython's modules are shared
objects, and hide their symbols, so that a wheel that brings its own copy keeps to it. OpenSSL also leaves
`bin/openssl`, its command, which makes certificates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.errors import BuildError
from bundle.files import copy_file, copy_tree

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.recipe import Workshop

_FLAGS = "-O2 -fPIC -fvisibility=hidden"
_HOST = "--host=x86_64-linux-gnu"
# A prefix that no machine has: what the libraries remember of it names no folder of the build machine.
_PREFIX = "/nonexistent/dkumonitor"


def build(shop: Workshop) -> None:
    """Build the library that the workshop is for."""
    _RECIPES[shop.part.name](shop)


def _openssl(shop: Workshop) -> None:
    shop.run("perl", "./Configure", f"--prefix={_PREFIX}", *shop.part.options, *_FLAGS.split(), "-Wl,-s")
    shop.run("make", shop.jobs, "build_libs", "build_generated")
    shop.run("make", shop.jobs, "apps/openssl")  # after the others, whose goals are makes of their own
    _install(shop, "install_dev")
    copy_file(shop.source / "apps/openssl", shop.tree / "bin/openssl", executable=True)


def _zlib(shop: Workshop) -> None:
    shop.run("./configure", f"--prefix={_PREFIX}", *shop.part.options, env={"CFLAGS": _FLAGS})
    shop.run("make", shop.jobs, "libz.a")
    _keep(shop, libraries=["libz.a"], headers=["zlib.h", "zconf.h"])


def _bzip2(shop: Workshop) -> None:
    flags = f"CFLAGS={_FLAGS} {' '.join(shop.part.options)}"
    shop.run("make", shop.jobs, "CC=dkm-cc", "AR=dkm-ar", "RANLIB=dkm-ranlib", flags, "libbz2.a")
    _keep(shop, libraries=["libbz2.a"], headers=["bzlib.h"])


def _xz(shop: Workshop) -> None:
    shop.run("./configure", _HOST, f"--prefix={_PREFIX}", *shop.part.options, env={"CFLAGS": _FLAGS})
    shop.run("make", shop.jobs)
    _install(shop, "install")


def _libffi(shop: Workshop) -> None:
    if not (shop.source / "configure").exists():
        shop.run("autoreconf", "-fi")
    shop.run(
        "./configure",
        _HOST,
        f"--prefix={_PREFIX}",
        f"--libdir={_PREFIX}/lib",
        *shop.part.options,
        env={"CFLAGS": _FLAGS},
    )
    shop.run("make", shop.jobs)
    _install(shop, "install")


def _sqlite(shop: Workshop) -> None:
    if not (shop.source / "sqlite3.c").exists():
        shop.run("./configure", "--disable-shared", "--disable-tcl", "--disable-readline", env={"CFLAGS": _FLAGS})
        shop.run("make", "sqlite3.c", "sqlite3.h")
    shop.run("dkm-cc", *_FLAGS.split(), *shop.part.options, "-c", "sqlite3.c", "-o", "dkm-sqlite3.o")
    shop.run("dkm-ar", "rcs", "libsqlite3.a", "dkm-sqlite3.o")
    _keep(shop, libraries=["libsqlite3.a"], headers=["sqlite3.h"])


def _install(shop: Workshop, goal: str) -> None:
    staged = shop.scratch / "staged"
    shop.run("make", goal, f"DESTDIR={staged}")
    installed = staged / _PREFIX.lstrip("/")
    _keep(shop, libraries=sorted((installed / "lib").glob("*.a")), headers=[])
    copy_tree(installed / "include", shop.tree / "include")


def _keep(shop: Workshop, libraries: list[str] | list[Path], headers: list[str]) -> None:
    if not libraries:
        raise BuildError(f"{shop.part.name} installed no library", "Look into build/build.log.")
    for library in libraries:
        path = shop.source / library
        copy_file(path, shop.tree / "lib" / path.name, executable=False)
    for header in headers:
        copy_file(shop.source / header, shop.tree / "include" / header, executable=False)


_RECIPES = {"openssl": _openssl, "zlib": _zlib, "bzip2": _bzip2, "xz": _xz, "libffi": _libffi, "sqlite": _sqlite}
