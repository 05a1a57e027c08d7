"""The alert mails as rows, newest first. GUI thread only; what is new is taken over row by row."""

from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from vxtray.core.alertroom import Told
from vxtray.core.mail.plaintext import one_line
from vxtray.core.texts import _
from vxtray.gui.pages.alerts_words import KINDS, number
from vxtray.gui.pages.history_words import mark_of_state, when

_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_CELL = 300


class Column(IntEnum):
    """The columns, in order."""

    TIME = 0
    SUBJECT = 1
    KIND = 2
    EVENTS = 3
    STATE = 4


class LettersModel(QAbstractTableModel):
    """The mails as a table; ``letters`` are those that are shown."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.letters: list[Told] = []
        self._now: datetime | None = None
        self._heads = (_("Time"), _("Subject"), _("Why"), _("Events"), _("State"))

    def show(self, letters: Sequence[Told], now: datetime) -> None:
        """Take over how the mails stand now; rows that stay keep their place and their choice."""
        self._now = now
        old, new = [one.mail for one in self.letters], [one.mail for one in letters]
        added = new.index(old[0]) if old and old[0] in new else len(new)
        kept = new[added:]
        if not old or not kept or old[: len(kept)] != kept:
            self.beginResetModel()
            self.letters = list(letters)
            self.endResetModel()
            return
        if len(kept) < len(old):
            self.beginRemoveRows(_ROOT, len(kept), len(old) - 1)
            del self.letters[len(kept) :]
            self.endRemoveRows()
        if added:
            self.beginInsertRows(_ROOT, 0, added - 1)
            self.letters[:0] = letters[:added]
            self.endInsertRows()
        self.letters = list(letters)
        self.dataChanged.emit(self.index(0, 0), self.index(len(new) - 1, len(Column) - 1))

    def letter_at(self, row: int) -> Told | None:
        """Return the mail of a row, None where there is none."""
        return self.letters[row] if 0 <= row < len(self.letters) else None

    def row_of(self, mail: int) -> int:
        """Return the row of a mail by its number in the outbox, -1 where it is not shown."""
        return next((row for row, one in enumerate(self.letters) if one.mail == mail), -1)

    # --- what Qt asks ------------------------------------------------------------------------------------------------

    def rowCount(self, parent: _Index = _ROOT) -> int:
        """Return how many mails there are."""
        return 0 if parent.isValid() else len(self.letters)

    def columnCount(self, parent: _Index = _ROOT) -> int:
        """Return how many columns there are."""
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return the name of a column."""
        if orientation is Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return self._heads[section]
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return _along(section)
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return what a cell says."""
        letter = self.letter_at(index.row())
        if letter is None:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _along(index.column())
        if role == Qt.ItemDataRole.UserRole and index.column() == Column.STATE:
            return mark_of_state(letter.state)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._text(letter, Column(index.column()))
        return None

    def _text(self, letter: Told, column: Column) -> str:
        if column is Column.TIME:
            return when(letter.at.isoformat(), self._now or letter.at)
        if column is Column.SUBJECT:
            return subject_of(letter)
        if column is Column.KIND:
            return _(KINDS[letter.kind])
        if column is Column.EVENTS:
            return number(letter.events)
        return mark_of_state(letter.state).word


def subject_of(letter: Told) -> str:
    """Return a mail's subject without what all of them begin with."""
    return one_line(letter.subject.removeprefix("[vxtray] "), _CELL)


def _along(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column == Column.EVENTS else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
