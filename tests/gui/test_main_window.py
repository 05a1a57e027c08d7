"""The frame around the pages: closing, the keyboard, where words go, and what leads where."""

from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPlainTextEdit

from tests.gui.support.smtp import SAVED
from tests.gui.support.world import World
from tests.peers.mailbox import Mailbox
from vxtray.core.errors import StoreError
from vxtray.core.notices import MailSettled
from vxtray.core.reports.period import Cadence
from vxtray.gui.actions import Actions
from vxtray.gui.widgets import Button, PlainLabel, Toggle

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

CONTROL = Qt.KeyboardModifier.ControlModifier


def press(page, text: str) -> Button:
    (found,) = [one for one in page.findChildren(Button) if one.text() == text and one.isVisibleTo(page)]
    return found


def test_closing_with_a_tray_only_hides(world: World, open_window) -> None:
    window = open_window(in_tray=True)
    window.close()
    assert not window.isVisible()
    assert world.quits == 0
    window.raise_window()
    assert window.isVisible()


def test_closing_without_a_tray_quits(world: World, open_window) -> None:
    window = open_window()
    window.close()
    assert world.quits == 1


def test_a_minimised_window_comes_back(world: World, open_window, qtbot) -> None:
    window = open_window()
    window.showMinimized()
    qtbot.waitUntil(window.isMinimized)
    window.raise_window()
    qtbot.waitUntil(lambda: not window.isMinimized())
    assert window.isVisible()


def test_pages_by_keyboard(world: World, open_window, qtbot) -> None:
    window = open_window()
    reached = []
    for number in range(9, 0, -1):
        qtbot.keyClick(window, Qt.Key(Qt.Key.Key_0 + number), CONTROL)
        assert window.pages[window.sidebar.current()].isVisible()
        reached.append(window.sidebar.current())
    pages = ["overview", "alerts", "reports", "events", "sources", "mail_server", "history", "settings", "help"]
    assert reached == pages[::-1]
    qtbot.keyClick(window, Qt.Key.Key_F1)
    assert window.help.isVisible()
    assert not window.overview.isVisible()


def test_f5_takes_over_what_changed_on_the_disk(world: World, open_window, qtbot) -> None:
    window = open_window("alerts")
    world.change_outside(alerts__new_ban=True)
    world.profile.log_file.parent.mkdir(parents=True)
    world.profile.log_file.write_text("a line of the log\n")
    assert not window.findChild(Toggle, "alerts.new_ban").isChecked()
    qtbot.keyClick(window, Qt.Key.Key_F5)
    assert window.findChild(Toggle, "alerts.new_ban").isChecked()
    window.go_to("help")
    world.profile.log_file.write_text("a newer line\n")
    qtbot.keyClick(window, Qt.Key.Key_F5)
    assert "a newer line" in window.help.findChild(QPlainTextEdit).toPlainText()


def test_ctrl_q_quits_and_ctrl_w_closes(world: World, open_window, qtbot) -> None:
    window = open_window(in_tray=True)
    qtbot.keyClick(window, Qt.Key.Key_W, CONTROL)
    assert not window.isVisible()
    assert world.quits == 0
    window.raise_window()
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(window, Qt.Key.Key_Q, CONTROL)
    assert world.quits == 1


def test_set_up_leads_to_the_dialog_and_esc_back(world: World, open_window, qtbot) -> None:
    window = open_window()
    qtbot.mouseClick(press(window.overview, "Only the mail server"), Qt.MouseButton.LeftButton)
    dialog = window.mail_server.dialog
    assert window.sidebar.current() == "mail_server"
    assert dialog.isVisible()
    assert dialog.isModal()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert window.isVisible()
    qtbot.mouseClick(press(window.mail_server, "Set up the mail server"), Qt.MouseButton.LeftButton)
    assert dialog.isVisible()


def test_what_was_saved_in_the_dialog_shows_on_the_page(world: World, open_window, qtbot) -> None:
    window = open_window("mail_server")
    window.mail_server.dialog.edit()
    form = window.mail_server.dialog.form
    form.host.setText("smtp.example.com")
    form.from_address.setText("alerts@example.com")
    form.recipients.setPlainText("boss@example.com")
    qtbot.mouseClick(window.mail_server.dialog.save, Qt.MouseButton.LeftButton)

    def labels() -> list[str]:
        return [label.text() for label in window.mail_server.findChildren(PlainLabel) if label.isVisible()]

    qtbot.waitUntil(lambda: "smtp.example.com, port 587" in labels())
    assert "boss@example.com" in labels()
    window.go_to("overview")
    qtbot.waitUntil(lambda: window.overview.heading.title() == "Set up, but not tried yet")


def test_words_go_to_the_page_that_is_seen_and_faults_stay(world: World, open_window, qtbot) -> None:
    window = open_window("overview")
    window.go_to("mail_server")
    world.model.update(SAVED)
    window._tell("Queued: a report", True)
    assert window.mail_server.note() == "Queued: a report"
    window._tell("The mail server is not set up yet. " * 8, False)
    assert window.mail_server.warning().startswith("The mail server")
    assert window.overview.warning() == ""
    qtbot.wait(2500)
    assert window.mail_server.note() == ""
    assert window.mail_server.warning() != ""
    window.go_to("overview")
    window.go_to("mail_server")
    assert window.mail_server.warning() == ""


def test_send_test_from_the_page_and_the_state_in_words(
    world: World, open_window, smtp_catcher: Mailbox, qtbot
) -> None:
    window = open_window("mail_server")
    box = smtp_catcher
    world.keep_password(box.user, box.host, box.password)
    world.model.update(
        {
            "smtp.host": box.host,
            "smtp.port": box.port,
            "smtp.username": box.user,
            "smtp.from_address": "alerts@example.com",
            "smtp.recipients": ("boss@example.com",),
            "smtp.ca_file": str(box.ca_file),
        }
    )
    qtbot.mouseClick(press(window.mail_server, "Send test e-mail"), Qt.MouseButton.LeftButton)
    (mail,) = box.wait(1)
    assert mail.recipients == ("boss@example.com",)
    qtbot.waitUntil(lambda: "took the test e-mail for boss@example.com" in window.mail_server.note())
    window.go_to("overview")
    qtbot.waitUntil(lambda: window.overview.heading.title() == "Everything is working")
    window.go_to("mail_server")
    qtbot.mouseClick(press(window.mail_server, "Test connection"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.mail_server.doctor.text().count("✓") == 8, timeout=10_000)
    assert len(box.mails) == 1


def test_send_test_without_a_server_says_what_to_do(world: World, qtbot) -> None:
    actions = Actions(world.context)
    with qtbot.waitSignal(actions.told) as told:
        actions.send_test.trigger()
    assert told.args[0].startswith("The mail server is not set up yet.")
    assert told.args[1] is False


def test_reports_and_pause_from_the_menus(world: World, qtbot) -> None:
    world.model.update(SAVED)
    actions = Actions(world.context)
    menu = actions.report_menu()
    for entry, kind in zip(menu.actions(), Cadence, strict=True):
        with qtbot.waitSignal(actions.told, timeout=20_000) as told:
            entry.trigger()
        assert told.args[1] is True, kind
    assert world.engine.outbox.counts()["queued"] == 3
    pause = actions.pause_menu().actions()
    with qtbot.waitSignal(actions.told) as told:
        pause[1].trigger()
    left = world.engine.paused_until() - world.engine.clock()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    with qtbot.waitSignal(actions.told) as told:
        actions.resume.trigger()
    assert told.args == ["Alert mails are sent again. Nothing was held.", True]
    assert world.engine.paused_until() is None


def test_an_import_is_told_and_begins_only_once(world: World, qtbot, tmp_path) -> None:
    log = tmp_path / "empty.log"
    log.write_text("not a line that anybody knows\n")
    actions = Actions(world.context)
    heard: list[tuple[str, bool]] = []
    actions.told.connect(lambda text, good: heard.append((text, good)))
    actions.load([str(log)])
    assert not actions.import_files.isEnabled()
    qtbot.waitUntil(actions.import_files.isEnabled, timeout=20_000)
    assert heard[-1][1] is True
    assert "1 not understood" in heard[-1][0]
    actions.load([str(tmp_path / "missing.log")])
    qtbot.waitUntil(actions.import_files.isEnabled)
    assert heard[-1][1] is False
    assert "missing.log" in heard[-1][0]


@pytest.mark.expected_log(r"WARNING vxtray\.core\.\w+: store: ")
def test_a_trouble_is_the_headline_and_leads_to_its_page(world: World, open_window, qtbot) -> None:
    world.model.update(SAVED)
    window = open_window()
    world.engine.set_trouble("store", StoreError(path="/x", reason="no room"))
    qtbot.waitUntil(lambda: window.overview.heading.title().startswith("Events cannot be kept since"))
    qtbot.mouseClick(press(window.overview, "Show me"), Qt.MouseButton.LeftButton)
    assert window.sidebar.current() == "help"
    world.engine.set_trouble("store", None)
    window.go_to("overview")
    qtbot.waitUntil(lambda: window.overview.heading.title() == "Set up, but not tried yet")


def test_notices_refresh_what_is_seen_only(world: World, open_window, qtbot) -> None:
    world.model.update(SAVED)
    window = open_window("help")
    for number in range(200):
        world.bridge.post(
            MailSettled(at=world.engine.clock(), id=number, kind="alert", subject="s", state="sent", reply="250 ok")
        )
    qtbot.wait(10)
    window.go_to("overview")
    assert QApplication.activeWindow() is window


def test_the_sidebar_gives_way_in_a_narrow_window(world: World, open_window) -> None:
    window = open_window()
    assert not window.sidebar.compact
    window.resize(window.minimumWidth(), 600)
    QApplication.processEvents()
    assert window.sidebar.compact
    window.resize(1000, 600)
    QApplication.processEvents()
    assert not window.sidebar.compact
