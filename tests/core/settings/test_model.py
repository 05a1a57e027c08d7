"""The model: one owner, one change at a time, told once."""

import resource
import threading

import pytest

from vxtray.core.errors import SettingsBroken, SettingsInvalid, SettingsNotSaved
from vxtray.core.settings.file import RESET, Loaded, SettingsFile
from vxtray.core.settings.model import Change, SettingsModel


@pytest.fixture
def model(file: SettingsFile) -> SettingsModel:
    return SettingsModel(file)


@pytest.fixture
def heard(model: SettingsModel) -> list[Change]:
    changes: list[Change] = []
    model.subscribe(changes.append)
    return changes


def test_another_thread_may_not_change_it(model, heard) -> None:
    faults: list[BaseException] = []

    def work() -> None:
        for act in (lambda: model.update({"smtp.port": 25}), model.reload):
            try:
                act()
            except RuntimeError as error:
                faults.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ["belongs to another thread" in str(fault) for fault in faults] == [True, True]
    assert (model.current.smtp.port, heard, model.file.path.exists()) == (587, [], False)


def test_several_keys_are_one_change(model, heard) -> None:
    before = model.current
    returned = model.update({"smtp.port": 25, "smtp.host": "mail.example.com", "general.theme": "dark"})
    (change,) = heard
    assert (change.before, change.after, returned) == (before, model.current, model.current)
    assert change.keys == {
        "smtp.host": ("", "mail.example.com"),
        "smtp.port": (587, 25),
        "general.theme": ("auto", "dark"),
    }
    assert before.smtp.port == 587, "a snapshot never changes"


def test_an_equal_value_is_no_change(model, heard) -> None:
    model.update({"smtp.port": 587})
    model.update({"smtp.port": "587", "reports.daily.enabled": "off"})
    model.update({"smtp.host": RESET})
    model.update({})
    assert heard == []


def test_a_listener_hears_until_it_leaves(model) -> None:
    first: list[Change] = []
    second: list[Change] = []
    leave = model.subscribe(first.append)
    model.subscribe(second.append)
    model.update({"smtp.port": 25})
    leave()
    leave()
    model.update({"smtp.port": 26})
    assert (len(first), len(second)) == (1, 2)


def test_a_refused_or_failed_change_leaves_all_as_it_was(model, heard) -> None:
    model.update({"smtp.host": "mail.example.com"})
    heard.clear()
    before, text = model.current, model.file.path.read_bytes()
    with pytest.raises(SettingsInvalid):
        model.update({"smtp.host": "other.example.com", "smtp.port": 0})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(SettingsNotSaved):
            model.update({"smtp.host": "other.example.com"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (model.current, heard, model.file.path.read_bytes()) == (before, [], text)


def test_what_others_changed_comes_along(model, heard) -> None:
    other = SettingsFile(model.file.path)
    other.merge({"smtp.port": 25})
    model.update({"smtp.host": "mail.example.com"})
    assert set(heard[0].keys) == {"smtp.port", "smtp.host"}


def test_a_change_on_disk_is_noticed_once(model, heard) -> None:
    assert not model.reload_if_changed()
    SettingsFile(model.file.path).merge({"smtp.port": 25})
    assert model.current.smtp.port == 587
    assert model.reload_if_changed()
    assert not model.reload_if_changed()
    assert [change.keys for change in heard] == [{"smtp.port": (587, 25)}]
    model.update({"smtp.port": 26})
    assert not model.reload_if_changed(), "its own change is no news"
    model.file.path.unlink()
    assert model.reload_if_changed()
    assert model.current.smtp.port == 587


def test_an_edit_right_after_its_own_save_is_noticed(profile) -> None:
    class Edited(SettingsFile):
        def _save(self, content: bytes, before: bytes) -> bool:
            saved = super()._save(content, before)
            with self.path.open("ab") as editor:
                editor.write(b"\n[general]\ntheme = 'dark'\n")
            return saved

    model = SettingsModel(Edited(profile.settings_file))
    model.update({"smtp.port": 25})
    assert model.reload_if_changed()
    assert (model.current.smtp.port, model.current.general.theme) == (25, "dark")


def test_a_broken_file_leaves_what_is_in_force_and_is_told_and_its_repair_too(model, heard) -> None:
    model.update({"smtp.host": "mail.example.com"})
    good = model.file.path.read_bytes()
    heard.clear()
    model.file.path.write_bytes(b"[smtp")
    assert model.reload_if_changed()
    assert isinstance(model.loaded.trouble, SettingsBroken)
    assert model.current.smtp.host == "mail.example.com"
    model.file.path.write_bytes(good)
    assert model.reload_if_changed()
    assert model.loaded == Loaded(model.current)
    assert [change.keys for change in heard] == [{}, {}]


def test_an_edit_by_hand_outlives_a_second_one_that_breaks_the_file(model) -> None:
    model.update({"smtp.host": "mail.example.com"})
    with model.file.path.open("ab") as editor:
        editor.write(b"port = 26\n")
    assert model.reload_if_changed()
    with model.file.path.open("ab") as editor:
        editor.write(b"[broken")
    assert model.reload_if_changed()
    assert model.current.smtp.port == 26
    assert SettingsModel(SettingsFile(model.file.path)).current.smtp.port == 26, "a start finds it too"
    model.update({"smtp.username": "anna"})
    now = model.file.read().settings
    assert now == model.current
    assert (now.smtp.host, now.smtp.port, now.smtp.username) == ("mail.example.com", 26, "anna")


def test_a_start_with_a_wrong_file_tells_it(file) -> None:
    file.path.parent.mkdir()
    file.path.write_text("[smtp]\nport = 0\n")
    model = SettingsModel(file)
    assert isinstance(model.loaded.trouble, SettingsInvalid)
    assert model.current.smtp.port == 587
    assert not file.path.with_name("settings.toml.good").exists()


def test_an_emptied_file_leaves_what_is_in_force(model, heard) -> None:
    model.update({"smtp.host": "mail.example.com"})
    heard.clear()
    model.file.path.write_bytes(b"")
    assert model.reload_if_changed()
    assert isinstance(model.loaded.trouble, SettingsBroken)
    assert model.current.smtp.host == "mail.example.com"
    assert SettingsModel(SettingsFile(model.file.path)).current.smtp.host == "mail.example.com", "a start finds it too"
    model.update({"smtp.port": 26})
    assert model.current.smtp.host == "mail.example.com"
    assert model.loaded.trouble is not None, "told until the next look"
    assert model.file.read().settings == model.current
