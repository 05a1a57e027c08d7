"""Edit the syslog receiver; saved in one step, with the reason beside the field where something is wrong.

GUI thread only.
"""

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from vxtray.core.errors import N_, SettingsInvalid, VxtrayError
from vxtray.core.settings import keys
from vxtray.core.settings.tree import Syslog
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.guide.window import help_key
from vxtray.gui.source_words import hears_itself_only, sophos_facts, sophos_hint
from vxtray.gui.theme import theme
from vxtray.gui.trouble import field_words
from vxtray.gui.widgets import Card, Facts, NumberField, button, label_for, mark, plain_label, primary_button


class SyslogDialog(QDialog):
    """Address, ports, certificate and senders of the receiver. Saving switches it on."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.setWindowTitle(_("Syslog receiver"))
        self._make_fields()
        self.trouble = plain_label(role="trouble")
        self._facts = Facts()
        self.cancel = button(_("Cancel"))
        self.save = primary_button(_("Save"))
        self.save.setDefault(True)
        self.cancel.clicked.connect(self.reject)
        self.save.clicked.connect(self._save)
        self._lay_out()
        help_key(self, "sophos")

    def _make_fields(self) -> None:
        self.address = self._line(_("Address"), "127.0.0.1")
        self.port = NumberField(0, 65535)
        self.port.setAccessibleName(_("Port for UDP and TCP"))
        self.tls_port = NumberField(0, 65535)
        self.tls_port.setAccessibleName(_("Port for TLS"))
        self.tls_port.setSpecialValueText(_("none"))
        self.cert_file = self._line(_("Certificate"), _("Only for TLS: PEM file"))
        self.key_file = self._line(_("Key"), _("Only for TLS: PEM file without a password"))
        self.client_ca_file = self._line(_("CA of the senders"), _("Optional: only senders with its certificate"))
        self.allow = QPlainTextEdit()
        self.allow.setAccessibleName(_("Allowed senders"))
        self.allow.setPlaceholderText(_("Addresses or networks, one a line, such as 192.0.2.1 or 192.0.2.0/24"))
        self.allow.setTabChangesFocus(True)
        for changed in (self.address.textChanged, self.port.valueChanged, self.tls_port.valueChanged):
            changed.connect(self._typed)

    def _line(self, name: str, placeholder: str) -> QLineEdit:
        line = QLineEdit()
        line.setAccessibleName(name)
        line.setPlaceholderText(placeholder)
        return line

    def _lay_out(self) -> None:
        px = theme().px
        self.allow.setFixedHeight(px(72))
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(8)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        for label, field in (
            (_("Address"), self.address),
            (_("Port"), self.port),
            (_("Allowed senders"), self.allow),
            ("", self.trouble),
            (_("TLS port"), self.tls_port),
            (_("Certificate"), self._with_chooser(self.cert_file)),
            (_("Key"), self._with_chooser(self.key_file)),
            (_("CA of the senders"), self._with_chooser(self.client_ca_file)),
        ):
            form.addRow(label_for(field, label), field)
        self.trouble.hide()
        help_card = Card(_("What to enter in a Sophos firewall"))
        self._sophos_hint = plain_label(role="muted")
        help_card.add(self._sophos_hint)
        help_card.add(self._facts)
        inner = QWidget()
        inner.setObjectName("column")
        column = QVBoxLayout(inner)
        column.setContentsMargins(20, 20, 20, 8)
        column.setSpacing(12)
        hint = _("127.0.0.1 hears this machine only. 0.0.0.0 hears the network; then name who may send.")
        column.addWidget(plain_label(hint, "muted"))
        column.addLayout(form)
        column.addWidget(help_card)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(inner)
        foot = QHBoxLayout()
        foot.setContentsMargins(20, 8, 20, 16)
        foot.setSpacing(10)
        foot.addStretch(1)
        for one in (self.cancel, self.save):
            foot.addWidget(one)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(scroll, 1)
        whole.addLayout(foot)
        self.setMinimumWidth(px(540))
        self.resize(px(620), px(680))

    def _with_chooser(self, line: QLineEdit) -> QWidget:
        browse = button(_("Choose…"))
        browse.setAccessibleName(_("Choose: {name}", name=line.accessibleName()))
        browse.clicked.connect(lambda: self._choose(line))
        ground = QWidget()
        row = QHBoxLayout(ground)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(line, 1)
        row.addWidget(browse)
        return ground

    def _choose(self, line: QLineEdit) -> None:
        kinds = _("Certificates (*.pem *.crt *.cer *.key)") + ";;" + _("All files (*)")
        name, _kind = QFileDialog.getOpenFileName(self, line.accessibleName(), line.text(), kinds)
        if name:
            line.setText(name)

    # --- opening and saving ------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Load the saved values, except when the window system only brings the dialog back."""
        if not event.spontaneous():
            self.load(self._context.model.current.sources.syslog)
        super().showEvent(event)

    def load(self, syslog: Syslog) -> None:
        """Show these values."""
        self.address.setText(syslog.address)
        self.port.setValue(syslog.port)
        self.tls_port.setValue(syslog.tls_port)
        for name in ("cert_file", "key_file", "client_ca_file"):
            getattr(self, name).setText(getattr(syslog, name))
        self.allow.setPlainText("\n".join(syslog.allow))
        self._complain(None)
        self._typed()
        self.address.setFocus()

    @Slot()
    def _typed(self) -> None:
        """Keep what is to be entered in the firewall in step with what is typed here."""
        address = self.address.text().strip() or Syslog().address
        syslog = Syslog(address=address, port=self.port.value(), tls_port=self.tls_port.value())
        self._facts.show_facts(sophos_facts(syslog))
        self._sophos_hint.setText(sophos_hint(syslog))

    def values(self) -> dict[str, object]:
        """Return what is typed by dotted key, unchecked."""
        return {
            "sources.syslog.address": self.address.text().strip() or Syslog().address,
            "sources.syslog.port": self.port.value(),
            "sources.syslog.allow": keys.split_list(self.allow.toPlainText()),
            "sources.syslog.tls_port": self.tls_port.value(),
            "sources.syslog.cert_file": self.cert_file.text().strip(),
            "sources.syslog.key_file": self.key_file.text().strip(),
            "sources.syslog.client_ca_file": self.client_ca_file.text().strip(),
        }

    @Slot()
    def _save(self) -> None:
        values = self.values()
        try:
            for key, value in values.items():
                keys.convert(key, value)
            _require(values)
            self._context.model.update(values | {"sources.syslog.enabled": True})
        except VxtrayError as error:
            self._complain(error)
            return
        self.accept()

    def _complain(self, error: VxtrayError | None) -> None:
        """Say what is wrong, and lead to the field."""
        wrong = str(error.values.get("key", "")).removeprefix("sources.syslog.") if error else ""
        for name in ("address", "allow", "cert_file", "key_file"):
            mark(getattr(self, name), wrong=name == wrong)
        self.trouble.setText("" if error is None else field_words(error))
        self.trouble.setVisible(error is not None)
        if wrong:
            getattr(self, wrong).setFocus()


def _require(values: dict[str, object]) -> None:
    """Raise ``SettingsInvalid`` where the receiver would refuse to begin."""
    address = str(values["sources.syslog.address"])
    if not values["sources.syslog.allow"] and not hears_itself_only(address):
        raise SettingsInvalid(
            N_("On {address} everybody in the network could send lines."),
            N_("First name those who may send, or listen on 127.0.0.1."),
            key="sources.syslog.allow",
            address=address,
        )
    if values["sources.syslog.tls_port"] and not values["sources.syslog.cert_file"]:
        raise SettingsInvalid(
            N_("TLS needs a certificate."),
            N_("Choose the file of this machine's certificate, or set no TLS port."),
            key="sources.syslog.cert_file",
        )
