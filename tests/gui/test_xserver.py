"""The program under a real X server: the mouse, the keyboard, the tray, and pictures of what the person sees."""

import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QImage

from tests.gui.support.screen import Program
from tests.gui.support.smtp import SAVED
from tests.peers.desktop import XServer, need_programs, until
from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile

pytestmark = pytest.mark.xserver

REPORTS = tuple(f"reports.{cadence}.enabled" for cadence in ("daily", "weekly", "monthly"))


@pytest.fixture
def screen(xserver: XServer) -> XServer:
    need_programs("xdotool", "import")
    xserver.window_manager()
    return xserver


def colours(picture: Path) -> int:
    """Return how many colours a picture has: an empty window has one or two."""
    image = QImage(str(picture))
    return len({image.pixel(x, y) for x in range(0, image.width(), 3) for y in range(0, image.height(), 3)})


def test_three_toggles_by_mouse_as_fast_as_it_goes(start, screen: XServer, tmp_path: Path) -> None:
    program = start()
    program.shown()
    program.press("ctrl+3")
    toggles = [program.find("widget", key) for key in REPORTS]
    program.click(*toggles)
    until(lambda: all(program.saved(key) for key in REPORTS), "all three are saved")
    assert [program.ask("widget", key)["checked"] for key in REPORTS] == [True, True, True]
    assert colours(screen.screenshot(tmp_path / "reports.png")) > 20
    program.press("ctrl+q")
    assert program.end() == 0
    again = start()
    again.shown()
    again.press("ctrl+3")
    assert [again.find("widget", key)["checked"] for key in REPORTS] == [True, True, True]
    again.click(*(again.find("widget", key) for key in REPORTS))
    until(lambda: not any(again.saved(key) for key in REPORTS), "all three are off again")


def retype(program: Program, field: str, text: str) -> None:
    program.click(program.find("widget", field))
    program.press("ctrl+a")
    program.type(text)
    until(lambda: program.ask("widget", field)["text"] == text, f"{text} in {field}")


def test_the_mail_servers_dialog_by_mouse_and_keyboard(
    start, screen: XServer, profile: Profile, tmp_path: Path
) -> None:
    SettingsFile(profile.settings_file).merge(SAVED | {"smtp.ca_file": ""})
    program = start()
    program.shown()
    program.press("ctrl+6")
    for number in (1, 2):  # the second time as well
        program.click(program.find("widget", "Edit"))
        assert program.find("widget", "Sender's address")["text"] == "alerts@example.com"
        assert program.ask("widget", "User name")["text"] == "user@example.com"
        assert program.ask("widget", "Password")["text"] == ""
        assert colours(screen.screenshot(tmp_path / f"smtp{number}.png")) > 20
        retype(program, "Sender's name", "typed and cancelled")
        program.press("Escape")
        until(lambda: program.ask("widget", "Sender's name") is None, "the dialog is closed")
    program.click(program.find("widget", "Edit"))
    retype(program, "User name", "other@example.com")
    program.click(program.find("widget", "Save"))
    until(lambda: program.saved("smtp.username") == "other@example.com", "saved")
    assert program.saved("smtp.from_name") == "Security reports"
    SettingsFile(profile.settings_file).merge({"smtp.host": "hand.example.com"})
    program.click(program.find("widget", "Edit"))
    assert program.find("widget", "User name")["text"] == "other@example.com"
    until(lambda: program.ask("widget", "smtp-dialog") is not None, "the dialog")


def test_minimising_the_dialog_keeps_what_was_typed(start, screen: XServer, profile: Profile) -> None:
    SettingsFile(profile.settings_file).merge(SAVED)
    program = start()
    program.shown()
    program.press("ctrl+6")
    program.click(program.find("widget", "Edit"))
    retype(program, "User name", "typed@example.com")
    dialog = screen.window("^Mail server$")
    screen.run("xdotool", "windowminimize", "--sync", dialog)
    until(lambda: program.ask("shows", "smtp-dialog")["hidden"] == 1, "the screen took the dialog away")
    screen.run("xdotool", "windowactivate", dialog)
    until(lambda: program.ask("shows", "smtp-dialog")["shown"] == 1, "the screen brought the dialog back")
    assert program.find("widget", "User name")["text"] == "typed@example.com"


def test_a_second_start_raises_the_window_of_the_first(start, screen: XServer, profile: Profile) -> None:
    first = start()
    first.shown()
    screen.run("xdotool", "windowminimize", "--sync", screen.window("^vxtray$"))
    until(lambda: not first.ask("window")["active"], "the window is away")
    second = screen.start(sys.executable, "-m", "vxtray", "--profile-dir", str(profile.config))
    assert second.wait(20) == 0
    until(lambda: first.ask("window")["active"], "the window is back")


# --- the tray --------------------------------------------------------------------------------------------------------


def docked(program: Program, screen: XServer, tmp_path: Path, seconds: float = 5) -> dict[str, int]:
    """Wait until the icon can be seen in the panel and return where it is."""

    def there() -> bool:
        at = program.ask("tray")
        if not at or at["width"] < 8 or not screen.run("xdotool", "search", "--class", "trayer").strip():
            return False
        image = QImage(str(screen.screenshot(tmp_path / "tray.png")))
        if at["y"] < image.height() - 40:  # not docked yet
            return False
        left, top = at["x"] - at["width"] // 2, at["y"] - at["height"] // 2
        return len({image.pixel(left + x, top + y) for x in range(at["width"]) for y in range(at["height"])}) > 5

    until(there, "the icon is in the tray", seconds)
    return program.ask("tray")


def test_a_late_tray_and_one_that_starts_again(start, screen: XServer, tmp_path: Path) -> None:
    program = start("--soon")
    program.shown()
    assert program.ask("tray") is None
    panel = screen.tray()
    docked(program, screen, tmp_path)
    for _time in range(2):
        panel.kill()
        panel.wait(10)
        panel = screen.tray()
        docked(program, screen, tmp_path)
    panel.kill()
    panel.wait(10)
    until(lambda: program.ask("tray") is None, "the icon is given up")
    panel = screen.tray()
    docked(program, screen, tmp_path)


def test_left_raises_right_opens_the_menu_and_quit_ends(start, screen: XServer, tmp_path: Path) -> None:
    screen.tray()
    program = start("--hidden")
    icon = docked(program, screen, tmp_path, 20)
    assert program.ask("window")["visible"] is False
    program.click(icon)
    program.shown()
    program.press("ctrl+w")
    until(lambda: not program.ask("window")["visible"], "the window is hidden")
    assert program.process.poll() is None
    program.click(icon, button=3)
    program.find("menu", "Open vxtray")
    screen.screenshot(tmp_path / "menu.png")
    program.click(program.find("menu", "Open vxtray"))
    program.shown()
    program.click(icon, button=3)
    program.click(program.find("menu", "Quit vxtray"))
    assert program.end() == 0


def test_the_icons_differ_by_state(start, screen: XServer, profile: Profile, tmp_path: Path) -> None:
    screen.tray()
    program = start("--hidden")
    at = docked(program, screen, tmp_path, 20)

    def icon() -> QImage:
        image = QImage(str(screen.screenshot(tmp_path / "state.png")))
        return image.copy(at["x"] - at["width"] // 2, at["y"] - at["height"] // 2, at["width"], at["height"])

    attention = icon()
    SettingsFile(profile.settings_file).merge(SAVED | {"smtp.ca_file": ""})
    until(lambda: icon() != attention, "another icon")
