"""Programs that are there only once they are configured: a file each in DIR/storage/programs, read by supervisord.

They lie in storage/, since the account that the programs run as must be able to make them, and so that an update
leaves them alone: the `[include]` of DIR/conf/supervisord/supervisord.conf names the folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dkumonitor.errors import ServiceError
from dkumonitor.supervision import State, Supervision

if TYPE_CHECKING:
    from pathlib import Path

    from dkumonitor.installation import Installation

INCLUDED = "../../storage/programs/*.conf"
_TEXT = """\
; Written by dkumonitor, and again whenever {name} is enabled. `dkm {name} disable` removes it.
[program:{name}]
command="{python}" -I -m dkumonitor.launch --parent-death TERM -- "{python}" -I -m {module}
priority=60
autostart=false
autorestart=true
startsecs=1
startretries=1000000
stopsignal=TERM
stopwaitsecs=20
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={run}/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
"""


def put_in(installation: Installation, name: str, module: str) -> bool:
    """Put a program under supervision, and start it where supervisord runs; one that is there is started again.

    Args:
        installation: where.
        name: the program's, which is its collector's.
        module: what ``python3 -m`` runs.

    Returns:
        Whether it was started.

    Raises:
        ServiceError: supervisord's configuration includes no such files, or the program does not stay up.
    """
    main = installation.conf / "supervisord/supervisord.conf"
    if INCLUDED not in main.read_text(encoding="utf-8"):
        raise ServiceError(
            f"{main} does not include {INCLUDED}",
            "Add the section [include] of the release's templates/supervisord/supervisord.conf to it",
        )
    path = _file(installation, name)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(
        _TEXT.format(name=name, module=module, python=installation.lib / "python/bin/python3", run=installation.run),
        encoding="utf-8",
    )
    new.replace(path)
    supervision = Supervision(installation)
    if supervision.state() is not State.UP:
        return False
    supervision.take_in(name)
    supervision.restart(name)
    return True


def take_out(installation: Installation, name: str) -> None:
    """End a program, and take it from supervision. One that is not there is no error.

    Raises:
        ServiceError: it does not end.
    """
    _file(installation, name).unlink(missing_ok=True)
    supervision = Supervision(installation)
    if supervision.state() is State.UP:
        supervision.leave_out(name)


def is_in(installation: Installation, name: str) -> bool:
    """Whether a program is under supervision."""
    return _file(installation, name).exists()


def _file(installation: Installation, name: str) -> Path:
    return installation.storage / "programs" / f"{name}.conf"
