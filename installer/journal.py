"""The decision of an update: once the folder DIR/releases/pending has its name, the update is done or completed.

All that the update will rename into place lies in it. Completing it twice, or after a kill, comes to the same.
"""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from installer import apply, grant, machine
from installer.errors import DirectoryError, SetupError
from installer.manifest import file_sha256
from installer.plan import SECRETS_FOLDER, Folder
from installer.setup import run_setup

PENDING = "releases/pending"
_JOURNAL = "journal.json"
_RELEASE = "release"
_LEFT_OVER = re.compile(r"\.(.+\.installing|pending|done)-[0-9a-f]{16}\Z")


@dataclass(frozen=True)
class Move:
    """A file below the journal's folder, and the path below DIR that it gets."""

    staged: str
    path: str


@dataclass(frozen=True)
class Removal:
    """A path below DIR that is removed if it still has this hash."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Journal:
    """What is left to do once the update is decided.

    Attributes:
        account: the name of the account that the programs run as.
        links: path below DIR and target, ``lib`` among them.
        gone_links: links that the new release has no use for.
        sets_up: whether the new release's `dkm setup` is run at the end.
    """

    account: str
    folders: tuple[Folder, ...]
    moves: tuple[Move, ...]
    removals: tuple[Removal, ...]
    links: tuple[tuple[str, str], ...]
    gone_links: tuple[str, ...]
    sets_up: bool = False

    def to_json(self) -> str:
        """The text of journal.json."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the text of journal.json."""
        found: dict[str, Any] = json.loads(text)
        return cls(
            account=found["account"],
            folders=tuple(Folder(**folder) for folder in found["folders"]),
            moves=tuple(Move(**move) for move in found["moves"]),
            removals=tuple(Removal(**removal) for removal in found["removals"]),
            links=tuple((path, target) for path, target in found["links"]),
            gone_links=tuple(found["gone_links"]),
            sets_up=bool(found.get("sets_up")),
        )


def commit(
    directory: Path, journal: Journal, contents: dict[str, tuple[bytes, int, apply.Owner]], release: str
) -> None:
    """Write the journal and what it moves, and give its folder the name that decides.

    Args:
        directory: DIR.
        journal: what is left to do.
        contents: staged name to content, mode and owner.
        release: the folder in releases/ whose installer completes it.
    """
    staging = directory / "releases" / f".pending-{apply.token()}"
    apply.make_folder(staging, 0o700, apply.caller())
    for name, (data, mode, belongs_to) in contents.items():
        apply.write_file(staging / name, data, mode, belongs_to)
    apply.write_file(staging / _JOURNAL, journal.to_json().encode(), 0o600, apply.caller())
    apply.make_link(staging / _RELEASE, f"../{release}")
    apply.sync(staging)
    apply.move(staging, directory / PENDING)
    apply.sync(directory)


def is_pending(directory: Path) -> bool:
    """Whether an update was decided and not completed."""
    return (directory / PENDING).is_dir()


def complete(directory: Path, *, without_setup: bool = False) -> str:
    """Do what the journal says; the caller holds the lock.

    Args:
        directory: DIR.
        without_setup: leaves the store as it is.

    Returns:
        A warning for the administrator where all is in place but the store could not be set up, or an empty text. That
        is not tried again: a database server that is down must not keep `dkm` from anything else.

    Raises:
        DirectoryError: the journal cannot be used.
        OSError: writing failed; calling it again goes on.
    """
    pending = directory / PENDING
    try:
        journal = Journal.from_json((pending / _JOURNAL).read_text(encoding="utf-8"))
    except (ValueError, KeyError, TypeError) as error:
        raise DirectoryError(f"{pending} is damaged: {error}", "Restore DIR from a backup") from None
    for folder in journal.folders:
        _make_missing(directory, folder, journal.account)
    for step in journal.moves:
        if (pending / step.staged).exists():
            apply.move(pending / step.staged, directory / step.path)
    for removal in journal.removals:
        if file_sha256(directory / removal.path) == removal.sha256:
            apply.unlink(directory / removal.path)
    _turn_links(directory, journal)
    apply.sync(directory)
    account = machine.account(journal.account)
    warning = grant.renew_scan(directory, account) if account else ""
    if journal.sets_up and not without_setup:
        warning += _set_up(directory, journal.account)
    apply.move(pending, directory / "releases" / f".done-{apply.token()}")
    remove_left_over(directory)
    return warning


def remove_left_over(directory: Path) -> None:
    """Remove what killed updates left in releases/; the caller holds the lock."""
    for path in (directory / "releases").iterdir():
        if _LEFT_OVER.fullmatch(path.name):
            apply.remove_tree(path)
    for path in directory.iterdir():
        if path.is_symlink() and re.fullmatch(r"\.(lib|static)\.[0-9a-f]{16}", path.name):
            apply.unlink(path)


def _turn_links(directory: Path, journal: Journal) -> None:
    for path, target in journal.links:
        link = directory / path
        if not (link.is_symlink() and str(link.readlink()) == target):
            apply.turn_link(link, target)
    for path in journal.gone_links:
        if (directory / path).is_symlink():
            apply.unlink(directory / path)


def _set_up(directory: Path, account_name: str) -> str:
    try:
        run_setup(directory, _account(account_name))
    except SetupError as error:
        return (
            f"the store could not be brought up to date: {error.what}. Mend that, then: '{directory}/bin/dkm' setup. "
        )
    return ""


def _account(name: str) -> machine.Account:
    account = machine.account(name)
    if account is None:
        raise DirectoryError(f"there is no account {name} any more", "Create it again")
    return account


def _make_missing(directory: Path, folder: Folder, account_name: str) -> None:
    path = directory / folder.path
    if path.is_dir():
        return
    account = _account(account_name)
    if not folder.service:
        belongs_to = apply.caller()
        if folder.path == SECRETS_FOLDER:
            belongs_to = apply.Owner(belongs_to.uid, account.gid)  # the account must pass through to its files
        apply.make_folder(path, folder.mode, belongs_to)
        return
    with apply.acting_as(account):
        apply.make_folder(path, folder.mode, apply.owner(account))
