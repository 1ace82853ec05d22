"""What can be set for the arrivals collector. What is watched is in the watcher's own INI file."""

from typing import Annotated

import msgspec

from dkumonitor.collector import CollectorSettings


class ArrivalsSettings(CollectorSettings, frozen=True, kw_only=True):
    """``[collectors.arrivals]``.

    Attributes:
        late_seconds: from what age of the oldest unconsumed event on a directory is a warning in the overview.
    """

    late_seconds: Annotated[int, msgspec.Meta(ge=1)] = 3600
