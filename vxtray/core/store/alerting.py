"""The SQL behind alerts: what is behind their cursor, what the rules could match, and what a source did before.

Runs on the thread that asks, on cursors of its own. What a rule is, the store does not know: it is given kinds (what
``alerts.matching`` makes of the rules), and what it finds is looked at by the rules once more. Nothing is held open
between two answers. Times in SQL are naive and in UTC.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from ipaddress import IPv4Network, ip_network
from typing import TYPE_CHECKING, Any

import msgspec

from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.store.kinds import Kind, KindCount, Pages, SourceRecord, TriedRule
from vxtray.core.store.queries import naive_utc
from vxtray.core.store.rows import COLUMNS, to_event
from vxtray.core.store.sections import BLOCKED_SQL, aware

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: Gives a cursor for one answer.
Reading = Callable[[], AbstractContextManager["DuckDBPyConnection"]]

_CHUNK = 1000  # events that ``alertable`` reads at a time
PAGE = 5000  # events that one page holds; some 2 MB
_ROWS = 250  # rows made into Python values at a time: the engine holds the interpreter for so long
_FEW = 5  # rules that a source's record names

_DAY, _MONTH = timedelta(hours=24), timedelta(days=30)

_BATCHES = "SELECT first_seq, last_seq FROM batches WHERE alerts AND last_seq > ? ORDER BY first_seq"
_RANGE = f"SELECT {COLUMNS} FROM events WHERE seq BETWEEN ? AND ? ORDER BY seq"  # noqa: S608 - constants

# Where each page ends; the last row is the last of all, and its number says how many there are.
_BOUNDS = """
SELECT "at", seq, n FROM (
    SELECT "at", seq, row_number() OVER (ORDER BY "at", seq) AS n, count(*) OVER () AS total FROM events WHERE {where}
) WHERE n % {page} = 0 OR n = total ORDER BY n
"""

_FIELDS = tuple(name for name in SecurityEvent.__struct_fields__ if name != "at")
_OBJECT = "{{'at': \"at\"::VARCHAR || 'Z', " + ", ".join(f"'{name}': \"{name}\"" for name in _FIELDS) + "}}"

# The engine writes JSON on threads of its own; a row of Python values would hold the interpreter ten times as long.
_PAGE_SQL = f"""
SELECT to_json(list({_OBJECT} ORDER BY "at", seq))::VARCHAR FROM events
WHERE {{where}} AND "at" BETWEEN $from_at AND $to_at
  AND ("at" > $from_at OR seq > $from_seq) AND ("at" < $to_at OR seq <= $to_seq)
"""  # noqa: S608 - only constants are put in

_KINDS = """
SELECT category::VARCHAR, action::VARCHAR, severity::VARCHAR, {rule_id} AS rule, {address} AS address, count(*)
FROM events WHERE {where} GROUP BY ALL
"""

# One scan by address, which the engine's zone maps and dictionaries cut short; the rest is over what it found.
_RECORD = f"""
WITH acts AS MATERIALIZED (
    SELECT "at", action IN {BLOCKED_SQL} AS blocked, severity,
           CASE WHEN target_host <> '' THEN target_host ELSE dst_ip END AS target,
           CASE WHEN rule_name <> '' THEN rule_name WHEN rule_id <> '' THEN rule_id ELSE category::VARCHAR END AS rule
    FROM events WHERE src_ip = $address AND "at" <= $now
), month AS (SELECT * FROM acts WHERE "at" > $month)
SELECT 0 AS part, '' AS name, (SELECT count(*) FROM month), (SELECT count(*) FROM month WHERE blocked),
       (SELECT count(*) FROM month WHERE "at" > $day), (SELECT count(*) FROM month WHERE "at" > $day AND blocked),
       (SELECT count(DISTINCT target) FROM month WHERE target <> ''),
       (SELECT min("at") FROM acts), (SELECT min("at") FROM events), NULL
UNION ALL
SELECT 1, * FROM (
    SELECT rule, count(*) AS events, count(*) FILTER (blocked), 0, 0, 0, NULL, NULL, min(severity)::VARCHAR
    FROM month GROUP BY rule ORDER BY events DESC, rule LIMIT {_FEW}
)
"""  # noqa: S608 - only constants are put in


def alertable(reading: Reading, after: int) -> Iterator[SecurityEvent]:
    """Yield events with a seq above ``after`` that were stored with ``alerts``, oldest first."""
    with reading() as cursor:
        ranges = alert_ranges(cursor, after)
    for first, last in ranges:
        for begin in range(max(first, after + 1), last + 1, _CHUNK):
            with reading() as cursor:
                rows = cursor.execute(_RANGE, [begin, min(begin + _CHUNK - 1, last)]).fetchall()
            yield from map(to_event, rows)


def alert_ranges(cursor: "DuckDBPyConnection", after: int) -> list[tuple[int, int]]:
    """Return from where to where events with a seq above ``after`` were stored with ``alerts``."""
    return list(_joined(cursor.execute(_BATCHES, [after]).fetchall()))


def _joined(batches: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Make one range of each run of batches that follow each other."""
    run: tuple[int, int] | None = None
    for first, last in batches:
        if run is not None and first == run[1] + 1:
            run = run[0], last
            continue
        if run is not None:
            yield run
        run = first, last
    if run is not None:
        yield run


def pages(reading: Reading, kinds: Collection[Kind], since: datetime, until: datetime, *, up_to_seq: int) -> Pages:
    """Return the events of these kinds in [since, until) in order of time, of equal times in that of storing."""
    where, values = selection(kinds, since, until, up_to_seq=up_to_seq)
    with reading() as cursor:
        bounds = cursor.execute(_BOUNDS.format(where=where, page=PAGE), values).fetchall()
    return Pages(bounds[-1][2] if bounds else 0, _read(reading, where, values, bounds))


def selection(
    kinds: Collection[Kind], since: datetime, until: datetime, *, up_to_seq: int
) -> tuple[str, dict[str, Any]]:
    """Return the condition for the events of these kinds in [since, until), and its values."""
    where = f"{_of_kinds(kinds)} AND {_IN_TIME} AND seq <= $up_to_seq"
    return where, {"since": naive_utc(since), "until": naive_utc(until), "up_to_seq": up_to_seq}


def _read(reading: Reading, where: str, values: dict[str, Any], bounds: Sequence[tuple[Any, ...]]) -> Iterator[bytes]:
    sql = _PAGE_SQL.format(where=where)
    begin: tuple[datetime, int] = values["since"], -1
    for at, seq, _number in bounds:
        bound = {"from_at": begin[0], "from_seq": begin[1], "to_at": at, "to_seq": seq}
        with reading() as cursor:
            row = cursor.execute(sql, values | bound).fetchone()
        if row is not None and row[0] is not None:  # none where they were deleted meanwhile
            yield row[0].encode()
        begin = at, seq


def unpaged(page: bytes) -> list[SecurityEvent]:
    """Return the events of a page; any process."""
    return msgspec.json.decode(page, type=list[SecurityEvent])


def count_kinds(
    cursor: "DuckDBPyConnection",
    kinds: Collection[Kind],
    since: datetime,
    until: datetime,
    *,
    rule_ids: Collection[str],
    networks: Collection[str],
) -> list[KindCount]:
    """Count the events of these kinds in [since, until), by some rule numbers and by some addresses."""
    sql = _KINDS.format(
        rule_id="CASE WHEN list_contains($rule_ids::VARCHAR[], rule_id) THEN rule_id END" if rule_ids else "NULL",
        address=f"CASE WHEN {_maybe_in(networks)} THEN src_ip ELSE '' END" if networks else "''",
        where=f"{_of_kinds(kinds)} AND {_IN_TIME}",
    )
    values: dict[str, object] = {"since": naive_utc(since), "until": naive_utc(until)}
    cursor.execute(sql, values | {"rule_ids": list(rule_ids)} if rule_ids else values)
    counts: list[KindCount] = []
    while rows := cursor.fetchmany(_ROWS):
        counts += [
            KindCount(Category(category), Action(action), Severity(severity), rule_id, address, events)
            for category, action, severity, rule_id, address, events in rows
        ]
    return counts


def source_record(cursor: "DuckDBPyConnection", address: str, now: datetime) -> SourceRecord:
    """Return what the store knows of an address up to ``now``."""
    moment = naive_utc(now)
    values = {"address": address, "now": moment, "day": moment - _DAY, "month": moment - _MONTH}
    rows = cursor.execute(_RECORD, values).fetchall()
    total = next(row for row in rows if row[0] == 0)
    tried = sorted((row for row in rows if row[0] == 1), key=lambda row: (-row[2], row[1]))
    return SourceRecord(
        month_events=total[2],
        month_blocked=total[3],
        day_events=total[4],
        day_blocked=total[5],
        targets=total[6],
        first_at=aware(total[7]) if total[7] else None,
        known_since=aware(total[8]) if total[8] else None,
        tried=tuple(TriedRule(row[1], row[2], row[3], Severity(row[9])) for row in tried),
    )


# --- conditions -------------------------------------------------------------------------------------------------------

_IN_TIME = '"at" >= $since AND "at" < $until'


def _of_kinds(kinds: Collection[Kind]) -> str:
    """Return a condition for exactly these kinds, in as few parts as they fall into."""
    severities: dict[tuple[Category, Action], set[Severity]] = {}
    for category, action, severity in kinds:
        severities.setdefault((category, action), set()).add(severity)
    actions: dict[tuple[Category, frozenset[Severity]], set[Action]] = {}
    for (category, action), found in severities.items():
        actions.setdefault((category, frozenset(found)), set()).add(action)
    categories: dict[tuple[frozenset[Action], frozenset[Severity]], set[Category]] = {}
    for (category, these), those in actions.items():
        categories.setdefault((frozenset(those), these), set()).add(category)
    parts = sorted(
        f"({_listed('category', found)} AND {_listed('action', those)} AND {_listed('severity', these)})"
        for (those, these), found in categories.items()
    )
    return f"({' OR '.join(parts)})" if parts else "false"


def _listed(column: str, values: Collection[Category | Action | Severity]) -> str:
    if len(values) == len(type(next(iter(values)))):
        return "true"
    return f"{column} IN ({', '.join(repr(value.value) for value in sorted(values))})"


def _maybe_in(networks: Collection[str]) -> str:
    """Return a condition that holds for every address of these networks, and for some others.

    Which it is really, the rules say: there may be many ways to write an address.
    """
    parts = {"contains(src_ip, ':')"}  # an IPv4 address may be written as one of IPv6 too
    for text in networks:
        network = ip_network(text, strict=False)
        if isinstance(network, IPv4Network):
            whole = network.prefixlen // 8
            parts.add(f"starts_with(src_ip, '{'.'.join(str(network.network_address).split('.')[:whole])}')")
    return f"({' OR '.join(sorted(parts))})"
