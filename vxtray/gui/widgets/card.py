"""Cards: the white ground that things stand on, and the two kinds with a fixed content. GUI thread only."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from vxtray.gui.icons import IconLabel
from vxtray.gui.theme import theme
from vxtray.gui.widgets.buttons import Button, link_button
from vxtray.gui.widgets.labels import PlainLabel, plain_label

#: Beside an empty state, and the length of its lines, in px (the latter at scale 1).
_EDGE, _LINE = 24, 560


def separator() -> QFrame:
    """Return the hairline between two rows of a card."""
    line = QFrame()
    line.setProperty("role", "separator")
    return line


class Card(QFrame):
    """A rounded ground with a column of widgets, and an optional title."""

    def __init__(self, title: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(16, 14, 16, 14)
        self._column.setSpacing(8)
        self._rows = 0
        self._title: PlainLabel | None = None
        if title:
            self.set_title(title)

    def set_title(self, title: str) -> None:
        """Show ``title`` above the content."""
        if self._title is None:
            self._title = plain_label(role="strong")
            self._column.insertWidget(0, self._title)
        self._title.setText(title)
        self.setAccessibleName(title)

    def add(self, content: QWidget | QLayout, stretch: int = 0) -> None:
        """Put a widget or a layout at the end."""
        if isinstance(content, QLayout):
            self._column.addLayout(content, stretch)
        else:
            self._column.addWidget(content, stretch)

    def clear(self) -> None:
        """Take everything away but the title."""
        for at in reversed(range(self._column.count())):
            item = self._column.itemAt(at)
            widget = item.widget() if item is not None else None
            if widget is not None and widget is not self._title:
                widget.hide()
                widget.deleteLater()
                widget.setParent(None)
        self._rows = 0

    def add_row(self, row: QWidget) -> None:
        """Put a row at the end, with a hairline towards the row before."""
        if self._rows:
            self._column.addWidget(separator())
        self._rows += 1
        self._column.addWidget(row)

    def add_stretch(self) -> None:
        """Keep the content at the top of a card that is higher."""
        self._column.addStretch(1)


class Figure(Card):
    """One number that matters: what it is, the number, and a line that explains it."""

    def __init__(self, label: str, value: str = "", secondary: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._label = plain_label(role="secondary")
        self._value = plain_label(role="figure")
        self._secondary = plain_label(role="muted")
        self._column.setSpacing(2)
        for part in (self._label, self._value, self._secondary):
            self.add(part)
        self.add_stretch()
        self.show_figure(label, value, secondary)

    def show_figure(self, label: str, value: str, secondary: str) -> None:
        """Show other words; assistive technology reads the three as one sentence."""
        self._label.setText(label)
        self._value.setText(value)
        self._secondary.setText(secondary)
        self._secondary.setVisible(bool(secondary))
        self.setAccessibleName(f"{label}: {value}")
        self.setAccessibleDescription(secondary)


class EmptyState(QWidget):
    """What stands where nothing is yet: what will be here, and one button that makes it happen.

    Signals: ``activated`` when the button is pressed.
    """

    activated = Signal()

    def __init__(self, icon: str, title: str, text: str, action: str = "", *, primary: bool = False) -> None:
        """``primary`` where nothing else on the page is to be done; the program's own icon is drawn larger."""
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(_EDGE, 32, _EDGE, 32)
        column.setSpacing(8)
        column.addStretch(1)
        column.addWidget(IconLabel(icon, "secondary", 56 if icon == "vxtray" else 32), 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(4)
        for words, role in ((title, "strong"), (text, "muted")):
            label = PlainLabel(words, "strong" if role == "strong" else "muted")
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
            column.addWidget(label)
        if action:
            press = Button(action, "primary" if primary else "plain")
            press.clicked.connect(self.activated)
            column.addSpacing(8)
            column.addWidget(press, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        self._column = column
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the lines short enough to be read."""
        super().resizeEvent(event)
        edge = max(_EDGE, (self.width() - theme().px(_LINE)) // 2)
        if edge != self._column.contentsMargins().left():
            self._column.setContentsMargins(edge, 32, edge, 32)

    def also(self, action: str) -> QPushButton:
        """Put another way beneath the button, and return it."""
        press = link_button(action)
        self._column.insertWidget(self._column.count() - 1, press, 0, Qt.AlignmentFlag.AlignHCenter)
        return press
