"""The numbers of one report, ready to be written as HTML, text or JSON.

Pure, any thread: the store has counted, this only compares and picks.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Literal

import msgspec

from vxtray.core.reports.period import Period
from vxtray.core.store import Bucket, SourceActivity, Summary, Top, Totals
from vxtray.core.store.localtime import utc

#: From this share on, in percent, a change makes a period busier or quieter than the one before.
REMARKABLE = 20.0

Mood = Literal["quiet", "first", "quieter", "usual", "busier"]


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch [start, end), both aware, in which ``lines`` of a source were lost."""

    start: datetime
    end: datetime
    source: str
    lines: int


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """A damaged event store: moved to ``path`` at a moment (aware), with the events that came before.

    Where it is the engine's log alone (``partly``), only the last of them.
    """

    at: datetime
    path: str
    partly: bool = False


class MailHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What became of mails in the period: alerts that were ``sent``, events that were ``folded`` into a summary, and
    mails of every kind that ``failed`` for good, or that ``expired`` after days of trying, all by when that was known.
    """

    sent: int = 0
    folded: int = 0
    failed: int = 0
    expired: int = 0


class SourceReport(msgspec.Struct, frozen=True, kw_only=True):
    """A source of the store, or one that is only known to have lost or rejected lines (``activity`` None then).

    ``rejected`` counts the lines that could not be understood, None where nobody counted; ``lost`` those of ``gaps``.
    """

    name: str
    activity: SourceActivity | None = None
    rejected: int | None = None
    lost: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a document needs: the one data model of every output.

    ``complete`` is false where the period was not over at ``made_at``. ``changes`` holds, for each field of ``Totals``,
    the change against the period before in percent (-100.0 and up), None where there was nothing before to compare
    with. ``busiest`` is the bucket with the most events (the earliest of equals), an hour in a daily report and a day
    in the others. ``got_through`` counts the events that nothing stopped and that matter: detected only, or critical;
    ``critical_unblocked`` is the critical part of it. ``blocked_share`` is blocked / events, 0 to 1. ``mood`` compares
    the number of events with the period before: a fifth more is busier, a fifth less quieter; "quiet" is a period
    without events, "first" one with nothing before to compare with. ``mail`` is None where nobody counted.
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
    set_aside: tuple[SetAside, ...] = ()
    mood: Mood = "first"
    sources: tuple[SourceReport, ...] = ()
    mail: MailHealth | None = None

    @property
    def totals(self) -> Totals:
        """The totals of the period itself."""
        return self.summary.totals

    @property
    def empty(self) -> bool:
        """True where nothing happened."""
        return self.summary.totals.events == 0


def build_report(
    period: Period,
    summary: Summary,
    previous: Totals,
    *,
    made_at: datetime,
    gaps: Sequence[Gap] = (),
    set_aside: Sequence[SetAside] = (),
    rejected: Mapping[str, int] = MappingProxyType({}),
    mail: MailHealth | None = None,
) -> Report:
    """Put a period's numbers beside those of the period before it.

    ``summary`` covers exactly [``period.start``, ``period.end``). Only those of ``gaps`` and ``set_aside`` are kept
    that concern the period: what was set aside does where the period began before it. ``rejected`` counts lines by
    source, for the sources that somebody counted.
    """
    totals = summary.totals
    changes = {name: change(getattr(previous, name), getattr(totals, name)) for name in Totals.__struct_fields__}
    gaps = tuple(gap for gap in gaps if utc(gap.start) < utc(period.end) and utc(gap.end) > utc(period.start))
    return Report(
        period=period,
        summary=summary,
        previous=previous,
        made_at=made_at,
        complete=utc(made_at) >= utc(period.end),
        changes=changes,
        busiest=_busiest(summary.buckets),
        top_source=_first(summary.top_sources),
        top_target=_first(summary.top_targets),
        top_country=_first(summary.top_countries),
        top_rule=_first(summary.top_rules),
        got_through=summary.got_through,
        critical_unblocked=summary.critical_unblocked,
        blocked_share=totals.blocked / totals.events if totals.events else 0.0,
        gaps=gaps,
        set_aside=tuple(one for one in set_aside if utc(one.at) > utc(period.start)),
        mood=_mood(totals, changes["events"]),
        sources=_sources(summary, gaps, rejected),
        mail=mail,
    )


def mail_health(settled: Mapping[tuple[str, str], int]) -> MailHealth:
    """Return what became of the mails that were settled in the period, counted by kind and state."""

    def count(state: str, *kinds: str) -> int:
        return sum(n for (kind, ended), n in settled.items() if ended == state and (not kinds or kind in kinds))

    return MailHealth(sent=count("sent", "alert"), failed=count("failed"), expired=count("expired"))


def change(before: int, now: int) -> float | None:
    """Return the change in percent, None where it grew from nothing (no percentage says that)."""
    if before == 0:
        return 0.0 if now == 0 else None
    return (now - before) * 100 / before


def numbers(report: Report) -> dict[str, object]:
    """Return what ``vxtray report --json`` prints: plain dicts, lists, texts and numbers; times are ISO 8601.

    The times of ``period`` and ``timeline`` are in the report's zone, all others in UTC.
    """
    summary = report.summary
    told: dict[str, object] = {
        "period": {
            "cadence": report.period.kind,
            "start": report.period.start,
            "end": report.period.end,
            "zone": report.period.zone.key,
            "complete": report.complete,
        },
        "totals": summary.totals,
        "by_severity": summary.by_severity,
        "by_category": summary.by_category,
        "top_sources": [_row(top, "country", "tried", *_SEEN) for top in summary.top_sources],
        "top_targets": [_row(top, *_SEEN) for top in summary.top_targets],
        "top_countries": [_row(top) for top in summary.top_countries],
        "top_rules": [_row(top, "severity", *_SEEN) | {"id": top.label} for top in summary.top_rules],
        "previous": report.previous,
        "changes": report.changes,
        "mood": report.mood,
        "got_through": report.got_through,
        "critical_unblocked": report.critical_unblocked,
        "timeline": summary.buckets,
        "bans": summary.bans,
        "sign_ins": summary.sign_ins,
        "vpn": summary.vpn,
        "threats": summary.threats,
        "news": summary.news,
        "sources": report.sources,
        "lost": report.gaps,
        "set_aside": report.set_aside,
        "mail": report.mail,
    }
    return {key: msgspec.to_builtins(value) for key, value in told.items()}


_SEEN = ("first_seen", "last_seen", "new")


def _row(top: Top, *more: str) -> dict[str, object]:
    return {name: getattr(top, name) for name in ("name", "events", "blocked", "share", *more)}


def _mood(totals: Totals, percent: float | None) -> Mood:
    if not totals.events:
        return "quiet"
    if percent is None:
        return "first"
    if percent >= REMARKABLE:
        return "busier"
    return "quieter" if percent <= -REMARKABLE else "usual"


def _sources(summary: Summary, gaps: Sequence[Gap], rejected: Mapping[str, int]) -> tuple[SourceReport, ...]:
    """Return the sources of the store in their order, then those that only lost or rejected lines, by name."""
    lost: Counter[str] = Counter()
    for gap in gaps:
        lost[gap.source] += gap.lines
    active = {one.name: one for one in summary.sources}
    names = [*active, *sorted((lost.keys() | rejected.keys()) - active.keys())]
    return tuple(
        SourceReport(name=name, activity=active.get(name), rejected=rejected.get(name), lost=lost[name])
        for name in names
    )


def _first(tops: tuple[Top, ...]) -> Top | None:
    return tops[0] if tops else None


def _busiest(buckets: tuple[Bucket, ...]) -> Bucket | None:
    best = max(buckets, key=lambda bucket: bucket.events, default=None)
    return best if best is not None and best.events else None
