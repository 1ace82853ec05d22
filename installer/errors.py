"""What can stop an installation, and the exit code of each.

::

    InstallError             1
    ├── UsageError           2  the options do not fit together (click's own usage errors have the same code)
    ├── MachineError         3  the machine or the account is not as it must be
    ├── DirectoryError       4  DIR is not what it must be for this command
    ├── BusyError            5  another installer is at work there, or the programs are running
    ├── ReleaseError         6  the extracted release is incomplete or damaged
    ├── WriteError           7  writing failed; DIR is as it was
    ├── SetupError           8  the store could not be set up
    ├── CertificateError     9  a certificate or its key cannot be used
    └── Refusal              several of these; the exit code of the first
"""

from collections.abc import Sequence


class InstallError(Exception):
    """What failed, on what, and what to do next.

    Args:
        what: what failed and on what, without its full stop.
        do: what the reader should do next, without its full stop.
    """

    exit_code = 1

    def __init__(self, what: str, do: str) -> None:
        super().__init__(what, do)
        self.what = what
        self.do = do

    def __str__(self) -> str:
        return f"{self.what}.\n  {self.do}."


class UsageError(InstallError):
    """The options do not fit together."""

    exit_code = 2


class MachineError(InstallError):
    """The machine or the account is not as it must be."""

    exit_code = 3


class DirectoryError(InstallError):
    """DIR is not what it must be for this command."""

    exit_code = 4


class BusyError(InstallError):
    """Another installer is at work on DIR, or its programs are running."""

    exit_code = 5


class ReleaseError(InstallError):
    """The extracted release is incomplete or damaged."""

    exit_code = 6


class WriteError(InstallError):
    """Writing failed; DIR is as it was."""

    exit_code = 7


class SetupError(InstallError):
    """The store could not be set up or brought up to date: `dkm setup` has failed."""

    exit_code = 8


class CertificateError(InstallError):
    """A certificate or its key cannot be used."""

    exit_code = 9


class Refusal(InstallError):  # noqa: N818  it is not an error but a sum of them
    """All that stands against it, found before anything was written."""

    def __init__(self, problems: Sequence[InstallError]) -> None:
        super().__init__(f"{len(problems)} problem{'s' if len(problems) > 1 else ''}", "solve them and try again")
        self.problems = tuple(problems)
        self.exit_code = problems[0].exit_code

    def __str__(self) -> str:
        return "\n".join(f"- {problem}" for problem in self.problems)
