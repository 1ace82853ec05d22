"""The pages of disk use: what each costs the console, of 300 users, 10,000 directories and 400 days of runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.bench.figures import Figure
from tests.bench.machine import cpu_seconds, wait_until_idle

if TYPE_CHECKING:
    import http.client
    from collections.abc import Iterator

    from tests.bench.bench_console import Server

BOUND_MS = 100


def figures(server: Server, pid: int, repeats: int) -> Iterator[Figure]:
    """CPU of the console for each page, as the mean of several requests over one kept connection.

    Args:
        server: an installation that holds what tests/history/disk.py lays.
        pid: the console's.
        repeats: how often each page is asked for.
    """
    connection = server.connect()
    for what, path in _pages(server, connection).items():
        body, _ = server.get(connection, path)  # warms up
        wait_until_idle(pid)
        before = cpu_seconds(pid)
        for _ in range(repeats):
            server.get(connection, path)
        used_ms = 1000 * (cpu_seconds(pid) - before) / repeats
        yield Figure(f"{what} ({len(body) / 1000:.0f} kB): CPU of the console", used_ms, "ms", BOUND_MS)
    connection.close()


def _pages(server: Server, connection: http.client.HTTPConnection) -> dict[str, str]:
    def rows(listing: str) -> list[dict[str, int]]:
        found: list[dict[str, int]] = json.loads(server.get(connection, f"/api/v1/{listing}")[0])["rows"]
        return found

    run = rows("disk-systems?task=scratch")[0]["run_id"]
    directory = rows(f"disk-directories?run={run}")[0]["number"]
    user = rows("disk-users?task=scratch")[0]["uid"]
    return {
        "file systems": "/disk",
        "users of all tasks": "/disk/users",
        "users of a task": "/disk/users?task=scratch",
        "a user": f"/disk/user?user={user}",
        "directories of a tree": f"/disk/directories?run={run}",
        "directories of one of them": f"/disk/directories?run={run}&directory={directory}",
        "old files": "/disk/old",
        "runs": "/disk/runs",
        "a run": f"/disk/run?run={run}",
        "what changed, by user": "/disk/difference?task=scratch",
        "what changed, by directory": "/disk/difference?task=scratch&kind=directory",
    }
