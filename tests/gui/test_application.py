"""The desktop program: it raises its window for a second start, changes its language while it runs, and ends."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QEvent, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from tests.gui.support.smtp import SAVED
from tests.gui.support.world import World
from vxtray.core import texts
from vxtray.core.clockwatch import ClockWatch
from vxtray.core.instance import holding
from vxtray.core.mail.verdicts import without_network
from vxtray.core.paths import Profile
from vxtray.core.reports.period import Cadence
from vxtray.gui.application import Desktop
from vxtray.gui.context import Context
from vxtray.gui.ending import ENDING
from vxtray.gui.leaving import LeavingNote
from vxtray.gui.main_window import MainWindow
from vxtray.gui.theme import theme
from vxtray.gui.widgets import Toggle

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

WATCH_SECONDS = 0.05


@pytest.fixture
def desktop(qapp: QApplication, profile: Profile) -> Iterator[Desktop]:
    handlers = {number: signal.getsignal(number) for number in ENDING}
    made = Desktop()
    yield made
    made.close()
    for number, before in handlers.items():
        signal.signal(number, before)
    qapp.setQuitOnLastWindowClosed(True)
    theme().set_preference("auto")


@pytest.fixture
def opened(desktop: Desktop, profile: Profile) -> Iterator[Callable[..., World]]:
    """Return a function that opens window and tray over a world of its own."""
    worlds = []

    def build(*, hidden: bool = False, **settings: object) -> World:
        world = World(profile, bridge=desktop.bridge)
        worlds.append(world)
        if settings:
            world.model.update({key.replace("__", "."): value for key, value in settings.items()})
        context = Context(
            profile=profile,
            model=world.model,
            service=world.engine,
            credentials=world.credentials,
            bridge=desktop.bridge,
            quit=desktop.quit,
        )
        desktop.open(context, hidden=hidden, watch_seconds=WATCH_SECONDS)
        world.program.on_show, world.program.on_quit = desktop.show_window, desktop.quit
        return world

    yield build
    for world in worlds:
        world.stop()


def window(desktop: Desktop) -> MainWindow:
    assert desktop.window is not None
    return desktop.window


def vxtray(world: World, *words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "vxtray", "--profile-dir", str(world.profile.config), *words])


def test_a_second_start_raises_the_window_and_ends(desktop: Desktop, opened, qtbot) -> None:
    world = opened()
    world.start()
    window(desktop).hide()
    with holding(world.profile):  # as the program does
        second = vxtray(world)
        qtbot.waitUntil(lambda: second.poll() is not None, timeout=20_000)
    assert second.returncode == 0
    assert window(desktop).isVisible()
    window(desktop).showMinimized()
    third = vxtray(world, "show")
    qtbot.waitUntil(lambda: third.poll() is not None, timeout=20_000)
    assert third.returncode == 0
    assert not window(desktop).isMinimized()
    assert window(desktop).isVisible()


def test_the_command_to_quit_ends_the_program(desktop: Desktop, opened) -> None:
    world = opened()
    world.start()
    command = vxtray(world, "quit")
    assert desktop.run() == 0
    assert command.wait(20) == 0
    assert not window(desktop).isVisible()


def test_closing_the_window_without_a_tray_ends_the_program(desktop: Desktop, opened) -> None:
    opened()
    QTimer.singleShot(0, lambda: window(desktop).close())
    assert desktop.run() == 0


def test_sigterm_ends_the_program(desktop: Desktop, opened) -> None:
    opened()
    QTimer.singleShot(0, lambda: signal.raise_signal(signal.SIGTERM))
    assert desktop.run() == 0


def test_hidden_without_a_tray_would_be_lost_so_it_is_shown(desktop: Desktop, opened, qtbot) -> None:
    desktop.panel_seconds = 0.05
    opened(hidden=True)
    assert not desktop.tray_present
    assert desktop.window is None
    qtbot.waitUntil(lambda: desktop.window is not None)
    qtbot.waitUntil(window(desktop).isVisible)


def test_a_hidden_start_makes_the_window_when_it_is_wanted(desktop: Desktop, opened, qtbot) -> None:
    opened(hidden=True)
    assert desktop._actions is not None
    assert desktop.window is None
    desktop._actions.page_wanted.emit("settings")
    assert window(desktop).sidebar.current() == "settings"
    assert window(desktop).isVisible()
    made = window(desktop)
    desktop._actions.page_wanted.emit("events")
    assert window(desktop) is made
    assert made.sidebar.current() == "events"


def test_a_hand_edit_shows_by_itself(desktop: Desktop, opened, qtbot) -> None:
    world = opened(reports__daily__enabled=True)
    toggle = window(desktop).reports.findChild(Toggle, "reports.daily.enabled")
    assert toggle.isChecked()
    file = world.profile.settings_file
    file.write_text(file.read_text().replace("enabled = true", "enabled = false"))
    qtbot.waitUntil(lambda: not toggle.isChecked())


def settle() -> None:
    for _ in range(5):
        QApplication.processEvents()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def test_another_language_makes_the_window_anew_where_it_was(desktop: Desktop, opened, qtbot) -> None:
    world = opened(general__language="en")
    first = window(desktop)
    first.go_to("reports")
    first.resize(731, 502)
    for language in ("fr", "en", "fr"):
        world.change_outside(general__language=language)
        qtbot.waitUntil(lambda: texts.current() == language)  # noqa: B023 - waited for here
        settle()
    now = window(desktop)
    assert now is first
    assert now.isVisible()
    assert now.sidebar.current() == "reports"
    assert (now.width(), now.height()) == (731, 502)
    assert [w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow)] == [now]
    now.findChild(Toggle, "reports.weekly.enabled").click()
    assert world.saved("reports.weekly.enabled") is True
    world.model.update({"smtp.host": "smtp.example.com", "reports.daily.enabled": True})
    assert now.findChild(Toggle, "reports.daily.enabled").isChecked()
    assert now.mail_server.heading.title()


def test_a_theme_is_taken_over_at_once(desktop: Desktop, opened, qtbot) -> None:
    world = opened(general__theme="light")
    assert not theme().dark
    world.change_outside(general__theme="dark")
    qtbot.waitUntil(lambda: theme().dark)


def test_a_picture_of_the_window(desktop: Desktop, opened, tmp_path) -> None:
    opened()
    desktop.picture(tmp_path / "window.png", then=desktop.quit)
    assert desktop.run() == 0
    assert QImage(str(tmp_path / "window.png")).size() == window(desktop).size()


# --- the end ---------------------------------------------------------------------------------------------------------


class Slow:
    """An engine that takes its time to end, until it is hurried."""

    def __init__(self) -> None:
        self.stops, self.hurried = 0, threading.Event()

    def stop(self) -> None:
        self.stops += 1
        assert self.hurried.wait(20)


def note(desktop: Desktop) -> LeavingNote | None:
    return desktop._leaving.note if desktop._leaving is not None else None


def test_the_window_goes_at_once_and_a_note_says_what_is_waited_for(desktop: Desktop, opened) -> None:
    opened()
    slow, seen = Slow(), []

    def look() -> None:
        told = note(desktop)
        if told is None or not told.isVisible():
            QTimer.singleShot(50, look)
            return
        seen.append((told.windowTitle(), window(desktop).isVisible(), slow.stops))
        told.reject()  # Esc

    QTimer.singleShot(0, desktop.quit)
    QTimer.singleShot(0, look)
    assert desktop.run(slow.stop, slow.hurried.set) == 0
    assert seen == [("vxtray", False, 1)]
    assert slow.stops == 1
    assert not note(desktop).isVisible()


def test_to_quit_twice_is_to_hurry(desktop: Desktop, opened) -> None:
    opened()
    slow = Slow()
    for _time in range(2):
        QTimer.singleShot(0, desktop.quit)
    assert desktop.run(slow.stop, slow.hurried.set) == 0
    assert (slow.stops, note(desktop)) == (1, None)


def test_an_end_that_the_system_brings_about_stops_the_engine_too(desktop: Desktop, opened) -> None:
    opened()
    stops: list[bool] = []
    QTimer.singleShot(0, desktop.app.exit)  # as Qt itself does at the end of a session
    assert desktop.run(lambda: stops.append(window(desktop).isVisible())) == 0
    assert len(stops) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP")
def test_different_signals_of_one_session_end_do_not_hurry(desktop: Desktop, opened) -> None:
    opened()
    slow, hurried = Slow(), []

    def ask() -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(number)
        hurried.append(slow.hurried.is_set())
        signal.raise_signal(signal.SIGTERM)
        hurried.append(slow.hurried.is_set())

    QTimer.singleShot(0, ask)
    assert desktop.run(slow.stop, slow.hurried.set) == 0
    assert hurried == [False, True]


def test_what_is_asked_before_the_program_runs_is_not_forgotten(desktop: Desktop, opened) -> None:
    opened()
    signal.raise_signal(signal.SIGTERM)
    stops: list[bool] = []
    assert desktop.run(lambda: stops.append(True)) == 0
    assert stops == [True]


def test_what_could_not_be_reached_is_tried_again_after_a_sleep(desktop: Desktop, opened, qtbot) -> None:
    wall = [1_764_000_000.0]
    desktop._clock = ClockWatch(lambda: wall[0], lambda: 1000.0)
    world = opened(**{key.replace(".", "__"): value for key, value in SAVED.items()})
    world.engine.send_report(Cadence.DAILY)
    outbox, now = world.engine.outbox, world.engine.clock
    list(outbox.deliver_due(lambda _parcel: without_network(), now))
    assert outbox.hold().in_force(now())
    wall[0] += 3600
    qtbot.waitUntil(lambda: not outbox.hold().in_force(now()))
