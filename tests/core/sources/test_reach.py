"""When a followed file that cannot be read is trouble: at once, or only when it stays away."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.sources.following import Follower, append
from vxtray.core import texts
from vxtray.core.errors import LogFileError
from vxtray.core.sources import reach
from vxtray.core.sources.follower import FileSource

as_other_user = pytest.mark.skipif(not hasattr(os, "seteuid") or os.getuid() != 0, reason="only root may be another")


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "GRACE_SECONDS", 0.0)


@pytest.fixture
def another_user() -> Iterator[None]:
    """Be a user who may not read what root alone may."""
    os.seteuid(65534)
    yield
    os.seteuid(0)


def trouble_of(follower: Follower) -> LogFileError | None:
    assert isinstance(follower.source, FileSource)
    error = follower.source.health().trouble
    assert error is None or isinstance(error, LogFileError)
    return error


def test_a_file_that_never_was_there_is_trouble_at_once(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "missing.log")
    error = trouble_of(follower)
    assert error is not None
    assert texts.title(error, "en") == f"There is no file {tmp_path}/missing.log."
    assert "Check the name" in texts.advice(error, "en")
    append(tmp_path / "missing.log", b"one")
    assert follower.look() == [b"one"]
    assert trouble_of(follower) is None
    follower.end()


def test_a_file_that_was_there_may_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.log"
    append(path, b"one")
    follower = Follower(path)
    path.unlink()
    follower.look()
    assert trouble_of(follower) is None, "a rotation may be under way"
    monkeypatch.setattr(reach, "GRACE_SECONDS", 0.0)
    assert trouble_of(follower) is not None
    append(path, b"two")
    follower.look()
    assert trouble_of(follower) is None
    monkeypatch.undo()
    path.unlink()
    follower.look()
    assert trouble_of(follower) is None, "the time begins anew"
    follower.end()


def test_a_pattern_without_a_file_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = Follower(tmp_path / "*.log")
    assert trouble_of(follower) is None
    monkeypatch.setattr(reach, "GRACE_SECONDS", 0.0)
    error = trouble_of(follower)
    assert error is not None
    assert texts.title(error, "en") == f"No file matches {tmp_path}/*.log."
    append(tmp_path / "a.log", b"one")
    follower.look()
    assert trouble_of(follower) is None
    follower.end()


@pytest.mark.usefixtures("short_grace")
def test_one_file_of_a_pattern_may_go(tmp_path: Path) -> None:
    for name in ("a.log", "b.log"):
        append(tmp_path / name, b"one")
    follower = Follower(tmp_path / "*.log")
    (tmp_path / "a.log").unlink()
    follower.look()
    assert trouble_of(follower) is None
    follower.end()


@as_other_user
@pytest.mark.parametrize("pattern", ["a.log", "*.log"])
def test_what_may_not_be_read_is_trouble_at_once(tmp_path: Path, pattern: str, request: pytest.FixtureRequest) -> None:
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):
        folder.chmod(0o755)
    path = tmp_path / "a.log"
    append(path, b"one")
    path.chmod(0o600)
    request.getfixturevalue("another_user")
    follower = Follower(tmp_path / pattern)
    error = trouble_of(follower)
    assert error is not None
    assert texts.title(error, "en") == f"You may not read {path}."
    assert "the right to read it" in texts.advice(error, "en")
    os.seteuid(0)
    path.chmod(0o644)
    follower.look()
    assert trouble_of(follower) is None
    follower.end()


@as_other_user
def test_a_folder_that_may_not_be_read_is_no_pattern_without_a_file(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):
        folder.chmod(0o755)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    append(closed / "a.log", b"one")
    request.getfixturevalue("another_user")
    follower = Follower(closed / "*.log")
    error = trouble_of(follower)
    assert error is not None
    assert texts.title(error, "en") == f"You may not read {closed}."
    follower.end()


def test_what_is_no_log_is_trouble_in_whole_sentences(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"\xff\xfea\0\n\0" * 100)
    follower = Follower(path)
    error = trouble_of(follower)
    assert error is not None
    assert texts.title(error, "en") == f"{path} is in UTF-16, which no log format uses."
    follower.end()


def test_a_fault_without_words_of_its_own_has_its_reason() -> None:
    one = reach.Reach(pattern=False)
    one.refused("/x.log", OSError(5, "Input/output error"))
    assert one.fault() == ("{path} cannot be read.", "/x.log")
    error = one.trouble()
    assert error is not None
    assert str(error) == "/x.log cannot be read: Input/output error."


def test_a_link_to_itself_is_told_and_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.symlink_to(path)
    follower = Follower(path)
    assert trouble_of(follower) is not None
    path.unlink()
    append(path, b"one")
    assert follower.look() == [b"one"]
    assert trouble_of(follower) is None
    follower.end()
