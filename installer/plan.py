"""What an installation will consist of: every folder, file, link and secret, before anything is written. Pure."""

from dataclasses import dataclass, field
from pathlib import Path

from installer.installation import RELATIVE_PATH, Installation
from installer.machine import Account
from installer.manifest import CONFIGURATION, Entry, format_manifest, text_sha256
from installer.release import Release
from installer.render import File

SECRETS_FOLDER = "conf/secrets"
ADMIN_PASSWORD = "admin_password"  # noqa: S105  a file's name
DATABASE_PASSWORD = "database_password"  # noqa: S105  a file's name
TLS_KEY = f"{SECRETS_FOLDER}/tls_key.pem"
TLS_FOLDER = "conf/tls"
STORE_FILE = "storage/store/dkumonitor.sqlite"
CERTIFICATE = f"{TLS_FOLDER}/certificate.pem"
# All there may be, which an uninstall with --storage removes.
SECRETS = (ADMIN_PASSWORD, "grafana_secret_key", DATABASE_PASSWORD, "tls_key.pem")


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
        secrets: the names of the files in conf/secrets that get a random value.
        database_password: what gets into conf/secrets/database_password.
        certificate_names: host names and addresses that the certificate is made for; none where there is no TLS.
    """

    directory: Path
    installation: Installation
    release: Release
    account: Account
    folders: tuple[Folder, ...]
    files: tuple[File, ...]
    links: tuple[tuple[str, str], ...]
    secrets: tuple[str, ...]
    database_password: bytes | None = field(default=None, repr=False)
    certificate_names: tuple[str, ...] = ()


def make_plan(
    directory: Path,
    installation: Installation,
    release: Release,
    account: Account,
    rendered: tuple[File, ...],
    *,
    database_password: bytes | None = None,
    certificate_names: tuple[str, ...] = (),
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
        secrets=generated_secrets(installation),
        database_password=database_password,
        certificate_names=certificate_names if installation.tls else (),
    )


def generated_secrets(installation: Installation) -> tuple[str, ...]:
    """The names of the secrets that are made up for an installation."""
    first_admin = (ADMIN_PASSWORD,) if installation.has_sign_in else ()
    return (*first_admin, *(("grafana_secret_key",) if installation.grafana else ()))


def description(installation: Installation) -> File:
    """The file installation.json."""
    return File(RELATIVE_PATH, installation.to_json(), 0o644)


def configuration_manifest(files: tuple[File, ...]) -> File:
    """The file that holds the hash of every rendered file as rendered."""
    return File(CONFIGURATION, format_manifest(Entry(file.path, text_sha256(file.text)) for file in files), 0o644)


def links(installation: Installation, release: str) -> tuple[tuple[str, str], ...]:
    """The links of DIR, with ``lib`` first."""
    pages = "lib/grafana/public" if installation.grafana else "lib/web"
    return (("lib", release), *((("static", pages),) if installation.ports.web else ()))


def folders(installation: Installation, files: tuple[File, ...]) -> tuple[Folder, ...]:
    """All folders below DIR but those of the release."""
    found = {"bin", "conf", "releases", *((TLS_FOLDER,) if installation.tls else ())}
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
    if installation.has_store:
        private += ["storage/store"]
    return (
        *(Folder(path, 0o755) for path in sorted(found)),
        *((Folder(SECRETS_FOLDER, 0o710),) if installation.has_store else ()),
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
    if installation.has_store:
        lines.append(f"store      {installation.database or STORE_FILE}")
    if installation.ports.web:
        lines.append(f"web pages  {'https' if installation.tls else 'http'}")
    if plan.certificate_names:
        lines.append(f"signed for {', '.join(plan.certificate_names)}")
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
        *(f"  {path}  0600{_owner(plan, service=True)}" for path in _service_files(plan)),
        *((f"  {CERTIFICATE}  0644",) if plan.certificate_names else ()),
        *(f"  {path} -> {target}" for path, target in plan.links),
        f"  run/install.log  0644{_owner(plan, service=True)}",
    ]
    return "\n".join(lines) + "\n"


def _service_files(plan: Plan) -> list[str]:
    """The files that belong to the account, but for the log."""
    found = [f"{SECRETS_FOLDER}/{name}" for name in plan.secrets]
    if plan.database_password is not None:
        found.append(f"{SECRETS_FOLDER}/{DATABASE_PASSWORD}")
    if plan.certificate_names:
        found.append(TLS_KEY)
    if plan.installation.has_store and plan.installation.database is None:
        found.append(STORE_FILE)
    return found


def _owner(plan: Plan, service: bool) -> str:  # noqa: FBT001  a folder's own attribute
    return f"  {plan.installation.user}" if service else ""
