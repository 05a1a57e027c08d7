"""A mail as it was sent, to read and to save. GUI thread only; it is taken apart and written on ``vx-task``.

The HTML quotes what logs said. It comes without anything that loads (``core.mail.opened``), and the view itself answers
every request for a resource: with the mail's own pictures, else with an empty one, so that Qt never looks elsewhere.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from PySide6.QtCore import QByteArray, Qt, QUrl
from PySide6.QtGui import QColor, QFontDatabase, QImage, QPalette, QResizeEvent, QTextDocument
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QTabWidget,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from vxtray.core.errors import FileNotWritten
from vxtray.core.mail.opened import OpenedMail
from vxtray.core.mail.outbox import Entry
from vxtray.core.mail.plaintext import one_line
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.theme import theme
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Facts, button, plain_label, primary_button

#: Mails are written for light paper.
_PAPER, _INK = "#ffffff", "#1b2430"

_LARGEST_PICTURE = 4000
_MARGIN = 20
_WIDEST = 640


class Paper(QTextBrowser):
    """Shows harmless HTML with the pictures that it brings, and nothing else; no link leads anywhere."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images: dict[str, bytes] = {}
        self.setOpenLinks(False)
        self.setOpenExternalLinks(False)
        self.setStyleSheet(f"QTextBrowser {{ background: {_PAPER}; color: {_INK}; }}")
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Base, QColor(_PAPER))
        palette.setColor(QPalette.ColorRole.Text, QColor(_INK))
        self.setPalette(palette)
        self.document().setDocumentMargin(_MARGIN)

    def show_page(self, page: str, images: dict[str, bytes]) -> None:
        """Show a page with the pictures it may ask for, by content id."""
        self._images = images
        self.setHtml(page)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the page as wide as mails are, in the middle."""
        spare = max(0, self.width() - self.verticalScrollBar().sizeHint().width() - _WIDEST) // 2
        self.setViewportMargins(spare, 0, spare, 0)
        super().resizeEvent(event)

    def loadResource(self, kind: int, name: QUrl | str) -> Any:
        """Return a picture of the mail; for all else something empty, since Qt would open a file for no answer."""
        url = QUrl(name)
        if kind != QTextDocument.ResourceType.ImageResource.value:
            return QByteArray()
        found = QImage()
        if url.scheme() == "cid" and (data := self._images.get(url.path())):
            found = QImage.fromData(data)
        if found.isNull() or max(found.width(), found.height()) > _LARGEST_PICTURE:
            found = QImage(1, 1, QImage.Format.Format_ARGB32)
            found.fill(Qt.GlobalColor.transparent)
        return found


class MailTabs(QTabWidget):
    """A mail's HTML, its text and its source, beside each other; what a mail has not is left out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.html, self.text, self.source = Paper(), _plain(_("Text")), _plain(_("Source"))
        self.html.setAccessibleName(_("The mail"))
        self.setAccessibleName(_("The mail"))
        self.setDocumentMode(True)
        for view, name in ((self.html, _("HTML")), (self.text, _("Text")), (self.source, _("Source"))):
            self.addTab(view, name)
        self._unread: dict[QWidget, Callable[[], None]] = {}
        self.currentChanged.connect(lambda _index: self._read())

    def show_mail(self, opened: OpenedMail) -> None:
        """Show a mail; the chosen tab stays where it can. Each tab is filled when it is looked at."""
        self._unread = {
            self.html: lambda: self.html.show_page(opened.html, opened.images),
            self.text: lambda: self.text.setPlainText(opened.text),
            self.source: lambda: self.source.setPlainText(opened.source),
        }
        self.setTabVisible(0, bool(opened.html))
        self.setTabVisible(2, bool(opened.source))
        self._read()

    def _read(self) -> None:
        if (fill := self._unread.pop(self.currentWidget(), None)) is not None:
            fill()


class MailContent(NamedTuple):
    """The bytes as they were sent, and the same taken apart."""

    data: bytes
    opened: OpenedMail


class MailView(QDialog):
    """The mail: its text, its HTML, its source."""

    def __init__(
        self, context: Context, mail: Entry, people: Iterable[str], content: MailContent, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._context = context
        self._mail = mail
        self._data = content.data
        opened = content.opened
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setModal(False)
        self.setWindowTitle(one_line(mail.subject, 200))
        self.tabs = MailTabs()
        self.html, self.text, self.source = self.tabs.html, self.tabs.text, self.tabs.source
        self.tabs.show_mail(opened)
        self.said = plain_label(role="muted")
        self.save_button, close = button(_("Save as .eml…")), primary_button(_("Close"))
        self.save_button.clicked.connect(self._choose_file)
        close.clicked.connect(self.accept)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(10)
        column.addWidget(plain_label(one_line(mail.subject, 300), "strong", selectable=True))
        column.addWidget(Facts(_head_of(opened, mail, people)))
        column.addWidget(self.tabs, 1)
        if opened.cut:
            self.said.setText(_("The source is long; “Save as .eml” writes all of it."))
        row = QHBoxLayout()
        row.addWidget(self.said, 1)
        row.addWidget(self.save_button)
        row.addWidget(close)
        column.addLayout(row)
        px = theme().px
        self.resize(px(760), px(680))
        (self.html if opened.html else self.text).setFocus()

    def _choose_file(self) -> None:
        kind = _("Mails")
        name, _kind = QFileDialog.getSaveFileName(
            self, _("Save the mail"), f"vxtray-mail-{self._mail.id}.eml", f"{kind} (*.eml)"
        )
        if name:
            path = Path(name)
            self.save_to(path if path.suffix else path.with_suffix(".eml"))

    def save_to(self, path: Path) -> None:
        """Write the mail to a file, byte by byte as it was sent."""
        data = self._data

        def work() -> None:
            try:
                path.write_bytes(data)
            except OSError as error:
                raise FileNotWritten(path=path, reason=error.strerror or str(error)) from error

        self._context.bridge.run(
            work,
            lambda _none: self.said.setText(_("Saved as {name}.", name=path.name)),
            lambda error: self.said.setText(words(error)),
            owner=self,
        )


def _plain(name: str) -> QPlainTextEdit:
    field = QPlainTextEdit()
    field.setReadOnly(True)
    field.setAccessibleName(name)
    field.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
    field.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    field.setTabChangesFocus(True)
    return field


def _head_of(opened: OpenedMail, mail: Entry, people: Iterable[str]) -> list[tuple[str, str]]:
    attached = ", ".join(f"{name} ({-(-size // 1024)} KiB)" for name, size in opened.attachments)
    known = (
        (_("From"), one_line(mail.mail_from)),
        (_("Recipients"), one_line(", ".join(people), 300)),
        (_("Attachments"), attached),
    )
    return [(name, value) for name, value in known if value]
