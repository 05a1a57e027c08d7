"""A report in words: what every document of it shows, in one language, ready to be drawn.

Values only, so that they can be sent to the process that draws. Every word is in the reader's language, every number
written as they write it, every log text harmless to show; what is left to a template is where things stand and, in
HTML, to escape.
"""

from typing import Literal

import msgspec


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
    events: int
    blocked: int
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


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line across the chart at so many events, and its label."""

    events: int
    label: str


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Events by hour or day; ``busiest`` says where the tallest bar stands and how tall it is.

    ``legend`` names the dark and the light part, ``described`` is for who does not see the picture.
    """

    title: str
    busiest: str
    described: str
    legend: tuple[str, str]
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a table; ``dark`` and ``light`` are the two parts of its bar, together at most 100.

    ``badge`` stands beside the first cell, ``detail`` below it; ``brief`` is what a mail says there instead.
    """

    cells: tuple[str, ...]
    badge: str = ""
    detail: str = ""
    brief: str = ""
    dark: int = 0
    light: int = 0
    tone: str = "accent"

    @property
    def named(self) -> tuple[str, ...]:
        """What the text part shows: the cells, with the badge in the first."""
        return (f"{self.cells[0]} [{self.badge}]" if self.badge else self.cells[0], *self.cells[1:])


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows below their heads. ``aligned`` has < or > for each column, ``wide`` how much of the width each wants.

    A ranking (``bars``) has the columns name, note, events and one more, and a bar before the last two.
    """

    title: str = ""
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    aligned: str
    wide: tuple[int, ...]
    bars: bool = False


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the report: sentences, then pairs of a name and what it is, then tables.

    ``line`` says the same in one line where a mail is short; a mail shows the table of a ranking instead.
    """

    key: str
    title: str
    line: str = ""
    sentences: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """Words that belong to the documents themselves. ``page`` has {page} and {pages}, ``attached`` {kinds}."""

    attached: str
    contents: str
    page: str
    also: str
    new: str


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """The whole report. ``strong`` is the number of the sentence that stands out; ``made`` is ISO 8601 with an offset.

    ``health`` says in short how sources and mails do. The lines of ``closing`` end the mail, ``signature`` the PDF;
    ``attached`` names the kinds of file that go along.
    """

    language: str
    subject: str
    kicker: str
    heading: str
    subheading: str
    tone: Literal["accent", "warning", "critical"]
    sentences: tuple[str, ...]
    strong: int
    warnings: tuple[str, ...] = ()
    figures: tuple[Figure, ...]
    compared: str
    chart: Chart | None = None
    sections: tuple[Section, ...] = ()
    health: tuple[str, ...] = ()
    attached: tuple[str, ...] = ()
    closing: tuple[str, ...]
    signature: str
    labels: Labels
    made: str
