"""Rows that fold when the window gets narrow or the font large. GUI thread only.

Qt's box layouts never wrap, and ask for the sum of the widths of what they hold; these place their children by hand.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

from PySide6.QtCore import QEvent, QRect, QSize
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QStyle, QWidget

T = TypeVar("T")

#: Answers kept by one row; a window that is drawn wider asks for each width.
_MOST_KEPT = 32


class Arranged(QWidget):
    """A widget that places its children itself; a subclass answers ``_arrange``.

    While it is seen, an answer is kept until a child asks to be laid out anew, as layouts of Qt keep theirs: a page is
    asked throughout when one line of it changes.
    """

    _keeps: ClassVar[bool] = True

    def __init__(self, gap: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.gap = gap
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self._children: list[QWidget] = []
        self._kept: dict[object, Any] = {}

    def add(self, widget: QWidget) -> None:
        """Put one more widget at the end."""
        widget.setParent(self)
        self._children.append(widget)
        self._kept.clear()
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
        return max((place.bottom() + 1 for place in self._places(width)), default=0)

    def minimumSizeHint(self) -> QSize:
        """Return the widest child's least width, and the height at the present width."""
        width = self._keep("least", lambda: max((least_width(child) for child in self.shown()), default=0))
        return QSize(width, self.heightForWidth(max(self.width(), width)) if self.isVisible() else 0)

    def sizeHint(self) -> QSize:
        """Return the size of everything in one row."""
        return QSize(self._keep("hint", self._row_size))

    def _row_size(self) -> QSize:
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
        self._kept.clear()
        self._place()

    def hideEvent(self, event: QHideEvent) -> None:
        """Keep nothing: no child tells of its new size any more."""
        super().hideEvent(event)
        self._kept.clear()

    def event(self, event: QEvent) -> bool:
        """Answer a child's new size."""
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.LayoutDirectionChange):
            self._kept.clear()
            self._place()
            self.updateGeometry()
        return super().event(event)

    def _place(self) -> None:
        for child, place in zip(self.shown(), self._places(self.width()), strict=True):
            child.setGeometry(QStyle.visualRect(self.layoutDirection(), self.rect(), place))

    def _places(self, width: int) -> list[QRect]:
        if len(self._kept) > _MOST_KEPT:
            self._kept.clear()
        return self._keep((width, *self.shown()), lambda: self._arrange(width))

    def _keep(self, question: object, work: Callable[[], T]) -> T:
        if question in self._kept:
            found: T = self._kept[question]
            return found
        answer = asked((self, question), work)
        if self._keeps and self.isVisible():
            self._kept[question] = answer
        return answer


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

    _keeps = False  # it gives heights that it is asked for itself, so an answer kept too long would go in circles

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
    wanted = asked((widget, "natural"), lambda: max(widget.sizeHint().width(), least_width(widget)))
    return min(wanted, widget.maximumWidth())


def least_width(widget: QWidget) -> int:
    """Return the least width a widget can be shown at, in px."""
    return widget.minimumWidth() or asked((widget, "least"), lambda: max(widget.minimumSizeHint().width(), 0))


def height_at(widget: QWidget, width: int) -> int:
    """Return the height a widget needs at a width, both in px."""

    def height() -> int:
        return widget.heightForWidth(width) if widget.hasHeightForWidth() else widget.sizeHint().height()

    return max(asked((widget, "height at", width), height), widget.minimumHeight())


class _Answers:
    """What was worked out since the outermost question: rows within rows ask the same many times over."""

    depth = 0
    known: ClassVar[dict[tuple[object, ...], Any]] = {}


def asked(question: tuple[object, ...], work: Callable[[], T]) -> T:
    """Return the answer; it is kept until the outermost question is answered, and no widget changes before that."""
    if question in _Answers.known:
        found: T = _Answers.known[question]
        return found
    _Answers.depth += 1
    try:
        answer = _Answers.known[question] = work()
    finally:
        _Answers.depth -= 1
        if not _Answers.depth:
            _Answers.known.clear()
    return answer


def centred(row: list[QRect]) -> int:
    """Centre the rectangles of one row on its middle line and return where the row ends, in px."""
    if not row:
        return 0
    top, tall = row[0].top(), max(place.height() for place in row)
    for place in row:
        place.moveTop(top + (tall - place.height()) // 2)
    return top + tall
