"""A report put into words: sentences, figures and sections, in the reader's language, for every document of it.

Pure; runs on the ``vx-report`` worker or in a command.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType

from vxtray.core.errors import N_
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import SUBJECT_LIMIT, Reader
from vxtray.core.reports.build import Gap, Report, SetAside
from vxtray.core.reports.exhibits import chart, counted, figures
from vxtray.core.reports.paper import Labels, Paper
from vxtray.core.reports.period import Cadence, Period
from vxtray.core.reports.rankings import key_figures, kinds, rankings
from vxtray.core.reports.sections import health, matters
from vxtray.core.store import Top
from vxtray.core.texts import format_datetime

#: From this share on a change makes a period busier or quieter than the one before.
_REMARKABLE = 20.0

#: Stretches of lost lines that are named one by one.
_MOST_GAPS = 4
_LONGEST_PATH = 300

HEADINGS: Mapping[str, str] = MappingProxyType(
    {
        Cadence.DAILY: N_("Daily security report"),
        Cadence.WEEKLY: N_("Weekly security report"),
        Cadence.MONTHLY: N_("Monthly security report"),
        "custom": N_("Security report"),
    }
)

#: kind of period -> quieter, much the same, busier
_MOODS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        Cadence.DAILY: (
            N_("A quieter day than the one before: {events}, {blocked}."),
            N_("A day much like the one before: {events}, {blocked}."),
            N_("A busier day than the one before: {events}, {blocked}."),
        ),
        Cadence.WEEKLY: (
            N_("A quieter week than the one before: {events}, {blocked}."),
            N_("A week much like the one before: {events}, {blocked}."),
            N_("A busier week than the one before: {events}, {blocked}."),
        ),
        Cadence.MONTHLY: (
            N_("A quieter month than the one before: {events}, {blocked}."),
            N_("A month much like the one before: {events}, {blocked}."),
            N_("A busier month than the one before: {events}, {blocked}."),
        ),
        "custom": (
            N_("Quieter than the days before: {events}, {blocked}."),
            N_("Much like the days before: {events}, {blocked}."),
            N_("Busier than the days before: {events}, {blocked}."),
        ),
    }
)

_COMPARED: Mapping[str, str] = MappingProxyType(
    {
        Cadence.DAILY: N_("Compared with the day before."),
        Cadence.WEEKLY: N_("Compared with the week before."),
        Cadence.MONTHLY: N_("Compared with the month before."),
        "custom": N_("Compared with as many days before."),
    }
)


def report_paper(
    report: Report,
    reader: Reader,
    *,
    on_time: bool = False,
    late_reason: str = "",
    remarks: Sequence[str] = (),
    host: str = "",
    version: str = "",
    attached: Sequence[str] = (),
) -> Paper:
    """Write a report for a reader, whose zone is the period's own.

    ``on_time`` is true of a report that its schedule sends at its time, ``late_reason`` says in the reader's words why
    it comes after, ``remarks`` what else there is to know of how it came to be. ``attached`` names the kinds of file
    that go along ("PDF").
    """
    heading = reader.translate(HEADINGS[report.period.kind])
    period = period_in_words(report.period, reader)
    sentences = _summary(report, reader)
    subject = f"[vxtray] {_subject(report, reader, heading, period)}"
    sections = () if report.empty else (key_figures(report, reader), *kinds(report, reader), *rankings(report, reader))
    return Paper(
        language=reader.language,
        subject=one_line(subject, SUBJECT_LIMIT),
        kicker=" · ".join(filter(None, ("vxtray", _origin(report, reader) or one_line(host, 60)))),
        heading=heading,
        subheading=f"{period[:1].upper()}{period[1:]} · {reader.zone_name(report.period.start)}",
        tone="critical" if report.critical_unblocked else "warning" if report.got_through else "accent",
        sentences=tuple(sentences),
        strong=1 if report.empty else len(sentences),
        warnings=(*remarks, *_warnings(report, reader)),
        figures=figures(report, reader),
        compared=reader.translate(_COMPARED[report.period.kind]),
        chart=None if report.empty else chart(report, reader),
        sections=(*sections, *matters(report, reader)),
        health=health(report, reader),
        attached=tuple(attached),
        closing=_closing(reader, host, version, late_reason, on_time=on_time),
        signature=reader.signature(host, version),
        labels=Labels(
            attached=reader.translate(N_("Full report attached ({kinds}).")),
            contents=reader.translate(N_("Contents")),
            page=reader.translate(N_("Page {page} of {pages}")),
            also=reader.translate(N_("Also in this report")),
            new=reader.translate(N_("new")),
        ),
        made=report.made_at.astimezone(reader.zone).isoformat(timespec="seconds"),
    )


def _origin(report: Report, reader: Reader) -> str:
    """Return the source with the most events, and how many more there are."""
    active = [one for one in report.sources if one.activity is not None and one.activity.events]
    if not active:
        return ""
    most = max(active, key=lambda one: one.activity.events if one.activity else 0)
    name = reader.foreign(most.name, 60)
    if len(active) == 1:
        return name
    return reader.translate_plural(
        "{source} and {n} more source", "{source} and {n} more sources", len(active) - 1, source=name
    )


# --- sentences --------------------------------------------------------------------------------------------------------


def period_in_words(period: Period, reader: Reader) -> str:
    """Return Saturday 21 November 2026, Monday 12 to Sunday 18 January 2026, or November 2026."""
    first, last = period.first, (period.end - timedelta(days=1)).date()
    if period.cadence is Cadence.DAILY:
        return reader.day(period.start.date())
    if period.cadence is Cadence.MONTHLY:
        return reader.day(first, "LLLL yyyy")
    return reader.translate(
        N_("{first} to {last}"), first=reader.day(first, _shortest(first, last)), last=reader.day(last)
    )


def _shortest(first: date, last: date) -> str:
    if first.year != last.year:
        return "EEEE d MMMM yyyy"
    return "EEEE d" if first.month == last.month else "EEEE d MMMM"


def _subject(report: Report, reader: Reader, heading: str, period: str) -> str:
    if report.empty:
        return reader.translate(N_("{heading}, {period}: no events"), heading=heading, period=period)
    return reader.translate(
        N_("{heading}, {period}: {events}, {blocked}"),
        heading=heading,
        period=period,
        events=counted(report.totals.events, reader),
        blocked=reader.translate_plural("{n} blocked", "{n} blocked", report.totals.blocked),
    )


def _summary(report: Report, reader: Reader) -> list[str]:
    if report.empty:
        return [
            reader.translate(N_("Nothing happened: no event was stored in this period.")),
            reader.translate(
                N_("If you expected events, check that a source is set up and that your firewall sends to it.")
            ),
        ]
    sentences = [_lead(report, reader)]
    if report.top_source is not None and report.totals.events > 1:
        sentences.append(_most_active(report.top_source, reader))
    return [*sentences, _verdict(report, reader)]


def _lead(report: Report, reader: Reader) -> str:
    values = {
        "events": counted(report.totals.events, reader),
        "blocked": reader.translate_plural("{n} of them blocked", "{n} of them blocked", report.totals.blocked)
        if report.totals.blocked
        else reader.translate(N_("none of them blocked")),
    }
    change = report.changes["events"]
    if change is None:
        return reader.translate(N_("{events}, {blocked}."), **values)
    mood = 1 + (change >= _REMARKABLE) - (change <= -_REMARKABLE)
    return reader.translate(_MOODS[report.period.kind][mood], **values)


def _most_active(top: Top, reader: Reader) -> str:
    source = reader.foreign(top.name, 60)
    if top.country:
        source = reader.translate(N_("{address} ({country})"), address=source, country=reader.country(top.country))
    return reader.translate(
        N_("Most active source: {source}, with {events} ({share})."),
        source=source,
        events=counted(top.events, reader),
        share=reader.percent(top.share),
    )


def _verdict(report: Report, reader: Reader) -> str:
    if report.critical_unblocked:
        return reader.translate_plural(
            "{n} critical event was not blocked: look at it first.",
            "{n} critical events were not blocked: look at them first.",
            report.critical_unblocked,
        )
    if report.got_through:
        return reader.translate_plural(
            "{n} event was detected but not blocked.",
            "{n} events were detected but not blocked.",
            report.got_through,
        )
    return reader.translate(N_("Nothing got through that needs your action."))


def _warnings(report: Report, reader: Reader) -> list[str]:
    said = [_set_aside(one, reader) for one in report.set_aside] + _gaps(report.gaps, reader)
    if not report.complete:
        said.append(
            reader.translate(
                N_("This period is not over yet: the figures end at {moment}."), moment=_minute(report.made_at, reader)
            )
        )
    return said


def _set_aside(store: SetAside, reader: Reader) -> str:
    text = (
        N_(
            "On {moment} the event store was damaged in part. The last events before that are missing from these"
            " figures, unless their logs were imported again. The damaged part lies at {path}."
        )
        if store.partly
        else N_(
            "On {moment} the event store was damaged, and a new one was begun. Events before that are missing from"
            " these figures, unless their logs were imported again. The old store lies at {path}."
        )
    )
    return reader.translate(text, moment=_minute(store.at, reader), path=one_line(store.path, _LONGEST_PATH))


def _gaps(gaps: tuple[Gap, ...], reader: Reader) -> list[str]:
    """Name each stretch that was lost, or, of many, their sum."""
    if len(gaps) > _MOST_GAPS:
        return [
            reader.translate_plural(
                "{n} line was lost between {start} and {end}, in {times} stretches: it is missing from these figures.",
                "{n} lines were lost between {start} and {end}, in {times} stretches: they are missing from these"
                " figures.",
                sum(gap.lines for gap in gaps),
                start=_minute(min(gap.start for gap in gaps), reader),
                end=_minute(max(gap.end for gap in gaps), reader),
                times=reader.number(len(gaps)),
            )
        ]
    return [
        reader.translate_plural(
            "Events from {start} to {end} were lost: {n} line from {source} could not be taken in time. It is missing"
            " from these figures.",
            "Events from {start} to {end} were lost: {n} lines from {source} could not be taken in time. They are"
            " missing from these figures.",
            gap.lines,
            start=_minute(gap.start, reader),
            end=_minute(gap.end, reader),
            source=one_line(gap.source, 60),
        )
        for gap in gaps
    ]


def _minute(moment: datetime, reader: Reader) -> str:
    return format_datetime(moment, reader.language, reader.zone)


def _closing(reader: Reader, host: str, version: str, late_reason: str, *, on_time: bool) -> tuple[str, ...]:
    if late_reason:
        return reader.translate(N_("Sent late: {reason}."), reason=late_reason), reader.signature(host, version)
    if not (on_time and host):
        return (reader.signature(host, version),)
    program = f"vxtray {one_line(version, 60)}".rstrip()
    return (reader.translate(N_("Sent by {program} on {host}, on time."), program=program, host=one_line(host, 60)),)
