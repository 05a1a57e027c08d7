"""The sections of a report on single matters: bans, sign-ins, VPN, malware, what is new, and the program's own health.

Pure, any thread. What has nothing to say is left out.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType

from vxtray.core.errors import N_
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import CATEGORIES, Reader
from vxtray.core.reports.build import MailHealth, Report, SourceReport
from vxtray.core.reports.exhibits import counted
from vxtray.core.reports.paper import Row, Section, Table
from vxtray.core.reports.rankings import NAME_LIMIT, short_moment
from vxtray.core.store import Count, News

_ADDRESS_LIMIT = 60
_USER_LIMIT = 60

SIGN_INS: Mapping[str, str] = MappingProxyType(
    {
        "vpn": N_("VPN"),
        "admin": N_("Administration of the firewall"),
        "ssh": N_("SSH"),
        "mail": N_("Mail"),
        "web": N_("Web"),
        "other": N_("Other"),
    }
)


def matters(report: Report, reader: Reader) -> list[Section]:
    """Return those that have something to show, in reading order."""
    makers: tuple[Callable[[Report, Reader], Section | None], ...] = (_bans, _sign_ins, _vpn, _threats, _news, _sources)
    found = [make(report, reader) for make in makers]
    if report.mail is not None:
        found.append(_mails(report.mail, reader))
    return [section for section in found if section is not None]


def _bans(report: Report, reader: Reader) -> Section | None:
    bans, totals = report.summary.bans, report.totals
    if not (totals.new_bans or totals.active_bans or bans.unbans):
        return None
    facts = (
        (N_("New bans"), totals.new_bans),
        (N_("Bans still active"), totals.active_bans),
        (N_("Lifted"), bans.unbans),
        (N_("Repeat offenders"), bans.repeat_offenders),
    )
    new = [
        Row(
            cells=(
                reader.foreign(ban.address, _ADDRESS_LIMIT),
                reader.country(ban.country),
                reader.foreign(ban.rule, NAME_LIMIT),
                short_moment(ban.at, report, reader),
                reader.number(ban.before),
            )
        )
        for ban in bans.new
    ]
    offenders = [
        Row(
            cells=(
                reader.foreign(one.address, _ADDRESS_LIMIT),
                reader.country(one.country),
                short_moment(one.first, report, reader),
                short_moment(one.last, report, reader),
                reader.number(one.in_period),
                reader.number(one.bans),
            )
        )
        for one in bans.offenders
    ]
    heads = (N_("Address"), N_("Country"), N_("By"), N_("When"), N_("Bans before"))
    again = (N_("Address"), N_("Country"), N_("First ban"), N_("Last ban"), N_("This period"), N_("In all"))
    return _section(
        reader,
        "bans",
        N_("Bans"),
        [(name, reader.number(n)) for name, n in facts],
        _table(reader, N_("Newest bans"), heads, new, "<<<>>", (8, 4, 4, 3, 2)),
        _table(reader, N_("Repeat offenders"), again, offenders, "<<>>>>", (9, 3, 4, 4, 2, 2)),
    )


def _sign_ins(report: Report, reader: Reader) -> Section | None:
    found = report.summary.sign_ins
    if not found.failed:
        return None
    facts = (
        (N_("Failed sign-ins"), found.failed),
        (N_("Different users"), found.users),
        (N_("Different sources"), found.sources),
    )
    kinds = [
        Row(cells=(reader.translate(SIGN_INS[kind]) if kind in SIGN_INS else one_line(kind, 40), reader.number(n)))
        for kind, n in found.by_kind.items()
    ]
    return _section(
        reader,
        "sign_ins",
        N_("Failed sign-ins"),
        [(name, reader.number(n)) for name, n in facts],
        _table(reader, "", (N_("Where"), N_("Failed")), kinds, "<>", (7, 2)),
        _counts(reader, N_("Users tried most"), N_("User"), N_("Failed"), found.top_users),
        _counts(reader, N_("Sources that tried most"), N_("Source"), N_("Failed"), found.top_sources),
    )


def _vpn(report: Report, reader: Reader) -> Section | None:
    vpn = report.summary.vpn
    if not vpn.events:
        return None
    facts = (
        (N_("Connections"), vpn.connections),
        (N_("Sign-ins"), vpn.sign_ins),
        (N_("Failures"), vpn.failures),
        (N_("Different users"), vpn.users),
    )
    return _section(
        reader,
        "vpn",
        N_("VPN"),
        [(name, reader.number(n)) for name, n in facts],
        _counts(reader, N_("Users"), N_("User"), N_("Connections and sign-ins"), vpn.top_users),
    )


def _threats(report: Report, reader: Reader) -> Section | None:
    threats = report.summary.threats
    if not threats:
        return None
    rows = []
    for one in threats:
        category = reader.translate(CATEGORIES[one.category]) if one.category in CATEGORIES else one.category
        affected = ", ".join(reader.foreign(name, _ADDRESS_LIMIT) for name in one.affected)
        numbers = (one.events, one.blocked, one.hosts, one.users)
        rows.append(
            Row(
                cells=(reader.foreign(one.name, NAME_LIMIT), *map(reader.number, numbers)),
                detail=f"{category} · {affected}" if affected else category,
            )
        )
    heads = (N_("Name"), N_("Events"), N_("Blocked"), N_("Hosts"), N_("Users"))
    told = "; ".join(f"{row.cells[0]} ({counted(one.events, reader)})" for row, one in zip(rows, threats, strict=True))
    return Section(
        key="threats",
        title=reader.translate(N_("Malware and advanced threats")),
        line=told,
        tables=_table(reader, "", heads, rows, "<>>>>", (6, 2, 2, 2, 2)),
    )


def _news(report: Report, reader: Reader) -> Section | None:
    news = report.summary.news
    if not (news.sources or news.targets or news.rules):
        return None
    facts = ((N_("Sources"), news.sources), (N_("Targets"), news.targets), (N_("Rules"), news.rules))
    return _section(
        reader,
        "news",
        N_("Seen for the first time"),
        [(name, reader.number(n)) for name, n in facts if n],
        _counts(reader, N_("New sources"), N_("Source"), N_("Events"), news.top_sources),
        _counts(reader, N_("New targets"), N_("Target"), N_("Events"), news.top_targets),
        _counts(reader, N_("New rules"), N_("Rule"), N_("Events"), news.top_rules),
        sentences=_known_since(news, reader),
    )


def _known_since(news: News, reader: Reader) -> tuple[str, ...]:
    if news.known_since is None:
        return ()
    day = reader.day(news.known_since.astimezone(reader.zone).date(), "d MMMM yyyy")
    return (reader.translate(N_("Never seen before in the stored events, which begin on {day}."), day=day),)


# --- the program's own health -----------------------------------------------------------------------------------------


def _sources(report: Report, reader: Reader) -> Section | None:
    if not report.sources:
        return None
    rows = [_source(one, report, reader) for one in report.sources]
    heads = (N_("Source"), N_("Events"), N_("Last event"), N_("Longest silence"), N_("Not understood"), N_("Lost"))
    return Section(
        key="health",
        title=reader.translate(N_("Health of the sources")),
        tables=_table(reader, "", heads, rows, "<>>>>>", (5, 2, 3, 2, 2, 2)),
    )


def _source(one: SourceReport, report: Report, reader: Reader) -> Row:
    none, activity = "–", one.activity
    return Row(
        cells=(
            reader.foreign(one.name, NAME_LIMIT) or reader.translate(N_("unknown")),
            reader.number(activity.events if activity else 0),
            short_moment(activity.last_event, report, reader) if activity else none,
            duration(longest_silence([one]), reader) if activity and activity.silences else none,
            none if one.rejected is None else reader.number(one.rejected),
            reader.number(one.lost),
        )
    )


def _mails(mail: MailHealth, reader: Reader) -> Section:
    facts = (
        (N_("Alerts sent"), mail.sent),
        (N_("Events folded into summaries"), mail.folded),
        (N_("Mails that failed"), mail.failed),
        (N_("Mails given up after days of trying"), mail.expired),
    )
    return Section(
        key="mail",
        title=reader.translate(N_("Health of the mail")),
        facts=tuple((reader.translate(name), reader.number(n)) for name, n in facts),
    )


def longest_silence(sources: Sequence[SourceReport]) -> timedelta:
    """Return the longest stretch in which one of these sources brought nothing, 0 where none was too long."""
    return max(
        (
            silence.end - silence.start
            for one in sources
            if one.activity is not None
            for silence in one.activity.silences
        ),
        default=timedelta(0),
    )


def duration(length: timedelta, reader: Reader) -> str:
    """Return 4 min, 3 h, 2 d: rounded down."""
    minutes = int(length.total_seconds() // 60)
    for size, text in ((2880, N_("{n} d")), (120, N_("{n} h"))):
        if minutes >= size:
            return reader.translate(text, n=reader.number(minutes // (1440 if size == 2880 else 60)))
    return reader.translate(N_("{n} min"), n=reader.number(minutes))


def health(report: Report, reader: Reader) -> tuple[str, ...]:
    """Return the lines on mails and sources that every mail ends with."""
    said = []
    if report.mail is not None:
        mail = report.mail
        alerts = reader.translate_plural("{n} alert sent", "{n} alerts sent", mail.sent)
        folded = reader.translate_plural("{n} event folded", "{n} events folded", mail.folded)
        failed = reader.translate_plural("{n} failed", "{n} failed", mail.failed + mail.expired)
        said.append(
            reader.translate(
                N_("Mail health: {alerts}, {folded}, {failed}"), alerts=alerts, folded=folded, failed=failed
            )
        )
    active = [one for one in report.sources if one.activity is not None]
    quiet = [one for one in active if one.activity is not None and one.activity.silences]
    if quiet:
        said.append(
            reader.translate_plural(
                "{n} source was silent for a while, {duration} at most",
                "{n} sources were silent for a while, {duration} at most",
                len(quiet),
                duration=duration(longest_silence(quiet), reader),
            )
        )
    elif active and not report.empty:
        said.append(reader.translate(N_("All sources heard")))
    rejected = sum(one.rejected or 0 for one in report.sources)
    if rejected:
        said.append(reader.translate_plural("{n} line could not be read", "{n} lines could not be read", rejected))
    return tuple(said)


# --- pieces -----------------------------------------------------------------------------------------------------------


def _section(
    reader: Reader,
    key: str,
    title: str,
    facts: Sequence[tuple[str, str]],
    *tables: tuple[Table, ...],
    sentences: tuple[str, ...] = (),
) -> Section:
    told = tuple((reader.translate(name), value) for name, value in facts)
    return Section(
        key=key,
        title=reader.translate(title),
        line=" · ".join(reader.translate(N_("{name}: {value}"), name=name, value=value) for name, value in told),
        sentences=sentences,
        facts=told,
        tables=tuple(table for found in tables for table in found),
    )


def _counts(reader: Reader, title: str, name: str, head: str, counts: Sequence[Count]) -> tuple[Table, ...]:
    rows = [
        Row(cells=(reader.foreign(one.name, NAME_LIMIT) or reader.translate(N_("unknown")), reader.number(one.events)))
        for one in counts
    ]
    return _table(reader, title, (name, head), rows, "<>", (7, 2))


def _table(
    reader: Reader, title: str, heads: Sequence[str], rows: Sequence[Row], aligned: str, wide: tuple[int, ...]
) -> tuple[Table, ...]:
    """Return the table, none where it has no rows."""
    if not rows:
        return ()
    return (
        Table(
            title=reader.translate(title),
            heads=tuple(reader.translate(head) for head in heads),
            rows=tuple(rows),
            aligned=aligned,
            wide=wide,
        ),
    )
