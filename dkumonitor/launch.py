"""Set limits that supervisord cannot set, then become the program.

Usage: ``python3 -I -m dkumonitor.launch [--address-space BYTES] [--parent-death SIGNAL] -- COMMAND [ARGUMENT...]``

It runs at the start of every program, so it imports little. Exit codes are those of env(1): 2 wrong usage, 126 the
command cannot be run, 127 it does not exist. A program whose parent is gone before it began ends with 125.
"""

import os
import sys
from typing import NoReturn

_USAGE = "usage: launch [--address-space BYTES] [--parent-death SIGNAL] -- COMMAND [ARGUMENT...]"
_PR_SET_PDEATHSIG = 1  # prctl(2)
_WRONG_USAGE = 2
_PARENT_GONE = 125
_CANNOT_RUN = 126
_NOT_FOUND = 127


def limit_address_space(size_bytes: int) -> None:
    """Let this process and what it becomes map at most ``size_bytes`` (setrlimit(2), RLIMIT_AS)."""
    import resource  # noqa: PLC0415  only the programs with a limit pay for the import

    resource.setrlimit(resource.RLIMIT_AS, (size_bytes, size_bytes))


def die_with_parent(signal_number: int, parent: int) -> None:
    """Have the kernel send ``signal_number`` when the parent ends (prctl(2), PR_SET_PDEATHSIG; survives execve).

    Args:
        signal_number: the signal.
        parent: process id that the parent must still have; where it has not, this process ends at once.
    """
    import ctypes  # noqa: PLC0415  only the programs that need it pay for the import

    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), "prctl")
    if os.getppid() != parent:
        sys.exit(_PARENT_GONE)


def _signal_number(text: str) -> int:
    """A signal by its name, with or without SIG, or by its number."""
    import signal  # noqa: PLC0415  only the programs that need it pay for the import

    if text.isdigit():
        return int(signal.Signals(int(text)))
    return int(signal.Signals["SIG" + text.upper().removeprefix("SIG")])


def _end(code: int, text: str) -> NoReturn:
    sys.stderr.write(f"launch: {text}\n")
    sys.exit(code)


def main(arguments: list[str]) -> NoReturn:
    """Apply the options in ``arguments`` and execute the command after ``--``."""
    parent = os.getppid()
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    command = arguments[len(options) + 1 :]
    if not command or len(options) % 2:
        _end(_WRONG_USAGE, _USAGE)
    for option, value in zip(options[::2], options[1::2], strict=True):
        try:
            if option == "--address-space":
                limit_address_space(int(value))
            elif option == "--parent-death":
                die_with_parent(_signal_number(value), parent)
            else:
                _end(_WRONG_USAGE, f"{option} is not an option\n{_USAGE}")
        except (ValueError, KeyError, OSError) as error:
            _end(_WRONG_USAGE, f"{option} {value} cannot be had: {error}")
    folder, name = os.path.split(command[0])
    if folder:
        # The release's own folder, not the link to it: a Python program goes on importing from the release that it was
        # started from when an update turns the link.
        command[0] = os.path.join(os.path.realpath(folder), name)  # noqa: PTH118  pathlib costs more than all the rest
    try:
        os.execvp(command[0], command)  # noqa: S606  becoming the program is the purpose; no shell is involved
    except FileNotFoundError:
        _end(_NOT_FOUND, f"{command[0]} does not exist")
    except OSError as error:
        _end(_CANNOT_RUN, f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
