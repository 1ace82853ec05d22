"""What the documentation points to exists, and what a user can type is documented."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *ROOT.glob("collectors/*/README.md"),
    ROOT / "scanner/README.md",
]
SOURCES = [
    path
    for folder in ("bundle", "installer", "dkumonitor", "collectors", "dkm", "templates", "dashboards")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.is_file() and "__pycache__" not in path.parts
]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")
NAMED = re.compile(r"docs/[a-z0-9/-]+\.md")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_document_that_code_or_configuration_names_exists() -> None:
    named = {name for path in SOURCES for name in NAMED.findall(path.read_text(errors="replace"))}
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
    assert named, "nothing was looked at"


def test_every_verb_of_dkm_is_in_the_documentation() -> None:
    from dkm.main import cli  # noqa: PLC0415  the command is only needed here

    told = "\n".join(path.read_text() for path in DOCUMENTS)
    verbs = [name for name, command in cli.commands.items() if not command.hidden] + ["host users", "host patterns"]
    assert [verb for verb in verbs if f"dkm {verb}" not in told] == []


def test_every_target_of_make_is_in_its_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE).group(1).split()) - {"help"}  # type: ignore[union-attr]
    assert sorted(target for target in targets if f"'make {target} " not in makefile) == []
