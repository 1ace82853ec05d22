"""What `dkm-act` writes: for a person, or a line of JSON at a time. Every name in it is escaped."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

import msgspec

from dkumonitor.cells import moment, size
from dkumonitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectors.disk.act.outcome import Kept, Outcome, Progress
    from collectors.disk.act.policy import Policy


class Output:
    """Writes to standard output.

    Args:
        as_json: a line of JSON for each thing; else text, with progress only on a terminal.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def progress(self, progress: Progress) -> None:
        """Say how far it is. Whether somebody listens is of no consequence to the act."""
        with contextlib.suppress(OSError):
            if self._as_json:
                self._line(msgspec.json.encode(progress).decode())
            elif sys.stderr.isatty():
                of = f" of {progress.of}" if progress.of else ""
                done = f"{progress.files} files, {size(progress.bytes)}"
                sys.stderr.write(f"\r\x1b[K{progress.plan}: {progress.entries}{of} looked at, {done}")
                sys.stderr.flush()

    def outcome(self, outcome: Outcome) -> None:
        """Say what came of it."""
        with contextlib.suppress(OSError):
            if self._as_json:
                self._line(msgspec.json.encode(outcome).decode())
                return
            if sys.stderr.isatty():
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()
            self._line("\n".join(_told(outcome)))

    def kept(self, rows: Sequence[Kept]) -> None:
        """List what is kept."""
        if self._as_json:
            self._line(msgspec.json.encode(rows).decode())
            return
        for row in rows:
            until = f", until {moment(row.expires_seconds)}" if row.expires_seconds is not None else ""
            self._line(
                f"{row.plan}  {row.state}  {moment(row.acted_seconds)}{until}\n"
                f"    {printable(row.tree)}: {row.files} files, {size(row.size_bytes)} in the quarantine"
            )

    def policy(self, policy: Policy) -> None:
        """Show what is allowed."""
        if self._as_json:
            self._line(msgspec.json.encode(policy).decode())
            return
        if not policy.tree:
            self._line("nothing is allowed: there is no [[tree]]")
        for tree in policy.tree:
            self._line(f"{printable(tree.path)}, task {tree.task}:")
            for name in tree.__struct_fields__[2:]:
                value = getattr(tree, name)
                shown = ", ".join(map(str, value)) if isinstance(value, tuple) else value
                self._line(f"    {name} = {printable(str(shown))}")

    def _line(self, text: str) -> None:
        data = (text + "\n").encode("utf-8", "backslashreplace")
        with contextlib.suppress(
            BrokenPipeError
        ):  # nobody reads on; nothing is left in a buffer that complains at the end
            while data:
                data = data[os.write(sys.stdout.fileno(), data) :]


def _told(outcome: Outcome) -> list[str]:
    verb = {"apply": "done", "restore": "brought back", "purge": "removed for good"}[outcome.act]
    would = f"would be {verb}" if outcome.dry_run else verb
    lines = [f"{outcome.plan or outcome.act}: {outcome.state}" + (f": {outcome.detail}" if outcome.detail else "")]
    lines.append(f"  {would}: {outcome.files} files, {size(outcome.bytes)}; freed: {size(outcome.freed_bytes)}")
    if outcome.directories:
        lines.append(f"  directories that became empty and were removed: {outcome.directories}")
    lines += [f"  left alone: {count} ({reason})" for reason, count in sorted(outcome.skipped.items())]
    lines += [f"  failed: {text}" for text in outcome.errors]
    if outcome.dry_run and outcome.files:
        lines.append("Nothing was changed. Add --yes to do it.")
    return lines
