"""What changing an installation comes to: read what is there, decide on each file, write the journal that does it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from installer import apply, journal
from installer.changes import NO_PLAIN_FILE, Act, Change, beside, decide
from installer.installation import Installation
from installer.machine import Account
from installer.manifest import CONFIGURATION, Entry, file_sha256, format_manifest, parse_manifest, text_sha256
from installer.plan import (
    ADMIN_PASSWORD,
    SECRETS_FOLDER,
    description,
    folders,
    generated_secrets,
    links,
)
from installer.render import File

Contents = Mapping[str, tuple[bytes, int, apply.Owner]]
"""Path below DIR to content, mode and owner."""


@dataclass(frozen=True)
class Alteration:
    """An installation that becomes another one: nothing stands against it.

    Attributes:
        before: the installation as it is.
        after: as it will be.
        changes: what happens to each rendered file.
        rendered: all files of the release.
        given: other files that are written.
        sets_up: whether `dkm setup` is run at the end.
    """

    directory: Path
    before: Installation
    after: Installation
    account: Account
    rendered: tuple[File, ...]
    changes: tuple[Change, ...]
    given: Contents = field(default_factory=dict)
    sets_up: bool = False


def changes_of(directory: Path, rendered: tuple[File, ...], version: str) -> tuple[Change, ...]:
    """What happens to each file in DIR when these are rendered by a release of this version."""
    manifest = directory / CONFIGURATION
    recorded = {}
    if manifest.is_file():
        recorded = {
            entry.path: entry.sha256 for entry in parse_manifest(manifest.read_text(encoding="utf-8"), manifest)
        }
    paths = {file.path for file in rendered} | recorded.keys() | {beside(file.path, version) for file in rendered}
    on_disk = {
        path: hash_of(directory / path)
        for path in paths
        if (directory / path).exists() or (directory / path).is_symlink()
    }
    return decide(rendered, recorded, on_disk, version)


def hash_of(path: Path) -> str:
    """The hash of a plain file, or NO_PLAIN_FILE."""
    return file_sha256(path) if path.is_file() and not path.is_symlink() else NO_PLAIN_FILE


def carry_out(planned: Alteration, release_name: str) -> str:
    """Write the journal, which is the decision, and do what it says; the caller holds the lock.

    Args:
        planned: what changes.
        release_name: the folder in releases/ that is in use afterwards.

    Returns:
        A warning for the administrator, or an empty text.
    """
    decision, contents = _decision(planned, release_name)
    journal.commit(planned.directory, decision, contents, release_name)
    return journal.complete(planned.directory)


def _decision(
    planned: Alteration, release_name: str
) -> tuple[journal.Journal, dict[str, tuple[bytes, int, apply.Owner]]]:
    admin = apply.caller()
    recorded = {file.path: text_sha256(file.text) for file in planned.rendered}
    for change in planned.changes:
        if change.act is Act.BESIDE and change.file:
            recorded[change.file.path] = text_sha256(change.file.text)
        elif change.lies_at:
            recorded[change.lies_at] = recorded[change.path]
    written = [change.file for change in planned.changes if change.file]
    written += [
        File(CONFIGURATION, format_manifest(Entry(path, sha256) for path, sha256 in recorded.items()), 0o644),
        description(planned.after),
    ]
    contents = {f"{number:04d}": (file.text.encode(), file.mode, admin) for number, file in enumerate(written)}
    moves = [journal.Move(f"{number:04d}", file.path) for number, file in enumerate(written)]
    for path, content in {**_new_secrets(planned), **planned.given}.items():
        contents[f"given-{len(contents)}"] = content
        moves.append(journal.Move(f"given-{len(contents) - 1}", path))
    wanted_links = links(planned.after, f"releases/{release_name}")
    decision = journal.Journal(
        account=planned.account.name,
        folders=folders(planned.after, planned.rendered),
        moves=tuple(moves),
        removals=tuple(
            journal.Removal(change.path, change.sha256) for change in planned.changes if change.act is Act.REMOVE
        ),
        links=(*wanted_links[1:], wanted_links[0]),
        gone_links=() if planned.after.ports.web else ("static",),
        sets_up=planned.sets_up,
    )
    return decision, contents


def _new_secrets(planned: Alteration) -> Contents:
    """The secrets that are not there yet.

    The first admin's password is not made again where it is gone: it is removed when another one is chosen. Grafana,
    though, does not start without the file.
    """
    before, after = planned.before, planned.after
    folder = planned.directory / SECRETS_FOLDER
    missing = [name for name in generated_secrets(after) if not (folder / name).exists()]
    if before.has_sign_in and not after.grafana and ADMIN_PASSWORD in missing:
        missing.remove(ADMIN_PASSWORD)
    owner = apply.owner(planned.account)
    return {f"{SECRETS_FOLDER}/{name}": (apply.new_secret(), 0o600, owner) for name in missing}
