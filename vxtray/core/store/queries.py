"""The SQL behind ``summarize`` and ``totals`` of the embedded store: totals, the time chart, and the top lists.

Runs on the thread that asks, on a cursor of its own; what else a summary holds stands in ``sections``. Times in SQL
are naive and in UTC (columns are TIMESTAMP). Every name is counted, none estimated.
"""

import math
from bisect import bisect_right
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from vxtray.core.events import BLOCKED, Action, Category, Severity
from vxtray.core.store import Bucket, Count, News, Summary, Top, Totals, sections
from vxtray.core.store.localtime import day_starts, hour_starts, utc
from vxtray.core.store.sections import BLOCKED_SQL, IN_PERIOD, Known, Parameters, aware

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MICROSECOND = timedelta(microseconds=1)

# Two counts in one scan: by kind, and by time. A slot is a step of time that fits into every bucket.
_COUNTS = f"""
SELECT slot, critical, blocked, severity::VARCHAR, category::VARCHAR, action::VARCHAR, sum(events)::BIGINT FROM (
    SELECT slot, severity, category, action, events, action IN {BLOCKED_SQL} AS blocked,
           severity = 'critical' AS critical
    FROM (
        SELECT (epoch_us("at") - $anchor) // $step AS slot, severity, category, action, count(*) AS events
        FROM events WHERE {IN_PERIOD} GROUP BY ALL
    )
) GROUP BY GROUPING SETS ((severity, category, action, critical, blocked), (slot, critical, blocked))
"""  # noqa: S608 - only constants are put in

_COUNTED = f"count(*) AS events, count(*) FILTER (action IN {BLOCKED_SQL}) AS blocked"
_TALLY = f'{_COUNTED}, min("at") AS first, max("at") AS last'
_UNTIMED = "NULL::TIMESTAMP AS first, NULL::TIMESTAMP AS last"
_AGAIN = "sum(events)::BIGINT AS events, sum(blocked)::BIGINT AS blocked, min(first) AS first, max(last) AS last"
_NO_RULE_FIELDS = "NULL AS severity, NULL::TIMESTAMP AS numbered"

# What is counted by name, in the period and before it. The times of sources come with what they tried: minimum and
# maximum for each of all would take a third longer. A target is a host or, without one, an address, so it is
# counted by both and then put together: quicker than working out the name of every event. Of severities, the first in
# the type is the highest; ``numbered`` is when a rule had a number last.
_SOURCES = f"""
SELECT src_ip AS name, {_COUNTED}, {_UNTIMED}, {_NO_RULE_FIELDS} FROM events
WHERE {IN_PERIOD} AND src_ip <> '' GROUP BY name
"""  # noqa: S608 - only constants are put in
_OLD_SOURCES = 'SELECT DISTINCT src_ip AS name FROM events WHERE "at" < $start'
_TARGETS = f"""
SELECT name, {_AGAIN}, {_NO_RULE_FIELDS} FROM (
    SELECT target_host AS name, {_TALLY} FROM events WHERE {IN_PERIOD} AND target_host <> '' GROUP BY name UNION ALL
    SELECT dst_ip AS name, {_TALLY} FROM events WHERE {IN_PERIOD} AND target_host = '' AND dst_ip <> '' GROUP BY name
) GROUP BY name
"""  # noqa: S608 - only constants are put in
_OLD_TARGETS = """
SELECT DISTINCT target_host AS name FROM events WHERE "at" < $start UNION
SELECT DISTINCT dst_ip AS name FROM events WHERE "at" < $start AND target_host = ''
"""
_RULES = f"""
SELECT CASE WHEN rule_name <> '' THEN rule_name ELSE rule_id END AS name, {_AGAIN}, min(severity) AS severity,
       max(last) FILTER (rule_id <> '') AS numbered
FROM (
    SELECT rule_name, rule_id, {_TALLY}, min(severity) AS severity
    FROM events WHERE {IN_PERIOD} AND (rule_name <> '' OR rule_id <> '') GROUP BY rule_name, rule_id
) GROUP BY name
"""  # noqa: S608 - only constants are put in
_OLD_RULES = """
SELECT DISTINCT CASE WHEN rule_name <> '' THEN rule_name ELSE rule_id END AS name
FROM (SELECT DISTINCT rule_name, rule_id FROM events WHERE "at" < $start)
"""
# The number that a rule had last, of equal times the one stored last.
_NUMBER = """
SELECT rule_id FROM events
WHERE "at" = $at AND rule_id <> '' AND (rule_name = $name OR rule_name = '' AND rule_id = $name)
ORDER BY seq DESC LIMIT 1
"""
_COUNTRIES = f"""
SELECT country AS name, {_TALLY}, {_NO_RULE_FIELDS} FROM events WHERE {IN_PERIOD} AND country <> '' GROUP BY name
"""  # noqa: S608 - only constants are put in
_NOTHING_OLD = "SELECT '' AS name WHERE false"

# The names with the most events, the new ones with the most, and how many there are of both.
_TOP = """
WITH tally AS MATERIALIZED ({tally}), known AS ({known}),
marked AS MATERIALIZED (
    SELECT tally.*, {compared} AND known.name IS NULL AS new FROM tally LEFT JOIN known USING (name)
)
SELECT 0 AS part, * FROM (SELECT * FROM marked ORDER BY events DESC, name LIMIT $top) UNION ALL
SELECT 1 AS part, * FROM (SELECT * FROM marked WHERE new ORDER BY events DESC, name LIMIT $top) UNION ALL
SELECT 2 AS part, '', count(*), count(*) FILTER (new), NULL, NULL, NULL, NULL, false FROM marked
"""


class _Count(msgspec.Struct, frozen=True, gc=False):
    """How many events share a kind, or a slot where that is not None."""

    slot: int | None
    critical: bool
    blocked: bool
    severity: str
    category: str
    action: str
    events: int


class _Tops(msgspec.Struct, frozen=True):
    """A top list: its rows, how many names there are, how many of them are new, and the first of those."""

    rows: list[Top]
    names: int
    new: int
    first_new: tuple[Count, ...]


def totals(cursor: "DuckDBPyConnection", start: datetime, end: datetime) -> Totals:
    """Return the figures of [start, end) alone."""
    period = _period(start, end)
    cursor.execute("BEGIN TRANSACTION")
    try:
        return _totals(
            _kinds(_counts(cursor, period, utc(start), timedelta(days=1))),
            sections.different_sources(cursor, period),
            sections.active_bans(cursor, period),
        )
    finally:
        cursor.execute("ROLLBACK")


def hours(cursor: "DuckDBPyConnection", start: datetime, end: datetime) -> tuple[Bucket, ...]:
    """Return the hours of [start, end) alone, as ``summarize`` has them."""
    starts, period = hour_starts(start, end), _period(start, end)
    anchor, step = _steps(starts, aware(period["end"]))
    return _buckets(_counts(cursor, period, anchor, step), starts, anchor, step, start)


def summarize(
    cursor: "DuckDBPyConnection",
    start: datetime,
    end: datetime,
    *,
    by_day: bool,
    top: int,
    silent: timedelta,
    now: datetime | None,
) -> Summary:
    """Count [start, end) in one transaction, so that all figures agree while events go on arriving."""
    starts = day_starts(start, end) if by_day else hour_starts(start, end)
    period = _period(start, end)
    until = min(period["end"], naive_utc(now)) if now else period["end"]
    cursor.execute("BEGIN TRANSACTION")
    try:
        known = sections.known(cursor, period, silent, until)
        return _summarize(cursor, start, period, starts, max(top, 0), known)
    finally:
        cursor.execute("ROLLBACK")


def _summarize(
    cursor: "DuckDBPyConnection", start: datetime, period: Parameters, starts: list[datetime], top: int, known: Known
) -> Summary:
    anchor, step = _steps(starts, aware(period["end"]))
    counts = _counts(cursor, period, anchor, step)
    kinds = _kinds(counts)
    by_severity, by_category, by_action = (_sums(kinds, field) for field in ("severity", "category", "action"))
    critical = [kind for kind in kinds if kind.critical and not kind.blocked]
    compared = known.since is not None and known.since < period["start"]
    sources, targets, rules, countries = (
        _tops(cursor, tally, old if compared else "", period, top, by_action.total())
        for tally, old in ((_SOURCES, _OLD_SOURCES), (_TARGETS, _OLD_TARGETS), (_RULES, _OLD_RULES), (_COUNTRIES, ""))
    )
    bans = sections.bans(cursor, period, top)
    about = sections.about(cursor, period, {row.name for row in sources.rows} | bans.addresses)
    return Summary(
        start=start,
        end=aware(period["end"]).astimezone(start.tzinfo),
        totals=_totals(kinds, sources.names, bans.active),
        by_severity={severity.value: by_severity[severity] for severity in Severity},
        by_category={category.value: by_category[category] for category in Category if by_category[category]},
        top_sources=tuple(
            msgspec.structs.replace(
                row,
                country=about.country(row.name),
                tried=about.tried(row.name),
                first_seen=about.seen[row.name][0],
                last_seen=about.seen[row.name][1],
            )
            for row in sources.rows
        ),
        top_targets=tuple(targets.rows),
        top_countries=tuple(countries.rows),
        top_rules=tuple(rules.rows),
        buckets=_buckets(counts, starts, anchor, step, start),
        got_through=by_action[Action.DETECTED]
        + sum(kind.events for kind in critical if kind.action != Action.DETECTED),
        critical_unblocked=sum(kind.events for kind in critical),
        bans=bans.told(about, by_action[Action.UNBANNED]),
        sign_ins=sections.sign_ins(cursor, period, top),
        vpn=sections.vpn(cursor, period, top),
        threats=sections.threats(cursor, period, top),
        news=News(
            known_since=aware(known.since) if known.since else None,
            sources=sources.new,
            targets=targets.new,
            rules=rules.new,
            top_sources=sources.first_new,
            top_targets=targets.first_new,
            top_rules=rules.first_new,
        ),
        sources=known.sources,
    )


def naive_utc(moment: datetime) -> datetime:
    """Return an aware datetime as the columns hold it; raises ``ValueError`` for a naive one."""
    return utc(moment).replace(tzinfo=None)


def _period(start: datetime, end: datetime) -> Parameters:
    return {"start": naive_utc(start), "end": naive_utc(end)}


def _epoch(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND


# --- totals and time --------------------------------------------------------------------------------------------------


def _counts(cursor: "DuckDBPyConnection", period: Parameters, anchor: datetime, step: timedelta) -> list[_Count]:
    rows = cursor.execute(_COUNTS, period | {"anchor": _epoch(anchor), "step": step // _MICROSECOND}).fetchall()
    return [_Count(*row) for row in rows]


def _kinds(counts: list[_Count]) -> list[_Count]:
    return [count for count in counts if count.slot is None]


def _totals(kinds: list[_Count], sources: int, active_bans: int) -> Totals:
    by_action = _sums(kinds, "action")
    return Totals(
        events=by_action.total(),
        blocked=sum(by_action[action] for action in BLOCKED),
        detected=by_action[Action.DETECTED],
        allowed=by_action[Action.ALLOWED],
        critical=_sums(kinds, "severity")[Severity.CRITICAL],
        unique_sources=sources,
        new_bans=by_action[Action.BANNED],
        active_bans=active_bans,
    )


def _steps(starts: list[datetime], end: datetime) -> tuple[datetime, timedelta]:
    """Return a first instant and a step such that every bucket begins on a step (the first one may begin within).

    The step is as long as the buckets allow: a day, an hour, or half an hour where a zone is changed by that.
    """
    if len(starts) < 2:
        return (starts[0] if starts else end), timedelta(days=1)
    lengths = [(after - before) // _MICROSECOND for before, after in pairwise(starts[1:])]
    step = (math.gcd(*lengths) if lengths else (end - starts[1]) // _MICROSECOND) * _MICROSECOND
    return starts[1] + (starts[0] - starts[1]) // step * step, step


def _buckets(
    counts: list[_Count], starts: list[datetime], anchor: datetime, step: timedelta, start: datetime
) -> tuple[Bucket, ...]:
    sums = [[0, 0, 0] for _ in starts]
    for count in counts:
        if count.slot is not None:
            bar = sums[max(bisect_right(starts, anchor + count.slot * step) - 1, 0)]
            bar[0] += count.events
            bar[1] += count.events if count.blocked else 0
            bar[2] += count.events if count.critical else 0
    return tuple(
        Bucket(start=begin.astimezone(start.tzinfo), events=events, blocked=blocked, critical=critical)
        for begin, (events, blocked, critical) in zip(starts, sums, strict=True)
    )


def _sums(kinds: list[_Count], field: str) -> Counter[str]:
    sums: Counter[str] = Counter()
    for kind in kinds:
        sums[getattr(kind, field)] += kind.events
    return sums


# --- top lists --------------------------------------------------------------------------------------------------------


def _tops(cursor: "DuckDBPyConnection", tally: str, old: str, period: Parameters, top: int, all_events: int) -> _Tops:
    """Return the names with the most events; ``old`` selects those of before the period, "" where nothing is new."""
    sql = _TOP.format(tally=tally, known=old or _NOTHING_OLD, compared=bool(old))
    parts: tuple[list[Top], list[Top]] = [], []
    names = new_names = 0
    values = {"top": top, "end": period["end"], "start": period["start"]}
    for part, name, events, blocked, first, last, severity, numbered, new in cursor.execute(sql, values).fetchall():
        if part == 2:
            names, new_names = events, blocked
            continue
        parts[part].append(
            Top(
                name=name,
                events=events,
                blocked=blocked,
                share=events / all_events,
                label=_number(cursor, name, numbered) if numbered and part == 0 else "",
                severity=severity or "",
                first_seen=aware(first) if first else None,
                last_seen=aware(last) if last else None,
                new=new,
            )
        )
    rows, news = (sorted(rows, key=lambda row: (-row.events, row.name)) for rows in parts)
    return _Tops(rows, names, new_names, tuple(Count(name=row.name, events=row.events) for row in news))


def _number(cursor: "DuckDBPyConnection", rule: str, at: datetime) -> str:
    return str(cursor.execute(_NUMBER, {"name": rule, "at": at}).fetchall()[0][0])
