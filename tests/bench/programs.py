"""The benchmarks' own programs in C, and peers from cargo, each by its exact version."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

_HERE = Path(__file__).parent
_CARGO = {
    "dua": "dua-cli@2.32.2",
    "dust": "du-dust@1.2.7",
    "pdu": "parallel-disk-usage@0.24.0",
    "diskus": "diskus@0.9.0",
}


def compiled(name: str, folder: Path) -> Path:
    """The program made of NAME.c in this folder."""
    program = folder / name
    options = ("-O2", "-Wall", "-Wextra", "-Werror", "-pthread")
    subprocess.run(["cc", *options, "-o", program, _HERE / f"{name}.c"], check=True)
    return program


def peers() -> dict[str, Path]:
    """Rust's tools, built where they are not yet in the user's cache, and Debian's gdu."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "dkumonitor/bench"
    found = {}
    for name, package in _CARGO.items():
        folder = cache / package
        if not (folder / "bin" / name).exists():
            print(f"bench: building {package} for comparison", flush=True)
            subprocess.run(["cargo", "install", "--quiet", "--locked", "--root", folder, package], check=True)
        found[name] = folder / "bin" / name
    gdu = shutil.which("gdu")
    if gdu is None:
        raise FileNotFoundError("gdu is not on this machine: apt-get install gdu")
    return found | {"gdu": Path(gdu)}
