"""The whole overview: metrics, programs, the doctor's findings, failed collectors and what collectors have to say."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dkumonitor.doctor.findings import Status
from dkumonitor.errors import DkmError, ServiceError
from dkumonitor.overview.facts import Facts, facts
from dkumonitor.overview.judgement import verdict, worst
from dkumonitor.overview.rows import CardTold, Overview, Problem
from dkumonitor.runs import RunState, read_runs
from dkumonitor.services import Service, services
from dkumonitor.text import printable
from dkumonitor.views import Card, Level, Sources, Told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dkumonitor.doctor.findings import Finding
    from dkumonitor.installation import Installation
    from dkumonitor.overview.readings import Readings

_log = logging.getLogger(__name__)
_NO_FACTS = Facts([], [], [], [], [])
_LEVELS = {Status.OK: Level.OK, Status.WARNING: Level.WARNING, Status.FAILED: Level.FAILED}


def overview(
    sources: Sources, readings: Callable[[], Readings], findings: Sequence[Finding], cards: Iterable[Card]
) -> Overview:
    """Is the machine well?

    Args:
        sources: what may be read, and who looks.
        readings: gives the metrics; its ServiceError is part of the answer, and takes nothing else with it.
        findings: the doctor's, as far as they are known.
        cards: of all collectors; those that this viewer may not see are left out.
    """
    installation = sources.installation
    said, problems = _metrics(sources, readings)
    programs, program_problems = _programs(installation)
    said_by_cards = _cards(sources, cards)
    problems += program_problems
    problems += _collectors(installation)
    problems += _doctor(findings, {(problem.source, problem.about) for problem in problems})
    problems += [
        Problem(level=card.level, source="overview", about=card.title, text=card.sentence, do="")
        for card in said_by_cards
        if card.level in {Level.WARNING, Level.FAILED}
    ]
    problems.sort(key=lambda problem: -list(Level).index(problem.level))
    level = worst(problem.level for problem in problems)
    if level is Level.OK and not said.hosts:
        level = Level.UNKNOWN
    return Overview(
        verdict=verdict([host.host for host in said.hosts], problems),
        level=level,
        next_step="" if said.hosts else _next_step(installation, programs),
        at_seconds=int(sources.now_seconds),
        problems=problems,
        hosts=said.hosts,
        file_systems=said.file_systems,
        users=said.users,
        services=programs,
        cards=said_by_cards,
        loads=said.loads,
    )


def _metrics(sources: Sources, readings: Callable[[], Readings]) -> tuple[Facts, list[Problem]]:
    if sources.carbonapi is None:
        return _NO_FACTS, []
    try:
        found = facts(readings(), sources.now_seconds, sources.installation.interval_seconds)
    except ServiceError as error:
        return _NO_FACTS, [_problem(Level.FAILED, "metrics", "metrics", error)]
    return found, list(found.problems)


def _programs(installation: Installation) -> tuple[list[Service], list[Problem]]:
    try:
        found = services(installation)
    except ServiceError as error:
        return [], [_problem(Level.FAILED, "programs", "supervisord", error)]
    dkm = f"{installation.dir}/bin/dkm"
    return found, [
        Problem(
            level=Level(program.level),
            source="programs",
            about=program.program,
            text=f"{program.state.lower()}: {program.detail}" if program.detail else program.state.lower(),
            do=f"{dkm} start {program.program}; {dkm} doctor",
        )
        for program in found
        if program.level != Level.OK
    ]


def _collectors(installation: Installation) -> list[Problem]:
    try:
        runs = read_runs(installation)
    except ServiceError as error:
        return [_problem(Level.WARNING, "collectors", "collectors", error)]
    do = f"read {installation.run}/collectors.log"
    return [
        Problem(
            level=Level.WARNING,
            source="collectors",
            about=run.collector,
            text=f"the collector's last run failed: {run.detail}",
            do=do,
        )
        for run in runs
        if run.state is RunState.FAILED
    ]


def _doctor(findings: Sequence[Finding], known: set[tuple[str, str]]) -> list[Problem]:
    """What the doctor found that was not told already."""
    return [
        Problem(
            level=_LEVELS[finding.status],
            source=finding.check,
            about=printable(f"{finding.check}, {finding.subject}"),
            text=printable(finding.detail),
            do=printable(finding.do),
        )
        for finding in findings
        if finding.status is not Status.OK and (finding.check, finding.subject) not in known
    ]


def _cards(sources: Sources, cards: Iterable[Card]) -> list[CardTold]:
    found = []
    for card in sorted(cards, key=lambda card: (card.order, card.title)):
        said = told(sources, card) if sources.viewer.role.may(card.role) else None
        if said is not None:
            found.append(
                CardTold(
                    name=card.name,
                    title=card.title,
                    level=said.level,
                    sentence=printable(said.sentence),
                    figures=said.figures,
                    path=card.path,
                    banner=card.banner and said.level is Level.FAILED,
                )
            )
    return found


def told(sources: Sources, card: Card) -> Told | None:
    """What a card says; where it cannot be told, that."""
    try:
        return card.tell(sources)
    except DkmError as error:
        return Told(Level.UNKNOWN, f"cannot be told: {error}")
    except Exception:  # noqa: BLE001  the boundary of a collector: what is wrong with one takes nothing else with it
        _log.exception("the card %s cannot be told", card.name)
        return Told(Level.UNKNOWN, "cannot be told; the log says why")


def _problem(level: Level, source: str, about: str, error: DkmError) -> Problem:
    return Problem(level=level, source=source, about=about, text=printable(error.what), do=printable(error.do))


def _next_step(installation: Installation, programs: Sequence[Service]) -> str:
    """What to do where no machine has sent anything."""
    dkm = f"{installation.dir}/bin/dkm"
    if any(program.level == Level.FAILED for program in programs) or not programs:
        return f"Start the programs: {dkm} start"
    if "collectd" in installation.programs:
        return f"The first points are there within a minute; if they are not: {dkm} doctor"
    return "Install an agent on each machine: installer -d DIR --type agent --carbon-server THIS_HOST:PORT"
