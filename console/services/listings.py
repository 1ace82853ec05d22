"""How this installation is, as tables. The same rows as `dkm services`, `dkm doctor` and `dkm collectors` give."""

from __future__ import annotations

from console.examinations import examinations_of
from dkumonitor.doctor.findings import Finding
from dkumonitor.runs import CollectorRun, read_runs
from dkumonitor.services import Disk, Service, disks, services
from dkumonitor.views import Listing, answer_rows

SERVICES = Listing(
    name="services",
    title="Programs",
    summary="A row is a program of this installation, with its state, uptime, process and memory.",
    row_type=Service,
    ask=lambda sources, question: answer_rows(services(sources.installation), question),
    empty="supervisord knows no program; run: dkm start",
)
DISKS = Listing(
    name="installation-disks",
    title="Disks of this installation",
    summary="A row is a file system that the installation writes to.",
    row_type=Disk,
    ask=lambda sources, question: answer_rows(disks(sources.installation), question),
)
RUNS = Listing(
    name="collector-runs",
    title="Collectors",
    summary="A row is a collector, with how its last run went and when the next is due.",
    row_type=CollectorRun,
    ask=lambda sources, question: answer_rows(read_runs(sources.installation), question),
    empty="No collector has run here yet; run: dkm start collectors",
)
FINDINGS = Listing(
    name="findings",
    title="The doctor's findings",
    summary="A row is one thing that the doctor looked at, with what to do where it is not well.",
    row_type=Finding,
    ask=lambda sources, question: answer_rows(examinations_of(sources.installation).fresh(), question),
)
LISTINGS = (SERVICES, DISKS, RUNS, FINDINGS)
