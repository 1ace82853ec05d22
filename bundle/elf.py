"""What an ELF file asks of the machine: libraries, glibc symbol versions, search paths.

Source: the ELF-64 object file format and the GNU symbol versioning extension (elf(5), Linux Standard Base, chapter 10).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"\x7fELF"
_CLASS_64, _LITTLE = 2, 1
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NEEDED, _DT_STRTAB, _DT_RPATH, _DT_RUNPATH, _DT_VERNEED, _DT_VERNEEDNUM = 1, 5, 15, 29, 0x6FFFFFFE, 0x6FFFFFFF


@dataclass(frozen=True)
class Needs:
    """Libraries by name, symbol versions such as "GLIBC_2.17", and folders that the loader would search."""

    libraries: tuple[str, ...]
    versions: tuple[str, ...]
    search_paths: tuple[str, ...]

    def glibc(self) -> tuple[int, ...]:
        """Return the newest glibc version among the symbol versions, () where none is needed."""
        found = [re.fullmatch(r"GLIBC_(\d+(?:\.\d+)*)", version) for version in self.versions]
        return max((tuple(map(int, match[1].split("."))) for match in found if match), default=())


class NotReadableError(ValueError):
    """An ELF file of another class or byte order, or a damaged one."""


def read_needs(data: bytes) -> Needs:
    """Read what an ELF file needs; a static program needs nothing.

    Raises:
        NotReadableError: it is not for a 64-bit little-endian machine, or it is damaged.
    """
    if data[:4] != MAGIC or data[4] != _CLASS_64 or data[5] != _LITTLE:
        raise NotReadableError("not an ELF file for a 64-bit little-endian machine")
    try:
        return _read(data)
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise NotReadableError(f"a damaged ELF file ({error})") from error


def _read(data: bytes) -> Needs:
    loads, dynamic = _segments(data)
    if _DT_STRTAB not in dynamic:
        return Needs((), (), ())
    strings = _offset_of(dynamic[_DT_STRTAB][0], loads)
    versions = []
    if _DT_VERNEED in dynamic:
        first = _offset_of(dynamic[_DT_VERNEED][0], loads)
        versions = [_text(data, strings + name) for name in _version_names(data, first, dynamic[_DT_VERNEEDNUM][0])]
    libraries = tuple(_text(data, strings + value) for value in dynamic.get(_DT_NEEDED, []))
    paths = [_text(data, strings + value) for tag in (_DT_RPATH, _DT_RUNPATH) for value in dynamic.get(tag, [])]
    return Needs(libraries, tuple(sorted(set(versions))), tuple(paths))


def _segments(data: bytes) -> tuple[list[tuple[int, int, int]], dict[int, list[int]]]:
    """Return the loaded segments (address, offset in the file, bytes), and the dynamic section's values by tag."""
    (start,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    loads = []
    dynamic: dict[int, list[int]] = {}
    for index in range(count):
        kind, _, offset, address, _, length = struct.unpack_from("<IIQQQQ", data, start + index * size)
        if kind == _PT_LOAD:
            loads.append((address, offset, length))
        elif kind == _PT_DYNAMIC:
            for tag, value in struct.iter_unpack("<QQ", data[offset : offset + length // 16 * 16]):
                if tag == 0:
                    break
                dynamic.setdefault(tag, []).append(value)
    return loads, dynamic


def _version_names(data: bytes, record: int, count: int) -> Iterator[int]:
    """Yield where in the string table the names of the needed symbol versions stand."""
    for _ in range(count):
        _, auxiliaries, _, first, following = struct.unpack_from("<HHIII", data, record)
        auxiliary = record + first
        for _ in range(auxiliaries):
            _, _, _, name, step = struct.unpack_from("<IHHII", data, auxiliary)
            yield name
            auxiliary += step
        record += following


def _offset_of(address: int, loads: list[tuple[int, int, int]]) -> int:
    for begin, offset, length in loads:
        if begin <= address < begin + length:
            return offset + address - begin
    raise ValueError(f"no segment holds the address {address:#x}")


def _text(data: bytes, begin: int) -> str:
    return data[begin : data.index(b"\0", begin)].decode("utf-8", "surrogateescape")
