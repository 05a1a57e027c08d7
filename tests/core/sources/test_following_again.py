"""A file that is followed from now on, although some of it was read before: what came in between is not wanted."""

from pathlib import Path

import pytest

from tests.core.sources.following import PACKERS, Follower, append, copy_truncate, pack
from vxtray.core.sources.known import following_key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def numbered(first: int, end: int) -> list[bytes]:
    return [b"line %d %b" % (n, b"x" * 60) for n in range(first, end)]


def removed(path: Path, lines: int) -> Follower:
    """Return a follower that has read some lines and was then taken out of the settings."""
    follower = Follower(path, start="now")
    append(path, *numbered(0, lines))
    assert follower.look() == numbered(0, lines)
    follower.end()
    follower.store.positions[following_key(str(path))] = 0
    return follower


@pytest.mark.parametrize("lines", [1, 3, 500])
def test_now_means_now_also_for_a_file_that_was_read(path: Path, lines: int) -> None:
    follower = removed(path, lines)
    append(path, *numbered(lines, lines + 100))
    follower.begin()
    append(path, b"new")
    assert follower.look()[lines:] == [b"new"]
    append(path, b"newer")
    assert follower.restart()[lines:] == [b"new", b"newer"]
    follower.end()


@pytest.mark.parametrize("lines", [3, 500])
@pytest.mark.parametrize("how", ["rename", "copytruncate", *PACKERS])
def test_old_parts_are_not_read_on_either(path: Path, lines: int, how: str) -> None:
    follower = removed(path, lines)
    append(path, *numbered(lines, lines + 100))
    old = path.with_name("app.log.1")
    if how == "copytruncate":
        copy_truncate(path, old)
    else:
        path.rename(old)
    if how in PACKERS:
        pack(old, f"app.log.1{how}", PACKERS[how])
    append(path, b"before")
    follower.begin()
    append(path, b"new")
    assert follower.look()[lines:] == [b"new"]
    path.rename(path.with_name("app.log.0"))
    append(path, b"newer")
    assert follower.look()[lines:] == [b"new", b"newer"]
    assert follower.restart()[lines:] == [b"new", b"newer"]
    assert follower.let_go()[lines:] == [b"new", b"newer"]
    follower.end()


def test_from_the_beginning_means_what_was_not_read(path: Path) -> None:
    follower = removed(path, 10)
    follower.settings = type(follower.settings)(path=str(path), start="beginning")
    append(path, b"between")
    follower.begin()
    append(path, b"new")
    assert follower.look()[10:] == [b"between", b"new"]
    follower.end()
