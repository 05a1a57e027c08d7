"""Starting with the session: real desktop files and property lists; the registry is one in memory off Windows."""

import json
import os
import plistlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxtray.core.autostart import Action, Autostart, AutostartFailed, Noted, Proof, State, command, step, verdict
from vxtray.core.autostart.command import Launch, launch
from vxtray.core.autostart.launch_agent import LaunchAgent, is_disabled
from vxtray.core.autostart.run_key import APPROVED, RUN, RunKey, split_command_line
from vxtray.core.autostart.session import login_session
from vxtray.core.autostart.xdg import DesktopFile, desktop_file, join_exec, split_exec
from vxtray.core.paths import Profile

NOW = datetime(2026, 11, 23, 7, 1, tzinfo=UTC)
HOSTILE = ("a b", 'quo"te', "dol$HOME", "back\\slash", "per%cent %u", "tick`id`", "semi;colon&|<>*?#()~'", "é–日本", "")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return a program that can be started."""
    path = tmp_path / "bin" / "vxtray"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def start(profile: Profile, program: Path) -> Callable[..., Autostart]:
    """Return the autostart of a profile as the program finds it in a session."""

    def found(session: str = "boot/1", at: Path = program) -> Autostart:
        return Autostart(profile, wanted=Launch((str(at),), ("--hidden", "--at-login")), session=session)

    return found


def desktop(isolation: Path) -> Path:
    return isolation / ".config" / "autostart" / "vxtray.desktop"


# --- the desktop file -----------------------------------------------------------------------------------------------


def test_on_and_off_write_and_remove_a_valid_desktop_file(start, isolation: Path, program: Path) -> None:
    one = start()
    assert one.standing().state is State.OFF
    one.switch(on=True)
    text = desktop(isolation).read_text("utf-8")
    assert f"Exec={program} --hidden --at-login\n" in text
    assert "X-GNOME-Autostart-enabled=true\n" in text
    assert "Comment[fr]=Rapports et alertes de sécurité" in text
    standing = one.standing()
    assert (standing.state, standing.proof, standing.program) == (State.ON, Proof.PENDING, str(program))
    assert standing.place == str(desktop(isolation))
    before = desktop(isolation).stat().st_mtime_ns
    one.switch(on=True)
    assert desktop(isolation).stat().st_mtime_ns == before, "an entry that is right is left alone"
    assert [path.name for path in desktop(isolation).parent.iterdir()] == ["vxtray.desktop"]
    one.switch(on=False)
    one.switch(on=False)
    assert list(desktop(isolation).parent.iterdir()) == []


def test_the_folder_follows_xdg_config_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolation: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "elsewhere"))
    DesktopFile("vxtray").write(("/bin/true",))
    assert (tmp_path / "elsewhere/autostart/vxtray.desktop").exists()
    assert DesktopFile("x", {"XDG_CONFIG_HOME": "relative"}).path == isolation / ".config/autostart/x.desktop"
    inside = {"FLATPAK_ID": "org.example.vxtray", "XDG_CONFIG_HOME": "/sandbox", "HOST_XDG_CONFIG_HOME": "/host/config"}
    assert DesktopFile("x", inside).place == "/host/config/autostart/x.desktop"


@pytest.mark.skipif(shutil.which("desktop-file-validate") is None, reason="desktop-file-utils is not installed")
@pytest.mark.parametrize("words", [("/bin/true", "--hidden"), ("/bin/true", *HOSTILE), ("flatpak", "run", "org.x.y")])
def test_the_file_passes_desktop_file_validate(tmp_path: Path, words: tuple[str, ...]) -> None:
    path = tmp_path / "vxtray.desktop"
    path.write_text(desktop_file(words, "org.x.y"), "utf-8")
    done = subprocess.run(["desktop-file-validate", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(shutil.which("gio") is None, reason="GLib's tools are not installed")
def test_glib_starts_exactly_what_was_meant(tmp_path: Path) -> None:
    """GLib reads the file as GNOME's session does; the program tells the words that reached it."""
    folder = tmp_path / 'my "odd" $folder'
    folder.mkdir()
    told = tmp_path / "told.json"
    script = folder / "start me"
    script.write_text(f"#!{sys.executable}\nimport json, sys\njson.dump(sys.argv[1:], open({str(told)!r}, 'w'))\n")
    script.chmod(0o755)
    entry = tmp_path / "vxtray.desktop"
    entry.write_text(desktop_file((str(script), *HOSTILE)), "utf-8")
    subprocess.run(["gio", "launch", entry], check=True, timeout=30)
    for _attempt in range(300):
        if told.exists() and told.read_text():
            break
        subprocess.run(["sleep", "0.1"], check=True)
    assert json.loads(told.read_text()) == list(HOSTILE)


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], include_characters=" ")), min_size=1)
)
def test_what_is_written_is_read_again(words: list[str]) -> None:
    wanted = ("/bin/program", *words)
    value = join_exec(wanted).replace("\\\\", "\\")
    assert split_exec(value) == wanted


@pytest.mark.parametrize("program", ["/opt/a=b/vxtray", "/opt/100%/vxtray", "/opt/new\nline/vxtray"])
def test_a_path_that_no_desktop_file_can_hold_is_refused(program: str) -> None:
    with pytest.raises(AutostartFailed):
        join_exec((program,))


@pytest.mark.parametrize("line", ["Hidden=true", "X-GNOME-Autostart-enabled=false", "Hidden = True"])
def test_switched_off_by_the_desktop_is_respected(start, isolation: Path, line: str) -> None:
    start().switch(on=True)
    text = desktop(isolation).read_text("utf-8").replace("X-GNOME-Autostart-enabled=true\n", "")
    desktop(isolation).write_text(f"{text}{line}\n\n[Desktop Action x]\nHidden=false\n", "utf-8")
    kept = desktop(isolation).read_bytes()
    one = start("boot/2")
    assert one.settle(wish=True) is Action.NOTHING
    assert one.standing().state is State.DISABLED
    assert one.standing().can_override
    assert desktop(isolation).read_bytes() == kept
    one.switch(on=True)  # the person's newer word, said in vxtray
    assert one.standing().state is State.ON


def test_a_moved_program_is_mended_and_another_copy_is_not(start, isolation: Path, program: Path) -> None:
    start().switch(on=True)
    moved = program.with_name("moved")
    program.rename(moved)
    assert start(at=moved).standing().state is State.MISSING
    assert start(at=moved).settle(wish=True) is Action.WRITE
    assert f"Exec={moved} " in desktop(isolation).read_text("utf-8")
    shutil.copy(moved, program)
    other = start(at=program)
    assert other.standing().state is State.OTHER
    assert other.settle(wish=True) is Action.NOTHING
    assert other.standing().program == str(moved)
    other.renew()
    assert other.standing().state is State.ON


def test_an_entry_taken_away_outside_stays_away(start, isolation: Path) -> None:
    assert start().settle(wish=True) is Action.WRITE, "a wish that came with imported settings"
    desktop(isolation).unlink()
    again = start("boot/2")
    assert again.settle(wish=True) is Action.NOTHING
    assert (again.standing().state, again.standing().ours) == (State.OFF, True)


def test_a_wish_taken_back_while_vxtray_did_not_run(start, isolation: Path) -> None:
    start().switch(on=True)
    assert start().settle(wish=False) is Action.REMOVE
    assert not desktop(isolation).exists()
    desktop(isolation).write_text("[Desktop Entry]\nExec=/bin/true\n", "utf-8")  # made by hand
    assert start().settle(wish=False) is Action.NOTHING
    assert start().standing().state is State.OTHER


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0garbage", b"[Desktop Entry]\nExec=\n", b"Exec=/bin/true\n"])
def test_a_file_that_starts_nothing_is_made_anew(start, isolation: Path, content: bytes) -> None:
    desktop(isolation).parent.mkdir(parents=True)
    desktop(isolation).write_bytes(content)
    assert start().standing().state is State.MISSING
    start().settle(wish=True)
    assert start().standing().state is State.ON


def test_a_link_among_dot_files_stays_a_link(start, isolation: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.desktop"
    target.write_text("[Desktop Entry]\n")
    desktop(isolation).parent.mkdir(parents=True)
    desktop(isolation).symlink_to(target)
    start().switch(on=True)
    assert desktop(isolation).is_symlink()
    assert "--at-login" in target.read_text()


def test_what_the_disk_refuses_is_told(start, isolation: Path) -> None:
    desktop(isolation).parent.parent.mkdir(parents=True, exist_ok=True)
    desktop(isolation).parent.write_text("a file where the folder should be")
    with pytest.raises(AutostartFailed) as refused:
        start().switch(on=True)
    assert refused.value.values["place"] == str(desktop(isolation))


# --- whether it worked ----------------------------------------------------------------------------------------------


def test_the_next_login_proves_it(start) -> None:
    start("boot/1").switch(on=True)
    assert start("boot/1").standing().proof is Proof.PENDING
    assert start("boot/2").standing().proof is Proof.FAILED, "started by hand after a login that did not start it"
    start("boot/2").note_login(NOW)
    standing = start("boot/2").standing()
    assert (standing.proof, standing.started_at) == (Proof.WORKED, NOW)
    failed = start("boot/3").standing()
    assert (failed.proof, failed.started_at) == (Proof.FAILED, NOW)
    start("boot/3").renew()
    assert start("boot/3").standing().proof is Proof.PENDING


@pytest.mark.parametrize(
    ("noted", "session", "expected"),
    [
        (Noted(), "b/1", Proof.PENDING),
        (Noted(ours=True, written_in="b/1"), "b/1", Proof.PENDING),
        (Noted(ours=True, written_in="b/1"), "b/2", Proof.FAILED),
        (Noted(ours=True, written_in="b/1"), "", Proof.PENDING),
        (Noted(ours=True, written_in="b/1", started_in="b/1", started_at=NOW), "b/1", Proof.WORKED),
        (Noted(ours=True, written_in="b/1", started_in="b/2", started_at=NOW), "b/3", Proof.FAILED),
        (Noted(ours=True, written_in="", started_in="", started_at=NOW), "", Proof.WORKED),
    ],
)
def test_the_verdict(noted: Noted, session: str, expected: Proof) -> None:
    assert verdict(noted, session) is expected


@pytest.mark.parametrize("state", list(State))
def test_nothing_is_made_or_taken_away_against_a_person(state: State) -> None:
    assert step(wish=True, state=state, ours=True) is (Action.WRITE if state is State.MISSING else Action.NOTHING)
    assert step(wish=False, state=state, ours=False) is Action.NOTHING
    assert step(wish=False, state=state, ours=True) is (Action.NOTHING if state is State.OFF else Action.REMOVE)


def test_damaged_notes_are_no_fault(start, profile: Profile) -> None:
    start().switch(on=True)
    (profile.state / "autostart.json").write_bytes(b"{not json")
    assert start("boot/2").standing().proof is Proof.PENDING


def test_the_mark_of_a_session_holds_in_another_process() -> None:
    code = "from vxtray.core.autostart.session import login_session; print(login_session(), end='')"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True).stdout
    assert told == login_session()


# --- what is started ------------------------------------------------------------------------------------------------


def test_each_way_to_run_is_started_as_it_must_be(profile: Profile, tmp_path: Path) -> None:
    default = Profile.default()
    plain = launch(default, {}, platform="linux", executable="/venv/bin/python", frozen=False)
    elsewhere = default._replace(state=tmp_path / "copy", home=default)  # while the home is read-only
    assert launch(elsewhere, {}, platform="linux", executable="/venv/bin/python", frozen=False) == plain
    assert plain.words == ("/venv/bin/python", "-P", "-m", "vxtray", "--hidden", "--at-login")
    assert plain.name == "vxtray"
    image = {"APPIMAGE": "/Apps/vx tray.AppImage"}
    assert launch(default, image, executable="/tmp/.mount_x/vxtray", frozen=True).program == (image["APPIMAGE"],)
    assert launch(default, {"FLATPAK_ID": "org.x.y"}).program == ("flatpak", "run", "org.x.y")
    assert launch(default, {}, executable="/opt/vxtray/vxtray", frozen=True).program == ("/opt/vxtray/vxtray",)
    (tmp_path / "pythonw.exe").touch()
    windows = launch(default, {}, platform="win32", executable=str(tmp_path / "python.exe"), frozen=False)
    assert windows.program[0] == str(tmp_path / "pythonw.exe")
    bundled = str(tmp_path / "vxtray.exe")
    assert launch(default, {}, platform="win32", executable=bundled, frozen=True).program == (bundled,)
    (tmp_path / "vxtray-window.exe").touch()
    for started in ("vxtray.exe", "vxtray-window.exe"):  # from a console, or from a shortcut
        windows = launch(default, {}, platform="win32", executable=str(tmp_path / started), frozen=True)
        assert windows.program == (str(tmp_path / "vxtray-window.exe"),)
    own = launch(profile, {}, executable="/x/python", frozen=False)
    assert own.options == ("--profile-dir", str(profile.config), "--hidden", "--at-login")
    assert own.name != launch(Profile.under(tmp_path / "third"), {}).name != "vxtray"
    assert command.AT_LOGIN in own.words


# --- Windows --------------------------------------------------------------------------------------------------------


class MemoryRegistry:
    """Stands for ``winreg`` where there is none: keys of one hive, and the calls that are used, with their faults."""

    HKEY_CURRENT_USER, KEY_SET_VALUE, REG_SZ, REG_EXPAND_SZ, REG_BINARY = 1, 2, 1, 2, 3

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, tuple[object, int]]] = {}

    class Key(dict[str, tuple[object, int]]):
        def __enter__(self) -> "MemoryRegistry.Key":
            return self

        def __exit__(self, *_error: object) -> None:
            return None

    def OpenKey(self, _hive: int, path: str, _reserved: int = 0, _access: int = 0) -> Key:
        return self.keys[path] if path in self.keys else self._missing()

    def CreateKeyEx(self, _hive: int, path: str, _reserved: int = 0, _access: int = 0) -> Key:
        return self.keys.setdefault(path, MemoryRegistry.Key())

    def SetValueEx(self, key: Key, name: str, _reserved: int, kind: int, value: object) -> None:
        key[name] = (value, kind)

    def QueryValueEx(self, key: Key, name: str) -> tuple[object, int]:
        return key[name] if name in key else self._missing()

    def DeleteValue(self, key: Key, name: str) -> None:
        key.pop(name, None) or self._missing()

    def ExpandEnvironmentStrings(self, text: str) -> str:
        return text.replace("%LOCALAPPDATA%", r"C:\Users\a\AppData\Local")

    @staticmethod
    def _missing() -> object:
        raise FileNotFoundError(2, "The system cannot find the file specified")


@pytest.fixture
def registry():
    if sys.platform == "win32":
        pytest.skip("the real registry of the person is left alone")
    return MemoryRegistry()


def test_the_run_key(registry, profile: Profile, program: Path) -> None:
    wanted = Launch((str(program),), ("--profile-dir", r"C:\my profile", "--hidden", "--at-login"))
    one = Autostart(profile, wanted=wanted, entries=RunKey("vxtray", registry), session="1")
    assert one.standing().state is State.OFF
    one.switch(on=False)
    one.switch(on=True)
    assert registry.keys[RUN]["vxtray"] == (rf'{program} --profile-dir "C:\my profile" --hidden --at-login', 1)
    assert (one.standing().state, one.standing().proof) == (State.ON, Proof.PENDING)
    for first, state in ((2, State.ON), (6, State.ON), (3, State.DISABLED), (7, State.DISABLED)):
        registry.CreateKeyEx(1, APPROVED)["vxtray"] = (bytes([first]) + bytes(11), 3)
        assert one.standing().state is state
    assert not one.standing().can_override
    assert one.settle(wish=True) is Action.NOTHING
    one.switch(on=False)
    assert registry.keys[RUN] == {}


def test_a_run_value_that_windows_would_ignore_is_refused(registry) -> None:
    with pytest.raises(AutostartFailed):
        RunKey("vxtray", registry).write(("C:\\" + "long\\" * 60 + "vxtray.exe",))
    assert registry.keys == {}


def test_an_installers_value_is_read_too(registry) -> None:
    registry.CreateKeyEx(1, RUN)["vxtray"] = (r'"%LOCALAPPDATA%\vxtray\vxtray.exe" --hidden', 2)
    assert RunKey("vxtray", registry).read().words == (r"C:\Users\a\AppData\Local\vxtray\vxtray.exe", "--hidden")


@given(st.lists(st.text(st.sampled_from('ab \t"\\é')), min_size=1))
def test_a_windows_command_line_is_split_as_it_was_joined(words: list[str]) -> None:
    assert list(split_command_line(subprocess.list2cmdline(words))) == words


# --- macOS ----------------------------------------------------------------------------------------------------------

SAID = """disabled services = {
\t"com.example.other" => disabled
\t"org.vxtray.vxtray" => enabled
}
"""


def test_the_launch_agent(profile: Profile, program: Path, tmp_path: Path) -> None:
    said = [SAID]
    agent = LaunchAgent("vxtray", tmp_path / "LaunchAgents", lambda: said[0])
    wanted = Launch((str(program),), ("--hidden", "--at-login"))
    one = Autostart(profile, wanted=wanted, entries=agent, session="1")
    one.switch(on=True)
    found = plistlib.loads(agent.path.read_bytes())
    assert found["ProgramArguments"] == [str(program), "--hidden", "--at-login"]
    assert (found["Label"], found["RunAtLoad"]) == ("org.vxtray.vxtray", True)
    assert one.standing().state is State.ON
    said[0] = SAID.replace("enabled", "disabled")
    assert one.standing().state is State.DISABLED
    assert not one.standing().can_override
    said[0] = SAID
    agent.path.write_bytes(plistlib.dumps(found | {"Disabled": True}))
    assert one.standing().state is State.DISABLED
    for broken in (b"<plist><dict>", b"", plistlib.dumps(["a list"]), plistlib.dumps({"ProgramArguments": "text"})):
        agent.path.write_bytes(broken)
        assert one.standing().state is State.MISSING
    one.switch(on=False)
    assert list(agent.path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("said", "off"),
    [
        (SAID, False),
        ('\t"org.vxtray.vxtray" => true\n', True),
        ('\t"xorg.vxtray.vxtray" => disabled\n', False),
        ("", False),
    ],
)
def test_what_launchd_says(said: str, off: bool) -> None:
    assert is_disabled(said, "org.vxtray.vxtray") is off


def test_a_word_that_xml_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AutostartFailed):
        LaunchAgent("vxtray", tmp_path, str).write(("/opt/bell\a/vxtray",))
    assert list(tmp_path.iterdir()) == []
