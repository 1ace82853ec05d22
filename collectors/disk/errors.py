"""What can go wrong with disk tasks, and the exit code of each.

::

    DkmError
    └── DiskError           30
        ├── TaskError       31  a task or an exemption is not there, or says something impossible
        ├── ScanError       32  a tree cannot be scanned; BusyError: a run of the task is under way
        ├── PlanError       33  a plan's file is missing, damaged, or not for this
        ├── ActError        34  an act is refused, or stopped half way
        └── LetterError     35  a template of a mail is broken
"""

from __future__ import annotations

from dkumonitor.errors import DkmError


class DiskError(DkmError):
    """Something of the disk collector failed."""

    exit_code = 30


class TaskError(DiskError):
    """A task or an exemption is not there, or says something impossible."""

    exit_code = 31


class ScanError(DiskError):
    """A tree cannot be scanned, or the scanner did not answer as it should."""

    exit_code = 32


class BusyError(ScanError):
    """A run of the task is under way; a quick one is over in a moment."""


class PlanError(DiskError):
    """A plan is not there, its file is damaged, or it is not for this tree."""

    exit_code = 33


class ActError(DiskError):
    """An act is refused, or stopped before its end; nothing is lost."""

    exit_code = 34


class LetterError(DiskError):
    """A template of a mail that the administrator has changed cannot be used; the built-in one is used instead."""

    exit_code = 35
