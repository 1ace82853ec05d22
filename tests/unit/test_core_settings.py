from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.host.settings import HostSettings
from dkumonitor.collector import CollectorSettings
from dkumonitor.errors import SettingsError
from dkumonitor.settings import CarbonSettings, Settings

KNOWN: dict[str, type[CollectorSettings] | None] = {"host": HostSettings, "plain": CollectorSettings, "broken": None}


def load(path: Path, text: str) -> Settings:
    file = path / "dkumonitor.toml"
    file.write_text(text, encoding="utf-8")
    return Settings.load(file, KNOWN, 10)


def test_an_empty_file_means_all_defaults(tmp_path: Path) -> None:
    read = load(tmp_path, "")
    assert read == Settings(
        carbon=CarbonSettings(),
        interval_seconds=10,
        collectors={"host": HostSettings(), "plain": CollectorSettings()},
    )
    assert read.carbon.spool_max_bytes == 64 * 1024 * 1024


def test_what_the_file_says_comes_before_the_default(tmp_path: Path) -> None:
    read = load(
        tmp_path,
        """
        [carbon]
        server = "carbon.example.org:2003"
        spool_max_bytes = 1_000_000
        [collectors]
        interval_seconds = 30
        [collectors.host]
        top_users = 3
        interval_seconds = 60
        [collectors.host.patterns]
        postgres = '^postgres:'
        [collectors.plain]
        enabled = false
        [collectors.broken]
        whatever = 1
        """,
    )
    assert read.carbon == CarbonSettings(server="carbon.example.org:2003", spool_max_bytes=1_000_000)
    assert read.interval_seconds == 30
    assert read.collectors["host"] == HostSettings(
        top_users=3, interval_seconds=60, patterns={"postgres": "^postgres:"}
    )
    assert read.collectors["plain"] == CollectorSettings(enabled=False)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[carbn]", ["'carbn'", "Did you mean 'carbon'"]),
        ("[carbon]\nsever = 1", ["'carbon.sever'", "'server'"]),
        ("[carbon]\nserver = 1", ["carbon.server", "str"]),
        ("[carbon]\nserver = 'nowhere'", ["carbon", "'nowhere' is not an address"]),
        ("[carbon]\nspool_max_bytes = true", ["carbon.spool_max_bytes", "int"]),
        ("[carbon]\nspool_max_bytes = 10", ["carbon.spool_max_bytes", "65536"]),
        ("carbon = 1", ["'carbon' is not a table"]),
        ("[collectors]\nintervall_seconds = 1", ["'collectors.intervall_seconds'", "'interval_seconds'"]),
        ("[collectors]\ninterval_seconds = 0", ["collectors.interval_seconds"]),
        ("[collectors.hots]", ["'collectors.hots'", "'host'"]),
        ("[collectors]\nhost = 1", ["'collectors.host' is not a table"]),
        ("[collectors.host]\ntop_user = 1", ["'collectors.host.top_user'", "'top_users'"]),
        ("[collectors.host]\ntop_users = 'x'", ["collectors.host.top_users", "int"]),
        ("[collectors.host.patterns]\nx = '['", ["collectors.host", "'x' is no regular expression"]),
        ("[collectors.host.patterns]\n'a.b' = 'c'", ["collectors.host.patterns"]),
        ("[carbon\n", ["line 1"]),
        ("[carbon]\nserver = 'a\n", ["end of document"]),
    ],
)
def test_what_is_not_known_is_an_error_that_names_file_and_key(tmp_path: Path, text: str, says: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    for part in [str(tmp_path / "dkumonitor.toml"), *says]:
        assert part in str(caught.value)


def test_a_missing_file_and_one_that_is_not_utf8_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nothing\.toml"):
        Settings.load(tmp_path / "nothing.toml", KNOWN, 10)
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    with pytest.raises(SettingsError, match="not UTF-8 at byte 5"):
        Settings.load(tmp_path / "latin.toml", KNOWN, 10)


class Deep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    size_bytes: Annotated[int, msgspec.Meta(ge=1)] = 1


class Nested(CollectorSettings, frozen=True, kw_only=True):
    deep: Deep = Deep()


def test_a_key_deep_inside_is_named_by_its_whole_path(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("[collectors.nested.deep]\nsizes = 3")
    with pytest.raises(SettingsError, match=r"'collectors\.nested\.deep\.sizes'"):
        Settings.load(file, {"nested": Nested}, 10)
    file.write_text("[collectors.nested.deep]\nsize_bytes = 0")
    with pytest.raises(SettingsError, match=r"collectors\.nested\.deep\.size_bytes"):
        Settings.load(file, {"nested": Nested}, 10)


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=200))
def test_any_text_gives_settings_or_one_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        Settings.load(file, KNOWN, 10)
    except SettingsError as error:
        assert str(file) in str(error)  # noqa: PT017  an error is one of the two right outcomes
