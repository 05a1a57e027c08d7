"""What the tests of the mail server's dialog share: saved values, and how to type a server into the form."""

from tests.peers.mailbox import Mailbox
from vxtray.gui.smtp_dialog import SmtpDialog
from vxtray.gui.smtp_form import SmtpForm

SAVED = {
    "smtp.host": "smtp.example.com",
    "smtp.port": 2525,
    "smtp.security": "tls",
    "smtp.username": "user@example.com",
    "smtp.from_address": "alerts@example.com",
    "smtp.from_name": "Security reports",
    "smtp.recipients": ("boss@example.com", "soc@example.com"),
    "smtp.ca_file": "/etc/ssl/own.pem",
}


def shown(form: SmtpForm) -> dict[str, object]:
    """Return what the form shows, by the keys of ``SAVED``."""
    return {key: value for key, value in form.values().items() if key in SAVED}


def fill(form: SmtpForm, box: Mailbox, recipients: str = "boss@example.com") -> None:
    """Type what leads to the mail server of the test."""
    form.host.setText(box.host)
    form.port.setValue(box.port)
    form.security.setCurrentIndex(0)
    form.choose_way("password")
    form.username.setText(box.user)
    form.password.setText(box.password)
    form.from_address.setText("alerts@example.com")
    form.recipients.setPlainText(recipients)
    form.ca_file.setText(str(box.ca_file))


def settled(dialog: SmtpDialog) -> bool:
    """Tell whether a test or a save has come to its end."""
    return dialog.send_test.isEnabled()
