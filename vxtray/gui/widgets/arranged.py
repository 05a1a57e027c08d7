"""Rows that fold when the window gets narrow or the font large. GUI thread only.

Qt's box layouts never wrap, and ask for the sum of the widths of what they hold; these place their children by hand.
"""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRect, QSize
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QStyle, QWidget


class Arranged(QWidget):
    """A widget that places its children itself; a subclass answers ``_arrange``."""

    def __init__(self, gap: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.gap = gap
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self._children: list[QWidget] = []

    def add(self, widget: QWidget) -> None:
        """Put one more widget at the end."""
        widget.setParent(self)
        self._children.append(widget)
        self.updateGeometry()

    def shown(self) -> list[QWidget]:
        """Return the children that take room, in order."""
        return [child for child in self._children if not child.isHidden()]

    def _arrange(self, width: int) -> list[QRect]:
        """Return a rectangle for each shown child, left to right, within ``width`` px."""
        raise NotImplementedError

    def hasHeightForWidth(self) -> bool:
        """Say that the height follows from the width."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of all rows at ``width`` px."""
        return max((place.bottom() + 1 for place in self._arrange(width)), default=0)

    def minimumSizeHint(self) -> QSize:
        """Return the widest child's least width, and the height at the present width."""
        width = max((least_width(child) for child in self.shown()), default=0)
        return QSize(width, self.heightForWidth(max(self.width(), width)) if self.isVisible() else 0)

    def sizeHint(self) -> QSize:
        """Return the size of everything in one row."""
        hints = [child.sizeHint() for child in self.shown()]
        width = sum(hint.width() for hint in hints) + self.gap * max(len(hints) - 1, 0)
        return QSize(width, self.heightForWidth(width))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Place the children anew."""
        super().resizeEvent(event)
        self._place()
        if event.oldSize().width() != event.size().width():
            self.updateGeometry()

    def showEvent(self, event: QShowEvent) -> None:
        """Place what was added while hidden: hidden parents get no layout requests."""
        super().showEvent(event)
        self._place()

    def event(self, event: QEvent) -> bool:
        """Answer a child's new size."""
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.LayoutDirectionChange):
            self._place()
            self.updateGeometry()
        return super().event(event)

    def _place(self) -> None:
        for child, place in zip(self.shown(), self._arrange(self.width()), strict=True):
            child.setGeometry(QStyle.visualRect(self.layoutDirection(), self.rect(), place))


class FlowRow(Arranged):
    """Widgets at their natural width, wrapping into further rows (buttons, fields of a toggle)."""

    def __init__(self, *widgets: QWidget, gap: int = 12, parent: QWidget | None = None) -> None:
        super().__init__(gap, parent)
        for widget in widgets:
            self.add(widget)

    def _arrange(self, width: int) -> list[QRect]:
        places: list[QRect] = []
        row: list[QRect] = []
        x = y = 0
        for child in self.shown():
            wide = min(natural_width(child), max(width, least_width(child)))
            if row and x + wide > width:
                y = centred(row) + self.gap
                x, row = 0, []
            row.append(QRect(x, y, wide, height_at(child, wide)))
            places.append(row[-1])
            x += wide + self.gap
        centred(row)
        return places


class Tiles(Arranged):
    """Tiles of equal width and, in each row, equal height: all in one row, or halved until they fit.

    ``shares`` gives other proportions than equal, for as long as all stand in one row; ``least`` is the width in px
    that a tile needs. The last row takes the height that is left over.
    """

    def __init__(
        self,
        tiles: Sequence[QWidget],
        least: int = 168,
        gap: int = 14,
        shares: Sequence[int] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(gap, parent)
        self._least = least
        self._shares = shares
        for tile in tiles:
            self.add(tile)

    def _arrange(self, width: int) -> list[QRect]:
        tiles = self.shown()
        columns = max(len(tiles), 1)
        needed = max([self._least, *(least_width(tile) for tile in tiles)])
        while columns > 1 and columns * (needed + self.gap) - self.gap > width:
            columns = (columns + 1) // 2
        places: list[QRect] = []
        y = 0
        for first in range(0, len(tiles), columns):
            row = tiles[first : first + columns]
            spans = self._spans(width, columns, everything=len(row) == len(tiles))
            tall = max(height_at(tile, wide) for tile, (_x, wide) in zip(row, spans, strict=False))
            places += [QRect(x, y, wide, tall) for _tile, (x, wide) in zip(row, spans, strict=False)]
            y += tall + self.gap
        return places

    def _spans(self, width: int, columns: int, *, everything: bool) -> list[tuple[int, int]]:
        """Return where each column starts and how wide it is, both in px."""
        shares = self._shares if everything and len(self._shares) == columns else [1] * columns
        room = width - self.gap * (columns - 1)
        edges = [room * sum(shares[:at]) // sum(shares) for at in range(columns + 1)]
        return [(edges[at] + at * self.gap, edges[at + 1] - edges[at]) for at in range(columns)]

    def _place(self) -> None:
        super()._place()
        shown = self.shown()
        last = max((child.y() for child in shown), default=0)
        for child in shown:
            if child.y() == last:
                child.resize(child.width(), max(self.height() - last, child.height()))


class Beside(Arranged):
    """A text that takes the room there is, and controls at its right; under it when there is too little room."""

    def __init__(self, text: QWidget, controls: QWidget, least: int = 260, parent: QWidget | None = None) -> None:
        super().__init__(16, parent)
        self._least = least
        self.add(text)
        self.add(controls)

    def _arrange(self, width: int) -> list[QRect]:
        shown = self.shown()
        if len(shown) < 2:
            return [QRect(0, 0, width, height_at(child, width)) for child in shown]
        text, controls = shown
        wide = natural_width(controls)
        room = width - wide - self.gap
        if room >= min(natural_width(text), max(self._least, least_width(text))):
            heights = height_at(text, room), height_at(controls, wide)
            tall = max(heights)
            return [
                QRect(0, (tall - heights[0]) // 2, room, heights[0]),
                QRect(width - wide, (tall - heights[1]) // 2, wide, heights[1]),
            ]
        above = height_at(text, width)
        wide = min(wide, width)
        return [QRect(0, 0, width, above), QRect(0, above + 8, wide, height_at(controls, wide))]


def natural_width(widget: QWidget) -> int:
    """Return the width a widget would like, in px, within its own limits."""
    width = max(widget.sizeHint().width(), least_width(widget))
    return min(width, widget.maximumWidth())


def least_width(widget: QWidget) -> int:
    """Return the least width a widget can be shown at, in px."""
    return widget.minimumWidth() or max(widget.minimumSizeHint().width(), 0)


def height_at(widget: QWidget, width: int) -> int:
    """Return the height a widget needs at a width, both in px."""
    height = widget.heightForWidth(width) if widget.hasHeightForWidth() else widget.sizeHint().height()
    return max(height, widget.minimumHeight())


def centred(row: list[QRect]) -> int:
    """Centre the rectangles of one row on its middle line and return where the row ends, in px."""
    if not row:
        return 0
    top, tall = row[0].top(), max(place.height() for place in row)
    for place in row:
        place.moveTop(top + (tall - place.height()) // 2)
    return top + tall
