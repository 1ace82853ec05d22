"""What a listing or a page is of: taken from the address by the declared type, and written into addresses again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import msgspec

from console.refused import Refused
from dkumonitor.views import Parameters, Question

if TYPE_CHECKING:
    from collections.abc import Mapping

P = TypeVar("P", bound=Parameters)


def taken(given: Mapping[str, Any], wanted: type[P]) -> P:
    """The parameters of an address or a template. A field of a form that was left empty is one that was left out.

    Raises:
        Refused: one is missing, unknown, no such value, or holds a NUL, which no database takes.
    """
    unknown = set(given) - set(wanted.__struct_fields__)
    if unknown:
        known = ", ".join(wanted.__struct_fields__) or "no parameters"
        raise Refused("bad-question", f"There is no parameter {min(unknown)!r}; this takes {known}.")
    try:
        found = msgspec.convert({name: one for name, one in given.items() if one != ""}, wanted, strict=False)
    except msgspec.ValidationError as error:
        raise Refused("bad-question", f"{error}.") from None
    if any("\x00" in one for one in msgspec.structs.astuple(found) if isinstance(one, str)):
        raise Refused("bad-question", "A parameter holds no NUL.")
    return found


def written(given: msgspec.Struct) -> dict[str, str]:
    """The fields of a struct that are not as they begin, as an address has them."""
    defaults = dict(zip(reversed(given.__struct_fields__), reversed(given.__struct_defaults__), strict=False))
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in msgspec.structs.asdict(given).items()
        if value is not None and (name not in defaults or value != defaults[name])
    }


def address(path: str, *given: msgspec.Struct) -> str:
    """The address of a path with what is asked of it."""
    query = {name: value for one in given for name, value in written(one).items()}
    return f"{path}?{urlencode(query)}" if query else path


def check(wanted: type[Parameters], of: str) -> None:
    """Make sure that no parameter has a name that every listing takes for something else.

    Raises:
        ValueError: one has.
    """
    taken_twice = set(wanted.__struct_fields__) & set(Question.__struct_fields__)
    if taken_twice:
        raise ValueError(f"{of}: {', '.join(sorted(taken_twice))} cannot be a parameter, every listing takes it")
