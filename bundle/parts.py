"""From a part of components.toml to its built form in the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bundle import collectd, cpython, golang, libraries, npm, wheels
from bundle.archives import unpack_tarball
from bundle.cache import BuiltPart, key_of
from bundle.errors import FetchError, UsageError
from bundle.hashes import sha256_of
from bundle.jobs import Job
from bundle.recipe import Workshop, copy_licences, recipe_texts
from bundle.toolchain import go_version, require

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bundle.cache import Cache
    from bundle.commands import Commands
    from bundle.components import Components, Part, Source
    from bundle.progress import Progress
    from bundle.sources import Sources
    from bundle.toolchain import Compiler

_RECIPES: dict[str, tuple[Callable[[Workshop], None], tuple[str, ...]]] = {
    "go": (golang.build, ("golang", "recipe")),
    "library": (libraries.build, ("libraries", "recipe")),
    "cpython": (cpython.build, ("cpython", "bytecode", "recipe")),
    "collectd": (collectd.build, ("collectd", "recipe")),
    "npm": (npm.build, ("npm", "recipe")),
}
PACKAGES = "python-packages"
_COMPILER = "compiler"


class Workbench:
    """Builds parts, or takes them from the cache."""

    def __init__(
        self,
        *,
        components: Components,
        folder: Path,
        cache: Cache,
        sources: Sources,
        compiler: Compiler,
        commands: Commands,
        progress: Progress,
        only_cached: bool,
    ) -> None:
        """Remember what to work with; `folder` is bundle/ of the checkout, `only_cached` refuses to build anything."""
        self._components = components
        self._folder = folder
        self._cache = cache
        self._sources = sources
        self._compiler = compiler
        self._commands = commands
        self._progress = progress
        self._only_cached = only_cached

    def jobs(self) -> list[Job]:
        """Return the work, what others wait for first."""
        parts = [part for part in self._components.parts.values() if part.kind != "grafana"]
        order = ["library", "cpython", "collectd", "go", "npm"]
        parts.sort(key=lambda part: order.index(part.kind))
        jobs = [Job(part.name, self._job(part), part.needs) for part in parts]
        jobs.insert(
            sum(part.kind in {"library", "cpython"} for part in parts), Job(PACKAGES, self._packages, ("cpython",))
        )
        return jobs

    def tools(self) -> set[str]:
        """Return the names of all tools that a build from nothing needs."""
        return {"go", "pip"} | {tool for part in self._components.parts.values() for tool in part.tools}

    def source_files(self, built: dict[str, BuiltPart]) -> dict[str, Path]:
        """Return the source file that each built part was made from, checked, and fetched if it is not in the cache.

        Go parts, Python and npm packages have none.
        """
        files = {}
        for name, entry in built.items():
            part = self._components.parts.get(name)
            for source in part.sources if part else ():
                if part and source.sha256 == entry.about["source_sha256"]:
                    cached = self._sources.cached(part, source)
                    if cached is None and self._only_cached:
                        raise _not_cached(f"the source of {name}")
                    files[name] = cached or self._sources.get(part, source)
        return files

    def _job(self, part: Part) -> Callable[[dict[str, Any]], BuiltPart]:
        return lambda needed: self._make(part, needed)

    def _make(self, part: Part, needed: dict[str, BuiltPart]) -> BuiltPart:
        candidates: list[Source | None] = list(part.sources) or [None]
        keys = [self._key(part, source, needed) for source in candidates]
        for key in keys:
            built = self._cached(part.name, part.version, key)
            if built is not None:
                return built
        reasons = []
        for source, key in zip(candidates, keys, strict=True):
            try:
                return self._build(part, source, key, needed)
            except FetchError as error:
                if source is candidates[-1]:
                    raise
                reasons.append(error.what)
                self._progress.say(f"{part.name}: {error.what}; trying the next source")
        raise AssertionError(reasons)

    def _key(self, part: Part, source: Source | None, needed: dict[str, BuiltPart]) -> str:
        locked = {}
        compiler = self._compiler.identity
        if part.kind == "go":
            locked = golang.module_hashes(part)
            compiler = go_version(self._commands, self._cache.root)
        if part.kind == "npm":
            locked = {name: sha256_of(npm.FOLDER / name) for name in npm.LOCKED}
            compiler = ""  # nothing is compiled
        return key_of(
            name=part.name,
            source=source.sha256 if source else "",
            locked=locked,
            options=part.options,
            compiler=compiler,
            target=self._compiler.target,
            recipe=recipe_texts(*_RECIPES[part.kind][1]),
            needs={name: built.key for name, built in sorted(needed.items())},
        )

    def _cached(self, name: str, version: str, key: str) -> BuiltPart | None:
        built = self._cache.part(name, key)
        if built is not None:
            self._progress.done(f"{name} {built.about.get('version', version)}".rstrip(), "cached")
        return built

    def _build(self, part: Part, source: Source | None, key: str, needed: dict[str, BuiltPart]) -> BuiltPart:
        version = source.version if source else part.version
        label = f"{part.name} {version}".rstrip()
        if self._only_cached:
            raise _not_cached(label)
        require([*part.tools, *(source.tools if source else ())], f"building {label}")
        file = None
        if source:
            self._progress.start(label, "fetching")
            file = self._sources.get(part, source)
        self._prepare_compiler(part)

        def fill(entry: Path, scratch: Path) -> None:
            self._fill(part, file, needed, entry, scratch)

        about = {
            "version": version,
            "source_sha256": source.sha256 if source else "",
            "options": part.options,
            "compiler": self._compiler.identity,
            "target": self._compiler.target,
        }
        return self._keep(part.name, label, key, about, fill)

    def _keep(
        self, name: str, label: str, key: str, about: dict[str, Any], fill: Callable[[Path, Path], None]
    ) -> BuiltPart:
        self._progress.start(label, "building")
        with self._cache.lock(name, key, lambda: self._progress.start(label, "waiting for another build of it")):
            built = self._cache.part(name, key)  # another make-package may just have made it
            if built is None:
                self._progress.start(label, "building")
                built = self._cache.keep(name, key, about, fill)
        self._progress.done(label, "built")
        return built

    def _fill(self, part: Part, file: Path | None, needed: dict[str, BuiltPart], entry: Path, scratch: Path) -> None:
        source = scratch / "source"
        source.mkdir()
        if file:
            unpack_tarball(file, source)
            copy_licences(source, part.licence_files, entry / "licences" / part.name)
        shop = self._workshop(part, source, scratch, entry, needed)
        _RECIPES[part.kind][0](shop)

    def _packages(self, needed: dict[str, BuiltPart]) -> BuiltPart:
        lock_file = self._folder / "requirements.txt"
        key = key_of(
            name=PACKAGES,
            lock=sha256_of(lock_file),
            build=sha256_of(self._folder / "build-requirements.txt"),
            target=self._compiler.target,
            recipe=recipe_texts("wheels", "bytecode", "archives"),
            python=needed["cpython"].key,
        )
        built = self._cached(PACKAGES, "", key)
        if built is not None:
            return built
        if self._only_cached:
            raise _not_cached("the Python packages")
        cpython_part = self._components["cpython"]
        part = type(cpython_part)(name=PACKAGES, kind="wheels", licence="", homepage="")
        self._progress.start(PACKAGES, "fetching")
        self._prepare_compiler(part)

        def fill(entry: Path, scratch: Path) -> None:
            wheels.build(self._workshop(part, scratch, scratch, entry, needed), lock_file)

        about = {"version": "", "source_sha256": "", "target": self._compiler.target}
        return self._keep(PACKAGES, PACKAGES, key, about, fill)

    def _prepare_compiler(self, part: Part) -> None:
        if part.kind not in {"go", "npm"} and not self._compiler.ready:
            label = f"{_COMPILER} zig {self._compiler.version}"
            self._progress.start(label, "fetching")
            if self._compiler.prepare(self._commands):
                self._progress.done(label, "unpacked")

    def _workshop(self, part: Part, source: Path, scratch: Path, entry: Path, needed: dict[str, BuiltPart]) -> Workshop:
        return Workshop(
            part=part,
            source=source,
            scratch=scratch,
            tree=entry / "tree",
            licences=entry / "licences",
            kept_source=entry / "source",
            needs=needed,
            compiler=self._compiler,
            commands=self._commands,
        )


def _not_cached(what: str) -> UsageError:
    return UsageError(
        f"{what} is not in the cache, and --skip-build forbids building it", "Run make-package without --skip-build."
    )
