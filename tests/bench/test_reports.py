"""The numbers of a month's report over many events: our store, ClickHouse's engine (chdb) and SQLite, on the same rows.

The rows are made by the store's own engine: 30,000 sources and 60,000 targets, a few of which make most of the events,
400 users, 400 rules; a quarter as many events lie in the month before. Each engine counts in a process of its own.
"""

import importlib.util
import json
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.bench.conftest import Figures
from tests.bench.figures import BY_NAME, OURS
from tests.bench.measured import Measured
from tests.bench.report_numbers import opened
from vxtray.core.store.embedded import EmbeddedStore
from vxtray.core.store.localtime import start_of_day

SCRIPT = Path(__file__).with_name("report_numbers.py")
MIDDLE, END = (start_of_day(date(2026, month, 1), ZoneInfo("Europe/Paris")) for month in (10, 11))
START = start_of_day(date(2026, 9, 1), ZoneInfo("Europe/Paris"))
#: Beyond it SQLite is left out: filling alone takes minutes.
MOST_SQLITE = 1_000_000
STEP = 1_000_000
#: Whose time for an event is compared with whose.
GROWTH = {STEP: "a tenth", 10 * STEP: OURS}

#: Of ten thousand events, up to which one is of which category and action.
KINDS = (
    (3600, "firewall", "allowed"),
    (6100, "firewall", "blocked"),
    (6900, "waf", "allowed"),
    (7520, "waf", "blocked"),
    (7970, "ips", "blocked"),
    (8120, "ips", "detected"),
    (8180, "atp", "detected"),
    (8600, "auth", "allowed"),
    (8780, "auth", "failed"),
    (9020, "vpn", "failed"),
    (9160, "vpn", "allowed"),
    (9420, "vpn", "info"),
    (9770, "web", "allowed"),
    (9850, "web", "blocked"),
    (9900, "malware", "blocked"),
    (9907, "ban", "banned"),
    (9910, "ban", "unbanned"),
    (10000, "system", "info"),
)


def _kind(field: int) -> str:
    cases = " ".join(f"WHEN kind < {kind[0]} THEN '{kind[field]}'" for kind in KINDS)
    return f"CASE {cases} END"


MAKE = f"""
INSERT INTO events
WITH dice AS (
    SELECT i, (hash(i, 1) % 10000)::INTEGER AS kind, (hash(i, 3) % 1000003)::INTEGER AS noise,
           floor(30000 * pow((hash(i, 2) % 1000000) / 1000000.0, 3))::INTEGER AS s,
           floor(60000 * pow((hash(i, 4) % 1000000) / 1000000.0, 3))::INTEGER AS t
    FROM range($first, $last) numbers(i)
)
SELECT i, $begin::TIMESTAMP + to_microseconds((i - $first) * $span // ($last - $first)), 'sophos', {_kind(1)},
    {_kind(2)},
    CASE WHEN kind % 50 < 1 THEN 'critical' WHEN kind % 50 < 3 THEN 'high' WHEN kind % 50 < 10 THEN 'medium'
         WHEN kind % 50 < 15 THEN 'low' ELSE 'info' END,
    CASE WHEN kind >= 9910 THEN '' WHEN s % 12 = 0 THEN '2001:db8:' || to_hex(s) || '::' || to_hex(s % 97)
         ELSE (20 + s % 180) || '.' || (s % 251) || '.' || (s // 251 + 1) || '.' || (s % 253 + 1) END,
    1024 + noise % 64000,
    CASE WHEN kind < 3600 OR kind > 8180 THEN '' ELSE ['CN', 'US', 'RU', 'NL', 'DE', 'FR', 'BR', 'IN'][1 + s % 8] END,
    CASE WHEN kind < 6100 THEN '185.' || (t // 250) || '.' || (t % 250) || '.7'
         ELSE '172.16.16.' || (10 + noise % 60) END,
    443,
    CASE WHEN kind BETWEEN 6100 AND 7519 OR kind BETWEEN 9420 AND 9899
         THEN 'host' || (t // 3000) || '.example.com' ELSE '' END,
    CASE WHEN kind BETWEEN 6100 AND 7519 THEN '/p/' || (noise % 500) ELSE '' END,
    CASE WHEN kind BETWEEN 8180 AND 9770 THEN 'user' || (noise % 400) ELSE '' END,
    CASE WHEN kind < 6100 THEN (1 + noise % 24)::VARCHAR
         WHEN kind BETWEEN 7520 AND 8119 THEN (1000 + noise % 300)::VARCHAR ELSE '' END,
    CASE WHEN kind < 6100 THEN 'Rule ' || (noise % 24) WHEN kind BETWEEN 6900 AND 7519 THEN 'WAF reason ' || (noise % 6)
         WHEN kind BETWEEN 7520 AND 8119 THEN 'SIGNATURE number ' || (noise % 300)
         WHEN kind BETWEEN 8120 AND 8179 THEN 'C2/Generic-' || (noise % 20)
         WHEN kind BETWEEN 9850 AND 9899 THEN 'Mal/' || (noise % 30) WHEN kind BETWEEN 9900 AND 9909 THEN 'sshd'
         ELSE '' END,
    CASE WHEN kind < 6100 THEN 'Firewall, Firewall Rule'
         WHEN kind BETWEEN 8180 AND 9159 THEN 'User user' || (noise % 400) || ' failed to login to SSLVPN through AD'
         WHEN kind BETWEEN 9160 AND 9419 THEN 'SSL VPN User ''user' || (noise % 400) || ''' connected'
         ELSE 'Something that a rule said about it, number ' || (noise % 2000) END,
    NULL
FROM dice
"""

CLICKHOUSE_TABLE = """
CREATE TABLE events (
    seq Int64, "at" DateTime64(6, 'UTC'), source LowCardinality(String), category LowCardinality(String),
    action LowCardinality(String), severity LowCardinality(String), src_ip LowCardinality(String),
    country LowCardinality(String), dst_ip LowCardinality(String), target_host LowCardinality(String),
    "user" LowCardinality(String), rule_id LowCardinality(String), rule_name LowCardinality(String), message String
) ENGINE = MergeTree ORDER BY "at"
"""
COLUMNS = (
    'seq, "at", source, category, action, severity, src_ip, country, dst_ip, target_host, "user", rule_id, rule_name'
)


def made(path: Path, count: int) -> None:
    """Make a store with so many events in the month, and a quarter as many in the month before."""
    store = EmbeddedStore(path)
    spans = ((START, MIDDLE, count // 4), (MIDDLE, END, count))
    first = 1
    with store._writing() as writer:
        for begin, end, events in spans:
            for done in range(0, events, STEP):
                chunk = min(STEP, events - done)
                whole = (end - begin) / timedelta(microseconds=1)
                values = {
                    "first": first,
                    "last": first + chunk,
                    "begin": (begin.astimezone(ZoneInfo("UTC")) + (end - begin) * (done / events)).replace(tzinfo=None),
                    "span": int(whole * chunk / events),
                }
                writer.execute(MAKE, values)
                first += chunk
        writer.execute("INSERT INTO batches VALUES (1, ?, false)", [first - 1])
        writer.execute("COMMIT")
    store._checkpoint()
    store.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Measure stores of as many events as ``--bench-events`` lists."""
    if "count" in metafunc.fixturenames:
        counts = [int(text) for text in metafunc.config.getoption("--bench-events").split(",")]
        metafunc.parametrize("count", counts, ids=[f"{count:,} events" for count in counts], scope="module")


@pytest.fixture(scope="module")
def folder(count: int, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of all engines' stores of so many events; what lies there already is taken as it is."""
    kept: Path | None = request.config.getoption("--bench-stores")
    path = (kept or tmp_path_factory.mktemp("report")) / f"month-{count}"
    path.mkdir(parents=True, exist_ok=True)
    yield path
    if kept is None:
        shutil.rmtree(path)


def ready(path: Path, make: Callable[[Path], None]) -> Path:
    """Return a file or folder, which is made where it is not there; half made it has another name."""
    if not path.exists():
        half = path.with_suffix(".half")
        if half.is_dir():
            shutil.rmtree(half)
        else:
            half.unlink(missing_ok=True)
        make(half)
        half.rename(path)
    return path


def counted(engine: str, path: Path) -> tuple[dict[str, Any], int]:
    """Return what an engine found, and the peak of its processes in bytes."""
    command = [sys.executable, str(SCRIPT), engine, str(path), *(moment.isoformat() for moment in (START, MIDDLE, END))]
    with Measured(command) as process:
        return json.loads(process.wait()), process.peak_bytes


def to_clickhouse(path: Path, folder: Path) -> None:
    import duckdb

    parquet = folder.with_suffix(".parquet")
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute(f"COPY (SELECT {COLUMNS}, message FROM events) TO '{parquet}' (FORMAT parquet)")
    session = opened(folder)
    session.query(CLICKHOUSE_TABLE)
    session.query(f"INSERT INTO events SELECT {COLUMNS}, message FROM file('{parquet}', Parquet)")
    session.query("OPTIMIZE TABLE events FINAL")
    session.close()
    parquet.unlink()


def to_sqlite(path: Path, copy: Path) -> None:
    import duckdb

    names = f"{COLUMNS}, message"
    connection = sqlite3.connect(copy)
    connection.execute(f"CREATE TABLE events ({names})")
    with duckdb.connect(str(path), read_only=True) as source:
        in_numbers = names.replace('"at"', 'epoch_us("at")')
        found = source.execute(f"SELECT {in_numbers} FROM events")
        while rows := found.fetchmany(100_000):
            connection.executemany(f"INSERT INTO events VALUES ({', '.join('?' * len(rows[0]))})", rows)
    connection.execute('CREATE INDEX by_time ON events ("at")')
    connection.commit()
    connection.close()


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_a_month(folder: Path, count: int, rows: list[dict[str, Any]], figures: Figures) -> None:
    path = ready(folder / "events.duckdb", lambda half: made(half, count))
    mine, peak = counted("ours", path)
    results = {OURS: mine}
    remarks = {OURS: f"at most {peak / 2**20:.0f} MiB, {path.stat().st_size / 2**20:.0f} MiB on disk"}
    if importlib.util.find_spec("chdb"):
        other = ready(folder / "clickhouse", lambda half: to_clickhouse(path, half))
        results["chdb"], other_peak = counted("chdb", other)
        remarks["chdb"] = f"at most {other_peak / 2**20:.0f} MiB; ours takes"
    if count <= MOST_SQLITE:
        copy = ready(folder / "events.sqlite", lambda half: to_sqlite(path, half))
        results["SQLite"], other_peak = counted("sqlite", copy)
        remarks["SQLite"] = f"at most {other_peak / 2**20:.0f} MiB; ours takes"
    for name, result in results.items():
        assert result["found"] == mine["found"], name
        said = remarks[name]
        if name != OURS:
            said += f" {mine['seconds'] / result['seconds']:.2f} of it; {result['sections']}"
        rows.append({"what": f"month report, {name}", "lines": count, "seconds": result["seconds"], "remarks": said})
        if (figure := f"month-{count // STEP}m") in BY_NAME:
            figures.add(figure, name, *result["each"])
    if count in GROWTH:
        figures.add("month-growth", GROWTH[count], *(seconds / count * 1e9 for seconds in mine["each"]))
    if "chdb" not in results:
        pytest.skip("chdb is not installed; ours and SQLite were measured")
