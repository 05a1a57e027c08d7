"""A server's refusal is explained in the window and by the tray, with the server's words beside it."""

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QSystemTrayIcon

from tests.core.mail.wire import Inbox, aiosmtpd
from tests.gui.support.smtp import settled
from tests.gui.support.world import World
from vxtray.core.notices import MailSettled
from vxtray.gui.actions import Actions
from vxtray.gui.smtp_dialog import SmtpDialog
from vxtray.gui.tray import Tray

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

UNKNOWN = "550 5.1.1 <gone@example.com>: Recipient address rejected: User unknown"
MEANING = "The mail server does not know this recipient. Check how the address is written."


@pytest.fixture
def choosy() -> Iterator[Inbox]:
    """A server that does not know one of the recipients."""
    with aiosmtpd(Inbox(refuse={"gone@example.com": UNKNOWN})) as inbox:
        yield inbox


def test_the_test_mail_says_why_one_was_refused(world: World, choosy: Inbox, qtbot) -> None:
    world.model.update({"smtp.security": "none", "smtp.auth": "none", "smtp.from_address": "alerts@example.com"})
    dialog = SmtpDialog(world.context)
    qtbot.addWidget(dialog)
    dialog.open()
    dialog.form.host.setText("127.0.0.1")
    dialog.form.port.setValue(choosy.port)
    dialog.form.recipients.setPlainText("boss@example.com; gone@example.com")
    dialog.send_test.click()
    qtbot.waitUntil(lambda: settled(dialog), timeout=10_000)
    said = dialog.doctor.text()
    assert "The server took the mail, but not for gone@example.com." in said
    assert MEANING in said
    assert f"Server's words: {UNKNOWN}" in said
    assert "✗" in said


def test_the_tray_says_why_a_mail_was_given_up(world: World, qtbot, monkeypatch: pytest.MonkeyPatch) -> None:
    tray = Tray(world.context, Actions(world.context))
    shown: list[str] = []
    icon = QSystemTrayIcon(tray)
    monkeypatch.setattr(icon, "showMessage", lambda _title, text, _kind: shown.append(text))
    monkeypatch.setattr(tray.panel, "_icon", icon)  # there is no panel off screen
    world.bridge.post(
        MailSettled(at=world.engine.clock(), id=1, kind="alert", subject="An alert", state="failed", reply=UNKNOWN)
    )
    qtbot.waitUntil(lambda: bool(shown))
    assert shown == [MEANING]
    tray.hide()
    tray.deleteLater()
