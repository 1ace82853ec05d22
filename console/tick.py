"""What the console does by itself: now and then it removes ended sessions, every day it keeps the store tidy."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio
from starlette.concurrency import run_in_threadpool

from console import memory
from dkumonitor.accounts import sessions
from dkumonitor.errors import DkmError

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.state import State

_PAUSE_SECONDS = 600
_ROUNDS_OF_A_DAY = 144
_log = logging.getLogger("console")


async def go_round(state: State, daily: Callable[[], object] | None) -> None:
    """Do it now, and every ten minutes after, until cancelled.

    Args:
        state: the console's.
        daily: what is due once a day; None where the collectors do that.
    """
    rounds = 0
    while True:
        await run_in_threadpool(_attempt, "ended sessions were not removed", lambda: _remove_ended(state))
        if daily is not None and rounds % _ROUNDS_OF_A_DAY == 0:
            await run_in_threadpool(_attempt, "the store was not kept tidy", daily)
        memory.give_back()
        await anyio.sleep(_PAUSE_SECONDS)
        rounds += 1


def _remove_ended(state: State) -> int:
    now_seconds = int(state.clock())
    return state.store.write(lambda connection: sessions.remove_expired(connection, now_seconds, state.limits))


def _attempt(otherwise: str, act: Callable[[], object]) -> None:
    """What fails is logged, and tried again when it is due again."""
    try:
        act()
    except DkmError as error:
        _log.warning("%s: %s", otherwise, error)
