"""The SQL behind ``summarize`` of the embedded store: five scans of the period, one of all bans.

Runs on the thread that asks, on a cursor of its own. Times in SQL are naive and in UTC (columns are TIMESTAMP).
"""

import math
from bisect import bisect_right
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from vxtray.core.events import BLOCKED, Action, Category, Severity
from vxtray.core.store import Bucket, Summary, Top, Totals
from vxtray.core.store.localtime import day_starts, hour_starts, utc

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MICROSECOND = timedelta(microseconds=1)
_BLOCKED_SQL = "(" + ", ".join(f"'{action}'" for action in sorted(BLOCKED)) + ")"
_IN_PERIOD = '"at" >= $start AND "at" < $end'

# Two counts in one scan: by kind, and by time. A slot is a step of time that fits into every bucket.
_COUNTS = f"""
SELECT slot, critical, blocked, severity, category, action, count(*) FROM (
    SELECT (epoch_us("at") - $anchor) // $step AS slot, severity::VARCHAR AS severity, category::VARCHAR AS category,
           action::VARCHAR AS action, action IN {_BLOCKED_SQL} AS blocked, severity = 'critical' AS critical
    FROM events WHERE {_IN_PERIOD}
) GROUP BY GROUPING SETS ((severity, category, action, critical, blocked), (slot, critical, blocked))
"""  # noqa: S608 - only constants are put in

_TOP = f"""
SELECT {{name}} AS name, count(*) AS events, count(*) FILTER (action IN {_BLOCKED_SQL}) AS blocked, count(*) OVER ()
FROM events WHERE {_IN_PERIOD} AND {{name}} <> '' GROUP BY name ORDER BY events DESC, name LIMIT $top
"""  # noqa: S608 - only constants are put in

# The newest text that is not empty, for the few names of a top list.
_NEWEST = f"""
SELECT {{name}} AS name, arg_max({{value}}, row("at", seq))
FROM events WHERE {_IN_PERIOD} AND {{value}} <> '' AND list_contains($names, {{name}}) GROUP BY name
"""  # noqa: S608 - only constants are put in

_ACTIVE_BANS = """
SELECT count(*) FROM (
    SELECT arg_max(action, row("at", seq)) AS latest FROM events
    WHERE action IN ('banned', 'unbanned') AND "at" < $end AND src_ip <> '' GROUP BY src_ip
) WHERE latest = 'banned'
"""

_SOURCE = "src_ip"
_TARGET = "CASE WHEN target_host <> '' THEN target_host ELSE dst_ip END"
_RULE = "CASE WHEN rule_name <> '' THEN rule_name ELSE rule_id END"


class _Count(msgspec.Struct, frozen=True, gc=False):
    """How many events share a kind, or a slot where that is not None."""

    slot: int | None
    critical: bool
    blocked: bool
    severity: str
    category: str
    action: str
    events: int


def summarize(cursor: "DuckDBPyConnection", start: datetime, end: datetime, *, by_day: bool, top: int) -> Summary:
    """Count [start, end) in one transaction, so that all figures agree while events go on arriving."""
    starts = day_starts(start, end) if by_day else hour_starts(start, end)
    cursor.execute("BEGIN TRANSACTION")
    try:
        return _summarize(cursor, start, end, starts, max(top, 0))
    finally:
        cursor.execute("ROLLBACK")


def _summarize(
    cursor: "DuckDBPyConnection", start: datetime, end: datetime, starts: list[datetime], top: int
) -> Summary:
    anchor, step = _steps(starts, utc(end))
    period = {"start": naive_utc(start), "end": naive_utc(end)}
    rows = cursor.execute(_COUNTS, period | {"anchor": _epoch(anchor), "step": step // _MICROSECOND}).fetchall()
    counts = [_Count(*row) for row in rows]
    kinds = [count for count in counts if count.slot is None]
    events = sum(kind.events for kind in kinds)
    by_severity = _sums(kinds, "severity")
    by_category = _sums(kinds, "category")
    by_action = _sums(kinds, "action")
    unblocked_critical = [kind for kind in kinds if kind.critical and not kind.blocked]
    sources, unique_sources = _tops(cursor, _SOURCE, period, top, events)
    rules, _ = _tops(cursor, _RULE, period, top, events)
    countries = _newest(cursor, _SOURCE, "country", period, sources)
    labels = _newest(cursor, _RULE, "rule_id", period, rules)
    bans = cursor.execute(_ACTIVE_BANS, {"end": period["end"]}).fetchone()
    return Summary(
        start=start,
        end=end,
        totals=Totals(
            events=events,
            blocked=sum(by_action[action] for action in BLOCKED),
            detected=by_action[Action.DETECTED],
            allowed=by_action[Action.ALLOWED],
            critical=by_severity[Severity.CRITICAL],
            unique_sources=unique_sources,
            new_bans=by_action[Action.BANNED],
            active_bans=bans[0] if bans else 0,
        ),
        by_severity={severity.value: by_severity[severity] for severity in Severity},
        by_category={category.value: by_category[category] for category in Category if by_category[category]},
        top_sources=tuple(msgspec.structs.replace(row, country=countries.get(row.name, "")) for row in sources),
        top_targets=tuple(_tops(cursor, _TARGET, period, top, events)[0]),
        top_countries=tuple(_tops(cursor, "country", period, top, events)[0]),
        top_rules=tuple(msgspec.structs.replace(row, label=labels.get(row.name, "")) for row in rules),
        buckets=_buckets(counts, starts, anchor, step, start),
        got_through=by_action[Action.DETECTED]
        + sum(kind.events for kind in unblocked_critical if kind.action != Action.DETECTED),
        critical_unblocked=sum(kind.events for kind in unblocked_critical),
    )


def naive_utc(moment: datetime) -> datetime:
    """Return an aware datetime as the columns hold it; raises ``ValueError`` for a naive one."""
    return utc(moment).replace(tzinfo=None)


def _epoch(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND


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


def _tops(
    cursor: "DuckDBPyConnection", name: str, period: dict[str, datetime], top: int, all_events: int
) -> tuple[list[Top], int]:
    """Return the names with the most events, and how many names there are."""
    rows = cursor.execute(_TOP.format(name=name), period | {"top": max(top, 1)}).fetchall()
    tops = [Top(name=text, events=n, blocked=blocked, share=n / all_events) for text, n, blocked, _ in rows[:top]]
    return tops, rows[0][3] if rows else 0


def _newest(
    cursor: "DuckDBPyConnection", name: str, value: str, period: dict[str, datetime], tops: list[Top]
) -> dict[str, str]:
    """Return the newest value of each of the names, without those that have none."""
    if not tops:
        return {}
    names = [top.name for top in tops]
    return dict(cursor.execute(_NEWEST.format(name=name, value=value), period | {"names": names}).fetchall())
