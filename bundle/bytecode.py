"""Run by the bundle's own Python: compiles modules to .pyc files that are the same bytes wherever they were compiled.

    python3 bytecode.py RELEASE FOLDER

Every .py file below RELEASE/FOLDER gets its .pyc, of the kind "unchecked hash" (PEP 552): it is used whatever the time
stamp of the source, since extracting and copying a release changes those. The path in the code is relative to RELEASE;
at run time Python puts the real one in its place.
"""

import importlib.util
import marshal
import sys
from pathlib import Path

_UNCHECKED_HASH = (1).to_bytes(4, "little")


def compile_tree(release: Path, folder: Path) -> None:
    """Compile all modules below a folder of a release."""
    for path in sorted((release / folder).rglob("*.py")):
        target = Path(importlib.util.cache_from_source(str(path)))
        target.parent.mkdir(exist_ok=True)
        target.parent.chmod(0o755)
        target.write_bytes(compiled(path.read_bytes(), path.relative_to(release).as_posix()))
        target.chmod(0o644)


def compiled(source: bytes, name: str) -> bytes:
    """Return the pyc of a module.

    What marshal writes depends on how often an object is referred to, by others too. So the code is written, read back
    and written again: what was just read has no other references than its own.
    """
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    settled = marshal.loads(marshal.dumps(code))  # noqa: S302  our own bytes
    return importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source) + marshal.dumps(settled)


if __name__ == "__main__":
    compile_tree(Path(sys.argv[1]), Path(sys.argv[2]))
