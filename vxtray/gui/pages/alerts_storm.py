"""One storm in the table of those that go on. GUI thread only."""

from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from vxtray.core.alertroom import Folded
from vxtray.core.alerts.incidents import Incident
from vxtray.core.texts import _
from vxtray.gui.pages.alerts_words import number, source_of, what_of
from vxtray.gui.pages.history_words import clock_time
from vxtray.gui.theme import theme
from vxtray.gui.widgets import FlowRow, link_button, plain_label

#: The columns, and those that a narrow window has; the others are then told beneath the title.
COLUMNS = tuple(range(6))
WHAT, EVENTS = 1, 3
NARROW_COLUMNS = (WHAT, EVENTS, 5)

#: Keeps the two lines of a cell together, at the full width.
_MIDDLE = Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter

#: A source of so many characters, such as an IPv4 address with its country, stands on one line.
_SHORT = 22


class StormRow:
    """The cells of one storm, in a grid that is not its own; made hidden."""

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
            cell.hide()
            for part in (cell, *cell.findChildren(QWidget)):
                part.ensurePolished()

    def place(self, grid: QGridLayout, at: int, shown: Sequence[int]) -> None:
        """Put the cells of some columns into a row of the grid, and tell the others beneath the title."""
        px, narrow = theme().px, len(shown) < len(self._cells)
        for column, cell in enumerate(self._cells):
            cell.setVisible(column in shown)
        for place, column in enumerate(shown):
            grid.addWidget(self._cells[column], at, place, RIGHT if column == EVENTS else _MIDDLE)
        self._below.setVisible(narrow)
        self._source.setMaximumWidth(px(170))
        # one above the other where there is little room
        self.doing.setMaximumWidth(px(110) if narrow else self.doing.sizeHint().width())

    def show_storm(self, storm: Incident, folded: Folded | None, following: str, now: datetime) -> int:
        """Say how it stands and return the length of its texts; ``following`` is when its next mail is due."""
        self.storm = storm
        since, what, source = clock_time(storm.opened_at, now), what_of(storm), source_of(storm, folded)
        self._since.setText(since)
        self._what.setText(what)
        if source != self._source.text():
            self._source.setWordWrap(len(source) > _SHORT)  # which lays the page out anew, changed or not
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
        return sum(map(len, (since, what, source, self._events.text(), following)))

    def away(self) -> None:
        """Take the cells away."""
        for cell in self._cells:
            cell.hide()
            cell.deleteLater()
