"""Whether a folder is on a network file system, where SQLite's WAL cannot be used: it needs memory shared by all."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# f_type of statfs(2), from there and linux/magic.h. FUSE is any of them (sshfs, glusterfs, virtiofs, ...).
NETWORK_TYPES = {
    0x6969: "nfs",
    0x517B: "smb",
    0xFF534D42: "cifs",
    0xFE534D42: "smb2",
    0x00C36400: "ceph",
    0x0BD00BD0: "lustre",
    0x47504653: "gpfs",
    0x01021997: "9p",
    0x5346414F: "afs",
    0x6B414653: "kafs",
    0x65735546: "fuse",
    0x19830326: "beegfs",
    0x7461636F: "ocfs2",
    0x01161970: "gfs2",
    0x73757245: "coda",
    0xAAD7AAEA: "panfs",
    0x786F4256: "vboxsf",
    0xBACBACBC: "vmhgfs",
}


def is_network(folder: Path) -> bool:
    """Whether the file system of a folder may be shared with other machines; False where the kernel does not say."""
    return file_system_type(folder) in NETWORK_TYPES


def file_system_type(folder: Path) -> int:
    """f_type of statfs(2), its first field; 0 where there is no such call."""
    if not sys.platform.startswith("linux"):
        return 0
    answer = ctypes.create_string_buffer(256)  # struct statfs has 120 bytes
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(folder), answer) != 0:
        return 0
    return ctypes.c_ulong.from_buffer(answer).value & 0xFFFFFFFF
