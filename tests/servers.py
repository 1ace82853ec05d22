"""Real database and directory servers, started by the tests as an ordinary account, on ports of their own.

The machine's own clusters, which Debian's packages make, are neither used nor touched.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pg8000.dbapi
import pymysql

from tests.stack import free_port_range, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PASSWORD = "it's 'secret' \\ enough: ä/@?"
SERVICE = "dkumonitor"
STOP_SECONDS = 20.0
LOOPBACK = ("localhost", "127.0.0.1")


def server_account() -> dict[str, Any]:
    """What makes subprocess act as an account that servers agree to run as: they refuse root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@dataclass(frozen=True)
class Certificate:
    """A certificate for ``localhost``, signed by an authority of its own that ``authority`` holds."""

    authority: Path
    certificate: Path
    key: Path


@dataclass
class DatabaseServer:
    """A running server. A test asks it for a database of its own.

    Attributes:
        dialect: postgresql or mysql.
        folder: its data, its socket and its log.
        port: of TCP on loopback.
        process: may be ended by a test that starts it again with :meth:`start`.
    """

    dialect: str
    folder: Path
    port: int
    command: Sequence[str]
    certificate: Certificate
    process: subprocess.Popen[bytes] | None = None
    made: int = 0

    @property
    def socket(self) -> Path:
        """Its Unix socket."""
        return self.folder / (f".s.PGSQL.{self.port}" if self.dialect == "postgresql" else "socket")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **server_account()
            )
        wait_for(f"{self.dialect} to answer", self._answers, 60)

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        if self.process is not None:
            self.process.terminate() if self.dialect == "mysql" else self.process.send_signal(2)  # 2: do not wait
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def create(self) -> str:
        """A new empty database; its URL, by socket."""
        self.made += 1
        name = f"test{self.made}"
        if self.dialect == "postgresql":
            self.sql(f"CREATE DATABASE {name} OWNER {SERVICE}")
        else:
            self.sql(f"CREATE DATABASE {name}", *(f"GRANT ALL ON {name}.* TO {SERVICE}@'{host}'" for host in LOOPBACK))
        return self.url(name)

    def url(self, database: str, host: str = "localhost", **options: str) -> str:
        """The URL of a database: by socket, or by TCP where options of TLS are given."""
        options = options or {"socket": str(self.socket)}
        return f"{self.dialect}://{SERVICE}@{host}:{self.port}/{database}?{urllib.parse.urlencode(options)}"

    def sql(self, *statements: str, database: str = "") -> None:
        """Run statements as the server's owner."""
        connection = self._connect(database)
        try:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
        finally:
            connection.close()

    def _connect(self, database: str) -> Any:
        if self.dialect == "postgresql":
            connection = pg8000.dbapi.connect(
                "owner",
                password=PASSWORD,
                unix_sock=str(self.socket),
                ssl_context=False,
                database=database or "postgres",
            )
            connection.autocommit = True
            return connection
        return pymysql.connect(
            user="root", unix_socket=str(self.socket), database=database or None, autocommit=True, ssl_disabled=True
        )

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"{self.dialect} ended:\n{(self.folder / 'log').read_text()[-3000:]}")
        with socket.socket(socket.AF_UNIX) as probe:  # the drivers leave theirs open where nobody answers
            if probe.connect_ex(str(self.socket)) != 0:
                return False
        try:
            self._connect("").close()
        except Exception:  # noqa: BLE001  whatever a driver raises while the server starts
            return False
        return True


@contextlib.contextmanager
def server_folder(run_folder: str) -> Iterator[Path]:
    """A folder that belongs to the servers' account. Its path is short, since it holds sockets."""
    folder = Path(tempfile.mkdtemp(prefix="s-", dir=run_folder))
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_certificate(folder: Path, name: str = "localhost") -> Certificate:
    """Make an authority and a certificate for `name`, both of one day."""
    made = Certificate(folder / "authority.pem", folder / "certificate.pem", folder / "key.pem")
    new = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1")
    authority_key = folder / "authority-key.pem"
    _run(*new, "-subj", "/CN=test authority", "-keyout", authority_key, "-out", made.authority)
    signed = ("-CA", made.authority, "-CAkey", authority_key, "-addext", f"subjectAltName=DNS:{name}")
    basic = ("-addext", "basicConstraints=critical,CA:FALSE")
    _run(*new, "-subj", f"/CN={name}", "-keyout", made.key, "-out", made.certificate, *signed, *basic)
    return made


@contextlib.contextmanager
def postgresql(run_folder: str) -> Iterator[DatabaseServer]:
    """A running PostgreSQL that speaks TLS."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    with server_folder(run_folder) as folder, free_port_range() as port:
        certificate = make_certificate(folder)
        password = folder / "password"
        password.write_text(PASSWORD)
        for path in (certificate.key, password):
            _hand_over(path)
        options = ("--username=owner", f"--pwfile={password}", "--auth=scram-sha-256", "--no-sync")
        _run(programs / "initdb", "-D", folder / "data", *options, "--encoding=UTF8", "--locale=C.UTF-8")
        settings = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": folder,
            "fsync": "off",
            "max_connections": 60,
            "shared_buffers": "16MB",
            "ssl": "on",
            "ssl_cert_file": certificate.certificate,
            "ssl_key_file": certificate.key,
        }
        command = [str(programs / "postgres"), "-D", str(folder / "data")]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        server = DatabaseServer("postgresql", folder, port, command, certificate)
        try:
            server.start()
            quoted = PASSWORD.replace("'", "''")
            server.sql(f"CREATE ROLE {SERVICE} LOGIN PASSWORD '{quoted}'")
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def mariadb(run_folder: str) -> Iterator[DatabaseServer]:
    """A running MariaDB that speaks TLS."""
    with server_folder(run_folder) as folder, free_port_range() as port:
        certificate = make_certificate(folder)
        _hand_over(certificate.key)
        no_defaults = "--no-defaults"
        data = f"--datadir={folder / 'data'}"
        options = ("--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
        _run("mariadb-install-db", no_defaults, data, *options)
        command = [
            "/usr/sbin/mariadbd",
            no_defaults,
            data,
            f"--socket={folder / 'socket'}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=24M",
            "--innodb-log-file-size=16M",
            f"--pid-file={folder / 'pid'}",
            f"--ssl-cert={certificate.certificate}",
            f"--ssl-key={certificate.key}",
            f"--ssl-ca={certificate.authority}",
        ]
        server = DatabaseServer("mysql", folder, port, command, certificate)
        try:
            server.start()
            quoted = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
            for host in LOOPBACK:
                server.sql(f"CREATE USER {SERVICE}@'{host}' IDENTIFIED BY '{quoted}'")
            yield server
        finally:
            server.stop()


SLAPD = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
TLSCertificateFile {certificate.certificate}
TLSCertificateKeyFile {certificate.key}
TLSCACertificateFile {certificate.authority}
sizelimit size.soft=50 size.hard=50 size.prtotal=unlimited
database mdb
maxsize 67108864
suffix "dc=example,dc=org"
rootdn "cn=reader,dc=example,dc=org"
rootpw {password}
directory {folder}/data
"""
READER = "cn=reader,dc=example,dc=org"
BASE = "dc=example,dc=org"


@dataclass(frozen=True)
class Directory:
    """A running slapd that gives a search 50 entries at most unless it asks page by page."""

    port: int
    secure_port: int
    certificate: Certificate


@contextlib.contextmanager
def slapd(run_folder: str, ldif: str) -> Iterator[Directory]:
    """A running directory server with these entries, in clear and StartTLS on one port, TLS on another."""
    with server_folder(run_folder) as folder, free_port_range() as port:
        certificate = make_certificate(folder)
        _hand_over(certificate.key)
        (folder / "data").mkdir()
        (folder / "entries.ldif").write_text(ldif)
        configuration = folder / "slapd.conf"
        configuration.write_text(SLAPD.format(folder=folder, certificate=certificate, password="reader-secret"))
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder / "data", nobody.pw_uid, nobody.pw_gid)
        _run("/usr/sbin/slapadd", "-q", "-f", configuration, "-l", folder / "entries.ldif")
        command = ["/usr/sbin/slapd", "-f", str(configuration), "-d", "0"]
        command += ["-h", f"ldap://127.0.0.1:{port} ldaps://127.0.0.1:{port + 1}"]
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **server_account()
            )
        try:
            wait_for("slapd to answer", lambda: _listens(port) and _listens(port + 1), 60)
            yield Directory(port, port + 1, certificate)
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _hand_over(path: Path) -> None:
    path.chmod(0o600)
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(path, nobody.pw_uid, nobody.pw_gid)


def _run(*command: str | Path) -> None:
    outcome = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        env={"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"},
        check=False,
        **server_account(),
    )
    assert outcome.returncode == 0, f"{command[0]}: {outcome.stdout[-3000:]}"
