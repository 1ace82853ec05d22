"""What an accounts function refuses.

::

    DkmError
    └── AccountError         20  an account, password or token is not as it must be, or is not there
        ├── NotThereError    20  there is no such account, session or token
        └── BusyError        20  too many passwords are being checked at this moment
"""

from dkumonitor.errors import DkmError


class AccountError(DkmError):
    """A change of accounts, passwords, sessions or tokens that cannot be made."""

    exit_code = 20


class NotThereError(AccountError):
    """There is no such account, session or token."""


class BusyError(AccountError):
    """Too many passwords wait to be checked; the caller should come again."""
