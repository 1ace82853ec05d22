"""A value reads alike wherever it is written: by the server's units.py, and by the browser's format.js."""

from __future__ import annotations

import itertools
import json
import math
import random
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from dkumonitor.dashboards.units import UNITS, write_value

FORMAT = Path(__file__).resolve().parents[3] / "console/static/format.js"
NOW_SECONDS = 1_795_460_000.0
EDGES = [
    0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -2.5, 1.005, 0.125, 0.995, 9.995, 99.95, 999.5, 999.9999, 1000.0, 1023.0, 1023.9999,
    1024.0, 1048575.99, 1048576.0, 1e9, 1e12, 1e15, 1e18, 1e20, 1e21, 1e25, -1e25, 1e300, 1e-3, 1e-4, 1e-6, 5e-7, 1e-9,
    1e-300, 0.1 + 0.2, 59.0, 59.999, 60.0, 3599.0, 3600.0, 86399.0, 86400.0, 604800.0, 31536000.0, 1e10, 12345.678,
]  # fmt: skip
MOMENTS = [(NOW_SECONDS + by) * 1000 for by in (0, -1, -59.4, -60, -3600, -90000, -1e7, -1e9, 5, 100, 1e6)]
RUN = """
import { writeValue } from "./format.mjs";
import { readFileSync } from "node:fs";
const { units, cases, now } = JSON.parse(readFileSync(0, "utf8"));
const special = new Map([["nan", NaN], ["inf", Infinity], ["-inf", -Infinity], ["none", null]]);
const number = (text) => (special.has(text) ? special.get(text) : Number(text));
const write = ([value, unit, decimals]) => writeValue(number(value), units[unit], decimals, now);
console.log(JSON.stringify(cases.map(write)));
"""


def corpus() -> list[tuple[float | None, str, int | None]]:
    """Edges and random values of every size, in every unit, with and without decimals."""
    chance = random.Random(4)
    values = [*EDGES, *(math.copysign(10 ** chance.uniform(-8, 22), chance.random() - 0.3) for _ in range(400))]
    cases: list[tuple[float | None, str, int | None]] = []
    for unit, spec in UNITS.items():
        shown = [*MOMENTS, *values[:60]] if spec.age else values
        cases += itertools.product([*shown, math.nan, math.inf, -math.inf, None], [unit], [None, 0, 1, 3])
    return cases


def test_the_browser_writes_every_value_as_the_server_does(tmp_path: Path) -> None:
    shutil.copy(FORMAT, tmp_path / "format.mjs")  # node takes a module of this ending for one
    (tmp_path / "run.mjs").write_text(RUN)
    cases = corpus()
    question = {
        "units": msgspec.to_builtins(UNITS),
        "cases": [["none" if value is None else repr(value), unit, decimals] for value, unit, decimals in cases],
        "now": NOW_SECONDS,
    }
    answer = subprocess.run(
        ["node", tmp_path / "run.mjs"], input=json.dumps(question), capture_output=True, text=True, check=True
    )

    expected = [write_value(value, unit, decimals=decimals, now_seconds=NOW_SECONDS) for value, unit, decimals in cases]
    different = [
        (case, theirs, ours)
        for case, theirs, ours in zip(cases, json.loads(answer.stdout), expected, strict=True)
        if theirs != ours
    ]
    assert different == []


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "short", "0"),
        (1234567, "short", "1.23 M"),
        (1610612736, "bytes", "1.5 GiB"),
        (1610612736, "binBps", "1.5 GiB/s"),
        (12.345, "percent", "12.3%"),
        (0.5, "percentunit", "50%"),
        (75, "s", "1.25 min"),
        (0.0005, "s", "500 µs"),
        (0, "s", "0 s"),
        (1500, "ms", "1.5 s"),
        (12345, "iops", "12.3 K io/s"),
        (3, "reqps", "3 req/s"),
        (NOW_SECONDS * 1000 - 300_000, "dateTimeFromNow", "5 min ago"),
        (None, "bytes", "-"),
        (math.nan, "bytes", "-"),
    ],
)
def test_a_value_has_three_digits_and_its_unit(value: float | None, unit: str, text: str) -> None:
    assert write_value(value, unit, now_seconds=NOW_SECONDS) == text


def test_decimals_are_written_where_they_are_asked_for() -> None:
    assert write_value(2, "percent", decimals=1) == "2.0%"
    assert write_value(2.25, "none", decimals=1) == "2.3"
    assert write_value(2.25, "none", decimals=0) == "2"
