"""Options of the benchmarks, and the one table of a run: printed at the end, kept under ``--bench-out``."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench.measured import FAIL2BAN

ROWS = pytest.StashKey[list[dict[str, Any]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("benchmarks")
    group.addoption("--bench-out", type=Path, help="folder for bench.md and bench.json")
    group.addoption("--bench-lines", type=int, default=1_000_000, help="lines of the bulk import")
    group.addoption("--bench-events", type=int, default=10_000_000, help="stored events of the larger month report")
    group.addoption("--bench-storm-seconds", type=float, default=15, help="seconds in which a storm of alerts comes")
    group.addoption("--bench-rate", type=int, default=20_000, help="lines a second that are sent over UDP")


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


def _machine() -> dict[str, str]:
    import duckdb
    import msgspec

    from vxtray.core.revision import version_line

    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        found = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        model = found[0].partition(":")[2].strip() if found else model
    load = " ".join(f"{value:.1f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    return {
        "processor": f"{model}, {os.cpu_count()} in sight, load {load}",
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
    machine = _machine()
    text = "\n".join([*(f"- {name}: {value}" for name, value in machine.items()), "", *table, ""])
    terminalreporter.write_sep("=", "benchmarks")
    terminalreporter.write_line(text)
    out = config.getoption("--bench-out")
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "bench.md").write_text(f"# Benchmarks\n\n{text}")
        (out / "bench.json").write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")
