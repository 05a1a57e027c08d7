"""The decision to trust one certificate that no known authority vouches for. GUI thread only."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from vxtray.core.mail.certificates import Shown
from vxtray.core.texts import _
from vxtray.gui.icons import pixmap
from vxtray.gui.theme import theme


def asks_to_trust(host: str, certificate: Shown, parent: QWidget) -> bool:
    """Show the certificate and return whether the person trusts it; the safe answer is the one that Enter gives."""
    box = QMessageBox(parent)
    box.setObjectName("trust-certificate")
    box.setTextFormat(Qt.TextFormat.PlainText)  # a server's words
    box.setIcon(QMessageBox.Icon.Warning)  # what a screen reader says; what is seen is of the program's own set
    box.setIconPixmap(pixmap("warning", theme().colour("warning").name(), theme().px(40), parent.devicePixelRatioF()))
    box.setWindowTitle(_("Trust this certificate?"))
    box.setText(_("Is this really the certificate of {host}?", host=host))
    pairs = "\n".join(_grouped(certificate.sha256))
    box.setInformativeText(
        "\n\n".join(
            (
                _(
                    "Compare the fingerprint with the one that the server's administrator gives you. If they differ,"
                    " somebody is listening in, and would get your password."
                ),
                _("For: {names}", names=", ".join(certificate.names) or certificate.subject),
                _("Issued by: {issuer}", issuer=certificate.issuer or "–"),
                _("Valid from {since} to {until}", since=certificate.since, until=certificate.until),
                "SHA-256\n" + pairs,
            )
        )
    )
    trust = box.addButton(_("It is the right one: trust it"), QMessageBox.ButtonRole.DestructiveRole)
    cancel = box.addButton(_("Cancel"), QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(cancel)
    box.setEscapeButton(cancel)
    box.exec()
    return box.clickedButton() is trust


def _grouped(fingerprint: str) -> list[str]:
    """Return a fingerprint as people compare it: pairs, sixteen a line."""
    pairs = [fingerprint[at : at + 2].upper() for at in range(0, len(fingerprint), 2)]
    return [":".join(pairs[at : at + 16]) for at in range(0, len(pairs), 16)]
