"""How to register the organisation's own app with a provider, step by step. GUI thread only."""

from collections.abc import Callable

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.mail.admin_note import note_to_register, registration_steps
from vxtray.core.mail.oauth.endpoints import PROVIDERS, REDIRECT_URI_TO_REGISTER
from vxtray.core.settings.tree import Smtp
from vxtray.core.texts import _
from vxtray.gui.guide.window import help_key
from vxtray.gui.sign_in_fields import Snug, beside
from vxtray.gui.theme import theme
from vxtray.gui.widgets import Banner, Beside, Button, Card, FlowRow, Kind, button, plain_label, scrolled


class RegistrationGuide(QDialog):
    """The steps, what is to be copied into the provider's pages, and a note for the person who may do it."""

    def __init__(self, provider: str, smtp: Smtp, parent: QWidget | None = None) -> None:
        """``provider`` is a key of ``PROVIDERS``; ``smtp`` is what is typed until now."""
        super().__init__(parent)
        self.setObjectName("registration-guide")
        self._provider, self._smtp = PROVIDERS[provider], smtp
        self.setWindowTitle(_("How to get a client ID"))
        self.setModal(False)
        help_key(self, "microsoft-google")
        inner = QWidget()
        inner.setObjectName("column")
        column = QVBoxLayout(inner)
        column.setContentsMargins(20, 20, 20, 8)
        column.setSpacing(12)
        column.addWidget(plain_label(_("Register vxtray with {provider}", provider=_(self._provider.title)), "heading"))
        column.addWidget(
            plain_label(
                _(
                    "vxtray signs in as an app of your own organisation. An administrator registers it once, in about"
                    " five minutes; what comes of it is the client ID."
                ),
                "muted",
            )
        )
        column.addWidget(Snug(self._steps()))
        column.addWidget(Snug(self._to_copy()))
        for notice in self._notices():
            column.addWidget(Snug(notice))
        column.addStretch(1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(scrolled(inner, self.windowTitle()), 1)
        whole.addLayout(self._buttons())
        px = theme().px
        self.setMinimumWidth(px(420))
        self.resize(px(680), px(640))

    def _steps(self) -> Card:
        card = Card(_("Step by step"))
        for number, step in enumerate(registration_steps(self._provider.key, self._smtp, texts.current()), 1):
            line = QWidget()
            row = QGridLayout(line)
            row.setContentsMargins(0, 0, 0, 0)
            row.setHorizontalSpacing(10)
            row.setColumnStretch(1, 1)
            mark = plain_label(f"{number}.", "strong", wrap=False)
            mark.setFixedWidth(theme().px(20))
            row.addWidget(mark, 0, 0, Qt.AlignmentFlag.AlignTop)
            row.addWidget(plain_label(step, selectable=True), 0, 1)
            card.add(line)
        return card

    def _to_copy(self) -> Card:
        card = Card(_("To copy into the registration"))
        self.redirect = _read_only(_("Redirect URI"), REDIRECT_URI_TO_REGISTER)
        scopes = self._smtp.oauth.scopes or self._provider.scopes
        self.scopes = _read_only(_("Scopes"), " ".join(scopes))
        self.copy_redirect = _copier(_("Copy"), self.redirect.text)
        self.copy_redirect.setAccessibleName(_("Copy the redirect URI"))
        self.copy_scopes = _copier(_("Copy"), self.scopes.text)
        self.copy_scopes.setAccessibleName(_("Copy the scopes"))
        rows = QGridLayout()
        rows.setHorizontalSpacing(16)
        rows.setVerticalSpacing(8)
        rows.setColumnStretch(1, 1)
        shown = [(_("Redirect URI"), self.redirect, self.copy_redirect)]
        shown += [(_("Scopes"), self.scopes, self.copy_scopes)] if scopes else []
        for at, (label, field, copy) in enumerate(shown):
            rows.addWidget(plain_label(label, "muted", wrap=False), at, 0)
            rows.addWidget(beside(field, copy), at, 1)
        card.add(rows)
        return card

    def _notices(self) -> list[Banner]:
        found = [
            Banner(
                Kind.INFO,
                _(
                    "Only ever use a client ID of your own organisation. Another product's may be switched off by its"
                    " owner at any time, and your people would consent to the wrong program."
                ),
            )
        ]
        if self._provider.key == "google":
            trap = _(
                "Google ends every sign-in after 7 days for as long as the app is “External” and in testing. “Internal”"
                " (Google Workspace) has no such end, and needs no review."
            )
            found.insert(0, Banner(Kind.WARNING, trap))
        return found

    def _buttons(self) -> QHBoxLayout:
        self.note = _copier(_("Copy the note for your administrator"), self._note)
        self.site = button(_("Open the provider's page"))
        self.site.setVisible(bool(self._provider.registration_url))
        self.site.clicked.connect(lambda: QDesktopServices.openUrl(QUrl(self._provider.registration_url)))
        self.close_button = button(_("Close"))
        self.close_button.clicked.connect(self.accept)
        line = QHBoxLayout()
        line.setContentsMargins(20, 8, 20, 16)
        line.addWidget(Beside(FlowRow(self.site, self.note, gap=10), self.close_button), 1)
        return line

    def _note(self) -> str:
        return note_to_register(self._provider.key, self._smtp, texts.current())


def _read_only(name: str, text: str) -> QLineEdit:
    line = QLineEdit(text)
    line.setReadOnly(True)
    line.setCursorPosition(0)
    line.setAccessibleName(name)
    return line


def _copier(text: str, content: Callable[[], str]) -> Button:
    def copy() -> None:
        QGuiApplication.clipboard().setText(content())
        made.setText(_("✓ Copied"))

    made = button(text)
    made.clicked.connect(copy)
    return made
