"""`make run` and `make stop`: try the tarball as its users get it, in ./demo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path
from socket import AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "demo"
FIRST_PORT, PORTS, LAST_PORT = 15000, 10, 15990
FIRST_POINT_SECONDS = 90
SHOWN = (
    ("load, one minute", "collectd.*.load.load.shortterm", "{:.2f}"),
    ("CPU in use, %", "diffSeries(constantLine(100),collectd.*.cpu.percent.idle)", "{:.1f}"),
    ("memory in use, %", "collectd.*.memory.percent.used", "{:.1f}"),
    ("users with processes", "dkm.*.host.users", "{:.0f}"),
)


def start() -> None:
    """Install the newest tarball into ./demo (or update it), start it, wait for its first points and show them."""
    version = (ROOT / "VERSION").read_text().strip()
    tarball = ROOT / f"dist/dkumonitor-{version}-linux-amd64.tar.gz"
    with tempfile.TemporaryDirectory(prefix="dkumonitor-demo-") as folder:
        with tarfile.open(tarball) as archive:
            archive.extractall(folder, filter="tar")
        _install(Path(folder) / f"dkumonitor-{version}")
    _run(str(DEMO / "bin/dkm"), "start")
    urls: dict[str, str | None] = json.loads(_output(str(DEMO / "bin/dkm"), "urls", "--json"))
    print("Waiting for the first points ...", flush=True)
    for title, value in _first_points(f"{urls['carbonapi']}").items():
        print(f"  {title:24} {value}")
    _say_where(urls)


def _install(release: Path) -> None:
    if (DEMO / "conf/installation.json").exists():
        stop()
        _run(str(release / "installer"), "-d", str(DEMO), "--update")
        return
    port = _free_range()
    if port != FIRST_PORT:
        print(f"Ports {FIRST_PORT} to {FIRST_PORT + PORTS - 1} are in use; taking {port} to {port + PORTS - 1}.")
    as_root = ["--as-root"] if os.geteuid() == 0 else []
    _run(str(release / "installer"), "-d", str(DEMO), "-p", str(port), *as_root)


def _free_range() -> int:
    for first in range(FIRST_PORT, LAST_PORT + 1, PORTS):
        if all(_is_free(port) for port in range(first, first + PORTS)):
            return first
    sys.exit(f"no ten free ports in a row between {FIRST_PORT} and {LAST_PORT + PORTS - 1}")


def _is_free(port: int) -> bool:
    with socket(AF_INET, SOCK_STREAM) as probe:
        probe.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _first_points(carbonapi: str) -> dict[str, str]:
    """The newest value of each target of SHOWN, once all of them have one."""
    deadline = time.monotonic() + FIRST_POINT_SECONDS
    found: dict[str, str] = {}
    while time.monotonic() < deadline:
        for title, target, form in SHOWN:
            if (value := _newest(carbonapi, target)) is not None:
                found[title] = form.format(value)
        if len(found) == len(SHOWN):
            return found
        time.sleep(0.5)
    missing = [title for title, _target, _form in SHOWN if title not in found]
    sys.exit(f"no points after {FIRST_POINT_SECONDS} s for: {', '.join(missing)}. See: {DEMO}/bin/dkm doctor")


def _newest(carbonapi: str, target: str) -> float | None:
    query = urllib.parse.urlencode({"target": target, "from": "-5min", "format": "json", "maxDataPoints": "100"})
    try:
        with urllib.request.urlopen(f"{carbonapi}/render?{query}", timeout=10) as answer:  # noqa: S310  our own address
            series: list[dict[str, Any]] = json.load(answer)
    except OSError:
        return None
    values = [value for one in series for value, _at_seconds in one["datapoints"] if value is not None]
    return values[-1] if values else None


def _say_where(urls: dict[str, str | None]) -> None:
    dkm = f"{DEMO.relative_to(ROOT)}/bin/dkm"
    print("\ndkumonitor runs in ./demo:")
    password = urls["admin_password_file"]
    print(f"  open          {urls['console']}   the console")
    if urls["grafana"]:
        print(f"                {urls['grafana']}   Grafana")
    print(f"  sign in as    {urls['admin_user']}, password {f'in {password}' if password else 'as you have chosen it'}")
    print(f"  send to       {urls['carbon']}   carbon line protocol (Graphite, DSS, StatsD ...)")
    print(f"  read from     {urls['carbonapi']}   Graphite's render API, for example:")
    print(f"                curl '{urls['carbonapi']}/render?target=collectd.*.load.load.*&from=-5min&format=json'")
    print(f"  who uses it   {dkm} host users")
    print(f"  is it well    {dkm} doctor")
    print("  end it        make stop")


def stop() -> None:
    """End what runs in ./demo."""
    if (DEMO / "bin/dkm").exists():
        _run(str(DEMO / "bin/dkm"), "shutdown")


def _run(*command: str) -> None:
    if code := subprocess.run(command, check=False).returncode:
        sys.exit(code)


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    {"start": start, "stop": stop}[sys.argv[1]]()
