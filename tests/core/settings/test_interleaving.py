"""Window, commands and an editor change one file in any order: the last written value of each key holds."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from pathlib import Path

import pytest
import tomlkit
from hypothesis import settings as running
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from vxtray.core.settings import keys
from vxtray.core.settings.file import RESET, SettingsFile
from vxtray.core.settings.model import Change, SettingsModel
from vxtray.core.settings.tree import Settings

VALUES: dict[str, st.SearchStrategy[object]] = {
    "smtp.host": st.sampled_from(["", "mail.example.com", "münchen.example.de"]),
    "smtp.port": st.integers(1, 65535),
    "smtp.username": st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=8),
    "smtp.oauth.tenant": st.sampled_from(["", 'quo"ted', "back\\slash", "# no comment", "é"]),
    "smtp.recipients": st.lists(st.sampled_from(["A@example.com", "b@example.org"]), max_size=2).map(tuple),
    "reports.daily.enabled": st.booleans(),
    "reports.monthly.day": st.one_of(st.integers(1, 31), st.just("last")),
    "alerts.quiet_hours.from": st.sampled_from(["00:00", "22:00", "23:59"]),
    "general.theme": st.sampled_from(["auto", "light", "dark"]),
}
CHANGES = st.fixed_dictionaries({}, optional=VALUES)
ONE = st.sampled_from(sorted(VALUES))


class SettingsMachine(RuleBasedStateMachine):
    """Two models on one file, commands, and a person with an editor."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="vxtray-settings-"))
        self.path = self.folder / "settings.toml"
        self.last: dict[str, object] = {}
        self.notes = self.edits = 0
        self.news: list[Change] = []

    @initialize()
    def open_models(self) -> None:
        self.models = [SettingsModel(SettingsFile(self.path)) for _ in range(2)]
        self.models[0].subscribe(self.news.append)

    def remembered(self, changes: dict[str, object]) -> None:
        self.last.update(changes)

    @rule(which=st.integers(0, 1), changes=CHANGES)
    def update(self, which: int, changes: dict[str, object]) -> None:
        shown = self.models[which].update(changes)
        self.remembered(changes)
        assert {key: keys.typed_value(shown, key) for key in changes} == changes

    @rule(changes=CHANGES)
    def command(self, changes: dict[str, object]) -> None:
        SettingsFile(self.path).merge(changes)
        self.remembered(changes)

    @rule(key=ONE)
    def reset(self, key: str) -> None:
        SettingsFile(self.path).merge({key: RESET})
        self.last.pop(key, None)

    @rule(changes=CHANGES, note=st.booleans())
    def edit_by_hand(self, changes: dict[str, object], note: bool) -> None:
        document = tomlkit.parse(self.path.read_text("utf-8") if self.path.exists() else "")
        for key, value in changes.items():
            *folders, name = key.split(".")
            table = document
            for folder in folders:
                table = table.setdefault(folder, tomlkit.table())
            table[name] = list(value) if isinstance(value, tuple) else value
        text = tomlkit.dumps(document)
        if note:
            self.notes += 1
            text = f"# note {self.notes}\n{text}"
        self.path.write_text(text, encoding="utf-8")
        self.edits += 1  # a person is slower than the clock of the file system, whose steps are milliseconds
        os.utime(self.path, ns=(time.time_ns(), time.time_ns() + self.edits * 10_000_000))
        self.remembered(changes)

    @rule(which=st.integers(0, 1))
    def reload(self, which: int) -> None:
        assert self.models[which].reload() == SettingsFile(self.path).read().settings

    @rule(which=st.integers(0, 1))
    def look(self, which: int) -> None:
        self.models[which].reload_if_changed()

    @invariant()
    def the_last_written_value_holds(self) -> None:
        found = SettingsFile(self.path).read().settings
        expected = {key: self.last.get(key, keys.LEAVES[key].default) for key in keys.LEAVES}
        assert {key: keys.typed_value(found, key) for key in keys.LEAVES} == expected

    def teardown(self) -> None:
        found = SettingsFile(self.path).read().settings
        for model in getattr(self, "models", []):
            model.reload_if_changed()
            assert model.current == found
        shown = Settings()
        for change in self.news:
            assert change.before == shown
            assert change.keys == keys.differences(change.before, change.after) != {}
            shown = change.after
        text = self.path.read_text("utf-8") if self.path.exists() else ""
        assert [n for n in range(1, self.notes + 1) if f"# note {n}\n" not in text] == []
        left = {path.name for path in self.folder.iterdir()}
        assert left <= {"settings.toml", "settings.toml.good", "settings.toml.lock"}
        shutil.rmtree(self.folder)


TestInterleaving = SettingsMachine.TestCase
TestInterleaving.settings = running(max_examples=40, stateful_step_count=15, deadline=None)


@pytest.mark.parametrize("attempt", range(5))
def test_three_commands_at_once_all_take_effect(profile, attempt: int) -> None:
    cadences = ("daily", "weekly", "monthly")
    base = [sys.executable, "-m", "vxtray", "--profile-dir", str(profile.config), "settings", "set"]
    running_now = [
        subprocess.Popen([*base, f"reports.{cadence}.enabled=true"], stderr=subprocess.PIPE, text=True)
        for cadence in cadences
    ]
    ended = [(process.communicate(timeout=30)[1], process.returncode) for process in running_now]
    assert ended == [("", 0)] * 3
    raw = tomllib.loads(profile.settings_file.read_text("utf-8"))
    assert raw["reports"] == {cadence: {"enabled": True} for cadence in cadences}


def test_many_writers_in_turns_lose_nothing(profile) -> None:
    """Threads with a file object each, as processes would be: the lock is between file objects."""
    wanted = {f"smtp.oauth.{name}": f"{name} 5" for name in ("client_id", "tenant")} | {"smtp.username": "user 5"}

    def write(key: str, value: str) -> None:
        for n in range(6):
            SettingsFile(profile.settings_file).merge({key: f"{value[:-1]}{n}"})

    threads = [threading.Thread(target=write, args=item) for item in wanted.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = SettingsFile(profile.settings_file).read().settings
    assert {key: keys.typed_value(found, key) for key in wanted} == wanted
