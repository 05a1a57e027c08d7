"""Count a month's report in one engine, in a process of its own, and print what it took as one line of JSON.

Usage: python report_numbers.py ENGINE FILE START MIDDLE END. ENGINE is ours, chdb or sqlite; FILE is a store, for chdb
a folder with its tables; START to MIDDLE is the month before, MIDDLE to END the month, both ISO 8601 with offset. The
other engines answer the same questions in their own words: every list with its top, first and last time, how many names
there are and how many are new, with the best types that they have for such columns (low cardinality, sorted by time).
"""

import importlib
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Rows = list[tuple[object, ...]]
Ask = Callable[[str], Rows]

_BLOCKED = "sum(CASE WHEN action IN ('blocked', 'banned') THEN 1 ELSE 0 END)"
_TARGET = "CASE WHEN target_host <> '' THEN target_host ELSE dst_ip END"
_RULE = "CASE WHEN rule_name <> '' THEN rule_name ELSE rule_id END"
_NOW = '"at" >= {middle} AND "at" < {end}'
_BANS = "action IN ('banned', 'unbanned') AND \"at\" < {end} AND src_ip <> ''"
_TOP = "ORDER BY 2 DESC, 1 LIMIT 10"
_VPN = "lower(message) LIKE '% connected%' OR lower(message) LIKE '% established%'"
_WAY = "CASE WHEN message LIKE '% using ssh%' THEN 'ssh' WHEN message LIKE '% using gui%' THEN 'admin' ELSE '' END"

#: section -> questions
QUESTIONS = {
    "counts": (
        f"SELECT {{hour}} AS slot, severity, category, action, count(*) FROM events WHERE {_NOW} GROUP BY 1, 2, 3, 4",
        (
            'SELECT severity, category, action, count(*) FROM events WHERE "at" >= {start} AND "at" < {middle}'
            " GROUP BY 1, 2, 3"
        ),
        'SELECT count(DISTINCT src_ip) FROM events WHERE "at" >= {start} AND "at" < {middle} AND src_ip <> \'\'',
    ),
    "sources of events": (
        f'SELECT source, {{hour}} AS slot, count(*), min("at"), max("at") FROM events WHERE {_NOW} GROUP BY 1, 2',
        'SELECT source, max("at") FROM events WHERE "at" < {middle} GROUP BY 1',
    ),
    **{
        section: (
            (
                f'SELECT {name} AS name, count(*), {_BLOCKED}, min("at"), max("at"){more} FROM events WHERE {_NOW}'
                f" AND {name} <> '' GROUP BY 1 {_TOP}"
            ),
            (
                f"SELECT count(*), sum(CASE WHEN old = 0 THEN 1 ELSE 0 END) FROM (SELECT {name} AS name, sum(CASE WHEN"
                f' "at" < {{middle}} THEN 1 ELSE 0 END) AS old, sum(CASE WHEN "at" >= {{middle}} THEN 1'
                " ELSE 0 END) AS now"
                f" FROM events WHERE \"at\" < {{end}} AND {name} <> '' GROUP BY 1) AS t WHERE now > 0"
            ),
        )
        for section, name, more in (
            ("sources", "src_ip", ""),
            ("targets", _TARGET, ""),
            ("rules", _RULE, ", max(severity), max(rule_id)"),
        )
    },
    "countries": (
        f"SELECT country, count(*), {_BLOCKED} FROM events WHERE {_NOW} AND country <> '' GROUP BY 1 {_TOP}",
    ),
    "bans": (
        (
            f'SELECT src_ip, "at", seq, action, rule_name, rule_id FROM events WHERE {_BANS} ORDER BY 2 DESC, 3 DESC'
            " LIMIT 10"
        ),
        (
            f'SELECT src_ip, count(*), min("at"), max("at") FROM events WHERE {_BANS} AND action = \'banned\''
            " GROUP BY 1 HAVING count(*) > 1 ORDER BY 2 DESC, 1 LIMIT 10"
        ),
        (
            "SELECT count(*) FROM (SELECT src_ip, max(CASE WHEN action = 'banned' THEN \"at\" ELSE {start} END) AS b,"
            f' max("at") AS l FROM events WHERE {_BANS} GROUP BY 1) AS t WHERE b = l'
        ),
    ),
    "what they tried": (
        (
            f'SELECT src_ip, {_RULE} AS r, category, country, count(*), max("at") FROM events WHERE {_NOW}'
            " AND src_ip IN (SELECT src_ip FROM (SELECT src_ip, count(*) AS n FROM events WHERE src_ip <> '' GROUP BY 1"
            " ORDER BY 2 DESC LIMIT 10) AS t) GROUP BY 1, 2, 3, 4"
        ),
    ),
    "sign-ins": tuple(
        f"SELECT {what}, count(*) FROM events WHERE {_NOW} AND category IN ('auth', 'vpn') AND action IN ('failed',"
        f" 'blocked', 'detected') AND (category = 'auth' OR action = 'failed' AND \"user\" <> '') GROUP BY 1 {_TOP}"
        for what in ('"user"', "src_ip", _WAY)
    ),
    "vpn": (
        (
            f"SELECT \"user\", count(*), sum(CASE WHEN action = 'info' AND ({_VPN}) THEN 1 ELSE 0 END) FROM events"
            f" WHERE {_NOW} AND category = 'vpn' GROUP BY 1 {_TOP}"
        ),
        f"SELECT action, count(*), count(DISTINCT \"user\") FROM events WHERE {_NOW} AND category = 'vpn' GROUP BY 1",
    ),
    "threats": (
        (
            f'SELECT {_RULE} AS name, count(*), {_BLOCKED}, count(DISTINCT src_ip), count(DISTINCT "user") FROM events'
            f" WHERE {_NOW} AND category IN ('atp', 'malware') GROUP BY 1 {_TOP}"
        ),
    ),
}


def ours(path: Path, start: datetime, middle: datetime, end: datetime) -> list[int]:
    """Count with the embedded store; return what all engines must agree on."""
    from vxtray.core.store.embedded import EmbeddedStore

    store = EmbeddedStore(path, read_only=True)
    try:
        summary = store.summarize(middle, end, by_day=True, silent=timedelta(hours=1))
        before = store.totals(start, middle)
    finally:
        store.close()
    news = summary.news
    return [summary.totals.events, before.events, summary.totals.unique_sources, news.sources, news.targets, news.rules]


def others(ask: Ask, **values: object) -> tuple[list[int], dict[str, float]]:
    """Put the questions to another engine; return the same, and the seconds of each section."""
    seconds, answers = {}, {}
    for section, questions in QUESTIONS.items():
        began = time.perf_counter()
        answers[section] = [ask(question.format(**values)) for question in questions]
        seconds[section] = round(time.perf_counter() - began, 3)
    counts = answers["counts"]
    found = [sum(int(str(row[-1])) for row in counts[0]), sum(int(str(row[-1])) for row in counts[1])]
    different = [[int(str(value)) for value in answers[name][1][0]] for name in ("sources", "targets", "rules")]
    return [*found, different[0][0], *(new for _, new in different)], seconds


def opened(folder: Path) -> Any:
    """Open a folder with ClickHouse's engine, whose package says nothing of its types."""
    return importlib.import_module("chdb.session").Session(str(folder))


def chdb(path: Path, start: datetime, middle: datetime, end: datetime) -> tuple[list[int], dict[str, float]]:
    """Count with ClickHouse's engine."""
    session = opened(path)

    def ask(sql: str) -> Rows:
        told = session.query(f"{sql} SETTINGS max_threads = 2", "JSONCompactEachRow").bytes().decode()
        return [tuple(json.loads(line)) for line in told.splitlines()]

    moments = {
        name: f"toDateTime64('{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}', 6, 'UTC')"
        for name, moment in (("start", start), ("middle", middle), ("end", end))
    }
    try:
        return others(ask, hour='intDiv(toUnixTimestamp("at"), 3600)', **moments)
    finally:
        session.close()


def sqlite(path: Path, start: datetime, middle: datetime, end: datetime) -> tuple[list[int], dict[str, float]]:
    """Count with SQLite, whose times are microseconds since 1970."""
    import sqlite3

    connection = sqlite3.connect(path)
    moments = {
        name: str(int(moment.timestamp()) * 1_000_000)
        for name, moment in (("start", start), ("middle", middle), ("end", end))
    }
    try:
        return others(lambda sql: connection.execute(sql).fetchall(), hour='"at" / 3600000000', **moments)
    finally:
        connection.close()


def main() -> None:
    """Count once for the page cache, then three times (SQLite once in all), for every engine alike."""
    engine, path = sys.argv[1], Path(sys.argv[2])
    moments = [datetime.fromisoformat(text) for text in sys.argv[3:6]]
    each: list[float] = []
    found, sections = [], {}
    for turn in range(4 if engine != "sqlite" else 1):
        began = time.perf_counter()
        if engine == "ours":
            found, told = ours(path, *moments), {}
        else:
            found, told = {"chdb": chdb, "sqlite": sqlite}[engine](path, *moments)
        took = time.perf_counter() - began
        if turn or engine == "sqlite":
            sections = told if took < min(each, default=took + 1) else sections
            each.append(took)
    sys.stdout.write(json.dumps({"seconds": min(each), "each": each, "found": found, "sections": sections}))


if __name__ == "__main__":
    main()
