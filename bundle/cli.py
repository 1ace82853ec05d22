"""The command line of make-package: options, the order of the steps, and what is said when one fails."""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bundle import grafana, release
from bundle.assemble import Release
from bundle.cache import Cache, default_root
from bundle.commands import Commands, Interrupted
from bundle.components import Components, load
from bundle.debian import DebianArchive
from bundle.errors import BuildError, UsageError, disk_full
from bundle.jobs import run_all
from bundle.parts import Workbench
from bundle.progress import BuildLog, Progress
from bundle.sources import Sources, download_folder
from bundle.toolchain import TARGETS, Compiler, install

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHECKOUT = Path(__file__).resolve().parent.parent
_AT_ONCE = 2
_INTERRUPTED = 130
_FULL = (28, 122)  # ENOSPC, EDQUOT


def parser() -> argparse.ArgumentParser:
    """Return the parser of make-package's options."""
    text = "Build dist/dkumonitor-VERSION-linux-amd64.tar.gz."
    more = "docs/building.md says what is needed and what each message means."
    options = argparse.ArgumentParser(prog="make-package", description=text, epilog=more, allow_abbrev=False)
    options.add_argument("--target", default="linux-amd64", help="what machine the bundle is for (%(default)s)")
    options.add_argument(
        "--grafana", type=Path, metavar="FILE", help="bundle this Grafana tarball instead of downloading the pinned one"
    )
    options.add_argument(
        "--grafana-sha256",
        metavar="HASH",
        help="the hash of that file, where it is another release than the pinned one",
    )
    options.add_argument(
        "--without", action="append", default=[], metavar="PART", help="leave a part out; grafana is the only one"
    )
    options.add_argument(
        "--sources-dir",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="take source files from this folder",
    )
    options.add_argument(
        "--skip-build", action="store_true", help="use parts from the cache only; a missing one is an error"
    )
    options.add_argument(
        "--skip-archive", action="store_true", help="leave the release tree in build/ and write no tarball"
    )
    options.add_argument("--install-tools", action="store_true", help="install missing tools with apt-get first")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out make-package and return its exit code (see bundle.errors)."""
    options = parser().parse_args(arguments)
    os.umask(0o022)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        _check(options)
        with _only_one(CHECKOUT / "build"):
            _build(options)
    except BuildError as error:
        return _fail(error)
    except OSError as error:
        if error.errno in _FULL:
            return _fail(disk_full(Path(error.filename or CHECKOUT)))
        return _fail(
            BuildError(
                f"{error.filename or CHECKOUT}: {error.strerror or error}", "See that it can be read and written."
            )
        )
    except (KeyboardInterrupt, Interrupted):
        print("make-package: interrupted; finished parts are kept, nothing half-written was left.", file=sys.stderr)
        return _INTERRUPTED
    return 0


def _check(options: argparse.Namespace) -> None:
    if options.target not in TARGETS:
        raise UsageError(f"there is no recipe for the target {options.target!r}", f"Targets: {', '.join(TARGETS)}.")
    for name in options.without:
        if name != "grafana":
            raise UsageError(f"{name!r} cannot be left out", "Only grafana can: --without grafana.")
    if options.without and (options.grafana or options.grafana_sha256):
        raise UsageError("--without grafana and --grafana contradict each other", "Give one of them.")
    if options.grafana_sha256 and not options.grafana:
        raise UsageError("--grafana-sha256 is the hash of the file that --grafana names", "Give --grafana FILE too.")
    for folder in options.sources_dir:
        if not folder.is_dir():
            raise UsageError(f"--sources-dir: there is no folder {folder}", "Correct the path.")


def _build(options: argparse.Namespace) -> None:
    components = load(CHECKOUT / "bundle/components.toml")
    cache = Cache(default_root())
    log = BuildLog(CHECKOUT / "build/build.log")
    commands = Commands(log)
    progress = Progress()
    try:
        _steps(options, components, cache, commands, progress)
    except BaseException:
        commands.stop()
        raise
    finally:
        progress.close()
        log.close()


def _steps(
    options: argparse.Namespace, components: Components, cache: Cache, commands: Commands, progress: Progress
) -> None:
    folders = [*options.sources_dir, *([folder] if (folder := download_folder()) else [])]
    archive = DebianArchive(cache.root / "apt", commands)
    sources = Sources(cache, [folder.resolve() for folder in folders], archive, commands.log.write)
    compiler = Compiler(cache, CHECKOUT / "bundle/build-requirements.txt", options.target)
    bench = Workbench(
        components=components,
        folder=CHECKOUT / "bundle",
        cache=cache,
        sources=sources,
        compiler=compiler,
        commands=commands,
        progress=progress,
        only_cached=options.skip_build,
    )
    if options.install_tools:
        progress.start("tools", "looking")
        install(bench.tools(), commands)
        progress.done("tools", "all there")
    grafana_file = None
    if "grafana" not in options.without:  # first: nothing is built in vain where it cannot be had
        progress.start("grafana", "looking")
        grafana_file = grafana.choose(components["grafana"], sources, options.grafana, options.grafana_sha256)
        progress.done("grafana", "checked")
    built = run_all(bench.jobs(), _AT_ONCE, commands.stop)
    source_files = bench.source_files(built)
    version = (CHECKOUT / "VERSION").read_text(encoding="utf-8").strip()
    made = Release(CHECKOUT / "build/tree" / f"dkumonitor-{version}", CHECKOUT, version, components, built)
    output = release.Output(CHECKOUT / "build", CHECKOUT / "dist", options.target)
    release.lay_tree(made, grafana_file, commands, progress)
    release.check_tree(made, output, cache, commands, progress)
    if options.skip_archive:
        progress.say(f"{made.tree}")
        return
    progress.say(release.summary(release.write_archives(made, source_files, output, commands, progress)))


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the lock of this checkout's build/: a second make-package here waits for the first."""
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("make-package: another make-package works in this checkout; waiting for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _fail(error: BuildError) -> int:
    print(f"make-package: {error.what}", file=sys.stderr)
    for line in error.do.splitlines():
        print(f"  {line}", file=sys.stderr)
    return error.exit_code
