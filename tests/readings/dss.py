"""The dashboards of DSS, from what its client library says that it sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sampling import Exactly

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.readings.observation import Observation
    from tests.sampling import Reading


def values(seen: Observation, *names: str, of: Callable[..., float] = lambda value: value) -> Reading:
    """What the reports said of these names, by the minute of the report."""
    return Exactly(
        {report.slot: of(*(report.numbers[f"{seen.prefix}.{name}"] for name in names)) for report in seen.reports}
    )


def panel(*names: str, scale: float = 1.0) -> Callable[[Observation], dict[str, Reading]]:
    """Each name is ``legend=metric``; the legend follows the instance's name."""

    def readings(seen: Observation) -> dict[str, Reading]:
        found = {}
        for name in names:
            legend, _, metric = name.rpartition("=")
            shown = f"{seen.instance}.{legend}" if legend else seen.instance
            found[shown] = values(seen, metric, of=lambda value: value * scale)
        return found

    return readings


def processor_time(seen: Observation) -> dict[str, Reading]:
    return {
        f"{seen.instance}.{state}": values(
            seen,
            *(f"collectd.cpu.{core}.percent.{state}" for core in (0, 1)),
            of=lambda *cores: sum(cores) / len(cores),
        )
        for state in ("user", "system", "steal", "wait")
    }


BACKEND_PANELS = {
    "Active users": panel("backend.server.dku.collaboration.activeUsers"),
    "Datasets": panel("backend.server.catalog.indexAll.datasets.count"),
    "Recipes": panel("backend.server.catalog.indexAll.recipes"),
    "Open files of the backend": panel("collectd.processes.dss_backend.file_handles"),
    "Active users over time": panel("backend.server.dku.collaboration.activeUsers"),
    "Executors": panel(
        "dss_jek=collectd.processes.dss_jek.ps_count.processes", "dss_fek=collectd.processes.dss_fek.ps_count.processes"
    ),
    "Heap of the backend": panel("backend.server.jvm.memory.heap.used"),
    "Datasets and recipes": panel(
        "datasets=backend.server.catalog.indexAll.datasets.count", "recipes=backend.server.catalog.indexAll.recipes"
    ),
}
SYSTEM_PANELS = {
    "Processor time by state": processor_time,
    "Memory used": panel("collectd.memory.percent.used"),
    "Memory by use": panel(*(f"{kind}=collectd.memory.memory.{kind}" for kind in ("used", "buffered", "cached"))),
    "Network": panel(*(f"eth0.{way}=collectd.interface.eth0.if_octets.{way}" for way in ("rx", "tx"))),
    "File systems used": panel(*(f"{mount}=collectd.df.{mount}.df_complex.used" for mount in ("root", "data"))),
    "Disk operations waiting": panel("sda=collectd.disk.sda.disk_io_time.weighted_io_time", scale=0.001),
}
