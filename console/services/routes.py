"""Routes of the services page: look, restart, read a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from console import access
from console.refused import Refused
from console.routing import action, api, page, see_other
from console.show import show, tell
from console.state import state_of
from dkumonitor.accounts.audit import note
from dkumonitor.accounts.roles import Role
from dkumonitor.errors import ServiceError
from dkumonitor.runs import RunState, read_runs
from dkumonitor.services import Service, disks, services
from dkumonitor.supervision import Supervision, UnknownProgramError
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from dkumonitor.installation import Installation

T = TypeVar("T")
LOG_LINES = 200
NEARLY_FULL_PERCENT = 90  # from here on a disk's bar is shown as low on room
RUN_LEVELS = {
    RunState.OK: "ok",
    RunState.FAILED: "failed",
    RunState.NO_DATA: "unknown",
    RunState.RUNNING: "unknown",
    RunState.NEVER: "unknown",
}


class Log(msgspec.Struct, frozen=True):
    """The last lines of a program's log, with everything that a terminal would obey made visible."""

    program: str
    lines: list[str]


def show_services(request: Request) -> Response:
    """Programs, disks and collectors; for htmx only what changes."""
    installation = state_of(request).installation
    programs, why_no_programs = _told(services, installation)
    rooms, why_no_rooms = _told(disks, installation)
    runs, why_no_runs = _told(read_runs, installation)
    template = "services/live.html" if request.headers.get("hx-request") else "services/page.html"
    return show(
        request,
        template,
        title="Services",
        programs=programs,
        disks=rooms,
        runs=runs,
        wrong=[why for why in (why_no_programs, why_no_rooms, why_no_runs) if why],
        operator=Role.OPERATOR,
        run_levels=RUN_LEVELS,
        nearly_full_percent=NEARLY_FULL_PERCENT,
    )


def show_program(request: Request) -> Response:
    """One program with the end of its log."""
    found = _service(request)
    return show(request, "services/program.html", title=found.program, program=found, lines=_log(request).lines)


def restart(request: Request) -> Response:
    """Restart a program."""
    program = _restart(request)
    tell(request, f"{program} was restarted.")
    return see_other("/services")


def api_restart(request: Request) -> Service:
    """Restart a program."""
    _restart(request)
    return _service(request)


def api_log(request: Request) -> Log:
    """The end of a program's log."""
    return _log(request)


def _told(look: Callable[[Installation], list[T]], installation: Installation) -> tuple[list[T], str]:
    """What there is, and why there is nothing: one that cannot be seen takes no other with it."""
    try:
        return look(installation), ""
    except ServiceError as error:
        return [], printable(str(error))
    except OSError as error:
        return [], printable(f"Cannot look at {error.filename}: {error.strerror}.")


def _service(request: Request) -> Service:
    program = request.path_params["program"]
    for service in services(state_of(request).installation):
        if service.program == program:
            return service
    raise Refused("not-there", "There is no such program.")


def _log(request: Request) -> Log:
    program = request.path_params["program"]
    try:
        return Log(program, Supervision(state_of(request).installation).tail(program, LOG_LINES))
    except UnknownProgramError:
        raise Refused("not-there", "There is no such program.") from None


def _restart(request: Request) -> str:
    """Restart what supervisord knows, with a line in the audit log before and, where it fails, after."""
    program = _service(request).program
    state = state_of(request)
    actor = access.actor_of(request)
    state.store.write(lambda connection: note(connection, actor, "program-restarted", program))
    try:
        Supervision(state.installation).restart(program)
    except ServiceError:
        state.store.write(lambda connection: note(connection, actor, "program-restart-failed", program))
        raise
    return program


_OPERATOR = Role.OPERATOR
_PATH = "/services/{program}"
ROUTES = (
    page("/services", show_services, title="Services", order=200),
    page(_PATH, show_program, role=_OPERATOR),
    action(f"{_PATH}/restart", restart, role=_OPERATOR),
    api(f"{_PATH}/restart", api_restart, role=_OPERATOR, method="POST", summary="Restart a program.", answer=Service),
    api(f"{_PATH}/log", api_log, role=_OPERATOR, summary="The last lines of a program's log.", answer=Log),
)
