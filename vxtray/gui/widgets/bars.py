"""A small bar chart, drawn by hand: one bar a slot, with two parts of it that matter more. GUI thread only.

The parts tell themselves apart by their place (the rarest stands lowest), their brightness and a gap, in high contrast
by a pattern, and in words: each bar has some for the tool tip and for assistive technology.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QEnterEvent,
    QFocusEvent,
    QFont,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QToolTip, QWidget

from vxtray.gui.keyboard import came_by_keyboard
from vxtray.gui.theme import theme
from vxtray.gui.widgets.status import announce

#: All lengths in px at scale 1.
_HEIGHT, _LEAST, _AXIS, _TOP = 136, 112, 20, 8
_ROUND = 2.0
#: The least that a scale reaches to.
_SCALE = 4
_WIDEST_BAR = 24
#: Of its slot, what a bar takes.
_SHARE = 0.68
#: The token of the part that matters most.
_WORST = "danger"
#: And of what is neither.
_REST = "accent_soft"
_CAP = 1.5
#: What is there is seen, however little it is.
_LEAST_PART = 2.0


class Bar(NamedTuple):
    """One slot: ``axis`` stands under it ("" for nothing), ``words`` say it all.

    ``marked`` (the worst) and ``part`` are both contained in ``whole``, and may overlap.
    """

    axis: str
    words: str
    whole: int
    part: int
    marked: int


def round_up(most: int) -> int:
    """Return the end of an axis that reaches to ``most``: 1, 2, 4, 5 or 8 times a power of ten, at least 4."""
    if most <= _SCALE:
        return _SCALE
    step = int(10 ** math.floor(math.log10(most)))
    return next(step * times for times in (1, 2, 4, 5, 8, 10) if step * times >= most)


def prepare(painter: QPainter, token: str) -> None:
    """Let a painter fill a part of a bar, or its sample in a legend; high contrast has outlines and a pattern."""
    look = theme()
    painter.setPen(QPen(look.colour("line"), 1) if look.high_contrast else Qt.PenStyle.NoPen)
    pattern = Qt.BrushStyle.BDiagPattern if look.high_contrast and token == _WORST else Qt.BrushStyle.SolidPattern
    painter.setBrush(QBrush(look.colour(token), pattern))


class Sample(QWidget):
    """What a part of a bar looks like, beside a word that says what it means."""

    def __init__(self, token: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._token = token

    def sizeHint(self) -> QSize:
        """Return a small square."""
        return QSize(theme().px(10), theme().px(10))

    def minimumSizeHint(self) -> QSize:
        """Return the same."""
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw it in the middle."""
        painter = QPainter(self)
        prepare(painter, self._token)
        square = QRect(QPoint(0, 0), self.sizeHint())
        square.moveCenter(self.rect().center())
        painter.drawRect(square.adjusted(0, 0, -1, -1) if theme().high_contrast else square)
        painter.end()


class Bars(QAbstractButton):
    """The chart. Arrow keys go from bar to bar, Enter opens one; a button, so that a screen reader has a word for it.

    Signals: ``activated(index)`` when a bar that is not empty is clicked, or opened by the keyboard.
    """

    activated = Signal(int)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._bars: tuple[Bar, ...] = ()
        self._numbers = ("", "")
        self._end = _SCALE
        self._hovered = self._current = self._pressed = -1
        self._ring = False
        self.clicked.connect(lambda: self._open(self._current))  # by assistive technology

    # --- what is shown -----------------------------------------------------------------------------------------------

    def show_bars(self, bars: Sequence[Bar], description: str, numbers: tuple[str, str] = ("", "")) -> None:
        """Show other bars; ``numbers`` stand at the end of the scale (see ``scale_end``) and at its half."""
        self._bars, self._numbers = tuple(bars), numbers
        self._end = self.scale_end(bars)
        self._current = min(self._current, len(self._bars) - 1)
        self.setAccessibleDescription(description)
        self.update()

    @staticmethod
    def scale_end(bars: Sequence[Bar]) -> int:
        """Return up to where the scale goes."""
        return round_up(max((bar.whole for bar in bars), default=0))

    def bars(self) -> tuple[Bar, ...]:
        """Return what is shown."""
        return self._bars

    def current(self) -> int:
        """Return the bar that the keyboard is at, -1 for none."""
        return self._current

    def choose(self, index: int) -> None:
        """Let the keyboard be at a bar, and say what it is."""
        self._current = max(0, min(index, len(self._bars) - 1))
        words = self._bars[self._current].words
        self._say(self._current)
        announce(self, words)
        self.update()

    def sizeHint(self) -> QSize:
        """Return a height at which the bars are told apart."""
        return QSize(theme().px(480), theme().px(_HEIGHT))

    def minimumSizeHint(self) -> QSize:
        """Return the least of it."""
        return QSize(theme().px(200), theme().px(_LEAST))

    # --- places ------------------------------------------------------------------------------------------------------

    def _ground(self) -> QRect:
        """Return where the bars stand: right of the scale's numbers, above the axis."""
        px = theme().px
        wide = max((self._small().horizontalAdvance(text) for text in self._numbers), default=0)
        left = wide + px(8) if wide else 0
        return self.rect().adjusted(left, px(_TOP), 0, -px(_AXIS))

    def slot(self, index: int) -> QRect:
        """Return the column of a bar, over the whole height."""
        ground, n = self._ground(), max(len(self._bars), 1)
        left, right = (ground.left() + ground.width() * at // n for at in (index, index + 1))
        return QRect(left, 0, right - left, ground.bottom() + 1)

    def at(self, place: QPoint) -> int:
        """Return the bar whose column a place is in, -1 for none."""
        ground = self._ground()
        if not self._bars or not ground.left() <= place.x() <= ground.right():
            return -1
        return min((place.x() - ground.left()) * len(self._bars) // ground.width(), len(self._bars) - 1)

    def _small(self) -> QFontMetrics:
        return QFontMetrics(self._small_font())

    def _small_font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(theme().px(11))
        return font

    # --- drawing -----------------------------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the scale, the bars and, for the keyboard, the ring."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._small_font())
        self._draw_scale(painter)
        for index, bar in enumerate(self._bars):
            self._draw_bar(painter, index, bar)
        painter.end()

    def _draw_scale(self, painter: QPainter) -> None:
        look, ground = theme(), self._ground()
        for text, share in ((self._numbers[0], 1.0), (self._numbers[1], 0.5), ("", 0.0)):
            y = ground.bottom() + 1 - share * ground.height()
            painter.setPen(QPen(look.colour("line"), 1))
            painter.drawLine(QPoint(ground.left(), round(y)), QPoint(ground.right(), round(y)))
            painter.setPen(look.colour("secondary"))
            beside = QRectF(0, y - look.px(8), ground.left() - look.px(8), look.px(16))
            painter.drawText(beside, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)

    def _draw_bar(self, painter: QPainter, index: int, bar: Bar) -> None:
        look, slot = theme(), self.slot(index)
        chosen = index == self._current and self._ring and self.hasFocus()
        painter.setPen(Qt.PenStyle.NoPen)
        if index == self._hovered and bar.whole:
            painter.setBrush(look.colour("hover"))
            painter.drawRoundedRect(QRectF(slot), 4, 4)
        wide = min(slot.width() * _SHARE, look.px(_WIDEST_BAR))
        left = slot.center().x() + 0.5 - wide / 2
        # the longer of the two first, so that the end of each is seen
        parts = sorted(((bar.part, "accent"), (bar.marked, _WORST)), key=lambda one: -one[0])
        self._draw_part(painter, index, left, wide, bar.whole, _REST)
        for count, token in parts:
            self._draw_part(painter, index, left, wide, count, token)
        painter.setPen(look.colour("secondary"))
        under = QRectF(slot.center().x() - look.px(40), slot.bottom() + look.px(4), look.px(80), look.px(16))
        painter.drawText(under, Qt.AlignmentFlag.AlignCenter, bar.axis)
        if chosen:
            painter.setPen(QPen(look.colour("accent"), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(slot).adjusted(0.75, 0.75, -0.75, -0.75), 4, 4)

    def _draw_part(self, painter: QPainter, index: int, left: float, wide: float, count: int, token: str) -> None:
        if not count:
            return
        tall = max(self._ground().height() * count / self._end, _LEAST_PART)
        place = QRectF(left, self._ground().bottom() + 1 - tall, wide, tall)
        if token == _WORST:  # a gap, for whom red and blue are alike
            painter.fillRect(place.adjusted(0, -1, 0, 0), theme().colour("card"))
        prepare(painter, token)
        if theme().high_contrast or count < self._bars[index].whole:
            painter.drawRect(place)
            return
        painter.save()
        painter.setClipRect(place)
        painter.drawRoundedRect(place.adjusted(0, 0, 0, _ROUND), _ROUND, _ROUND)  # only at the top
        if token == _REST:  # its ground is faint, and where it ends must be seen (WCAG 1.4.11)
            painter.fillRect(QRectF(left, place.top(), wide, _CAP), theme().colour("control"))
        painter.restore()

    # --- mouse and keyboard ------------------------------------------------------------------------------------------

    def _say(self, index: int) -> None:
        slot = self.slot(index)
        QToolTip.showText(self.mapToGlobal(QPoint(slot.center().x(), slot.top())), self._bars[index].words, self, slot)

    def _open(self, index: int) -> None:
        if 0 <= index < len(self._bars) and self._bars[index].whole:
            self.activated.emit(index)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Say what the bar under the mouse is."""
        index = self.at(event.position().toPoint())
        if index != self._hovered:
            self._hovered = index
            full = index >= 0 and bool(self._bars[index].whole)
            self.setCursor(Qt.CursorShape.PointingHandCursor if full else Qt.CursorShape.ArrowCursor)
            self._say(index) if index >= 0 else QToolTip.hideText()
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Note where a click begins."""
        self._pressed = self.at(event.position().toPoint()) if event.button() is Qt.MouseButton.LeftButton else -1

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Open the bar that was clicked."""
        index, self._pressed = self._pressed, -1
        if index >= 0 and index == self.at(event.position().toPoint()):
            self._current = index
            self._open(index)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Begin anew."""
        self._hovered = -1
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Show no bar as under the mouse."""
        self._hovered = -1
        self.update()
        super().leaveEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Begin at the last bar that has something, for the keyboard."""
        self._ring = came_by_keyboard(event.reason(), self._ring)
        if self._ring and self._current < 0:
            full = [index for index, bar in enumerate(self._bars) if bar.whole]
            self._current = full[-1] if full else 0
        self.update()
        super().focusInEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go from bar to bar, and open one."""
        self._ring = True
        last = len(self._bars) - 1
        steps = {
            Qt.Key.Key_Left: self._current - 1,
            Qt.Key.Key_Right: self._current + 1,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
        }
        if event.key() in steps and last >= 0:
            self.choose(steps[Qt.Key(event.key())])
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._open(self._current)
        else:
            super().keyPressEvent(event)
