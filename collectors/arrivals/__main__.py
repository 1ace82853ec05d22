"""The program `arrivals`: ``python3 -m collectors.arrivals [--config FILE] [--log FILE]``.

Without --config it runs with the file that `dkm arrivals enable` noted. It imports little, since it stays in memory.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

from collectors.arrivals.configuration import load
from collectors.arrivals.enablement import enabled, spools_of
from collectors.arrivals.errors import ArrivalsError
from collectors.arrivals.spool import EventSpool
from collectors.arrivals.status import Reporter, read_status, tallies_of
from collectors.arrivals.watcher import Watcher
from dkumonitor.errors import DkmError
from dkumonitor.installation import Installation, current
from dkumonitor.logs import VARIABLE, begin
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from collectors.arrivals.configuration import Configuration
    from collectors.arrivals.place import Tally

_USAGE = 2
_log = logging.getLogger("arrivals")


def _options(arguments: Sequence[str]) -> dict[str, str]:
    """``--config FILE`` and ``--log FILE``, also with ``=``."""
    words = [part for word in arguments for part in (word.split("=", 1) if word.startswith("--") else [word])]
    if len(words) % 2 or not {"--config", "--log"}.issuperset(words[::2]):
        sys.stderr.write("usage: arrivals [--config FILE] [--log FILE]\n")
        sys.exit(_USAGE)
    return dict(zip(words[::2], words[1::2], strict=True))


def _log_to(file: str | None) -> None:
    try:
        handler: logging.Handler = WatchedFileHandler(file) if file else logging.StreamHandler(sys.stdout)
    except OSError as error:
        do = "Name a file in a folder that is there"
        raise ArrivalsError(f"cannot log to {file}: {error.strerror}", do) from None
    begin(handler)


def _file(installation: Installation | None, named: str | None) -> Path:
    if named:
        return Path(named)
    known = enabled(installation) if installation is not None else None
    if known is None:
        raise ArrivalsError("no INI file is under supervision", "Name one: dkm arrivals enable FILE")
    os.chdir(known.folder)
    return Path(known.file)


def run(configuration: Configuration, spools: Path | None) -> None:
    """Watch until SIGTERM or SIGINT; SIGHUP has the file read again."""
    spool = EventSpool(configuration.spool, configuration.spool_max, configuration.spool_keep)
    watcher = Watcher(configuration, spool, _tallies(spool), Reporter(spool.folder).report)

    def stop(*_: object) -> None:
        watcher.stopping = True

    def reload(*_: object) -> None:
        try:
            watcher.reload = load(configuration.file, spools)
        except DkmError as error:
            _log.error("the configuration is not taken, the one before goes on: %s", error)

    os.set_blocking(watcher.mouth, False)
    signal.set_wakeup_fd(watcher.mouth, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGHUP, reload)
    signal.signal(signal.SIGIO, signal.SIG_IGN)  # sent to who has a lease that somebody breaks (settling.is_written)
    _log.info("watches %d directories for %s", len(configuration.directories), configuration.server)
    watcher.run()


def _tallies(spool: EventSpool) -> dict[str, Tally]:
    try:
        return tallies_of(read_status(spool.folder))
    except ArrivalsError as error:
        _log.warning("what was counted before is not known: %s", error)
        return {}


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run with the arguments of the command line."""
    options = _options(arguments)
    folder = environment.get(VARIABLE)
    try:
        _log_to(options.get("--log") or (str(Path(folder) / "arrivals.log") if folder else None))
    except ArrivalsError as error:
        sys.stderr.write(f"arrivals: {printable(str(error))}\n")
        sys.exit(error.exit_code)
    try:
        installation = current() if environment.get("DKM_DIR") else None
        spools = spools_of(installation) if installation is not None else None
        run(load(_file(installation, options.get("--config")), spools), spools)
    except DkmError as error:
        _log.error("%s", error)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
