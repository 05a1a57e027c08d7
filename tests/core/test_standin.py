"""A state folder that cannot be written to is stood in for by a copy, which is taken back once, whole, or not at all.

A disk that is really read-only is in ``tests/faults/p23.py``; here only the system's word on it is made up.
"""

import errno
import itertools
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vxtray.core import standin
from vxtray.core.errors import ProgramBusy
from vxtray.core.instance import holding
from vxtray.core.paths import Profile, private_folder
from vxtray.core.standin import StandInLeft, StateElsewhere, in_use

pytestmark = pytest.mark.skipif(os.name != "posix", reason="only there a disk is mounted read-only")


#: What the fixture makes beside, on macOS with the settings in the same folder.
NOT_COPIED = {"instance.lock": "instance.lock", "settings.toml": "settings.toml", "log/vxtray.log": "not copied"}


@pytest.fixture
def read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have the system say whether the disk is read-only; copies go below the test's folder."""
    place = tmp_path / "var-tmp"
    place.mkdir()
    monkeypatch.setattr(standin, "_PLACE", str(place))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)

    real = os.statvfs

    def say(*, now: bool = True) -> None:
        def told(place: str | Path) -> SimpleNamespace:
            known = real(place)
            names = [name for name in dir(known) if name.startswith("f_")]
            return SimpleNamespace(**{name: getattr(known, name) for name in names} | {"f_flag": now * os.ST_RDONLY})

        monkeypatch.setattr(os, "statvfs", told)

    say()
    return say


@pytest.fixture
def home(tmp_path: Path) -> Profile:
    profile = Profile.under(tmp_path / "home")
    for name in ("outbox.db", "outbox.db-wal", "instance.lock", "settings.toml", "more/a.json"):
        private_folder((profile.state / name).parent)
        (profile.state / name).write_text(name)
    private_folder(profile.state / "log")
    (profile.state / "log" / "vxtray.log").write_text("not copied")
    return profile


def for_start(home: Profile) -> Profile:
    """Return the profile that a program would work with."""
    with holding(home, 0, start=True) as found:
        return found


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def places(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "var-tmp").iterdir())


def test_a_disk_that_can_be_written_to_has_none(home: Profile, read_only: Callable[..., None], tmp_path: Path) -> None:
    read_only(now=False)
    assert for_start(home) == in_use(home) == home
    assert places(tmp_path) == []


def test_a_start_makes_one_and_commands_find_it(home: Profile, read_only: Callable[..., None], tmp_path: Path) -> None:
    assert in_use(home) == home, "only a start makes one"
    copy = for_start(home)
    assert in_use(home)[:-1] == for_start(home)[:-1] == copy[:-1], "and one after it uses the same"
    with holding(in_use(home), 0) as found:
        assert found[:-1] == copy[:-1], "a command, too"
    assert copy.config == home.config
    assert list(files(copy.state)) == ["more/a.json", "outbox.db", "outbox.db-wal"]
    assert files(copy.state).items() <= files(home.state).items()
    assert {copy.logs.parent, copy.runtime.parent} == {copy.state.parent}
    assert copy.state.parent.parent == tmp_path / "var-tmp"
    assert {path.stat().st_mode & 0o077 for path in [copy.state.parent, *copy.state.parent.rglob("*")]} == {0}
    (note,) = copy.notes
    assert isinstance(note, StateElsewhere)
    assert str(home.state) in str(note)
    assert str(copy.state.parent) in str(note)
    assert "Read-only file system" in str(note)


def test_what_was_kept_is_taken_back(home: Profile, read_only: Callable[..., None], tmp_path: Path) -> None:
    copy = for_start(home)
    (copy.state / "outbox.db").write_text("more mails")
    (copy.state / "outbox.db-wal").unlink()
    (copy.state / "events.duckdb").write_text("events")
    private_folder(copy.logs)
    copy.log_file.write_text("of that time\n")
    private_folder(home.logs)
    home.log_file.write_text("before\n")
    read_only(now=False)
    assert in_use(home).state == copy.state, "until the next start"
    assert for_start(home) == home
    wanted = {"events.duckdb": "events", "more/a.json": "more/a.json", "outbox.db": "more mails"}
    assert files(home.state) == wanted | NOT_COPIED
    assert home.log_file.read_text() == "before\nof that time\n"
    assert places(tmp_path) == []
    assert in_use(home) == home


def test_a_second_time_begins_with_what_was_taken_back(home: Profile, read_only: Callable[..., None]) -> None:
    (for_start(home).state / "outbox.db").write_text("second")
    read_only(now=False)
    for_start(home)
    read_only()
    assert (for_start(home).state / "outbox.db").read_text() == "second"


def test_one_process_at_a_time_works_with_the_copy_or_the_original(
    home: Profile, read_only: Callable[..., None], tmp_path: Path
) -> None:
    with holding(home, 0, start=True) as copy:
        read_only(now=False)
        for other in (home, copy, in_use(home)):
            with pytest.raises(ProgramBusy), holding(other, 0, start=True):
                pytest.fail("held twice")
        assert in_use(home).state == copy.state, "where it answers"
    with holding(copy, 0) as found:
        assert found == home, "who waited for the copy works with the original"
    assert places(tmp_path) == []


def test_a_command_takes_back_but_makes_none(home: Profile, read_only: Callable[..., None]) -> None:
    with holding(home, 0) as found:
        assert found == home
    (for_start(home).state / "outbox.db").write_text("more mails")
    read_only(now=False)
    with holding(in_use(home), 0) as found:
        assert found == home
    assert (home.state / "outbox.db").read_text() == "more mails"


def test_a_disk_that_was_shut_without_saying_so(
    home: Profile, read_only: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux 6.12 and later leave the flags of a disk with faults as they were."""
    read_only(now=False)
    real = os.open

    def shut(path: str | Path, flags: int, *more: int) -> int:
        if flags & os.O_CREAT and Path(path).parent == home.state and not Path(path).exists():
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(path, flags, *more)

    with monkeypatch.context() as broken:
        broken.setattr(os, "open", shut)
        assert for_start(home).home == home
    assert for_start(home) == home


def test_an_original_that_changed_meanwhile_wins(home: Profile, read_only: Callable[..., None], tmp_path: Path) -> None:
    copy = for_start(home)
    (copy.state / "outbox.db").write_text("of the copy")
    (home.state / "outbox.db").write_text("of another computer")
    os.utime(home.state / "outbox.db", (time.time() + 1,) * 2)
    read_only(now=False)
    found = for_start(home)
    assert found.state == home.state
    assert (home.state / "outbox.db").read_text() == "of another computer"
    (note,) = found.notes
    assert isinstance(note, StandInLeft)
    (left,) = places(tmp_path)
    assert left in str(note)
    assert (tmp_path / "var-tmp" / left / "state" / "outbox.db").read_text() == "of the copy"
    assert for_start(home) == in_use(home) == home


def test_what_a_crash_took_back_of_the_original_does_not_make_it_another(
    home: Profile, read_only: Callable[..., None]
) -> None:
    (for_start(home).state / "outbox.db").write_text("more mails")
    (home.state / "outbox.db").write_text("as it was on the disk")
    os.utime(home.state / "outbox.db", (0, 0))
    read_only(now=False)
    assert for_start(home) == home
    assert (home.state / "outbox.db").read_text() == "more mails"


@pytest.mark.parametrize("now", [True, False])
@pytest.mark.parametrize("manifest", ["{", None])
def test_a_copy_whose_origin_cannot_be_told_is_left(
    home: Profile, read_only: Callable[..., None], tmp_path: Path, manifest: str | None, now: bool
) -> None:
    copy = for_start(home)
    (copy.state / "outbox.db").write_text("of the copy")
    path = copy.state.parent / "copied.json"
    path.unlink() if manifest is None else path.write_text(manifest)
    read_only(now=now)
    found = for_start(home)
    assert (found.home is not None) is now
    assert isinstance(found.notes[-1], StandInLeft)
    left = next(path for path in (tmp_path / "var-tmp").iterdir() if ".left-" in path.name)
    assert str(left) in str(found.notes[-1])
    assert (left / "state" / "outbox.db").read_text() == "of the copy"


def test_a_state_that_leads_elsewhere_is_not_copied(
    home: Profile, read_only: Callable[..., None], tmp_path: Path
) -> None:
    (home.state / "events.duckdb").symlink_to(tmp_path / "big-disk" / "events.duckdb")
    assert for_start(home) == home
    assert places(tmp_path) == []


def test_a_fault_while_the_state_is_listed_makes_no_copy(
    home: Profile, read_only: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: str | Path) -> object:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(os, "scandir", failing)
    assert for_start(home) == home
    monkeypatch.undo()
    assert places(tmp_path) == []


def test_what_a_crash_left_is_cleaned(home: Profile, read_only: Callable[..., None], tmp_path: Path) -> None:
    name = for_start(home).state.parent.name
    read_only(now=False)
    for_start(home)
    for ending in ("new-x", "done-y"):
        (tmp_path / "var-tmp" / f"{name}.{ending}").mkdir(mode=0o700)
    read_only()
    for_start(home)
    assert places(tmp_path) == [name]


@pytest.mark.parametrize("step", range(14))
def test_a_crash_while_it_is_taken_back_costs_nothing(
    home: Profile, read_only: Callable[..., None], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    copy = for_start(home)
    (copy.state / "outbox.db").write_text("more mails")
    (copy.state / "outbox.db-wal").unlink()
    (copy.state / "events.duckdb").write_text("events")
    wanted = files(copy.state)
    read_only(now=False)
    steps = itertools.count()

    class Killed(BaseException):
        pass

    def dying(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **named: Any) -> Any:
            if next(steps) == step:
                raise Killed
            return call(*args, **named)

        return called

    with monkeypatch.context() as dies:
        for name in ("unlink", "replace", "rename", "touch"):
            dies.setattr(Path, name, dying(getattr(Path, name)))
        dies.setattr(shutil, "rmtree", dying(shutil.rmtree))
        try:
            for_start(home)
        except Killed:
            killed = True
        else:
            killed = False
    assert killed == (step < 12), "each step was met"
    assert for_start(home) == home
    assert files(home.state) == wanted | NOT_COPIED
    assert in_use(home) == home


def test_what_does_not_fit_back_stays_where_it_is(
    home: Profile, read_only: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = for_start(home)
    (copy.state / "outbox.db").write_text("more mails")
    read_only(now=False)
    with monkeypatch.context() as full:

        def no_room(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        full.setattr(shutil, "copyfileobj", no_room)
        found = for_start(home)
        assert found.state == copy.state
        assert "No space left" in str(found.notes[0])
    assert for_start(home) == home
    assert (home.state / "outbox.db").read_text() == "more mails"


def test_a_folder_of_another_user_is_not_trusted(home: Profile, read_only: Callable[..., None], tmp_path: Path) -> None:
    mine = for_start(home).state.parent
    mine.chmod(0o755)
    assert in_use(home) == home
    mine.chmod(0o700)
    assert in_use(home).state == mine / "state"
    if os.getuid() == 0:
        os.chown(mine, 65534, -1)
        assert in_use(home) == home
        os.chown(mine, 0, -1)
    elsewhere = tmp_path / "elsewhere"
    mine.rename(elsewhere)
    mine.symlink_to(elsewhere)
    assert in_use(home) == for_start(home) == home
    assert files(elsewhere)["state/outbox.db"] == "outbox.db"
    assert places(tmp_path) == [mine.name]


def test_a_folder_that_is_in_the_way_is_not_deleted(home: Profile, read_only: Callable[..., None]) -> None:
    mine = for_start(home).state.parent
    mine.chmod(0o755)
    assert for_start(home) == home
    assert files(mine)["state/outbox.db"] == "outbox.db"


def test_a_service_has_none_since_its_temporary_folder_ends_with_it(
    home: Profile, read_only: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(home.state))
    assert for_start(home) == home
    assert places(tmp_path) == []


def test_where_nothing_takes_a_copy_the_profile_itself_says_why(
    home: Profile, read_only: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: SimpleNamespace(free=10))
    assert for_start(home) == home
    assert places(tmp_path) == []


def test_a_first_start_has_nothing_to_copy(tmp_path: Path, read_only: Callable[..., None]) -> None:
    home = Profile.under(tmp_path / "none" / "yet")
    copy = for_start(home)
    assert files(copy.state) == {}
    with holding(copy, 0):
        pass
    (copy.state / "outbox.db").write_text("first mails")
    read_only(now=False)
    assert for_start(home) == home
    assert (home.state / "outbox.db").read_text() == "first mails"
