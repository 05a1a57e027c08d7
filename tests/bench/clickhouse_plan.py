"""Measure ClickHouse's engine (chdb) with the shipped table, for the plan of ``packaging/clickhouse.md``.

Usage: python -m tests.bench.clickhouse_plan MAKE_EVENTS FOLDER --events 10000000 --out FILE.json

A tenth of the events are generated Sophos lines of six days, parsed and stored in batches by the program's own
``ClickHouseStore``. The engine copies them to the other days of sixty, each copy with other addresses for a part of the
sources, as of another program. Then it is asked what reports, pages of events and alerts ask; after that there are
three times as many events in the same days, and it is asked again. Of each question: seconds (the better of two), of
the processor, too, which another load hardly changes, rows and bytes read, of those how many compressed, and by how
much the process grew. One process, as many threads as there are processors.
"""

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers.outcome import Rejected
from vxtray.core.parsers.sophos import parse
from vxtray.core.store import EventQuery
from vxtray.core.store.clickhouse import ClickHouseStore, statements

SQL = Path(__file__).resolve().parents[2] / "resources/sql/clickhouse.sql"
BATCH = 50_000
DAYS = 6
COPIES = 10
#: How often the copies are made: as many events as wanted, then three times as many.
PASSES = (1, 3)
DATABASE = "vxtray"
#: The engine's counters, of the whole process: so nothing else may go on while a question is asked.
COUNTERS = {
    "rows": "SelectedRows",
    "bytes": "SelectedBytes",
    "compressed_bytes": "ReadCompressedBytes",
}
MODULES = ("queries", "sections", "search", "alerting", "asking", "clickhouse")


class Watched:
    """A client that notes of each question by which function it was asked, and what it took."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.notes: list[dict[str, Any]] = []
        self.insert_seconds = 0.0
        #: Settings that questions are asked with besides their own.
        self.more: dict[str, object] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def insert(self, *given: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return self._client.insert(*given, **named)
        finally:
            self.insert_seconds += time.perf_counter() - began

    def query(self, text: str, *given: Any, **named: Any) -> Any:
        named["settings"] = named.get("settings", {}) | self.more
        before, memory = self.counters(), lowered()
        began, worked = time.perf_counter(), time.process_time()
        answer = self._client.query(text, *given, **named)
        seconds, cpu = time.perf_counter() - began, time.process_time() - worked
        grown = peak() - memory
        after = self.counters()
        note = {name: after[name] - before[name] for name in COUNTERS}
        self.notes.append({"asked_by": asked_by(), "seconds": seconds, "cpu": cpu, **note, "memory": max(grown, 0)})
        return answer

    def counters(self) -> dict[str, int]:
        names = ", ".join(f"'{name}'" for name in COUNTERS.values())
        answer = self._client.query(f"SELECT event, value FROM system.events WHERE event IN ({names})")
        found = {str(event): int(value) for event, value in answer.result_rows}
        return {ours: found.get(name, 0) for ours, name in COUNTERS.items()}

    def idle(self) -> None:
        """Wait until no parts are being merged."""
        while self._client.query("SELECT count() FROM system.merges").result_rows[0][0]:
            time.sleep(0.5)


def asked_by() -> str:
    """Return the innermost function of the store that asks, for top lists with what is counted."""
    frame = sys._getframe(2)
    while frame is not None:
        module = frame.f_globals.get("__name__", "").rpartition(".")[2]
        if module in MODULES and frame.f_code.co_name not in ("_parts", "_number", "execute", "_ask"):
            name = f"{module}.{frame.f_code.co_name.strip('_')}"
            if tally := frame.f_locals.get("tally"):
                from vxtray.core.store import queries

                name += "." + next(key[1:].lower() for key, value in vars(queries).items() if value is tally)
            return name
        frame = frame.f_back  # type: ignore[assignment]
    return ""


def lowered() -> int:
    """Forget the peak of this process's memory; return what it has now, in bytes."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _of_status("VmRSS")


def peak() -> int:
    return _of_status("VmHWM")


def _of_status(name: str) -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 0


def span(today: datetime) -> tuple[datetime, datetime, datetime]:
    """Return where the sixty days before today begin, where the second half of them does, and where they end."""
    end = today.replace(hour=0, minute=0, second=0, microsecond=0)
    return end - timedelta(days=DAYS * COPIES), end - timedelta(days=DAYS * COPIES // 2), end


def lines(tool: Path, count: int, start: datetime, days: int) -> Iterator[str]:
    """Yield generated lines, which another process makes meanwhile."""
    command = [sys.executable, str(tool), "-n", str(count), "--start", f"{start:%Y-%m-%d}", "--days", str(days)]
    with subprocess.Popen([*command, "--tz", "+0000", "-o", "-"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield line.decode().rstrip("\n")


def parsed(texts: Iterator[str]) -> Iterator[SecurityEvent]:
    """Yield the event of each line."""
    for text in texts:
        event = parse(text, UTC)
        assert not isinstance(event, Rejected)
        yield event


def fill(store: ClickHouseStore, client: Watched, events: Iterator[SecurityEvent]) -> dict[str, float]:
    """Store them in batches; return how many a second, in all and by the engine alone."""
    count, seconds, worked = 0, 0.0, time.process_time()
    while batch := list(islice(events, BATCH)):
        began = time.perf_counter()
        store.append(batch)
        store.send()
        seconds += time.perf_counter() - began
        count += len(batch)
        if count % 1_000_000 == 0:
            say(f"{count:,} stored, {count / seconds:,.0f} a second")
    return {
        "events": count,
        "batch": BATCH,
        "seconds": round(seconds, 1),
        "cpu_with_parsing": round(time.process_time() - worked, 1),
        "events_a_second": round(count / seconds),
        "events_a_second_of_the_insertion_alone": round(count / client.insert_seconds),
    }


def copy(client: Any, writer: str, turn: int) -> None:
    """Copy the first days to the others, with new addresses for a quarter of the sources."""
    names = [str(row[0]) for row in client.query(f"DESCRIBE TABLE {DATABASE}.events").result_rows]
    other = "concat(substringIndex(src_ip, '.', 3), '.', toString(cityHash64(src_ip, {copy}) % 254 + 1))"
    changed = {
        "writer": "'copy{turn}-{copy}'",
        "seq": "seq",
        "at": "at + INTERVAL {days} DAY + INTERVAL {turn} SECOND",
        "src_ip": f"if(cityHash64(src_ip) % 4 = 0 AND position(src_ip, '.') > 0, {other}, src_ip)",
    }
    columns = ", ".join(changed.get(name, name) for name in names)
    for number in range(COPIES):
        if turn or number:
            selected = columns.format(turn=turn, copy=number, days=number * DAYS)
            client.command(
                f"INSERT INTO {DATABASE}.events SELECT {selected} FROM {DATABASE}.events WHERE writer = '{writer}'"
            )


def sizes(client: Any) -> dict[str, Any]:
    """Return what the table takes on disk: in all, by column, and how many parts it is in."""
    where = f"database = '{DATABASE}' AND table = 'events'"
    rows, parts, on_disk, in_memory = client.query(
        "SELECT sum(rows), count(), sum(bytes_on_disk), sum(primary_key_bytes_in_memory_allocated) FROM system.parts"
        f" WHERE active AND {where}"
    ).result_rows[0]
    columns = client.query(
        f"SELECT name, data_compressed_bytes, data_uncompressed_bytes FROM system.columns WHERE {where}"
        " ORDER BY data_compressed_bytes DESC"
    ).result_rows
    indexes = client.query(
        f"SELECT name, data_compressed_bytes FROM system.data_skipping_indices WHERE {where}"
    ).result_rows
    return {
        "rows": rows,
        "parts": parts,
        "bytes": on_disk,
        "bytes_an_event": round(on_disk / rows, 2),
        "primary_key_bytes_in_memory": in_memory,
        "columns": {
            name: {"compressed": round(packed / rows, 3), "uncompressed": round(plain / rows, 3)}
            for name, packed, plain in columns
        },
        "indexes": {name: round(packed / rows, 3) for name, packed in indexes},
    }


def questions(store: ClickHouseStore, middle: datetime, end: datetime) -> dict[str, Callable[[], object]]:
    """Return by name what is asked of a store: reports first, as the program makes them."""
    start = middle - (end - middle)
    day, week = timedelta(days=1), timedelta(days=7)
    hour = timedelta(hours=1)
    [some] = store.search(EventQuery(until=middle), limit=1)

    def report(begin: datetime, until: datetime, before: datetime, *, by_day: bool) -> Callable[[], object]:
        return lambda: (store.summarize(begin, until, by_day=by_day, silent=hour), store.totals(before, begin))

    kinds = [(Category.WAF, Action.BLOCKED, Severity.HIGH), (Category.IPS, Action.BLOCKED, Severity.HIGH)]
    return {
        "daily report": report(end - day, end, end - 2 * day, by_day=False),
        "weekly report": report(end - week, end, end - 2 * week, by_day=True),
        "monthly report": report(middle, end, start, by_day=True),
        "figures of the last day": lambda: store.totals(end - day, end),
        "count, all events": store.count,
        "count, one category, a month": lambda: store.count(
            EventQuery(since=middle, until=end, categories=frozenset({Category.WAF}))
        ),
        "newest 100 events": lambda: store.search(EventQuery(), limit=100),
        "newest 100 before some day": lambda: store.search(EventQuery(until=middle), limit=100),
        "newest 100 of one address": lambda: store.search(EventQuery(source=some.src_ip), limit=100),
        "newest 100 of an address that is not there": lambda: store.search(EventQuery(source="192.0.2.1"), limit=100),
        "newest 100 with a frequent text": lambda: store.search(EventQuery(text="WAF Anomaly"), limit=100),
        "a text that is not there, a day": lambda: store.search(
            EventQuery(text="no such words", since=end - day, until=end), limit=100
        ),
        "a text that is not there, all": lambda: store.search(EventQuery(text="no such words"), limit=100),
        "what is known of an address": lambda: store.source_record(some.src_ip, end),
        "kinds of a day, for conditions": lambda: store.count_kinds(kinds, end - day, end),
    }


def measured(client: Watched, ask: Callable[[], object], tries: int) -> dict[str, Any]:
    """Ask so often; return the sums of the best time, and each function's share."""
    best: list[dict[str, Any]] = []
    total = float("inf")
    for _ in range(tries):
        client.idle()
        client.notes = []
        began = time.perf_counter()
        ask()
        seconds = time.perf_counter() - began
        if seconds < total:
            total, best = seconds, client.notes
    by_function: dict[str, dict[str, Any]] = {}
    for note in best:
        sums = by_function.setdefault(
            note["asked_by"], {"questions": 0, "seconds": 0.0, "cpu": 0.0, **dict.fromkeys(COUNTERS, 0)}
        )
        sums["questions"] += 1
        for name in ("seconds", "cpu"):
            sums[name] = round(sums[name] + note[name], 4)
        for name in COUNTERS:
            sums[name] += note[name]
        sums["memory"] = max(sums.get("memory", 0), note["memory"])
    return {
        # without the time in which the engine's counters are read
        **{name: round(sum(sums[name] for sums in by_function.values()), 3) for name in ("seconds", "cpu")},
        **{name: sum(sums[name] for sums in by_function.values()) for name in COUNTERS},
        "memory": max((sums["memory"] for sums in by_function.values()), default=0),
        "parts": by_function,
    }


def machine() -> dict[str, Any]:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {"processor": model, "processors": os.cpu_count(), "load": os.getloadavg(), "system": platform.system()}


def say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def main() -> None:
    """Fill a new folder and measure; what it holds is left there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tool", type=Path, help="make_events.py")
    parser.add_argument("folder", type=Path, help="where the engine keeps its data; new")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--tries", type=int, default=2, help="how often each question is put")
    parser.add_argument("--filled", action="store_true", help="the folder is of an earlier run: only ask")
    parser.add_argument("--out", type=Path, required=True, help="the measurements, as JSON")
    given = parser.parse_args()

    import clickhouse_connect

    told: dict[str, Any] = {"machine": machine(), "days": DAYS * COPIES, "at": []}
    start, middle, end = span(datetime.now(UTC))
    client = Watched(clickhouse_connect.get_client(interface="chdb", path=str(given.folder / "engine")))
    for statement in statements(SQL.read_text(encoding="utf-8"), DATABASE, 4000):
        client.command(statement)
    store = ClickHouseStore(given.folder / "spool.duckdb", lambda: client, DATABASE)  # type: ignore[arg-type, return-value]
    told["engine"] = client.server_version
    if not given.filled:
        told["insert"] = fill(store, client, parsed(lines(given.tool, given.events // COPIES, start, DAYS)))
        told["insert"]["spool_bytes"] = (given.folder / "spool.duckdb").stat().st_size
    done = 0
    for passes in (0,) if given.filled else PASSES:
        for turn in range(done, passes):
            copy(client, store.uuid, turn)
            say(f"copied, turn {turn}")
        done = passes
        client.idle()
        found: dict[str, Any] = {"on_disk": sizes(client), "questions": {}}
        told["at"].append(found)
        for kept in (0, 1):
            client.more = {"enable_materialized_cte": kept}
            for name, ask in questions(store, middle, end).items():
                if not kept or "report" in name:
                    label = f"{name}, parts kept" if kept else name
                    found["questions"][label] = measured(client, ask, given.tries)
                    say(f"{label}: {found['questions'][label]['seconds']} s")
            given.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    store.close()


if __name__ == "__main__":
    main()
