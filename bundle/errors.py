"""What can stop a build.

    BuildError              1
    ├── UsageError          2   an option that cannot be carried out
    ├── MissingToolError    3   a program of the machine is missing
    ├── HashError           4   an input is not the pinned one
    ├── FetchError          5   an input cannot be had
    ├── DiskFullError       6   no room left
    ├── RecipeError         7   a command of a recipe failed
    └── VerifyError         8   the finished tree breaks a promise

The figure is the exit code of make-package.
"""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class BuildError(Exception):
    """What failed and on what, and what to do about it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, do: str) -> None:
        super().__init__(what)
        self.what = what
        self.do = do


class UsageError(BuildError):
    """An option or a combination of options that cannot be carried out."""

    exit_code = 2


class MissingToolError(BuildError):
    """A program that a recipe needs is not on this machine."""

    exit_code = 3


class HashError(BuildError):
    """An input differs from the pinned one."""

    exit_code = 4


class FetchError(BuildError):
    """An input is neither on this machine nor can it be downloaded."""

    exit_code = 5


class DiskFullError(BuildError):
    """A file system has no room left."""

    exit_code = 6


class RecipeError(BuildError):
    """A command of a recipe ended with an error."""

    exit_code = 7


class VerifyError(BuildError):
    """The finished tree breaks one of the promises of a release."""

    exit_code = 8


@contextmanager
def room_on(place: Path) -> Iterator[None]:
    """Turn "no space left" inside the block into an error that names the place.

    Raises:
        DiskFullError: the file system of `place` (or the user's quota on it) is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise disk_full(place) from error
        raise


def disk_full(place: Path) -> DiskFullError:
    """Return the error that says that there is no room left for `place`."""
    return DiskFullError(
        f"there is no room left on the disk that holds {place}",
        "Make room there and run make-package again, or set XDG_CACHE_HOME to a folder on a larger disk (a build from "
        "nothing takes about 1.5 GB in the cache folder, 2 GB in Go's caches and 0.5 GB in the checkout). Nothing "
        "half-written was left behind.",
    )
