"""The programs that build the parts: what the machine must bring, and the pinned C compiler that comes as a wheel."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.archives import unpack_wheel
from bundle.cache import key_of
from bundle.errors import BuildError, FetchError, HashError, MissingToolError, RecipeError
from bundle.files import find_program, fresh_folder, publish
from bundle.hashes import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bundle.cache import Cache
    from bundle.commands import Commands

GLIBC_FLOOR = (2, 17)
TARGETS = {"linux-amd64": "x86_64-linux-gnu"}
# __DATE__ is an error for zig unless told otherwise; SOURCE_DATE_EPOCH makes it the same in each build.
_COMPILER_FLAGS = "-O2 -fno-sanitize=undefined -Wno-error=date-time -Wno-date-time"
_GO_AT_LEAST = (1, 24)


@dataclass(frozen=True)
class Tool:
    """A program of the machine: what to look for, and the Debian package that brings it."""

    look_for: str
    package: str


TOOLS = {
    "go": Tool("go", "golang-go"),
    "make": Tool("make", "make"),
    "patch": Tool("patch", "patch"),
    "perl": Tool("perl", "perl"),
    "autoconf": Tool("autoreconf", "autoconf"),
    "automake": Tool("automake", "automake"),
    "libtool": Tool("libtoolize", "libtool"),
    "libltdl": Tool("/usr/share/aclocal/ltdl.m4", "libltdl-dev"),
    "flex": Tool("flex", "flex"),
    "bison": Tool("bison", "bison"),
    "pkg-config": Tool("pkg-config", "pkg-config"),
    "tclsh": Tool("tclsh", "tcl"),
    "pip": Tool("pip", "python3-pip"),
    "npm": Tool("npm", "npm"),
}


def missing(tools: Iterable[str], path: str | None = None) -> list[str]:
    """Return those of the named tools that are not on this machine, sorted."""
    return sorted(name for name in set(tools) if not _present(name, path))


def install_command(tools: Iterable[str]) -> list[str]:
    """Return the command that installs the named tools on Debian and its relatives."""
    packages = sorted({TOOLS[name].package for name in tools})
    return [*([] if os.geteuid() == 0 else ["sudo"]), "apt-get", "install", "-y", "--no-install-recommends", *packages]


def require(tools: Iterable[str], why: str) -> None:
    """Make sure that the named tools are there.

    Raises:
        MissingToolError: names each missing tool and the command that installs them all.
    """
    lost = missing(tools)
    if lost:
        named = ", ".join(f"{name} ({TOOLS[name].look_for})" for name in lost)
        raise MissingToolError(
            f"{why} needs what is not on this machine: {named}",
            f"Install it:\n  {' '.join(install_command(lost))}\n"
            "or let make-package do that: ./make-package --install-tools",
        )


def install(tools: Iterable[str], commands: Commands) -> None:
    """Install what is missing of the named tools by the machine's package manager.

    Raises:
        MissingToolError: it may not, or cannot.
    """
    lost = missing(tools)
    if not lost:
        return
    command = install_command(lost)
    if command[0] == "sudo":
        command.insert(1, "-n")
    if not find_program("apt-get") or not find_program(command[0]):
        require(lost, "the build")
    try:
        prefix = command[: command.index("apt-get")]
        commands.run("tools", [*prefix, "apt-get", "update"], Path("/"))
        commands.run("tools", command, Path("/"), {"DEBIAN_FRONTEND": "noninteractive"})
    except RecipeError as error:
        raise MissingToolError(f"{' '.join(command)} failed:\n{error.what}", "Install the packages by hand.") from error
    require(lost, "the build")


def go_version(commands: Commands, cwd: Path) -> str:
    """Return the version of the Go compiler, such as "go1.26.8".

    Raises:
        MissingToolError: there is none, or it is older than the modules ask for.
    """
    require(["go"], "building the Go parts")
    line = commands.output("go", ["go", "version"], cwd, {"GOTOOLCHAIN": "local"})
    match = re.search(r"\bgo(\d+)\.(\d+)\S*", line)
    if match is None or (int(match[1]), int(match[2])) < _GO_AT_LEAST:
        wanted = ".".join(map(str, _GO_AT_LEAST))
        raise MissingToolError(
            f"the Go parts need Go {wanted} or newer; this machine has: {line}", "Install it from go.dev."
        )
    return match[0]


class Compiler:
    """zig's C compiler for an old glibc, unpacked from its pinned wheel into the cache when it is first needed."""

    def __init__(self, cache: Cache, lock_file: Path, target: str) -> None:
        """Remember where it goes.

        Args:
            cache: holds the unpacked compiler and its own cache.
            lock_file: build-requirements.txt.
            target: a key of TARGETS.
        """
        self._cache = cache
        self._lock_file = lock_file
        self.target = target
        pinned = re.search(r"^ziglang==(\S+)", lock_file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        self.version = pinned[1] if pinned else "?"
        self._home = cache.root / "tools" / f"build-{sha256_of(lock_file)[:16]}"
        self._wrappers = cache.root / "tools" / f"bin-{key_of(home=str(self._home), texts=self._wrapper_texts())[:16]}"

    @property
    def identity(self) -> str:
        """What decides the bytes it makes: version, target and flags."""
        return f"zig {self.version} {self.triple} {_COMPILER_FLAGS}"

    @property
    def ready(self) -> bool:
        """Whether it is unpacked."""
        return self._wrappers.is_dir()

    @property
    def triple(self) -> str:
        """Its target with the glibc version that every Linux system since 2014 has."""
        return f"{TARGETS[self.target]}.{'.'.join(map(str, GLIBC_FLOOR))}"

    @property
    def packages(self) -> Path:
        """The folder that build-requirements.txt is unpacked into; a PYTHONPATH for build backends."""
        return self._home / "packages"

    def prepare(self, commands: Commands) -> bool:
        """Download and unpack it unless that is done; return whether there was anything to do."""
        with self._cache.lock("tools", self._home.name):
            if self.ready:
                return False
            with self._cache.workplace("tools") as work:
                if not self._home.is_dir():
                    self._unpack(work, commands)
                folder = fresh_folder(work / "bin")
                for name, line in self._wrapper_texts().items():
                    (folder / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
                    (folder / name).chmod(0o755)
                publish(folder, self._wrappers)
        return True

    def environment(self, build_root: Path) -> dict[str, str]:
        """Return the variables for a build below `build_root`, whose path does not get into the result."""
        return {
            "PATH": f"{self._wrappers}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "CC": "dkm-cc",
            "AR": "dkm-ar",
            "RANLIB": "dkm-ranlib",
            "CC_FOR_BUILD": "dkm-cc",
            "DKM_BUILD_ROOT": str(build_root),
            "SOURCE_DATE_EPOCH": "1",
            "ZERO_AR_DATE": "1",
            "ZIG_GLOBAL_CACHE_DIR": str(self._cache.root / "zig"),
            "ZIG_LOCAL_CACHE_DIR": str(self._cache.root / "zig"),
        }

    def _unpack(self, work: Path, commands: Commands) -> None:
        fresh = fresh_folder(work / "home")
        options = ["--only-binary", ":all:"]
        download_wheels(self._lock_file, work / "wheels", commands, part="compiler", options=options)
        for wheel in sorted((work / "wheels").glob("*.whl")):
            unpack_wheel(wheel, fresh / "packages")
        publish(fresh, self._home)

    def _wrapper_texts(self) -> dict[str, str]:
        # Found on the search path and named without a folder: nothing that records its compiler records where it lay.
        zig = self.packages / "ziglang" / "zig"
        cc = f'"{zig}" cc -target {self.triple} {_COMPILER_FLAGS} "-ffile-prefix-map=$DKM_BUILD_ROOT=."'
        return {
            "dkm-cc": f'exec {cc} "$@"',
            "dkm-ar": f'exec "{zig}" ar "$@"',
            "dkm-ranlib": f'exec "{zig}" ranlib "$@"',
        }


def download_wheels(
    lock_file: Path,
    into: Path,
    commands: Commands,
    *,
    part: str,
    options: Sequence[str],
    env: Mapping[str, str] | None = None,
) -> None:
    """Download every file that a hash-locked requirements file names, with pip, and check each hash ourselves too.

    Raises:
        MissingToolError: no Python on this machine has pip.
        FetchError: the package index cannot be reached or lacks a file.
        HashError: a file is not among the pinned ones.
    """
    into.mkdir(parents=True, exist_ok=True)
    argv = [
        _python_with_pip(commands, into),
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ]
    argv += ["--require-hashes", "--dest", str(into), *options, "--requirement", str(lock_file)]
    try:
        commands.run(part, argv, into, env)
    except RecipeError as error:
        raise _pip_failure(error, lock_file) from error
    pinned = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", lock_file.read_text(encoding="utf-8")))
    for path in sorted(into.iterdir()):
        found = sha256_of(path)
        if found not in pinned:
            raise HashError(
                f"{path.name} is not one of the files that {lock_file.name} pins\n    found sha256 {found}",
                "Look at what answers for the package index.",
            )


def _pip_failure(error: RecipeError, lock_file: Path) -> BuildError:
    if "DO NOT MATCH THE HASHES" in error.what or "HashMismatch" in error.what:
        return HashError(
            f"a Python package is not the one that {lock_file.name} pins:\n{error.what}",
            "Look at what answers for the index.",
        )
    return FetchError(
        f"the Python packages of bundle/{lock_file.name} cannot be had:\n{error.what}",
        "Check the network, or give pip a folder with the files:\n"
        "  PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER ./make-package",
    )


def _present(name: str, path: str | None) -> bool:
    tool = TOOLS[name]
    if tool.look_for.startswith("/"):
        return Path(tool.look_for).exists()
    return find_program(tool.look_for, path) is not None


def _python_with_pip(commands: Commands, cwd: Path) -> str:
    candidates = [sys.executable, find_program("python3"), "/usr/bin/python3"]
    for candidate in candidates:
        if not candidate or not Path(candidate).exists():
            continue
        try:
            commands.run("pip", [candidate, "-m", "pip", "--version"], cwd)
        except RecipeError:
            continue
        return candidate
    raise MissingToolError(
        "no Python on this machine has pip, which downloads the pinned Python packages",
        f"Install it:\n  {' '.join(install_command(['pip']))}",
    )
