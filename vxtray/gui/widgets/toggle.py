"""The switch, and the row that explains it and says when it could not be switched. GUI thread only."""

from collections.abc import Sequence

from PySide6.QtCore import Property as QtProperty
from PySide6.QtCore import QEvent, QObject, QPoint, QPropertyAnimation, QRectF, QSize, Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QSizePolicy, QStyle, QVBoxLayout, QWidget

from vxtray.gui.icons import IconLabel
from vxtray.gui.keyboard import came_by_keyboard
from vxtray.gui.theme import theme
from vxtray.gui.widgets.arranged import Beside, FlowRow
from vxtray.gui.widgets.labels import PlainLabel, plain_label
from vxtray.gui.widgets.status import announce, with_icon

_TRACK = QSize(36, 20)


class Toggle(QCheckBox):
    """An on/off switch. A check box for the keyboard and for assistive technology, drawn as a track with a knob."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._ring = False
        self._knob = 0.0
        self._slide = QPropertyAnimation(self, b"knob", self)
        self.toggled.connect(self._move_knob)

    def sizeHint(self) -> QSize:
        """Return the track, and as much height as a finger needs (WCAG 2.5.8: 24 px)."""
        px = theme().px
        return QSize(px(_TRACK.width()), px(_TRACK.height() + 4))

    def minimumSizeHint(self) -> QSize:
        """Return the same: a switch is never squeezed."""
        return self.sizeHint()

    def hitButton(self, pos: QPoint) -> bool:
        """Take a click anywhere on the switch."""
        return self.rect().contains(pos)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Switch by Enter as well as by Space."""
        self._ring = True
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.isAutoRepeat():
            self.click()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Note how the focus came."""
        self._ring = came_by_keyboard(event.reason(), self._ring)
        super().focusInEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Take the size that belongs to the font."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self.updateGeometry()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the track, the knob and, for the keyboard, the ring."""
        look = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        size = QSize(look.px(_TRACK.width()), look.px(_TRACK.height()))
        whole = QStyle.alignedRect(self.layoutDirection(), Qt.AlignmentFlag.AlignCenter, size, self.rect())
        track = QRectF(whole)
        if self._ring and self.hasFocus():  # the track makes room, so that the ring needs none outside
            painter.setPen(QPen(look.colour("accent"), 1.5))
            painter.drawRoundedRect(track.adjusted(0.75, 0.75, -0.75, -0.75), track.height() / 2, track.height() / 2)
            track.adjust(3, 3, -3, -3)
        radius = track.height() / 2
        on, enabled = self.isChecked(), self.isEnabled()
        ground = ("accent" if on else "control") if enabled else ("accent_soft" if on else "line")
        knob = "on_accent" if enabled and (on or not look.dark) else "card"
        painter.setPen(Qt.PenStyle.NoPen)
        if look.high_contrast and not enabled:  # there are no soft colours then: an outline
            ground, knob = "card", "line"
            painter.setPen(look.colour("line"))
            track.adjust(0.5, 0.5, -0.5, -0.5)
        painter.setBrush(look.colour(ground))
        painter.drawRoundedRect(track, radius, radius)
        painter.setBrush(look.colour(knob))
        edge = track.height() - 2 * look.px(2)
        at = self._knob
        if self.layoutDirection() is Qt.LayoutDirection.RightToLeft:
            at = 1 - at
        x = track.left() + look.px(2) + at * (track.width() - track.height())
        painter.drawEllipse(QRectF(x, track.top() + look.px(2), edge, edge))
        painter.end()

    def _move_knob(self, on: bool) -> None:
        self._slide.stop()
        time = self.style().styleHint(QStyle.StyleHint.SH_Widget_Animation_Duration, None, self)
        if not self.isVisible() or time <= 0:
            self._set_knob(float(on))
            return
        self._slide.setDuration(min(time, 120))
        self._slide.setStartValue(self._knob)
        self._slide.setEndValue(float(on))
        self._slide.start()

    def _get_knob(self) -> float:
        return self._knob

    def _set_knob(self, at: float) -> None:
        self._knob = at
        self.update()

    knob = QtProperty(float, _get_knob, _set_knob)


class ToggleRow(QWidget):
    """A switch with its name, what it does, further fields, and a line for the reason when switching failed."""

    def __init__(
        self, title: str, text: str = "", fields: Sequence[QWidget] = (), parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.toggle = Toggle(title)
        self._title = plain_label(title, "strong")
        self._text = plain_label(role="muted")
        self._trouble = PlainLabel(role="trouble")
        self._trouble_line = with_icon(IconLabel("warning", "danger", 14), self._trouble, 6)
        words = QWidget()
        column = QVBoxLayout(words)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        for part in (self._title, self._text, self._trouble_line):
            column.addWidget(part)
        for label in (self._title, self._text):
            label.installEventFilter(self)  # a click on the words switches too
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 1, 0, 1)
        row.setSpacing(12)
        row.addWidget(self.toggle, 0, Qt.AlignmentFlag.AlignVCenter)
        self._fields = FlowRow(*fields, gap=8)
        if not fields:
            self._fields.hide()  # shown without a parent yet, it would be a window of its own
        row.addWidget(Beside(words, self._fields), 1)
        self.set_text(text)
        self.clear_trouble()

    def set_text(self, text: str) -> None:
        """Say what the switch does, or what it did lately."""
        self._text.setText(text)
        self._text.setVisible(bool(text))
        self.toggle.setAccessibleDescription(text)

    def keep_room(self, text: str) -> None:
        """Keep the height that ``text`` needs, whatever is said."""
        self._text.keep_room(text)

    def trouble(self) -> str:
        """Return the reason that is shown, or nothing."""
        return "" if self._trouble_line.isHidden() else self._trouble.text()

    def show_trouble(self, reason: str) -> None:
        """Say, beneath, why the switch went back."""
        self._trouble.setText(reason)
        self._trouble_line.show()
        self.toggle.setAccessibleDescription(reason)
        announce(self.toggle, reason)

    def clear_trouble(self) -> None:
        """Take the reason away."""
        self._trouble_line.hide()
        self.toggle.setAccessibleDescription(self._text.text())

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Switch by a click on the words."""
        if event.type() == QEvent.Type.MouseButtonRelease and isinstance(event, QMouseEvent):
            if event.button() is Qt.MouseButton.LeftButton and self.toggle.isEnabled():
                self.toggle.setFocus(Qt.FocusReason.MouseFocusReason)
                self.toggle.click()
            return True
        return event.type() == QEvent.Type.MouseButtonPress  # else the release would go elsewhere
