"""Templates become the text of files. Reads the templates; writes nothing."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from installer.address import join, parse_endpoint, reached_at
from installer.installation import Installation
from installer.layout import retentions

# What lies in templates/FOLDER becomes conf/FOLDER for an installation with that program.
_ALWAYS = ("supervisord",)
_BY_PROGRAM = {
    "go-carbon": ("go-carbon",),
    "carbonapi": ("carbonapi",),
    "grafana": ("grafana",),
    "collectd": ("collectd", "telegraf"),
}
_SETTINGS = "dkumonitor/dkumonitor.toml"
_DISK_ACTS = "dkumonitor/disk-acts.toml"
EARLIER = "earlier"
# What lies in DIR/bin, by the launcher that it is: `dkm`, `dkmadmin`, and commands that users of earlier tools know.
LAUNCHERS = {
    "dkm": "dkm",
    "dkmadmin": "dkmadmin",
    "dkm-act": "dkm-act",
    "directory_observer": EARLIER,
    "dkmonitor": EARLIER,
}


@dataclass(frozen=True)
class File:
    """A file to be written: its path below DIR, its text, its mode."""

    path: str
    text: str
    mode: int


def render(templates: Path, installation: Installation, directory: Path) -> tuple[File, ...]:
    """All rendered files of an installation, in the order of their paths.

    Args:
        templates: the release's folder of templates.
        installation: what is installed.
        directory: DIR, where the files will lie in the end.

    Raises:
        jinja2.TemplateError: a template uses a name that the context lacks, or is not a template.
    """
    environment = _environment(templates)
    context = make_context(installation, directory)
    folders = [*_ALWAYS, *(folder for program in installation.programs for folder in _BY_PROGRAM.get(program, ()))]
    sources = {
        f"conf/{path.relative_to(templates)}": str(path.relative_to(templates))
        for folder in folders
        for path in sorted((templates / folder).rglob("*"))
        if path.is_file()
    }
    sources["conf/dkumonitor.toml"] = _SETTINGS
    if "collectors" in installation.programs:
        sources["conf/disk-acts.toml"] = _DISK_ACTS
    files = [File(path, environment.get_template(source).render(context), 0o644) for path, source in sources.items()]
    files += [
        File(f"bin/{name}", (templates / "launchers" / launcher).read_text(encoding="utf-8"), 0o755)
        for name, launcher in LAUNCHERS.items()
    ]
    return tuple(sorted(files, key=lambda file: file.path))


def render_one(templates: Path, name: str, context: dict[str, Any]) -> str:
    """One template by its path below ``templates``."""
    return _environment(templates).get_template(name).render(context)


def make_context(installation: Installation, directory: Path) -> dict[str, Any]:
    """The names that templates may use: installation.json's keys, and what follows from them."""
    lib = directory / "lib"
    sends_to = _endpoint(installation.carbon_server)
    ports = installation.ports
    here = join(reached_at(installation.carbon_listen), ports.carbon) if ports.carbon else None
    return {
        **dataclasses.asdict(installation),
        "dir": str(directory),
        "lib": str(lib),
        "conf": str(directory / "conf"),
        "storage": str(directory / "storage"),
        "run": str(directory / "run"),
        "carbon_server_host": sends_to[0],
        "carbon_server_port": sends_to[1],
        "carbon_here": here,
        "carbonapi_url": f"http://{installation.carbonapi_server}" if installation.carbonapi_server else None,
        "collectd": installation.system_collectd or str(lib / "collectd/sbin/collectd"),
        "collectd_plugins": str(lib / "collectd/lib/collectd"),
        "collectd_types_db": str(lib / "collectd/share/collectd/types.db"),
        "scheme": "https" if installation.tls else "http",
        "retentions": retentions(installation.interval_seconds),
    }


def _endpoint(text: str | None) -> tuple[str | None, int | None]:
    return parse_endpoint(text, needs_port=True) if text else (None, None)


def _environment(templates: Path) -> jinja2.Environment:
    return jinja2.Environment(  # noqa: S701  configuration files are no HTML; layout.py refuses what they can't hold
        loader=jinja2.FileSystemLoader(templates),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
