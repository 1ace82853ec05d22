"""Lays the release tree: built parts, our own code, templates, dashboards, licences, SBOM, manifest."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bundle import cpython, golang, sbom
from bundle.errors import BuildError
from bundle.files import copy_file, copy_tree, fresh_folder
from bundle.hashes import sha256_of
from bundle.licences import identify_folder

if TYPE_CHECKING:
    from bundle.cache import BuiltPart
    from bundle.commands import Commands
    from bundle.components import Components, Part, Source

PACKAGES = ("dkumonitor", "collectors", "dkm", "installer", "console")
_PARTS = ("cpython", "python-packages", "collectd", "go-carbon", "carbonapi", "dkm-scan", "webassets")
_OPENSSL = Path("bin/openssl")  # what the release takes of that part, beside what is linked into Python
_LISTS = ("modules.json", "packages.json", "web-packages.json")
_LAUNCHER = "launcher.sh"  # becomes the release's `installer`
_NOT_IN_PACKAGES = {"__pycache__", "tests", "node_modules", "target", "dashboard.json", "static", _LAUNCHER}


@dataclass(frozen=True)
class Release:
    """A release that is being laid: `tree` is its top folder, `checkout` where our own code comes from."""

    tree: Path
    checkout: Path
    version: str
    components: Components
    built: dict[str, BuiltPart]


def shipped(relative: str) -> bool:
    """Whether a file or folder of a package goes into the release as part of that package.

    No tests, caches, editor files and hidden files do; dashboards, static files and the launcher go elsewhere.
    """
    name = relative.rsplit("/", 1)[-1]
    leftover = name.startswith(".") or name.endswith((".pyc", "~", ".orig", ".rej"))
    return not leftover and name not in _NOT_IN_PACKAGES


def lay(release: Release, commands: Commands) -> None:
    """Lay everything but Grafana, licences of Grafana, SBOM and manifest into the release tree."""
    tree = fresh_folder(release.tree)
    for name in _PARTS:
        copy_tree(release.built[name].tree, tree, lambda relative: relative not in _LISTS)
    copy_file(release.built["openssl"].tree / _OPENSSL, tree / _OPENSSL, executable=True)
    for built in release.built.values():
        copy_tree(built.licences, tree / "licenses")
    _keep_folder(tree / cpython.SITE_PACKAGES.parent / "lib-dynload")
    _lay_own(release, tree)
    python = release.built["cpython"].tree / cpython.PYTHON
    script = Path(__file__).with_name("bytecode.py")
    for name in PACKAGES:
        if (tree / cpython.SITE_PACKAGES / name).is_dir():
            argv: list[str | Path] = [python, "-I", "-B", script, tree, cpython.SITE_PACKAGES / name]
            commands.run("assemble", argv, tree, {"PYTHONHASHSEED": "0"})


def _keep_folder(folder: Path) -> None:
    """Put a file into a folder that Python looks for at its start and that is empty: a manifest names no folders."""
    folder.mkdir(exist_ok=True)
    note = folder / "README.txt"
    note.write_text("Every native module is built into the interpreter.\n", encoding="utf-8")
    note.chmod(0o644)


def finish(release: Release, grafana: sbom.Entry | None) -> None:
    """Write sbom.cdx.json and MANIFEST.sha256, which names every other file."""
    entries = {entry.purl: entry for entry in [*_bill(release), *([grafana] if grafana else [])]}
    text = sbom.render("dkumonitor", release.version, release.components.epoch, list(entries.values()))
    (release.tree / "sbom.cdx.json").write_text(text, encoding="utf-8")
    (release.tree / "sbom.cdx.json").chmod(0o644)
    files = sorted(path for path in release.tree.rglob("*") if path.is_file() and not path.is_symlink())
    lines = [f"{sha256_of(path)}  {path.relative_to(release.tree).as_posix()}\n" for path in files]
    (release.tree / "MANIFEST.sha256").write_text("".join(lines), encoding="utf-8")
    (release.tree / "MANIFEST.sha256").chmod(0o644)


def part_entry(part: Part, source: Source, licence: str = "") -> sbom.Entry:
    """Return the SBOM entry of a part: which of its sources was used, and where that is published."""
    addresses = [("website", part.homepage)]
    if source.url:
        addresses.append(("distribution", source.url))
    if part.source_code:
        addresses.append(("vcs", part.source_code))
    chosen = f"{part.sources.index(source) + 1} of {len(part.sources)}" if source in part.sources else "given file"
    notes = [("source-file", source.files[0]), ("source-candidate", chosen)]
    if source.debian:
        notes.append(("debian-source", f"{source.debian.package} {source.debian.version} ({source.debian.suite})"))
    if part.options:
        notes.append(("options", " ".join(part.options)))
    purl = f"pkg:generic/{part.name}@{source.version}"
    return sbom.Entry(
        part.name,
        source.version,
        purl,
        licence or part.licence,
        source.sha256,
        addresses=tuple(addresses),
        notes=tuple(notes),
    )


def _lay_own(release: Release, tree: Path) -> None:
    checkout = release.checkout
    for name in PACKAGES:
        if (checkout / name).is_dir():
            copy_tree(checkout / name, tree / cpython.SITE_PACKAGES / name, shipped)
    copy_tree(checkout / "templates", tree / "templates", shipped)
    copy_tree(checkout / "console/static", tree / "web", shipped)
    _lay_dashboards(checkout, tree / "dashboards")
    copy_file(checkout / "installer" / _LAUNCHER, tree / "installer", executable=True)
    copy_file(checkout / "VERSION", tree / "VERSION", executable=False)
    if (checkout / "LICENSE").is_file():
        copy_file(checkout / "LICENSE", tree / "licenses/dkumonitor/LICENSE", executable=False)


def _lay_dashboards(checkout: Path, target: Path) -> None:
    target.mkdir()
    sources = {path.name: path for path in sorted((checkout / "dashboards").glob("*.json"))}
    for path in sorted((checkout / "collectors").glob("*/dashboard.json")):
        name = f"{path.parent.name}.json"
        if name in sources:
            raise BuildError(
                f"two dashboards would be dashboards/{name}: {sources[name]} and {path}", "Rename the first."
            )
        sources[name] = path
    for name, path in sorted(sources.items()):
        copy_file(path, target / name, executable=False)


def _bill(release: Release) -> list[sbom.Entry]:
    entries = []
    for name, built in release.built.items():
        if name == "python-packages":
            packages = json.loads((built.tree / "packages.json").read_text(encoding="utf-8"))
            entries += [sbom.package_entry(**package) for package in packages]
            continue
        part = release.components[name]
        if part.kind == "npm":
            listed = json.loads((built.tree / "web-packages.json").read_text(encoding="utf-8"))
            entries += [sbom.npm_entry(**package) for package in listed]
            continue
        if part.kind == "go":
            modules = json.loads((built.tree / "modules.json").read_text(encoding="utf-8"))
            entries += [_module_entry(module, part, built.licences) for module in modules]
            if part.folder:
                entries.append(_own_entry(part, built))
            continue
        (source,) = (source for source in part.sources if source.sha256 == built.about["source_sha256"])
        entries.append(part_entry(part, source))
    return entries


def _own_entry(part: Part, built: BuiltPart) -> sbom.Entry:
    notes = (("options", " ".join(part.options)),)
    purl = f"pkg:generic/{part.name}@{part.version}"
    program = sha256_of(built.tree / "bin" / part.name)
    return sbom.Entry(part.name, part.version, purl, part.licence, program, kind="application", notes=notes)


def _module_entry(module: dict[str, str], part: Part, licences: Path) -> sbom.Entry:
    name, version = module["name"], module["version"]
    if name != part.module:
        return sbom.go_entry(name, version, module["sum"], identify_folder(licences / name.replace("/", "_")))
    patches = tuple(("patched-by", path.name) for path in sorted(golang.module_folder(part).glob("*.patch")))
    entry = sbom.go_entry(name, version, module["sum"], part.licence)
    return replace(entry, notes=entry.notes + patches)
