"""The settings file: durable, kept readable for a person, and never lost, whatever is in it."""

import contextlib
import os
import re
import resource
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from vxtray.core import texts
from vxtray.core.errors import ProgramBusy, SettingsBroken, SettingsInvalid, SettingsNotSaved, UsageError
from vxtray.core.settings import file as settings_file
from vxtray.core.settings import migrations, tree
from vxtray.core.settings.file import RESET, SettingsFile
from vxtray.core.settings.tree import Settings

BY_HAND = """\
# Our mail server; ask Anna before changing it.
version = 1

[reports.daily]  # sent to the board
time = "07:30"
enabled = true

[smtp]
port = 25       # no TLS in this network
host = "mail.example.com"
colour = "blue" # of another program
"""


def written(file: SettingsFile, text: str | bytes) -> None:
    file.path.parent.mkdir(parents=True, exist_ok=True)
    file.path.write_bytes(text if isinstance(text, bytes) else text.encode())


def content(file: SettingsFile) -> str:
    return file.path.read_text("utf-8")


@contextlib.contextmanager
def no_room_beyond(size: int) -> Iterator[None]:
    """Let writes beyond a size fail, as they do on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# --- saving -----------------------------------------------------------------------------------------------------------


def test_no_file_means_the_defaults_and_makes_none(file, profile) -> None:
    loaded = file.read()
    assert (loaded.settings, loaded.unknown, loaded.trouble) == (Settings(), (), None)
    assert not profile.config.exists()


def test_what_is_saved_is_private_and_leaves_nothing_else(file, beside) -> None:
    before = os.umask(0o022)
    try:
        file.merge({"smtp.host": "mail.example.com"})
    finally:
        os.umask(before)
    assert beside() == ["", ".good", ".lock"]
    for path in file.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_a_save_is_on_the_disk_before_it_counts(file, monkeypatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def seen_fsync(handle: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "bytes")
        fsync(handle)

    def seen_replace(source: str, target: Path) -> None:
        steps.append(f"rename to {Path(target).name}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(os, "replace", seen_replace)
    file.merge({"smtp.port": 25})
    assert steps[:3] == ["bytes", "rename to settings.toml", "folder"]
    assert steps[3:] == ["bytes", "rename to settings.toml.good", "folder"]


def test_a_full_disk_leaves_the_old_file(file, beside) -> None:
    file.merge({"smtp.host": "mail.example.com"})
    before = content(file)
    with no_room_beyond(20), pytest.raises(SettingsNotSaved) as caught:
        file.merge({"smtp.port": 25})
    assert "File too large" in texts.title(caught.value, "en")
    assert str(file.path) in texts.advice(caught.value, "en")
    assert content(file) == before
    assert beside() == ["", ".good", ".lock"]
    file.merge({"smtp.port": 25})
    assert file.read().settings.smtp.port == 25


def test_a_folder_that_cannot_be_made_is_told(tmp_path) -> None:
    (tmp_path / "profile").write_text("a file in the way")
    file = SettingsFile(tmp_path / "profile" / "settings.toml")
    with pytest.raises(SettingsNotSaved):
        file.merge({"smtp.port": 25})
    assert file.read_or_last_good().settings == Settings()


def test_a_spare_copy_that_cannot_be_written_does_not_undo_the_save(file) -> None:
    file.path.parent.mkdir()
    (file.path.parent / "settings.toml.good").mkdir()
    assert file.merge({"smtp.port": 25}).settings.smtp.port == 25
    assert file.read().settings.smtp.port == 25


def test_a_change_of_nothing_does_not_touch_the_file(file) -> None:
    file.merge({"smtp.port": 25})
    stamp = file.stamp()
    file.merge({"smtp.port": "25"})
    file.merge({"smtp.host": RESET})
    assert file.stamp() == stamp


def test_who_waits_too_long_for_the_lock_is_told(file, monkeypatch) -> None:
    monkeypatch.setattr(settings_file, "_LOCK_SECONDS", 0.05)
    with file._locked(), pytest.raises(ProgramBusy, match="holds the settings file"):
        SettingsFile(file.path).merge({"smtp.port": 25})


# --- for people -------------------------------------------------------------------------------------------------------


def test_comments_order_and_unknown_keys_are_kept(file) -> None:
    written(file, BY_HAND)
    assert file.read().unknown == ("smtp.colour",)
    loaded = file.merge({"smtp.port": 587, "reports.daily.enabled": False, "general.theme": "dark"})
    assert loaded.unknown == ("smtp.colour",)
    expected = BY_HAND.replace("port = 25 ", "port = 587 ").replace("enabled = true", "enabled = false")
    assert content(file).startswith(expected)
    assert content(file).removeprefix(expected).split() == ["[general]", "theme", "=", '"dark"']


def test_line_ends_of_windows_and_its_byte_order_mark(file) -> None:
    written(file, b"\xef\xbb\xbf" + BY_HAND.replace("\n", "\r\n").encode())
    loaded = file.merge({"smtp.port": 587})
    assert (loaded.settings.smtp.port, loaded.settings.smtp.host) == (587, "mail.example.com")
    assert "# Our mail server; ask Anna before changing it.\r\n" in file.path.read_bytes().decode()


@pytest.mark.parametrize(
    "layout",
    [
        "smtp.port = 25\nreports.daily.time = '07:30'\n",
        "smtp = { port = 25, host = 'mail.example.com' }\n",
        "reports = { daily = { enabled = true } }\n[smtp]\nport = 25\n",
        "[smtp.oauth]\ntenant = 'x'\n[reports.daily]\nenabled = true\n[smtp]\nport = 25\n",
        "[[sources.files]]\npath = '/var/log/a'\n[[sources.files]]\npath = '/var/log/b'\n",
        "['smtp']\n'port' = 25\n",
        "[smtp]\nport = 0x19\n\n# the end",
        "",
        "\n# nothing but a comment",
    ],
)
def test_any_layout_can_be_merged_into(file, layout) -> None:
    written(file, layout)
    before = file.read().settings
    changes = {"smtp.security": "tls", "smtp.oauth.tenant": "contoso", "reports.daily.time": "06:00"}
    files = ({"path": "/var/log/c"},)
    after = file.merge({**changes, "sources.files": files}).settings
    assert file.read().settings == after
    assert (after.smtp.security, after.smtp.oauth.tenant, after.reports.daily.time) == ("tls", "contoso", "06:00")
    assert [item.path for item in after.sources.files] == ["/var/log/c"]
    assert (after.smtp.port, after.smtp.host) == (before.smtp.port, before.smtp.host)
    assert after.reports.daily.enabled == before.reports.daily.enabled
    assert "#" not in layout or layout.strip().splitlines()[-1] in content(file)


def test_reset_takes_a_key_out_of_the_file(file) -> None:
    written(file, BY_HAND)
    assert file.merge({"smtp.port": RESET, "smtp.username": RESET, "alerts.critical": RESET}).settings.smtp.port == 587
    assert content(file) == re.sub(r"port = .*\n", "", BY_HAND)


# --- wrong contents ---------------------------------------------------------------------------------------------------


def test_a_wrong_value_by_hand_is_named_and_the_last_good_ones_hold(file) -> None:
    file.merge({"smtp.host": "mail.example.com"})
    written(file, content(file) + "port = 70000\n")
    with pytest.raises(SettingsInvalid, match=r"smtp\.port cannot be “70000”: it must be a number from"):
        file.read()
    loaded = file.read_or_last_good()
    assert isinstance(loaded.trouble, SettingsInvalid)
    assert (loaded.settings.smtp.host, loaded.settings.smtp.port) == ("mail.example.com", 587)
    before = content(file)
    with pytest.raises(SettingsInvalid, match=r"smtp\.port"):
        file.merge({"general.theme": "dark"})
    assert content(file) == before
    assert file.merge({"smtp.port": 25}).settings.smtp.host == "mail.example.com"


def test_a_refused_change_leaves_the_file(file) -> None:
    file.merge({"smtp.host": "mail.example.com"})
    before = file.stamp()
    with pytest.raises(SettingsInvalid):
        file.merge({"smtp.host": "other.example.com", "smtp.port": 0})
    with pytest.raises(UsageError):
        file.merge({"smtp.host": "other.example.com", "smtp.prot": 25})
    assert file.stamp() == before


BROKEN = [b"[smtp\nhost = 1", b"\xff\xfe\x00binary", b"a = 1\na = 2\n", b"x = " + b"[" * 5000, b"smtp.host = 08:00"]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_is_kept_aside_and_the_last_good_one_goes_on(file, beside, broken) -> None:
    file.merge({"smtp.host": "mail.example.com", "alerts.new_ban": True})
    written(file, broken)
    with pytest.raises(SettingsBroken) as caught:
        file.read()
    assert str(file.path) in texts.advice(caught.value, "en")
    assert file.read_or_last_good().settings.smtp.host == "mail.example.com"
    assert file.path.read_bytes() == broken, "reading changes nothing"

    loaded = file.merge({"smtp.port": 25})
    assert isinstance(loaded.trouble, SettingsBroken)
    now = file.read().settings
    assert (now.smtp.host, now.smtp.port, now.alerts.new_ban) == ("mail.example.com", 25, True)
    (aside,) = file.path.parent.glob("settings.toml.broken-*")
    assert aside.read_bytes() == broken
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    assert not [name for name in beside() if name.endswith(".new")]


def test_two_broken_files_in_one_second_are_both_kept(file) -> None:
    for broken in (b"[first", b"[second"):
        written(file, broken)
        file.merge({"smtp.port": 25})
    kept = {path.read_bytes() for path in file.path.parent.glob("settings.toml.broken-*")}
    assert kept == {b"[first", b"[second"}


def test_a_broken_file_and_a_broken_spare_copy_mean_the_defaults(file) -> None:
    written(file, "[smtp")
    file.path.with_name("settings.toml.good").write_bytes(b"[also")
    assert file.read_or_last_good().settings == Settings()
    assert file.merge({"smtp.port": 25}).settings.smtp.port == 25
    assert file.read().settings.smtp.port == 25


def test_a_folder_in_the_place_of_the_file(file) -> None:
    file.path.mkdir(parents=True)
    with pytest.raises(SettingsBroken, match="Is a directory"):
        file.read()
    with pytest.raises(SettingsBroken):
        file.merge({"smtp.port": 25})


# --- versions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2", "99", "0", "-1", '"a/b"', "true", "1.5"])
def test_a_file_of_another_world_is_refused_clearly_and_stays(file, beside, version) -> None:
    written(file, f"version = {version}\n[smtp]\nport = 25\n")
    before = content(file)
    for act in (file.read, lambda: file.merge({"smtp.port": 26})):
        with pytest.raises(SettingsInvalid) as caught:
            act()
        assert "understands settings up to version 1" in texts.title(caught.value, "en")
    assert content(file) == before
    assert beside() in ([""], ["", ".lock"])


@pytest.fixture
def version_two(monkeypatch) -> None:
    """Let this program be one version newer: what was ``mail`` is called ``smtp`` since then."""

    def step(raw: dict[str, object]) -> dict[str, object]:
        return {"smtp" if name == "mail" else name: value for name, value in raw.items()}

    for module in (tree, settings_file, migrations):
        monkeypatch.setattr(module, "VERSION", 2)
    monkeypatch.setitem(migrations.STEPS, 1, step)


OLD = "version = 1\nfuture = 'kept'\n[mail]\nhost = 'mail.example.com' # old\nport = 25\n"


@pytest.mark.usefixtures("version_two")
def test_an_older_file_is_understood_and_rewritten_at_the_first_change(file) -> None:
    written(file, OLD)
    loaded = file.read()
    assert (loaded.settings.smtp.host, loaded.settings.smtp.port) == ("mail.example.com", 25)
    assert content(file) == OLD, "reading changes nothing"

    assert file.merge({"smtp.port": 26}).settings.smtp.host == "mail.example.com"
    assert tomllib.loads(content(file)) == {
        "version": 2,
        "future": "kept",
        "smtp": {"host": "mail.example.com", "port": 26},
    }
    (aside,) = file.path.parent.glob("settings.toml.version-1-*")
    assert aside.read_text() == OLD
    assert file.read().settings.smtp.port == 26


@pytest.mark.usefixtures("version_two")
def test_an_older_spare_copy_is_understood_too(file) -> None:
    written(file, "[broken")
    file.path.with_name("settings.toml.good").write_text(OLD)
    assert file.read_or_last_good().settings.smtp.host == "mail.example.com"
    assert file.merge({"smtp.port": 26}).settings.smtp.host == "mail.example.com"
    assert file.read().settings.smtp.host == "mail.example.com"


@pytest.mark.usefixtures("version_two")
def test_an_older_export_can_be_imported(file) -> None:
    file.replace(tomllib.loads(OLD))
    assert (file.read().settings.smtp.host, file.read().settings.smtp.port) == ("mail.example.com", 25)


def test_an_import_takes_the_place_of_all(file) -> None:
    file.merge({"smtp.host": "mail.example.com", "alerts.new_ban": True})
    loaded = file.replace({"smtp": {"port": 25}, "weather": "fine"})
    assert (loaded.unknown, file.read().settings.smtp.port) == (("weather",), 25)
    assert (file.read().settings.smtp.host, file.read().settings.alerts.new_ban) == ("", False)
    with pytest.raises(SettingsInvalid, match=r"smtp\.port"):
        file.replace({"smtp": {"port": 0}})
    assert file.read().settings.smtp.port == 25


# --- between read and rename ------------------------------------------------------------------------------------------


def test_a_hand_edit_between_read_and_rename_is_not_lost(file, monkeypatch) -> None:
    file.merge({"smtp.host": "mail.example.com"})
    write, edits = settings_file.write_durably, [b"", b"port = 26\n", b"username = 'anna'\n"]

    def write_after_an_edit(path, content, **more):
        if edits and path == file.path:
            with file.path.open("ab") as editor:
                editor.write(edits.pop())
        return write(path, content, **more)

    monkeypatch.setattr(settings_file, "write_durably", write_after_an_edit)
    smtp = file.merge({"smtp.from_name": "Reports"}).settings.smtp
    assert edits == []
    assert (smtp.host, smtp.port, smtp.username, smtp.from_name) == ("mail.example.com", 26, "anna", "Reports")
    assert file.read().settings.smtp == smtp


def test_an_edit_that_breaks_the_file_in_between_is_kept_aside(file, monkeypatch) -> None:
    file.merge({"smtp.host": "mail.example.com"})
    write, edits = settings_file.write_durably, [b"[broken"]

    def write_after_an_edit(path, content, **more):
        if edits and path == file.path:
            file.path.write_bytes(edits.pop())
        return write(path, content, **more)

    monkeypatch.setattr(settings_file, "write_durably", write_after_an_edit)
    assert file.merge({"smtp.port": 26}).settings.smtp.host == "mail.example.com"
    (aside,) = file.path.parent.glob("settings.toml.broken-*")
    assert aside.read_bytes() == b"[broken"


def test_an_editor_that_empties_before_it_fills_gets_its_time(file, monkeypatch) -> None:
    file.merge({"smtp.host": "mail.example.com"})
    filled = content(file) + "port = 26\n"
    written(file, b"")
    monkeypatch.setattr(settings_file.time, "sleep", lambda _seconds: written(file, filled))
    smtp = file.merge({"smtp.username": "anna"}).settings.smtp
    assert (smtp.host, smtp.port, smtp.username) == ("mail.example.com", 26, "anna")


# --- emptied, or taken away -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nothing", [b"", b"\n \n"])
def test_an_emptied_file_is_no_wish_for_the_defaults(file, nothing) -> None:
    file.merge({"smtp.host": "mail.example.com", "alerts.new_ban": True})
    written(file, nothing)
    with pytest.raises(SettingsBroken, match="it is empty"):
        file.read()
    loaded = file.read_or_last_good()
    assert isinstance(loaded.trouble, SettingsBroken)
    assert loaded.settings.smtp.host == "mail.example.com"
    loaded = file.merge({"smtp.port": 25})
    assert isinstance(loaded.trouble, SettingsBroken)
    assert loaded.from_good
    assert loaded.kept is not None
    assert loaded.kept.read_bytes() == nothing
    now = file.read().settings
    assert (now.smtp.host, now.smtp.port, now.alerts.new_ban) == ("mail.example.com", 25, True)


def test_reading_waits_for_an_editor_too(file, monkeypatch) -> None:
    file.merge({"smtp.host": "mail.example.com"})
    filled = content(file)
    for begin in (lambda: written(file, b""), file.path.unlink):
        begin()
        monkeypatch.setattr(settings_file.time, "sleep", lambda _seconds: written(file, filled))
        loaded = file.read_or_last_good()
        assert (loaded.trouble, loaded.settings.smtp.host) == (None, "mail.example.com")


def test_a_file_taken_away_begins_anew_and_its_copy_is_kept(file) -> None:
    file.merge({"smtp.host": "mail.example.com"})
    before = file.path.read_bytes()
    file.path.unlink()
    assert file.read().settings == Settings()
    assert file.merge({"smtp.port": 25}).settings.smtp.host == ""
    (aside,) = file.path.parent.glob("settings.toml.before-*")
    assert aside.read_bytes() == before
    file.merge({"smtp.port": 26})
    assert len(list(file.path.parent.glob("settings.toml.before-*"))) == 1


def test_an_import_keeps_a_broken_file_aside(file) -> None:
    file.merge({"smtp.host": "mail.example.com"})
    written(file, b"[broken")
    assert file.replace({"smtp": {"port": 25}}).kept is not None
    (aside,) = file.path.parent.glob("settings.toml.broken-*")
    assert aside.read_bytes() == b"[broken"


@pytest.mark.parametrize("key", ["smtp.port", "smtp.oauth.tenant"])
def test_a_value_where_a_section_belongs_can_be_mended(file, key) -> None:
    written(file, "smtp = 1\n")
    assert file.merge({key: "25"}).settings.smtp.host == ""
    written(file, "smtp = 1\nalerts = {new_ban = true}\n")
    assert file.merge({key: RESET}).settings.alerts.new_ban


def test_a_broken_line_is_named_in_both_languages(file) -> None:
    written(file, "version = 1\n[smtp\n")
    with pytest.raises(SettingsBroken) as caught:
        file.read()
    assert "line 2, column 6" in texts.title(caught.value, "en")
    assert "line 2" in str(caught.value), "the log says it too"
    assert "ligne\N{NO-BREAK SPACE}2" in texts.title(caught.value, "fr")


def test_a_wrong_value_tells_how_to_be_rid_of_it(file) -> None:
    written(file, "[smtp]\nport = 0\n")
    with pytest.raises(SettingsInvalid) as caught:
        file.read()
    advice = texts.advice(caught.value, "en")
    assert str(file.path) in advice
    assert "vxtray settings reset smtp.port" in advice
    assert file.merge({"smtp.port": RESET}).settings.smtp.port == 587
