"""For the window's tests: Qt off screen, a real program behind it, and nothing of one test left for the next."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from vxtray.core.paths import Profile

if TYPE_CHECKING:
    from PySide6.QtGui import QFont

    from tests.gui.support.screen import Program
    from tests.gui.support.world import SaveCounter, World
    from tests.peers.desktop import XServer
    from vxtray.gui.main_window import MainWindow


@pytest.fixture(autouse=True)
def no_window_left(isolation: object) -> Iterator[None]:
    """Close and delete what a test left open."""
    yield
    from PySide6.QtCore import QCoreApplication, QEvent
    from PySide6.QtWidgets import QApplication

    if QApplication.instance() is None:
        return
    for widget in QApplication.topLevelWidgets():
        widget.close()
        widget.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


@pytest.fixture
def world(qapp, profile: Profile) -> Iterator["World"]:
    """Return the program without a window, its threads not started; the keyring is one in memory."""
    from tests.gui.support.world import World

    made = World(profile)
    yield made
    made.stop()


@pytest.fixture
def open_window(world: "World", qtbot) -> Callable[..., "MainWindow"]:
    """Return a function that shows the main window over ``world``."""
    from vxtray.gui.actions import Actions
    from vxtray.gui.main_window import MainWindow

    def opened(page: str = "overview", width: int = 1080, height: int = 720, *, in_tray: bool = False) -> MainWindow:
        window = MainWindow(lambda: in_tray, world.context.quit)
        window.begin(world.context, Actions(world.context))
        qtbot.addWidget(window)
        window.resize(width, height)
        with qtbot.waitExposed(window):
            window.show()
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        window.go_to(page)
        return window

    return opened


@pytest.fixture
def start(screen: "XServer", profile: Profile) -> Iterator[Callable[..., "Program"]]:
    """Return a function that starts the program on the module's own ``screen``; what runs at the end is killed."""
    from tests.gui.support.screen import Program

    started: list[Program] = []

    def begin(*options: str) -> Program:
        started.append(Program(screen, profile, *options))
        return started[-1]

    yield begin
    for program in started:
        program.kill()


@pytest.fixture
def system_font(qapp) -> Iterator[Callable[["QFont"], None]]:
    """Return a function that changes the system's font, which stands for what cannot be changed from here."""
    from PySide6.QtGui import QFont

    from vxtray.gui import theme

    with pytest.MonkeyPatch.context() as patch:

        def use(font: QFont) -> None:
            patch.setattr(theme, "_system_font", lambda: QFont(font))
            theme.theme().refresh()

        yield use
    theme.theme().refresh()


@pytest.fixture
def saves(profile: Profile) -> Iterator["SaveCounter"]:
    """Count the saves of the profile's settings file from here on."""
    from tests.gui.support.world import SaveCounter

    profile.config.mkdir(parents=True, exist_ok=True)
    counter = SaveCounter(profile.settings_file)
    yield counter
    counter.close()
