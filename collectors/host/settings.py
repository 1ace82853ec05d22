"""What can be set for the host collector."""

import re
from typing import Annotated

import msgspec

from dkumonitor.collector import CollectorSettings

DEFAULT_PATTERNS = {
    # The kernels' names are from "Understanding and tracking DSS processes" of the DSS manual. It names none for the
    # backend: what is left of the main classes of DSS that are servers.
    "dss_backend": r"\bcom\.dataiku\.dip\.(?:\w+\.)*(?:DSSMain|DSSBackendMain|DSSServerMain|DkuServer\w*|ServerMain)\b",
    "dss_fek": r"\bDSSFutureKernel(?:Main|Name)\b",
    "dss_jek": r"\bDSSJobKernelMain\b",
    "jupyter_kernel": r"\bipykernel(?:_launcher)?\b|\bIRkernel\b",
}


class HostSettings(CollectorSettings, frozen=True, kw_only=True):
    """``[collectors.host]``.

    Attributes:
        top_users: how many users have series of their own; the rest is summed as ``_other``.
        patterns: names, and the regular expressions that are searched in each process's command line (its arguments
            with a blank between each). A table here replaces the default one.
    """

    top_users: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 20
    patterns: dict[Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,100}$")], str] = msgspec.field(
        default_factory=lambda: dict(DEFAULT_PATTERNS)
    )

    def __post_init__(self) -> None:
        for name, pattern in self.patterns.items():
            try:
                re.compile(pattern)  # and kept by re, so that runs need not compile it again
            except re.error as error:
                raise ValueError(f"the pattern {name!r} is no regular expression: {error}") from None
