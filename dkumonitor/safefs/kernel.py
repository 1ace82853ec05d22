"""Calls of Linux for which Python has no function: by number, since the C library of the machine may be older.

Each is an audit event (``safefs.NAME``), as Python's own functions are, so that all calls can be followed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from typing import Final

RENAME_NOREPLACE: Final = 1  # linux/fs.h
RESOLVE_NO_XDEV: Final = 0x01  # linux/openat2.h
RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_NO_SYMLINKS: Final = 0x04
RESOLVE_BENEATH: Final = 0x08
_OPENAT2, _RENAMEAT2 = "openat2", "renameat2"
_NUMBERS = {"x86_64": {_RENAMEAT2: 316, _OPENAT2: 437}, "aarch64": {_RENAMEAT2: 276, _OPENAT2: 437}}
_NUMBER = _NUMBERS.get(os.uname().machine, {})
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def openat2(directory: int, path: bytes, flags: int, resolve: int) -> int:
    """Open what ``path`` leads to from a directory (openat2(2), Linux 5.6); a descriptor.

    Raises:
        OSError: with ENOSYS where the kernel has no such call.
    """
    how = _OpenHow(flags | os.O_CLOEXEC, 0, resolve)
    place = (ctypes.c_long(directory), ctypes.c_char_p(path))
    return _call(_OPENAT2, path, *place, ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how)))


def renameat2(source: int, source_name: bytes, target: int, target_name: bytes, flags: int) -> None:
    """Rename from a directory to a directory (renameat2(2), Linux 3.15).

    Raises:
        OSError: with ENOSYS or EINVAL where the kernel or the file system does not know the flags.
    """
    names = (ctypes.c_char_p(source_name), ctypes.c_char_p(target_name))
    arguments = (ctypes.c_long(source), names[0], ctypes.c_long(target), names[1], ctypes.c_uint(flags))
    _call(_RENAMEAT2, source_name, *arguments)


def _call(name: str, shown: bytes, *arguments: object) -> int:
    sys.audit(f"safefs.{name}", shown)
    number = _NUMBER.get(name)
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), shown)
    while True:
        result = int(_LIBC.syscall(ctypes.c_long(number), *arguments))
        if result >= 0:
            return result
        error = ctypes.get_errno()
        if error != errno.EINTR:
            raise OSError(error, os.strerror(error), shown)
