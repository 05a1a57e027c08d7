"""When lines are stored: what is urgent at once, all else in few transactions, since each is synced."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.test_intake import World, batch, line
from tests.peers.desktop import until
from vxtray.core.live import Share
from vxtray.core.sources import Batch


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "events.duckdb")
    yield made
    made.intake.stop()
    made.store.close()


def sparingly(world: World, share: float, most: float) -> None:
    """Let the usual take no more than this share of the time, and rest so many seconds at most."""
    world.intake._usual = Share(share, 0.0, most)


def usual(*numbers: int) -> Batch:
    """Return lines that nobody waits for, since they never alert."""
    return batch("udp", *map(line, numbers), alerts=False)


def test_a_flow_of_single_lines_takes_few_transactions(world: World) -> None:
    sparingly(world, 0.05, 0.5)
    world.working = 0.02
    began = time.monotonic()
    for number in range(60):
        world.intake.emit(usual(number))
        time.sleep(0.005)  # the flow
    world.settled()
    assert len(world.committed) <= 2 + (time.monotonic() - began) * 0.05 / world.working
    assert world.numbers() == list(range(60))


def test_what_is_urgent_does_not_wait_and_takes_along_what_does(world: World) -> None:
    sparingly(world, 0.0001, 600)
    world.intake.emit(usual(0))
    until(lambda: len(world.committed) == 1, "the first one is stored")
    world.intake.emit(usual(1, 2))
    time.sleep(0.1)
    assert len(world.committed) == 1, "the next ones wait for minutes"
    world.intake.emit(batch("udp", line(3)))
    world.settled()
    assert world.committed[1:] == [(2, 2, False), (4, 1, True)]
    assert world.numbers() == [0, 1, 2, 3]


def test_what_waits_is_stored_at_the_end(world: World) -> None:
    sparingly(world, 0.0001, 600)
    world.intake.emit(usual(0))
    until(lambda: len(world.committed) == 1, "the first one is stored")
    world.intake.emit(usual(1))
    world.intake.stop()
    assert world.numbers() == [0, 1]


def test_a_share_is_kept_and_rested() -> None:
    share = Share(0.1, 2.0, 5.0)
    share.took(1.5)
    assert share.pause() == 0, "there was credit"
    share.took(0.7)
    assert share.pause() == pytest.approx(2.0, abs=0.2), "ten times what was too much"
    share.took(60)
    assert share.pause() == pytest.approx(5.0, abs=0.2), "and no longer than that"
