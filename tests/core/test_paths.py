"""Where things are kept, and for whose eyes."""

import os
import stat
from pathlib import Path

import pytest

from vxtray.core import paths
from vxtray.core.paths import Profile, private_folder, resource


def test_the_default_profile_is_in_the_persons_folders(isolation: Path, monkeypatch) -> None:
    profile = Profile.default()
    assert profile.config == isolation / ".config" / "vxtray"
    assert profile.state == isolation / ".local" / "state" / "vxtray"
    assert profile.logs.is_relative_to(profile.state)
    assert profile.runtime == Path(os.environ["XDG_RUNTIME_DIR"]) / "vxtray"
    assert len(os.fsencode(profile.control_address)) <= 100
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert Profile.default().runtime == profile.state / "run"
    assert not any(isolation.rglob("vxtray"))


def test_a_profile_folder_holds_everything(tmp_path: Path) -> None:
    profile = Profile.under(tmp_path / "p")
    for path in (
        profile.settings_file,
        profile.outbox_file,
        profile.events_file,
        profile.log_file,
        profile.instance_lock,
        profile.control_key,
        Path(profile.control_address),
    ):
        assert path.is_relative_to(tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_one_folder_is_one_profile_however_it_is_written(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    assert Profile.under(tmp_path / "link") == Profile.under(Path("real")) == Profile.under(tmp_path / "x/../real")
    assert Profile.under(Path("~/x")) == Profile.under(Path.home() / "x")


def test_where_the_path_is_too_long_a_file_names_the_socket(tmp_path: Path) -> None:
    """Which ``control`` writes; before, nobody listens anywhere."""
    profile = Profile.under(tmp_path / ("é" * 60) / "a")
    assert not Path(profile.control_address).exists()
    profile.state.mkdir(parents=True)
    profile.control_place.write_text("/tmp/vxtray-x/control.sock", "utf-8")
    assert profile.control_address == "/tmp/vxtray-x/control.sock"
    assert Profile.under(tmp_path).control_address.startswith(str(tmp_path / "run")), "short enough"


def test_folders_are_the_owners_only_with_their_parents(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        assert private_folder(tmp_path / "a" / "b" / "c") == tmp_path / "a" / "b" / "c"
        private_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(mask)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b", "a/b/c")} == {0o700}


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match=r"exists|Not a directory"):
            private_folder(place)


def test_resources_are_found_in_a_checkout_and_in_a_bundle(tmp_path: Path, monkeypatch) -> None:
    assert (resource("i18n/fr/LC_MESSAGES")).is_dir()
    with pytest.raises(FileNotFoundError, match="lacks the resource icons/none"):
        resource("icons/none.svg")
    (tmp_path / "vxtray" / "_resources").mkdir(parents=True)
    (tmp_path / "vxtray" / "_resources" / "only-here").touch()
    monkeypatch.setattr(paths.sys, "_MEIPASS", str(tmp_path), raising=False)
    assert resource("only-here").is_relative_to(tmp_path)
