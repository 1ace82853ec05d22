"""What a scan found, as `dkm-scan` tells it: scanner/README.md is the source for every field.

Sizes are bytes, times UTC seconds, paths bytes relative to the tree ("" is the tree itself). Keys that a newer scanner
adds are passed over.
"""

from __future__ import annotations

import msgspec


class FileSystem(msgspec.Struct, frozen=True, kw_only=True):
    """The file system of the tree, by statfs(2): ``available_bytes`` is what an ordinary account may take."""

    type: str = ""
    device: str = ""
    options: str = ""
    total_bytes: int = 0
    free_bytes: int = 0
    available_bytes: int = 0
    total_inodes: int = 0
    free_inodes: int = 0

    @property
    def used_bytes(self) -> int:
        """What is taken."""
        return self.total_bytes - self.free_bytes

    @property
    def used_percent(self) -> float:
        """The use as df(1) says it: of what an ordinary account may take."""
        reachable_bytes = self.used_bytes + self.available_bytes
        return 100 * self.used_bytes / reachable_bytes if reachable_bytes else 0.0


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over entries; a file with several links counts once.

    Attributes:
        files: inodes of regular files.
        directories: directories.
        other: everything else: links, sockets, FIFOs, devices.
        apparent_bytes: sizes of the regular files.
        allocated_bytes: what they take on disk.
        old_files: regular files that are old.
        old_bytes: their apparent sizes.
    """

    files: int = 0
    directories: int = 0
    other: int = 0
    apparent_bytes: int = 0
    allocated_bytes: int = 0
    old_files: int = 0
    old_bytes: int = 0


class User(Sums, frozen=True, kw_only=True):
    """What one user owns in the tree."""

    uid: int
    mean_age_seconds: float | None = None


class Group(Sums, frozen=True, kw_only=True):
    """What one group owns in the tree."""

    gid: int
    mean_age_seconds: float | None = None


class Directory(Sums, frozen=True, kw_only=True):
    """A directory with all that is below it; ``uid`` owns the directory itself."""

    path: bytes
    depth: int
    uid: int


class DirectoryUser(msgspec.Struct, frozen=True, kw_only=True):
    """What one user owns below a directory."""

    path: bytes
    uid: int
    files: int
    apparent_bytes: int
    allocated_bytes: int
    old_files: int = 0
    old_bytes: int = 0


class Age(msgspec.Struct, frozen=True, kw_only=True):
    """Files of an age; ``from_days`` is None for times in the future."""

    from_days: int | None
    to_days: int | None
    files: int
    apparent_bytes: int
    allocated_bytes: int


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """Files of a size."""

    from_bytes: int
    to_bytes: int | None
    files: int
    apparent_bytes: int
    allocated_bytes: int


class TopFile(msgspec.Struct, frozen=True, kw_only=True):
    """One of the largest files."""

    path: bytes
    uid: int
    apparent_bytes: int
    allocated_bytes: int
    atime_seconds: int
    mtime_seconds: int


class TopDirectory(msgspec.Struct, frozen=True, kw_only=True):
    """One of the directories whose own files are the largest."""

    path: bytes
    uid: int
    files: int
    apparent_bytes: int
    allocated_bytes: int


class ReadError(msgspec.Struct, frozen=True, kw_only=True):
    """What could not be read, by the kernel's name of the error."""

    kind: str
    count: int
    example: bytes = b""


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """All that one pass over a tree gives.

    Attributes:
        path: the tree.
        directory_count: how many directories there are; the other sums are as in :class:`Sums`.
        now_seconds: what ages are counted from.
        seconds: how long it took.
        partial: whether something could not be read, or the pass ended early; the sums then are lower bounds.
        partial_reason: why, for a person.
    """

    path: bytes
    now_seconds: int
    seconds: float
    entries: int
    old_days: int
    age_by: str
    partial: bool
    partial_reason: str | None = None
    unreadable_directories: int = 0
    skipped_mounts: int = 0
    threads: int = 0
    files: int = 0
    directory_count: int = 0
    other: int = 0
    apparent_bytes: int = 0
    allocated_bytes: int = 0
    old_files: int = 0
    old_bytes: int = 0
    filesystem: FileSystem
    users: tuple[User, ...] = ()
    groups: tuple[Group, ...] = ()
    directories: tuple[Directory, ...] = ()
    directory_users: tuple[DirectoryUser, ...] = ()
    ages: tuple[Age, ...] = ()
    sizes: tuple[Size, ...] = ()
    top_files: tuple[TopFile, ...] = ()
    top_directories: tuple[TopDirectory, ...] = ()
    errors: tuple[ReadError, ...] = ()

    @property
    def totals(self) -> Sums:
        """The sums of the whole tree."""
        return Sums(
            files=self.files,
            directories=self.directory_count,
            other=self.other,
            apparent_bytes=self.apparent_bytes,
            allocated_bytes=self.allocated_bytes,
            old_files=self.old_files,
            old_bytes=self.old_bytes,
        )
