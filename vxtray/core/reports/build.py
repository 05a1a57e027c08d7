"""The numbers of one report, ready to be written as HTML, text or JSON.

Pure, any thread: the store has counted, this only compares and picks.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from vxtray.core.reports.period import Period
from vxtray.core.store import Bucket, Summary, Top, Totals
from vxtray.core.store.localtime import utc


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch [start, end) whose events were lost, so that the report can say so. Both are aware."""

    start: datetime
    end: datetime


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a document needs.

    ``complete`` is false where the period was not over at ``made_at``. ``changes`` holds, for each field of ``Totals``,
    the change against the period before in percent (-100.0 and up), None where there was nothing before to compare
    with. ``busiest`` is the bucket with the most events (the earliest of equals), an hour in a daily report and a day
    in the others. ``got_through`` counts the events that nothing stopped and that matter: detected only, or critical;
    ``critical_unblocked`` is the critical part of it. ``blocked_share`` is blocked / events, 0 to 1.
    """

    period: Period
    summary: Summary
    previous: Totals
    made_at: datetime
    complete: bool
    changes: dict[str, float | None]
    busiest: Bucket | None
    top_source: Top | None
    top_target: Top | None
    top_country: Top | None
    top_rule: Top | None
    got_through: int
    critical_unblocked: int
    blocked_share: float
    gaps: tuple[Gap, ...] = ()

    @property
    def totals(self) -> Totals:
        """The totals of the period itself."""
        return self.summary.totals

    @property
    def empty(self) -> bool:
        """True where nothing happened."""
        return self.summary.totals.events == 0


def build_report(
    period: Period, summary: Summary, previous: Totals, *, made_at: datetime, gaps: Sequence[Gap] = ()
) -> Report:
    """Put a period's numbers beside those of the period before it.

    ``summary`` covers exactly [``period.start``, ``period.end``); only the ``gaps`` that touch the period are kept.
    """
    totals = summary.totals
    return Report(
        period=period,
        summary=summary,
        previous=previous,
        made_at=made_at,
        complete=utc(made_at) >= utc(period.end),
        changes={name: change(getattr(previous, name), getattr(totals, name)) for name in Totals.__struct_fields__},
        busiest=_busiest(summary.buckets),
        top_source=_first(summary.top_sources),
        top_target=_first(summary.top_targets),
        top_country=_first(summary.top_countries),
        top_rule=_first(summary.top_rules),
        got_through=summary.got_through,
        critical_unblocked=summary.critical_unblocked,
        blocked_share=totals.blocked / totals.events if totals.events else 0.0,
        gaps=tuple(gap for gap in gaps if utc(gap.start) < utc(period.end) and utc(gap.end) > utc(period.start)),
    )


def change(before: int, now: int) -> float | None:
    """Return the change in percent, None where it grew from nothing (no percentage says that)."""
    if before == 0:
        return 0.0 if now == 0 else None
    return (now - before) * 100 / before


def numbers(report: Report) -> dict[str, object]:
    """Return what ``vxtray report --json`` prints: plain dicts, lists, texts and numbers; times are ISO 8601."""
    summary = report.summary
    return {
        "period": {
            "start": report.period.start.isoformat(),
            "end": report.period.end.isoformat(),
            "zone": report.period.zone.key,
        },
        "totals": msgspec.structs.asdict(summary.totals),
        "by_severity": dict(summary.by_severity),
        "by_category": dict(summary.by_category),
        "top_sources": [_row(top) | {"country": top.country} for top in summary.top_sources],
        "top_targets": [_row(top) for top in summary.top_targets],
        "top_countries": [_row(top) for top in summary.top_countries],
        "top_rules": [_row(top) for top in summary.top_rules],
        "previous": msgspec.structs.asdict(report.previous),
    }


def _row(top: Top) -> dict[str, object]:
    return {"name": top.name, "events": top.events, "blocked": top.blocked, "share": top.share}


def _first(tops: tuple[Top, ...]) -> Top | None:
    return tops[0] if tops else None


def _busiest(buckets: tuple[Bucket, ...]) -> Bucket | None:
    best = max(buckets, key=lambda bucket: bucket.events, default=None)
    return best if best is not None and best.events else None
