"""What each panel of each dashboard must show, read independently of what it draws.

`PANELS` has a function for every panel, by the dashboard's uid and the panel's title; it gives readings by legend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.readings import arrivals, disk, dss, stack, system, users

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.readings.observation import Observation
    from tests.sampling import Reading

PANELS: dict[tuple[str, str], Callable[[Observation], dict[str, Reading]]] = {
    (uid, title): reading
    for uid, panels in {
        "dkm-system": system.PANELS,
        "dkm-users": users.PANELS,
        "dkm-dss-backend": dss.BACKEND_PANELS,
        "dkm-dss-system": dss.SYSTEM_PANELS,
        "dkm-stack": stack.PANELS,
        "dkm-disk": disk.PANELS,
        "dkm-arrivals": arrivals.PANELS,
    }.items()
    for title, reading in panels.items()
}
