"""The intake over a real store: nothing lost, nothing twice, in order, whatever fails in between."""

import os
import signal
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.peers.desktop import until
from vxtray.core import intake as intake_module
from vxtray.core import live
from vxtray.core.errors import PortTaken, StoreError, VxtrayError
from vxtray.core.events import SecurityEvent
from vxtray.core.health import LATEST, LATEST_BYTES, SourceHealth, Tally, silent
from vxtray.core.intake import MOST_WAITING, Intake
from vxtray.core.parsers.worker import Parsed, ParseWorker
from vxtray.core.sources import Batch, Emit, Health, Wanted
from vxtray.core.store import Position
from vxtray.core.store.committing import LineOf
from vxtray.core.store.embedded import EmbeddedStore

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BAN = "2026-11-23 10:00:00,123 fail2ban.actions        [812]: NOTICE  [sshd] Ban 10.{a}.{b}.{c}"


def line(number: int) -> bytes:
    """Return a ban of an address that names the number."""
    return BAN.format(a=number >> 16, b=number >> 8 & 255, c=number & 255).encode()


def number_of(event: SecurityEvent) -> int:
    a, b, c = map(int, event.src_ip.split(".")[1:])
    return a << 16 | b << 8 | c


def batch(source: str, *lines: bytes, at: int = 0, alerts: bool = True) -> Batch:
    position = Position(key=f"file:{source}", offset=at) if at else None
    return Batch(source=source, lines=lines, received=NOW, position=position, alerts=alerts, zone="UTC")


class World:
    """An intake over a store that can be made to fail, and what it told."""

    def __init__(self, path: Path) -> None:
        self.store = EmbeddedStore(path)
        self.fault: Exception | None = None
        self.failures = 0
        self.gate = threading.Event()
        self.gate.set()
        self.committed: list[tuple[int, int, bool]] = []
        self.ask_for_lines = False
        self.lines: list[tuple[str, str]] = []
        self.told: dict[str, VxtrayError] = {}
        self.ever: list[str] = []
        self.alerting: Exception | None = None
        self.working = 0.0  # seconds that the alerts take
        self.intake = Intake(self._store, self._committed, self._failed, lambda: "UTC", lambda: NOW)
        self.intake.start()

    def _store(self) -> EmbeddedStore:
        self.gate.wait()
        if self.fault is not None:
            self.failures += 1
            raise self.fault
        return self.store

    def _committed(self, first: int, events: list[SecurityEvent], alerts: bool, lines: LineOf | None) -> None:
        self.committed.append((first, len(events), alerts))
        assert lines is not None
        time.sleep(self.working)
        if self.ask_for_lines:
            self.lines += [(lines(index), event.src_ip) for index, event in enumerate(events)]
        if self.alerting is not None:
            raise self.alerting

    def _failed(self, what: str, error: VxtrayError | None) -> None:
        if error is None:
            self.told.pop(what, None)
        else:
            self.told[what] = error
            self.ever.append(what)

    def settled(self) -> None:
        until(self.intake.idle, "all lines are stored")

    def numbers(self) -> list[int]:
        """Return what is stored, in the order of the store."""
        events = sorted(self.store.events(limit=1_000_000), key=lambda event: event.seq)
        return [number_of(event) for event in events]

    def health(self, name: str) -> SourceHealth:
        return next(one for one in self.intake.health() if one.name == name)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "events.duckdb")
    yield made
    made.fault = None
    made.gate.set()
    made.intake.stop()
    made.store.close()


class Replaying:
    """Reads numbered lines as a log file: from the committed offset on, and waits where there is no room."""

    def __init__(self, name: str, world: World, count: int, size: int = 100) -> None:
        self.name = name
        self._world = world
        self._count = count
        self._size = size
        self.own = Health()
        self.began_at = -1

    def run(self, emit: Emit, stop: threading.Event) -> None:
        self.began_at = at = self._world.store.position(f"file:{self.name}")
        while at < self._count and not stop.is_set():
            end = min(self._count, at + self._size)
            if emit(batch(self.name, *map(line, range(at, end)), at=end)):
                at = end
            else:
                stop.wait(0.005)
        stop.wait()

    def health(self) -> Health:
        return self.own


class Calling:
    """Runs a function as its ``run``, once for each start."""

    def __init__(self, name: str, run: Callable[[Emit, threading.Event], None]) -> None:
        self.name = name
        self.run = run

    def health(self) -> Health:
        return Health(dropped={"sender": 2}, fault="{where} is not among those who may send.", where="192.0.2.1")


def wanted(source: object, config: object = 1) -> Wanted:
    return Wanted(source.name, config, lambda: source)  # type: ignore[attr-defined, return-value]  # a Source


# --- the queue -------------------------------------------------------------------------------------------------------


def test_the_queue_is_bounded_and_says_so(world: World) -> None:
    world.gate.clear()
    full = MOST_WAITING // 1000
    taken = sum(world.intake.emit(batch("udp", *([b"x"] * 1000))) for _ in range(full + 20))
    assert taken == full
    world.gate.set()
    world.settled()
    assert world.intake.emit(batch("udp", b"x"))


def test_a_source_that_can_wait_loses_nothing_and_keeps_its_order(world: World) -> None:
    count = 2 * MOST_WAITING // 10
    source = Replaying("a", world, count, size=500)
    world.intake.run([wanted(source)])
    until(lambda: world.store.position("file:a") == count, "all is read", 60)
    world.settled()
    assert world.numbers() == list(range(count))


def test_the_position_is_committed_with_the_events(world: World) -> None:
    seen: list[tuple[int, int]] = []
    append = world.store.append

    def watched(events, *, position=None, alerts=True):
        answer = append(events, position=position, alerts=alerts)
        seen.append((world.store.position("file:a"), world.store.last_seq()))
        return answer

    world.store.append = watched  # type: ignore[method-assign]  # looks on, and does what it did
    world.intake.run([wanted(Replaying("a", world, 700, size=7))])
    until(lambda: world.store.position("file:a") == 700, "all is read")
    world.settled()
    assert seen
    assert all(position == events for position, events in seen)


def test_alerts_are_told_apart(world: World) -> None:
    world.gate.clear()
    world.intake.emit(batch("a", line(1), line(2), at=2, alerts=False))
    world.intake.emit(batch("a", line(3), at=3))
    world.intake.emit(batch("b", line(4)))
    world.gate.set()
    world.settled()
    assert world.committed == [(1, 2, False), (3, 1, True), (4, 1, True)]
    assert world.numbers() == [1, 2, 3, 4]


def decisions(*numbers: int) -> bytes:
    """Return one record, of three lines or more, that makes as many events."""
    text = '{{"duration":"4h","id":{0},"origin":"crowdsec","scenario":"a/b","scope":"Ip","type":"ban","value":"{1}"}}'
    made = [text.format(n, f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in numbers]
    return "\n".join(["[", ",\n".join(made).replace("}", ',"until":"2026-11-23T14:00:00Z"}'), "]"]).encode()


@pytest.mark.parametrize("count", [30, 6000], ids=["here", "in the process"])
def test_each_event_knows_its_line(world: World, count: int) -> None:
    """Among lines that make none, and records of several lines that make several."""
    batches = []
    for start in range(0, count, 6):
        records = [line(start), b"no log", line(start + 1), decisions(start + 2, start + 3, start + 4), b"", b" "]
        batches.append(batch("a", *records, line(start + 5), b"", at=start + 1))
    while True:
        world.gate.clear()
        world.lines.clear()
        world.ask_for_lines = True
        for one in batches:
            assert world.intake.emit(one)
        world.gate.set()
        world.settled()
        worker = world.intake._parser._worker
        if count < 1000 or (worker is not None and worker._started):
            break
    assert len(world.lines) == count
    for number, (text, address) in enumerate(world.lines):
        expected = decisions(*range(number // 6 * 6 + 2, number // 6 * 6 + 5)) if 2 <= number % 6 <= 4 else line(number)
        assert text == expected.decode()
        assert f'"{address}"' in text or text.endswith(f" {address}")


@given(made=st.lists(st.sampled_from([1, 1, 1, 0, 2, 5]), max_size=60))
def test_events_are_counted_back_to_their_lines(made: list[int]) -> None:
    uneven = [value for index, count in enumerate(made) if count != 1 for value in (index, count)]
    parsed = Parsed([], 0, {}, [], array("I", uneven).tobytes())
    lines = [index for index, count in enumerate(made) for _ in range(count)]
    assert [parsed.line_of(event) for event in range(len(lines))] == lines


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [StoreError(path="x", reason="full"), RuntimeError("unforeseen")])
def test_a_fault_of_the_store_is_waited_out_without_loss(world: World, monkeypatch, expected_log, fault) -> None:
    expected_log("the store met an unknown fault")
    monkeypatch.setattr(intake_module, "_RETRY_SECONDS", 0.02)
    world.fault = fault
    world.intake.emit(batch("a", *map(line, range(50)), at=50))
    until(lambda: world.failures > 2, "the store was tried again")
    assert "store" in world.told
    assert not world.intake.idle()
    world.fault = None
    world.settled()
    assert world.numbers() == list(range(50))
    assert "store" not in world.told


@pytest.mark.parametrize("fault", [StoreError(path="x", reason="full"), RuntimeError("unforeseen")])
def test_a_fault_of_the_alerts_keeps_the_events(world: World, expected_log, fault) -> None:
    expected_log("alerts met an unknown fault")
    world.alerting = fault
    world.intake.emit(batch("a", line(1)))
    world.settled()
    until(lambda: "alerts" in world.told, "it is told")
    world.alerting = None
    world.intake.emit(batch("a", line(2)))
    world.settled()
    assert world.numbers() == [1, 2]
    assert "alerts" not in world.told


def test_a_source_that_fails_is_told_and_tried_again(world: World) -> None:
    refuse = threading.Event()
    refuse.set()
    starts: list[int] = []

    def run(emit: Emit, stop: threading.Event) -> None:
        starts.append(1)
        if refuse.is_set():
            raise PortTaken(source="udp", address="127.0.0.1", port=5514)
        stop.wait()

    world.intake.run([wanted(Calling("udp", run))])
    until(lambda: "source:udp" in world.told, "the fault is told")
    until(lambda: not world.health("udp").running, "it has ended")
    refuse.clear()
    world.intake.look_after()
    until(lambda: len(starts) == 2, "it is started again")
    world.intake.look_after()
    assert "source:udp" not in world.told
    assert world.health("udp").running
    assert world.ever == ["source:udp"]


def test_an_unforeseen_fault_of_a_source_is_told(world: World, expected_log) -> None:
    expected_log("the source udp met an unknown fault")

    def run(emit: Emit, stop: threading.Event) -> None:
        raise RuntimeError("unforeseen")

    world.intake.run([wanted(Calling("udp", run))])
    until(lambda: "source:udp" in world.told, "the fault is told")
    world.intake.run([])
    assert "source:udp" not in world.told


# --- a backlog -------------------------------------------------------------------------------------------------------


def test_many_lines_are_parsed_by_a_process_which_may_die(world: World, expected_log) -> None:
    expected_log("the parser process")
    sent = 0

    def more(count: int) -> None:
        nonlocal sent
        for start in range(sent, sent + count, 500):
            assert world.intake.emit(batch("a", *map(line, range(start, start + 500)), at=start + 500))
        sent += count

    def process() -> ParseWorker | None:
        found = world.intake._parser._worker
        return found if found is not None and found._started else None

    def busy() -> bool:
        """Send on until the process has taken over: it takes a moment to start, and lines do not wait for it."""
        more(3_000)
        world.settled()
        return process() is not None

    until(busy, "the process parses")
    assert world.numbers() == list(range(sent))
    first = process()
    assert first is not None
    assert first._process.pid is not None
    os.kill(first._process.pid, signal.SIGKILL)
    world.gate.clear()
    more(12_000)
    world.gate.set()
    world.settled()
    assert world.numbers() == list(range(sent))
    assert world.store.position("file:a") == sent
    assert world.intake._parser._worker is not first


def test_an_idle_process_is_let_go(world: World, monkeypatch) -> None:
    monkeypatch.setattr(intake_module, "_QUIET_SECONDS", 0.05)
    monkeypatch.setattr(live, "_IDLE_SECONDS", 0.05)
    world.gate.clear()
    for start in range(0, 10_000, 500):
        world.intake.emit(batch("a", *map(line, range(start, start + 500))))
    world.gate.set()
    world.settled()
    until(lambda: world.intake._parser._worker is None, "the process has ended")


def test_few_lines_need_no_process(world: World) -> None:
    for start in range(20):
        world.intake.emit(batch("a", *map(line, range(start * 50, start * 50 + 50))))
        world.settled()
    assert world.intake._parser._worker is None


# --- health ----------------------------------------------------------------------------------------------------------


def test_health_counts_what_became_of_the_lines(world: World) -> None:
    world.intake.run([wanted(Calling("udp", lambda _emit, stop: stop.wait() and None))])
    bad = [b"no log line %d" % n for n in range(8)]
    world.intake.emit(batch("udp", line(1), line(2), b"", *bad, b"y" * 5000))
    world.settled()
    health = world.health("udp")
    assert health.running
    assert (health.lines, health.events, health.ignored, health.rejected) == (12, 2, 1, 9)
    assert health.rejected_by == {"The line is of no known log format.": 9}
    assert [text for _reason, text in health.samples] == [f"no log line {n}" for n in range(5)]
    assert health.last_line == health.last_event == NOW
    assert health.rate == pytest.approx(12 / 60)
    assert health.dropped == {"sender": 2}
    assert health.where == "192.0.2.1"
    assert health.latest[0] == (NOW, line(1))
    assert health.latest[-1] == (NOW, b"y" * LATEST_BYTES)
    world.intake.emit(batch("udp", *map(line, range(3, 200))))
    world.settled()
    assert [text for _at, text in world.health("udp").latest] == [line(n) for n in range(200 - LATEST, 200)]


def test_a_tally_may_be_read_while_it_is_written() -> None:
    tally, stop, faults = Tally(), threading.Event(), list[BaseException]()
    tally._marks.append((time.monotonic() - 70, 5))  # old: whoever reads takes it away
    parsed = Parsed([], 0, {}, [("reason", "text")])

    def write() -> None:
        try:
            while not stop.is_set():
                tally.add(batch("a", b"x"), parsed)
        except BaseException as fault:  # noqa: BLE001 - told by the test
            faults.append(fault)

    thread = threading.Thread(target=write)
    thread.start()
    for _ in range(2000):
        tally.health("a", running=True, began=NOW)
    stop.set()
    thread.join()
    assert not faults


def test_silence_counts_from_the_start_and_for_a_receiver_as_a_whole() -> None:
    def source(name: str, began: int, heard: int | None = None, *, running: bool = True) -> SourceHealth:
        last = NOW + timedelta(minutes=heard) if heard is not None else None
        return SourceHealth(name=name, running=running, began=NOW + timedelta(minutes=began), last_line=last)

    sources = [
        source("syslog udp", 0, 95),
        source("syslog tcp", 0),
        source("/new.log", 90),
        source("/old.log", 0),
        source("/talked.log", 0, 30),
        source("/broken.log", 0, running=False),
    ]
    found = silent(sources, NOW + timedelta(minutes=100), timedelta(minutes=60))
    assert found == {"/old.log": NOW, "/talked.log": NOW + timedelta(minutes=30)}


def test_no_limit_means_that_nothing_is_silent() -> None:
    source = SourceHealth(name="/old.log", running=True, began=NOW)
    assert silent([source], NOW + timedelta(days=100), timedelta()) == {}


# --- beginning and ending sources ------------------------------------------------------------------------------------


def test_only_what_changed_is_begun_anew(world: World) -> None:
    def waiting(name: str) -> Calling:
        return Calling(name, lambda _emit, stop: stop.wait() and None)

    world.intake.run([wanted(waiting("a")), wanted(waiting("b")), wanted(waiting("c"))])
    threads = {name: run.thread for name, run in world.intake._runs.items()}
    world.intake.run([wanted(waiting("a")), wanted(waiting("b"), config=2), wanted(waiting("d"))])
    after = {name: run.thread for name, run in world.intake._runs.items()}
    assert after.keys() == {"a", "b", "d"}
    assert after["a"] is threads["a"]
    assert after["b"] is not threads["b"]
    for name in ("b", "c"):
        threads[name].join(5)
        assert not threads[name].is_alive()
    assert [one.name for one in world.intake.health()] == ["a", "b", "d"]


def test_a_source_that_is_begun_anew_reads_nothing_twice(world: World) -> None:
    """Its former run has lines in the queue, which no committed position tells of yet."""
    world.gate.clear()
    before = Replaying("a", world, 500, size=100)
    world.intake.run([wanted(before)])
    until(lambda: world.intake._batches["a"] == 5, "its lines wait")
    after = Replaying("a", world, 800, size=100)
    began = time.monotonic()
    world.intake.run([wanted(after, config=2)])
    assert time.monotonic() - began < 1  # whoever asks is not made to wait
    assert after.began_at == -1
    world.gate.set()
    until(lambda: world.store.position("file:a") == 800, "the rest is read")
    world.settled()
    assert after.began_at == 500
    assert world.numbers() == list(range(800))


def test_a_source_that_was_removed_and_put_back_reads_nothing_twice(world: World) -> None:
    world.gate.clear()
    world.intake.run([wanted(Replaying("a", world, 300, size=100))])
    until(lambda: world.intake._batches["a"] == 3, "its lines wait")
    world.intake.run([])
    again = Replaying("a", world, 400, size=100)
    world.intake.run([wanted(again)])
    world.gate.set()
    until(lambda: world.store.position("file:a") == 400, "the rest is read")
    world.settled()
    assert world.numbers() == list(range(400))


def test_stopping_stores_what_waits(tmp_path: Path) -> None:
    world = World(tmp_path / "events.duckdb")
    world.gate.clear()
    ended = threading.Event()

    def run(emit: Emit, stop: threading.Event) -> None:
        stop.wait()
        emit(batch("udp", line(3)))  # read while it was told to end
        ended.set()

    world.intake.run([wanted(Calling("udp", run))])
    world.intake.emit(batch("udp", line(1), line(2)))
    threading.Timer(0.1, world.gate.set).start()
    world.intake.stop()
    assert ended.is_set()
    assert world.numbers() == [1, 2, 3]
    assert not world.intake.emit(batch("udp", line(4)))
    world.store.close()


@pytest.mark.expected_log("could not be stored before the end")
def test_a_store_that_stays_broken_does_not_hold_up_the_end(tmp_path: Path) -> None:
    world = World(tmp_path / "events.duckdb")
    world.fault = StoreError(path="x", reason="full")
    world.intake.emit(batch("udp", line(1)))
    until(lambda: world.failures > 0, "the store was tried")
    began = time.monotonic()
    world.intake.stop()
    assert time.monotonic() - began < 3
    world.fault = None
    assert world.numbers() == []
    world.store.close()


def test_lost_lines_are_counted_once_over_restarts(world: World) -> None:
    ends = threading.Event()

    def run(_emit: Emit, stop: threading.Event) -> None:
        ends.wait()
        if not stop.is_set():
            raise VxtrayError("ended")

    made: list[Replaying] = []

    def make() -> Replaying:
        made.append(Replaying("a", world, 0))
        made[-1].run = run  # type: ignore[method-assign]  # it only counts
        return made[-1]

    world.intake.run([Wanted("a", 1, make)])
    until(lambda: len(made) == 1, "it runs")
    made[0].own = Health(dropped={"queue": 3, "kernel": 2, "rate": 1, "sender": 7, "tls": 9})
    assert world.intake.lost() == {"a": 6}
    assert world.intake.lost() == {"a": 0}
    ends.set()
    until(lambda: "source:a" in world.told, "it ended")
    ends.clear()
    world.intake.look_after()
    until(lambda: len(made) == 2, "it runs again")
    made[1].own = Health(dropped={"queue": 10})
    until(lambda: world.intake.lost() == {"a": 10}, "the new one counts from nothing")
    ends.set()


def test_what_keeps_a_running_source_from_its_work_is_told(world: World) -> None:
    source = Replaying("a", world, 0)
    world.intake.run([Wanted("a", 1, lambda: source)])
    until(lambda: world.intake._runs["a"].source is source, "it runs")
    source.own = Health(trouble=VxtrayError("no file"))
    world.intake.look_after()
    assert world.told["source:a"] is source.own.trouble
    source.own = Health()
    world.intake.look_after()
    assert not world.told


def test_what_waits_when_the_time_to_end_is_over_is_counted(
    world: World, monkeypatch: pytest.MonkeyPatch, expected_log: Callable[[str], None]
) -> None:
    """But for what can be read again, and will be at the next start."""
    expected_log("3 lines could not be stored before the end")
    monkeypatch.setattr(intake_module, "_STOP_SECONDS", 0.1)
    world.gate.clear()
    assert world.intake.emit(batch("first", line(1)))
    until(lambda: bool(world.intake._in_hand), "the first one is in hand")
    assert world.intake.emit(batch("udp", line(2), line(3), line(4)))
    assert world.intake.emit(batch("file", line(5), at=7))
    world.intake.stop()
    assert world.intake.lost() == {"udp": 3}
    assert world.intake.lost() == {}
    world.gate.set()
    until(lambda: world.committed == [(1, 1, True)], "what was in hand is stored")
