"""What every recipe gets to work with, and how its result is keyed and kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import BuildError
from bundle.files import copy_file
from bundle.hashes import sha256_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bundle.cache import BuiltPart
    from bundle.commands import Commands
    from bundle.components import Part
    from bundle.toolchain import Compiler


@dataclass(frozen=True)
class Workshop:
    """The place where one part is built.

    `source` is the unpacked source (empty for parts without one), `scratch` holds it and whatever else a recipe needs
    on the way, `tree` takes the result, `licences` the licence texts, `kept_source` the source of a part that has no
    source file.
    """

    part: Part
    source: Path
    scratch: Path
    tree: Path
    licences: Path
    kept_source: Path
    needs: Mapping[str, BuiltPart]
    compiler: Compiler
    commands: Commands

    @property
    def jobs(self) -> str:
        """The option that lets make use every core."""
        return f"-j{os.cpu_count() or 1}"

    def run(self, *argv: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        """Run a program with the compiler's environment, in the source folder unless told otherwise."""
        environment = self.compiler.environment(self.scratch) | dict(env or {})
        self.commands.run(self.part.name, argv, cwd or self.source, environment)


def copy_licences(source: Path, names: Sequence[str], target: Path) -> None:
    """Copy a part's licence texts; "A|B" means the first of them that is there.

    Raises:
        BuildError: a text is not where components.toml says: the release would not carry it.
    """
    for alternatives in names:
        paths = [source / name for name in alternatives.split("|") if (source / name).is_file()]
        if not paths:
            raise BuildError(
                f"{source.name} has no licence file {alternatives}", "Correct licence_files in components.toml."
            )
        copy_file(paths[0], target / paths[0].relative_to(source).as_posix().replace("/", "-"), executable=False)


def recipe_texts(*modules: str) -> dict[str, str]:
    """Return the hash of each named recipe module: a changed recipe builds anew."""
    folder = Path(__file__).parent
    return {name: sha256_of(folder / f"{name}.py") for name in modules}
