"""What a report shows besides its sentences and lists: the four figures and the time chart.

Pure, any thread.
"""

from vxtray.core.errors import N_
from vxtray.core.mail.render import Reader
from vxtray.core.reports.build import Report
from vxtray.core.reports.paper import Bar, Chart, Figure, Line, Tick
from vxtray.core.reports.period import Cadence
from vxtray.core.store import Bucket

#: Below this a change is told as a number: "50 % more" says little where 2 became 3.
_COUNTED_ONE_BY_ONE = 30

#: Height of the tallest bar, in pixels, and its length in the text part, in characters.
_CHART_HEIGHT = 88
_CHART_LENGTH = 40

#: Up to here each bar has its own label, and room for its number.
_FEW_BARS = 8

#: From here on a label says its month, and stands at every second week, then third.
_MANY_DAYS = 62


def counted(n: int, reader: Reader) -> str:
    """Return 1,204 events."""
    return reader.translate_plural("{n} event", "{n} events", n)


# --- figures ----------------------------------------------------------------------------------------------------------


def figures(report: Report, reader: Reader) -> tuple[Figure, ...]:
    """Return the four figures that stand on top."""
    labels = (
        ("events", N_("Events"), False),
        ("blocked", N_("Blocked"), False),
        ("critical", N_("Critical events"), True),
        ("new_bans", N_("New bans"), True),
    )
    return tuple(_figure(report, reader, name, reader.translate(label), bad) for name, label, bad in labels)


def _figure(report: Report, reader: Reader, name: str, label: str, more_is_bad: bool) -> Figure:
    now, before = getattr(report.totals, name), getattr(report.previous, name)
    rising, falling = now > before, now < before
    return Figure(
        label=label,
        value=reader.number(now),
        shape="▲" if rising else "▼" if falling else "=",
        change=change_in_words(reader, before, now),
        tone=("warning" if rising else "good" if falling else "plain") if more_is_bad else "plain",
    )


def change_in_words(reader: Reader, before: int, now: int) -> str:
    """Return 20% more, 3 fewer, unchanged."""
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


# --- chart ------------------------------------------------------------------------------------------------------------


def chart(report: Report, reader: Reader) -> Chart:
    """Return the events by hour for a day, by day for longer periods."""
    buckets = report.summary.buckets
    top = max((bucket.events for bucket in buckets), default=0) or 1
    title = reader.translate(N_("Events by hour") if _hourly(report) else N_("Events by day"))
    busiest = _busiest(report, reader)
    bars = tuple(_bar(bucket, top, report, reader) for bucket in buckets)
    described = "; ".join(f"{bar.label} {bar.value}" for bar in bars)
    return Chart(
        title=title,
        busiest=busiest,
        described=f"{title}. {busiest} {described}.",
        legend=(reader.translate(N_("blocked")), reader.translate(N_("not blocked"))),
        bars=bars,
        ticks=_ticks(report, reader),
        lines=_lines(top, reader) if len(bars) > _FEW_BARS else (),
    )


def _hourly(report: Report) -> bool:
    return report.period.cadence is Cadence.DAILY


def _busiest(report: Report, reader: Reader) -> str:
    bucket = report.busiest
    if bucket is None:
        return ""
    return reader.translate(
        N_("Busiest hour: {hour} ({events}).") if _hourly(report) else N_("Busiest day: {day} ({events})."),
        hour=_full_label(bucket, report, reader),
        day=_full_label(bucket, report, reader),
        events=counted(bucket.events, reader),
    )


def _bar(bucket: Bucket, top: int, report: Report, reader: Reader) -> Bar:
    dark, light = bar_parts(bucket.blocked, bucket.events, top, _CHART_HEIGHT)
    blocked, others = bar_parts(bucket.blocked, bucket.events, top, _CHART_LENGTH)
    return Bar(
        label=_full_label(bucket, report, reader),
        value=reader.number(bucket.events),
        events=bucket.events,
        blocked=bucket.blocked,
        dark=dark,
        light=light,
        drawn="#" * blocked + "." * others,
    )


def bar_parts(blocked: int, events: int, top: int, room: int) -> tuple[int, int]:
    """Return the lengths of the blocked and the other part of a bar; what is not nothing is at least 1 long."""
    whole = max(round(events * room / top), 1) if events else 0
    dark = min(max(round(blocked * room / top), 1), whole) if blocked else 0
    return dark, whole - dark


def _full_label(bucket: Bucket, report: Report, reader: Reader) -> str:
    if _hourly(report):
        return f"{bucket.start:%H:%M}"
    return reader.day(bucket.start.date(), "EEE d MMM")


def _ticks(report: Report, reader: Reader) -> tuple[Tick, ...]:
    buckets = report.summary.buckets
    if not _hourly(report) and len(buckets) <= _FEW_BARS:
        return tuple(Tick(span=1, label=reader.day(bucket.start.date(), "EEE")) for bucket in buckets)
    step = 3 if _hourly(report) else 7 * (1 + len(buckets) // _MANY_DAYS)
    days = "d" if len(buckets) <= _MANY_DAYS else "d MMM"
    labels = (
        f"{buckets[n].start:%H}" if step == 3 else reader.day(buckets[n].start.date(), days)
        for n in range(0, len(buckets), step)
    )
    return tuple(Tick(span=min(step, len(buckets) - n * step), label=label) for n, label in enumerate(labels))


def _lines(top: int, reader: Reader) -> tuple[Line, ...]:
    """Return one or two lines at round numbers, the highest at most as high as the tallest bar."""
    step = 10 ** (len(str(top)) - 1)
    highest = top // step * step
    if highest == step and step >= 10:  # 1,000 of 1,900: lines at 500, 1,000 and 1,500 say more
        step //= 2
        highest = top // step * step
    chosen = sorted({highest, highest // 2 // step * step} - {0})
    return tuple(Line(events=events, label=reader.number(events)) for events in chosen)
