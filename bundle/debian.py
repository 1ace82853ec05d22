"""Source files from Debian source packages, by the machine's own apt set-up but without touching its state."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import FetchError, RecipeError
from bundle.files import find_program

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bundle.commands import Commands
    from bundle.components import DebianSource

_APT = Path("/etc/apt")
_OS_RELEASE = Path("/etc/os-release")


def source_entries(texts: Iterable[tuple[str, str]], codename: str, suite: str) -> str:
    """Turn a machine's apt sources into deb-src entries of another suite, in the deb822 format.

    Args:
        texts: (file name, content) of sources.list and of what lies in sources.list.d.
        codename: the suite the machine runs; entries of other suites (other publishers' archives) are left out.
        suite: the suite that is wanted.

    Source: sources.list(5).
    """
    stanzas = [
        stanza
        for name, text in texts
        for stanza in (_deb822_stanzas(text) if name.endswith(".sources") else _one_line_stanzas(text))
        if codename in re.split(r"[\s-]", stanza.get("Suites", "")) and stanza.get("Enabled", "yes") != "no"
    ]
    entries = []
    for stanza in stanzas:
        renamed = {**stanza, "Types": "deb-src", "Suites": stanza["Suites"].replace(codename, suite)}
        entries.append("".join(f"{key}: {value}\n" for key, value in renamed.items()))
    return "\n".join(dict.fromkeys(entries))


def matching_revisions(showsrc: str, upstream: str) -> list[str]:
    """Return the versions in `apt-cache showsrc` output whose upstream part is the wanted one, last listed first."""
    versions = re.findall(r"^Version: (\S+)$", showsrc, flags=re.MULTILINE)
    wanted = re.compile(rf"(\d+:)?{re.escape(upstream)}(-[^-]+)?")
    return list(dict.fromkeys(version for version in reversed(versions) if wanted.fullmatch(version)))


class DebianArchive:
    """The machine's Debian archive, asked with package lists of our own below `state` (one folder a suite)."""

    def __init__(self, state: Path, commands: Commands) -> None:
        self._state = state
        self._commands = commands
        self._updated: set[str] = set()

    def download(self, source: DebianSource, names: tuple[str, ...], into: Path, part: str) -> Path:
        """Fetch the upstream file of a Debian source package; the caller holds the lock of the suite.

        Args:
            source: package, upstream version and suite.
            names: the names that the file may have.
            into: where the file goes.
            part: whose line leads apt's output in the log.

        Raises:
            FetchError: this machine has no apt, its archive has no such version, or it cannot be reached.
        """
        if not find_program("apt-get"):
            raise FetchError("this machine has no apt-get", "Give the file by --sources-dir.")
        state = self._state / source.suite
        environment = {"APT_CONFIG": str(_private_config(source.suite, state))}
        if source.suite not in self._updated:
            try:
                self._commands.run(part, ["apt-get", "update"], state, environment)
            except RecipeError as error:
                raise FetchError(
                    f"apt-get update failed for Debian {source.suite}", "Look into build/build.log."
                ) from error
            self._updated.add(source.suite)
        listed = self._commands.output(
            part, ["apt-cache", "showsrc", "--only-source", source.package], state, environment
        )
        for version in matching_revisions(listed, source.version):
            wanted = f"{source.package}={version}"
            try:
                self._commands.run(
                    part, ["apt-get", "source", "--download-only", "--tar-only", wanted], into, environment
                )
            except RecipeError:
                continue  # the archive lists it and no longer has it; another revision has the same upstream file
            for name in names:
                if (into / name).is_file():
                    return into / name
        raise FetchError(
            f"the Debian archive of {source.suite} does not serve {source.package} {source.version}",
            "Give the file by --sources-dir.",
        )


def _private_config(suite: str, state: Path) -> Path:
    release = dict(line.split("=", 1) for line in _OS_RELEASE.read_text(encoding="utf-8").splitlines() if "=" in line)
    codename = release.get("VERSION_CODENAME", "").strip('"')
    paths = [_APT / "sources.list", *sorted((_APT / "sources.list.d").glob("*"))]
    texts = [
        (path.name, path.read_text(encoding="utf-8"))
        for path in paths
        if path.suffix in {".list", ".sources"} and path.is_file()
    ]
    entries = source_entries(texts, codename, suite) if codename else ""
    if not entries:
        raise FetchError("this machine's apt has no archive of its own release", "Give the file by --sources-dir.")
    for folder in ("lists/partial", "archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "sources.sources").write_text(entries, encoding="utf-8")
    config = state / "apt.conf"
    config.write_text(
        f'Dir::Etc::sourcelist "{state}/sources.sources";\nDir::Etc::sourceparts "-";\n'
        f'Dir::State::lists "{state}/lists";\n'
        f'Dir::Cache::archives "{state}/archives";\nDir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
        'Acquire::Languages "none";\nAPT::Sandbox::User "root";\nDebug::NoLocking "true";\n',
        encoding="utf-8",
    )
    return config


def _deb822_stanzas(text: str) -> list[dict[str, str]]:
    stanzas = []
    for block in re.split(r"\n\s*\n", text):
        stanza: dict[str, str] = {}
        key = ""
        for line in block.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            if line[0].isspace() and key:
                stanza[key] += f"\n{line}"
            elif ":" in line:
                key, value = line.split(":", 1)
                stanza[key] = value.strip()
        if {"URIs", "Suites"} <= stanza.keys():
            stanzas.append(stanza)
    return stanzas


def _one_line_stanzas(text: str) -> list[dict[str, str]]:
    stanzas = []
    for line in text.splitlines():
        match = re.fullmatch(
            r"deb(?:-src)?\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<parts>[^#]+?)\s*(#.*)?",
            line,
        )
        if match:
            stanza = {"URIs": match["uri"], "Suites": match["suite"], "Components": match["parts"]}
            options = dict(word.split("=", 1) for word in (match["options"] or "").split() if "=" in word)
            if "signed-by" in options:
                stanza["Signed-By"] = options["signed-by"]
            stanzas.append(stanza)
    return stanzas
