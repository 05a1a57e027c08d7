"""The table of events: severities as pills, plain text everywhere, usable by keyboard. GUI thread only."""

import math

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QIcon, QPainter, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import (
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from vxtray.core.events import Action, Severity
from vxtray.core.mail.render import ACTIONS, SEVERITIES
from vxtray.core.texts import _
from vxtray.gui.pages.events_model import SHORT_ACTIONS, Column, EventsModel
from vxtray.gui.pages.paged_table import PagedTable
from vxtray.gui.theme import theme

_Index = QModelIndex | QPersistentModelIndex

#: The ink of a severity, and whether it stands on a soft ground of the same tone.
_TOKENS = {
    Severity.CRITICAL: ("danger", "danger_soft"),
    Severity.HIGH: ("warning", "warning_soft"),
    Severity.MEDIUM: ("accent", "accent_soft"),
    Severity.LOW: ("secondary", ""),
    Severity.INFO: ("secondary", ""),
}

#: What is left to the details where there is no room, the first first; the last column needs this much, in px.
_DISPENSABLE = (Column.CATEGORY, Column.TARGET, Column.ACTION, Column.SOURCE)
_LEAST = {Column.TARGET: 96, Column.WHAT: 180}


#: What a cell has, and nothing else; to combine flags is slow.
_HAS_WORDS = QStyleOptionViewItem.ViewItemFeature.HasDisplay
_HAS_PILL = QStyleOptionViewItem.ViewItemFeature.HasDecoration


def draw_shape(painter: QPainter, severity: Severity, place: QRectF) -> None:
    """Draw the shape that mails use for a severity (●▲◆■○) with the painter's pen as its colour."""
    colour = painter.pen().color()
    painter.save()
    painter.setPen(QPen(colour, 1.5) if severity is Severity.INFO else Qt.PenStyle.NoPen)
    painter.setBrush(Qt.BrushStyle.NoBrush if severity is Severity.INFO else colour)
    middle = place.center()
    if severity in (Severity.CRITICAL, Severity.INFO):
        painter.drawEllipse(place.adjusted(0.75, 0.75, -0.75, -0.75))
    elif severity is Severity.HIGH:
        top = QPointF(middle.x(), place.top())
        painter.drawPolygon(QPolygonF([top, place.bottomRight(), place.bottomLeft()]))
    elif severity is Severity.MEDIUM:
        left, right = QPointF(place.left(), middle.y()), QPointF(place.right(), middle.y())
        corners = [QPointF(middle.x(), place.top()), right, QPointF(middle.x(), place.bottom()), left]
        painter.drawPolygon(QPolygonF(corners))
    else:
        painter.drawRect(place.adjusted(1, 1, -1, -1))
    painter.restore()


class CellDelegate(QStyledItemDelegate):
    """Says what a cell shows in one call, and leaves the painting to Qt.

    Each call between Qt and Python waits for the interpreter where another thread is busy: with forty a row, painting
    took 80 ms beside one, and 20 ms with two a cell.
    """

    def __init__(self, model: EventsModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._model = model

    def initStyleOption(self, option: QStyleOptionViewItem, index: _Index) -> None:
        """Give the cell its words; font, colours and place are the table's."""
        option.text = self._model.words(index.row(), index.column())
        option.features = _HAS_WORDS


class SeverityDelegate(CellDelegate):
    """Shows a severity as a shape and a word, drawn once for all rows."""

    def __init__(self, model: EventsModel, parent: QWidget) -> None:
        super().__init__(model, parent)
        self._table = parent
        self._pills: dict[tuple[Severity, float], tuple[QIcon, QSize]] = {}

    def forget(self) -> None:
        """Draw anew, for another font or scheme."""
        self._pills.clear()

    def initStyleOption(self, option: QStyleOptionViewItem, index: _Index) -> None:
        """Give the cell its pill, and no words beside it."""
        event = self._model.event_at(index.row())
        if event is None:
            return
        option.icon, option.decorationSize = self._pill(event.severity, option)
        option.features = _HAS_PILL

    def _pill(self, severity: Severity, option: QStyleOptionViewItem) -> tuple[QIcon, QSize]:
        ratio = self._table.devicePixelRatioF()
        if (drawn := self._pills.get((severity, ratio))) is None:
            pill = draw_pill(severity, option.font, ratio)
            icon = QIcon(pill)
            icon.addPixmap(pill, QIcon.Mode.Selected)  # Qt would tint it
            drawn = self._pills[severity, ratio] = icon, pill.deviceIndependentSize().toSize()
        return drawn


def draw_pill(severity: Severity, base: QFont, ratio: float) -> QPixmap:
    """Draw a severity as a shape and a word, in the table's font made small, for a screen of that pixel ratio."""
    look, word = theme(), _(SEVERITIES[severity])
    ink, ground = _TOKENS[severity]
    font = pill_font(base, strong=bool(ground))
    metrics = QFontMetrics(font)
    px = look.px
    wide, tall = metrics.horizontalAdvance(word) + px(32), metrics.height() + px(4)
    pixmap = QPixmap(math.ceil((wide + 2) * ratio), math.ceil((tall + 2) * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    pill = QRectF(1, 1, wide, tall)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(font)
    if ground:
        painter.setPen(QPen(look.colour(ink), 1) if look.high_contrast else Qt.PenStyle.NoPen)
        painter.setBrush(look.colour(ground))
        painter.drawRoundedRect(pill, tall / 2, tall / 2)
    painter.setPen(look.colour(ink if not look.high_contrast else "text"))
    edge = px(9)
    draw_shape(painter, severity, QRectF(pill.x() + px(9), pill.center().y() - edge / 2, edge, edge))
    painter.drawText(
        pill.adjusted(px(23), 0, 0, 0), int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), word
    )
    painter.end()
    return pixmap


def pill_font(font: QFont, *, strong: bool = True) -> QFont:
    """Return the font of a pill's word; what stands on no ground is not strong."""
    small = QFont(font)
    small.setPixelSize(theme().px(12))
    small.setWeight(QFont.Weight.DemiBold if strong else QFont.Weight.Normal)
    return small


class EventsTable(PagedTable):
    """A row an event; one row is chosen at a time, Tab leaves the table."""

    def __init__(self, model: EventsModel, parent: QWidget | None = None) -> None:
        super().__init__(model, _("Events"), 60, parent)
        self.setItemDelegate(CellDelegate(model, self))
        self._severities = SeverityDelegate(model, self)
        self.setItemDelegateForColumn(Column.SEVERITY, self._severities)
        self.horizontalHeader().setStretchLastSection(True)
        self.measure()

    def measure(self) -> None:
        """Give rows and columns the size that the font asks for."""
        px = theme().px
        self._severities.forget()
        metrics = self.fontMetrics()
        pill = QFontMetrics(pill_font(self.font()))
        light = QFontMetrics(pill_font(self.font(), strong=False))
        severity = max(
            (pill if ground else light).horizontalAdvance(_(SEVERITIES[name]))
            for name, (_ink, ground) in _TOKENS.items()
        )
        said = (_(ACTIONS[Action.ALLOWED]), _(ACTIONS[Action.BLOCKED]), _(SHORT_ACTIONS[Action.DETECTED]))
        action = max(map(metrics.horizontalAdvance, said))
        self._wants = {
            Column.TIME: metrics.horizontalAdvance("2026-08-08 08:08:08") + px(20),
            Column.SEVERITY: max(severity + px(38), self._heading(Column.SEVERITY)),
            Column.CATEGORY: max(metrics.horizontalAdvance("Web filter") + px(18), self._heading(Column.CATEGORY)),
            Column.ACTION: max(action + px(18), self._heading(Column.ACTION)),
            Column.SOURCE: metrics.horizontalAdvance("188.188.188.188 · WW") + px(10),
        }
        super().measure()

    def _heading(self, column: Column) -> int:
        text = str(self.model().headerData(column, Qt.Orientation.Horizontal))
        return self.fontMetrics().horizontalAdvance(text) + theme().px(20)

    def _share_out(self) -> None:
        """Give each column what it wants, target and words the rest, and hide what there is no room for."""
        px, room = theme().px, self.viewport().width()
        wants = self._wants | {column: px(least) for column, least in _LEAST.items()}
        for column in _DISPENSABLE:
            hidden = sum(wants.values()) > room
            self.setColumnHidden(column, hidden)
            if hidden:
                del wants[column]
        rest = room - sum(width for column, width in wants.items() if column not in _LEAST)
        if Column.TARGET in wants:
            wants[Column.TARGET] = max(rest * 3 // 8, wants[Column.TARGET])
        for column, width in wants.items():
            if column != Column.WHAT:
                self.setColumnWidth(column, width)
