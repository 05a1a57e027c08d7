"""The table of the history: states as a mark and a word, plain text everywhere, usable by keyboard. GUI thread only."""

from datetime import UTC, datetime, timedelta

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from vxtray.core import texts
from vxtray.core.texts import _
from vxtray.gui.icons import pixmap
from vxtray.gui.pages.events_table import pill_font
from vxtray.gui.pages.history_model import Column, HistoryModel
from vxtray.gui.pages.history_words import Mark, all_words
from vxtray.gui.pages.paged_table import PagedTable
from vxtray.gui.theme import theme

_Index = QModelIndex | QPersistentModelIndex

#: What is left to the details where there is no room, the first first; the subject should have this much, in px, and
#: has the other in any case.
_DISPENSABLE = (Column.TRIES, Column.TO)
_LEAST_SUBJECT = 280
_LEAST = 120


class StateDelegate(QStyledItemDelegate):
    """Paints a state as a mark and a word."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        """Draw the cell's ground as the style does, and the pill on it."""
        view = option.widget
        drawn = QStyleOptionViewItem(option)
        self.initStyleOption(drawn, index)
        drawn.text = ""
        view.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, drawn, painter, view)
        mark = index.data(Qt.ItemDataRole.UserRole)
        if not isinstance(mark, Mark):
            return
        look = theme()
        px = look.px
        font = pill_font(option.font, strong=bool(mark.ground))
        metrics = QFontMetrics(font)
        wide = min(metrics.horizontalAdvance(mark.word) + px(34), drawn.rect.width() - px(6))
        tall = min(metrics.height() + px(4), drawn.rect.height() - 4)
        pill = QRectF(drawn.rect.x() + px(4), drawn.rect.center().y() - tall / 2 + 0.5, wide, tall)
        ink = look.colour(mark.ink if not look.high_contrast else "text")
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(font)
        if mark.ground:
            painter.setPen(QPen(ink, 1) if look.high_contrast else Qt.PenStyle.NoPen)
            painter.setBrush(look.colour(mark.ground))
            painter.drawRoundedRect(pill, tall / 2, tall / 2)
        edge = px(11)
        icon = pixmap(mark.icon, ink.name(), edge, view.devicePixelRatioF())
        painter.drawPixmap(round(pill.x() + px(8)), round(pill.center().y() - edge / 2), icon)
        painter.setPen(ink)
        words = pill.adjusted(px(24), 0, 0, 0)
        shown = metrics.elidedText(mark.word, Qt.TextElideMode.ElideRight, int(words.width()) + px(4))
        painter.drawText(words, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), shown)
        painter.restore()


class PeopleDelegate(QStyledItemDelegate):
    """Shortens an address in its middle, so that the number of further recipients stays."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: _Index) -> None:
        """Take another way to shorten."""
        super().initStyleOption(option, index)
        if " +" in option.text:
            option.textElideMode = Qt.TextElideMode.ElideMiddle


class HistoryTable(PagedTable):
    """A row a mail or a happening; one row is chosen at a time, Tab leaves the table.

    Signals: ``opened()`` for Enter and a double click, ``cancelled()`` for Delete.
    """

    opened = Signal()
    cancelled = Signal()

    def __init__(self, model: HistoryModel, parent: QWidget | None = None) -> None:
        super().__init__(model, _("History"), 40, parent)
        self.setItemDelegateForColumn(Column.STATE, StateDelegate(self))
        self.setItemDelegateForColumn(Column.TO, PeopleDelegate(self))
        self._top: tuple[bool, int] | None = None
        self._model = model
        model.renewing.connect(self._note_top)
        model.renewed.connect(self._keep_top)
        self.doubleClicked.connect(lambda _index: self.opened.emit())
        self.measure()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open by Enter, cancel by Delete."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit()
        elif event.key() == Qt.Key.Key_Delete:
            self.cancelled.emit()
        else:
            super().keyPressEvent(event)

    def measure(self) -> None:
        """Give rows and columns the size that the font asks for."""
        px = theme().px
        metrics, pill = self.fontMetrics(), QFontMetrics(pill_font(self.font()))
        now = datetime.now(UTC)
        fresh = texts.format_ago(now - timedelta(minutes=49), now, texts.current())
        self._time = max(metrics.horizontalAdvance(text) for text in ("2026-08-08 08:08", fresh)) + px(20)
        self._state = max(pill.horizontalAdvance(word) for word in all_words()) + px(44)
        self._tries = metrics.horizontalAdvance(_("Tries")) + px(24)
        super().measure()

    def _note_top(self) -> None:
        """Keep in mind what is read; who is at the very top wants to see what is new."""
        line = self._model.line_at(self.rowAt(0))
        self._top = line.key if line is not None and self.verticalScrollBar().value() else None

    def _keep_top(self) -> None:
        """Show the same line at the top as before."""
        row = self._model.row_of(self._top) if self._top is not None else -1
        self._top = None
        if row >= 0 and row != self.rowAt(0):
            self.scrollTo(self._model.index(row, 0), QAbstractItemView.ScrollHint.PositionAtTop)

    def _share_out(self) -> None:
        """Give time and state what they need, subject and recipients the rest, and hide what there is no room for."""
        px, room = theme().px, self.viewport().width()
        wants = {
            Column.TIME: self._time,
            Column.STATE: self._state,
            Column.WHAT: px(_LEAST_SUBJECT),
            Column.TO: px(160),
            Column.TRIES: self._tries,
        }
        for column in _DISPENSABLE:
            hidden = sum(wants.values()) > room
            self.setColumnHidden(column, hidden)
            if hidden:
                del wants[column]
        if Column.TO in wants:
            wants[Column.TO] += (room - sum(wants.values())) // 4
        del wants[Column.WHAT]
        wants[Column.WHAT] = max(room - sum(wants.values()), px(_LEAST))
        for column, width in wants.items():
            self.setColumnWidth(column, width)
