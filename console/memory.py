"""Keeping the process small, where the C library is glibc: it keeps what was freed unless it is asked not to."""

from __future__ import annotations

import ctypes
import gc

_M_ARENA_MAX = -8  # mallopt(3)
_POOLS = 2


def share_pools() -> None:
    """Let all threads share two pools of memory: each would keep one of its own. Called before any thread starts."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _POOLS)


def give_back() -> None:
    """Give the system what is free."""
    gc.collect()
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
