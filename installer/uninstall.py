"""Uninstall: removes what the installer laid, by its manifests, and nothing that it does not know."""

import os
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from installer import apply, grant, journal, machine
from installer.errors import BusyError, DirectoryError
from installer.installation import RELATIVE_PATH, Installation
from installer.lock import locked
from installer.machine import Account
from installer.manifest import CONFIGURATION, Entry, file_sha256, parse_manifest
from installer.plan import CERTIFICATE, SECRETS, SECRETS_FOLDER
from installer.release import MANIFEST, Release

UNINSTALLING = "conf/uninstalling.json"
_DKMADMIN = "bin/dkmadmin"
_STORAGE = ("disk", "go-carbon-dump", "grafana", "programs", "spool", "store", "whisper")
_RUN_FILE = re.compile(
    r"(install\.log|collectors\.json|dkm\.lock|disk-[A-Za-z0-9_-]+\.lock|supervisord\.(pid|sock(\.\d+)?)|collectd\.sock"
    r"|(supervisord|go-carbon|carbonapi|grafana|console|collectd|collectors|telegraf|arrivals)\.(pid|log(\.\d+)?))\Z"
)


@dataclass(frozen=True)
class Removal:
    """What an uninstall will remove, and what it leaves.

    Attributes:
        files: unedited rendered files, relative to DIR, without bin/dkmadmin.
        edited: rendered files that the administrator has changed; they stay.
        releases: the folders in releases/, the one in use last.
    """

    directory: Path
    installation: Installation
    account: Account | None
    files: tuple[str, ...]
    edited: tuple[str, ...]
    releases: tuple[Path, ...]
    with_storage: bool


def plan_removal(directory: Path, *, with_storage: bool) -> Removal:
    """Read what is installed; also what an interrupted uninstall left.

    Raises:
        InstallError: there is no installation, it runs, or belongs to somebody else.
    """
    description = next(
        (directory / name for name in (RELATIVE_PATH, UNINSTALLING) if (directory / name).is_file()), None
    )
    if description is None:
        raise DirectoryError(f"there is no installation in {directory}", "Call the bin/dkmadmin of the installation")
    installation = Installation.from_json(description.read_text(encoding="utf-8"), description)
    if directory.stat().st_uid != apply.caller().uid:
        owner = machine.account_name(directory.stat().st_uid)
        raise DirectoryError(f"{directory} belongs to {owner}", f"Do this as {owner}")
    if is_running(directory):
        raise BusyError(f"the programs of {directory} are running", f"End them first: '{directory}/bin/dkm' shutdown")
    recorded = _recorded(directory)
    same = [entry.path for entry in recorded if file_sha256(directory / entry.path) == entry.sha256]
    return Removal(
        directory=directory,
        installation=installation,
        account=machine.account(installation.user),
        files=tuple(path for path in same if path != _DKMADMIN),
        edited=tuple(e.path for e in recorded if e.path not in same and os.path.lexists(directory / e.path)),
        releases=releases(directory),
        with_storage=with_storage,
    )


def is_running(directory: Path) -> bool:
    """Whether supervisord listens on its socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        try:
            client.connect(str(directory / "run/supervisord.sock"))
        except OSError:
            return False
    return True


def releases(directory: Path) -> tuple[Path, ...]:
    """The folders of releases, the oldest first and the one in use last."""
    used = (directory / "lib").resolve()
    found = [
        path for path in (directory / "releases").iterdir() if (path / MANIFEST).is_file() and not path.is_symlink()
    ]
    return tuple(sorted(found, key=lambda path: (path == used, path.stat().st_mtime, path.name)))


def uninstall(removal: Removal) -> list[str]:
    """Remove what is planned; returns the paths below DIR that are left.

    Killed before the first rename, nothing has happened; killed later, ``dkmadmin uninstall`` called again goes on.

    Raises:
        InstallError: another installer works there.
        OSError: something could not be removed; calling it again goes on.
    """
    directory = removal.directory
    with locked(directory):
        if journal.is_pending(directory):
            journal.complete(directory, without_setup=True)
        journal.remove_left_over(directory)
        if (directory / RELATIVE_PATH).exists():
            apply.move(directory / RELATIVE_PATH, directory / UNINSTALLING)
        _remove_files(directory, removal.files)
        if removal.account:
            with apply.acting_as(removal.account):
                _remove_run(directory / "run")
                if removal.with_storage:
                    _remove_storage(directory / "storage")
        _remove_files(directory, (grant.SCANNER,))
        apply.remove_if_empty(directory / grant.LIBEXEC)
        if removal.with_storage:
            if (directory / grant.ACTS).is_dir():
                apply.remove_tree(directory / grant.ACTS)
            _remove_files(directory, (CERTIFICATE, *(f"{SECRETS_FOLDER}/{name}" for name in SECRETS)))
        for name in ("run", "storage"):
            apply.remove_if_empty(directory / name)
        _remove_empty_folders(directory / "conf")
        for release in removal.releases:
            remove_release(release)
        _remove_rest(directory)
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*")) if directory.exists() else []


def remove_release(root: Path) -> None:
    """Remove a release's own files, and its folders as far as nothing else is in them.

    The interpreter goes first: without it bin/dkmadmin knows that it must finish by itself.
    """
    release = Release.of_what_is_left(root)
    interpreter = [path for path, _target in release.links if path.startswith("python/bin/")]
    links = [path for path, _target in release.links if not path.startswith("python/bin/")]
    _remove_files(root, sorted(interpreter, key=lambda path: path != "python/bin/python3"))
    _remove_files(root, (e.path for e in release.entries if e.path.startswith("python/bin/")))
    _remove_files(root, links)
    _remove_files(root, (entry.path for entry in release.entries))
    for cache in root.rglob("__pycache__"):
        _remove_files(cache, (path.name for path in cache.glob("*.pyc")))
    _remove_empty_folders(root, but=MANIFEST)
    apply.unlink(root / MANIFEST)
    apply.remove_if_empty(root)


def _recorded(directory: Path) -> tuple[Entry, ...]:
    manifest = directory / CONFIGURATION
    return parse_manifest(manifest.read_text(encoding="utf-8"), manifest) if manifest.is_file() else ()


def _remove_rest(directory: Path) -> None:
    for name in ("lib", "static"):
        if (directory / name).is_symlink():
            apply.unlink(directory / name)
    apply.remove_if_empty(directory / "releases")
    dkmadmin = next((entry for entry in _recorded(directory) if entry.path == _DKMADMIN), None)
    unedited = dkmadmin is not None and file_sha256(directory / _DKMADMIN) == dkmadmin.sha256
    _remove_files(directory, (CONFIGURATION, UNINSTALLING))
    apply.remove_if_empty(directory / "conf")
    if unedited:
        apply.unlink(directory / _DKMADMIN)
    apply.remove_if_empty(directory / "bin")
    apply.remove_if_empty(directory)


def _remove_files(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        apply.unlink(folder / name)


def _remove_run(run: Path) -> None:
    if run.is_symlink() or not run.is_dir():
        return
    _remove_files(run, (path.name for path in run.iterdir() if _RUN_FILE.match(path.name)))


def _remove_storage(storage: Path) -> None:
    if storage.is_symlink() or not storage.is_dir():
        return
    for name in _STORAGE:
        path = storage / name
        if path.is_dir() and not path.is_symlink():
            apply.remove_tree(path)


def _remove_empty_folders(root: Path, but: str = "") -> None:
    for folder, folders, _files in os.walk(root, topdown=False):
        for name in folders:
            apply.remove_if_empty(Path(folder, name))
    if not but:
        apply.remove_if_empty(root)


def prune(directory: Path) -> Sequence[Path]:
    """Remove all releases but the one in use and the one before it; returns those removed.

    Raises:
        InstallError: another installer works there.
    """
    with locked(directory):
        gone = releases(directory)[:-2]
        for release in gone:
            remove_release(release)
    return gone
