"""A lasting thread that fails is told and begun again, and what it had in hand is done; each fault comes from below."""

import socket
import threading
import zoneinfo
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from apscheduler.jobstores.memory import MemoryJobStore

from tests.core.engine import Engine, keyring_for, settings, smtp_of
from tests.core.test_intake import BAN, Replaying, World, batch, line
from tests.peers.desktop import until
from tests.peers.mailbox import Mailbox
from vxtray.core import supervision
from vxtray.core.control import Answer, Call, ControlServer, call_running
from vxtray.core.credentials import Secret, smtp_account
from vxtray.core.errors import ControlError, VxtrayError
from vxtray.core.parsers import worker as parsing
from vxtray.core.paths import Profile
from vxtray.core.reports.period import Cadence
from vxtray.core.sources import Emit, Health, Wanted
from vxtray.core.supervision import Workers

Told = list[tuple[str, VxtrayError | None]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(supervision, "LONGEST_PAUSE", 0.05)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "events.duckdb")
    yield made
    made.intake.stop()
    made.store.close()


class Failing:
    """Raises so many times, then does what it stands for."""

    def __init__(self, times: int, error: BaseException, real: Callable[..., object]) -> None:
        self.left, self.error, self.real = times, error, real

    def __call__(self, *args: object, **named: object) -> object:
        if self.left:
            self.left -= 1
            raise self.error
        return self.real(*args, **named)


# --- the worker itself -----------------------------------------------------------------------------------------------


@pytest.mark.expected_log("vx-test met an unknown fault")
def test_pauses_double_up_to_a_limit_and_a_sound_run_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_PAUSE", 1.0)
    monkeypatch.setattr(supervision, "LONGEST_PAUSE", 60.0)
    now, pauses, runs = [0.0], [], [0]
    monkeypatch.setattr(supervision.time, "monotonic", lambda: now[0])

    class Ending(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout)
            return False

    def work() -> None:
        runs[0] += 1
        if runs[0] == 9:
            now[0] += supervision.SOUND_SECONDS + 1
        if runs[0] == 12:
            return
        raise MemoryError

    one = Workers(lambda _what, _error: None).begin("vx-test", work, Ending())
    one.join(10)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 1, 2, 4]
    assert one.health().restarted == 11


@pytest.mark.expected_log("vx-test met an unknown fault", "vx-test could not tell how it is")
def test_it_is_told_with_its_reason_and_over_once_it_works_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    told: Told = []
    ending, working = threading.Event(), threading.Event()

    def tell(what: str, error: VxtrayError | None) -> None:
        told.append((what, error))
        if error is not None:
            raise OSError("whoever listens fails as well")

    def work() -> None:
        if not told:
            raise OSError(24, "Too many open files")
        working.set()
        ending.wait(10)

    workers = Workers(tell)
    one = workers.begin("vx-test", work, ending)
    assert working.wait(10)
    what, error = told[0]
    assert what == "worker:vx-test"
    assert "Too many open files" in str(error)
    assert workers.health()[0].restarted == 1
    assert "OSError" in workers.health()[0].fault
    workers.look()
    assert len(told) == 1, "it may fail again at once"
    monkeypatch.setattr(supervision, "SOUND_SECONDS", 0.0)
    workers.look()
    assert told[1:] == [("worker:vx-test", None)]
    assert workers.health()[0].fault == ""
    ending.set()
    one.join(10)
    assert not one.health().running


@pytest.mark.expected_log("vx-test met an unknown fault")
def test_the_end_does_not_wait_for_a_pause_and_gives_a_last_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_PAUSE", 600.0)
    ending, failed, runs = threading.Event(), threading.Event(), []

    def work() -> None:
        runs.append(ending.is_set())
        if len(runs) == 1:
            raise ValueError

    one = Workers(lambda _what, _error: failed.set()).begin("vx-test", work, ending)
    assert failed.wait(10)
    ending.set()
    one.join(10)
    assert not one.is_alive()
    assert runs == [False, True]


# --- each of the program's --------------------------------------------------------------------------------------------


@pytest.mark.expected_log("vx-store met an unknown fault")
def test_the_stores_thread_no_file_handle_left_for_a_zone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line is stored once, in order, whatever was in hand."""
    parsing.zone_of.cache_clear()
    failing = Failing(3, OSError(24, "Too many open files"), zoneinfo.ZoneInfo)
    monkeypatch.setattr(parsing, "ZoneInfo", failing)
    for first in range(0, 400, 100):
        assert world.intake.emit(batch("a", *map(line, range(first, first + 100)), at=first + 100))
    until(lambda: failing.left == 0, "the faults were met")
    world.settled()
    assert world.numbers() == list(range(400))
    assert "worker:vx-store" in world.ever
    parsing.zone_of.cache_clear()


@pytest.mark.expected_log("vx-store met an unknown fault", "the parser process cannot be used")
def test_the_stores_thread_beside_the_parser_process(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the process was asked before the fault is not taken for an answer to what it is asked afterwards."""
    source = Replaying("b", world, 20_000)
    parsing.zone_of.cache_clear()
    world.intake.run([Wanted("b", 1, lambda: source)])
    until(lambda: world.intake._parser._worker is not None, "the process parses")
    failing = Failing(2, OSError(24, "Too many open files"), world.intake._jobs)
    monkeypatch.setattr(world.intake, "_zone", Failing(2, OSError(24, "Too many open files"), lambda: "UTC"))
    monkeypatch.setattr(world.intake, "_jobs", failing)
    until(lambda: len(world.numbers()) >= 20_000, "all is stored", seconds=60)
    assert failing.left == 0
    assert world.numbers() == list(range(20_000))


@pytest.mark.expected_log("a line could not be parsed")
def test_a_line_that_a_parser_fails_on_is_rejected_and_the_others_are_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = parsing.parse

    def parse(text: str, **named: object) -> object:
        if "10.0.0.7" in text:
            raise RecursionError("maximum recursion depth exceeded")
        return real(text, **named)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(parsing, "parse", parse)
    assert world.intake.emit(batch("c", *map(line, range(10))))
    world.settled()
    assert world.numbers() == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    health = world.intake._tallies["c"].health("c", running=True, began=world.intake._clock())
    assert health.rejected_by == {"vxtray failed on this line": 1}
    assert BAN.format(a=0, b=0, c=7) in health.samples[0][1]


class Ending:
    """A source that returns although nobody told it to."""

    def __init__(self, runs: list[int]) -> None:
        self.name = "d"
        self._runs = runs

    def run(self, emit: Emit, stop: threading.Event) -> None:
        self._runs.append(1)
        if len(self._runs) > 1:
            stop.wait(10)

    def health(self) -> Health:
        return Health()


def test_a_source_that_just_ends_is_told_and_begun_again(world: World) -> None:
    runs: list[int] = []
    world.intake.run([Wanted("d", 1, lambda: Ending(runs))])
    until(lambda: "source:d" in world.told, "the end is told")
    assert str(world.told["source:d"]) == "The source d stopped: it ended."
    world.intake.look_after()
    until(lambda: len(runs) == 2, "it runs again")
    world.intake.look_after()
    assert "source:d" not in world.told


@pytest.fixture
def engine(profile: Profile, smtp_catcher: Mailbox) -> Iterator[Engine]:
    chosen = settings(smtp_of(smtp_catcher))
    one = Engine(profile, chosen, keyring_for(chosen.smtp, smtp_catcher.password))
    yield one
    one.service.stop()


def states(one: Engine) -> dict[str, int]:
    return {health.name: health.restarted for health in one.service.workers.health() if health.running}


@pytest.mark.expected_log("vx-alerts met an unknown fault", "worker:vx-alerts", "alerts met", "alert-times: ")
def test_the_alerts_thread_when_the_clock_cannot_be_read(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """``clock_gettime`` may be refused by a sandbox."""
    room = engine.service.alerts
    failing = Failing(2, OSError(1, "Operation not permitted"), engine.clock)
    monkeypatch.setattr(
        room, "_clock", lambda: failing() if threading.current_thread().name == "vx-alerts" else engine.clock()
    )
    room._desk.next_due = engine.clock()
    engine.service._tick = lambda: None  # type: ignore[method-assign]  # which would look at it, too
    engine.service.start()
    until(lambda: states(engine).get("vx-alerts", 0) >= 1, "the thread was begun again")
    assert set(states(engine)) == {"vx-alerts", "vx-outbox", "vx-schedule", "vx-store"}


@pytest.mark.expected_log("vx-outbox met an unknown fault", "worker:vx-outbox", "mail: ", "outbox: ")
def test_the_posts_thread_when_the_table_of_routes_is_unreadable(
    engine: Engine, smtp_catcher: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a network it looks for one; what cannot be read of that must not keep mails from leaving later."""
    away, lookup, odd = threading.Event(), socket.getaddrinfo, [2]
    away.set()

    def cut(*asked: object, **named: object) -> object:
        if away.is_set():
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return lookup("127.0.0.1", *asked[1:], **named)  # type: ignore[arg-type]  # as it came

    def routes() -> bool:
        if odd[0]:
            odd[0] -= 1
            raise ValueError("invalid literal for int() with base 16: '?'")
        return not away.is_set()

    monkeypatch.setattr(socket, "getaddrinfo", cut)
    post = engine.service._post
    smtp = msgspec.structs.replace(post._smtp, host="localhost")
    engine.credentials.set(smtp_account(smtp), Secret(smtp_catcher.password))
    engine.service.apply(settings(smtp))
    post._default_route, post._courier._default_route = routes, lambda: not away.is_set()
    engine.service.send_report(Cadence.DAILY)
    engine.service.start()
    until(lambda: states(engine).get("vx-outbox", 0) >= 2, "the thread was begun again")
    away.clear()
    engine.service.time_leapt()
    assert smtp_catcher.wait(1)


@pytest.mark.expected_log("vx-schedule met an unknown fault", "worker:vx-schedule")
def test_the_schedule_when_the_library_fails(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Failing(2, MemoryError(), MemoryJobStore.get_next_run_time)

    def get_next_run_time(jobs: MemoryJobStore) -> object:
        return failing(jobs)

    monkeypatch.setattr(MemoryJobStore, "get_next_run_time", get_next_run_time)
    ticks: list[int] = []
    tick = engine.service._tick
    engine.service._tick = lambda: (ticks.append(1), tick())[1]  # type: ignore[method-assign]  # what is called
    engine.service.start()
    until(lambda: states(engine).get("vx-schedule", 0) >= 1 and len(ticks) >= 1, "it ticks again")
    before = len(ticks)
    engine.service.apply(engine.service.settings)
    until(lambda: len(ticks) > before, "and when woken")
    assert "worker:vx-schedule" in {trouble.what for trouble in engine.service.troubles()}


@pytest.mark.expected_log("vx-control met an unknown fault")
def test_the_control_socket_when_the_system_has_no_thread_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = Profile.under(tmp_path / "p")
    told: Told = []

    def answer(call: Call, say: Callable[[Answer], None]) -> int:
        return 7

    server = ControlServer(profile, answer, Workers(lambda *one: told.append(one)))
    server.start()
    real = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("vx-control-") and len(told) < 9:
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    call = Call(argv=["x"], cwd="/", language="en")
    for _ in range(9):  # more than may call at once: no place is lost with them
        with pytest.raises(ControlError):
            list(call_running(profile, call) or ())
    until(lambda: len(told) == 9, "each is told")
    assert [one.exit for one in call_running(profile, call) or ()] == [7]
    server.stop()
    assert told[0][0] == "worker:vx-control"
