"""The fields of the mail server: what they show, and what is typed in them as settings. GUI thread only."""

from typing import Any

import msgspec
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QFormLayout, QLineEdit, QPlainTextEdit, QWidget

from vxtray.core.errors import N_, SettingsInvalid
from vxtray.core.mail.oauth.endpoints import PROVIDERS as ENDPOINTS
from vxtray.core.settings import keys
from vxtray.core.settings.tree import USUAL_PORT, Auth, Security, Smtp
from vxtray.core.texts import _
from vxtray.gui.sign_in_fields import PROVIDERS, SignInFields, Snug, beside
from vxtray.gui.theme import theme
from vxtray.gui.widgets import ChoiceField, NumberField, button, label_for, plain_label

_SECURITIES = (
    (Security.STARTTLS, N_("STARTTLS: protect the connection (port 587)")),
    (Security.TLS, N_("TLS from the start (port 465)")),
    (Security.NONE, N_("None: others can read along (port 25)")),
)
#: The servers that belong to a provider.
KNOWN_SERVERS = {key: provider.servers[0] for key, provider in ENDPOINTS.items() if provider.servers}

#: The ways to sign in; a provider's name means signing in with it.
_PASSWORD, _NONE = "password", "none"
_WAYS = ((_PASSWORD, N_("User name and password")), *PROVIDERS, (_NONE, N_("No sign-in")))

_REQUIRED = (
    ("smtp.host", N_("enter the name of the server")),
    ("smtp.from_address", N_("enter the address that mails come from")),
    ("smtp.recipients", N_("enter at least one address")),
)


class SmtpForm(QWidget):
    """Server, sign-in, sender and recipients.

    Signals: ``account_changed`` when another server, user or way to sign in is named; ``way_chosen`` when a person
    chose another way to sign in.
    """

    account_changed = Signal()
    way_chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._base = Smtp()
        self.oauth = SignInFields(self)
        self._make_fields()
        self._lay_out()

    def _make_fields(self) -> None:
        self.host = self._line(_("Server"), "smtp.example.com")
        self.port = NumberField(1, 65535)
        self.port.setAccessibleName(_("Port"))
        self.security = self._choice(_("Encryption"), _SECURITIES)
        self.security.activated.connect(self._propose_port)
        self.auth = self._choice(_("Sign in with"), _WAYS)
        self.auth.currentIndexChanged.connect(self._show_sign_in)
        self.auth.activated.connect(self._choose)
        self.username = self._line(_("User name"), "")
        self.password = self._line(_("Password"), "")
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.forget = button(_("Forget"))
        self.forget.setAccessibleName(_("Forget the stored password"))
        self.from_name = self._line(_("Sender's name"), _("Name (optional)"))
        self.from_address = self._line(_("Sender's address"), "alerts@example.com")
        self.recipients = QPlainTextEdit()
        self.recipients.setAccessibleName(_("Recipients"))
        self.recipients.setPlaceholderText(_("One or more addresses, separated by commas or new lines"))
        self.recipients.setTabChangesFocus(True)
        self.ca_file = self._line(_("Own CA certificate"), _("Only for a server with a certificate of your own"))
        for line in (self.host, self.username):
            line.editingFinished.connect(self.account_changed)
        self.oauth.changed.connect(self.account_changed)

    def _line(self, name: str, placeholder: str) -> QLineEdit:
        line = QLineEdit()
        line.setAccessibleName(name)
        line.setPlaceholderText(placeholder)
        return line

    def _choice(self, name: str, choices: tuple[tuple[Any, str], ...]) -> ChoiceField:
        field = ChoiceField()
        field.setAccessibleName(name)
        for value, text in choices:
            field.addItem(_(text), value)
        return field

    def _lay_out(self) -> None:
        px = theme().px
        self.labels: list[QWidget] = []
        self._rows = QFormLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setHorizontalSpacing(16)
        self._rows.setVerticalSpacing(8)
        self._rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._rows.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        browse = button(_("Choose…"))
        browse.clicked.connect(self.choose_ca_file)
        self.recipients.setFixedHeight(px(58))
        self._password_row = beside(self.password, self.forget)
        self._add(_("Server"), beside(self.host, self.port))
        self._add(_("Encryption"), self.security)
        self._add(_("Sign in with"), self.auth)
        self._add(_("User name"), self.username)
        self._add(_("Password"), self._password_row)
        self._provider_rows = self.oauth.rows()
        for row in self._provider_rows:
            self._add(row.label, row.field)
        self._add(_("From"), beside(self.from_name, self.from_address, stretch=(2, 3)))
        self._shared = plain_label(role="secondary")
        self._shared_row = Snug(self._shared)
        self._rows.addRow("", self._shared_row)
        self._add(_("Recipients"), self.recipients)
        self._add(_("Own CA"), beside(self.ca_file, browse))
        for line in (self.username, self.from_address):
            line.textChanged.connect(self._show_shared)

    def _add(self, text: str, field: QWidget) -> None:
        label = label_for(field, text)
        self.labels.append(label)
        self._rows.addRow(label, field)

    def insert_sign_in(self, notice: QWidget, panel: QWidget) -> None:
        """Put what belongs to signing in among the rows: a notice beneath the way, a panel beneath its fields."""
        for widget, above in ((notice, self.auth), (panel, self._provider_rows[-1].field)):
            self._rows.insertRow(self._row_of(above) + 1, "", widget)

    def _row_of(self, field: QWidget) -> int:
        rows = range(self._rows.rowCount())
        return next(row for row in rows if self._field_at(row) is field)

    def _field_at(self, row: int) -> QWidget | None:
        item = self._rows.itemAt(row, QFormLayout.ItemRole.FieldRole)
        return item.widget() if item is not None else None

    def show_row(self, field: QWidget, *, shown: bool) -> None:
        """Show or hide the row of a field."""
        self._rows.setRowVisible(field, shown)

    def load(self, smtp: Smtp) -> None:
        """Show saved values; the password field is empty, which means: unchanged."""
        self._base = smtp
        self.host.setText(smtp.host)
        self.port.setValue(smtp.port)
        self.security.setCurrentIndex(self.security.findData(smtp.security))
        self.oauth.load(smtp.oauth)
        self.choose_way(_way_of(smtp))
        self.username.setText(smtp.username)
        self.password.clear()
        self.from_name.setText(smtp.from_name)
        self.from_address.setText(smtp.from_address)
        self.recipients.setPlainText(", ".join(smtp.recipients))
        self.ca_file.setText(smtp.ca_file)
        self._show_sign_in()

    # --- how to sign in ----------------------------------------------------------------------------------------------

    def provider(self) -> str:
        """Return the provider to sign in with, "" where that is not the way."""
        way = self._way()
        return way if way not in (_PASSWORD, _NONE) else ""

    def _way(self) -> str:
        return str(self.auth.currentData())

    def choose_way(self, way: str) -> None:
        """Show a way to sign in: ``password``, ``none``, or a provider as in ``smtp.oauth.provider``."""
        self.auth.setCurrentIndex(self.auth.findData(way))

    def switch_to(self, provider: str) -> None:
        """Choose a provider for the person, with the server that belongs to it."""
        self.choose_way(provider)
        self._choose()

    @Slot()
    def _choose(self) -> None:
        if provider := self.provider():
            self._take_server(provider)
            if not self.username.text():
                self.username.setText(self.from_address.text().strip())
        self.account_changed.emit()
        self.way_chosen.emit()

    def _take_server(self, provider: str) -> None:
        """Put in the provider's server, unless one stands there that is nobody's we know."""
        servers = KNOWN_SERVERS
        typed = self.host.text().strip().lower().removesuffix(".")
        if provider in servers and (not typed or typed in {server.host for server in servers.values()}):
            server = servers[provider]
            self.host.setText(server.host)
            self.port.setValue(server.port)
            self.security.setCurrentIndex(self.security.findData(server.security))

    @Slot()
    def _show_sign_in(self) -> None:
        provider, signs_in = self.provider(), self._way() != _NONE
        self.username.setEnabled(signs_in)
        self.username.setPlaceholderText(_("The account that signs in") if provider else "")
        for field in (self.password, self.forget):
            field.setEnabled(signs_in)
        self._rows.setRowVisible(self._password_row, not provider)
        for row in self._provider_rows:
            self._rows.setRowVisible(row.field, provider in row.providers)
        self._show_shared()

    @Slot()
    def _show_shared(self) -> None:
        """Say what a sender needs that is not the account itself."""
        account, sender = (line.text().strip() for line in (self.username, self.from_address))
        shared = bool(self.provider() and account and sender and account.casefold() != sender.casefold())
        if shared:
            self._shared.setText(
                _("Another mailbox than the account, such as a shared one. The account needs the right to send as it.")
            )
        self._rows.setRowVisible(self._shared_row, shared)

    def _propose_port(self, index: int) -> None:
        if self.port.value() in USUAL_PORT.values():
            self.port.setValue(USUAL_PORT[_SECURITIES[index][0]])

    @Slot()
    def choose_ca_file(self) -> bool:
        """Let a person choose the CA file; return True where one was chosen."""
        name, _kind = QFileDialog.getOpenFileName(
            self, _("Own CA certificate"), self.ca_file.text(), _("Certificates (*.pem *.crt *.cer)")
        )
        if name:
            self.ca_file.setText(name)
        return bool(name)

    def fill(self, changes: dict[str, object]) -> None:
        """Type values for a person: settings below ``smtp.`` by name."""
        if "security" in changes:
            self.security.setCurrentIndex(self.security.findData(Security(str(changes["security"]))))
        if "port" in changes:
            self.port.setValue(int(str(changes["port"])))
        for name in ("host", "username", "from_address", "ca_file"):
            if name in changes:
                getattr(self, name).setText(str(changes[name]))
        self.account_changed.emit()

    def auth_mode(self) -> Auth:
        """Return how to sign in; whether a password is wanted by all means stays as it was saved."""
        if self.provider():
            return Auth.OAUTH
        if self._way() == _NONE:
            return Auth.NONE
        return Auth.PASSWORD if self._base.auth is Auth.PASSWORD else Auth.AUTO

    def values(self) -> dict[str, object]:
        """Return what is typed by dotted key, unchecked."""
        return {
            "smtp.host": self.host.text().strip(),
            "smtp.port": self.port.value(),
            "smtp.security": _SECURITIES[self.security.currentIndex()][0],
            "smtp.auth": self.auth_mode(),
            "smtp.username": self.username.text().strip(),
            "smtp.from_name": self.from_name.text().strip(),
            "smtp.from_address": self.from_address.text().strip(),
            "smtp.recipients": keys.split_list(self.recipients.toPlainText()),
            "smtp.ca_file": self.ca_file.text().strip(),
            **(self.oauth.values(self.provider()) if self.provider() else {}),
        }

    def typed(self, *, checked: bool = True) -> Smtp:
        """Return what is typed as settings. Raises ``SettingsInvalid`` where ``checked`` and something is wrong."""
        values = self.values()
        converted = {key: keys.convert(key, value) if checked else value for key, value in values.items()}
        if checked:
            self._require(converted)
        mine: dict[str, Any] = {}
        oauth: dict[str, Any] = {}
        for key, value in converted.items():
            section, _dot, name = key.removeprefix("smtp.").rpartition(".")
            (oauth if section else mine)[name] = value
        return msgspec.structs.replace(self._base, **mine, oauth=msgspec.structs.replace(self._base.oauth, **oauth))

    def _require(self, values: dict[str, object]) -> None:
        required = list(_REQUIRED)
        if self.password.text() and self.auth_mode() in {Auth.AUTO, Auth.PASSWORD}:
            required.append(("smtp.username", N_("enter the user name that the password belongs to")))
        for key, text in required:
            if not values[key]:
                raise SettingsInvalid(N_("{field}: {allowed}."), "", key=key, field=key, value="", allowed=text)

    def secret_field(self) -> QLineEdit:
        """Return the field of the secret that is in use."""
        return self.oauth.client_secret if self.provider() else self.password

    def field(self, key: str) -> QWidget:
        """Return the field of a key."""
        section, _dot, name = key.removeprefix("smtp.").rpartition(".")
        found: QWidget = getattr(self.oauth if section and name != "provider" else self, name)
        return found


def _way_of(smtp: Smtp) -> str:
    """Return what the list shows for saved settings; a provider that was never named is told by its server."""
    if smtp.auth is Auth.NONE:
        return _NONE
    if smtp.auth is not Auth.OAUTH:
        return _PASSWORD
    by_host = {server.host: provider for provider, server in KNOWN_SERVERS.items()}
    return smtp.oauth.provider or by_host.get(smtp.host.lower(), "custom")
