"""The desktop program: it raises its window for a second start, changes its language while it runs, and ends."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QEvent, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from tests.gui.support.world import World
from vxtray.core import texts
from vxtray.core.paths import Profile
from vxtray.gui.application import Desktop
from vxtray.gui.context import Context
from vxtray.gui.main_window import MainWindow
from vxtray.gui.theme import theme
from vxtray.gui.widgets import Toggle

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

WATCH_SECONDS = 0.05


@pytest.fixture
def desktop(qapp: QApplication, profile: Profile) -> Iterator[Desktop]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
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
    qtbot.waitUntil(window(desktop).isVisible)


def test_a_hand_edit_shows_by_itself(desktop: Desktop, opened, qtbot) -> None:
    world = opened(reports__daily__enabled=True)
    toggle = window(desktop).findChild(Toggle, "reports.daily.enabled")
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
    assert now is not first
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
