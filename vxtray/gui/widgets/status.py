"""How things stand: pills, banners and the short confirmation. GUI thread only.

Each says it by a shape and a word, never by a colour alone.
"""

from enum import StrEnum

from PySide6.QtCore import Property as QtProperty
from PySide6.QtCore import QPropertyAnimation, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from vxtray.gui.icons import IconLabel, pixmap
from vxtray.gui.theme import theme
from vxtray.gui.widgets.arranged import Beside, FlowRow
from vxtray.gui.widgets.buttons import button, link_button
from vxtray.gui.widgets.labels import PlainLabel


class Kind(StrEnum):
    """What a pill or a banner says; the value is the token of its colour or, for ``CRITICAL``, its rank."""

    CRITICAL = "critical"
    DANGER = "danger"
    WARNING = "warning"
    GOOD = "good"
    INFO = "info"


_TOKEN = {
    Kind.CRITICAL: "danger",
    Kind.DANGER: "danger",
    Kind.WARNING: "warning",
    Kind.GOOD: "good",
    Kind.INFO: "accent",
}
_SHAPE = {
    Kind.CRITICAL: "dot",
    Kind.DANGER: "cross",
    Kind.WARNING: "triangle",
    Kind.GOOD: "check",
    Kind.INFO: "info",
}


def announce(widget: QWidget, text: str) -> None:
    """Let assistive technology speak ``text`` now, without moving the focus."""
    QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(widget, text))


def with_icon(icon: IconLabel, label: PlainLabel, gap: int) -> QWidget:
    """Return a line with an icon at the height of the label's first line."""
    line = QWidget()
    row = QHBoxLayout(line)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(gap)
    row.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
    row.addWidget(label, 1)
    return line


class Pill(QLabel):
    """A shape and a word on a soft ground, for a severity or a state in a list."""

    def __init__(self, kind: Kind, word: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", "pill")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._kind = kind
        self.show_state(kind, word)

    @property
    def kind(self) -> Kind:
        """What it says."""
        return self._kind

    def show_state(self, kind: Kind, word: str) -> None:
        """Show another state."""
        self._kind = kind
        self.setText(word)
        self.update()

    def sizeHint(self) -> QSize:
        """Return the size of shape and word with their room."""
        self.ensurePolished()
        px = theme().px
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self.text()) + px(34), max(metrics.height() + px(6), px(20)))

    def minimumSizeHint(self) -> QSize:
        """Return the same: a state is never cut."""
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the ground, the shape and the word."""
        painter = QPainter(self)
        self.paint_on(painter)
        painter.end()

    def paint_on(self, painter: QPainter) -> None:
        """Draw with a painter that is already set up."""
        look = theme()
        token = _TOKEN[self._kind]
        ink = look.colour(token)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(ink, 1) if look.high_contrast else Qt.PenStyle.NoPen)
        painter.setBrush(look.colour(f"{token}_soft"))
        ground = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(ground, ground.height() / 2, ground.height() / 2)
        edge, room = look.px(10), look.px(10)
        mirrored = self.layoutDirection() is Qt.LayoutDirection.RightToLeft
        x = self.width() - room - edge if mirrored else room
        shape = pixmap(_SHAPE[self._kind], ink.name(), edge, self.devicePixelRatioF())
        painter.drawPixmap(x, (self.height() - edge) // 2, shape)
        start, end = look.px(24), look.px(10)
        words = self.rect().adjusted(end if mirrored else start, 0, -start if mirrored else -end, 0)
        painter.setPen(ink)
        painter.drawText(words, Qt.AlignmentFlag.AlignCenter, self.text())


class QuietNote(Pill):
    """A short confirmation ("Saved") that floats over its parent and fades away by itself."""

    def __init__(self, parent: QWidget, stay_ms: int = 2000) -> None:
        super().__init__(Kind.GOOD, "", parent)
        self._opacity = 1.0
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._fade = QPropertyAnimation(self, b"opacity", self)
        self._fade.setDuration(250)
        self._fade.setStartValue(1.0)
        self._fade.setEndValue(0.0)
        self._fade.finished.connect(self.hide)
        self._stay = QTimer(self, singleShot=True, interval=stay_ms)
        self._stay.timeout.connect(self._fade.start)
        self.hide()

    def say(self, text: str, kind: Kind = Kind.GOOD) -> None:
        """Show ``text`` for a moment, from now."""
        self._fade.stop()
        self._set_opacity(1.0)
        self.show_state(kind, text)
        self.resize(self.sizeHint())
        self.show()
        self.raise_()
        self._stay.start()
        announce(self, text)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw as a pill, fainter while it fades."""
        painter = QPainter(self)
        painter.setOpacity(self._opacity)
        self.paint_on(painter)
        painter.end()

    def _get_opacity(self) -> float:
        return self._opacity

    def _set_opacity(self, opacity: float) -> None:
        self._opacity = opacity
        self.update()

    opacity = QtProperty(float, _get_opacity, _set_opacity)


class Banner(QFrame):
    """A message across the page that stays until what it says is over, with an optional button.

    Signals: ``activated`` when the button is pressed, ``put_off`` when the quiet one beside it is.
    """

    activated = Signal()
    put_off = Signal()

    def __init__(
        self, kind: Kind, text: str, action: str = "", parent: QWidget | None = None, *, later: str = ""
    ) -> None:
        """``later`` is what the quiet button says, where there is one."""
        super().__init__(parent)
        self._icon = IconLabel("info", "accent")
        self._label = PlainLabel()
        self._button = button(action)
        self._button.clicked.connect(self.activated)
        row = QVBoxLayout(self)
        row.setContentsMargins(14, 10, 14, 10)
        controls: QWidget = self._button
        if later:
            quiet = link_button(later)
            quiet.clicked.connect(self.put_off)
            controls = FlowRow(self._button, quiet, gap=8)
        row.addWidget(Beside(with_icon(self._icon, self._label, 10), controls))
        self.show_message(kind, text, action)

    def text(self) -> str:
        """Return what it says."""
        return self._label.text()

    def show_message(self, kind: Kind, text: str, action: str = "") -> None:
        """Say something else."""
        self.setProperty("kind", {Kind.CRITICAL: "danger"}.get(kind, kind.value))
        self.style().unpolish(self)
        self.style().polish(self)
        self._icon.set_icon("warning" if kind is Kind.WARNING else _SHAPE[kind], _TOKEN[kind])
        self._label.setText(text)
        self._button.setText(action)
        self._button.setVisible(bool(action))
        self.setAccessibleName(text)
