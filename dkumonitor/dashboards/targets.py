"""Targets with variables in them: which values a variable may take, and what carbonapi is asked in the end.

What a person chooses becomes part of a query, so that a value is either one that the file lists, or one segment of a
metric's name in characters that mean nothing to Graphite. No value can add a function, a wildcard or a path.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dkumonitor.dashboards.model import ALL, CustomVariable, Dashboard, QueryVariable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Graphite's functions; each is proven against carbonapi by tests/bundle/test_dashboards.py.
FUNCTIONS = frozenset(
    {
        "aliasByNode",
        "groupByNode",
        "groupByNodes",
        "nonNegativeDerivative",
        "perSecond",
        "scale",
        "sumSeriesWithWildcards",
    }
)
NAMING_FUNCTIONS = frozenset({"aliasByNode", "groupByNode", "groupByNodes"})
MAX_CHOSEN = 100  # values of one variable
Variable = QueryVariable | CustomVariable
_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}")
_SEGMENT = re.compile(r"[A-Za-z0-9_:@%-]{1,200}\Z")


class ChoiceError(ValueError):
    """A variable has no such value; the text says which, for the person who asked."""


def is_segment(text: str) -> bool:
    """Whether a text can be put into a target as one segment of a name, and nothing else."""
    return _SEGMENT.match(text) is not None


def variables_of(text: str) -> set[str]:
    """Names of the variables that a target or a variable's query uses."""
    return {first or second for first, second in _VARIABLE.findall(text)}


def expand(text: str, chosen: Mapping[str, Sequence[str]]) -> str:
    """Put the chosen values in, in Grafana's glob format: one value stands as it is, several in braces."""

    def values(match: re.Match[str]) -> str:
        found = chosen[match[1] or match[2]]
        return found[0] if len(found) == 1 else "{" + ",".join(found) + "}"

    return _VARIABLE.sub(values, text)


def choose(board: Dashboard, asked: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The values of all variables of a dashboard, ready for :func:`expand`.

    Args:
        board: declares the variables.
        asked: by variable what a person chose, in Grafana's words (``$__all`` for all); a variable that is not there
            or has no value takes what the file says it begins with.

    Raises:
        ChoiceError: there is no such variable, or it cannot have such a value.
    """
    variables = {variable.name: variable for variable in board.templating.variables}
    for name in asked:
        if name not in variables:
            known = ", ".join(variables) or "none"
            raise ChoiceError(f"{board.title} has no variable {name[:100]!r}; it has: {known}")
    return {name: _values(variable, asked.get(name) or ()) for name, variable in variables.items()}


def chosen_words(variable: Variable, values: Iterable[str]) -> list[str]:
    """Values that :func:`choose` gave, in the words in which a person asks for them."""
    return [ALL if isinstance(variable, QueryVariable) and value == variable.all_value else value for value in values]


def _values(variable: Variable, asked: Sequence[str]) -> list[str]:
    if isinstance(variable, CustomVariable):
        if not asked:
            return [variable.current.value]
        if len(asked) > 1 or asked[0] not in variable.offered:
            raise ChoiceError(f"{variable.label} is one of {', '.join(variable.offered)}")
        return [asked[0]]
    if not asked or ALL in asked:
        return [variable.all_value]
    if len(asked) > MAX_CHOSEN:
        raise ChoiceError(f"At most {MAX_CHOSEN} values of {variable.label} can be chosen one by one; choose All")
    for value in asked:
        if not is_segment(value):
            raise ChoiceError(f"{value[:100]!r} is not a value of {variable.label}")
    return list(dict.fromkeys(asked))
