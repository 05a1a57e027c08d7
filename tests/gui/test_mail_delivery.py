"""The page of the mail server says whether mails leave, why not, and tries again when asked."""

import pytest
from PySide6.QtCore import QPoint, Qt

from tests.gui.support.smtp import SAVED
from tests.gui.support.world import World
from tests.gui.test_history_page import mail
from tests.peers.mailbox import Mailbox
from vxtray.core.errors import StoreError
from vxtray.core.mail.faults import AuthError, Kind
from vxtray.core.mail.faults import Stage as Step
from vxtray.gui.main_window import MainWindow
from vxtray.gui.widgets import Button, PlainLabel

pytestmark = [
    pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)"),
    pytest.mark.expected_log(r"WARNING vxtray\.core\.\w+: "),
]

REFUSED = AuthError(step=Step.AUTH, kind=Kind.ACCOUNT, reply="535 5.7.8 Error: authentication failed")


def words_of(window: MainWindow) -> list[str]:
    return [label.text() for label in window.mail_server.delivery.findChildren(PlainLabel)]


def test_nothing_is_told_before_there_is_a_server(open_window) -> None:
    window = open_window("mail_server")
    assert not window.mail_server.delivery.isVisible()
    assert not window.mail_server.trouble.isVisible()


def test_why_no_mail_leaves_is_told_with_what_helps_until_it_is_over(world: World, open_window, qtbot) -> None:
    world.model.update(SAVED)
    window = open_window("mail_server")
    page = window.mail_server
    assert not page.trouble.isVisible()
    world.engine.set_trouble("mail", REFUSED)
    qtbot.waitUntil(page.trouble.isVisible)
    assert "Mail has not worked since" in page.trouble.text()
    assert "refused the sign-in" in page.trouble.text()
    world.engine.set_trouble("mail", None)
    qtbot.waitUntil(lambda: not page.trouble.isVisible())


def test_what_is_not_about_mail_is_told_elsewhere(world: World, open_window) -> None:
    world.model.update(SAVED)
    world.engine.set_trouble("store", StoreError(path="/data", reason="it is broken"))
    window = open_window("mail_server")
    assert not window.mail_server.trouble.isVisible()


def test_a_mail_that_waits_is_counted_and_leaves_when_tried_again(
    world: World, open_window, smtp_catcher: Mailbox, qtbot
) -> None:
    world.model.update(
        {
            "smtp.host": smtp_catcher.host,
            "smtp.port": smtp_catcher.port,
            "smtp.username": smtp_catcher.user,
            "smtp.from_address": "alerts@example.com",
            "smtp.recipients": ("boss@example.com",),
            "smtp.ca_file": str(smtp_catcher.ca_file),
        }
    )
    world.keep_password(smtp_catcher.user, smtp_catcher.host, "an old one")
    world.start()
    window = open_window("mail_server")
    page = window.mail_server
    qtbot.waitUntil(lambda: {"Nothing was accepted yet.", "Nothing waits."} <= set(words_of(window)))
    world.engine.outbox.add(mail(1), world.engine.clock())
    world.engine.mail_mended()
    qtbot.waitUntil(page.trouble.isVisible, timeout=20_000)
    qtbot.waitUntil(lambda: any(text.startswith("1 mail") for text in words_of(window)), timeout=20_000)
    assert not smtp_catcher.mails
    world.keep_password(smtp_catcher.user, smtp_catcher.host, smtp_catcher.password)
    qtbot.mouseClick(page.trouble.findChild(Button), Qt.MouseButton.LeftButton)
    smtp_catcher.wait(1)
    qtbot.waitUntil(lambda: not page.trouble.isVisible(), timeout=20_000)
    qtbot.waitUntil(lambda: "Nothing waits." in words_of(window), timeout=20_000)
    page.refresh()
    qtbot.waitUntil(lambda: "Nothing was accepted yet." not in words_of(window), timeout=20_000)


def test_the_address_to_search_for_begins_where_the_fields_below_do(world: World, open_window, qtbot) -> None:
    dialog = open_window("mail_server").mail_server.dialog
    with qtbot.waitExposed(dialog):
        dialog.edit()
    left = [field.mapTo(dialog, QPoint(0, 0)).x() for field in (dialog.finder.address, dialog.form.host)]
    assert left[0] == left[1]
