"""A report as a table for a spreadsheet: one row for each thing that was counted, no formula in any cell.

Pure, any thread. One table, since that is what can be filtered and summed up; the first column says what a row belongs
to. Semicolons and decimal commas in French, for that is what a French Excel opens with a double click; elsewhere commas
and points. UTF-8 with a byte order mark, by which Excel knows it. Numbers stand without separators of thousands, times
in the report's zone as 2026-01-12 08:12:09.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from vxtray.core.errors import N_
from vxtray.core.mail.render import CATEGORIES, SEVERITIES, Reader
from vxtray.core.reports.build import Report
from vxtray.core.reports.document import HEADINGS
from vxtray.core.reports.rankings import FIGURES
from vxtray.core.reports.sections import SIGN_INS
from vxtray.core.store import Count, Top

#: The characters of a name; of a cell, Excel takes 32,767.
_LIMIT = 1000

#: What makes a spreadsheet take a cell for a formula (OWASP, CSV injection), at its beginning or, where a program
#: cuts the line at other places than we did, after what it takes for a separator.
_FORMULA = re.compile("(^|[;,|\t\"'] ?)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")

_COLUMNS = (
    N_("Section"),
    N_("Name"),
    N_("Country"),
    N_("Details"),
    N_("New"),
    N_("Count"),
    N_("Blocked"),
    N_("Share"),
    N_("Before"),
    N_("First"),
    N_("Last"),
)


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the table; ``section``, ``kind`` and ``words`` are message ids, ``name`` is what a log says."""

    section: str
    name: str = ""
    words: str = ""
    country: str = ""
    details: tuple[str, ...] = ()
    marked: tuple[str, ...] = ()
    new: bool = False
    count: int | None = None
    blocked: int | None = None
    share: float | None = None
    before: int | None = None
    first: datetime | None = None
    last: datetime | None = None


def csv_file(report: Report, reader: Reader) -> bytes:
    """Return the file: text in quotes, numbers bare, nothing where something is not known."""
    separator = ";" if reader.language == "fr" else ","
    lines = [separator.join(_text(reader.translate(column)) for column in _COLUMNS)]
    lines += [separator.join(_cells(row, reader)) for row in _rows(report)]
    return b"\xef\xbb\xbf" + "".join(line + "\r\n" for line in lines).encode("utf-8")


def _cells(row: _Row, reader: Reader) -> Iterator[str]:
    details = [reader.translate(one) for one in row.marked] + [reader.foreign(one, _LIMIT) for one in row.details]
    yield _text(reader.translate(row.section))
    yield _text(reader.translate(row.words) if row.words else reader.foreign(row.name, _LIMIT))
    yield _text(reader.country(row.country))
    yield _text(" · ".join(filter(None, details)))
    yield _text(reader.translate(N_("yes")) if row.new else "")
    yield _number(row.count)
    yield _number(row.blocked)
    yield "" if row.share is None else f"{row.share:.4f}".replace(".", "," if reader.language == "fr" else ".")
    yield _number(row.before)
    yield _moment(row.first, reader)
    yield _moment(row.last, reader)


def _text(text: str) -> str:
    if not text:
        return ""
    doubled = _FORMULA.sub(r"\1'", text).replace('"', '""')
    return f'"{doubled}"'


def _number(n: int | None) -> str:
    return "" if n is None else str(n)


def _moment(at: datetime | None, reader: Reader) -> str:
    return "" if at is None else f"{at.astimezone(reader.zone):%Y-%m-%d %H:%M:%S}"


# --- rows -------------------------------------------------------------------------------------------------------------


def _rows(report: Report) -> Iterator[_Row]:
    period, summary = report.period, report.summary
    yield _Row(section=N_("Period"), words=HEADINGS[period.kind], first=period.start, last=period.end)
    for name, label in FIGURES:
        yield _Row(
            section=N_("Key figures"),
            words=label,
            count=getattr(report.totals, name),
            before=getattr(report.previous, name),
        )
    timeline = N_("Timeline")
    for bucket in summary.buckets:
        yield _Row(section=timeline, count=bucket.events, blocked=bucket.blocked, first=bucket.start)
    yield from _tops(N_("Most active sources"), summary.top_sources)
    yield from _tops(N_("Most frequent targets"), summary.top_targets)
    yield from _tops(N_("Most frequent rules"), summary.top_rules)
    for top in summary.top_countries:
        yield _Row(section=N_("Countries"), country=top.name, count=top.events, blocked=top.blocked, share=top.share)
    for section, counts, words in (
        (N_("Severity"), summary.by_severity, SEVERITIES),
        (N_("Categories"), summary.by_category, CATEGORIES),
        (N_("Failed sign-ins"), summary.sign_ins.by_kind, SIGN_INS),
    ):
        for name, n in counts.items():
            yield _Row(section=section, name=name, words=words.get(name, ""), count=n)
    yield from _matters(report)
    yield from _health(report)


def _tops(section: str, tops: Sequence[Top]) -> Iterator[_Row]:
    for top in tops:
        tried = tuple(one for one in top.tried if one not in CATEGORIES)
        marked = [CATEGORIES[one] for one in top.tried if one in CATEGORIES]
        if top.severity in SEVERITIES:
            marked.append(SEVERITIES[top.severity])
        yield _Row(
            section=section,
            name=top.name,
            country=top.country,
            details=(top.label, *tried),
            marked=tuple(marked),
            new=top.new,
            count=top.events,
            blocked=top.blocked,
            share=top.share,
            first=top.first_seen,
            last=top.last_seen,
        )


def _matters(report: Report) -> Iterator[_Row]:
    summary = report.summary
    bans, sign_ins, vpn, news = summary.bans, summary.sign_ins, summary.vpn, summary.news
    yield _Row(section=N_("Bans"), words=N_("Lifted"), count=bans.unbans)
    yield _Row(section=N_("Bans"), words=N_("Repeat offenders"), count=bans.repeat_offenders)
    for ban in bans.new:
        yield _Row(
            section=N_("Newest bans"),
            name=ban.address,
            country=ban.country,
            details=(ban.rule,),
            before=ban.before,
            first=ban.at,
        )
    for one in bans.offenders:
        yield _Row(
            section=N_("Repeat offenders"),
            name=one.address,
            country=one.country,
            count=one.in_period,
            before=one.bans - one.in_period,
            first=one.first,
            last=one.last,
        )
    yield _Row(section=N_("Failed sign-ins"), words=N_("Failed sign-ins"), count=sign_ins.failed)
    yield _Row(section=N_("Failed sign-ins"), words=N_("Different users"), count=sign_ins.users)
    yield _Row(section=N_("Failed sign-ins"), words=N_("Different sources"), count=sign_ins.sources)
    yield from _counts(N_("Users tried most"), sign_ins.top_users)
    yield from _counts(N_("Sources that tried most"), sign_ins.top_sources)
    for label, n in (
        (N_("Connections"), vpn.connections),
        (N_("Sign-ins"), vpn.sign_ins),
        (N_("Failures"), vpn.failures),
        (N_("Different users"), vpn.users),
    ):
        yield _Row(section=N_("VPN"), words=label, count=n)
    yield from _counts(N_("VPN"), vpn.top_users)
    for threat in summary.threats:
        yield _Row(
            section=N_("Malware and advanced threats"),
            name=threat.name,
            marked=(CATEGORIES.get(threat.category, ""),),
            details=threat.affected,
            count=threat.events,
            blocked=threat.blocked,
        )
    for label, n in ((N_("Sources"), news.sources), (N_("Targets"), news.targets), (N_("Rules"), news.rules)):
        yield _Row(section=N_("Seen for the first time"), words=label, count=n, first=news.known_since)
    yield from _counts(N_("New sources"), news.top_sources)
    yield from _counts(N_("New targets"), news.top_targets)
    yield from _counts(N_("New rules"), news.top_rules)


def _counts(section: str, counts: Sequence[Count]) -> Iterator[_Row]:
    for one in counts:
        yield _Row(section=section, name=one.name, count=one.events)


def _health(report: Report) -> Iterator[_Row]:
    for source in report.sources:
        section, activity = N_("Health of the sources"), source.activity
        last = activity.last_event if activity else None
        yield _Row(section=section, name=source.name, count=activity.events if activity else 0, last=last)
        if source.rejected is not None:
            yield _Row(section=section, name=source.name, marked=(N_("Not understood"),), count=source.rejected)
        if source.lost:
            yield _Row(section=section, name=source.name, marked=(N_("Lost"),), count=source.lost)
        for silence in activity.silences if activity else ():
            yield _Row(
                section=section, name=source.name, marked=(N_("Silence"),), first=silence.start, last=silence.end
            )
    if report.mail is not None:
        for label, n in (
            (N_("Alerts sent"), report.mail.sent),
            (N_("Events folded into summaries"), report.mail.folded),
            (N_("Mails that failed"), report.mail.failed),
            (N_("Mails given up after days of trying"), report.mail.expired),
        ):
            yield _Row(section=N_("Health of the mail"), words=label, count=n)
