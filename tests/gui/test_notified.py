"""From a log line to a notification that a person sees and clicks: real program, real screen, dunst, trayer."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.loglines import waf
from tests.gui.support.screen import Program
from tests.gui.support.smtp import SAVED
from tests.peers.desktop import XServer, need_programs, until
from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile

pytestmark = pytest.mark.xserver

#: dunst does at a click what large desktops do, and shows what it has in one place.
DUNSTRC = """
[global]
origin = top-right
offset = 10x10
width = 420
height = 200
notification_limit = 5
mouse_left_click = do_action, close_current
"""


@pytest.fixture
def screen(xserver: XServer, session_bus: str, tmp_path: Path) -> XServer:
    need_programs("dunst", "dunstctl", "xdotool", "import")
    xserver.window_manager()
    xserver.tray()
    (tmp_path / "dunstrc").write_text(DUNSTRC)
    xserver.start("dunst", "-config", str(tmp_path / "dunstrc"))
    until(lambda: xserver.run("dunstctl", "count", "displayed").strip() == "0", "a notification server")
    return xserver


@pytest.fixture
def program(screen: XServer, profile: Profile, free_port: int) -> Iterator[Program]:
    nowhere = {
        "smtp.host": "127.0.0.1",
        "smtp.port": 9,
        "smtp.auth": "none",
        "smtp.security": "none",
        "smtp.ca_file": "",
    }
    syslog = {"sources.syslog.enabled": True, "sources.syslog.port": free_port}
    SettingsFile(profile.settings_file).merge(SAVED | nowhere | syslog)
    started = Program(screen, profile, "--hidden")
    until(lambda: started.ask("tray") is not None, "the icon", 20)
    yield started
    started.kill()


def send(program: Program, count: int = 1, source: str = "203.0.113.7") -> None:
    port = program.saved("sources.syslog.port")
    assert isinstance(port, int)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for number in range(count):
            sock.sendto(waf(datetime.now(UTC), source, 25 + number).encode(), ("127.0.0.1", port))


def displayed(screen: XServer) -> int:
    return int(screen.run("dunstctl", "count", "displayed").strip() or 0)


def open_menu_at(program: Program, text: str) -> dict[str, int]:
    program.click(program.find("tray"), button=3)
    return program.find("menu", text)


def test_a_log_line_is_seen_clicked_and_acknowledged(screen: XServer, program: Program, tmp_path: Path) -> None:
    def noticed() -> bool:  # a line that is sent before the program listens is lost
        send(program)
        return displayed(screen) == 1

    until(noticed, "a notification", 20)
    until(lambda: program.ask("tray")["shape"] == "alert", "the icon asks for attention")
    screen.screenshot(tmp_path / "notification.png")
    (window,) = screen.run("xdotool", "search", "--onlyvisible", "--class", "Dunst").split()
    screen.run("xdotool", "mousemove", "--window", window, "60", "20", "click", "1")
    program.shown()
    program.find("widget", "Only one event  ✕")
    until(lambda: displayed(screen) == 0, "it is gone")
    screen.screenshot(tmp_path / "clicked.png")
    open_menu_at(program, "Acknowledge alerts")
    screen.screenshot(tmp_path / "menu.png")
    program.click(program.find("menu", "Acknowledge alerts"))
    until(lambda: program.ask("tray")["shape"] != "alert", "the icon is calm again")
