"""A program that cannot start says so on the screen: nobody who clicks an icon reads what it prints."""

import sys
from pathlib import Path

import pytest

from tests.peers.desktop import XServer, need_programs, until

pytestmark = pytest.mark.xserver


@pytest.fixture
def screen(xserver: XServer) -> XServer:
    need_programs("xdotool", "import")
    xserver.window_manager()
    return xserver


@pytest.mark.parametrize(("language", "title"), [("en", "vxtray cannot start"), ("fr", "vxtray ne peut pas démarrer")])
@pytest.mark.parametrize("option", ["--hidden", "--log-level=INFO"])
def test_what_keeps_it_from_starting_is_shown(
    screen: XServer, tmp_path: Path, language: str, title: str, option: str
) -> None:
    home = tmp_path / "home"
    home.write_text("a file, so there can be no folder in it")
    program = screen.start(sys.executable, "-m", "vxtray", "--lang", language, "--profile-dir", str(home / "p"), option)
    window = screen.window(title)
    assert program.poll() is None, "it waits until that was read"
    screen.screenshot(tmp_path / "said.png", window)
    screen.run("xdotool", "windowactivate", "--sync", window, "key", "Return")
    until(lambda: program.poll() is not None, "it ends")
    assert program.returncode == 1
