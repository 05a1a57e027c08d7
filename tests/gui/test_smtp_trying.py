"""The mail server's dialog tries what is typed, against a real mail server, and a save works at once."""

import pytest
from PySide6.QtCore import Qt

from tests.gui.support.smtp import SAVED, fill, settled
from tests.gui.support.world import World
from tests.peers.mailbox import Mailbox
from vxtray.core.reports.period import Cadence
from vxtray.gui.smtp_dialog import SmtpDialog

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")


@pytest.fixture
def dialog(world: World, qtbot) -> SmtpDialog:
    made = SmtpDialog(world.context)
    qtbot.addWidget(made)
    return made


def test_test_connection_uses_what_is_typed(world: World, dialog: SmtpDialog, smtp_catcher: Mailbox, qtbot) -> None:
    world.model.update(SAVED)
    dialog.open()
    fill(dialog.form, smtp_catcher)
    qtbot.mouseClick(dialog.test, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: settled(dialog), timeout=10_000)
    assert dialog.doctor.isVisible()
    assert dialog.doctor.text().count("✓") == 8
    assert "✗" not in dialog.doctor.text()
    assert f"Signed in as {smtp_catcher.user}" in dialog.doctor.text()
    assert smtp_catcher.mails == []
    assert world.saved("smtp.host") == "smtp.example.com"
    assert dialog.isVisible()


def test_send_test_uses_what_is_typed_and_saves_nothing(
    world: World, dialog: SmtpDialog, smtp_catcher: Mailbox, qtbot
) -> None:
    world.model.update(SAVED)
    dialog.open()
    fill(dialog.form, smtp_catcher, "one@example.com; two@example.com")
    qtbot.mouseClick(dialog.send_test, Qt.MouseButton.LeftButton)
    (mail,) = smtp_catcher.wait(1)
    assert mail.recipients == ("one@example.com", "two@example.com")
    assert mail.sender == "alerts@example.com"
    qtbot.waitUntil(lambda: settled(dialog))
    assert "took the mail for one@example.com, two@example.com" in dialog.doctor.text()
    assert world.saved("smtp.host") == "smtp.example.com"
    assert world.saved("smtp.recipients") == SAVED["smtp.recipients"]
    assert world.password(smtp_catcher.user, smtp_catcher.host) is None


def test_an_empty_password_field_means_the_stored_one(
    world: World, dialog: SmtpDialog, smtp_catcher: Mailbox, qtbot
) -> None:
    world.keep_password(smtp_catcher.user, smtp_catcher.host, smtp_catcher.password)
    dialog.open()
    fill(dialog.form, smtp_catcher)
    dialog.form.password.clear()
    dialog.send_test.click()
    smtp_catcher.wait(1)
    qtbot.waitUntil(lambda: settled(dialog))


@pytest.mark.parametrize("press", ["test", "send_test"])
def test_a_wrong_password_is_said_in_a_sentence(
    world: World, dialog: SmtpDialog, smtp_catcher: Mailbox, qtbot, press: str
) -> None:
    dialog.open()
    fill(dialog.form, smtp_catcher)
    dialog.form.password.setText("not the password")
    getattr(dialog, press).click()
    qtbot.waitUntil(lambda: settled(dialog), timeout=10_000)
    assert "✗" in dialog.doctor.text()
    assert "password" in dialog.doctor.text()
    assert "Server's words: 535" in dialog.doctor.text()
    assert "not the password" not in dialog.doctor.text()
    assert smtp_catcher.mails == []


def test_no_server_there_is_said(
    world: World, dialog: SmtpDialog, smtp_catcher: Mailbox, free_port: int, qtbot
) -> None:
    dialog.open()
    fill(dialog.form, smtp_catcher)
    dialog.form.port.setValue(free_port)
    dialog.test.click()
    qtbot.waitUntil(lambda: settled(dialog), timeout=10_000)
    assert "✗ · Connect" in dialog.doctor.text()


def test_a_test_can_be_stopped_and_begun_again(world: World, dialog: SmtpDialog, smtp_catcher: Mailbox, qtbot) -> None:
    dialog.open()
    fill(dialog.form, smtp_catcher)
    dialog.test.click()
    assert dialog.test.text() == "Stop the test"
    dialog.test.click()
    assert settled(dialog)
    dialog.test.click()
    qtbot.waitUntil(lambda: settled(dialog), timeout=10_000)
    assert dialog.doctor.text().count("✓") == 8


def test_the_answer_to_an_earlier_opening_does_not_show_in_the_next(
    world: World, dialog: SmtpDialog, smtp_catcher: Mailbox, qtbot
) -> None:
    dialog.open()
    fill(dialog.form, smtp_catcher)
    dialog.send_test.click()
    dialog.reject()
    dialog.open()
    smtp_catcher.wait(1)
    qtbot.wait(100)
    assert not dialog.doctor.isVisible()


def test_save_works_at_once_without_a_restart(
    world: World, dialog: SmtpDialog, smtp_catcher: Mailbox, free_port: int, qtbot, expected_log
) -> None:
    expected_log(r"WARNING vxtray\.core\.\w+: mail:")
    world.start()
    unreachable = {"smtp.host": "127.0.0.1", "smtp.port": free_port, "smtp.auth": "none"}
    world.model.update(SAVED | unreachable | {"smtp.security": "none", "smtp.ca_file": ""})
    world.engine.send_report(Cadence.DAILY)
    qtbot.waitUntil(lambda: bool(world.engine.troubles()), timeout=10_000)
    dialog.open()
    fill(dialog.form, smtp_catcher, "new@example.com")
    with qtbot.waitSignal(dialog.accepted):
        dialog.save.click()
    world.engine.send_report(Cadence.WEEKLY)
    qtbot.waitUntil(lambda: len(smtp_catcher.mails) == 2, timeout=10_000)
    assert ("new@example.com",) in [mail.recipients for mail in smtp_catcher.mails]
    qtbot.waitUntil(lambda: not world.engine.troubles())
