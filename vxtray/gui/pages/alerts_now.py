"""What goes on now: storms with their figures, and what is held back, why and until when. GUI thread only.

Rows are kept while their incident lasts, so that a button never goes away under the mouse or from the keyboard.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from PySide6.QtCore import QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QVBoxLayout, QWidget

from vxtray.core.alertroom import Folded, Pause, Told
from vxtray.core.alerts.incidents import Incident, Shape, Silence, Why
from vxtray.core.texts import _, plural
from vxtray.gui.icons import IconLabel
from vxtray.gui.pages.alerts_storm import COLUMNS, EVENTS, NARROW_COLUMNS, RIGHT, WHAT, StormRow
from vxtray.gui.pages.alerts_words import (
    held_words,
    next_of,
    short_ago,
    silence_text,
    silence_title,
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

_LEFT = Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignVCenter

#: Rows that are made while nothing happens: in a storm, the window's thread has little time. And how long to wait.
_SPARE, _SPARE_MS = 2, 400


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
        self._spare: list[StormRow] = []
        self._over: list[StormRow] = []
        self._providing = QTimer(self, singleShot=True, interval=_SPARE_MS)
        self._providing.timeout.connect(self._provide)
        self._narrow, self._needed, self._told = False, 0, 0
        self._lengths: list[int] = []
        self.place()
        self.show_placed()

    def show_storms(self, standing: Standing, every: timedelta, now: datetime) -> bool:
        """Show the storms as they stand; ``every`` is the time between two summaries.

        Returns whether storms came or went: ``place``, ``show_placed`` and ``fold`` then show that, each much work.
        """
        n, storms = standing.unacknowledged, standing.storms()
        for part in (self.pill, self.acknowledge_button):
            part.setVisible(bool(n))
        if n and n != self._told:
            self._told = n
            self.pill.show_state(Kind.WARNING, plural("{n} not acknowledged", "{n} not acknowledged", n))
            self.pill.updateGeometry()
        changed = [one.id for one in storms] != list(self.rows)
        if changed:
            before = self.rows
            self.rows = {one.id: before.pop(one.id) if one.id in before else self._new_row() for one in storms}
            self._over += before.values()
        lengths, self._lengths = self._lengths, []
        for storm in storms:
            following = next_of(storm, standing.told_at(storm.id), every, now)
            self._lengths.append(self.rows[storm.id].show_storm(storm, standing.folded.get(storm.id), following, now))
        if self._lengths != lengths and not changed:  # to measure the rows is much work
            self.fold()
        watched = [one for one in standing.incidents if one.shape is Shape.GROUP]
        self._calm.say(len(watched))
        return changed

    def place(self) -> None:
        """Give each storm its row, and take away those that are over."""
        for row in self._over:
            row.away()
        self._over = []
        self._arrange()

    def show_placed(self) -> None:
        """Show the table, or that no storm is."""
        self._table.setVisible(bool(self.rows))
        self._calm.setVisible(not self.rows)

    def _arrange(self) -> None:
        """Give each cell its place; in a narrow window some columns are told beneath the title."""
        while self._grid.takeAt(0) is not None:
            pass
        for line in self._lines:
            line.deleteLater()
        self._lines = []
        shown = NARROW_COLUMNS if self._narrow else COLUMNS
        for column in COLUMNS:
            self._grid.setColumnStretch(column, 0)
            if column < len(self._heads):
                self._heads[column].setVisible(column in shown)
        self._grid.setColumnStretch(shown.index(WHAT), 1)
        for at, column in enumerate(shown[:-1]):
            self._grid.addWidget(self._heads[column], 0, at, RIGHT if column == EVENTS else _LEFT)
        for number_of, row in enumerate(self.rows.values()):
            line = separator()
            self._lines.append(line)
            self._grid.addWidget(line, 2 * number_of + 1, 0, 1, len(shown))
            row.place(self._grid, 2 * number_of + 2, shown)
        read_in_order((self.silence_button, *(row.doing for row in self.rows.values())))

    def _new_row(self) -> StormRow:
        self._providing.start()
        return self._spare.pop() if self._spare else self._made_row()

    def _made_row(self) -> StormRow:
        row = StormRow(self._table)
        row.silence.clicked.connect(lambda: self.silence_wanted.emit(row.storm))
        row.acknowledge.clicked.connect(lambda: self.acknowledge_wanted.emit(row.storm.id if row.storm else 0))
        return row

    @Slot()
    def _provide(self) -> None:
        """Make a row for a storm to come, one at a time."""
        if self.isVisible() and len(self._spare) < _SPARE:
            self._spare.append(self._made_row())
            self._providing.start()

    def showEvent(self, event: QShowEvent) -> None:
        """Make rows, as soon as the page has come."""
        super().showEvent(event)
        self._providing.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fold the columns in a narrow window."""
        super().resizeEvent(event)
        self.fold()

    def fold(self) -> None:
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
