"""sbom.cdx.json: every part, Go module and Python package of a release.

Source: CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

_NAMESPACE = uuid.UUID("6e4a6c52-2f0b-5d0c-9a0f-0a3f7d1f7d5e")


@dataclass(frozen=True)
class Entry:
    """One component. `addresses` are (kind, URL) as CycloneDX names the kinds; `notes` go into properties."""

    name: str
    version: str
    purl: str
    licence: str
    sha256: str = ""
    sha512: str = ""
    kind: str = "library"
    addresses: tuple[tuple[str, str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()


def go_entry(name: str, version: str, checksum: str, licence: str) -> Entry:
    """Return the entry of a Go module; `checksum` is go.sum's "h1:...", the SHA-256 of its list of file hashes."""
    digest = base64.b64decode(checksum.removeprefix("h1:")).hex() if checksum.startswith("h1:") else ""
    return Entry(
        name, version, f"pkg:golang/{quote(name)}@{quote(version)}", licence, digest, notes=(("go.sum", checksum),)
    )


def package_entry(name: str, version: str, licence: str, file: str, sha256: str) -> Entry:
    """Return the entry of a Python package; the hash is that of the wheel or source archive."""
    return Entry(name, version, f"pkg:pypi/{quote(name)}@{quote(version)}", licence, sha256, notes=(("file", file),))


def npm_entry(name: str, version: str, licence: str, integrity: str) -> Entry:
    """Return the entry of an npm package; `integrity` is the lock file's "sha512-..." of the packed package."""
    digest = base64.b64decode(integrity.removeprefix("sha512-")).hex()
    return Entry(name, version, f"pkg:npm/{quote(name)}@{quote(version)}", licence, sha512=digest)


def render(product: str, version: str, epoch: int, entries: list[Entry]) -> str:
    """Return the document as JSON text; the same entries give the same text."""
    components = [_component(entry) for entry in sorted(entries, key=lambda entry: (entry.purl, entry.version))]
    root = f"pkg:generic/{product}@{version}"
    stamp = dt.datetime.fromtimestamp(epoch, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {
        "metadata": {
            "timestamp": stamp,
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": product,
                "version": version,
                "purl": root,
                "licenses": [{"expression": "Apache-2.0"}],
            },
        },
        "components": components,
        "dependencies": [{"ref": root, "dependsOn": [component["bom-ref"] for component in components]}],
    }
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, digest)}",
        "version": 1,
        **body,
    }
    return json.dumps(document, indent=1) + "\n"


def _component(entry: Entry) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": entry.kind,
        "bom-ref": entry.purl,
        "name": entry.name,
        "version": entry.version,
        "purl": entry.purl,
    }
    hashes = (("SHA-256", entry.sha256), ("SHA-512", entry.sha512))
    if listed := [{"alg": name, "content": content} for name, content in hashes if content]:
        component["hashes"] = listed
    component["licenses"] = [_licence(entry.licence)]
    if entry.addresses:
        component["externalReferences"] = [{"type": kind, "url": url} for kind, url in entry.addresses]
    if entry.notes:
        component["properties"] = [{"name": f"dkumonitor:{name}", "value": value} for name, value in entry.notes]
    return component


def _licence(text: str) -> dict[str, Any]:
    if text.startswith("LicenseRef"):
        return {"license": {"name": text}}
    return {"expression": text}
