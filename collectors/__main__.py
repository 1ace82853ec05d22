"""The resident program ``collectors``: every collector's runs, and the one connection to carbon."""

import logging
import os
import sys
from collections.abc import Mapping

from collectors import Found, discover, load_settings
from dkumonitor import logs
from dkumonitor.address import Address
from dkumonitor.carbon import CarbonSender
from dkumonitor.collector import Collector, Facts, Run
from dkumonitor.errors import DkmError, InstallationError
from dkumonitor.installation import Installation, current
from dkumonitor.job import Job
from dkumonitor.runs import FILE_NAME
from dkumonitor.schedule import Scheduler
from dkumonitor.settings import Settings
from dkumonitor.spool import Spool

_log = logging.getLogger("collectors")


def jobs(found: Found, settings: Settings) -> list[Job]:
    """What runs: every collector that is not switched off. One that cannot be loaded becomes a job that says so."""
    broken = [_failing(name, error) for name, error in found.broken.items()]
    wanted = [found.collectors[name] for name, own in settings.collectors.items() if own.enabled]
    return [job for collector in wanted + broken for job in (_job(collector, settings), *_more(collector, settings))]


def _more(collector: Collector, settings: Settings) -> list[Job]:
    """The collectors that share another one's settings, but for how often that one runs."""
    own = settings.collectors.get(collector.name)
    intervals = [(one, one.interval_seconds or settings.interval_seconds) for one in collector.more]
    return [Job(one, own or one.settings(), interval_seconds) for one, interval_seconds in intervals]


def _job(collector: Collector, settings: Settings) -> Job:
    own = settings.collectors.get(collector.name, collector.settings())
    interval_seconds = own.interval_seconds or collector.interval_seconds or settings.interval_seconds
    return Job(collector, own, interval_seconds)


def _failing(name: str, error: DkmError) -> Collector:
    def collect(_: Run) -> Facts:
        raise error

    return Collector(name=name, summary="", collect=collect, metrics=())


def _server(installation: Installation, settings: Settings) -> Address:
    if settings.carbon.server is not None:
        return Address.parse(settings.carbon.server)
    address = installation.carbon_address
    if address is None:
        raise InstallationError(
            f"{installation.dir} is of type {installation.type}, which collects nothing", "Install a type with an agent"
        )
    return address


def main(environment: Mapping[str, str]) -> None:
    """Run until SIGTERM."""
    installation = current()
    found = discover()
    settings = load_settings(found, installation, environment)
    address = _server(installation, settings)
    spool = Spool(installation.storage / "spool" / "carbon", settings.carbon.spool_max_bytes)
    sender = CarbonSender(
        address,
        spool,
        timeout_seconds=settings.carbon.timeout_seconds,
        replay_seconds=settings.carbon.replay_seconds,
    )
    work = jobs(found, settings)
    _log.info("sending to %s: %s", address, ", ".join(job.name for job in work))
    Scheduler(
        work,
        installation.host,
        sender,
        interval_seconds=settings.interval_seconds,
        runs_file=installation.run / FILE_NAME,
    ).run()


if __name__ == "__main__":
    logs.resident("collectors", os.environ.get(logs.VARIABLE))
    try:
        main(os.environ)
    except DkmError as error:
        _log.error("%s", error)
        sys.exit(error.exit_code)
