"""``autostart``: the setting and the session's entry together, and the entry really starts the program."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import answers
from tests.peers.desktop import until
from vxtray.core.autostart.xdg import DesktopFile
from vxtray.core.settings.file import SettingsFile

pytestmark = pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="desktop files")


def entry(isolation: Path) -> Path:
    (found,) = (isolation / ".config" / "autostart").glob("*.desktop")
    return found


def test_on_status_off(vxtray, profile, isolation: Path) -> None:
    assert vxtray("autostart", "status").code == 0
    said = vxtray("autostart", "on", "--json")
    assert said.json["wish"] is True
    assert (said.json["state"], said.json["proof"]) == ("on", "pending")
    assert said.json["place"] == str(entry(isolation))
    assert str(profile.config) in entry(isolation).read_text()
    assert SettingsFile(profile.settings_file).read().settings.general.autostart is True
    assert "Your next login will show" in vxtray("autostart", "status").out
    text = entry(isolation).read_text()
    entry(isolation).write_text(text + "Hidden=true\n")
    assert vxtray("autostart", "status").code == 1
    assert vxtray("autostart", "off").code == 0
    assert list((isolation / ".config" / "autostart").iterdir()) == []
    assert SettingsFile(profile.settings_file).read().settings.general.autostart is False


def test_where_the_system_refuses_nothing_is_changed(vxtray, profile, isolation: Path) -> None:
    (isolation / ".config").mkdir(parents=True, exist_ok=True)
    (isolation / ".config" / "autostart").write_text("in the way")
    said = vxtray("autostart", "on")
    assert said.code == 1
    assert "autostart" in said.err
    assert SettingsFile(profile.settings_file).read().settings.general.autostart is False


def test_the_entry_starts_the_program_once_and_that_is_noted(vxtray, profile, isolation: Path) -> None:
    vxtray("autostart", "on")
    found = DesktopFile(entry(isolation).stem).read()
    assert found is not None
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with (profile.config / "started.txt").open("wb") as output:
        begun = subprocess.Popen(found.words, cwd="/", env=env, stdout=output, stderr=output)
    try:
        until(lambda: begun.poll() is not None or answers(profile), "the program answers", 30)
        standing = vxtray("autostart", "status", "--json").json
        assert standing["proof"] == "worked"
        assert standing["started_at"] is not None
        # a session that restores its programs starts it twice: the second one ends, and raises nothing
        again = subprocess.run(found.words, cwd="/", env=env, capture_output=True, timeout=30, check=False)
        assert (again.returncode, again.stderr) == (0, b"")
        assert "window hidden" in profile.log_file.read_text()
    finally:
        vxtray("quit")
        begun.wait(20)
    assert begun.returncode == 0
