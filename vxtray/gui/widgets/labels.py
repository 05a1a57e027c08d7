"""Labels for texts from a log, a server or a translator: plain, wrapped, never clipped. GUI thread only."""

import re
from typing import Literal

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

Role = Literal["body", "heading", "figure", "strong", "muted", "secondary", "trouble", "pill"]

#: A run without a space that is longer than this may be broken anywhere, so that it cannot widen the page.
_LONG_RUN = re.compile(r"\S{24,}")
_BREAK = "\u200b"


class PlainLabel(QLabel):
    """A label that wraps, keeps the height its text needs at its width, and never reads its text as markup."""

    def __init__(self, text: str = "", role: Role = "body", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", role)
        self.setWordWrap(True)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self._placed = False
        self.setText(text)

    def setText(self, text: str) -> None:
        """Show ``text``; long runs get invisible places to break, unless the text is there to be copied."""
        copied = self.textInteractionFlags() & Qt.TextInteractionFlag.TextSelectableByMouse
        super().setText(text if copied else _LONG_RUN.sub(_breakable, text))

    def text(self) -> str:
        """Return the text as it was given."""
        return super().text().replace(_BREAK, "")

    def minimumSizeHint(self) -> QSize:
        """Return the least width, and the height that the text needs at the present width.

        QLabel answers with the height of one line, which lets a tight layout cut the other lines off.
        """
        least = super().minimumSizeHint()
        if self.wordWrap() and self._placed:
            least.setHeight(max(self.heightForWidth(self.width()), 0))
        return least

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Ask the layout again when the width, and with it the height, has changed."""
        super().resizeEvent(event)
        if not self._placed or event.oldSize().width() != event.size().width():
            self._placed = True
            self.updateGeometry()

    def changeEvent(self, event: QEvent) -> None:
        """Measure again in another font."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.updateGeometry()


def plain_label(text: str = "", role: Role = "body", *, wrap: bool = True, selectable: bool = False) -> PlainLabel:
    """Return a label for a text that nothing is known about; ``selectable`` by mouse and keyboard, for copying."""
    label = PlainLabel("", role)
    label.setWordWrap(wrap)
    if selectable:
        label.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
    label.setText(text)
    return label


def _breakable(run: "re.Match[str]") -> str:
    text = run.group()
    return _BREAK.join(text[at : at + 12] for at in range(0, len(text), 12))
