"""Options of the benchmarks, what a run keeps, and its tables: printed at the end, kept under ``--bench-out``.

What each figure came to, ours and its peers, goes to ``figures-<module>.json`` there, for ``python -m tests.bench``.
"""

import functools
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.bench.figures import BY_NAME
from tests.bench.measured import FAIL2BAN

ROWS = pytest.StashKey[list[dict[str, Any]]]()
KEPT = pytest.StashKey["Kept"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("benchmarks")
    group.addoption("--bench-out", type=Path, help="folder for bench.md and bench.json")
    group.addoption("--bench-lines", type=int, default=1_000_000, help="lines of the bulk import")
    group.addoption("--bench-events", default="1000000,10000000", help="stored events of the month reports, a list")
    group.addoption("--bench-storm-seconds", type=float, default=15, help="seconds in which a storm of alerts comes")
    group.addoption("--bench-rate", type=int, default=20_000, help="lines a second that are sent over UDP")
    group.addoption("--bench-samples", type=int, default=60, help="how often what is short is measured")
    group.addoption("--bench-idle-seconds", type=float, default=30, help="how long the idle program is watched")
    group.addoption("--bench-stores", type=Path, help="folder in which made stores are kept, and found again")


class Kept:
    """What was measured of each figure, by whom, and what kept tests from measuring; as JSON on the disk at once."""

    def __init__(self, out: Path | None) -> None:
        self._out = out
        self._files: dict[str, dict[str, Any]] = {}

    def add(self, group: str, name: str, who: str, values: Iterable[float]) -> None:
        figures = self._of(group)["figures"].setdefault(name, {})
        figures.setdefault(who, []).extend(float(value) for value in values)
        self._write(group)

    def remark(self, group: str, name: str, text: str) -> None:
        self._of(group)["remarks"].setdefault(name, []).append(text)
        self._write(group)

    def trouble(self, group: str, test: str, words: str) -> None:
        self._of(group)["problems"][test] = words
        self._write(group)

    def _of(self, group: str) -> dict[str, Any]:
        empty: dict[str, Any] = {"figures": {}, "remarks": {}, "problems": {}}
        return self._files.setdefault(group, empty)

    def _write(self, group: str) -> None:
        if self._out is None:
            return
        self._out.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"machine": machine(), **self._of(group)}, indent=1)
        (self._out / f"figures-{group}.json").write_text(text + "\n")


class Figures:
    """Takes what a test measured: ``add(figure, who, *values)`` in the figure's unit, and what else is to be said."""

    def __init__(self, kept: Kept, group: str) -> None:
        self._kept = kept
        self._group = group

    def add(self, name: str, who: str, *values: float, remark: str = "") -> None:
        assert BY_NAME[name].group == self._group, name
        self._kept.add(self._group, name, who, values)
        if remark:
            self._kept.remark(self._group, name, remark)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Return what takes the figures of this module."""
    return Figures(request.config.stash[KEPT], _group(str(request.path)))


def pytest_configure(config: pytest.Config) -> None:
    config.stash[KEPT] = Kept(config.getoption("--bench-out", None))


def _group(path: str) -> str:
    return Path(path).stem.removeprefix("test_")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Keep why a test of this folder measured nothing."""
    report: pytest.TestReport = yield
    if item.path.parent == Path(__file__).parent and report.outcome != "passed":
        words = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext.splitlines()[-1:]
        item.config.stash[KEPT].trouble(_group(str(item.path)), item.nodeid, f"{report.outcome}: {words}"[:500])
    return report


@pytest.fixture(scope="session")
def rows(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """Return the table, to which each benchmark adds a row: what, lines, seconds, and what else is to be said."""
    return request.config.stash.setdefault(ROWS, [])


@pytest.fixture(scope="session")
def log(shared: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Return a file of generated Sophos lines."""
    path = tmp_path_factory.mktemp("bench") / "events.log"
    count = str(request.config.getoption("--bench-lines"))
    tool = shared / "tools" / "make_events.py"
    subprocess.run([sys.executable, str(tool), "-n", count, "-o", str(path)], check=True)
    yield path
    path.unlink()


@functools.cache
def machine() -> dict[str, str]:
    """Return what it was measured on."""
    import duckdb
    import msgspec

    from vxtray.core.revision import version_line

    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        found = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        model = found[0].partition(":")[2].strip() if found else model
    load = " ".join(f"{value:.1f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    return {
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processor": f"{model}, {os.cpu_count()} in sight, load {load} at the beginning",
        "system": platform.platform(),
        "python": platform.python_version(),
        "vxtray": version_line(),
        "duckdb": duckdb.__version__,
        "msgspec": msgspec.__version__,
    }


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    base = max((row["lines"] / row["seconds"] for row in rows if row["what"].startswith("parser")), default=0.0)
    other = max((row["lines"] / row["seconds"] for row in rows if row["what"] == FAIL2BAN), default=0.0)
    table = [
        "| what | lines | seconds | lines/s | of the parser | of fail2ban-regex | remarks |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    for row in rows:
        rate = row["lines"] / row["seconds"]
        row["lines_per_second"] = round(rate)
        row["ratio_to_parser"] = round(rate / base, 3) if base else None
        row["ratio_to_fail2ban"] = round(rate / other, 2) if other else None
        table.append(
            f"| {row['what']} | {row['lines']:,} | {row['seconds']:.2f} | {row['lines_per_second']:,} |"
            f" {row['ratio_to_parser'] or ''} | {row['ratio_to_fail2ban'] or ''} | {row.get('remarks', '')} |"
        )
    about = machine()
    text = "\n".join([*(f"- {name}: {value}" for name, value in about.items()), "", *table, ""])
    terminalreporter.write_sep("=", "benchmarks")
    terminalreporter.write_line(text)
    out = config.getoption("--bench-out")
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "bench.md").write_text(f"# Benchmarks\n\n{text}")
        (out / "bench.json").write_text(json.dumps({"machine": about, "rows": rows}, indent=2) + "\n")
