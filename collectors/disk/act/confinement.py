"""Giving up what is not needed: capabilities, the way to get them back, and the rest of the file system.

capabilities(7), prctl(2), landlock(7). What the kernel lacks is left out, and told in the outcome.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
from typing import TYPE_CHECKING, Final

from collectors.disk.act.outcome import Confinement
from collectors.disk.errors import ActError

if TYPE_CHECKING:
    from collections.abc import Iterable

_NEEDED: Final = {
    "cap_chown": 0,  # to give copies their owner
    "cap_dac_override": 1,  # to take entries out of folders of others
    "cap_dac_read_search": 2,  # to get there, and to read what is copied
    "cap_fowner": 3,  # to give copies their mode and times
    "cap_lease": 28,  # to see whether somebody has a file open
}
_LAST: Final = 63
_PR_CAPBSET_READ, _PR_CAPBSET_DROP = 23, 24  # linux/prctl.h
_PR_SET_SECUREBITS: Final = 28
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_SECUREBITS: Final = 0b11101111  # linux/securebits.h: all of them, locked, but for KEEP_CAPS itself
_CAPABILITY_VERSION: Final = 0x20080522  # linux/capability.h, version 3

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on all machines
_VERSION_FLAG: Final = 1
_PATH_BENEATH: Final = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3  # linux/landlock.h
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_READS: Final = _READ_FILE | _READ_DIR
_ALL_OF: Final = {2: (1 << 14) - 1, 3: (1 << 15) - 1}  # by version; before the second nothing could be renamed
_FILE_RIGHTS: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


class _Rule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("directory", ctypes.c_int32))


def confine(writes: Iterable[bytes], reads: Iterable[bytes]) -> Confinement:
    """Give up for good what an act does not need.

    Args:
        writes: folders in which everything may be done.
        reads: folders and files that may be read. What is not there is left out.

    Raises:
        ActError: root's rights could not be given up.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    with contextlib.suppress(PermissionError):
        if os.geteuid() == 0:
            os.setgroups([])
    bounding = _limit_bounding()
    no_new = _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    version = _restrict(writes, reads)
    if os.geteuid() == 0:
        _prctl(_PR_SET_SECUREBITS, _SECUREBITS)
        _drop()
    names = _effective()
    if not set(names) <= set(_NEEDED):
        raise ActError(
            f"more rights are left than are needed: {', '.join(names)}", "Start it as root or without rights"
        )
    return Confinement(capabilities=names, no_new_privileges=no_new, bounding=bounding, landlock=version)


def _prctl(option: int, *arguments: int) -> bool:
    rest = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    return bool(_LIBC.prctl(ctypes.c_int(option), *rest) == 0)


def _limit_bounding() -> bool:
    """Take everything else out of the bounding set; whether it holds nothing else."""
    limited = True
    for number in range(_LAST + 1):
        if number in _NEEDED.values():
            continue
        held = _LIBC.prctl(ctypes.c_int(_PR_CAPBSET_READ), ctypes.c_ulong(number), 0, 0, 0)
        if held < 0:
            break  # beyond the last that this kernel knows
        if held == 1:
            limited = _prctl(_PR_CAPBSET_DROP, number) and limited
    return limited


def _drop() -> None:
    """Keep the capabilities that are needed, as far as there are any."""
    header, sets = _Header(_CAPABILITY_VERSION, 0), (_Sets * 2)()
    _checked(_LIBC.capget(ctypes.byref(header), sets), "capget")
    needed = sum(1 << number for number in _NEEDED.values())
    for index in range(2):
        kept = sets[index].permitted & (needed >> (32 * index)) & 0xFFFFFFFF
        sets[index] = _Sets(kept, kept, 0)
    _checked(_LIBC.capset(ctypes.byref(header), sets), "capset")


def _effective() -> tuple[str, ...]:
    """The capabilities in effect, by name; of those that are not needed the number."""
    header, sets = _Header(_CAPABILITY_VERSION, 0), (_Sets * 2)()
    _checked(_LIBC.capget(ctypes.byref(header), sets), "capget")
    held = sets[0].effective | sets[1].effective << 32
    names = {number: name for name, number in _NEEDED.items()}
    return tuple(names.get(number, f"capability {number}") for number in range(_LAST + 1) if held >> number & 1)


def _checked(result: int, what: str) -> None:
    if result != 0:
        error = os.strerror(ctypes.get_errno())
        raise ActError(f"rights could not be given up: {what}: {error}", "Start it outside of this container")


def _restrict(writes: Iterable[bytes], reads: Iterable[bytes]) -> int:
    """Have Landlock keep this process to its folders; the version that does, 0 for none."""
    version = int(_LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION_FLAG)))
    if version < min(_ALL_OF):
        return 0
    handled = _ALL_OF[min(version, max(_ALL_OF))]
    attribute = ctypes.c_uint64(handled)
    size = ctypes.c_size_t(ctypes.sizeof(attribute))
    ruleset = int(_LIBC.syscall(_CREATE_RULESET, ctypes.byref(attribute), size, ctypes.c_uint(0)))
    if ruleset < 0:
        return 0
    try:
        rules = [(path, handled & ~_EXECUTE) for path in writes] + [(path, _READS | _EXECUTE) for path in reads]
        for path, access in rules:
            _allow(ruleset, path, access)
        kept = _LIBC.syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0)) == 0
    finally:
        os.close(ruleset)
    return min(version, max(_ALL_OF)) if kept else 0


def _allow(ruleset: int, path: bytes, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.EACCES, errno.ENOTDIR}:
            return
        raise
    try:
        is_folder = os.path.isdir(f"/proc/self/fd/{descriptor}")  # noqa: PTH112  of the very descriptor
        rule = _Rule(access if is_folder else access & _FILE_RIGHTS, descriptor)
        place = ctypes.byref(rule)
        arguments = (ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), place, ctypes.c_uint(0))
        _checked(int(_LIBC.syscall(_ADD_RULE, *arguments)), "landlock_add_rule")
    finally:
        os.close(descriptor)
