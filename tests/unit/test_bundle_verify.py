"""The verify step: what it reads from ELF files and what it says about a tree that breaks a promise."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from bundle import elf
from bundle.commands import Commands
from bundle.errors import VerifyError
from bundle.progress import BuildLog
from bundle.verify import verify


def elf_file(*, needed: tuple[str, ...] = (), versions: tuple[str, ...] = (), runpath: str = "") -> bytes:
    """A minimal shared object: one loaded segment that starts at address 0, and a dynamic section."""
    strings = b"\0"
    at = {}
    for text in (*needed, *versions, runpath):
        at[text] = len(strings)
        strings += text.encode() + b"\0"
    start = 64 + 2 * 56
    table = start + len(strings)
    auxiliaries = b"".join(
        struct.pack("<IHHII", 0, 0, 0, at[version], 16 if index + 1 < len(versions) else 0)
        for index, version in enumerate(versions)
    )
    needs = struct.pack("<HHIII", 1, len(versions), at[needed[0]] if needed else 0, 16, 0) + auxiliaries
    dynamic = [(1, at[name]) for name in needed] + [(5, start)]
    if versions:
        dynamic += [(0x6FFFFFFE, table), (0x6FFFFFFF, 1)]
    if runpath:
        dynamic += [(29, at[runpath])]
    section = b"".join(struct.pack("<QQ", tag, value) for tag, value in [*dynamic, (0, 0)])
    offset = table + len(needs)
    size = offset + len(section)
    header = (
        b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    )
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, size, size, 4096)
    return (
        header
        + load
        + struct.pack("<IIQQQQQQ", 2, 6, offset, offset, 0, len(section), len(section), 8)
        + strings
        + needs
        + section
    )


def test_libraries_versions_and_search_paths_are_read() -> None:
    data = elf_file(needed=("libc.so.6", "libm.so.6"), versions=("GLIBC_2.2.5", "GLIBC_2.17"), runpath="/opt/x")
    needs = elf.read_needs(data)
    assert needs == elf.Needs(("libc.so.6", "libm.so.6"), ("GLIBC_2.17", "GLIBC_2.2.5"), ("/opt/x",))
    assert needs.glibc() == (2, 17)


def test_the_machines_own_shell_is_read_as_the_linker_wrote_it() -> None:
    shell = Path(shutil.which("sh") or "").resolve().read_bytes()
    needs = elf.read_needs(shell)
    assert "libc.so.6" in needs.libraries
    assert needs.glibc() >= (2, 2, 5)


@pytest.mark.parametrize(
    "data",
    [b"\x7fELF\x01\x01" + bytes(60), b"\x7fELF\x02\x01" + b"\xff" * 80, elf_file()[:100]],
    ids=["32 bits", "nonsense", "cut"],
)
def test_what_cannot_be_read_is_said(data: bytes) -> None:
    with pytest.raises(elf.NotReadableError):
        elf.read_needs(data)


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (elf_file(needed=("libc.so.6",), versions=("GLIBC_2.28",)), "needs glibc 2.28, newer than 2.17"),
        (elf_file(needed=("libc.so.6",), versions=("GLIBC_2.17.1",)), "needs glibc 2.17.1"),
        (elf_file(needed=("libssl.so.3",)), "needs the foreign library libssl.so.3"),
        (elf_file(runpath="$ORIGIN/../lib:/opt/lib"), "searches for libraries in $ORIGIN/../lib:/opt/lib"),
        (b"\x7fELF\x01\x01" + bytes(60), "not an ELF file for a 64-bit"),
        (b"made in /home/builder/scratch/thing.c", "holds the build path /home/builder/scratch"),
    ],
    ids=["glibc", "glibc of three", "library", "run path", "32 bits", "build path"],
)
def test_a_broken_promise_is_named_with_its_file(tmp_path: Path, data: bytes, finding: str) -> None:
    tree = tmp_path / "tree"
    (tree / "lib").mkdir(parents=True)
    (tree / "lib/thing.so").write_bytes(data)
    (tree / "grafana").mkdir()
    (tree / "grafana/plugin").write_bytes(data)
    log = BuildLog(tmp_path / "log/build.log")
    with pytest.raises(VerifyError) as caught:
        verify(tree, [], [Path("/home/builder/scratch")], tmp_path, Commands(log))
    log.close()
    assert f"lib/thing.so: {finding}" in caught.value.what
    assert "grafana" not in caught.value.what
