"""Settings as a file of their own: nothing secret leaves, what comes in is first a plan, and each is one change."""

import os
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxtray.core.errors import FileError, FileNotWritten, SettingsBroken, SettingsInvalid, UsageError
from vxtray.core.events import Severity
from vxtray.core.settings import keys, portable
from vxtray.core.settings.file import RESET, SettingsFile
from vxtray.core.settings.model import SettingsModel
from vxtray.core.settings.tree import LogFile, Settings

CHANGED = {
    "smtp.host": "smtp.example.com",
    "smtp.recipients": ("a@example.com", "b@example.com"),
    "alerts.minimum_severity": Severity.HIGH,
    "alerts.quiet_hours.from": "21:30",
    "reports.monthly.day": "last",
    "sources.files": (LogFile(path="/var/log/fail2ban.log", zone="Europe/Paris"),),
    "store.retention_days": 90,
    "general.language": "fr",
}


@pytest.fixture
def model(tmp_path: Path) -> SettingsModel:
    made = SettingsModel(SettingsFile(tmp_path / "profile" / "settings.toml"))
    made.update(CHANGED)
    return made


def test_a_file_takes_every_setting_to_another_machine(model: SettingsModel, tmp_path: Path) -> None:
    file = tmp_path / "all.toml"
    portable.export_file(model.current, file)
    assert {key for key, _value in keys.flatten(tomllib.loads(file.read_text()))} >= set(keys.LEAVES)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    other = SettingsModel(SettingsFile(tmp_path / "other" / "settings.toml"))
    plan = portable.plan(other.current, portable.read_settings(file, portable.read_file(file)))
    assert set(plan.changes) == set(CHANGED)
    assert plan.unknown == ()
    other.update(plan.forth)
    assert other.current == model.current
    other.update(plan.back)
    assert other.current == Settings()
    assert portable.plan(model.current, tomllib.loads(file.read_text())).changes == {}


def test_no_secret_leaves_by_way_of_an_address(model: SettingsModel) -> None:
    model.update({"sources.vigilancex.url": "https://admin:s3cr3t@vx.example.com/api?x=a@b"})
    text = portable.export_text(model.current)
    assert "s3cr3t" not in text
    assert tomllib.loads(text)["sources"]["vigilancex"]["url"] == "https://vx.example.com/api?x=a@b"
    assert "password" not in {key.rpartition(".")[2] for key, _value in keys.flatten(tomllib.loads(text))}


def test_what_a_file_leaves_out_becomes_the_default(model: SettingsModel) -> None:
    plan = portable.plan(model.current, {"smtp": {"host": "other.example.com"}, "weather": "fine"})
    assert plan.changes["smtp.host"] == ("smtp.example.com", "other.example.com")
    assert plan.changes["store.retention_days"] == (90, 400)
    assert plan.forth["store.retention_days"] is RESET
    assert plan.unknown == ("weather",)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"[smtp\nhost", SettingsBroken),
        (b"\xff\xfe", SettingsBroken),
        (b"", UsageError),
        (b"version = 1\n[weather]\nx = 1", UsageError),
        (b"[smtp]\nport = 'many'", SettingsInvalid),
        (b"version = 999", SettingsInvalid),
    ],
)
def test_a_file_that_is_none_of_ours_changes_nothing(content: bytes, fault: type[Exception]) -> None:
    with pytest.raises(fault):
        portable.plan(Settings(), portable.read_settings(Path("x.toml"), content))


def test_a_log_chosen_by_mistake_is_not_read_whole(tmp_path: Path) -> None:
    log = tmp_path / "huge.log"
    with log.open("wb") as file:
        file.truncate(8 * 1024**3)
    with pytest.raises(FileError):
        portable.read_file(log)
    for wrong in (tmp_path, tmp_path / "missing.toml"):
        with pytest.raises(FileError):
            portable.read_file(wrong)


def test_an_export_never_replaces_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotWritten):
        portable.export_file(Settings(), tmp_path / "no such folder" / "x.toml")
    assert list(tmp_path.iterdir()) == []
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    portable.export_file(Settings(), pipe)
    assert b"[smtp]" in os.read(reader, 65536)
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@given(st.sampled_from(["smtp", "reports", "alerts", "sources", "desktop", "store", "general", "alerts.quiet_hours"]))
def test_a_section_begins_anew_and_comes_back(section: str) -> None:
    now, _unknown = keys.build(tomllib.loads(portable.export_text(_with(CHANGED))))
    plan = portable.start_over(now, section)
    assert set(plan.changes) == {key for key in CHANGED if key.startswith(section + ".")}
    assert set(plan.forth.values()) <= {RESET}
    for key, before in plan.back.items():
        assert keys.convert(key, before) == CHANGED[key]


def _with(changes: dict[str, object]) -> Settings:
    raw: dict[str, object] = {}
    for key, value in changes.items():
        keys.put(raw, key, keys.convert(key, value))
    import msgspec

    return keys.build(msgspec.to_builtins(raw))[0]


def test_the_file_says_only_what_a_person_chose(model: SettingsModel) -> None:
    plan = portable.start_over(model.current, "smtp")
    model.update(plan.forth)
    assert "smtp.example.com" not in model.file.path.read_text()
    model.update(plan.back)
    assert model.current.smtp.host == "smtp.example.com"
    with pytest.raises(UsageError):
        portable.start_over(model.current, "nonsense")
