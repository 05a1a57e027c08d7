"""Faults that nobody foresaw: logged, shown once as a report to copy, without a secret; the window goes on."""

import sys
import threading

import pytest
from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QPlainTextEdit

from tests.gui.support.world import World
from vxtray.core.credentials import Secret
from vxtray.core.errors import NotConfigured, SettingsNotSaved
from vxtray.core.journal import write_log
from vxtray.core.revision import version_line
from vxtray.gui.trouble import Hooks, ReportDialog, words
from vxtray.gui.widgets import Button, Toggle

pytestmark = [
    pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)"),
    pytest.mark.expected_log("an unforeseen fault", "met a fault"),
]

SECRET = "s3cr3t that was used"


class Source(QObject):
    """Something that can be pressed."""

    pressed = Signal()


@pytest.fixture
def hooks(world: World):
    before = sys.excepthook, threading.excepthook, sys.unraisablehook
    made = Hooks(world.bridge)
    made.install()
    Secret(SECRET).reveal()
    write_log(world.profile)
    yield made
    sys.excepthook, threading.excepthook, sys.unraisablehook = before


def reports() -> list[ReportDialog]:
    return [w for w in QApplication.topLevelWidgets() if isinstance(w, ReportDialog) and w.isVisible()]


def fail() -> None:
    raise ZeroDivisionError(f"while using {SECRET}")


def in_a_slot(world: World) -> None:
    source = Source()
    source.pressed.connect(fail)
    source.pressed.emit()


def in_a_timer(world: World) -> None:
    QTimer.singleShot(0, fail)


def in_a_thread(world: World) -> None:
    thread = threading.Thread(target=fail, name="test-thread")
    thread.start()
    thread.join()


def in_a_task(world: World) -> None:
    world.bridge.run(fail, lambda _none: None, lambda _error: None, owner=world.bridge)


def in_a_message(world: World) -> None:
    world.bridge.call(fail)


def in_a_listener(world: World) -> None:
    def broken_listener(_notice: object) -> None:
        fail()

    world.bridge.noticed.connect(broken_listener)
    world.bridge.post(object())  # type: ignore[arg-type]


@pytest.mark.parametrize("how", [in_a_slot, in_a_timer, in_a_thread, in_a_task, in_a_message, in_a_listener])
def test_a_fault_is_logged_and_reported_without_the_secret(world: World, hooks: Hooks, open_window, qtbot, how) -> None:
    window = open_window()
    how(world)
    qtbot.waitUntil(lambda: bool(reports()))
    (report,) = reports()
    text = report.findChild(QPlainTextEdit).toPlainText()
    assert "ZeroDivisionError: while using ***" in text
    assert "in fail" in text
    assert version_line() in text
    assert SECRET not in text
    log = world.profile.log_file.read_text()
    assert "ZeroDivisionError" in log
    assert SECRET not in log
    window.go_to("alerts")
    qtbot.mouseClick(window.findChild(Toggle, "alerts.new_ban"), Qt.MouseButton.LeftButton)
    assert world.saved("alerts.new_ban") is True


def test_the_report_can_be_copied_and_closed(world: World, hooks: Hooks, qtbot) -> None:
    in_a_slot(world)
    qtbot.waitUntil(lambda: bool(reports()))
    (report,) = reports()
    copy, close = report.findChildren(Button)
    qtbot.mouseClick(copy, Qt.MouseButton.LeftButton)
    assert "ZeroDivisionError" in QGuiApplication.clipboard().text()
    assert SECRET not in QGuiApplication.clipboard().text()
    qtbot.mouseClick(close, Qt.MouseButton.LeftButton)
    assert reports() == []
    in_a_slot(world)
    qtbot.waitUntil(lambda: bool(reports()))
    qtbot.keyClick(reports()[0], Qt.Key.Key_Escape)
    assert reports() == []


def test_a_storm_of_faults_is_one_report(world: World, hooks: Hooks, qtbot) -> None:
    for _ in range(50):
        in_a_slot(world)
    qtbot.waitUntil(lambda: bool(reports()))
    qtbot.wait(50)
    assert len(reports()) == 1
    assert world.profile.log_file.read_text().count("an unforeseen fault") == 50


def test_a_thread_that_ends_itself_is_no_fault(world: World, hooks: Hooks, qtbot) -> None:
    thread = threading.Thread(target=sys.exit, name="test-thread")
    thread.start()
    thread.join()
    qtbot.wait(20)
    assert reports() == []


def test_remove_gives_the_hooks_back(world: World) -> None:
    before = sys.excepthook, threading.excepthook, sys.unraisablehook
    hooks = Hooks(world.bridge)
    hooks.install()
    assert (sys.excepthook, threading.excepthook, sys.unraisablehook) != before
    hooks.remove()
    assert (sys.excepthook, threading.excepthook, sys.unraisablehook) == before


def test_words_say_what_happened_and_what_to_do() -> None:
    Secret(SECRET).reveal()
    said = words(SettingsNotSaved(path="/etc/x", reason="No space left on device"))
    assert said.startswith("The settings could not be saved: No space left on device.")
    assert "Make room" in said
    assert words(NotConfigured()).startswith("The mail server is not set up yet.")
    unforeseen = words(ZeroDivisionError(f"with {SECRET}"))
    assert unforeseen.startswith("An unknown fault: ZeroDivisionError: with ***")
