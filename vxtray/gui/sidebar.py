"""The list of pages at the side of the window. GUI thread only."""

from collections.abc import Sequence
from typing import NamedTuple, cast

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFont, QFontMetrics, QKeyEvent, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from vxtray.gui.icons import pixmap
from vxtray.gui.keyboard import came_by_keyboard
from vxtray.gui.theme import Theme, theme

_KEY = Qt.ItemDataRole.UserRole
_ICON = Qt.ItemDataRole.UserRole + 1
_BADGE = Qt.ItemDataRole.UserRole + 2

_Index = QModelIndex | QPersistentModelIndex


class NavItem(NamedTuple):
    """One entry: ``key`` names the page, ``icon`` the drawing in ``resources/icons``."""

    key: str
    text: str
    icon: str


class SideBar(QListWidget):
    """Pages as a list with a second group at the bottom; arrow keys go through both.

    Signals: ``chosen(key)`` when another page is wanted, by mouse or keyboard or ``choose``.
    """

    chosen = Signal(str)

    def __init__(
        self, name: str, top: Sequence[NavItem], bottom: Sequence[NavItem], parent: QWidget | None = None
    ) -> None:
        """``name`` is what assistive technology calls the list."""
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setItemDelegate(_Entry(self))
        self.ring = False
        self.compact = False
        self._items: dict[str, QListWidgetItem] = {}
        self._hints: dict[str, str] = {}
        for item in top:
            self._append(item)
        self._gap = QListWidgetItem(self)
        self._gap.setFlags(Qt.ItemFlag.NoItemFlags)
        for item in bottom:
            self._append(item)
        self.currentItemChanged.connect(self._tell)
        theme().changed.connect(self._fit)
        self._fit()

    def keys(self) -> tuple[str, ...]:
        """Return the keys in the order shown, for Ctrl+1 and so on."""
        return tuple(self._items)

    def current(self) -> str:
        """Return the key of the page that is chosen, or nothing."""
        item = self.currentItem()
        return cast("str", item.data(_KEY)) if item in self._items.values() else ""

    def choose(self, key: str) -> None:
        """Choose a page; KeyError when there is none of that key."""
        self.setCurrentItem(self._items[key])

    def set_compact(self, compact: bool) -> None:
        """Show only the icons, with the words as tool tips: for narrow windows and large fonts."""
        if compact != self.compact:
            self.compact = compact
            self._tell_tips()
            self._fit()

    def set_hint(self, key: str, keys: str) -> None:
        """Tell in an entry's tool tip which keys choose it, as the keyboard names them."""
        self._hints[key] = keys
        self._tell_tips()

    def _tell_tips(self) -> None:
        for key, item in self._items.items():
            words = f"{item.text()} ({self._hints[key]})" if key in self._hints else item.text()
            item.setToolTip(words if self.compact or key in self._hints else "")

    def wide(self) -> int:
        """Return the width with words, in px, whether compact now or not."""
        px = theme().px
        bold = QFontMetrics(_bold(self.font()))
        longest = 0
        for item in self._items.values():
            badge = item.data(_BADGE)
            beside = bold.horizontalAdvance(badge) + px(22) if badge else 0
            longest = max(longest, bold.horizontalAdvance(item.text()) + beside)
        return max(px(196), longest + px(68))

    def set_badge(self, key: str, count: str, words: str = "") -> None:
        """Show a count (already formatted, empty for none) beside an entry; ``words`` is how it is spoken."""
        item = self._items[key]
        item.setData(_BADGE, count)
        spoken = f"{item.text()}, {words}" if count and words else ""
        item.setData(Qt.ItemDataRole.AccessibleTextRole, spoken or item.text())
        self._fit()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Note how the focus came."""
        self.ring = came_by_keyboard(event.reason(), self.ring)
        super().focusInEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Show the ring from the first key on."""
        self.ring = True
        super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the second group at the bottom."""
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        """Measure again in another font."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()

    def _append(self, item: NavItem) -> None:
        entry = QListWidgetItem(item.text, self)
        entry.setData(_KEY, item.key)
        entry.setData(_ICON, item.icon)
        entry.setData(Qt.ItemDataRole.AccessibleTextRole, item.text)
        self._items[item.key] = entry

    def _tell(self, current: QListWidgetItem | None, _previous: QListWidgetItem | None) -> None:
        if current is not None:
            self.chosen.emit(current.data(_KEY))

    def _fit(self) -> None:
        """Give the gap the height that is left, and the list the width of its longest entry."""
        if not hasattr(self, "_gap"):  # Qt resizes while the list is being built
            return
        px = theme().px
        self.setFixedWidth(px(56) if self.compact else self.wide())
        room = self.viewport().height() - len(self._items) * px(34)
        self._gap.setSizeHint(QSize(1, max(room, px(12))))


class _Entry(QStyledItemDelegate):
    """Draws an entry: icon, text, badge; the chosen one on a white card, bold and in the accent."""

    def sizeHint(self, _option: QStyleOptionViewItem, index: _Index) -> QSize:
        hint = index.data(Qt.ItemDataRole.SizeHintRole)
        return hint if isinstance(hint, QSize) else QSize(1, theme().px(34))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        bar = self.parent()
        if not isinstance(bar, SideBar) or not index.data(_KEY):
            return
        look = theme()
        state = QStyle.StateFlag
        chosen = index == bar.currentIndex()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        cell = QRect(option.rect)
        cell.adjust(look.px(10), 1, -look.px(10), -1)
        self._ground(painter, cell, look, chosen=chosen, hovered=bool(option.state & state.State_MouseOver))
        if chosen and bar.ring and bar.hasFocus():
            painter.setPen(QPen(look.colour("accent"), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(cell).adjusted(1, 1, -1, -1), 6, 6)
        self._words(painter, cell, look, bar, index, chosen=chosen)
        painter.restore()

    def _ground(self, painter: QPainter, cell: QRect, look: Theme, *, chosen: bool, hovered: bool) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        if chosen:
            painter.setPen(QPen(look.colour("line"), 1))
            painter.setBrush(look.colour("card"))
            painter.drawRoundedRect(QRectF(cell).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        elif hovered:
            painter.setBrush(look.colour("line"))
            painter.drawRoundedRect(QRectF(cell), 6, 6)

    def _words(self, painter: QPainter, cell: QRect, look: Theme, bar: SideBar, index: _Index, *, chosen: bool) -> None:
        colour = look.colour("accent" if chosen else "text")
        direction = bar.layoutDirection()
        edge = look.px(16)

        def mirrored(x: int, width: int, height: int) -> QRect:
            place = QRect(cell.left() + x, cell.center().y() - height // 2 + 1 - height % 2, width, height)
            return QStyle.visualRect(direction, cell, place)

        drawn = pixmap(index.data(_ICON), colour.name(), edge, bar.devicePixelRatioF())
        painter.drawPixmap(mirrored(look.px(10), edge, edge).topLeft(), drawn)
        count = index.data(_BADGE)
        if bar.compact:
            if count:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(look.colour("danger"))
                painter.drawEllipse(mirrored(look.px(23), look.px(8), look.px(8)).translated(0, -look.px(6)))
            return
        painter.setFont(_bold(bar.font()) if chosen else bar.font())
        painter.setPen(colour)
        words = mirrored(look.px(36), cell.width() - look.px(36) - look.px(10), cell.height())
        along = QStyle.visualAlignment(direction, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(words, along, index.data(Qt.ItemDataRole.DisplayRole))
        if count:
            font = QFont(bar.font())
            font.setPixelSize(look.px(11))
            tall = look.px(18)
            wide = max(tall, QFontMetrics(font).horizontalAdvance(count) + look.px(10))
            ground = mirrored(cell.width() - look.px(10) - wide, wide, tall)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.colour("danger"))
            painter.drawRoundedRect(QRectF(ground), tall / 2, tall / 2)
            painter.setPen(look.colour("on_danger"))
            painter.setFont(font)
            painter.drawText(ground, Qt.AlignmentFlag.AlignCenter, count)


def _bold(font: QFont) -> QFont:
    bold = QFont(font)
    bold.setWeight(QFont.Weight.DemiBold)
    return bold
