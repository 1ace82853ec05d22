"""components.toml: what the bundle is made of, read once into frozen structs."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from bundle.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("go", "library", "cpython", "collectd", "npm", "grafana")
WITHOUT_SOURCE = ("go", "npm")  # lock files pin their packages
_SHA256_DIGITS = 64


@dataclass(frozen=True)
class DebianSource:
    """A Debian source package: its name, its upstream version (no epoch, no revision) and the suite to look in."""

    package: str
    version: str
    suite: str


@dataclass(frozen=True)
class Source:
    """One file that a part can be built from, pinned by its SHA-256."""

    version: str
    sha256: str
    files: tuple[str, ...]
    debian: DebianSource | None = None
    url: str | None = None
    tools: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """One part; `sources` in the order in which they are tried. Go parts and npm packages have none.

    `folder` is that of our own Go module in the checkout: such a part has the version of the product.
    """

    name: str
    kind: str
    licence: str
    homepage: str
    sources: tuple[Source, ...] = ()
    version: str = ""
    licence_files: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    module: str = ""
    package: str = ""
    source_code: str = ""
    folder: str = ""


@dataclass(frozen=True)
class Components:
    """All parts by name, and the time stamp (UTC seconds) that every file of a release carries."""

    parts: dict[str, Part]
    epoch: int

    def __getitem__(self, name: str) -> Part:
        return self.parts[name]


def load(path: Path) -> Components:
    """Read and check components.toml.

    Raises:
        BuildError: it is no TOML, or a key, a kind or a hash in it is wrong; the message names part and key.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BuildError(f"{path} is not valid TOML: {error}", "Correct that line.") from error
    tables = document.pop("part", [])
    epoch = document.pop("epoch", None)
    if document or not isinstance(epoch, int):
        raise BuildError(f"{path}: at its top level stand epoch (a number) and [[part]] tables only", "Correct it.")
    parts = [_part(table, path) for table in tables]
    known = {part.name: part for part in parts}
    for part in parts:
        for needed in part.needs:
            if needed not in known:
                raise BuildError(
                    f"{path}: {part.name} needs {needed}, which is not there", "Add the part or correct `needs`."
                )
    return Components(parts=known, epoch=epoch)


def _part(table: dict[str, Any], path: Path) -> Part:
    name = str(table.get("name", "?"))
    sources = tuple(_source(entry, f"{path}: source of {name}") for entry in table.pop("source", []))
    part = Part(sources=sources, **_checked(table, Part, f"{path}: part {name}", ignored="sources"))
    if part.kind not in KINDS:
        raise BuildError(f"{path}: part {name} is of kind {part.kind!r}", f"Use one of {', '.join(KINDS)}.")
    if bool(part.sources) == (part.kind in WITHOUT_SOURCE):
        raise BuildError(
            f"{path}: part {name} has {len(sources)} sources", "Every part has one, except Go modules and npm packages."
        )
    if part.sources:
        return replace(part, version=part.sources[0].version)
    if part.folder:
        version = (path.parent.parent / "VERSION").read_text(encoding="utf-8").strip()
        return replace(part, version=version, options=tuple(text.format(version=version) for text in part.options))
    return part


def _source(table: dict[str, Any], where: str) -> Source:
    values = _checked(table, Source, where)
    if isinstance(values.get("debian"), dict):
        values["debian"] = DebianSource(**_checked(values["debian"], DebianSource, f"{where}: debian"))
    source = Source(**values)
    digits = source.sha256.lower()
    if len(digits) != _SHA256_DIGITS or set(digits) - set("0123456789abcdef"):
        raise BuildError(f"{where}: sha256 {source.sha256!r} is not 64 hexadecimal digits", "Correct it.")
    if not source.files:
        raise BuildError(f"{where}: `files` is empty", "Name the file as its publisher names it.")
    return source


def _checked(table: dict[str, Any], kind: type, where: str, ignored: str = "") -> dict[str, Any]:
    known = {field.name: field for field in fields(kind) if field.name != ignored}
    for key in table:
        if key not in known:
            raise BuildError(f"{where}: unknown key {key!r}", f"Known keys: {', '.join(known)}.")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    for key, field in known.items():
        if key not in values and field.default is field.default_factory:  # both MISSING: it has no default
            raise BuildError(f"{where}: key {key!r} is missing", "Add it.")
    return values
