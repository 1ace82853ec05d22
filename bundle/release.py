"""The way from built parts to files in dist/: tree, checks, tarball, sources archive."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bundle import assemble, cpython, grafana
from bundle.errors import BuildError, DiskFullError, RecipeError, disk_full, room_on
from bundle.files import copy_file, copy_tree, fresh_folder, remove
from bundle.hashes import sha256_of
from bundle.verify import verify

if TYPE_CHECKING:
    from bundle.assemble import Release
    from bundle.cache import BuiltPart, Cache
    from bundle.commands import Commands
    from bundle.grafana import GrafanaFile
    from bundle.progress import Progress
    from bundle.sbom import Entry

_WHEEL_IMPORTS = """
    alembic.command alembic.op click graphyte h11 jinja2 ldap3 markupsafe._speedups msgspec msgspec._core pg8000.dbapi
    pymysql rich sqlalchemy sqlalchemy.dialects.mysql.pymysql sqlalchemy.dialects.postgresql.pg8000
    sqlalchemy.dialects.sqlite starlette.applications starlette.templating supervisor.supervisord
    supervisor.supervisorctl uvicorn.protocols.http.h11_impl
"""


@dataclass(frozen=True)
class Output:
    """Where a build writes: `build` is the checkout's build/, `dist` its dist/, `target` such as linux-amd64."""

    build: Path
    dist: Path
    target: str


def lay_tree(release: Release, grafana_file: GrafanaFile | None, commands: Commands, progress: Progress) -> None:
    """Lay the whole release tree, Grafana included where there is a file of it."""
    progress.start("tree", "laying")
    with room_on(release.tree):
        assemble.lay(release, commands)
        entry: Entry | None = None
        if grafana_file:
            progress.start("tree", "unpacking Grafana")
            version = grafana.unpack(grafana_file, release.tree, release.tree / "licenses")
            part = release.components["grafana"]
            source = replace(part.sources[0], version=version, sha256=grafana_file.sha256)
            if source == part.sources[0]:
                entry = assemble.part_entry(part, source)
            else:
                entry = assemble.part_entry(part, replace(source, files=(grafana_file.path.name,), url=None))
        assemble.finish(release, entry)
    progress.done("tree", f"{sum(1 for path in release.tree.rglob('*') if path.is_file())} files")


def check_tree(release: Release, output: Output, cache: Cache, commands: Commands, progress: Progress) -> None:
    """Run the verify step; remarks about Grafana's own files are printed."""
    progress.start("verify", "checking")
    own = [name for name in assemble.PACKAGES if (release.tree / cpython.SITE_PACKAGES / name).is_dir()]
    paths = [cache.root / name for name in ("work", "parts", "tools")]
    paths += [output.build, *(release.checkout / name for name in ("bundle", "scanner"))]
    remarks = verify(release.tree, [*own, *_WHEEL_IMPORTS.split()], paths, output.build, commands)
    for remark in remarks:
        commands.log.write("verify", f"taken as it is: {remark}")
    if remarks:
        progress.say(f"verify: {len(remarks)} remarks about Grafana's own files are in {commands.log.path}")
    progress.done("verify", "all promises hold")


def write_archives(
    release: Release, source_files: dict[str, Path], output: Output, commands: Commands, progress: Progress
) -> Path:
    """Write the tarball and the sources archive into dist/ and return the tarball."""
    output.dist.mkdir(parents=True, exist_ok=True)
    name = f"dkumonitor-{release.version}"
    tarball = output.dist / f"{name}-{output.target}.tar.gz"
    progress.start("archive", "packing")
    _archive(release, release.tree, name, tarball, commands)
    progress.start("archive", "packing the sources")
    sources = _lay_sources(release, source_files, output.build / "sources")
    _archive(release, sources, f"{name}-sources", output.dist / f"{name}-sources.tar", commands)
    remove(sources)
    progress.done("archive", f"{tarball.stat().st_size / 1e6:.1f} MB")
    return tarball


def summary(tarball: Path) -> str:
    """Return the last words of a build."""
    return f"{tarball}\nsha256 {sha256_of(tarball)}"


def _archive(release: Release, folder: Path, top: str, target: Path, commands: Commands) -> None:
    python = release.built["cpython"].tree / cpython.PYTHON
    script = Path(__file__).with_name("archive.py")
    argv: list[str | Path] = [python, "-I", "-B", script, folder, top, str(release.components.epoch), target]
    try:
        commands.run("archive", argv, folder)
    except DiskFullError as error:
        raise disk_full(target) from error
    except RecipeError as error:
        raise BuildError(f"{target} cannot be written:\n{error.what}", "See that dist/ can be written to.") from error


def _lay_sources(release: Release, files: dict[str, Path], folder: Path) -> Path:
    fresh_folder(folder)
    with room_on(folder):
        lines = []
        for name, built in release.built.items():
            lines += _lay_source(release, files.get(name), name, built, folder)
        copy_tree(release.checkout / "bundle", folder / "bundle", assemble.shipped)
        copy_tree(release.tree / "licenses", folder / "licenses")
        copy_file(release.tree / "sbom.cdx.json", folder / "sbom.cdx.json")
        (folder / "README").write_text(_README + "".join(lines), encoding="utf-8")
    return folder


def _lay_source(release: Release, file: Path | None, name: str, built: BuiltPart, folder: Path) -> list[str]:
    if name not in release.components.parts:
        return [f"\n{name}: bundle/requirements.txt names every file and its hash; sbom.cdx.json says more.\n"]
    part = release.components[name]
    if part.kind == "npm":
        return [
            f"\n{name}: bundle/webassets/package-lock.json names every package and its hash; nothing is compiled.\n"
        ]
    address = part.homepage or "a part of dkumonitor"
    lines = [f"\n{name} {built.about['version']} ({part.licence}), {address}\n  options: {' '.join(part.options)}\n"]
    if file is None:
        copy_tree(built.source, folder / "sources" / name)
        pins = f"sources/{name}/go.sum" if part.folder else f"bundle/{name}/go.sum"
        return [*lines, f"  source: sources/{name}; its modules are pinned by {pins}\n"]
    with_name = folder / "sources" / file.name
    with_name.parent.mkdir(exist_ok=True)
    try:
        os.link(file, with_name)
    except OSError:
        copy_file(file, with_name, executable=False)
    return [*lines, f"  source: sources/{file.name}\n"]


_README = """\
What the programs of this release were compiled from, with the recipes (bundle/*.py, bundle/components.toml) and options
that made them. Licence texts are in licenses/, the address of every other part in sbom.cdx.json.
./make-package --sources-dir sources builds from these files.
"""
