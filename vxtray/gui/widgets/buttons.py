"""Push buttons: one primary a page, quiet ones, and links. GUI thread only."""

from typing import Literal

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QMenu, QPushButton, QSizePolicy, QWidget

from vxtray.gui.keyboard import came_by_keyboard
from vxtray.gui.theme import theme

Look = Literal["primary", "plain", "link"]


class Button(QPushButton):
    """A push button with a focus ring that shows on every ground, for people who use the keyboard."""

    def __init__(self, text: str, look: Look = "plain", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("look", look)
        self.setText(text)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor if look == "link" else Qt.CursorShape.ArrowCursor)
        self.setAutoDefault(False)
        self._ring = False

    def set_look(self, look: Look) -> None:
        """Become the page's primary button, or an ordinary one again."""
        if look != self.property("look"):
            self.setProperty("look", look)
            self.style().unpolish(self)
            self.style().polish(self)

    def setMenu(self, menu: QMenu) -> None:
        """Open ``menu`` on click, and make room for the arrow that says so."""
        self.setProperty("opensMenu", True)
        super().setMenu(menu)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Note how the focus came."""
        self._ring = came_by_keyboard(event.reason(), self._ring)
        super().focusInEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Press by Enter as well as by Space, as dialogs' default buttons do."""
        self._ring = True
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not self.isDefault():
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the ring inside the button, in the colour of its text."""
        super().paintEvent(event)
        if not (self._ring and self.hasFocus()):
            return
        look = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(look.colour("on_accent" if self.property("look") == "primary" else "accent"), 1.5))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(2.75, 2.75, -2.75, -2.75), 3.5, 3.5)
        painter.end()


def primary_button(text: str) -> Button:
    """Return the button for the one thing a page is for; at most one a page."""
    return Button(text, "primary")


def button(text: str) -> Button:
    """Return an ordinary button."""
    return Button(text)


def link_button(text: str) -> Button:
    """Return a button that looks like a link, for small actions beside a text."""
    return Button(text, "link")
