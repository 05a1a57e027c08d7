"""A report as a mail: its numbers put into words, bars and rows for the templates.

Pure apart from reading the templates; runs on the ``vx-report`` worker or in a command.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType

from vxtray.core.errors import N_
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import SUBJECT_LIMIT, Document, Reader, render
from vxtray.core.reports.build import Report
from vxtray.core.reports.exhibits import chart, counted, figures, more_figures, rankings
from vxtray.core.reports.period import Cadence, Period
from vxtray.core.store import Top
from vxtray.core.texts import format_datetime

#: From this share on a change makes a period busier or quieter than the one before.
_REMARKABLE = 20.0

_HEADINGS: Mapping[Cadence, str] = MappingProxyType(
    {
        Cadence.DAILY: N_("Daily security report"),
        Cadence.WEEKLY: N_("Weekly security report"),
        Cadence.MONTHLY: N_("Monthly security report"),
    }
)

#: cadence -> quieter, much the same, busier
_MOODS: Mapping[Cadence, tuple[str, str, str]] = MappingProxyType(
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
    }
)

_COMPARED: Mapping[Cadence, str] = MappingProxyType(
    {
        Cadence.DAILY: N_("Compared with the day before."),
        Cadence.WEEKLY: N_("Compared with the week before."),
        Cadence.MONTHLY: N_("Compared with the month before."),
    }
)


def report_document(
    report: Report,
    language: str,
    *,
    late_reason: str = "",
    host: str = "",
    version: str = "",
    defang: bool = False,
    mask_internal: bool = False,
) -> Document:
    """Write a report for a reader; its times stand in the period's own zone.

    ``late_reason`` is a marked text that says why the report comes after its time. Raises nothing but for a broken
    installation (``FileNotFoundError``).
    """
    reader = Reader(language=language, zone=report.period.zone, defang=defang, mask_internal=mask_internal)
    heading = reader.translate(_HEADINGS[report.period.cadence])
    period = period_in_words(report.period, reader)
    sentences = _summary(report, reader)
    rendered = render(
        "report",
        language,
        {
            "kicker": " · ".join(filter(None, ("vxtray", one_line(host, 60)))),
            "preheader": " ".join(sentences),
            "heading": heading,
            "subheading": f"{period[:1].upper()}{period[1:]} · {reader.zone_name(report.period.start)}",
            "tone": "critical" if report.critical_unblocked else "warning" if report.got_through else "accent",
            "sentences": sentences,
            "strong": 1 if report.empty else len(sentences),
            "warnings": _warnings(report, reader),
            "figures": figures(report, reader),
            "compared": reader.translate(_COMPARED[report.period.cadence]),
            "legend": (reader.translate(N_("blocked")), reader.translate(N_("not blocked"))),
            "chart": None if report.empty else chart(report, reader),
            "rankings": rankings(report, reader),
            "more_title": reader.translate(N_("More figures")),
            "more": () if report.empty else more_figures(report, reader),
            "footer": _footer(reader, late_reason, host, version),
        },
    )
    subject = f"[vxtray] {_subject(report, reader, heading, period)}"
    return Document(subject=one_line(subject, SUBJECT_LIMIT), html=rendered.html, text=rendered.text)


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
    return reader.translate(_MOODS[report.period.cadence][mood], **values)


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
    said = [
        reader.translate(
            N_("Events from {start} to {end} were lost: they are missing from these figures."),
            start=_minute(gap.start, reader),
            end=_minute(gap.end, reader),
        )
        for gap in report.gaps
    ]
    if not report.complete:
        said.append(
            reader.translate(
                N_("This period is not over yet: the figures end at {moment}."), moment=_minute(report.made_at, reader)
            )
        )
    return said


def _minute(moment: datetime, reader: Reader) -> str:
    return format_datetime(moment, reader.language, reader.zone)


def _footer(reader: Reader, late_reason: str, host: str, version: str) -> list[str]:
    signature = reader.signature(host, version)
    if not late_reason:
        return [signature]
    return [reader.translate(N_("Sent late: {reason}."), reason=reader.translate(late_reason)), signature]
