"""Which INI file is under supervision: noted in DIR/storage, which belongs to the account that the programs run as."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from collectors.arrivals.configuration import Configuration, load
from collectors.arrivals.errors import ArrivalsError

if TYPE_CHECKING:
    from dkumonitor.installation import Installation

PROGRAM = "arrivals"


class Enabled(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervised watcher runs with.

    Attributes:
        file: the INI file.
        folder: what relative paths in it begin at.
    """

    file: str
    folder: str

    def load(self, installation: Installation) -> Configuration:
        """Read the INI file.

        Raises:
            ConfigurationError: it cannot be used.
        """
        configuration = load(Path(self.file), spools_of(installation))
        return msgspec.structs.replace(configuration, spool=Path(self.folder) / configuration.spool)


def spools_of(installation: Installation) -> Path:
    """The folder of the spools of this installation's watchers."""
    return installation.storage / "spool" / "arrivals"


def _note(installation: Installation) -> Path:
    return spools_of(installation) / "enabled.json"


def enabled(installation: Installation) -> Enabled | None:
    """What is under supervision; None where nothing is.

    Raises:
        ArrivalsError: the note is damaged.
    """
    path = _note(installation)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Enabled)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise ArrivalsError(
            f"cannot read {path}: {error}", "Enable the INI file again: dkm arrivals enable FILE"
        ) from None


def note_enabled(installation: Installation, file: Path) -> None:
    """Note an INI file; relative paths in it begin at the current folder."""
    path = _note(installation)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(".enabled.new")
    new.write_bytes(msgspec.json.encode(Enabled(file=os.path.abspath(file), folder=str(Path.cwd()))))  # noqa: PTH100  a link stays one
    new.replace(path)


def forget_enabled(installation: Installation) -> None:
    """Nothing is under supervision any more."""
    _note(installation).unlink(missing_ok=True)
