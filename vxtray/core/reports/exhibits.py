"""What a report shows besides its sentences: figures, the time chart, and lists as rows with bars.

Pure, any thread. Every word is in the reader's language, every number written as they write it, every log text harmless
to show; what is left to a template is where things stand and, in HTML, to escape.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from vxtray.core.errors import N_
from vxtray.core.events import Severity
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import CATEGORIES, SEVERITIES, SHAPES, Reader
from vxtray.core.reports.build import Report
from vxtray.core.reports.period import Cadence
from vxtray.core.store import Bucket, Top

#: Below this a change is told as a number: "50 % more" says little where 2 became 3.
_COUNTED_ONE_BY_ONE = 30

#: Height of the tallest bar, in pixels, and its length in the text part, in characters.
_CHART_HEIGHT = 88
_CHART_LENGTH = 40


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A number with its change against the period before; ``shape`` is ▲, ▼ or =, ``tone`` is how to take it."""

    label: str
    value: str
    shape: Literal["▲", "▼", "="]
    change: str
    tone: Literal["plain", "good", "warning"]

    @property
    def cells(self) -> tuple[str, ...]:
        """What the text part shows: the words alone say the direction."""
        return self.label, self.value, self.change


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One hour or day: ``dark`` (blocked) below ``light`` (the rest) in pixels; ``drawn`` is the same in characters."""

    label: str
    value: str
    dark: int
    light: int
    drawn: str

    @property
    def cells(self) -> tuple[str, ...]:
        """What the text part shows."""
        return self.label, self.value, self.drawn


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """A label below the chart that stands below ``span`` bars."""

    span: int
    label: str


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Events by hour or day; ``busiest`` says where the tallest bar stands and how tall it is."""

    title: str
    busiest: str
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a ranking; ``dark`` and ``light`` are the two parts of its bar, together at most 100."""

    name: str
    note: str = ""
    events: str
    last: str
    dark: int
    light: int
    tone: str = "accent"

    @property
    def cells(self) -> tuple[str, ...]:
        """What the text part shows."""
        return self.name, self.note, self.events, self.last


class Ranking(msgspec.Struct, frozen=True, kw_only=True):
    """A list by number of events. ``heads``: name, note, events, last."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]


def counted(n: int, reader: Reader) -> str:
    """Return 1,204 events."""
    return reader.translate_plural("{n} event", "{n} events", n)


# --- figures ----------------------------------------------------------------------------------------------------------


def figures(report: Report, reader: Reader) -> list[Figure]:
    """Return the four figures that stand on top."""
    labels = (
        ("events", N_("Events"), False),
        ("blocked", N_("Blocked"), False),
        ("critical", N_("Critical events"), True),
        ("new_bans", N_("New bans"), True),
    )
    return [_figure(report, reader, name, reader.translate(label), bad) for name, label, bad in labels]


def _figure(report: Report, reader: Reader, name: str, label: str, more_is_bad: bool) -> Figure:
    now, before = getattr(report.totals, name), getattr(report.previous, name)
    rising, falling = now > before, now < before
    return Figure(
        label=label,
        value=reader.number(now),
        shape="▲" if rising else "▼" if falling else "=",
        change=_change(reader, before, now),
        tone=("warning" if rising else "good" if falling else "plain") if more_is_bad else "plain",
    )


def _change(reader: Reader, before: int, now: int) -> str:
    if now == before:
        return reader.translate(N_("unchanged"))
    if before == 0:
        return reader.translate(N_("new"))
    if now >= 10 * before and before >= _COUNTED_ONE_BY_ONE:
        return reader.translate(N_("{times} times as many"), times=reader.number(round(now / before)))
    if before < _COUNTED_ONE_BY_ONE or now == 0:
        amount = reader.number(abs(now - before))
    else:
        amount = reader.percent(abs(now - before) / before)
    if now > before:
        return reader.translate(N_("{amount} more"), amount=amount)
    return reader.translate(N_("{amount} fewer"), amount=amount)


def more_figures(report: Report, reader: Reader) -> list[tuple[str, str]]:
    """Return what else was counted, as (label, value)."""
    totals = report.totals
    rows = [
        (N_("Blocked share"), reader.percent(report.blocked_share)),
        (N_("Detected, not blocked"), reader.number(totals.detected)),
        (N_("Allowed"), reader.number(totals.allowed)),
        (N_("Different sources"), reader.number(totals.unique_sources)),
        (N_("Bans still active"), reader.number(totals.active_bans)),
    ]
    return [(reader.translate(label), value) for label, value in rows]


# --- chart ------------------------------------------------------------------------------------------------------------


def chart(report: Report, reader: Reader) -> Chart:
    """Return the events by hour for a day, by day for longer periods."""
    buckets = report.summary.buckets
    top = max((bucket.events for bucket in buckets), default=0) or 1
    hourly = report.period.cadence is Cadence.DAILY
    return Chart(
        title=reader.translate(N_("Events by hour") if hourly else N_("Events by day")),
        busiest=_busiest(report, reader),
        bars=tuple(_bar(bucket, top, report, reader) for bucket in buckets),
        ticks=_ticks(report, reader),
    )


def _busiest(report: Report, reader: Reader) -> str:
    bucket = report.busiest
    if bucket is None:
        return ""
    return reader.translate(
        N_("Busiest hour: {hour} ({events}).")
        if report.period.cadence is Cadence.DAILY
        else N_("Busiest day: {day} ({events})."),
        hour=_full_label(bucket, report, reader),
        day=_full_label(bucket, report, reader),
        events=counted(bucket.events, reader),
    )


def _bar(bucket: Bucket, top: int, report: Report, reader: Reader) -> Bar:
    dark, light = _parts(bucket.blocked, bucket.events, top, _CHART_HEIGHT)
    blocked, others = _parts(bucket.blocked, bucket.events, top, _CHART_LENGTH)
    return Bar(
        label=_full_label(bucket, report, reader),
        value=reader.number(bucket.events),
        dark=dark,
        light=light,
        drawn="#" * blocked + "." * others,
    )


def _parts(blocked: int, events: int, top: int, room: int) -> tuple[int, int]:
    """Return the lengths of the blocked and the other part of a bar; what is not nothing is at least 1 long."""
    whole = max(round(events * room / top), 1) if events else 0
    dark = min(max(round(blocked * room / top), 1), whole) if blocked else 0
    return dark, whole - dark


def _full_label(bucket: Bucket, report: Report, reader: Reader) -> str:
    if report.period.cadence is Cadence.DAILY:
        return f"{bucket.start:%H:%M}"
    return reader.day(bucket.start.date(), "EEE d MMM")


def _ticks(report: Report, reader: Reader) -> tuple[Tick, ...]:
    buckets = report.summary.buckets
    if report.period.cadence is Cadence.WEEKLY:
        return tuple(Tick(span=1, label=reader.day(bucket.start.date(), "EEE")) for bucket in buckets)
    step = 3 if report.period.cadence is Cadence.DAILY else 7
    labels = (
        f"{buckets[n].start:%H}" if step == 3 else str(buckets[n].start.day) for n in range(0, len(buckets), step)
    )
    return tuple(Tick(span=min(step, len(buckets) - n * step), label=label) for n, label in enumerate(labels))


# --- rankings ---------------------------------------------------------------------------------------------------------


def rankings(report: Report, reader: Reader) -> list[Ranking]:
    """Return the lists that have something to show."""
    summary = report.summary
    severities = {str(name): n for name in Severity if (n := summary.by_severity.get(name, 0))}
    categories = dict(sorted(summary.by_category.items(), key=lambda item: -item[1]))
    found = (
        _split(N_("Severity"), severities, SEVERITIES, reader),
        _top(N_("Most active sources"), N_("Source"), N_("Country"), _sources(summary.top_sources, reader), reader),
        _top(N_("Most frequent targets"), N_("Target"), "", _targets(summary.top_targets, reader), reader),
        _top(N_("Most frequent rules"), N_("Rule"), N_("Number"), _rules(summary.top_rules, reader), reader),
        _top(N_("Countries"), N_("Country"), "", _countries(summary.top_countries, reader), reader),
        _split(N_("Categories"), categories, CATEGORIES, reader),
    )
    return [ranking for ranking in found if ranking.rows]


def _split(title: str, counts: Mapping[str, int], words: Mapping[str, str], reader: Reader) -> Ranking:
    """All events by severity or category; of these only the number is known, not how many were blocked."""
    most, total = max(counts.values(), default=1), sum(counts.values())
    rows = []
    for name, n in counts.items():
        word = reader.translate(words[name]) if name in words else one_line(name, 40)
        rows.append(
            Row(
                name=f"{SHAPES[name]} {word}" if name in SHAPES else word,
                events=reader.number(n),
                last=reader.percent(n / total),
                dark=max(round(n * 100 / most), 1),
                light=0,
                tone=str(name) if name in SHAPES else "neutral",
            )
        )
    return Ranking(
        title=reader.translate(title),
        heads=("", "", reader.translate(N_("Events")), reader.translate(N_("Share"))),
        rows=tuple(rows),
    )


def _top(title: str, name: str, note: str, tops: Sequence[tuple[str, str, Top]], reader: Reader) -> Ranking:
    """The first of a list by number of events, from (name, note, numbers)."""
    most = max((numbers.events for _, _, numbers in tops), default=1)
    rows = []
    for shown, remark, numbers in tops:
        dark, light = _parts(numbers.blocked, numbers.events, most, 100)
        rows.append(
            Row(
                name=shown or reader.translate(N_("unknown")),
                note=remark,
                events=reader.number(numbers.events),
                last=reader.percent(numbers.blocked / numbers.events),
                dark=dark,
                light=light,
            )
        )
    heads = (name, note, N_("Events"), N_("Blocked"))
    return Ranking(
        title=reader.translate(title),
        heads=tuple(reader.translate(head) for head in heads),
        rows=tuple(rows),
    )


def _sources(tops: Sequence[Top], reader: Reader) -> list[tuple[str, str, Top]]:
    return [(reader.foreign(top.name, 60), reader.country(top.country), top) for top in tops]


def _targets(tops: Sequence[Top], reader: Reader) -> list[tuple[str, str, Top]]:
    return [(reader.foreign(top.name, 80), "", top) for top in tops]


def _rules(tops: Sequence[Top], reader: Reader) -> list[tuple[str, str, Top]]:
    # A rule without a name is listed by its number alone.
    return [
        (reader.foreign(top.name, 80), reader.foreign(top.label, 30) if top.label != top.name else "", top)
        for top in tops
    ]


def _countries(tops: Sequence[Top], reader: Reader) -> list[tuple[str, str, Top]]:
    return [(reader.country(top.name), "", top) for top in tops]
