"""An update: the new release is laid beside the old one, the decision is one rename, the link ``lib`` turns last."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from installer import apply, checks, journal, layout, machine
from installer.apply import Progress
from installer.changes import Act
from installer.decision import Alteration, carry_out, changes_of
from installer.errors import DirectoryError, InstallError, MachineError, Refusal, ReleaseError
from installer.installation import RELATIVE_PATH, Installation
from installer.lock import locked
from installer.machine import DirectoryState
from installer.options import FRONTEND_TYPES
from installer.ports import occupied
from installer.release import Release, version_key
from installer.render import File

Render = Callable[[Release, Installation, Path], tuple[File, ...]]
RESUME_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Update(Alteration):
    """An update that nothing stands against, to this release."""

    release: Release = field(kw_only=True)


def make_update(directory: Path, release: Release, render: Render) -> Update:
    """Read the installation and plan its update.

    Raises:
        InstallError: all that stands against it.
    """
    before = read_installation(directory)
    check_owner(directory)
    account = machine.account(before.user)
    after = updated(before, release)
    wrong = _problems(directory, before, release)
    there = {(socket.address, socket.port) for socket in before.sockets()}
    wrong += checks.port_problems(
        occupied(socket for socket in after.sockets() if (socket.address, socket.port) not in there)
    )
    if account is None:
        wrong.append(MachineError(f"there is no account {before.user} any more", "Create it again"))
    if wrong or account is None:
        raise Refusal(wrong)
    rendered = render(release, after, directory)
    changes = changes_of(directory, rendered, release.version)
    return Update(directory, before, after, account, rendered, changes, sets_up=after.has_store, release=release)


def read_installation(directory: Path) -> Installation:
    """The installation in DIR.

    Raises:
        DirectoryError: there is none.
    """
    path = directory / RELATIVE_PATH
    state = machine.directory_state(directory)
    if state is DirectoryState.UNINSTALLING:
        raise DirectoryError(
            f"an uninstall of {directory} was interrupted", f"Finish it: '{directory}/bin/dkmadmin' uninstall"
        )
    if state is DirectoryState.CLOSED:
        closed = machine.closed_folder(directory) or directory
        raise DirectoryError(f"you may not pass through {closed}", "Do this as the owner of the installation")
    if state is not DirectoryState.INSTALLED:
        raise DirectoryError(
            f"there is no installation in {directory}", "Name its folder by -d, or install without --update"
        )
    return Installation.from_json(path.read_text(encoding="utf-8"), path)


def check_owner(directory: Path) -> None:
    """Refuse whoever is not the one that the installation's programs and configuration belong to.

    Raises:
        DirectoryError: somebody else owns it, or could replace it by something that root would run.
    """
    status = directory.stat()
    if status.st_uid != apply.caller().uid:
        owner = machine.account_name(status.st_uid)
        raise DirectoryError(f"{directory} belongs to {owner}", f"Do this as {owner}")
    unsafe = checks.above_problems(machine.ancestors(directory), status.st_uid)
    if unsafe:
        raise Refusal(unsafe)


def updated(before: Installation, release: Release) -> Installation:
    """The installation with the same options and the new release."""
    grafana = release.has_grafana and before.type in FRONTEND_TYPES
    ports = before.ports
    first = ports.web or (ports.carbon - 1 if ports.carbon else None)
    if before.type in FRONTEND_TYPES and first is not None:
        ports = layout.with_pages(ports, first, grafana=grafana)
    return dataclasses.replace(
        before,
        version=release.version,
        programs=layout.programs(before.type, grafana=grafana),
        ports=ports,
        grafana=grafana,
    )


def update(planned: Update, progress: Progress, now: str) -> str:
    """Apply an update. Whenever this ends, even by kill -9, DIR is old, or new once ``complete`` has run.

    ``dkm``, ``dkmadmin`` and the next ``--update`` complete it before they do anything else.

    Returns a warning for the administrator, or an empty text.

    Raises:
        InstallError: another installer works there, or a release is damaged.
        OSError: writing failed; before the decision DIR is as it was.
    """
    directory = planned.directory
    with locked(directory):
        if journal.is_pending(directory):
            journal.complete(directory)
        journal.remove_left_over(directory)
        name = _lay_release(directory, planned.release, progress)
        warning = carry_out(planned, name)
        text = "\n".join(["", f"{now} updated on {machine.describe()}", describe_update(planned)])
        log = directory / "run/install.log"
        try:
            with apply.acting_as(planned.account):
                apply.append_line(log, text)
        except OSError as error:
            warning += f"{log} could not be written ({error.strerror}); the update itself is done. "
    return warning


def resume(directory: Path) -> tuple[bool, str]:
    """Complete an update that was killed after its decision; returns whether there was one, and a warning or nothing.

    Raises:
        InstallError: another installer works on it and does not end, or the caller may not complete it.
    """
    if not journal.is_pending(directory):
        return False, ""
    status = directory.stat()
    if status.st_uid != apply.caller().uid:
        owner = machine.account_name(status.st_uid)
        raise DirectoryError(
            f"an update of {directory} was interrupted, and only {owner} can complete it",
            f"As {owner}, call '{directory}/bin/dkmadmin' releases",
        )
    warning = ""
    with locked(directory, wait_seconds=RESUME_WAIT_SECONDS):
        if journal.is_pending(directory):
            warning = journal.complete(directory)
    return True, warning


def describe_update(planned: Update) -> str:
    """What happens to what, as text."""
    lines = [f"{planned.directory}: {planned.before.version} -> {planned.after.version}", ""]
    for change in planned.changes:
        beside_it = f" as {change.file.path}" if change.act is Act.BESIDE and change.file else ""
        if change.act is not Act.SAME:
            lines.append(f"  {change.path}: {change.act.value}{beside_it}")
    same = sum(change.act is Act.SAME for change in planned.changes)
    lines.append(f"  {same} files unchanged")
    return "\n".join(lines) + "\n"


def _problems(directory: Path, before: Installation, release: Release) -> list[InstallError]:
    found: list[InstallError] = []
    if version_key(release.version) < version_key(before.version):
        found.append(
            DirectoryError(
                f"{directory} has version {before.version}, which is newer than {release.version}",
                "Use a release that is not older; for an older one install anew and restore a backup",
            )
        )
    if before.grafana and not release.has_grafana:
        found.append(
            ReleaseError(
                f"{directory} shows its pages by Grafana, and this bundle holds none",
                "Use a bundle that was made with --grafana FILE",
            )
        )
    if before.system_collectd and not Path(before.system_collectd).is_file():
        found.append(
            MachineError(f"{before.system_collectd}, which the installation uses, is gone", "Install collectd again")
        )
    free_bytes, free_files = machine.room(directory)
    found += checks.room_problems(release, free_bytes, free_files)
    device = directory.stat().st_dev
    apart = [name for name in ("conf", "bin", "releases") if (directory / name).stat().st_dev != device]
    if apart:
        found.append(
            DirectoryError(
                f"{', '.join(apart)} of {directory} are on another file system: files cannot be exchanged in one step",
                "Put them back on DIR's own file system",
            )
        )
    found += layout.name_problems(before.user, before.host)
    return found


def _lay_release(directory: Path, release: Release, progress: Progress) -> str:
    """Lay the release into releases/ under its version, or one that tells two builds of a version apart; the name."""
    for name in (release.version, f"{release.version}-{release.manifest_sha256[:8]}"):
        target = directory / "releases" / name
        if not target.exists():
            staging = target.with_name(f".{name}.installing-{apply.token()}")
            try:
                apply.copy_release(release, staging, progress)
            except BaseException:
                if staging.exists():
                    apply.remove_tree(staging)
                raise
            apply.sync(staging)
            apply.move(staging, target)
            return name
        there = Release.read(target) if (target / "VERSION").is_file() else None
        if there and there.manifest_sha256 == release.manifest_sha256 and not there.damaged():
            return name
    raise ReleaseError(f"{target} is damaged", f"Rename it, and run the update again: mv '{target}' '{target}.damaged'")
