"""docs/benchmarks.md from the results of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.bench.bench_arrivals import Arrivals
    from tests.bench.bench_console import Console
    from tests.bench.bench_ingest import Ingest
    from tests.bench.bench_render import Render
    from tests.bench.bench_scanner import Scans
    from tests.bench.figures import Figure

HEAD = """# Benchmarks

Written by `make bench` from one run; do not edit. Both sides of a comparison run on the same machine in turn, with the
same retentions and the same data; what one side answers is checked, so that it is not quick by leaving something out.
Ratios are steadier than times.

"""
INGEST = """
## Receiving and writing points

CPU time of the process until all is written, as the median of several turns; one connection, one point of each series
at a time. Evenly: 10,000 points a second. In a burst: as fast as they are taken, so that several points of a series are
written at once. New series: the first point of each, which creates its file. carbon-cache has no limits on creates and
updates here, and go-carbon's bounds are off.

"""
RENDER = """
## Reading 24 hours at 10 s

Latency of one JSON render at a time, the caches of results off, the files in the page cache; median of several turns.

"""
STACK = """
## The installation

Type `all` without Grafana, with the host collector and collectd at their interval of 10 s.

"""
CONSOLE_TABLES = """
## Tables of the console

A page of 50 of 10,000 rows of the audit log as HTML, median of several turns over one kept connection, the console
and datasette in turn. Datasette serves a copy of the same table from a file that never changes, so that it may keep
counts; the console checks the account, counts, and reads the database that it also writes.

"""
CONSOLE = """
## The console in use

An installation of type `all` with 24 hours of three hosts, 300 people and 10,000 rows in the audit log. Bytes are those
of a browser whose cache is empty; the browser is Debian's Chromium without a graphics card, on the same machine.

"""
ARRIVALS = """
## Arrivals

Files created as fast as one process can, each announced on a list of a real Redis; CPU time a file of all processes but
Redis, as the median of several turns, the sides in turn. `inotifywait -m | redis-cli --pipe` promises nothing; the loop
pushes one event a call. The watcher announced every file; a peer that the kernel's queue overflowed for says so here.

"""
SCANNER = """
## Scanning a tree

One million entries in 16,000 directories (tests/bench/tree.py) on ext4, in the page cache; medians of programs run in
turn. Only dkm-scan counts owners, ages, directories and the largest files; the loop in C asks the kernel the same and
does nothing with the answers. On the slow file system a third of the entries lie in one directory.

"""


def write(
    machine: Mapping[str, str],
    *,
    ingest: Sequence[Ingest],
    render: Sequence[Render],
    stack: Sequence[Figure],
    console: Console | None,
    arrivals: Arrivals | None,
    scans: Scans | None,
) -> str:
    """The document."""
    return (
        HEAD
        + _table(("", "measured on"), machine.items())
        + INGEST
        + _table(("series", "", "go-carbon", "carbon-cache", "ratio"), _ingest_rows(ingest))
        + RENDER
        + _table(("series", "maxDataPoints", "carbonapi", "graphite-web", "ratio"), _render_rows(render))
        + STACK
        + _table(("", "measured", "bound"), map(_figure_row, stack))
        + (_console(console) if console else "")
        + (_arrivals(arrivals) if arrivals else "")
        + (_scans(scans) if scans else "")
    )


def _scans(scans: Scans) -> str:
    du = scans.taken[0]
    rows = (
        (each.program, f"{each.wall_seconds:.2f} s", f"{each.wall_seconds / du.wall_seconds:.2f}",
         f"{each.cpu_seconds / du.cpu_seconds:.2f}", f"{each.memory_mb:.1f} MB")
        for each in scans.taken
    )  # fmt: skip
    load = "The machine's load was {:.1f} before and {:.1f} after.\n\n".format(*scans.load)
    return (
        SCANNER
        + load
        + _table(("", "time", "time / du", "CPU / du", "memory"), rows)
        + "\n"
        + _table(("dkm-scan, 2 threads", "measured", "bound"), map(_figure_row, scans.figures))
    )


def _console(console: Console) -> str:
    rows = (
        (one.question, f"{one.median_ms:.1f} ms", f"{one.slowest_ms:.1f} ms", f"{one.peer_median_ms:.1f} ms",
         f"{one.peer_median_ms / one.median_ms:.1f}", "<= 100 ms")
        for one in console.tables
    )  # fmt: skip
    return (
        CONSOLE_TABLES
        + _table(("", "console", "its slowest", "datasette", "ratio", "bound"), rows)
        + CONSOLE
        + _table(("", "measured", "bound"), map(_figure_row, console.figures))
    )


def _arrivals(arrivals: Arrivals) -> str:
    rows = (
        (f"against {one.peer}", f"{one.ours_us:.1f} µs", f"{one.peer_us:.1f} µs", f"{one.ours_us / one.peer_us:.2f}",
         f"<= {one.bound:g}", f"{one.peer_share:.1%}")
        for one in arrivals.compared
    )  # fmt: skip
    return (
        ARRIVALS
        + _table(("CPU a file", "the watcher", "the peer", "ratio", "bound", "announced by the peer"), rows)
        + "\n"
        + _table(("", "measured", "bound"), map(_figure_row, arrivals.figures))
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _ingest_rows(results: Sequence[Ingest]) -> Iterable[Sequence[str]]:
    for series in dict.fromkeys(result.series for result in results):
        ours, theirs = (_one(results, name, series) for name in ("go-carbon", "carbon-cache"))
        yield _compared(f"{series:,}", "evenly, µs a point", ours.even_us, theirs.even_us)
        yield _compared(f"{series:,}", "in a burst, µs a point", ours.burst_us, theirs.burst_us)
        yield _compared(f"{series:,}", "new series, µs a series", ours.new_us, theirs.new_us)
        yield f"{series:,}", "points found on disk", f"{ours.stored_share:.1%}", f"{theirs.stored_share:.1%}", ""


def _one(results: Sequence[Ingest], name: str, series: int) -> Ingest:
    return next(result for result in results if (result.receiver, result.series) == (name, series))


def _compared(series: str, what: str, ours: float, theirs: float) -> Sequence[str]:
    return series, what, f"{ours:.1f}", f"{theirs:.1f}", f"{theirs / ours:.1f}"


def _render_rows(results: Sequence[Render]) -> Iterable[Sequence[str]]:
    for series, limit in dict.fromkeys((result.series, result.max_data_points) for result in results):
        ours, theirs = (
            next(
                result
                for result in results
                if (result.server, result.series, result.max_data_points) == (name, series, limit)
            )
            for name in ("carbonapi", "graphite-web")
        )
        ratio = f"{theirs.median_ms / ours.median_ms:.1f}"
        limited = "none" if limit is None else f"{limit:,}"
        yield str(series), limited, f"{ours.median_ms:.0f} ms", f"{theirs.median_ms:.0f} ms", ratio


def _figure_row(figure: Figure) -> Sequence[str]:
    bound = "" if figure.bound is None else f"<= {figure.bound:g} {figure.unit}"
    return figure.what, f"{figure.value:.3g} {figure.unit}", bound
