"""The mails: golden files of all parts, names that hurt, and the administrator's own templates."""

from __future__ import annotations

import email
import email.policy
import os
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.disk import letters
from collectors.disk.facts import FileSystem, User
from collectors.disk.largest import LINES, Largest
from collectors.disk.letters import Letters, Written
from collectors.disk.runs import Level
from collectors.disk.warnings import Occasion, decide
from dkumonitor.mail.message import Letter, compose
from dkumonitor.mail.settings import MailSettings
from dkumonitor.text import printable
from tests import corpus
from tests.collectors.disk.mail_occasion import (
    NOW_SECONDS,
    below,
    everything,
    large,
    occasion,
    of_ann,
    scan,
    task,
    user,
)
from tests.html_pages import Element, read

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN = Path(__file__).parent / "golden/letters"
NOWHERE = Path("/nowhere")
ANN = user(1001, 212, 80.5, files=5230, old_files=1204)
CASES: dict[str, Occasion] = {
    "move": everything("move"),
    "delete": everything("delete"),
    "usage": occasion(scan(ANN, partial=True, **of_ann())),
    "foreseen": occasion(scan(ANN, **of_ann()), task(delete_old_files=True, quarantine_days=0, age_by="atime")),
}
SETTINGS = MailSettings(server="smtp.example.org", from_address="dkm@example.org", reply_to="admins@example.org")


def written(of: Occasion, folder: Path = NOWHERE, real_name: str | None = "Ann Smith", login: str = "ann") -> Written:
    [told] = decide(of, {1001})
    return Letters(of, folder).write(told, login, real_name)


def message(mail: Written) -> bytes:
    letter = Letter(to_address="ann@example.org", subject=mail.subject, text=mail.text, html=mail.html, topic="disk")
    return compose(letter, SETTINGS, "example", "disk-1-1001-abc", NOW_SECONDS)


def parsed(raw: bytes) -> EmailMessage:
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    assert found.defects == []
    return found


def part(found: EmailMessage, kind: str) -> str:
    body = found.get_body((kind,))
    assert body is not None
    content: str = body.get_content()
    return content.replace("\r\n", "\n")


@pytest.mark.parametrize("case", CASES)
def test_mails_are_as_in_the_golden_files(case: str, update_golden: bool) -> None:
    mail = written(CASES[case])
    found = {"txt": f"Subject: {mail.subject}\n\n{mail.text}", "html": mail.html}
    for ending, text in found.items():
        path = GOLDEN / f"{case}.{ending}"
        if update_golden:
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")


def test_every_template_is_in_a_golden_file() -> None:
    told = {section.value for of in CASES.values() for one in decide(of, {1001}) for section in one.sections}
    for ending in ("txt", "html"):
        found = {path.stem for path in letters.BUILT_IN.glob(f"*.{ending}")} - {"subject", "letter"}
        assert found == told


def test_the_message_is_one_that_any_reader_takes() -> None:
    mail = written(CASES["delete"])
    raw = message(mail)
    found = parsed(raw)
    assert found["Subject"] == "Old files of yours on example:/scratch were deleted"
    assert found["From"].addresses[0].addr_spec == "dkm@example.org"
    assert found["To"] == "ann@example.org"
    assert found["Reply-To"] == "admins@example.org"
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["Message-ID"] == "<disk-1-1001-abc@example.org>"
    assert found["List-Id"] == "<disk.example.dkumonitor.example.org>"
    assert found["Date"].datetime.timestamp() == NOW_SECONDS
    assert part(found, "plain") == mail.text
    assert part(found, "html") == mail.html
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


def walked(element: Element) -> Iterator[Element]:
    for child in element.children:
        yield child
        yield from walked(child)


def shape(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """The elements with the names of their attributes, without any text."""
    return [(one.tag, tuple(one.attributes)) for one in walked(read(html))]


def hostile(name: bytes) -> Occasion:
    """Everything, with paths that hurt."""
    plain = everything("move")
    tree = b"/" + (name.strip(b"/.") or b"x")
    if os.path.normpath(tree) != tree:
        tree = b"/tree"
    below_it = name.strip(b"/") or b"x"
    found = scan(
        ANN, used_percent=91, directory_users=(below(below_it, 1001, 3, 1),), top_files=(large(below_it, 1001, 2),)
    )
    of = task(path=tree, relocation_path=b"/archive" + tree)
    return occasion(found, of, Level.CRITICAL, planned=plain.planned, done=plain.done)


@pytest.mark.parametrize("name", corpus.NAMES, ids=repr)
def test_names_that_hurt_arrive_as_text_and_nothing_else(name: bytes) -> None:
    text = os.fsdecode(name)
    tame = written(hostile(b"tame"), real_name="tame", login="tame")
    mail = written(hostile(name), real_name=text, login=text)
    found = parsed(message(mail))
    assert found.keys() == parsed(message(tame)).keys()
    shown = printable(text)
    assert f"Dear {shown}," in part(found, "plain")
    assert shape(part(found, "html")) == shape(tame.html)
    assert f"Dear {shown}," in read(part(found, "html")).text
    assert len(mail.text.splitlines()) == len(tame.text.splitlines())
    below_it = printable(text.strip("/")) or "x"
    assert below_it in part(found, "plain")
    subject = str(found["Subject"])
    assert subject.isprintable() or not mail.subject.isprintable()
    assert subject.startswith("Old files of yours on example:/")


@given(text=st.text(st.characters(codec=None, exclude_categories=()), max_size=200))
def test_any_subject_is_one_line_that_says_the_same(text: str) -> None:
    letter = Letter(to_address="ann@example.org", subject=text, text="x\n", topic="disk")
    found = parsed(compose(letter, SETTINGS, "example", "token", 0))
    assert list(found.keys())[:3] == ["Subject", "From", "To"]
    shown = printable(text)
    shown = shown if len(shown) <= 150 else f"{shown[:147]}..."
    assert "".join(str(found["Subject"]).split()) == "".join(shown.split())


FIGURES = st.integers(0, 2**63 - 1)


@given(
    own=st.builds(
        User, uid=st.just(1001), files=FIGURES, apparent_bytes=FIGURES, allocated_bytes=FIGURES, old_bytes=FIGURES
    ),
    total_bytes=FIGURES,
    used_percent=st.floats(0, 100),
)
def test_any_figures_can_be_written(own: User, total_bytes: int, used_percent: float) -> None:
    full = FileSystem(total_bytes=total_bytes, free_bytes=int(total_bytes * (1 - used_percent / 100)))
    found = scan(own, filesystem=full)
    of = everything("delete")
    mail = written(occasion(found, of.task, Level.CRITICAL, planned=of.planned))
    assert "nan" not in mail.text
    assert read(mail.html).all("table")


def test_a_template_of_the_administrator_takes_the_place_of_the_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "general.txt").write_text("Only {{ used_percent }} here, {{ name }}.\n")
    mail = written(CASES["usage"], tmp_path, real_name="<b>Ann</b>")
    assert "Only 85.0 % here, <b>Ann</b>." in mail.text
    assert "HOW FULL IT IS" not in mail.text
    assert "How full it is" in mail.html
    (tmp_path / "general.html").write_text("<p>{{ name }}</p>")
    assert "<p>&lt;b&gt;Ann&lt;/b&gt;</p>" in written(CASES["usage"], tmp_path, real_name="<b>Ann</b>").html


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("first\n{% if %}\n", 2, "Expected an expression"),
        ("first\nsecond {{ nobody_knows }}\n", 2, "'nobody_knows' is undefined"),
        ("a\nb\n{{ 1 / 0 }}", 3, "division by zero"),
        ("{% for x in files.nothing %}{% endfor %}", 1, "has no attribute 'nothing'"),
        ("{% include 'gone.txt' %}", 1, "gone.txt"),
    ],
)
def test_a_broken_template_is_named_with_its_line_and_the_built_in_one_is_used(
    tmp_path: Path, text: str, line: int, why: str
) -> None:
    of = CASES["usage"]
    (tmp_path / "general.txt").write_text(text)
    [told] = decide(of, {1001})
    writer = Letters(of, tmp_path)
    assert writer.write(told, "ann", "Ann Smith") == written(of)
    [error] = writer.errors.values()
    assert f"{tmp_path}/general.txt, line {line} " in str(error)
    assert why in str(error)
    assert error.exit_code == 35


def test_a_template_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "letter.html").write_bytes(b"caf\xe9")
    [told] = decide(CASES["usage"], {1001})
    writer = Letters(CASES["usage"], tmp_path)
    assert writer.write(told, "ann", None).html == written(CASES["usage"], real_name=None).html
    assert "letter.html" in str(writer.errors["letter.html"])


def test_directories_count_each_file_once() -> None:
    largest = Largest(scan(ANN, **of_ann()))
    found = {place.path: (place.files, place.size_bytes) for place in largest.directories(1001)}
    assert sum(files for files, _ in found.values()) == 5230
    assert found[b"ann/climate"] == (2800, 60 * 1024**3)
    assert b"" not in found  # nothing of Ann's lies in the tree itself
    assert [place.path for place in largest.files(1001)] == [b"ann/climate/run 7/state.nc", b"ann/old.tar"]
    assert largest.directories(4) == largest.files(4) == []
    many = scan(ANN, top_files=tuple(large(b"f%d" % number, 1001, number) for number in range(20)))
    assert len(Largest(many).files(1001)) == LINES


def test_every_name_that_templates_may_use_is_documented() -> None:
    told = (letters.BUILT_IN / "README.md").read_text()
    for name in [*letters.Figures.__dataclass_fields__, "act.files", "act.size", "act.due", "act.is_planned", "parts"]:
        assert f"`{name}`" in told, name
