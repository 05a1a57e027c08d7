"""Settings found for an address appear in the form, and nothing is saved by that."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox

from tests.gui.support.smtp import fill, settled
from tests.gui.support.world import World
from tests.peers.mailbox import Mailbox
from tests.peers.nameserver import NameServer
from vxtray.core.settings.tree import Security
from vxtray.gui.smtp_dialog import SmtpDialog

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

ADDRESS = "reports@firma.invalid"


@pytest.fixture
def dialog(world: World, qtbot) -> SmtpDialog:
    made = SmtpDialog(world.context)
    qtbot.addWidget(made)
    return made


def shown(dialog: SmtpDialog) -> str:
    return "\n".join(label.text() for label in dialog.finder.results.findChildren(QLabel))


def test_what_is_found_and_works_is_typed_for_the_person(
    world: World, dialog: SmtpDialog, nameserver: NameServer, smtp_catcher: Mailbox, qtbot
) -> None:
    nameserver.records = {"_submission._tcp.firma.invalid SRV": [f"0 1 {smtp_catcher.port} localhost."]}
    world.model.update({"smtp.ca_file": str(smtp_catcher.ca_file)})
    dialog.open()
    assert not dialog.finder.search.isEnabled()
    qtbot.keyClicks(dialog.finder.address, ADDRESS)
    with qtbot.waitSignal(dialog.finder.found, timeout=15_000):
        qtbot.mouseClick(dialog.finder.search, Qt.MouseButton.LeftButton)
    form = dialog.form
    assert (form.host.text(), form.port.value()) == ("localhost", smtp_catcher.port)
    assert (form.username.text(), form.from_address.text()) == (ADDRESS, ADDRESS)
    assert form.values()["smtp.security"] is Security.STARTTLS
    assert "the SRV record _submission._tcp.firma.invalid" in shown(dialog)
    assert world.saved("smtp.host") == ""


def test_nothing_found_says_what_to_do(dialog: SmtpDialog, nameserver: NameServer, qtbot) -> None:
    dialog.open()
    qtbot.keyClicks(dialog.finder.address, ADDRESS)
    with qtbot.waitSignal(dialog.finder.found, timeout=15_000):
        qtbot.keyClick(dialog.finder.address, Qt.Key.Key_Return)
    assert "Nothing was found for firma.invalid." in shown(dialog)
    assert "by hand" in shown(dialog)
    assert dialog.isVisible()


def test_a_search_that_was_left_says_nothing_later(
    world: World, dialog: SmtpDialog, nameserver: NameServer, qtbot
) -> None:
    dialog.open()
    qtbot.keyClicks(dialog.finder.address, ADDRESS)
    qtbot.mouseClick(dialog.finder.search, Qt.MouseButton.LeftButton)
    dialog.reject()
    dialog.open()
    done: list[bool] = []
    for _ in range(2):
        world.bridge.run(lambda: True, done.append, lambda _error: None, owner=world.bridge)
    qtbot.waitUntil(lambda: len(done) == 2, timeout=15_000)
    assert dialog.finder.results.isHidden()
    assert dialog.form.host.text() == ""


def _answer(text: str) -> None:
    """Press a button of the question, once it is there."""

    def press() -> None:
        box = QApplication.activeModalWidget()
        if not isinstance(box, QMessageBox):
            QTimer.singleShot(20, press)
            return
        next(button for button in box.buttons() if button.text() == text).click()

    QTimer.singleShot(0, press)


def test_a_certificate_that_a_person_trusts_is_kept_and_works(
    world: World, dialog: SmtpDialog, smtp_catcher: Mailbox, qtbot
) -> None:
    dialog.open()
    fill(dialog.form, smtp_catcher)
    dialog.form.ca_file.clear()
    dialog.test.click()
    qtbot.waitUntil(lambda: settled(dialog), timeout=10_000)
    assert "Trust this certificate…" in [button.text() for button in dialog.doctor.findChildren(type(dialog.test))]
    trust = next(b for b in dialog.doctor.findChildren(type(dialog.test)) if b.text() == "Trust this certificate…")
    _answer("Cancel")
    trust.click()
    assert dialog.form.ca_file.text() == ""
    _answer("It is the right one: trust it")
    trust.click()
    qtbot.waitUntil(lambda: settled(dialog), timeout=10_000)
    kept = Path(dialog.form.ca_file.text())
    assert kept.parent == world.context.profile.config / "certificates"
    assert kept.read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert "✗" not in dialog.doctor.text()
    assert world.saved("smtp.ca_file") == ""
