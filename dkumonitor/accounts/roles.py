"""What a person may do: three roles, each with all that the one before it may."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """A viewer looks, an operator also acts (restarts, asks freely), an admin also decides who may do what."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def may(self, needed: Role) -> bool:
        """Whether this role is `needed` or one that has all of its rights."""
        order = list(Role)
        return order.index(self) >= order.index(needed)
