"""The test e-mail of page and tray, and what a test has shown: nothing that happens beside it hides them."""

from collections.abc import Iterator

import pytest

from tests.core.mail.hostile import Hostile, hang, hostile, script
from tests.gui.support.smtp import SAVED
from tests.gui.support.world import World, no_room
from tests.peers.mailbox import Mailbox
from vxtray.gui.actions import Actions
from vxtray.gui.pages.mail_server import MailServerPage

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")


@pytest.mark.expected_log(r"WARNING vxtray\.core\.\w+: outbox: ")
def test_a_full_disk_does_not_hide_that_the_test_mail_was_taken(world: World, smtp_catcher: Mailbox, qtbot) -> None:
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
    world.keep_password(smtp_catcher.user, smtp_catcher.host, smtp_catcher.password)
    actions = Actions(world.context)
    told: list[tuple[str, bool]] = []
    actions.told.connect(lambda text, good: told.append((text, good)))
    with no_room():
        actions.send_test.trigger()
        qtbot.waitUntil(lambda: bool(told))
    assert told == [("The server took the test e-mail for boss@example.com.", True)]
    assert [trouble.what for trouble in world.engine.troubles()] == ["outbox"]
    assert len(smtp_catcher.mails) == 1


# --- what the page has found out -------------------------------------------------------------------------------------


@pytest.fixture
def silent_server() -> Iterator[Hostile]:
    with hostile(script(EHLO=hang)) as server:
        yield server


@pytest.mark.parametrize(("key", "value", "stays"), [("desktop.notifications", False, True), ("smtp.port", 26, False)])
def test_only_another_server_takes_a_test_away(
    world: World, silent_server: Hostile, qtbot, key: str, value: object, stays: bool
) -> None:
    server = {"smtp.host": "127.0.0.1", "smtp.port": silent_server.port, "smtp.security": "none", "smtp.auth": "none"}
    world.model.update(SAVED | server | {"smtp.ca_file": ""})
    page = MailServerPage(world.context, Actions(world.context))
    qtbot.addWidget(page)
    page._test.click()
    qtbot.waitUntil(lambda: "Greeting" in page.doctor.text())
    world.model.update({key: value})
    assert page.doctor.isHidden() is not stays
    assert page._test.isEnabled() is not stays
