"""A new installation: built beside DIR under another name, then renamed, so that DIR is absent or whole."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from installer import apply, certificate, machine
from installer.apply import Progress
from installer.errors import DirectoryError
from installer.lock import locked
from installer.machine import Account, DirectoryState
from installer.plan import CERTIFICATE, DATABASE_PASSWORD, SECRETS_FOLDER, TLS_KEY, Plan, describe
from installer.setup import run_setup

SetUp = Callable[[Path, Account], None]
_STAGING = re.compile(r"\.installing-[0-9a-f]{16}\Z")


def install(plan: Plan, progress: Progress, now: str, set_up: SetUp = run_setup) -> None:
    """Apply the plan. Whenever this ends, even by kill -9, DIR is absent (or the empty folder it was) or complete.

    Args:
        plan: nothing stands against it.
        progress: told how much of the release is copied.
        now: the time, for install.log.
        set_up: makes the store in what is laid.

    Raises:
        InstallError: another installer works there, DIR has come into being meanwhile, the release is damaged, or the
            store could not be set up; what was begun is removed.
        OSError: writing failed; what was begun is removed.
    """
    made = _make_parents(plan.directory.parent)
    try:
        with locked(plan.directory):
            _check_still_free(plan.directory)
            remove_left_over(plan.directory)
            staging = plan.directory.with_name(f".{plan.directory.name}.installing-{apply.token()}")
            try:
                _build(plan, staging, progress, now)
                apply.set_mode(staging, 0o755)  # the account must reach what is its own
                if plan.installation.has_store:
                    set_up(staging, plan.account)
                apply.sync(staging)
                apply.move(staging, plan.directory)
                apply.sync(plan.directory.parent)
            except BaseException:
                if staging.exists():
                    apply.remove_tree(staging)
                raise
    except BaseException:
        for folder in reversed(made):
            apply.remove_if_empty(folder)
        raise


def remove_left_over(directory: Path) -> None:
    """Remove what a killed installer left beside DIR; the caller holds the lock."""
    for path in directory.parent.iterdir():
        if path.name.startswith(f".{directory.name}.") and _STAGING.fullmatch(path.name[len(directory.name) + 1 :]):
            apply.remove_tree(path)


def _check_still_free(directory: Path) -> None:
    if machine.directory_state(directory) not in {DirectoryState.ABSENT, DirectoryState.EMPTY}:
        raise DirectoryError(f"{directory} was made by someone else meanwhile", "Look at it, and try again")


def _build(plan: Plan, staging: Path, progress: Progress, now: str) -> None:
    admin, service = apply.caller(), apply.owner(plan.account)
    # Closed until all is made: storage/ and run/ belong to the account before what is in them is made, and a process of
    # the account could otherwise put links there that lead root's chown and chmod anywhere.
    apply.make_folder(staging, 0o700, admin)
    for folder in plan.folders:
        belongs_to = service if folder.service else admin
        if folder.path == SECRETS_FOLDER:
            # The account must pass through to its files; nobody else needs to.
            belongs_to = apply.Owner(admin.uid, service.gid)
        apply.make_folder(staging / folder.path, folder.mode, belongs_to)
    apply.copy_release(plan.release, staging / "releases" / plan.release.version, progress)
    for file in plan.files:
        apply.write_file(staging / file.path, file.text.encode(), file.mode, admin)
    for name in plan.secrets:
        apply.write_file(staging / SECRETS_FOLDER / name, apply.new_secret(), 0o600, service)
    if plan.database_password is not None:
        apply.write_file(staging / SECRETS_FOLDER / DATABASE_PASSWORD, plan.database_password, 0o600, service)
    if plan.certificate_names:
        pair = certificate.self_signed(plan.release.root, plan.certificate_names)
        apply.write_file(staging / TLS_KEY, pair.key, 0o600, service)
        apply.write_file(staging / CERTIFICATE, pair.certificate, 0o644, admin)
    for path, target in plan.links:
        apply.make_link(staging / path, target)
    log = f"{now} installed {plan.installation.version} on {machine.describe()}\n\n{describe(plan)}"
    apply.write_file(staging / "run/install.log", log.encode(), 0o644, service)


def _make_parents(folder: Path) -> Sequence[Path]:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        apply.make_folder(path, 0o755, apply.caller())
    return tuple(reversed(missing))
