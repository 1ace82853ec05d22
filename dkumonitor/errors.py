"""The errors a person can do something about, and the exit code of each.

::

    DkmError                 1
    ├── AddressError         3  an address is not HOST:PORT
    ├── InstallationError    4  installation.json is missing, damaged or of another version
    ├── SettingsError        5  dkumonitor.toml says something we do not know
    ├── CollectorError       6  a collector's folder is not a collector
    ├── SpoolError           7  the spool is in use by another process, or its folder cannot be made
    ├── ServiceError         8  a program of the installation does not answer
    ├── AccessError          9  the caller may not control this installation
    ├── StoreError          10  the database cannot be used, or has the wrong schema
    ├── PeopleError         11  a list of people cannot be read
    ├── MailError           12  mail cannot be sent, or cannot wait
    ├── NoSuchError         13  what was asked for by its name or number is not there
    └── QuestionError       14  a listing cannot be asked that

2 is kept for wrong usage (click, getopt). Other packages derive their own from DkmError and take a code above 14:
:mod:`dkumonitor.accounts.errors` has 20, :mod:`collectors.disk.errors` 30 to 35, :mod:`collectors.arrivals.errors` 40
to 42.
"""


class DkmError(Exception):
    """What failed, on what, and what to do next.

    Args:
        what: what failed and on what, one sentence without its full stop.
        do: what the reader should do next, one sentence without its full stop; empty where nothing helps.
    """

    exit_code = 1

    def __init__(self, what: str, do: str = "") -> None:
        super().__init__(what, do)
        self.what = what
        self.do = do

    def __str__(self) -> str:
        return f"{self.what}. {self.do}." if self.do else f"{self.what}."


class AddressError(DkmError):
    """A text is not an address of the form HOST:PORT."""

    exit_code = 3


class InstallationError(DkmError):
    """The installation cannot be found, or its description cannot be used."""

    exit_code = 4


class SettingsError(DkmError):
    """The settings file is missing, is not TOML, or holds a key or value that is not known."""

    exit_code = 5


class CollectorError(DkmError):
    """A folder below collectors/ does not define a usable collector."""

    exit_code = 6


class SpoolError(DkmError):
    """The spool's folder cannot be used."""

    exit_code = 7


class ServiceError(DkmError):
    """A program of the installation (supervisord, carbonapi, ...) does not answer as it should."""

    exit_code = 8


class AccessError(DkmError):
    """The caller may not control this installation."""

    exit_code = 9


class StoreError(DkmError):
    """The database cannot be reached or used, or its schema is of another version."""

    exit_code = 10


class PeopleError(DkmError):
    """A feed of people (a CSV file, a directory server) cannot be read as such."""

    exit_code = 11


class MailError(DkmError):
    """Mail cannot be sent to its server, or cannot wait on disk."""

    exit_code = 12


class NoSuchError(DkmError):
    """What was asked for by its name or number is not there."""

    exit_code = 13


class QuestionError(DkmError):
    """A listing or a page cannot be asked that: two parameters do not go together, or one says nothing."""

    exit_code = 14
