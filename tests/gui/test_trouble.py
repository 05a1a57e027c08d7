"""Faults that nobody foresaw: logged, shown once as a report to copy, without a secret; the window goes on."""

import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Qt, QTimer, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QApplication, QPlainTextEdit

from tests.gui.support.world import World
from vxtray.core.credentials import Secret
from vxtray.core.errors import NotConfigured, SettingsNotSaved
from vxtray.core.journal import write_log
from vxtray.core.revision import version_line
from vxtray.gui.crash_dialog import CrashDialog, private
from vxtray.gui.trouble import Hooks, words
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
    made.logs = world.profile.logs
    made.install()
    Secret(SECRET).reveal()
    write_log(world.profile)
    yield made
    sys.excepthook, threading.excepthook, sys.unraisablehook = before


def reports() -> list[CrashDialog]:
    return [w for w in QApplication.topLevelWidgets() if isinstance(w, CrashDialog) and w.isVisible()]


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


def press(report: CrashDialog, text: str, qtbot) -> None:
    (found,) = [one for one in report.findChildren(Button) if one.text() == text]
    qtbot.mouseClick(found, Qt.MouseButton.LeftButton)


def test_the_report_can_be_copied_and_closed(world: World, hooks: Hooks, qtbot) -> None:
    in_a_slot(world)
    qtbot.waitUntil(lambda: bool(reports()))
    (report,) = reports()
    assert not report.isModal()
    press(report, "Copy the report", qtbot)
    assert "ZeroDivisionError" in QGuiApplication.clipboard().text()
    assert SECRET not in QGuiApplication.clipboard().text()
    qtbot.keyClick(report, Qt.Key.Key_Escape)
    assert reports() == []


def test_the_log_folder_opens(world: World, hooks: Hooks, qtbot) -> None:
    opened: list[QUrl] = []

    class Handler(QObject):
        @Slot(QUrl)
        def open(self, url: QUrl) -> None:
            opened.append(url)

    handler = Handler()
    QDesktopServices.setUrlHandler("file", handler, "open")
    in_a_slot(world)
    qtbot.waitUntil(lambda: bool(reports()))
    press(reports()[0], "Open the log folder", qtbot)
    QDesktopServices.unsetUrlHandler("file")
    assert [url.toLocalFile() for url in opened] == [str(world.profile.logs)]


def test_what_was_read_does_not_come_back_at_once_but_another_fault_does(world: World, hooks: Hooks, qtbot) -> None:
    in_a_slot(world)
    qtbot.waitUntil(lambda: bool(reports()))
    press(reports()[0], "Close", qtbot)
    in_a_slot(world)
    arrived: list[bool] = []
    world.bridge.call(lambda: arrived.append(True))
    qtbot.waitUntil(lambda: bool(arrived))
    assert reports() == []
    world.bridge.call(lambda: list[int]().index(0))
    qtbot.waitUntil(lambda: bool(reports()))
    assert "ValueError" in reports()[0].report.toPlainText()
    assert "ZeroDivisionError" not in reports()[0].report.toPlainText()


def test_a_storm_of_faults_is_one_report_that_counts(world: World, hooks: Hooks, qtbot) -> None:
    for _ in range(50):
        in_a_slot(world)
    qtbot.waitUntil(lambda: bool(reports()) and reports()[0].said.text().endswith(", 50 times."))
    for kind in (KeyError, OSError, RuntimeError, LookupError, ValueError, TypeError):
        world.bridge.broken.emit(kind("and another"))
    (report,) = reports()
    assert report.said.text() == "Something happened that was not foreseen, 54 times."
    text = report.report.toPlainText()
    assert text.count("ZeroDivisionError: ") == 1
    assert "\n50 times:\n" in text
    assert "LookupError" in text
    assert "ValueError" not in text  # five that differ are enough
    assert world.profile.log_file.read_text().count("an unforeseen fault") == 50


def test_the_report_gives_nobody_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    Secret(SECRET).reveal()
    text = f'File "{tmp_path}/app/x.py": boss@example.com, <root+alerts@mail.example.org>, {SECRET}'
    assert private(text) == 'File "~/app/x.py": …@…, <…@…>, ***'
    monkeypatch.setenv("HOME", "/")
    assert private("/usr/lib") == "/usr/lib"


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
