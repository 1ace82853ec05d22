"""Progress of long work, on a terminal only."""

import contextlib
import sys
from collections.abc import Iterator

from installer.apply import Progress


@contextlib.contextmanager
def shown_progress(what: str) -> Iterator[Progress]:
    """A progress line on standard error where that is a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    shown = -1

    def show(done_bytes: int, total_bytes: int) -> None:
        nonlocal shown
        percent = 100 * done_bytes // max(total_bytes, 1)
        if percent != shown:
            shown = percent
            sys.stderr.write(f"\r{what}: {percent} %")
            sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\r\033[K")
        sys.stderr.flush()
