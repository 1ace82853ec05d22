"""The pages of disk use: what they show is what the command and the scans say, whatever users call themselves."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from dkumonitor.accounts.roles import Role
from dkumonitor.cells import size
from dkumonitor.text import printable
from tests.console_app import PASSWORD, ROOT, RunningConsole, running_console
from tests.history.disk import FIRST_UID, DiskHistory, lay_disk
from tests.history.records import fill
from tests.history.users import logins
from tests.html_pages import Element, assert_harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

NOW_SECONDS = int(time.time())
LOGINS = logins()
HISTORY = DiskHistory(LOGINS, "testhost", NOW_SECONDS, directories=1500)
SCRATCH = HISTORY.scan(HISTORY.trees[0], 0, HISTORY.directories)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    def lay(store: Any, _: Any) -> None:
        fill(store, LOGINS, NOW_SECONDS)
        lay_disk(store, HISTORY)
        with store.writing() as connection:
            connection.exec_driver_sql("UPDATE accounts SET real_names = 1 WHERE login = 'operator'")

    with running_console(tmp_path_factory.mktemp("disk"), before_start=lay, user=str(os.geteuid())) as running:
        yield running


@pytest.fixture(scope="module")
def client(console: RunningConsole) -> httpx.Client:
    return console.client(Role.VIEWER)


@pytest.fixture(scope="module")
def run(client: httpx.Client) -> int:
    """The newest full run of the tree that is critical."""
    number = client.get("/api/v1/disk-systems?task=scratch").json()["rows"][0]["run_id"]
    assert isinstance(number, int)
    return number


def command(console: RunningConsole, *arguments: str) -> Any:
    told = subprocess.run(
        [sys.executable, "-m", "dkm", "disk", "view", *arguments, "--json"],
        env={"PATH": os.environ["PATH"], "DKM_DIR": str(console.installation.dir), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(told.stdout)


def pages(run: int) -> list[str]:
    return [
        "/",
        "/disk",
        "/disk/users",
        "/disk/users?task=scratch",
        f"/disk/user?user={FIRST_UID + 7}",
        "/disk/directories",
        f"/disk/directories?run={run}",
        f"/disk/directories?run={run}&by=owner",
        f"/disk/directories?run={run}&directory=3",
        "/disk/old",
        "/disk/runs",
        "/disk/runs?task=scratch&kind=full",
        f"/disk/run?run={run}",
        "/disk/run?run=1",
        "/disk/difference",
        "/disk/difference?task=scratch",
        "/disk/difference?task=scratch&kind=directory",
        "/disk/plans",
        "/disk/plan?plan=scratch-02-move",
    ]


def without_names(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "real_name"} for row in rows]


@pytest.mark.parametrize(
    ("arguments", "listing", "parameters"),
    [
        (("users",), "disk-users", {}),
        (("users", "--task", "scratch"), "disk-users", {"task": "scratch"}),
        (("systems",), "disk-systems", {}),
        (("user", LOGINS[40]), "disk-user", {"user": str(FIRST_UID + 40)}),
        (("dirs", "--task", "scratch"), "disk-directories", {"task": "scratch"}),
        (("old", "--task", "home"), "disk-old", {"task": "home"}),
        (("history", "--kind", "full"), "disk-runs", {"kind": "full"}),
        (("diff", time.strftime("%Y-%m-%d", time.gmtime(NOW_SECONDS - 9 * 86400)), "--task", "home"), "disk-difference",
         {"before": time.strftime("%Y-%m-%d", time.gmtime(NOW_SECONDS - 9 * 86400)), "task": "home"}),
    ],
    ids=lambda value: " ".join(value)[:20] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_command_api_csv_and_table_say_the_same(
    console: RunningConsole, client: httpx.Client, arguments: tuple[str, ...], listing: str, parameters: dict[str, str]
) -> None:
    told = command(console, *arguments)
    answer = client.get(f"/api/v1/{listing}", params={**parameters, "limit": 1000}).json()
    by_csv = list(csv.reader(io.StringIO(client.get(f"/tables/{listing}.csv", params=parameters).text)))

    assert answer["rows"], "nothing to compare"
    passing = {"full_in_seconds", "full_in_early_seconds", "full_in_late_seconds"}
    for mine, its in zip(without_names(told), without_names(answer["rows"]), strict=False):
        assert {key: value for key, value in mine.items() if key not in passing} == {
            key: value for key, value in its.items() if key not in passing
        }
    assert len(told) == answer["total"] == len(by_csv) - 1
    assert by_csv[0] == list(answer["rows"][0])
    table = assert_harmless(client.get(f"/tables/{listing}", params={**parameters, "limit": 1000}).text)
    (body,) = table.all("tbody")
    assert len(body.all("tr")) == len(answer["rows"])


def test_the_command_lists_below_a_path_and_one_systems_users(console: RunningConsole, client: httpx.Client) -> None:
    first = max((one for one in SCRATCH.directories if one.depth == 1), key=lambda one: one.allocated_bytes)
    inside = [one for one in SCRATCH.directories if one.depth == 2 and one.path.startswith(first.path + b"/")]
    for path in (os.fsdecode(first.path), f"/srv/scratch/{os.fsdecode(first.path)}"):
        rows = command(console, "dirs", path, "--task", "scratch")
        assert sorted(os.fsencode(row["path"]) for row in rows) == sorted(one.path for one in inside)
    assert command(console, "dirs", f"/srv/scratch/{os.fsdecode(first.path)}") == rows
    assert command(console, "system", "scratch") == command(console, "users", "--task", "scratch")
    hosts = client.get("/api/v1/disk-users?limit=1000").json()["rows"]
    assert len(command(console, "system", "testhost")) == sum(row["host"] == "testhost" for row in hosts)


def test_the_figures_on_a_page_are_those_of_the_scan(client: httpx.Client, run: int) -> None:
    page = client.get("/disk").text
    totals = SCRATCH.totals
    assert f"{totals.files:,} files of {len(SCRATCH.users)} users, {size(totals.allocated_bytes)}" in page
    assert size(totals.old_bytes) in page
    assert "93.5 %</span> full" in page
    inner = client.get(f"/disk/run?run={run}").text
    assert f"{totals.files:,} files and {totals.directories:,} directories" in inner
    for age in SCRATCH.ages:
        assert f"{age.files:,}" in inner
    user = max(SCRATCH.users, key=lambda one: one.allocated_bytes)
    own = client.get(f"/disk/user?user={user.uid}").text
    assert f'<span class="figure">{size(user.allocated_bytes)}</span>' in own
    assert f"{user.files:,}" in own


def test_no_page_is_harmed_by_what_users_call_themselves_and_their_files(client: httpx.Client, run: int) -> None:
    for path in pages(run):
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text[-500:])
        assert_harmless(answer.text)


def test_a_tile_for_each_directory_is_as_large_as_what_it_takes(client: httpx.Client, run: int) -> None:
    page = assert_harmless(client.get(f"/disk/directories?run={run}").text)
    desktop, phone = (one for one in page.all("svg") if one.attributes.get("class", "").startswith("treemap"))
    top = {printable(os.fsdecode(one.path)): one for one in SCRATCH.directories if one.depth == 1}
    for picture in (desktop, phone):
        width, height = map(int, picture.attributes["viewbox"].split()[2:])
        tiles = [one for one in picture.children if one.tag in {"a", "g"}]
        named = {_words(tile).rpartition(": ")[0]: tile for tile in tiles}
        for name, tile in named.items():
            if name in top:
                share = _area(tile) / (width * height)
                assert share == pytest.approx(top[name].allocated_bytes / SCRATCH.totals.allocated_bytes, abs=0.01)
                assert tile.tag == "a"
        assert sum(map(_area, tiles)) == pytest.approx(width * height, rel=0.05)
    assert set(top) <= {_words(tile).rpartition(": ")[0] for tile in desktop.children}


def _words(tile: Element) -> str:
    titles = tile.all("title")
    return titles[0].text if titles else ""


def _area(tile: Element) -> float:
    (box, *_) = tile.all("rect")
    return float(box.attributes["width"]) * float(box.attributes["height"])


def test_links_of_tiles_and_rows_walk_down_and_the_trail_walks_up(client: httpx.Client, run: int) -> None:
    page = assert_harmless(client.get(f"/disk/directories?run={run}").text)
    (picture, _) = (one for one in page.all("svg") if one.attributes.get("class", "").startswith("treemap"))
    links = [one.attributes["href"] for one in picture.all("a")]
    inner = assert_harmless(client.get(links[0]).text)
    table = [one for one in inner.all("a") if one.attributes["href"].startswith("/disk/directories?run=")]
    assert f"/disk/directories?run={run}" in {one.attributes["href"] for one in table}
    assert {one.attributes["href"] for one in inner.all("section")[-1].all("a")} & {
        f"/disk/directories?run={run}&directory={row['number']}"
        for row in client.get("/api/v1/disk-directories", params=dict(_query(links[0]))).json()["rows"]
    }


def _query(address: str) -> list[tuple[str, str]]:
    from urllib.parse import parse_qsl, urlsplit  # noqa: PLC0415

    return parse_qsl(urlsplit(address).query)


def test_parameters_stay_in_every_address_of_a_table(client: httpx.Client, run: int) -> None:
    page = assert_harmless(client.get(f"/tables/disk-users?run={run}&limit=20&search=a").text)
    for link in page.all("section")[0].all("a"):
        address = link.attributes["href"]
        if address.startswith("/tables/"):
            assert ("run", str(run)) in _query(address), address
    hidden = {one.attributes["name"]: one.attributes["value"] for one in page.one("form", role="search").all("input")}
    assert hidden["run"] == str(run)
    answer = client.get(f"/api/v1/disk-users?run={run}&limit=20")
    assert ("run", str(run)) in _query(answer.links["next"]["url"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/disk/user", 400), ("/disk/user?user=", 400), ("/disk/user?user=nobody", 404), ("/disk/run?run=999999", 404),
        ("/disk/run?run=0", 400), ("/disk/run?run=x", 400), ("/disk/run?run=99999999999999999999", 400),
        ("/disk/directories?directory=99999", 404), ("/disk/directories?by=size", 400),
        ("/disk/directories?task=no", 404),
        ("/disk/difference?before=x&task=home", 400), ("/disk/difference?before=1", 404), ("/disk/plan?plan=no", 404),
        ("/disk/plan?plan=%00", 400), ("/disk?task=scratch", 400), ("/disk/users?unknown=1", 400),
        ("/api/v1/disk-user", 400), ("/api/v1/disk-user?user=nobody", 404),
        ("/api/v1/disk-users?task=%F0%9F%98%80", 404),
        ("/api/v1/disk-users?run=1", 404), ("/tables/disk-users.csv?run=1", 404), ("/tables/disk-users?tasks=x", 400),
        ("/api/v1/disk-runs?kind=slow", 400), ("/api/v1/disk-user?user=a%00b", 400),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_told(console: RunningConsole, client: httpx.Client, path: str, status: int) -> None:
    assert client.get(path).status_code == status
    assert "Traceback" not in console.log.read_text()


def test_real_names_are_shown_for_whoever_unlocked_them_and_for_nobody_else(console: RunningConsole) -> None:
    name = "student025"
    uid = FIRST_UID + LOGINS.index(name)
    real_name = name.title()
    other, mine = console.client(Role.ADMIN), console.sign_in("operator")
    console.post(mine, "/account/names", password=PASSWORD)
    for path in (f"/disk/user?user={uid}", f"/tables/disk-users?search={name}", f"/api/v1/disk-users?search={name}"):
        assert real_name in mine.get(path).text
        assert real_name not in other.get(path).text
    assert other.get(f"/api/v1/disk-users?search={real_name}&sort=real_name").json()["total"] == len(
        mine.get(f"/api/v1/disk-users?search={name}").json()["rows"]
    )


def test_a_critical_file_system_is_a_banner_on_every_page_and_part_of_the_verdict(client: httpx.Client) -> None:
    sentence = "scratch on testhost is 93.5 % full, critical from 90 % on; 1 more is above the warning"
    overview = client.get("/api/v1/overview").json()
    (card,) = [one for one in overview["cards"] if one["name"] == "disk"]
    assert (card["sentence"], card["level"], card["banner"], card["path"]) == (sentence, "failed", True, "/disk")
    assert sentence in overview["verdict"]
    for path in ("/disk", "/people", "/account", "/disk/user"):
        banners = [
            one
            for one in assert_harmless(client.get(path).text).all("p")
            if "banner" in one.attributes.get("class", "")
        ]
        assert [one.text for one in banners] == [f"Disk use: {sentence}."]
    assert "banner" not in client.get("/disk", headers={"HX-Request": "true"}).text.split("<main")[0]


def test_a_stranger_sees_no_banner(console: RunningConsole) -> None:
    assert "scratch" not in console.stranger().get("/sign-in").text


def test_without_a_task_the_pages_say_what_to_do(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_console(tmp_path_factory.mktemp("empty")) as empty:
        client = empty.client(Role.VIEWER)
        for path in (
            "/disk",
            "/disk/users",
            "/disk/directories",
            "/disk/old",
            "/disk/runs",
            "/disk/difference",
            "/disk/plans",
        ):
            answer = client.get(path)
            assert answer.status_code == 200, path
            assert_harmless(answer.text)
        assert "dkm disk task create" in client.get("/disk").text
        assert client.get("/disk/run").status_code == 404
        assert [card["name"] for card in client.get("/api/v1/overview").json()["cards"] if card["name"] == "disk"] == []
