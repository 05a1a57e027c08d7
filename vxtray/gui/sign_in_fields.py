"""The fields of the organisation's own app registration, for the rows of the mail server's form. GUI thread only."""

import re
from typing import NamedTuple

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from vxtray.core.errors import N_
from vxtray.core.settings.tree import OAuth
from vxtray.core.texts import _
from vxtray.gui.widgets import Tiles, button, link_button

#: Providers by their names in ``smtp.oauth.provider``, as the list names them.
PROVIDERS = (
    ("microsoft", N_("Microsoft 365 (work or school)")),
    ("outlook", N_("Outlook.com (personal)")),
    ("google", N_("Google (Gmail, Workspace)")),
    ("custom", N_("Another provider (OAuth 2.0)")),
)

_ALL = frozenset(name for name, _title in PROVIDERS)
_OWN = frozenset({"custom"})
_BETWEEN_SCOPES = re.compile(r"[\s,;]+")


class Row(NamedTuple):
    """One row of the form: its label, its field, and the providers that it is shown for."""

    label: str
    field: QWidget
    providers: frozenset[str]


class SignInFields(QObject):
    """Client ID, tenant and secret, and the addresses of a provider that is not known.

    Signals: ``guide_wanted`` for how to register an app; ``changed`` when another registration is named.
    """

    guide_wanted = Signal()
    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lines: list[QLineEdit] = []
        self.client_id = self._line(_("Client ID"), _("Of the app that your organisation registered"))
        self.guide = link_button(_("How to get one…"))
        self.guide.setAccessibleName(_("How to get a client ID"))
        self.guide.clicked.connect(self.guide_wanted)
        self.tenant = self._line(_("Tenant"), _("contoso.onmicrosoft.com, or its ID (optional)"))
        self.client_secret = self._line(_("Client secret"), "")
        self.client_secret.setEchoMode(QLineEdit.EchoMode.Password)
        self.forget_secret = button(_("Forget"))
        self.forget_secret.setAccessibleName(_("Forget the stored client secret"))
        self.authorize_url = self._line(_("Sign-in address"), "https://login.example.com/authorize")
        self.token_url = self._line(_("Token address"), "https://login.example.com/token")
        self.device_url = self._line(_("Device code address"), _("Only for a computer without a browser"))
        self.scopes = self._line(_("Scopes"), _("What the provider asks for, such as smtp.send offline_access"))
        for line in self._lines:
            line.editingFinished.connect(self.changed)

    def _line(self, name: str, placeholder: str) -> QLineEdit:
        line = QLineEdit()
        line.setAccessibleName(name)
        line.setPlaceholderText(placeholder)
        self._lines.append(line)
        return line

    def rows(self) -> list[Row]:
        """Return the rows in the order of the form."""
        return [
            Row(_("Client ID"), beside(self.client_id, self.guide), _ALL),
            Row(_("Tenant"), self.tenant, frozenset({"microsoft"})),
            Row(_("Client secret"), beside(self.client_secret, self.forget_secret), _ALL),
            Row(_("Sign-in address"), self.authorize_url, _OWN),
            Row(_("Token address"), self.token_url, _OWN),
            Row(_("Device code"), self.device_url, _OWN),
            Row(_("Scopes"), self.scopes, _OWN),
        ]

    def load(self, oauth: OAuth) -> None:
        """Show saved values; the secret's field is empty, which means: unchanged."""
        for name in ("client_id", "tenant", "authorize_url", "token_url", "device_url"):
            getattr(self, name).setText(getattr(oauth, name))
        self.scopes.setText(" ".join(oauth.scopes))
        for line in self._lines:
            line.setCursorPosition(0)
        self.client_secret.clear()

    def values(self, provider: str) -> dict[str, object]:
        """Return what is typed by dotted key, unchecked."""
        names = ("client_id", "tenant", "authorize_url", "token_url", "device_url")
        return {
            "smtp.oauth.provider": provider,
            **{f"smtp.oauth.{name}": getattr(self, name).text().strip() for name in names},
            "smtp.oauth.scopes": tuple(filter(None, _BETWEEN_SCOPES.split(self.scopes.text()))),
        }


class Snug(Tiles):
    """Has the very height that its content needs at the width it gets.

    A form layout otherwise keeps the heights of before when the content changes and the form as a whole does not.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__((content,), least=100)
        policy = self.sizePolicy()
        policy.setHeightForWidth(False)
        self.setSizePolicy(policy)

    def hasHeightForWidth(self) -> bool:
        """Say that the height is settled here."""
        return False

    def _place(self) -> None:
        self.setFixedHeight(self.heightForWidth(self.width()))
        super()._place()


def beside(*fields: QWidget, stretch: tuple[int, ...] = (1, 0)) -> QWidget:
    """Return fields side by side, as one field of a form."""
    whole = QWidget()
    row = QHBoxLayout(whole)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(8)
    for field, share in zip(fields, stretch, strict=True):
        row.addWidget(field, share)
    return whole
