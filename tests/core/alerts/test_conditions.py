"""Conditions of vxtray's own work: when they begin and end, and that they never flood, whatever happens."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxtray.core.alerts.conditions import Change, Conditions, Disk, Mail, Seen, Source, State
from vxtray.core.alerts.rules import Rule
from vxtray.core.settings.tree import Alerts, Settings, Sources

BEGAN = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
MEBIBYTE = 1024 * 1024


def wanting(silent_minutes: int = 60, summary_minutes: int = 60) -> Settings:
    return Settings(sources=Sources(silent_minutes=silent_minutes), alerts=Alerts(summary_minutes=summary_minutes))


class World:
    """What is seen, a clock, and every change that was told."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.now = BEGAN
        self.settings = settings or wanting()
        self.conditions = Conditions()
        self.sources = {"fw": Source(began=BEGAN, heard=BEGAN)}
        self.mail = Mail(worked_at=BEGAN - HOUR)
        self.disks = (Disk(path="/state", free=50_000 * MEBIBYTE, total=100_000 * MEBIBYTE),)
        self.told: list[Change] = []
        self.look()

    def look(self) -> list[Change]:
        seen = Seen(sources=self.sources, mail=self.mail, disks=self.disks)
        changes = self.conditions.observe(seen, self.now, self.settings)
        self.told += changes
        return changes

    def minutes(self, minutes: int, *, heard: bool = False) -> list[Change]:
        """Look once a minute, for so many minutes."""
        changes: list[Change] = []
        for _ in range(minutes):
            self.now += MINUTE
            if heard:
                self.hear()
            changes += self.look()
        return changes

    def hear(self) -> None:
        self.sources = {"fw": msgspec.structs.replace(self.sources["fw"], heard=self.now)}

    def free(self, mebibytes: int, total: int = 100_000) -> None:
        self.disks = (Disk(path="/state", free=mebibytes * MEBIBYTE, total=total * MEBIBYTE),)

    def restart(self, away: timedelta) -> None:
        """What was kept is read again; nothing was heard since the start."""
        self.now += away
        self.conditions = Conditions(msgspec.json.decode(msgspec.json.encode(self.conditions.state), type=State))
        self.sources = {"fw": Source(began=self.now)}


def said(changes: Iterable[Change]) -> list[tuple[Rule, bool, int]]:
    return [(change.rule, change.over, change.number) for change in changes]


SILENT, HEARD = (Rule.SOURCE_SILENT, False, 1), (Rule.SOURCE_SILENT, True, 2)


# --- silent sources ---------------------------------------------------------------------------------------------------


def test_a_source_is_told_silent_once_and_heard_once() -> None:
    world = World()
    assert not world.minutes(60)
    (change,) = world.minutes(1)
    assert said([change]) == [SILENT]
    assert (change.subject, change.since, change.until, change.total) == ("fw", BEGAN, None, 1)
    assert not world.minutes(300)
    heard_at = world.now + MINUTE
    (change,) = world.minutes(1, heard=True)
    assert said([change]) == [HEARD]
    assert (change.since, change.until, change.exact) == (BEGAN, heard_at, True)
    assert not world.minutes(300, heard=True)
    assert not world.conditions.on()
    world.minutes(61)
    assert world.told[-1].conversation == 2, "calm for long: another conversation"
    assert len({change.key for change in world.told}) == len(world.told) == 3


def test_a_source_that_never_said_anything_counts_from_its_start() -> None:
    world = World()
    world.sources = {"fw": Source(began=BEGAN + 10 * MINUTE)}
    assert not world.minutes(70)
    assert said(world.minutes(1)) == [SILENT]
    assert world.told[0].since == BEGAN + 10 * MINUTE


def test_a_source_that_does_not_run_is_not_told_silent() -> None:
    world = World()
    world.sources = {"fw": Source(began=BEGAN, running=False)}
    assert not world.minutes(200)


@pytest.mark.parametrize("how", ["removed", "not wanted"])
def test_what_is_looked_at_no_more_is_over(how: str) -> None:
    world = World()
    world.minutes(61)
    if how == "removed":
        world.sources = {}
    else:
        world.settings = wanting(0)
    (change,) = world.minutes(30)
    assert (change.over, change.watched) == (True, False)


def test_nobody_wants_to_know() -> None:
    world = World(wanting(0))
    assert not world.minutes(500)


def test_a_flapping_source_is_counted_not_told_each_time() -> None:
    world = World(wanting(5))
    for _ in range(24):  # silent for a minute of every ten, for four hours
        world.minutes(4, heard=True)
        world.minutes(6)
    assert said(world.told[:3]) == [SILENT, HEARD, (Rule.SOURCE_SILENT, True, 3)]
    assert len(world.told) <= 2 + 4
    assert world.told[-1].first_at == world.told[0].first_at
    assert world.told[-1].total > 15
    world.minutes(240, heard=True)
    assert world.told[-1].over
    assert sum(change.times for change in world.told) == world.told[-1].total == 24
    assert {change.conversation for change in world.told} == {1}


def test_a_source_that_dies_after_flapping_is_still_told() -> None:
    world = World(wanting(5))
    for _ in range(6):
        world.minutes(4, heard=True)
        world.minutes(6)
    world.minutes(60)
    assert not world.told[-1].over
    assert [story.subject for story in world.conditions.on()] == ["fw"]


def test_a_suspended_computer_is_no_silence() -> None:
    world = World()
    world.minutes(10, heard=True)
    world.now += 14 * HOUR
    assert not world.look()
    assert not world.minutes(59)
    assert world.minutes(2), "but from then on it is"
    assert world.told[0].since == BEGAN + 10 * MINUTE, "and it began before"


@pytest.mark.parametrize("step", [timedelta(days=-400), -HOUR, -MINUTE, MINUTE, HOUR, timedelta(days=400)])
def test_a_step_of_the_clock(step: timedelta) -> None:
    world = World()
    world.minutes(10, heard=True)
    world.now += step
    assert not world.minutes(30)
    world.minutes(100)
    assert said(world.told) == [SILENT], "at most an hour late"
    world.now -= step
    assert not world.minutes(3)
    world.minutes(1, heard=True)
    assert said(world.told) == [SILENT, HEARD]


def test_silence_outlasts_a_restart_and_is_not_told_twice() -> None:
    world = World()
    world.minutes(61)
    world.restart(8 * HOUR)
    assert not world.minutes(200)
    (change,) = world.minutes(1, heard=True)
    assert said([change]) == [HEARD]
    assert change.since == BEGAN


def test_a_look_that_could_not_be_kept_is_found_again() -> None:
    world = World()
    world.minutes(60)
    world.now += MINUTE
    before = world.conditions.state
    first = world.look()
    world.conditions.state = before
    assert world.look() == first


# --- mail -------------------------------------------------------------------------------------------------------------


def failing(world: World, since: datetime, waiting: int, **more: object) -> None:
    world.mail = Mail(failing_since=since, worked_at=BEGAN - HOUR, waiting=waiting, **more)  # type: ignore[arg-type]


def test_mail_that_is_down_is_told_by_one_mail_once_it_works() -> None:
    world = World()
    world.hear()
    failed_at = world.now + 5 * MINUTE
    world.minutes(5, heard=True)
    failing(world, failed_at, 2, words="no route")
    assert not world.minutes(59, heard=True)
    (change,) = world.minutes(1, heard=True)
    assert (change.rule, change.over, change.mailed) == (Rule.MAIL_DOWN, False, False)
    failing(world, failed_at, 7)
    assert not world.minutes(100, heard=True)
    world.restart(HOUR)
    failing(world, failed_at, 3)
    assert not world.minutes(15, heard=True)
    works = world.now + timedelta(seconds=40)
    world.mail = Mail(worked_at=works)
    (change,) = world.minutes(1, heard=True)
    assert (change.over, change.mailed, change.waited, change.words) == (True, True, 7, "no route")
    assert (change.since, change.until) == (failed_at, works)
    assert not world.minutes(200, heard=True)


def test_an_hour_of_one_mails_failures_with_success_between_is_not_down() -> None:
    world = World()
    for _ in range(10):
        world.mail = Mail(failing_since=world.now, worked_at=world.now - MINUTE, waiting=1)
        assert not world.minutes(50, heard=True)


def test_nothing_that_waits_is_not_down() -> None:
    world = World()
    failing(world, BEGAN, 0)
    assert not world.minutes(300, heard=True)
    failing(world, world.now, 1)
    assert not world.minutes(59, heard=True), "the hour begins when something waits"
    assert world.minutes(2, heard=True)


def test_a_queue_that_is_emptied_by_hand_is_no_success() -> None:
    world = World()
    failing(world, BEGAN, 3)
    assert len(world.minutes(61, heard=True)) == 1
    world.mail = Mail(worked_at=BEGAN - HOUR)
    assert not world.minutes(100, heard=True)
    world.mail = Mail(worked_at=world.now)
    assert [change.over for change in world.minutes(1, heard=True)] == [True]


def test_what_is_due_now_is_tried_before_mail_is_called_down() -> None:
    world = World()
    failing(world, BEGAN, 3, tried=False)
    assert not world.minutes(300, heard=True)
    failing(world, BEGAN, 3)
    assert world.minutes(1, heard=True)


def test_after_a_night_asleep_mail_gets_its_chance() -> None:
    world = World()
    failing(world, BEGAN, 3)
    world.minutes(30, heard=True)
    world.now += 10 * HOUR
    assert not world.minutes(9, heard=True)
    world.mail = Mail(worked_at=world.now)
    assert not world.minutes(100, heard=True)


def test_the_first_failure_is_remembered_when_only_the_last_wait_is_known() -> None:
    """Without a network there is no attempt on record, and the queue's wait begins anew each minute."""
    world = World()
    for _ in range(59):
        failing(world, world.now, 1)
        assert not world.minutes(1, heard=True)
    failing(world, world.now, 1)
    assert world.minutes(2, heard=True)[0].since == BEGAN


# --- disks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("free", "total", "full"),
    [
        (2_047, 1_000_000, True),
        (2_049, 1_000_000, False),
        (12_600, 258_000, False),
        (999, 20_000, True),
        (1_001, 20_000, False),
        (499, 2_000, True),
        (501, 2_000, False),
        (201, 400, False),
        (199, 400, True),
        (0, 0, False),
    ],
)
def test_when_a_disk_is_almost_full(free: int, total: int, full: bool) -> None:
    world = World()
    world.free(free, total)
    assert bool(world.look()) is full
    if full:
        (change,) = world.told
        assert (change.rule, change.subject, change.disk) == (Rule.DISK_FULL, "/state", world.disks[0])


def test_a_disk_at_its_limit_does_not_flap() -> None:
    world = World()
    for minute in range(600):
        world.free(2_000 + minute % 10 * 50)
        world.minutes(1, heard=True)
    assert len(world.told) == 1
    world.free(2_600)
    assert [change.over for change in world.minutes(1, heard=True)] == [True]


def test_a_disk_that_cannot_be_asked_is_as_it_was() -> None:
    world = World()
    world.free(10)
    world.look()
    world.free(0, 0)
    assert not world.minutes(10, heard=True)


def test_a_disk_that_got_room_while_vxtray_was_off_is_told_as_over() -> None:
    world = World()
    world.free(10)
    world.look()
    world.restart(HOUR)
    world.free(90_000)
    (change,) = world.look()
    assert (change.over, change.exact, change.until) == (True, False, world.now)


# --- whatever happens -------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 30)),
        st.tuples(st.just("hear"), st.integers(1, 30)),
        st.tuples(st.just("clock"), st.sampled_from([-3000, -90, -2, 2, 90, 3000])),
        st.tuples(st.just("free"), st.sampled_from([100, 4_999, 5_500, 7_000])),
        st.tuples(st.just("fail"), st.integers(0, 5)),
        st.tuples(st.just("work"), st.just(0)),
        st.tuples(st.just("restart"), st.integers(0, 500)),
        st.tuples(st.just("limit"), st.sampled_from([0, 5, 20])),
    ),
    max_size=60,
)


def step(world: World, what: str, number: int) -> None:
    match what:
        case "wait" | "hear":
            world.minutes(number, heard=what == "hear")
        case "clock":
            world.now += number * MINUTE
        case "free":
            world.free(number)
        case "fail":
            since = world.mail.failing_since or world.now
            world.mail = msgspec.structs.replace(world.mail, failing_since=since, waiting=number)
        case "work":
            world.mail = Mail(worked_at=world.now)
        case "restart":
            world.restart(number * MINUTE)
        case "limit":
            world.settings = wanting(number)
    world.look()


@given(STEPS)
def test_whatever_happens_each_spell_is_told_once_and_seldom(steps: list[tuple[str, int]]) -> None:
    world = World(wanting(5))
    began: dict[int, int] = {}
    looked = 0
    for what, number in steps:
        step(world, what, number)
        looked += number if what in {"wait", "hear"} else 0
    for story in world.conditions.state.stories:
        began[story.conversation] = story.untold
    conversations: dict[int, list[Change]] = {}
    for change in world.told:
        conversations.setdefault(change.conversation, []).append(change)
    for number, changes in conversations.items():
        assert [change.number for change in changes] == list(range(1, len(changes) + 1))
        assert len({(change.rule, change.subject) for change in changes}) == 1
        assert not changes[0].over
        assert all(change.times or before.over != change.over for before, change in pairwise(changes))
        counted = sum(change.times for change in changes)
        assert changes[-1].total == counted
        assert began.get(number, 0) >= 0
    assert world.conditions.state.conversations == len(conversations)
    clock_stood = not any(what in {"clock", "restart"} for what, _ in steps)
    if clock_stood and not any(what == "limit" for what, _ in steps):
        for rule in (Rule.SOURCE_SILENT, Rule.DISK_FULL):
            mails = [change for change in world.told if change.rule is rule]
            assert len(mails) <= 2 + 2 * (looked // 60)
