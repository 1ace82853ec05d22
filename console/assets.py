"""Styles, scripts and pictures: files of one folder, for everybody, kept by browsers for an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from starlette.responses import Response
    from starlette.types import Scope

_KEPT = "public, max-age=3600"
_ASKED = "no-cache"
_SUFFIXES = (".css", ".js", ".svg", ".png", ".ico", ".woff2", ".webmanifest")


class Assets(StaticFiles):
    """The files of a folder; links out of it, folders and other kinds of files are not there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, check_dir=False)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """A file, to be kept for an hour where its address names the version.

        A module that another one imports is named without it, and asked for each time whether it has changed: a page
        would mix the scripts of two versions after an update.
        """
        if not str(full_path).endswith(_SUFFIXES):
            raise HTTPException(status_code=404)
        answer = super().file_response(full_path, stat_result, scope, status_code)
        answer.headers["Cache-Control"] = _KEPT if scope["query_string"] else _ASKED
        return answer
