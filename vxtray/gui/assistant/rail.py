"""Where one is in the assistant: the steps as a column with marks, or as a row of short bars. GUI thread only."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from vxtray.core.texts import _
from vxtray.gui.icons import pixmap
from vxtray.gui.theme import theme
from vxtray.gui.widgets import plain_label

_MARK, _ROW, _LEFT = 22, 40, 20


def where_words(at: int, names: Sequence[str]) -> str:
    """Return Step 2 of 6 · Recipients."""
    return _("Step {n} of {all} · {name}", n=at + 1, all=len(names), name=names[at])


class _Marks(QWidget):
    """The steps: a number, a tick where it is done, and the name; a line runs from mark to mark."""

    def __init__(self, names: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names = names
        self._at, self._done = 0, frozenset[int]()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def show_place(self, at: int, done: frozenset[int]) -> None:
        self._at, self._done = at, done
        said = where_words(at, self._names)
        self.setAccessibleName(said)
        self.update()

    def sizeHint(self) -> QSize:
        px = theme().px
        metrics = QFontMetrics(_bold(self.font()))
        longest = max(metrics.horizontalAdvance(name) for name in self._names)
        return QSize(px(_LEFT + _MARK + 12 + 20) + longest, px(_ROW) * len(self._names))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self.updateGeometry()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for number in range(len(self._names)):
            self._paint_step(painter, number)
        painter.end()

    def _paint_step(self, painter: QPainter, number: int) -> None:
        look = theme()
        px = look.px
        mirrored = self.layoutDirection() is Qt.LayoutDirection.RightToLeft
        edge, row = px(_MARK), px(_ROW)
        x = self.width() - px(_LEFT) - edge if mirrored else px(_LEFT)
        mark = QRectF(x, number * row + (row - edge) / 2, edge, edge)
        now, done = number == self._at, number in self._done
        if number + 1 < len(self._names):
            painter.setPen(QPen(look.colour("accent" if done else "button_line"), 1.5))
            middle = mark.center().x()
            painter.drawLine(QPointF(middle, mark.bottom() + 4), QPointF(middle, mark.bottom() + row - edge - 4))
        self._paint_mark(painter, mark, number, now=now, done=done)
        painter.setFont(_bold(self.font()) if now else self.font())
        painter.setPen(look.colour("text" if now else "secondary"))
        words = QRectF(0, number * row, x - px(12), row) if mirrored else QRectF(0, number * row, self.width(), row)
        if not mirrored:
            words.setLeft(mark.right() + px(12))
        side = Qt.AlignmentFlag.AlignRight if mirrored else Qt.AlignmentFlag.AlignLeft
        painter.drawText(words, int(side | Qt.AlignmentFlag.AlignVCenter), self._names[number])

    def _paint_mark(self, painter: QPainter, mark: QRectF, number: int, *, now: bool, done: bool) -> None:
        look = theme()
        ink = look.colour("on_accent" if now else "accent" if done else "secondary")
        ground = look.colour("accent") if now else look.colour("accent_soft") if done else QColor(0, 0, 0, 0)
        painter.setPen(Qt.PenStyle.NoPen if now or (done and not look.high_contrast) else QPen(_outline(), 1.5))
        painter.setBrush(ground)
        painter.drawEllipse(mark.adjusted(0.75, 0.75, -0.75, -0.75))
        if done and not now:
            size = look.px(12)
            tick = pixmap("check", ink.name(), size, self.devicePixelRatioF())
            painter.drawPixmap(mark.center() - QPointF(size / 2, size / 2), tick)
            return
        small = _bold(self.font())
        small.setPixelSize(look.px(11))
        painter.setFont(small)
        painter.setPen(ink)
        painter.drawText(mark, Qt.AlignmentFlag.AlignCenter, str(number + 1))


class Rail(QWidget):
    """The column at the side of a wide window."""

    def __init__(self, names: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        px = theme().px
        self._marks = _Marks(names)
        title = plain_label(_("Set up vxtray"), "strong")
        title.setContentsMargins(px(_LEFT), 0, px(12), 0)
        note = plain_label(_("Leave at any step: what is set stays set, and you go on where you were."), "muted")
        note.setContentsMargins(px(_LEFT), 0, px(16), 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, px(28), 1, px(20))
        column.setSpacing(0)
        column.addWidget(title)
        column.addSpacing(px(14))
        column.addWidget(self._marks)
        column.addStretch(1)
        column.addWidget(note)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)

    def show_place(self, at: int, done: frozenset[int]) -> None:
        """Mark the step that is shown, and those that are done."""
        self._marks.show_place(at, done)

    def sizeHint(self) -> QSize:
        """Return the width that the names need."""
        return QSize(max(self._marks.sizeHint().width(), theme().px(220)), super().sizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the ground and the line towards the step."""
        look = theme()
        painter = QPainter(self)
        painter.fillRect(self.rect(), look.colour("sidebar"))
        edge = 0 if self.layoutDirection() is Qt.LayoutDirection.RightToLeft else self.width() - 1
        painter.fillRect(edge, 0, 1, self.height(), look.colour("line"))
        painter.end()


class Bars(QWidget):
    """The same for a narrow window: one short bar a step."""

    def __init__(self, count: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._count, self._at = count, 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_place(self, at: int) -> None:
        """Fill the bars up to the step that is shown."""
        self._at = at
        self.update()

    def sizeHint(self) -> QSize:
        """Return a low strip."""
        return QSize(theme().px(24) * self._count, theme().px(4))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the bars."""
        look = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        gap = look.px(6)
        wide = (self.width() - gap * (self._count - 1)) / self._count
        for number in range(self._count):
            seen = self._count - 1 - number if self.layoutDirection() is Qt.LayoutDirection.RightToLeft else number
            painter.setBrush(look.colour("accent" if number <= self._at else "button_line"))
            painter.drawRoundedRect(QRectF(seen * (wide + gap), 0, wide, self.height()), 2, 2)
        painter.end()


def _outline() -> QColor:
    return theme().colour("control")


def _bold(font: QFont) -> QFont:
    bold = QFont(font)
    bold.setWeight(QFont.Weight.DemiBold)
    return bold
