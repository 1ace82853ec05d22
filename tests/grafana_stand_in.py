"""A stand-in for Grafana's official tarball, which can't be had where the tests run.

It has the layout of the real one and takes its command line and the keys of its configuration that decide what listens,
where its folders are and which secrets it reads. It draws nothing.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SHELL = """#!/bin/sh
here=$(CDPATH= cd "$(dirname "$0")" && pwd)
exec "$here/../../python/bin/python3" -I "$here/server.py" "$@"
"""

SERVER = """
import argparse, configparser, http.server, os, pathlib, re, signal, ssl, sys
parser = argparse.ArgumentParser()
parser.add_argument("--version", action="version", version="grafana version 0.0.0")
parser.add_argument("verb")
for option in ("--homepath", "--config", "--pidfile"):
    parser.add_argument(option, required=True)
arguments = parser.parse_args()
settings = configparser.ConfigParser(interpolation=None)
settings.read_string("[DEFAULT]\\n" + pathlib.Path(arguments.config).read_text())
for section in settings.values():
    for key, value in section.items():
        for path in re.findall(r"\\$__file\\{(.*?)\\}", value):
            if not os.path.isfile(path):
                sys.exit(f"{section.name}.{key}: {path} is missing")
for key in ("data", "logs", "plugins", "provisioning"):
    os.makedirs(settings["paths"][key], exist_ok=True)
pathlib.Path(settings["paths"]["data"], "grafana.db").touch()
pathlib.Path(arguments.pidfile).write_text(str(os.getpid()))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()
        self.wfile.write(b'{"database": "ok"}')
there = settings["server"]
server = http.server.HTTPServer((there["http_addr"], int(there["http_port"])), Handler)
if there["protocol"] == "https":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(there["cert_file"], there["cert_key"])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"""

FILES = {
    "bin/grafana": (SHELL, 0o755),
    "bin/server.py": (SERVER, 0o644),
    "public/img/grafana_icon.svg": ("<svg xmlns='http://www.w3.org/2000/svg'/>\n", 0o644),
    "conf/defaults.ini": ("", 0o644),
    "LICENSE": ("GNU AFFERO GENERAL PUBLIC LICENSE\n", 0o644),
    "VERSION": ("0.0.0\n", 0o644),
}


def write_tarball(path: Path, *, top: str = "grafana-v0.0.0", without: tuple[str, ...] = ()) -> str:
    """Write the tarball, its files below `top`, and return its SHA-256; `without` leaves files out (a wrong layout)."""
    with tarfile.open(path, "w:gz") as archive:
        for name, (text, mode) in FILES.items():
            if name not in without:
                member = tarfile.TarInfo(f"{top}/{name}")
                member.size, member.mode = len(text.encode()), mode
                archive.addfile(member, io.BytesIO(text.encode()))
    return hashlib.sha256(path.read_bytes()).hexdigest()
