"""The finished tree against what a release promises.

It needs nothing newer than glibc 2.17 and no other library, names no folder of the build machine, and every program in
it runs from another place.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bundle import cpython, elf
from bundle.errors import RecipeError, VerifyError
from bundle.files import link_tree, remove
from bundle.toolchain import GLIBC_FLOOR

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bundle.commands import Commands

# The libraries that glibc itself brings; zlib and friends are inside the programs.
_OF_GLIBC = frozenset(
    {
        "ld-linux-x86-64.so.2",
        "libc.so.6",
        "libdl.so.2",
        "libm.so.6",
        "libnsl.so.1",
        "libpthread.so.0",
        "libresolv.so.2",
        "librt.so.1",
        "libutil.so.1",
    }
)
_FOREIGN_FOLDER = "grafana"  # taken as its publisher released it: reported, not judged
_NATIVE_MODULES = """
    _asyncio _bisect _blake2 _bz2 _codecs_cn _contextvars _csv _ctypes _datetime _decimal _elementtree _hashlib _heapq
    _interpreters _json _lsprof _lzma _md5 _multiprocessing _opcode _pickle _posixshmem _posixsubprocess _queue _random
    _sha1 _sha2 _sha3 _socket _sqlite3 _ssl _statistics _struct _zoneinfo array binascii cmath fcntl grp math mmap
    pyexpat resource select syslog termios unicodedata zlib
"""
_IMPORTS = """
import importlib, sys
for name in sys.argv[1].split() + sys.argv[2].split():
    importlib.import_module(name)
import ctypes, sqlite3, ssl
assert ctypes.CDLL(None).getpid() > 0
sqlite3.connect(":memory:").execute("create virtual table t using fts5(x)")
ssl.create_default_context()
"""


def verify(
    tree: Path, packages: Sequence[str], build_paths: Sequence[Path], work: Path, commands: Commands
) -> list[str]:
    """Check a release tree.

    Args:
        tree: its top folder.
        packages: the import names of our own packages and of the wheels.
        build_paths: folders of this machine whose path must not be in any file.
        work: a folder on the tree's file system for the copy that is tried out.
        commands: runs the programs.

    Returns:
        What is worth knowing about parts that are taken as their publishers released them.

    Raises:
        VerifyError: names every finding.
    """
    findings, remarks = [], []
    needles = [os.fsencode(path) for path in build_paths]
    for path, relative in _files(tree):
        data = path.read_bytes()
        found = list(_elf_findings(data)) if data.startswith(elf.MAGIC) else []
        found += [f"holds the build path {os.fsdecode(needle)}" for needle in needles if needle in data]
        texts = [f"{relative}: {text}" for text in found]
        if relative.startswith(f"{_FOREIGN_FOLDER}/"):
            remarks += texts
        else:
            findings += texts
    if not findings:
        findings += _trial(tree, packages, work, commands)
    if findings:
        listed = "\n".join(f"    {finding}" for finding in findings[:40])
        raise VerifyError(
            f"the release breaks its promises in {len(findings)} places:\n{listed}",
            "No tarball was written. Correct the recipe.",
        )
    return remarks


def _files(tree: Path) -> Iterator[tuple[Path, str]]:
    for folder, _, names in os.walk(tree):
        for name in sorted(names):
            path = Path(folder, name)
            if not path.is_symlink():
                yield path, path.relative_to(tree).as_posix()


def _elf_findings(data: bytes) -> Iterator[str]:
    try:
        needs = elf.read_needs(data)
    except elf.NotReadableError as error:
        yield str(error)
        return
    if needs.glibc() > GLIBC_FLOOR:
        yield f"needs glibc {'.'.join(map(str, needs.glibc()))}, newer than {'.'.join(map(str, GLIBC_FLOOR))}"
    for library in needs.libraries:
        if library not in _OF_GLIBC:
            yield f"needs the foreign library {library}"
    for path in needs.search_paths:
        if any(not folder.startswith("$ORIGIN") for folder in path.split(":")):
            yield f"searches for libraries in {path}"


def _trial(tree: Path, packages: Sequence[str], work: Path, commands: Commands) -> list[str]:
    """Run every program once from a copy in a folder with a blank in its name."""
    place = Path(tempfile.mkdtemp(prefix="verify a copy ", dir=work))
    try:
        copy = place / tree.name
        link_tree(tree, copy)
        python = copy / cpython.PYTHON
        tries: list[list[str | Path]] = [
            [copy / "bin/go-carbon", "-version"],
            [copy / "bin/carbonapi", "--help"],
            [copy / "bin/dkm-scan", "--json", copy],
            [copy / "bin/openssl", "version"],
            [copy / "collectd/sbin/collectd", "-h"],
            [python, "-I", "-B", "-W", "ignore", "-c", _IMPORTS, _NATIVE_MODULES, " ".join(packages)],
            [copy / "installer", "--help"],
        ]
        if (copy / "grafana").is_dir():
            tries.append([copy / "grafana/bin/grafana", "--version"])
        findings = []
        for argv in tries:
            try:
                commands.run("verify", argv, place, {"PYTHONDONTWRITEBYTECODE": "1"})
            except RecipeError as error:
                findings.append(error.what.replace(str(copy), tree.name))
        return findings
    finally:
        remove(place)
