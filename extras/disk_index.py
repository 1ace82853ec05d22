#!/usr/bin/env python3
"""An index of a tree as a Parquet file: one row for each file and link, to be asked with SQL. See extras/README.md.

It is no part of the bundle: it needs DuckDB (`pip install duckdb`) and msgspec, where the index is made.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import duckdb
import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

LENGTH_BYTES = 4  # before each frame of the scanner's stream: scanner/README.md
NUMBERS = ("uid", "gid", "mode", "dev", "ino", "nlink", "size", "allocated", "atime_ns", "mtime_ns", "ctime_ns")
# A path's directory and its name are two columns: a directory stands thousands of times, which Parquet then packs.
WRITE = """
COPY (
    SELECT unhex(coalesce(directory, '')) AS directory, unhex(name) AS name, type, uid, gid, mode, dev, ino,
           nlink AS links, size AS size_bytes, allocated AS allocated_bytes,
           atime_ns // 1000000000 AS atime_seconds, mtime_ns // 1000000000 AS mtime_seconds,
           ctime_ns // 1000000000 AS ctime_seconds
    FROM read_csv(?, header = true, all_varchar = false, types = {'directory': 'VARCHAR', 'name': 'VARCHAR',
                  'type': 'VARCHAR', 'dev': 'UBIGINT', 'ino': 'UBIGINT'})
    ORDER BY directory, name
) TO '%s' (FORMAT parquet, COMPRESSION zstd)
"""


def frames(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    """The frames of the scanner's stream, one after the other."""
    while len(prefix := stream.read(LENGTH_BYTES)) == LENGTH_BYTES:
        yield msgspec.msgpack.decode(stream.read(int.from_bytes(prefix, "big")), strict=False)


def write_rows(scanner: Path, tree: Path, file: Path) -> dict[str, Any]:
    """Scan a tree into a CSV file, names as hexadecimal so that any bytes survive; the scanner's document."""
    document: dict[str, Any] = {}
    with (
        subprocess.Popen([scanner, "--stream", "--list", "--", tree], stdout=subprocess.PIPE) as process,
        file.open("w", newline="") as out,
    ):
        rows = csv.writer(out)
        rows.writerow(("directory", "name", "type", *NUMBERS))
        assert process.stdout is not None  # noqa: S101  a pipe
        for frame in frames(process.stdout):
            if frame["kind"] == "entries":
                columns = frame["columns"]
                split = [path.rpartition(b"/") for path in columns["path"]]
                names = ([directory.hex() for directory, _, _ in split], [name.hex() for _, _, name in split])
                rows.writerows(zip(*names, columns["type"], *(columns[number] for number in NUMBERS), strict=True))
            elif frame["kind"] == "document":
                document = frame
    if process.returncode or not document:
        sys.exit(f"disk_index: {scanner} ended with {process.returncode}; what it said stands above")
    return document


def main() -> None:
    """Make an index, atomically: OUT is the old one or the new one."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0],
        epilog="example: python3 extras/disk_index.py --scanner DIR/lib/bin/dkm-scan /scratch scratch.parquet",
    )
    parser.add_argument("--scanner", type=Path, required=True, help="dkm-scan, in DIR/lib/bin of an installation")
    parser.add_argument("tree", type=Path, help="what to index")
    parser.add_argument("out", type=Path, help="the Parquet file to write")
    wanted = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=wanted.out.absolute().parent, prefix=".disk-index-") as folder:
        rows, partial = Path(folder, "rows.csv"), Path(folder, "index.parquet")
        document = write_rows(wanted.scanner, wanted.tree, rows)
        with duckdb.connect() as connection:
            connection.execute("SET preserve_insertion_order = false")
            connection.execute(WRITE % str(partial).replace("'", "''"), [str(rows)])
            [(count,)] = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(partial)]).fetchall()
        size_bytes = partial.stat().st_size
        partial.replace(wanted.out)
    note = " (partial: see the scanner's document)" if document["partial"] else ""
    seconds = time.monotonic() - started
    print(f"{os.fspath(wanted.out)}: {count:,} entries, {size_bytes:,} bytes, {seconds:.1f} s{note}")


if __name__ == "__main__":
    main()
