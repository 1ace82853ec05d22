"""The source file of a part: from a folder, the Debian archive, or the publisher's address; always checked."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import BuildError, FetchError, room_on
from bundle.files import copy_file, publish
from bundle.hashes import check_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bundle.cache import Cache
    from bundle.components import Part, Source
    from bundle.debian import DebianArchive

_TIMEOUT_SECONDS = 60.0
_BLOCK_BYTES = 1 << 20
_HTTPS = "https://"


def download_folder() -> Path | None:
    """Return the folder that this user's browser saves to, where there is one."""
    folder = Path(os.environ.get("XDG_DOWNLOAD_DIR") or Path.home() / "Downloads")
    return folder if folder.is_dir() else None


class Sources:
    """Finds, fetches and checks source files; what was checked stays in the cache."""

    def __init__(
        self, cache: Cache, folders: Sequence[Path], archive: DebianArchive, note: Callable[[str, str], None]
    ) -> None:
        """Remember where to look.

        Args:
            cache: keeps what was fetched.
            folders: folders of the user, looked into first.
            archive: the Debian archive.
            note: called with (part, line) for build.log.
        """
        self._cache = cache
        self._folders = folders
        self._archive = archive
        self._note = note

    def cached(self, part: Part, source: Source) -> Path | None:
        """Return a source file that is in the cache, checked again.

        Raises:
            HashError: its bytes are not the pinned ones any more.
        """
        for name in source.files:
            path = self._cache.root / "sources" / source.sha256 / name
            if path.is_file():
                way_out = f"Remove that file (rm '{path}') and run make-package again: it is fetched anew."
                check_sha256(path, source.sha256, f"{part.name} {source.version}", way_out)
                return path
        return None

    def get(self, part: Part, source: Source) -> Path:
        """Return the checked source file, fetched if need be.

        Raises:
            HashError: what a folder, the archive or the address gave is not the pinned file.
            FetchError: none of them has it.
        """
        with self._cache.lock("source", source.sha256):
            return self.cached(part, source) or self._fetch(part, source)

    def _fetch(self, part: Part, source: Source) -> Path:
        way_out = (
            "Fetch it again from its publisher. If the publisher has replaced it, find out why before you put the new "
            "hash into bundle/components.toml."
        )
        tried = []
        with self._cache.workplace("fetch") as work:
            for candidate in (self._from_folder, self._from_archive, self._from_address):
                try:
                    path = candidate(part, source, work)
                except FetchError as error:
                    tried.append(error.what)
                    self._note(part.name, f"{source.version}: {error.what}")
                    continue
                check_sha256(path, source.sha256, f"{part.name} {source.version}", way_out)
                self._note(part.name, f"{source.version}: took {path}")
                return self._store(path, source)
        raise FetchError(
            f"{part.name} {source.version} cannot be had: " + "; ".join(tried),
            f"Fetch {source.files[0]} on a machine that can reach {source.url or part.homepage}, put it into a folder, "
            f"and run\n  ./make-package --sources-dir FOLDER",
        )

    def _from_folder(self, _part: Part, source: Source, _work: Path) -> Path:
        for folder in self._folders:
            for name in source.files:
                if (folder / name).is_file():
                    return folder / name
        raise FetchError(
            f"no file {' or '.join(source.files)} in {', '.join(map(str, self._folders)) or 'a given folder'}", ""
        )

    def _from_archive(self, part: Part, source: Source, work: Path) -> Path:
        if source.debian is None:
            raise FetchError("no Debian package has it", "")
        with self._cache.lock("apt", source.debian.suite):
            return self._archive.download(source.debian, source.files, work, part.name)

    def _from_address(self, part: Part, source: Source, work: Path) -> Path:
        if source.url is None:
            raise FetchError("no address of a publisher is known for it", "")
        self._note(part.name, f"downloading {source.url}")
        target = work / source.files[0]
        download(source.url, target)
        return target

    def _store(self, path: Path, source: Source) -> Path:
        folder = self._cache.root / "sources" / source.sha256
        folder.mkdir(exist_ok=True)
        final = folder / source.files[0]
        with room_on(folder):
            temporary = folder / f".{final.name}.{os.getpid()}"
            copy_file(path, temporary)
            publish(temporary, final)
        return final


def download(url: str, target: Path) -> None:
    """Fetch an address into a file.

    Raises:
        FetchError: the address cannot be reached, or the answer was cut short; the message says why.
        DiskFullError: no room for it.
    """
    if not url.startswith(_HTTPS):
        raise BuildError(f"{url} is no https address", "Correct bundle/components.toml.")
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310  https only, see above
            expected = int(answer.headers.get("Content-Length") or -1)
            received = 0
            with room_on(target), target.open("wb") as file:
                while block := answer.read(_BLOCK_BYTES):
                    file.write(block)
                    received += len(block)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise FetchError(f"{url} cannot be downloaded ({reason})", "Check the network or the proxy.") from error
    if expected not in {-1, received}:
        raise FetchError(f"{url} was cut short: {received} of {expected} bytes", "Run make-package again.")
