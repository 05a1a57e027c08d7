"""The sections of a report that count every event: key figures, sources, targets, rules, countries, kinds.

Pure, any thread.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from vxtray.core.errors import N_
from vxtray.core.events import Severity
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import CATEGORIES, SEVERITIES, SHAPES, Reader
from vxtray.core.reports.build import Report
from vxtray.core.reports.exhibits import bar_parts, change_in_words
from vxtray.core.reports.paper import Row, Section, Table
from vxtray.core.reports.period import Cadence
from vxtray.core.store import Top

#: Characters of a name in a list; of what a log says, that much tells it from another.
NAME_LIMIT = 80
_ADDRESS_LIMIT = 60
_TRIED_LIMIT = 50

#: Every field of ``Totals`` with its name.
FIGURES = (
    ("events", N_("Events")),
    ("blocked", N_("Blocked")),
    ("detected", N_("Detected, not blocked")),
    ("allowed", N_("Allowed")),
    ("critical", N_("Critical events")),
    ("unique_sources", N_("Different sources")),
    ("new_bans", N_("New bans")),
    ("active_bans", N_("Bans still active")),
)

_RANKED = "<<>>"
_WIDE = (6, 3, 2, 2)


def short_moment(at: datetime, report: Report, reader: Reader) -> str:
    """Return 08:12 of the report's day, else 12 Jan 08:12; in the report's zone."""
    local = at.astimezone(reader.zone)
    if report.period.cadence is Cadence.DAILY and local.date() == report.period.start.date():
        return f"{local:%H:%M}"
    pattern = "d MMM" if local.year == report.period.start.year else "d MMM yyyy"
    return f"{reader.day(local.date(), pattern)} {local:%H:%M}"


def rankings(report: Report, reader: Reader) -> list[Section]:
    """Return those that have something to show, the one that matters most first."""
    summary = report.summary
    known = summary.news.known_since is not None
    found = (
        _ranking("sources", N_("Most active sources"), (N_("Source"), N_("Country")), summary.top_sources),
        _ranking("targets", N_("Most frequent targets"), (N_("Target"), ""), summary.top_targets),
        _ranking("rules", N_("Most frequent rules"), (N_("Rule"), N_("Number")), summary.top_rules),
        _ranking("countries", N_("Countries"), (N_("Country"), ""), summary.top_countries),
    )
    return [
        Section(
            key=key, title=reader.translate(title), tables=(_ranked(key, heads, tops, report, reader, known=known),)
        )
        for key, title, heads, tops in found
        if tops
    ]


def _ranking(
    key: str, title: str, heads: tuple[str, str], tops: tuple[Top, ...]
) -> tuple[str, str, tuple[str, str], tuple[Top, ...]]:
    return key, title, heads, tops


def _ranked(
    key: str, heads: tuple[str, str], tops: Sequence[Top], report: Report, reader: Reader, *, known: bool
) -> Table:
    most = max(top.events for top in tops)
    rows = []
    for top in tops:
        name, note = _named(key, top, reader)
        signs = _signs(key, top, reader)
        seen = [_span(top.first_seen, top.last_seen, report, reader)] if top.first_seen and top.last_seen else []
        dark, light = bar_parts(top.blocked, top.events, most, 100)
        rows.append(
            Row(
                cells=(name, note, reader.number(top.events), reader.percent(top.blocked / top.events)),
                badge=reader.translate(N_("new")) if top.new and known else "",
                detail=" · ".join([*signs, *seen]),
                brief=" · ".join(filter(None, [note, *signs[:1]])),
                dark=dark,
                light=light,
            )
        )
    return Table(
        heads=tuple(reader.translate(head) for head in (*heads, N_("Events"), N_("Blocked"))),
        rows=tuple(rows),
        aligned=_RANKED,
        wide=_WIDE,
        bars=True,
    )


def _named(key: str, top: Top, reader: Reader) -> tuple[str, str]:
    unknown = reader.translate(N_("unknown"))
    if key == "sources":
        return reader.foreign(top.name, _ADDRESS_LIMIT) or unknown, reader.country(top.country)
    if key == "countries":
        return reader.country(top.name) or unknown, ""
    # A rule without a name is listed by its number alone.
    label = reader.foreign(top.label, 30) if top.label != top.name else ""
    return reader.foreign(top.name, NAME_LIMIT) or unknown, label


def _signs(key: str, top: Top, reader: Reader) -> list[str]:
    """Return what a source tried, or how severe a rule is."""
    if key == "sources":
        return [
            reader.translate(CATEGORIES[one]) if one in CATEGORIES else reader.foreign(one, _TRIED_LIMIT)
            for one in top.tried
        ]
    if key == "rules" and top.severity in SEVERITIES:
        return [f"{SHAPES[top.severity]} {reader.translate(SEVERITIES[top.severity])}"]
    return []


def _span(first: datetime, last: datetime, report: Report, reader: Reader) -> str:
    begin, end = (short_moment(at, report, reader) for at in (first, last))
    if begin == end:
        return begin
    same_day = first.astimezone(reader.zone).date() == last.astimezone(reader.zone).date()
    return f"{begin} – {end.rpartition(' ')[2] if same_day else end}"


# --- all events by kind -----------------------------------------------------------------------------------------------


def key_figures(report: Report, reader: Reader) -> Section:
    """Return every figure beside that of the period before."""
    now, before = report.totals, report.previous
    rows = []
    for name, label in FIGURES:
        this, last = getattr(now, name), getattr(before, name)
        told = (reader.number(this), reader.number(last), change_in_words(reader, last, this))
        rows.append(Row(cells=(reader.translate(label), *told)))
    share, former = report.blocked_share, before.blocked / before.events if before.events else None
    shares = (reader.percent(share), reader.percent(former) if former is not None else "–", "")
    rows.insert(2, Row(cells=(reader.translate(N_("Blocked share")), *shares)))
    return Section(
        key="figures",
        title=reader.translate(N_("Key figures")),
        line=_joined(
            (N_("Blocked share"), shares[0]),
            (N_("Detected, not blocked"), reader.number(now.detected)),
            (N_("Allowed"), reader.number(now.allowed)),
            (N_("Different sources"), reader.number(now.unique_sources)),
            reader=reader,
        ),
        tables=(
            Table(
                heads=("", *map(reader.translate, (N_("This period"), N_("Before"), N_("Change")))),
                rows=tuple(rows),
                aligned="<>>>",
                wide=(4, 2, 2, 3),
            ),
        ),
    )


def _joined(*facts: tuple[str, str], reader: Reader) -> str:
    return " · ".join(
        reader.translate(N_("{name}: {value}"), name=reader.translate(name), value=value) for name, value in facts
    )


def kinds(report: Report, reader: Reader) -> list[Section]:
    """Return all events by severity and by category; of these only the number is known, not how many were blocked."""
    severities = {str(name): n for name in Severity if (n := report.summary.by_severity.get(name, 0))}
    categories = dict(sorted(report.summary.by_category.items(), key=lambda item: (-item[1], item[0])))
    found = (
        _split("severity", N_("Severity"), severities, SEVERITIES, reader),
        _split("categories", N_("Categories"), categories, CATEGORIES, reader),
    )
    return [section for section in found if section.tables[0].rows]


def _split(key: str, title: str, counts: Mapping[str, int], words: Mapping[str, str], reader: Reader) -> Section:
    most, total = max(counts.values(), default=1), sum(counts.values())
    rows, told = [], []
    for name, n in counts.items():
        word = reader.translate(words[name]) if name in words else one_line(name, 40)
        told.append(f"{SHAPES[name]} {word} {reader.number(n)}" if name in SHAPES else f"{word} {reader.number(n)}")
        rows.append(
            Row(
                cells=(
                    f"{SHAPES[name]} {word}" if name in SHAPES else word,
                    "",
                    reader.number(n),
                    reader.percent(n / total),
                ),
                dark=max(round(n * 100 / most), 1),
                tone=str(name) if name in SHAPES else "neutral",
            )
        )
    table = Table(
        heads=("", "", reader.translate(N_("Events")), reader.translate(N_("Share"))),
        rows=tuple(rows),
        aligned=_RANKED,
        wide=_WIDE,
        bars=True,
    )
    return Section(key=key, title=reader.translate(title), line=" · ".join(told), tables=(table,))
