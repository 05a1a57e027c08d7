"""The fields of the mail server: what they show, and what is typed in them as settings. GUI thread only."""

from typing import Any

import msgspec
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLayout,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)

from vxtray.core.errors import N_, SettingsInvalid
from vxtray.core.settings import keys
from vxtray.core.settings.tree import USUAL_PORT, Auth, Security, Smtp
from vxtray.core.texts import _
from vxtray.gui.theme import theme
from vxtray.gui.widgets import ChoiceField, NumberField, button, plain_label

_SECURITIES = (
    (Security.STARTTLS, N_("STARTTLS: protect the connection (port 587)")),
    (Security.TLS, N_("TLS from the start (port 465)")),
    (Security.NONE, N_("None: others can read along (port 25)")),
)
_AUTHS = ((Auth.AUTO, N_("User name and password")), (Auth.NONE, N_("No sign-in")))

_REQUIRED = (
    ("smtp.host", N_("enter the name of the server")),
    ("smtp.from_address", N_("enter the address that mails come from")),
    ("smtp.recipients", N_("enter at least one address")),
)


class SmtpForm(QWidget):
    """Server, sign-in, sender and recipients.

    Signals: ``account_changed`` when another server or user is named; ``forget_wanted`` for the stored password.
    """

    account_changed = Signal()
    forget_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._base = Smtp()
        self._make_fields()
        self._lay_out()

    def _make_fields(self) -> None:
        self.host = self._line(_("Server"), "smtp.example.com")
        self.port = NumberField(1, 65535)
        self.port.setAccessibleName(_("Port"))
        self.security = self._choice(_("Encryption"), _SECURITIES)
        self.security.activated.connect(self._propose_port)
        self.auth = self._choice(_("Sign in with"), _AUTHS)
        self.auth.currentIndexChanged.connect(self._show_sign_in)
        self.username = self._line(_("User name"), "")
        self.password = self._line(_("Password"), "")
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.forget = button(_("Forget"))
        self.forget.setAccessibleName(_("Forget the stored password"))
        self.forget.clicked.connect(self.forget_wanted)
        self.forget.setAutoDefault(False)
        self.from_name = self._line(_("Sender's name"), _("Name (optional)"))
        self.from_address = self._line(_("Sender's address"), "alerts@example.com")
        self.recipients = QPlainTextEdit()
        self.recipients.setAccessibleName(_("Recipients"))
        self.recipients.setPlaceholderText(_("One or more addresses, separated by commas or new lines"))
        self.recipients.setTabChangesFocus(True)
        self.ca_file = self._line(_("Own CA certificate"), _("Only for a server with a certificate of your own"))
        for line in (self.host, self.username):
            line.editingFinished.connect(self.account_changed)

    def _line(self, name: str, placeholder: str) -> QLineEdit:
        line = QLineEdit()
        line.setAccessibleName(name)
        line.setPlaceholderText(placeholder)
        return line

    def _choice(self, name: str, choices: tuple[tuple[Any, str], ...]) -> ChoiceField:
        field = ChoiceField()
        field.setAccessibleName(name)
        for _value, text in choices:
            field.addItem(_(text))
        return field

    def _lay_out(self) -> None:
        px = theme().px
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(8)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        browse = button(_("Choose…"))
        browse.setAutoDefault(False)
        browse.clicked.connect(self.choose_ca_file)
        self.recipients.setFixedHeight(px(58))
        for label, field in (
            (_("Server"), _beside(self.host, self.port)),
            (_("Encryption"), self.security),
            (_("Sign in with"), self.auth),
            (_("User name"), self.username),
            (_("Password"), _beside(self.password, self.forget)),
            (_("From"), _beside(self.from_name, self.from_address, stretch=(2, 3))),
            (_("Recipients"), self.recipients),
            (_("Own CA"), _beside(self.ca_file, browse)),
        ):
            form.addRow(plain_label(label, "muted", wrap=False), field)

    def load(self, smtp: Smtp) -> None:
        """Show saved values; the password field is empty, which means: unchanged."""
        self._base = smtp
        self.host.setText(smtp.host)
        self.port.setValue(smtp.port)
        self.security.setCurrentIndex([value for value, _text in _SECURITIES].index(smtp.security))
        self.auth.setCurrentIndex(1 if smtp.auth is Auth.NONE else 0)
        self.username.setText(smtp.username)
        self.password.clear()
        self.from_name.setText(smtp.from_name)
        self.from_address.setText(smtp.from_address)
        self.recipients.setPlainText(", ".join(smtp.recipients))
        self.ca_file.setText(smtp.ca_file)
        self._show_sign_in()

    @Slot()
    def _show_sign_in(self) -> None:
        signs_in = self.auth_mode() is not Auth.NONE
        for field in (self.username, self.password, self.forget):
            field.setEnabled(signs_in)

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
            self.security.setCurrentIndex(
                [value for value, _text in _SECURITIES].index(Security(str(changes["security"])))
            )
        if "port" in changes:
            self.port.setValue(int(str(changes["port"])))
        for name in ("host", "username", "from_address", "ca_file"):
            if name in changes:
                getattr(self, name).setText(str(changes[name]))
        self.account_changed.emit()

    def auth_mode(self) -> Auth:
        """Return how to sign in; what the two entries cannot tell apart stays as it was saved."""
        chosen = _AUTHS[self.auth.currentIndex()][0]
        return self._base.auth if chosen is Auth.AUTO and self._base.auth is not Auth.NONE else chosen

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
        }

    def typed(self, *, checked: bool = True) -> Smtp:
        """Return what is typed as settings. Raises ``SettingsInvalid`` where ``checked`` and something is wrong."""
        values = self.values()
        converted = {key: keys.convert(key, value) if checked else value for key, value in values.items()}
        if checked:
            self._require(converted)
        fields = {key.removeprefix("smtp."): value for key, value in converted.items()}
        return msgspec.structs.replace(self._base, **fields)

    def _require(self, values: dict[str, object]) -> None:
        required = list(_REQUIRED)
        if self.password.text() and self.auth_mode() is not Auth.NONE:
            required.append(("smtp.username", N_("enter the user name that the password belongs to")))
        for key, text in required:
            if not values[key]:
                raise SettingsInvalid(N_("{field}: {allowed}."), "", key=key, field=key, value="", allowed=text)

    def field(self, key: str) -> QWidget:
        """Return the field of a key."""
        found: QWidget = getattr(self, key.removeprefix("smtp."))
        return found


def _beside(*fields: QWidget, stretch: tuple[int, ...] = (1, 0)) -> QLayout:
    row = QHBoxLayout()
    row.setSpacing(8)
    for field, share in zip(fields, stretch, strict=True):
        row.addWidget(field, share)
    return row
