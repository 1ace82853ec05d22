"""`python -m tests.bench [--quick] [--only NAME ...]`: measure, and write docs/benchmarks.md after a full run."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.bench import (
    bench_arrivals,
    bench_console,
    bench_ingest,
    bench_render,
    bench_scanner,
    bench_stack,
    machine,
    report,
)

ROOT = Path(__file__).resolve().parents[2]
VERSION = (ROOT / "VERSION").read_text().strip()
PARTS = ("stack", "render", "ingest", "console", "arrivals", "scanner")


def main() -> None:
    """Run the parts that were asked for, print every result, and write the document from a full run."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions, for trying; the document is printed")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="only these parts; the same")
    options = parser.parse_args()
    bundle = Path(os.environ.get("DKM_BUNDLE", ROOT / f"dist/dkumonitor-{VERSION}-linux-amd64.tar.gz"))
    described = machine.describe()
    print(described, flush=True)
    folder = Path(tempfile.mkdtemp(prefix="dkumonitor-bench-"))
    folder.chmod(0o755)
    try:
        subprocess.run(["tar", "-xzf", bundle, "-C", folder, "--no-same-owner"], check=True)
        release = folder / f"dkumonitor-{VERSION}"
        stack = (
            bench_stack.run(bundle, release, folder / "stack", quick=options.quick) if "stack" in options.only else []
        )
        render = bench_render.run(release, folder / "render", quick=options.quick) if "render" in options.only else []
        ingest = bench_ingest.run(release, folder / "ingest", quick=options.quick) if "ingest" in options.only else []
        console = (
            bench_console.run(release, folder / "console", quick=options.quick) if "console" in options.only else None
        )
        arrivals = (
            bench_arrivals.run(release, folder / "arrivals", quick=options.quick)
            if "arrivals" in options.only
            else None
        )
        scans = (
            bench_scanner.run(release, folder / "scanner", quick=options.quick) if "scanner" in options.only else None
        )
    finally:
        shutil.rmtree(folder)
    document = report.write(
        described,
        ingest=ingest,
        render=render,
        stack=stack,
        console=console,
        arrivals=arrivals,
        scans=scans,
    )
    print(document)
    if not options.quick and set(options.only) == set(PARTS):
        (ROOT / "docs/benchmarks.md").write_text(document)


if __name__ == "__main__":
    main()
