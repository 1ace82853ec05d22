"""A day of 300 people on the machines: some at work, some with jobs at night, some with names that hurt."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from dkumonitor.metrics import segment
from tests import corpus
from tests.history.curves import Curve, nightly, office, scaled, steady, whole, without
from tests.history.series import DAY_MINUTES, Day, Values, hash_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.history.machines import Machine

PEOPLE = 300
PATTERNS = ("dss_backend", "dss_fek", "dss_jek", "jupyter_kernel")
FIRST_NAMES = ("anna", "bjarne", "chen", "dilara", "emeka", "fatima", "george", "hana", "ines", "jun", "kofi", "lea")
LAST_NAMES = ("schmidt", "okafor", "nguyen", "garcia", "lindqvist", "haddad", "kowalski", "tanaka", "moreau", "smith")
HOSTILE = (*corpus.MARKUP[:6], *corpus.FORMULAS[:3], *corpus.LETTERS[:3], *corpus.DIRECTIONS[:2], "W" * 120)
SYSTEM = ("root", "daemon", "dataiku", "uid-20117", "DOMAIN\\svc.backup", "host$")
_KINDS = (office, office, office, office, office, office, nightly, steady)
_SHAPES = 24


def logins() -> tuple[str, ...]:
    """The accounts' names, all different."""
    plain = [f"{first[0]}{last}" for last in LAST_NAMES for first in FIRST_NAMES]
    dotted = [f"{first}.{last}" for first in FIRST_NAMES for last in LAST_NAMES]
    numbered = [f"student{number:03d}" for number in range(1, PEOPLE)]
    names = dict.fromkeys((*SYSTEM, *HOSTILE, *plain, *dotted, *numbered))
    return tuple(names)[:PEOPLE]


def days(machine: Machine, names: Sequence[str], end: int) -> Iterator[Day]:
    """Every metric of the users `names` of a machine, and of the programs that are looked for."""
    prefix = f"dkm.{machine.host}.host"
    shapes = [_KINDS[i % len(_KINDS)](f"{machine.host} {i}", end) for i in range(_SHAPES)]
    for rank, login in enumerate(names):
        source = random.Random(f"{machine.host} {login}")
        size = 1 / (1 + rank / 6) * source.lognormvariate(0, 0.4)
        away = (source.randrange(DAY_MINUTES // 2), source.randrange(240)) if rank % 3 == 0 else (0, 0)
        curve = shapes[hash_of(login) % _SHAPES]
        for name, values, restless in _usage(machine, curve, size):
            gone = without(without(values, *away), *machine.gap)
            yield Day(f"{prefix}.users.{segment(login)}.{name}", gone, restless)
    for i, pattern in enumerate(PATTERNS):
        for name, values, restless in _usage(machine, shapes[i], 0.5 / (1 + i)):
            yield Day(f"{prefix}.patterns.{pattern}.{name}", without(values, *machine.gap), restless)
    work = office(machine.host, end)
    yield Day(f"{prefix}.users", without([float(len(names))] * DAY_MINUTES, *machine.gap))
    yield Day(f"{prefix}.logged_in_users", without(whole(work, 2, len(names) / 3), *machine.gap))


def _usage(machine: Machine, curve: Curve, size: float) -> tuple[tuple[str, Values, float], ...]:
    cores, memory = machine.cores * size / 4, machine.memory_bytes * size / 12
    resident: Values = [round(memory * (0.05 + share)) for share in curve]
    return (
        ("cpu_percent", scaled(curve, 0.0, 100 * cores), 0.3),
        ("resident_bytes", resident, 0.0),
        ("processes", whole(curve, 2, 60 * size), 0.0),
        ("threads", whole(curve, 4, 700 * size), 0.0),
        ("open_files", whole(curve, 12, 1500 * size), 0.0),
        ("read_bytes_per_second", scaled(curve, 0.0, 6e7 * size), 0.4),
        ("written_bytes_per_second", scaled(curve, 0.0, 3e7 * size), 0.4),
        ("hidden_processes", [0.0] * len(curve), 0.0),
    )
