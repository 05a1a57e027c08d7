"""Figures of a digest mail, and its lists of sources, rules and targets.

Pure, any thread. A list gives account of all events: what is not named in it stands in its last row.
"""

from collections.abc import Sequence

import msgspec

from vxtray.core.alerts.incidents import Folded, Incident, Letter, TopRow
from vxtray.core.alerts.wording import lasting
from vxtray.core.errors import N_
from vxtray.core.mail.render import Reader


class Figure(msgspec.Struct, frozen=True):
    """One of the four figures on top, with a remark below it."""

    label: str
    value: str
    change: str = ""
    tone: str = "plain"
    shape: str = ""

    @property
    def cells(self) -> tuple[str, str, str]:
        """The line of the text part."""
        return self.label, self.value, self.change


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row as it is shown: ``cells`` are name, country, events and the share blocked.

    ``dark`` and ``light`` are the blocked and the other part of its bar, in percent of the longest.
    """

    cells: tuple[str, str, str, str]
    brief: str = ""
    badge: str = ""
    tone: str = "accent"
    dark: int = 0
    light: int = 0


class Ranking(msgspec.Struct, frozen=True, kw_only=True):
    """A list with its title; ``heads`` name the columns."""

    title: str
    heads: tuple[str, str, str, str]
    rows: tuple[Row, ...]

    @property
    def lines(self) -> list[tuple[str, str, str, str]]:
        """All lines of the text part, the heads first."""
        return [self.heads, *(row.cells for row in self.rows)]


def figures(letter: Letter, folded: Folded, reader: Reader) -> tuple[Figure, ...]:
    """Return the four figures on top: of one source how long it lasted, of many how many they are."""
    missed = folded.events - folded.blocked
    more = letter.total > folded.events
    share = reader.percent(folded.blocked / folded.events) if folded.events else ""
    last = (
        Figure(reader.translate(N_("Lasted")), lasting(folded.last_at - folded.first_at, reader))
        if letter.incident.key is not None
        else Figure(reader.translate(N_("Sources")), reader.number(folded.sources))
    )
    return (
        Figure(
            reader.translate(N_("Events")),
            reader.number(folded.events),
            reader.translate(N_("{total} in all"), total=reader.number(letter.total)) if more else "",
        ),
        Figure(reader.translate(N_("Blocked")), reader.number(folded.blocked), share),
        Figure(
            reader.translate(N_("Not blocked")),
            reader.number(missed),
            reader.percent(missed / folded.events) if missed else "",
            tone="warning" if missed else "good",
            shape="▲" if missed else "✓",
        ),
        last,
    )


def rankings(incident: Incident, folded: Folded, reader: Reader) -> list[Ranking]:
    """Return the lists that say more than the sentences: of one source, none of sources."""
    lists = (
        (N_("Who attacked most"), N_("Source"), folded.top_sources, folded.sources),
        (N_("Which rules matched"), N_("Rule"), folded.top_rules, folded.rules),
        (N_("What was attacked"), N_("Target"), folded.top_targets, folded.targets),
    )
    return [
        _ranking(reader.translate(title), reader.translate(head), rows, distinct, folded, reader)
        for title, head, rows, distinct in lists
        if rows and (incident.key is None or len(rows) > 1)
    ]


def _ranking(title: str, head: str, rows: Sequence[TopRow], distinct: int, folded: Folded, reader: Reader) -> Ranking:
    """Return the list of what had most events; ``distinct`` is how many names there are in all."""
    say = reader.translate
    top = max((row.events for row in rows), default=0) or 1
    shown = [_row(_name(row, reader), reader.country(row.country), row, top, reader) for row in rows]
    left = folded.events - sum(row.events for row in rows)
    if left > 0:
        others = max(distinct - sum(bool(row.name) for row in rows), 1)
        rest = TopRow(name="", events=left, blocked=folded.blocked - sum(row.blocked for row in rows))
        name = reader.translate_plural("{n} more", "{n} more", others)
        shown.append(_row(name, "", rest, max(top, left), reader, bar=False))
    country = say(N_("Country")) if any(row.cells[1] for row in shown) else ""
    return Ranking(title=title, heads=(head, country, say(N_("Events")), say(N_("Blocked"))), rows=tuple(shown))


def _name(row: TopRow, reader: Reader) -> str:
    return reader.foreign(row.name, 120) or reader.translate(N_("not known"))


def _row(name: str, country: str, row: TopRow, top: int, reader: Reader, *, bar: bool = True) -> Row:
    dark, light = _bar(row.blocked, row.events, top) if bar else (0, 0)
    share = reader.percent(row.blocked / row.events) if row.events else ""
    return Row(
        cells=(name, country, reader.number(row.events), share),
        brief=country,
        dark=dark,
        light=light,
    )


def _bar(blocked: int, events: int, top: int) -> tuple[int, int]:
    """Return both parts in percent; what is not nothing is seen."""
    whole = max(round(events * 100 / top), 1) if events else 0
    dark = min(max(round(blocked * 100 / top), 1), whole) if blocked else 0
    return dark, whole - dark
