"""What an installation will consist of: every folder, file, link and secret, before anything is written. Pure."""

from dataclasses import dataclass
from pathlib import Path

from installer.installation import RELATIVE_PATH, Installation
from installer.machine import Account
from installer.manifest import CONFIGURATION, Entry, format_manifest, text_sha256
from installer.release import Release
from installer.render import File

SECRETS_FOLDER = "conf/secrets"
GRAFANA_SECRETS = ("grafana_admin_password", "grafana_secret_key")
STATIC_TARGET = "lib/grafana/public"


@dataclass(frozen=True)
class Folder:
    """A folder below DIR; ``service`` says that it belongs to the account that the programs run as."""

    path: str
    mode: int
    service: bool = False


@dataclass(frozen=True)
class Plan:
    """A new installation.

    Attributes:
        account: who the programs run as; ``storage/``, ``run/`` and the secrets belong to it.
        folders: parents before what is in them.
        links: path below DIR and target.
        secrets: file names in conf/secrets.
    """

    directory: Path
    installation: Installation
    release: Release
    account: Account
    folders: tuple[Folder, ...]
    files: tuple[File, ...]
    links: tuple[tuple[str, str], ...]
    secrets: tuple[str, ...]


def make_plan(
    directory: Path, installation: Installation, release: Release, account: Account, rendered: tuple[File, ...]
) -> Plan:
    """The plan of a new installation; ``rendered`` are the files that ``render`` made of it."""
    return Plan(
        directory=directory,
        installation=installation,
        release=release,
        account=account,
        folders=folders(installation, rendered),
        files=(*rendered, description(installation), configuration_manifest(rendered)),
        links=links(installation, f"releases/{release.version}"),
        secrets=GRAFANA_SECRETS if installation.grafana else (),
    )


def description(installation: Installation) -> File:
    """The file installation.json."""
    return File(RELATIVE_PATH, installation.to_json(), 0o644)


def configuration_manifest(files: tuple[File, ...]) -> File:
    """The file that holds the hash of every rendered file as rendered."""
    return File(CONFIGURATION, format_manifest(Entry(file.path, text_sha256(file.text)) for file in files), 0o644)


def links(installation: Installation, release: str) -> tuple[tuple[str, str], ...]:
    """The links of DIR, with ``lib`` first."""
    static = (("static", STATIC_TARGET),) if installation.grafana else ()
    return (("lib", release), *static)


def folders(installation: Installation, files: tuple[File, ...]) -> tuple[Folder, ...]:
    """All folders below DIR but those of the release."""
    found = {"bin", "conf", "releases"}
    for file in files:
        found.update(str(parent) for parent in Path(file.path).parents if str(parent) != ".")
    if installation.grafana:
        found.update(f"conf/grafana/provisioning/{name}" for name in ("alerting", "plugins"))
    private = ["run", "storage"]
    if "go-carbon" in installation.programs:
        private += ["storage/go-carbon-dump", "storage/whisper"]
    if installation.grafana:
        private += ["storage/grafana", "storage/grafana/plugins"]
    if "collectors" in installation.programs:
        private += ["storage/spool"]
    return (
        *(Folder(path, 0o755) for path in sorted(found)),
        *((Folder(SECRETS_FOLDER, 0o710),) if installation.grafana else ()),
        *(Folder(path, 0o700, service=True) for path in private),
    )


def describe(plan: Plan) -> str:
    """The plan as text: every address, program, folder, link and file."""
    installation, size_mib = plan.installation, plan.release.size_bytes >> 20
    lines = [
        f"version    {installation.version}",
        f"type       {installation.type}",
        f"directory  {plan.directory}",
        f"runs as    {installation.user}",
        f"host       {installation.host} (in metric names)",
        f"interval   {installation.interval_seconds} s",
    ]
    if installation.carbon_server:
        lines.append(f"sends to   {installation.carbon_server}")
    if installation.carbonapi_server:
        lines.append(f"reads from {installation.carbonapi_server}")
    lines += ["", "programs:", *(f"  {program}" for program in installation.programs)]
    lines += ["", "listens on (TCP):"]
    lines += [
        f"  {socket.port:<5} {socket.address:<15} {socket.purpose} ({socket.program})"
        for socket in installation.sockets()
    ] or ["  nothing"]
    lines += [
        "",
        "folders:",
        *(f"  {folder.path}/  {folder.mode:04o}{_owner(plan, folder.service)}" for folder in plan.folders),
    ]
    lines += [
        "",
        "files:",
        f"  releases/{plan.release.version}/  {len(plan.release.entries) + 1} files, {size_mib} MiB",
        *(f"  {file.path}  {file.mode:04o}" for file in plan.files),
        *(f"  {SECRETS_FOLDER}/{name}  0600{_owner(plan, service=True)}" for name in plan.secrets),
        *(f"  {path} -> {target}" for path, target in plan.links),
        f"  run/install.log  0644{_owner(plan, service=True)}",
    ]
    return "\n".join(lines) + "\n"


def _owner(plan: Plan, service: bool) -> str:  # noqa: FBT001  a folder's own attribute
    return f"  {plan.installation.user}" if service else ""
