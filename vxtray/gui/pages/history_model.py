"""The history as rows, a page at a time. GUI thread only; the outbox is asked on ``vx-read``.

What changed since is taken over row by row, so that the chosen row and the place in the list stay.
"""

from collections.abc import Callable
from datetime import datetime
from enum import IntEnum

import msgspec
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from vxtray.core import texts
from vxtray.core.mail.chronicle import BEGIN, END, Line, Place, Sought
from vxtray.core.mail.outbox import Outbox
from vxtray.core.texts import _
from vxtray.gui.bridge import Bridge
from vxtray.gui.pages.history_words import mark_of, to_of, what_of, when

_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()

PAGE = 200


class Column(IntEnum):
    """The columns, in order."""

    TIME = 0
    STATE = 1
    WHAT = 2
    TO = 3
    TRIES = 4


class _Answer(msgspec.Struct, frozen=True):
    lines: list[Line]
    place: Place
    count: int
    lost: int


class HistoryModel(QAbstractTableModel):
    """A search as a table.

    ``count`` is how many lines there are in all, ``lost`` how many mails were not delivered, whatever is sought.
    Signals: ``loaded()`` when a new search has its first answer; ``renewing()`` before rows change and ``renewed()``
    when they are as things stand now; ``failed(error)``.
    """

    loaded = Signal()
    renewing = Signal()
    renewed = Signal()
    failed = Signal(object)

    def __init__(
        self, bridge: Bridge, outbox: Outbox, clock: Callable[[], datetime], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._outbox = outbox
        self._clock = clock
        self._search = 0
        self.sought = Sought()
        self._place = BEGIN
        self.lines: list[Line] = []
        self.count = self.lost = 0
        self._asking = False
        self._again_wanted = False
        self._keep = 0
        self._heads = (_("Time"), _("State"), _("What"), _("Recipients"), _("Tries"))

    # --- asking ------------------------------------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """True where every line is a row."""
        return self._place == END

    def show(self, sought: Sought) -> None:
        """Search anew; the former rows stay until the answer is there."""
        self._search += 1

        def answered(answer: _Answer) -> None:
            self.beginResetModel()
            self.sought, self.lines, self._place = sought, answer.lines, answer.place
            self.endResetModel()
            self._counted(answer)
            self.loaded.emit()

        self._ask(lambda: self._outbox.chronicle(sought, BEGIN, PAGE), sought, answered)

    def renew(self, keep: int = 0) -> None:
        """Take over how the rows stand now, with new ones; the mail ``keep`` stays although it fits no more."""
        self._keep = keep
        if self._asking:
            self._again_wanted = True
            return
        if self._place == BEGIN:
            return
        sought, place = self.sought, self._place

        def answered(answer: _Answer) -> None:
            self.renewing.emit()
            self._take_over(answer.lines)
            self._counted(answer)
            self.renewed.emit()

        self._ask(lambda: (self._outbox.chronicle_again(sought, place, keep), place), sought, answered)

    def _ask(
        self, ask: Callable[[], tuple[list[Line], Place]], sought: Sought, answered: Callable[[_Answer], None]
    ) -> None:
        self._asking, search = True, self._search

        def work() -> _Answer:
            if search != self._search:  # another search was begun meanwhile
                return _Answer([], BEGIN, 0, 0)
            return _Answer(*ask(), self._outbox.chronicle_count(sought), self._outbox.counts()["failed"])

        def done(answer: _Answer) -> None:
            if search == self._search:
                self._asking = False
                answered(answer)
                self._go_on()

        def fault(error: Exception) -> None:
            if search == self._search:
                self._asking = self._again_wanted = False
                self.failed.emit(error)

        self._bridge.run(work, done, fault, owner=self, quick=True)

    def _go_on(self) -> None:
        if self._again_wanted:
            self._again_wanted = False
            self.renew(self._keep)

    def _counted(self, answer: _Answer) -> None:
        self.count, self.lost = answer.count, answer.lost

    # --- rows --------------------------------------------------------------------------------------------------------

    def _take_over(self, new: list[Line]) -> None:
        """Remove, insert and change rows until they are these."""
        if new == self.lines:
            return
        wanted = [line.key for line in new]
        there = set(wanted)
        for first, last in reversed(_runs([line.key not in there for line in self.lines])):
            self.beginRemoveRows(_ROOT, first, last)
            del self.lines[first : last + 1]
            self.endRemoveRows()
        stayed = [line.key for line in self.lines]
        before = set(stayed)
        if stayed != [key for key in wanted if key in before]:
            self.beginResetModel()  # a clock was put back
            self.lines = new
            self.endResetModel()
            return
        for first, last in _runs([key not in before for key in wanted]):
            self.beginInsertRows(_ROOT, first, last)
            self.lines[first:first] = new[first : last + 1]
            self.endInsertRows()
        for first, last in _runs([old != now for old, now in zip(self.lines, new, strict=True)]):
            self.lines[first : last + 1] = new[first : last + 1]
            self.dataChanged.emit(self.index(first, 0), self.index(last, len(Column) - 1))

    def line_at(self, row: int) -> Line | None:
        """Return the line of a row, None where there is none."""
        return self.lines[row] if 0 <= row < len(self.lines) else None

    def row_of(self, key: tuple[bool, int]) -> int:
        """Return where a line is, -1 where it is not."""
        return next((row for row, line in enumerate(self.lines) if line.key == key), -1)

    def times_passed(self) -> None:
        """Tell the view that “2 minutes ago” may be three by now."""
        if self.lines:
            self.dataChanged.emit(self.index(0, Column.TIME), self.index(len(self.lines) - 1, Column.TIME))

    def canFetchMore(self, parent: _Index) -> bool:
        """Say whether there are further lines."""
        return not parent.isValid() and not self._asking and self._place not in (BEGIN, END)

    def fetchMore(self, parent: _Index) -> None:
        """Ask for the next page."""
        if not self.canFetchMore(parent):
            return
        sought, place = self.sought, self._place

        def answered(answer: _Answer) -> None:
            self._place = answer.place
            if answer.lines:
                first = len(self.lines)
                self.beginInsertRows(_ROOT, first, first + len(answer.lines) - 1)
                self.lines += answer.lines
                self.endInsertRows()
            self._counted(answer)
            self.renewed.emit()

        self._ask(lambda: self._outbox.chronicle(sought, place, PAGE), sought, answered)

    def rowCount(self, parent: _Index = _ROOT) -> int:
        """Return how many lines are rows so far."""
        return 0 if parent.isValid() else len(self.lines)

    def columnCount(self, parent: _Index = _ROOT) -> int:
        """Return the number of columns."""
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return the columns' names."""
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._heads[section]
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return the words of a cell, on one line and without controls; the state's mark for ``UserRole``."""
        line = self.line_at(index.row()) if index.isValid() else None
        if line is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._cell(line, Column(index.column()))
        if role == Qt.ItemDataRole.UserRole:
            return mark_of(line)
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() == Column.TRIES:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def _cell(self, line: Line, column: Column) -> str:
        match column:
            case Column.TIME:
                return when(line.at, self._clock())
            case Column.STATE:
                mark = mark_of(line)
                return mark.word if mark is not None else ""
            case Column.WHAT:
                return what_of(line)
            case Column.TO:
                return to_of(line)
            case Column.TRIES:
                return texts.format_number(line.entry.tries, texts.current()) if line.entry is not None else ""


def _runs(chosen: list[bool]) -> list[tuple[int, int]]:
    """Return the first and last place of each run of what is chosen."""
    runs: list[tuple[int, int]] = []
    for place, one in enumerate(chosen):
        if one and runs and runs[-1][1] == place - 1:
            runs[-1] = (runs[-1][0], place)
        elif one:
            runs.append((place, place))
    return runs
