"""How a new installation is built: what may be seen of it before it is whole."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from installer import apply, machine
from installer.__main__ import _plan
from installer.errors import Refusal, SetupError
from installer.install import install
from installer.layout import lay_out
from installer.options import Options
from installer.plan import Plan, make_plan
from installer.release import Release
from installer.render import render
from tests.stack import free_port_range

if TYPE_CHECKING:
    from types import FrameType

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"


def small_plan(folder: Path) -> Plan:
    root = folder / "release"
    (root / "bin").mkdir(parents=True)
    contents = {"VERSION": b"0.1.0\n", "bin/go-carbon": b"program"}
    for name, data in contents.items():
        (root / name).write_bytes(data)
    (root / "MANIFEST.sha256").write_text(
        "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in contents.items())
    )
    account = machine.account(None)
    assert account is not None
    options = Options(folder / "dkm", port=15000)
    installation = lay_out(
        options, version="0.1.0", has_grafana=True, hostname="one", user=account.name, system_collectd=None
    )
    files = render(TEMPLATES, installation, options.directory)
    return make_plan(options.directory, installation, Release.read(root), account, files)


def test_dir_is_closed_to_others_while_it_is_built(tmp_path: Path) -> None:
    """Else a process of the account that storage/ belongs to could lay links where root goes on to work."""
    plan = small_plan(tmp_path)
    acts: list[tuple[str, int]] = []

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        if event in {"call", "return"} and frame.f_code.co_filename == apply.__file__:
            acts.extend(
                (frame.f_code.co_name, stat.S_IMODE(path.stat().st_mode))
                for path in tmp_path.glob(".dkm.installing-*[!k]")
            )

    sys.setprofile(note)
    try:
        install(plan, lambda _done, _all: None, "2024-01-01T00:00:00+00:00", lambda _staging, _account: None)
    finally:
        sys.setprofile(None)

    opened = next(number for number, (_name, mode) in enumerate(acts) if mode != 0o700)
    assert {"make_folder", "write_file", "make_link", "copy_release"} <= {name for name, _mode in acts[:opened]}
    assert acts[opened] == ("set_mode", 0o755)
    assert {name for name, _mode in acts[opened + 1 :]} == {"sync", "move"}
    assert stat.S_IMODE(plan.directory.stat().st_mode) == 0o755
    assert stat.S_IMODE((plan.directory / "storage/whisper").stat().st_mode) == 0o700


def test_the_store_is_set_up_in_what_is_whole_but_has_not_its_name_yet(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    seen: list[Path] = []

    def set_up(staging: Path, account: machine.Account) -> None:
        seen.append(staging)
        assert account == plan.account
        assert not plan.directory.exists()
        assert stat.S_IMODE(staging.stat().st_mode) == 0o755, "the account passes to its storage"
        assert (staging / "lib/VERSION").is_file()
        assert (staging / "conf/secrets/admin_password").is_file()

    install(plan, lambda _done, _all: None, "2024-01-01T00:00:00+00:00", set_up)
    assert [path.exists() for path in seen] == [False]
    assert plan.directory.is_dir()


def test_nothing_is_left_where_the_store_cannot_be_set_up(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)

    def fail(staging: Path, _account: machine.Account) -> None:
        (staging / "storage/store/half").touch()
        raise SetupError("the database server does not answer", "Start it")

    with pytest.raises(SetupError):
        install(plan, lambda _done, _all: None, "2024-01-01T00:00:00+00:00", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["release"]


def test_a_dir_that_is_installed_is_refused_for_that_alone(tmp_path: Path) -> None:
    """The ports are most likely those of the installation itself."""
    plan = small_plan(tmp_path)
    install(plan, lambda _done, _all: None, "2024-01-01T00:00:00+00:00", lambda _staging, _account: None)
    with free_port_range() as port, socket.create_server(("127.0.0.1", port + 1)):
        said = {}
        for name in ("dkm", "other"):
            options = Options(tmp_path / name, port=port, as_root=os.geteuid() == 0)
            with pytest.raises(Refusal) as refused:
                _plan(plan.release, options)
            said[name] = [str(problem) for problem in refused.value.problems]

    assert ["holds an installation already" in problem for problem in said["dkm"]] == [True]
    assert ["is in use by" in problem for problem in said["other"]] == [True]
