"""sbom.cdx.json: a CycloneDX document that says the same for the same parts."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING

import pytest

from bundle import sbom
from bundle.licences import UNKNOWN, identify, identify_folder

if TYPE_CHECKING:
    from pathlib import Path

ENTRIES = [
    sbom.Entry(
        "zlib",
        "1.3.2",
        "pkg:generic/zlib@1.3.2",
        "Zlib",
        "ab" * 32,
        addresses=(("website", "https://zlib.net/"),),
        notes=(("source-candidate", "1 of 3"),),
    ),
    sbom.go_entry("example.org/m", "v1.0.0", "h1:" + base64.b64encode(b"\1" * 32).decode(), UNKNOWN),
    sbom.npm_entry("uplot", "1.6.32", "MIT", "sha512-" + base64.b64encode(b"\2" * 64).decode()),
    sbom.package_entry("click", "8.5.1", "BSD-3-Clause", "click-8.5.1-py3-none-any.whl", "cd" * 32),
]


def test_every_component_has_what_a_reader_of_the_format_asks_for() -> None:
    document = json.loads(sbom.render("dkumonitor", "0.1.0", 1767225600, ENTRIES))
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.6", 1)
    assert uuid.UUID(document["serialNumber"].removeprefix("urn:uuid:"))
    assert document["metadata"]["timestamp"] == "2026-01-01T00:00:00Z"
    components = {component["name"]: component for component in document["components"]}
    assert components.keys() == {"zlib", "example.org/m", "click", "uplot"}
    assert all(
        {"type", "bom-ref", "version", "purl", "licenses", "hashes"} <= each.keys() for each in components.values()
    )
    assert components["example.org/m"]["hashes"] == [{"alg": "SHA-256", "content": "01" * 32}]
    assert components["uplot"]["hashes"] == [{"alg": "SHA-512", "content": "02" * 64}]
    assert components["uplot"]["purl"] == "pkg:npm/uplot@1.6.32"
    assert components["example.org/m"]["licenses"] == [{"license": {"name": UNKNOWN}}]
    assert components["click"]["licenses"] == [{"expression": "BSD-3-Clause"}]
    assert components["zlib"]["properties"] == [{"name": "dkumonitor:source-candidate", "value": "1 of 3"}]
    references = [each["bom-ref"] for each in components.values()]
    assert document["dependencies"][0]["dependsOn"] == sorted(references)


def test_the_order_of_the_parts_does_not_matter_and_their_content_does() -> None:
    text = sbom.render("dkumonitor", "0.1.0", 1, ENTRIES)
    assert sbom.render("dkumonitor", "0.1.0", 1, ENTRIES[::-1]) == text
    assert (
        json.loads(sbom.render("dkumonitor", "0.1.0", 1, ENTRIES[:2]))["serialNumber"]
        != json.loads(text)["serialNumber"]
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Apache License\n   Version 2.0, January 2004", "Apache-2.0"),
        ("Permission is hereby granted, free  of\ncharge, to any person ... without restriction", "MIT"),
        ("Redistribution and use in source and binary forms ... endorse or\npromote", "BSD-3-Clause"),
        ("Redistribution and use in source and binary forms, with or without", "BSD-2-Clause"),
        ("Mozilla Public License, version 2.0", "MPL-2.0"),
        ("Do as you like.", UNKNOWN),
    ],
)
def test_a_licence_is_known_by_its_words(text: str, name: str) -> None:
    assert identify(text) == name


def test_a_folder_with_two_licences_has_both_and_a_notice_is_none(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text("Apache License Version 2.0")
    (tmp_path / "LICENSE.libyaml").write_text("Permission is hereby granted, free of charge, without restriction")
    (tmp_path / "NOTICE").write_text("Mozilla Public License 2.0")
    assert identify_folder(tmp_path) == "Apache-2.0 AND MIT"
    assert identify_folder(tmp_path / "none") == UNKNOWN
