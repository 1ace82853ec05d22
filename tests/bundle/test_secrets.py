"""Secrets are random, the service user's alone, and nowhere but in their files (promise 17)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import proc
from tests.stack import Stack, free_port_range, install, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST = 20  # characters: 120 bits in base 64


@pytest.fixture
def two_installed(release_with_grafana: Path, workspace: Path) -> Iterator[list[Stack]]:
    with free_port_range() as first, free_port_range() as second:
        stacks = [
            install(release_with_grafana, workspace / name, port, "--listen", "0.0.0.0")
            for name, port in (("a", first), ("b", second))
        ]
        yield stacks
        stacks[0].stop()


def _secrets(stack: Stack) -> dict[str, str]:
    return {path.name: path.read_text().strip() for path in (stack.dir / "conf/secrets").iterdir()}


def test_two_installations_share_no_secret_and_only_the_owner_reads_them(two_installed: list[Stack]) -> None:
    first, second = map(_secrets, two_installed)

    assert set(first) == set(second) == {"admin_password", "grafana_secret_key", "tls_key.pem"}
    assert not set(first.values()) & set(second.values())
    assert min(map(len, [*first.values(), *second.values()])) >= SHORTEST
    for stack in two_installed:
        for path in (stack.dir / "conf/secrets").iterdir():
            assert path.stat().st_mode & 0o777 == 0o600


def test_no_secret_shows_in_arguments_environments_logs_or_configuration(two_installed: list[Stack]) -> None:
    stack = two_installed[0].start()
    wait_for("the pages' programs to run", lambda: {"grafana", "console"} <= stack.pids().keys())
    password_file = stack.dir / "conf/secrets/admin_password"
    secrets = [value.encode() for value in _secrets(stack).values()]

    places = [path for path in stack.dir.rglob("*") if path.is_file() and not path.is_symlink()]
    places = [path for path in places if path.parent != password_file.parent]
    for pid in proc.descendants(int((stack.dir / "run/supervisord.pid").read_text())):
        places += [Path(f"/proc/{pid}/cmdline"), Path(f"/proc/{pid}/environ")]
    assert len(places) > 100
    found = [str(path) for path in places if any(secret in _content(path) for secret in secrets)]
    assert found == []


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # a process that ended meanwhile
        return b""
