"""How fast lines become events, side by side in one run. Measures and asserts what was done, never how quickly.

Not part of the gate: ``pytest tests/bench -m bench --bench-out FOLDER`` (CONTRIBUTING.md).
"""

import itertools
import json
import shutil
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import trustme

from tests.bench.conftest import Figures
from tests.bench.figures import F2B, OURS
from tests.bench.measured import FAIL2BAN, Measured
from tests.bench.syslog_load import Listener
from tests.e2e.vxtray_process import Vxtray
from tests.peers.desktop import until
from vxtray.core.parsers import parse
from vxtray.core.store.embedded import EmbeddedStore

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

PARIS = ZoneInfo("Europe/Paris")
PARSED = 100_000
LIVE_SECONDS = 10
WARM = 10_000
Rows = list[dict[str, Any]]


def beginning(log: Path, count: int) -> list[bytes]:
    with log.open("rb") as file:
        return [line.rstrip(b"\n") for line in itertools.islice(file, count)]


def test_parser_alone(log: Path, rows: Rows, figures: Figures) -> None:
    lines = [line.decode("utf-8", "replace") for line in beginning(log, PARSED)]
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        for line in lines:
            parse(line, zone=PARIS)
        best = min(best, time.process_time() - began)
    remarks = "processor time, best of 3"
    rows.append({"what": "parser alone, one process", "lines": len(lines), "seconds": best, "remarks": remarks})
    for name in ("import", "live-udp", "live-tcp", "live-tls"):
        figures.add(name, "parser alone", len(lines) / best)


def test_bulk_import(log: Path, rows: Rows, figures: Figures, tmp_path: Path) -> None:
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
    said = run.remarks(result["read"])
    rows.append(
        {"what": "bulk import to committed", "lines": result["read"], "seconds": seconds, "remarks": f"whole; {said}"}
    )
    figures.add("import", OURS, result["read"] / seconds, remark=f"{result['read']:,} lines, whole command; {said}")
    million = 1_000_000 / result["read"] / 2**20
    figures.add("disk", OURS, path.stat().st_size * million)
    figures.add("disk", "raw lines", log.stat().st_size * million)


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_live(
    transport: str,
    log: Path,
    rows: Rows,
    figures: Figures,
    tmp_path: Path,
    free_port: int,
    authority: trustme.CA,
    request: pytest.FixtureRequest,
) -> None:
    # Of a stream the sender waits, so it goes as fast as it is taken; a datagram that comes too fast is lost.
    most = request.config.getoption("--bench-rate")
    rates = [round(most * part) for part in (2, 1.75, 1.5, 1.25, 1)]
    lines = beginning(log, min(most * LIVE_SECONDS, request.config.getoption("--bench-lines")))
    vxtray = Vxtray(tmp_path / "profile", without_qt=True)
    listener = Listener(tmp_path / "profile", transport, free_port, authority, tmp_path)
    vxtray.run("settings", "set", *listener.settings())
    turns = []
    with vxtray.serve():
        until(lambda: listener.counts()[0] >= 0, "it listens", 20)
        listener.send(lines[:WARM], WARM)  # a second in which the parser's process starts
        known = listener.settled(WARM, 20)
        for rate in rates if transport == "udp" else (None, None):
            before, began = listener.counts(), time.perf_counter()
            sent = listener.send(lines, rate)
            listener.settled(known + len(lines), 60)
            seconds = time.perf_counter() - began
            known = sum(listener.counts())
            lost = listener.counts()[1] - before[1]
            turns.append((len(lines) - lost, seconds, lost, len(lines) / sent))
            if rate and not lost:
                break
    (path,) = (tmp_path / "profile").rglob("events.duckdb")
    store = EmbeddedStore(path)
    assert store.count() == WARM + sum(stored for stored, *_ in turns)
    store.close()
    for stored, seconds, lost, at in turns:
        remarks = f"sent at {at:,.0f}/s, {stored:,} stored, {lost:,} lost"
        what = f"live {transport.upper()} to committed"
        rows.append({"what": what, "lines": stored, "seconds": seconds, "remarks": remarks})
        if lost and (stored, seconds, lost, at) is not turns[-1]:
            continue  # too quick for this machine: the next turn was slower
        figures.add(f"live-{transport}", OURS, stored / seconds, remark=remarks)
        figures.add("live-lost", OURS, lost)


@pytest.mark.parametrize("turn", range(2))
def test_fail2ban_regex(turn: int, log: Path, rows: Rows, figures: Figures, tmp_path: Path) -> None:
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
    for name in ("import", "live-udp", "live-tcp", "live-tls"):
        figures.add(name, F2B, len(lines) / seconds)
