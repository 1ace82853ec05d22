"""The audit log: who did what, when, from where. Written in the same transaction as the change that it tells of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dkumonitor.accounts.tables import audit

if TYPE_CHECKING:
    from sqlalchemy import Connection

COMMAND = "command"  # the address of who acts by `dkm`


class Actor(msgspec.Struct, frozen=True):
    """Who acts.

    Attributes:
        login: the account; of a failed sign-in the login that was tried.
        address: where the request came from; ``command`` for the command `dkm`.
        now_seconds: when.
    """

    login: str
    address: str
    now_seconds: int


def note(connection: Connection, actor: Actor, act: str, about: str = "") -> None:
    """Write one line. What strangers chose is kept as it is, cut to the column's width; whoever shows it escapes it.

    Args:
        connection: a writing transaction.
        actor: who, when, from where.
        act: what was done, one of docs/console.md's words: ``sign-in``, ``account-added``.
        about: to what.
    """
    connection.execute(
        audit.insert().values(
            at_seconds=actor.now_seconds,
            login=actor.login[:64],
            address=actor.address[:64],
            act=act,
            about=about[:500],
        )
    )
