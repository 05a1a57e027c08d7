"""Labels for texts from a log, a server or a translator: plain, wrapped, never clipped. GUI thread only."""

import re
from typing import Literal

from PySide6.QtCore import QCoreApplication, QEvent, QSize, Qt
from PySide6.QtGui import QAction, QClipboard, QGuiApplication, QKeyEvent, QKeySequence, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

Role = Literal["body", "heading", "figure", "strong", "muted", "secondary", "trouble", "pill"]

#: A run without a space that is longer than this may be broken anywhere, so that it cannot widen the page.
_LONG = 24
_LONG_RUN = re.compile(rf"\S{{{_LONG},}}")
_BREAK = "\u200b"
#: Where a path, an address or a query is best broken, and where else; words of both languages that never are.
_BEST, _ELSE = re.compile(r"(?<=[/\\@?&=:;,])"), re.compile(r"(?<=[._-])")
_WHOLE = re.compile(r"\be-(?=mail)", re.IGNORECASE)
_JOINER = "\u2060"
_UNSEEN = str.maketrans("", "", _BREAK + _JOINER)


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
        self._room = self._given = ""
        self.setText(text)

    def setText(self, text: str) -> None:
        """Show ``text``; long runs get invisible places to break, which no copy and no screen reader takes along."""
        if text == self._given:
            return
        self._given = text
        shown = _WHOLE.sub(rf"\g<0>{_JOINER}", _LONG_RUN.sub(_breakable, text))
        super().setText(shown)
        if shown != text or self.accessibleName():
            self.setAccessibleName(text if shown != text else "")

    def keep_room(self, text: str) -> None:
        """Never be lower than ``text`` would be, so that nothing beneath moves when it comes late or changes."""
        self._room = text
        self.setAlignment(Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignTop)
        self.updateGeometry()

    def heightForWidth(self, width: int) -> int:
        """Return the height of the text at a width, both in px."""
        tall = super().heightForWidth(width)
        if not self._room or tall < 0:
            return tall
        kept = self.fontMetrics().boundingRect(0, 0, width, 10_000, int(Qt.TextFlag.TextWordWrap), self._room)
        return max(tall, kept.height())

    def text(self) -> str:
        """Return the text as it was given."""
        return super().text().translate(_UNSEEN)

    def selectedText(self) -> str:
        """Return what is selected, as it was given."""
        return super().selectedText().translate(_UNSEEN)

    def setSelection(self, start: int, length: int) -> None:
        """Select ``length`` characters of the text as it was given."""
        shown = super().text()
        places = [at for at, character in enumerate(shown) if ord(character) not in _UNSEEN] + [len(shown)]
        super().setSelection(places[start], places[start + length] - places[start])

    def allow_selection(self) -> None:
        """Let mouse and keyboard select the text; Ctrl+C, the menu and X11's middle click paste it as it was given."""
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        # Qt's own menu and its own words, but with our copy
        words_of_qt = QCoreApplication.translate  # by another name, or our catalogue would want French for it
        copy = QAction(words_of_qt("QWidgetTextControl", "&Copy"), self)
        copy.triggered.connect(self._copy)
        self.addAction(copy)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy without the places to break."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self._copy()
        else:
            super().keyPressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Hand X11 its primary selection without the places to break."""
        super().mouseReleaseEvent(event)
        clipboard = QGuiApplication.clipboard()
        if self.hasSelectedText() and clipboard.supportsSelection():
            clipboard.setText(self.selectedText(), QClipboard.Mode.Selection)

    def _copy(self) -> None:
        if self.hasSelectedText():
            QGuiApplication.clipboard().setText(self.selectedText())

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
        label.allow_selection()
    label.setText(text)
    return label


def _breakable(run: "re.Match[str]") -> str:
    """Return a long run with places to break: between its parts, and anywhere within what is still long."""
    parts = [
        part for whole in _BEST.split(run.group()) for part in (_ELSE.split(whole) if len(whole) > _LONG else [whole])
    ]
    return _BREAK.join(_BREAK.join(_pieces(part)) for part in parts)


def _pieces(part: str) -> list[str]:
    return [part[at : at + 12] for at in range(0, len(part), 12)] if len(part) > _LONG else [part]
