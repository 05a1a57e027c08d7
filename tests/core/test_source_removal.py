"""Files that are taken out of the settings and put in again: they are followed as if for the first time."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from tests.core.engine import Engine, settings
from tests.core.test_service import line
from tests.peers.desktop import until
from vxtray.core.paths import Profile
from vxtray.core.settings.tree import LogFile, Reports, Settings, Sources
from vxtray.core.sources.known import following_key

QUIET = settings(reports=Reports(zone="Europe/Paris"))
Making = Callable[[Settings], Engine]


@pytest.fixture
def engine(profile: Profile) -> Iterator[Making]:
    made: list[Engine] = []

    def make(chosen: Settings) -> Engine:
        for one in made:
            one.service.stop()
        made.append(Engine(profile, chosen, None))
        made[-1].clock.now = datetime.now(UTC)
        made[-1].service.start()
        return made[-1]

    yield make
    made[-1].service.stop()


def following(*logs: Path) -> Settings:
    files = tuple(LogFile(path=str(log)) for log in logs)
    return msgspec.structs.replace(QUIET, sources=Sources(files=files))


def since(one: Engine, log: Path) -> int:
    return one.service.store().position(following_key(str(log)))


def add(log: Path, number: int) -> None:
    with log.open("a") as file:
        file.write(line(number, score=3))


def stored(one: Engine) -> set[str]:
    return {event.src_ip.rpartition(".")[2] for event in one.service.store().events(limit=1000)}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "sophos.log"
    add(path, 1)
    return path


def test_added_again_it_begins_now(engine: Making, log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.log"
    add(other, 100)
    one = engine(following(log, other))
    until(lambda: since(one, log) > 0 < since(one, other), "they are followed")
    began = since(one, other)
    add(log, 2)
    until(lambda: stored(one) == {"2"}, "the new line is stored")
    one.service.apply(following(other))
    until(lambda: not since(one, log), "it is forgotten")
    add(log, 3)
    one.service.apply(following(other, log))
    until(lambda: since(one, log) > 0, "it is followed again")
    add(log, 4)
    until(lambda: "4" in stored(one), "the new line is stored")
    assert stored(one) == {"2", "4"}
    assert since(one, other) == began


def test_removed_and_added_at_once(engine: Making, log: Path) -> None:
    one = engine(following(log))
    until(lambda: since(one, log) > 0, "it is followed")
    for number in range(2, 12):
        before = since(one, log)
        one.service.apply(QUIET)
        one.service.apply(following(log))
        until(lambda before=before: since(one, log) > before, "it is followed again")  # type: ignore[misc]
        add(log, number)
        until(lambda number=number: str(number) in stored(one), "the new line is stored")  # type: ignore[misc]
    assert stored(one) == {str(number) for number in range(2, 12)}


def test_another_zone_goes_on_where_it_was(engine: Making, log: Path) -> None:
    one = engine(following(log))
    until(lambda: since(one, log) > 0, "it is followed")
    began = since(one, log)
    chosen = following(log)
    files = (msgspec.structs.replace(chosen.sources.files[0], zone="Asia/Tokyo"),)
    one.service.apply(msgspec.structs.replace(QUIET, sources=Sources(files=files)))
    add(log, 2)
    until(lambda: stored(one) == {"2"}, "the new line is stored")
    assert since(one, log) == began


def test_removed_while_the_program_was_off(engine: Making, log: Path) -> None:
    one = engine(following(log))
    until(lambda: since(one, log) > 0, "it is followed")
    one = engine(following(log))
    assert since(one, log) > 0
    one = engine(QUIET)
    until(lambda: not since(one, log), "it is forgotten")
    add(log, 2)
    one = engine(following(log))
    until(lambda: since(one, log) > 0, "it is followed again")
    add(log, 3)
    until(lambda: stored(one) == {"3"}, "the new line is stored, the one before is not")
