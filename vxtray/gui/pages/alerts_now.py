"""What goes on now: storms with their figures, and what is held back, why and until when. GUI thread only.

Rows are kept while their incident lasts, so that a button never goes away under the mouse or from the keyboard.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QVBoxLayout, QWidget

from vxtray.core.alertroom import Folded, Pause, Told
from vxtray.core.alerts.incidents import Incident, Shape, Silence, Why
from vxtray.core.texts import _, plural
from vxtray.gui.icons import IconLabel
from vxtray.gui.pages.alerts_words import (
    held_words,
    next_of,
    number,
    short_ago,
    silence_text,
    silence_title,
    source_of,
    what_of,
)
from vxtray.gui.pages.history_words import clock_time
from vxtray.gui.theme import theme
from vxtray.gui.widgets import (
    Beside,
    Card,
    FlowRow,
    Kind,
    Pill,
    button,
    link_button,
    plain_label,
    read_in_order,
    separator,
)

#: Below this width, in px at scale 1, a storm's row is told in two lines.
_NARROW = 580

#: A source of so many characters, such as an IPv4 address with its country, stands on one line.
_SHORT = 22

_LEFT = Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignVCenter
_COLUMNS = tuple(range(6))
_WHAT, _EVENTS, _DOING = 1, 3, 5
_NARROW_COLUMNS = (_WHAT, _EVENTS, _DOING)
#: Keeps the two lines of a cell together, at the full width.
_MIDDLE = Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class Standing(NamedTuple):
    """How alerts stand, as read on another thread. ``folded`` holds the sums of the storms that are open."""

    incidents: Sequence[Incident] = ()
    folded: Mapping[int, Folded] = {}
    silences: Sequence[Silence] = ()
    pause: Pause | None = None
    letters: Sequence[Told] = ()
    unacknowledged: int = 0

    def storms(self) -> list[Incident]:
        """Return the storms, newest first."""
        return [one for one in self.incidents if one.shape in (Shape.STORM, Shape.WIDE)]

    def told_at(self, incident: int) -> datetime | None:
        """Return when the newest mail of an incident was made."""
        return next((one.at for one in self.letters if one.incident == incident), None)

    def held(self) -> list[Incident]:
        """Return what holds events back."""
        return [one for one in self.incidents if one.shape is Shape.HELD and one.untold]


class StormsCard(Card):
    """The storms as a table of a few rows.

    Signals: ``silence_wanted(incident)``, None for any; ``acknowledge_wanted(id)``,
    ``acknowledge_all_wanted``.
    """

    silence_wanted = Signal(object)
    acknowledge_wanted = Signal(int)
    acknowledge_all_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        title = _("Storms now")
        self.setAccessibleName(title)
        self.pill = Pill(Kind.WARNING, "")
        self.acknowledge_button = link_button(_("Acknowledge all"))
        self.acknowledge_button.clicked.connect(self.acknowledge_all_wanted)
        self.silence_button = link_button(_("Silence…"))
        self.silence_button.setAccessibleName(_("Silence a rule or a source"))
        self.silence_button.clicked.connect(lambda: self.silence_wanted.emit(None))
        doing = FlowRow(self.pill, self.acknowledge_button, self.silence_button, gap=8)
        self.add(Beside(plain_label(title, "strong"), doing, least=90))
        self._calm = Calm()
        self.add(self._calm)
        self._table = _Table()
        self._grid = QGridLayout(self._table)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(6)
        self.add(self._table)
        self._heads = [
            plain_label(words, "secondary", wrap=False)
            for words in (_("Since"), _("What"), _("Source"), _("Events"), _("Next summary"))
        ]
        for head in self._heads:
            head.setParent(self._table)  # else the first that is shown would be a window of its own
        self._lines: list[QFrame] = []
        self.rows: dict[int, StormRow] = {}
        self._narrow, self._needed = False, 0
        self._place(())

    def show_storms(self, standing: Standing, every: timedelta, now: datetime) -> None:
        """Show the storms as they stand; ``every`` is the time between two summaries."""
        n, storms = standing.unacknowledged, standing.storms()
        for part in (self.pill, self.acknowledge_button):
            part.setVisible(bool(n))
        if n:
            self.pill.show_state(Kind.WARNING, plural("{n} not acknowledged", "{n} not acknowledged", n))
            self.pill.updateGeometry()
        if [one.id for one in storms] != list(self.rows):
            self._place(storms)
        for storm in storms:
            row = self.rows[storm.id]
            row.show_storm(
                storm, standing.folded.get(storm.id), next_of(storm, standing.told_at(storm.id), every, now), now
            )
        self._fold()
        watched = [one for one in standing.incidents if one.shape is Shape.GROUP]
        self._calm.say(len(watched))

    def _place(self, storms: Sequence[Incident]) -> None:
        """Make a row for each new storm, and take away those that are over."""
        before, self.rows = self.rows, {}
        for storm in storms:
            self.rows[storm.id] = before.pop(storm.id) if storm.id in before else self._row(storm.id)
        for row in before.values():
            row.away()
        self._arrange()
        self._table.setVisible(bool(storms))
        self._calm.setVisible(not storms)

    def _arrange(self) -> None:
        """Give each cell its place; in a narrow window some columns are told beneath the title."""
        while self._grid.takeAt(0) is not None:
            pass
        for line in self._lines:
            line.deleteLater()
        self._lines = []
        shown = _NARROW_COLUMNS if self._narrow else _COLUMNS
        for column in _COLUMNS:
            self._grid.setColumnStretch(column, 0)
            if column < len(self._heads):
                self._heads[column].setVisible(column in shown)
        self._grid.setColumnStretch(shown.index(_WHAT), 1)
        for at, column in enumerate(shown[:-1]):
            self._grid.addWidget(self._heads[column], 0, at, _RIGHT if column == _EVENTS else _LEFT)
        for number_of, row in enumerate(self.rows.values()):
            line = separator()
            self._lines.append(line)
            self._grid.addWidget(line, 2 * number_of + 1, 0, 1, len(shown))
            row.place(self._grid, 2 * number_of + 2, shown)
        read_in_order((self.silence_button, *(row.doing for row in self.rows.values())))

    def _row(self, incident: int) -> "StormRow":
        row = StormRow(self._table)
        row.silence.clicked.connect(lambda: self.silence_wanted.emit(row.storm))
        row.acknowledge.clicked.connect(lambda: self.acknowledge_wanted.emit(incident))
        return row

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fold the columns in a narrow window."""
        super().resizeEvent(event)
        self._fold()

    def _fold(self) -> None:
        """Tell some columns beneath the title where all of them have too little room."""
        room = self.contentsRect().width() - 2 * theme().px(16)
        if not self._narrow:
            self._needed = self._grid.minimumSize().width()
        narrow = room < max(theme().px(_NARROW), self._needed)
        if narrow != self._narrow:
            self._narrow = narrow
            self._arrange()


class _Table(QWidget):
    """The ground of the rows, which may be narrower than they are: then they are folded."""

    def minimumSizeHint(self) -> QSize:
        """Return a width that a small window has, and the height of the rows."""
        return QSize(theme().px(240), super().minimumSizeHint().height())


class Calm(QWidget):
    """What stands where no storm is."""

    def __init__(self) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 2, 0, 4)
        grid.setHorizontalSpacing(8)
        grid.setColumnStretch(1, 1)
        grid.addWidget(IconLabel("check", "good", 14), 0, 0)
        self._said = plain_label("", "muted")
        grid.addWidget(self._said, 0, 1)
        self.say(0)

    def say(self, watched: int) -> None:
        """Say that all is calm; ``watched`` alerts were just sent, and more of the same would be folded."""
        if watched:
            self._said.setText(
                plural(
                    "No storm. {n} alert was just sent; more of the same would be folded into its conversation.",
                    "No storm. {n} alerts were just sent; more of the same would be folded into their conversations.",
                    watched,
                )
            )
        else:
            self._said.setText(
                _("No storm. When many alerts come at once, they become one conversation, which then stands here.")
            )


class StormRow:
    """The cells of one storm, in a grid that is not its own."""

    def __init__(self, ground: QWidget) -> None:
        self.storm: Incident | None = None
        self._since = plain_label("", wrap=False)
        self._what, self._below = plain_label(""), plain_label("", "secondary")
        self._source = plain_label("")
        self._events = plain_label("", wrap=False)
        self._next = plain_label("", wrap=False)
        self.silence, self.acknowledge = link_button(_("Silence…")), link_button(_("Acknowledge"))
        self._about = QWidget()
        column = QVBoxLayout(self._about)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        column.addWidget(self._what)
        column.addWidget(self._below)
        self.doing = FlowRow(self.acknowledge, self.silence, gap=4)
        self._cells: tuple[QWidget, ...] = (
            self._since,
            self._about,
            self._source,
            self._events,
            self._next,
            self.doing,
        )
        for cell in self._cells:
            cell.setParent(ground)  # else the first that is shown would be a window of its own

    def place(self, grid: QGridLayout, at: int, shown: Sequence[int]) -> None:
        """Put the cells of some columns into a row of the grid, and tell the others beneath the title."""
        px, narrow = theme().px, len(shown) < len(self._cells)
        for column, cell in enumerate(self._cells):
            cell.setVisible(column in shown)
        for place, column in enumerate(shown):
            grid.addWidget(self._cells[column], at, place, _RIGHT if column == _EVENTS else _MIDDLE)
        self._below.setVisible(narrow)
        self._source.setMaximumWidth(px(170))
        # one above the other where there is little room
        self.doing.setMaximumWidth(px(110) if narrow else self.doing.sizeHint().width())

    def show_storm(self, storm: Incident, folded: Folded | None, following: str, now: datetime) -> None:
        """Say how it stands; ``following`` is when its next mail is due."""
        self.storm = storm
        since, what, source = clock_time(storm.opened_at, now), what_of(storm), source_of(storm, folded)
        self._since.setText(since)
        self._what.setText(what)
        self._source.setWordWrap(len(source) > _SHORT)
        self._source.setText(source)
        self._events.setText(number(storm.events))
        self._next.setText(following)
        below = [_("since {time}", time=since), source, _("next summary {when}", when=following)]
        self._below.setText(" · ".join(filter(None, below)))
        noted = storm.acknowledged_at is not None
        self.acknowledge.setEnabled(not noted)
        self.acknowledge.setText(_("Acknowledged") if noted else _("Acknowledge"))
        about = ", ".join(filter(None, (what, source)))
        self.acknowledge.setAccessibleName(_("Acknowledge: {what}", what=about))
        self.silence.setAccessibleName(_("Silence: {what}", what=about))

    def away(self) -> None:
        """Take the cells away."""
        for cell in self._cells:
            cell.hide()
            cell.deleteLater()


class _Held(NamedTuple):
    key: tuple[str, int]
    title: str
    text: str


class HeldRow(QWidget):
    """One thing that is held back, and the way to end that."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self._title, self._text = plain_label("", "strong"), plain_label("", "muted")
        self.press = button(action)
        if not action:
            self.press.hide()
        said = QWidget()
        column = QVBoxLayout(said)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self._title)
        column.addWidget(self._text)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 1, 0, 1)
        whole.addWidget(Beside(said, self.press))

    def show_held(self, title: str, text: str) -> None:
        """Say what, why and until when."""
        self._title.setText(title)
        self._text.setText(text)
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)
        self.press.setAccessibleName(f"{self.press.text()}: {title}")


class HeldCard(Card):
    """The pause, quiet hours, the cap and the silences; hidden while nothing is held back.

    Signals: ``resume_wanted`` to end the pause; ``end_wanted(id)`` to end a silence.
    """

    resume_wanted = Signal()
    end_wanted = Signal(int)

    def __init__(self) -> None:
        super().__init__(_("Held back"))
        self.rows: dict[tuple[str, int], HeldRow] = {}
        self.hide()

    def show_held(self, standing: Standing, cap: int, now: datetime) -> None:
        """Show what is held back as it stands."""
        held = list(_held_of(standing, cap, now))
        if [one.key for one in held] != list(self.rows):
            self._place([one.key for one in held])
        for one in held:
            self.rows[one.key].show_held(one.title, one.text)
        self.setVisible(bool(held))

    def _place(self, keys: Iterable[tuple[str, int]]) -> None:
        self.clear()
        self.rows = {}
        for key in keys:
            row = self.rows[key] = HeldRow(self._way_out(key))
            if key[0] == "pause":
                row.press.clicked.connect(self.resume_wanted)
            else:
                row.press.clicked.connect(lambda _checked=False, key=key: self.end_wanted.emit(key[1]))
            self.add_row(row)

    def _way_out(self, key: tuple[str, int]) -> str:
        return {"pause": _("Send alert mails again"), "silence": _("End")}.get(key[0], "")


def _held_of(standing: Standing, cap: int, now: datetime) -> Iterable[_Held]:
    held, pause = standing.held(), standing.pause
    silences = {silence.id: silence for silence in standing.silences}
    if pause is not None:
        until = clock_time(pause.until, now)
        title = _("Alert mails are paused until {time}", time=until)
        if pause.everything:
            title = _("Alert mails, critical ones too, are paused until {time}", time=until)
        n = sum(one.untold for one in held if one.why is Why.PAUSE)
        text = plural("{n} event held so far.", "{n} events held so far.", n)
        when = _("They are told {when}, in one mail.", when=short_ago(pause.until, now))
        yield _Held(("pause", 0), title, f"{text} {when}")
    for one in held:
        if (one.why is Why.PAUSE and pause is not None) or one.silence in silences:
            continue
        words = held_words(one, silences.get(one.silence), cap, now)
        yield _Held(("held", one.id), words.title, words.text)
    for silence in standing.silences:
        n = sum(one.untold for one in held if one.silence == silence.id)
        yield _Held(("silence", silence.id), silence_title(silence), silence_text(silence, n, now))
