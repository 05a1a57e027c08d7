"""The sign-in with Microsoft or Google within the first step: the app registration, then the browser.

GUI thread only; keyring and provider are asked on other threads.
"""

from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from vxtray.core.mail.oauth.endpoints import PROVIDERS
from vxtray.core.settings.tree import Auth, Smtp
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.registration_guide import RegistrationGuide
from vxtray.gui.sign_in import SignInPanel
from vxtray.gui.sign_in import Step as Stage
from vxtray.gui.sign_in_fields import SignInFields
from vxtray.gui.smtp_saving import Kept, kept_sign_in
from vxtray.gui.widgets import mark, plain_label

if TYPE_CHECKING:
    from vxtray.core.mail.oauth.flow import Granted

_SERVERS = {server.host: key for key, provider in PROVIDERS.items() for server in provider.servers}


def provider_at(host: str) -> str:
    """Return the provider that signs in at a mail server, as in ``smtp.oauth.provider``; "" for any other server."""
    return _SERVERS.get(host.lower().removesuffix("."), "")


class BrowserSignIn(QWidget):
    """The fields of the registration, and the panel.

    Signals: ``granted`` once a person signed in; ``changed`` when what is typed was.
    """

    granted = Signal()
    changed = Signal()

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._base = Smtp()
        self._provider = ""
        self._guide: RegistrationGuide | None = None
        self.fields = SignInFields(self)
        self.fields.client_secret.setPlaceholderText(_("Only where the provider gave one"))
        self.fields.guide_wanted.connect(self._open_guide)
        self.fields.changed.connect(self._typed)
        self.panel = SignInPanel(context, self.settings, typed_secret=self.fields.client_secret.text)
        self.panel.granted.connect(self._granted)
        self.panel.failed.connect(self._failed)
        self._note = plain_label(
            _("vxtray signs in as an app of your own organisation. Its administrator registers it once."), "muted"
        )
        self._rows = self.fields.rows()
        self._labels = [plain_label(row.label, "muted", wrap=False) for row in self._rows]
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        for at, (label, row) in enumerate(zip(self._labels, self._rows, strict=True)):
            label.setBuddy(row.field)
            grid.addWidget(label, at, 0)
            grid.addWidget(row.field, at, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(self._note)
        column.addLayout(grid)
        column.addWidget(self.panel)
        self.fields.forget_secret.hide()  # the dialog of the mail server has it

    def load(self, smtp: Smtp) -> None:
        """Begin with these settings; those of a server that has no such sign-in leave it as it was."""
        self._base = smtp
        self._provider = provider_at(smtp.host) or smtp.oauth.provider
        self.fields.load(smtp.oauth)
        for label, row in zip(self._labels, self._rows, strict=True):
            for part in (label, row.field):
                part.setVisible(self._provider in row.providers)
        mark(self.fields.client_id, wrong=False)
        self.panel.refresh()

    def start(self) -> None:
        """Open the browser, unless one is waited for already."""
        if self.panel.step in {Stage.IDLE, Stage.FAILED, Stage.DONE}:
            self.panel.start()

    def stop(self) -> None:
        """Wait for no browser any more, and forget what was granted and typed."""
        self.panel.stop()
        self.fields.client_secret.clear()
        if self._guide is not None:
            self._guide.close()

    def settings(self) -> Smtp:
        """Return the settings with what is typed, unchecked."""
        values = {key.rpartition(".")[2]: value for key, value in self.fields.values(self._provider).items()}
        return msgspec.structs.replace(
            self._base,
            auth=Auth.OAUTH,
            username=self._base.username or self._base.from_address,
            oauth=msgspec.structs.replace(self._base.oauth, **values),
        )

    def signed_in(self) -> bool:
        """Return whether somebody signed in with these settings, now or before."""
        smtp = self.settings()
        if self.panel.grant_for(smtp) is not None:
            return True
        return self._context.service.tokens.health(smtp).state in ("ok", "renewing", "unreachable")

    def first_field(self) -> QWidget:
        """Return what is asked next: the client ID, else the button."""
        return self.panel.sign_in if self.fields.client_id.text().strip() else self.fields.client_id

    def secrets(self, smtp: Smtp) -> list[Kept]:
        """Return what is to be kept with these settings: the client secret before the sign-in that needs it."""
        return kept_sign_in(self._context, smtp, self.fields.client_secret.text(), self.panel.grant_for(smtp))

    # --- the panel's -------------------------------------------------------------------------------------------------

    @Slot()
    def _typed(self) -> None:
        mark(self.fields.client_id, wrong=False)
        self.panel.refresh()
        self.changed.emit()

    @Slot()
    def _failed(self) -> None:
        if not self.fields.client_id.text().strip():
            mark(self.fields.client_id, wrong=True)
            self.fields.client_id.setFocus()

    @Slot(object, object)
    def _granted(self, smtp: Smtp, _granted: "Granted") -> None:
        self._base = msgspec.structs.replace(self._base, username=smtp.username)
        self.granted.emit()

    @Slot()
    def _open_guide(self) -> None:
        self._guide = RegistrationGuide(self._provider, self.settings(), self.window())
        self._guide.open()
