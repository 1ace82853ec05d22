"""The boundary of both commands: errors become messages and exit codes."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

import click

from installer.errors import InstallError, Refusal, WriteError


@contextlib.contextmanager
def told(command: str) -> Iterator[None]:
    """Turn what goes wrong into a message and an exit code; a SIGTERM ends it as an interrupt does."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        yield
    except OSError as error:
        where = f" on {error.filename}" if error.filename else ""
        _fail(
            command,
            WriteError(
                f"{error.strerror or error}{where}",
                "DIR is as it was, or is completed by the next command; solve this and try again",
            ),
        )
    except InstallError as error:
        _fail(command, error)


def _fail(command: str, error: InstallError) -> NoReturn:
    head = f"{command}: {error.what}; nothing was written\n" if isinstance(error, Refusal) else f"{command}: "
    click.echo(f"{head}{error}", err=True)
    sys.exit(error.exit_code)
