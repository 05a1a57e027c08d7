"""How fast lines become events, side by side in one run. Measures and asserts what was done, never how quickly.

Not part of the gate: ``pytest tests/bench -m bench --bench-out FOLDER`` (CONTRIBUTING.md).
"""

import itertools
import json
import shutil
import socket
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.bench.measured import FAIL2BAN, Measured
from tests.e2e.vxtray_process import Vxtray
from vxtray.core.parsers import parse
from vxtray.core.store.embedded import EmbeddedStore

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

PARIS = ZoneInfo("Europe/Paris")
PARSED = 100_000
LIVE_SECONDS = 10
Rows = list[dict[str, Any]]


def beginning(log: Path, count: int) -> list[bytes]:
    with log.open("rb") as file:
        return [line.rstrip(b"\n") for line in itertools.islice(file, count)]


def test_parser_alone(log: Path, rows: Rows) -> None:
    lines = [line.decode("utf-8", "replace") for line in beginning(log, PARSED)]
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        for line in lines:
            parse(line, zone=PARIS)
        best = min(best, time.process_time() - began)
    rows.append(
        {"what": "parser alone, one process", "lines": len(lines), "seconds": best, "remarks": "CPU, best of 3"}
    )


def test_bulk_import(log: Path, rows: Rows, tmp_path: Path) -> None:
    vxtray = Vxtray(tmp_path / "profile", without_qt=True)
    began = time.perf_counter()
    with Measured([*vxtray.command, "import", str(log), "--tz", PARIS.key, "--json"], env=vxtray.env) as run:
        output = run.wait()
    seconds = time.perf_counter() - began
    result = json.loads(output)
    (path,) = (tmp_path / "profile").rglob("events.duckdb")
    store = EmbeddedStore(path)
    assert result["stored"] == result["read"] == store.count()
    store.close()
    remarks = f"the whole command; {run.remarks(result['read'])}"
    rows.append({"what": "bulk import to committed", "lines": result["read"], "seconds": seconds, "remarks": remarks})


def test_live_udp(log: Path, rows: Rows, tmp_path: Path, free_port: int, request: pytest.FixtureRequest) -> None:
    rate = request.config.getoption("--bench-rate")
    lines = beginning(log, min(rate * LIVE_SECONDS, request.config.getoption("--bench-lines")))
    vxtray = Vxtray(tmp_path / "profile", without_qt=True)
    vxtray.run("settings", "set", "sources.syslog.enabled=true", f"sources.syslog.port={free_port}")

    def received() -> tuple[int, int]:
        source = next(each for each in vxtray.json("status", status=3)["sources"] if "udp" in each["name"])
        return round(source["rate"] * 60), source["dropped"]

    with vxtray.serve():
        received()
        began = time.perf_counter()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(("127.0.0.1", free_port))
            for number, line in enumerate(lines):
                if number % 50 == 0:
                    time.sleep(max(0.0, number / rate - (time.perf_counter() - began)))
                sender.send(line)
        sent = time.perf_counter() - began
        count, dropped = received()
        while count + dropped < len(lines) - 1 and time.perf_counter() - began < sent + 20:
            time.sleep(0.1)
            count, dropped = received()
        seconds = time.perf_counter() - began
    (path,) = (tmp_path / "profile").rglob("events.duckdb")
    store = EmbeddedStore(path)
    stored = store.count()
    store.close()
    remarks = f"sent at {len(lines) / sent:,.0f}/s, {stored:,} stored, {dropped:,} counted as dropped"
    rows.append({"what": "live UDP to committed", "lines": stored, "seconds": seconds, "remarks": remarks})


def test_fail2ban_regex(log: Path, rows: Rows, tmp_path: Path) -> None:
    program = shutil.which("fail2ban-regex")
    if program is None:
        pytest.skip("fail2ban-regex is not installed (Debian package fail2ban)")
    sample = tmp_path / "sample.log"
    lines = beginning(log, PARSED)
    sample.write_bytes(b"\n".join(lines) + b"\n")
    regex = r'^.*log_subtype="(?:Denied|Dropped)".* src_ip="<HOST>"'
    began = time.perf_counter()
    with Measured([program, "--datepattern", r'timestamp="%%Y-%%m-%%dT%%H:%%M:%%S%%z"', str(sample), regex]) as run:
        output = run.wait()
    seconds = time.perf_counter() - began
    matched = next(line for line in output.splitlines() if line.startswith("Lines:"))
    assert matched.startswith(f"Lines: {len(lines)} lines"), output[-2000:]
    remarks = f"{matched}; {run.remarks(len(lines))}"
    rows.append({"what": FAIL2BAN, "lines": len(lines), "seconds": seconds, "remarks": remarks})
