"""Whatever comes, and whatever people do: each matched event is told once or still to be told, and the cap holds.

The short form runs in the gate. Five minutes of it: ``pytest -m slow tests/core/alerts/test_grouping_machine.py``.
"""

from collections import deque
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.core.alerts.account import AT, Account, match
from vxtray.core.alerts.grouping import MOST_OPEN, Grouping
from vxtray.core.alerts.incidents import Entry, Kind, Letter, Pause, Shape
from vxtray.core.alerts.rules import Alert, Rule
from vxtray.core.alerts.state import State
from vxtray.core.settings.tree import Alerts, QuietHours

PARIS = ZoneInfo("Europe/Paris")
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
RULES = (Rule.CRITICAL, Rule.WAF_BLOCKED, Rule.NEW_BAN)
SOURCES = ("", "198.51.100.1", "198.51.100.2", "203.0.113.7", "no address")
TARGETS = ("", "shop.example.com")
WHATS = ("", "SQL injection", "XSS")

keys = st.tuples(st.sampled_from(RULES), st.sampled_from(SOURCES), st.sampled_from(TARGETS), st.sampled_from(WHATS))
settings_of_people = st.builds(
    Alerts,
    group_seconds=st.sampled_from([0, 1, 60, 300, 86400]),
    summary_minutes=st.sampled_from([1, 5, 60, 1440]),
    max_mails_per_hour=st.sampled_from([1, 2, 3, 4, 8, 20, 1000]),
    quiet_hours=st.builds(
        QuietHours,
        enabled=st.booleans(),
        start=st.sampled_from(["22:00", "02:30", "09:00"]),
        end=st.sampled_from(["07:00", "02:45", "12:00"]),
    ),
)
moments = st.one_of(
    st.integers(0, 90).map(lambda n: n * SECOND),
    st.integers(0, 150).map(lambda n: n * MINUTE),
    st.sampled_from([12 * HOUR, 24 * HOUR, 24 * 30 * HOUR]),
)


class Alerting(RuleBasedStateMachine):
    """Grouping, and beside it books kept by its entries alone."""

    def __init__(self) -> None:
        super().__init__()
        self.grouping = Grouping(State())
        self.settings = Alerts()
        self.account = Account()
        self.now = self.last = AT
        self.elapsed = timedelta()  # time as it went by, without what the clock was set back
        self.sent: deque[tuple[timedelta, bool]] = deque()
        self.seq = 0

    # --- what happens -------------------------------------------------------------------------------------------------

    @initialize(chosen=settings_of_people)
    def begin(self, chosen: Alerts) -> None:
        self.settings = chosen

    def look_at(self, alerts: list[Alert]) -> None:
        self.account.match(alerts)
        self.enter(self.grouping.look_at(alerts, self.now, self.settings, PARIS))

    def numbered(self, key: tuple[Rule, str, str, str]) -> Alert:
        self.seq += 1
        return match(*key, seq=self.seq)

    @rule(some=st.lists(keys, min_size=1, max_size=6))
    def events(self, some: list[tuple[Rule, str, str, str]]) -> None:
        self.look_at([self.numbered(key) for key in some])

    @rule(key=keys, times=st.integers(2, 30))
    def the_same_again(self, key: tuple[Rule, str, str, str], times: int) -> None:
        self.look_at([self.numbered(key) for _ in range(times)])

    @rule(which=st.sampled_from(RULES), sources=st.integers(2, 120), rounds=st.integers(1, 2))
    def many_sources(self, which: Rule, sources: int, rounds: int) -> None:
        self.look_at([self.numbered((which, f"10.0.0.{n}", "", "")) for n in range(sources)] * rounds)

    @rule(rounds=st.integers(1, 15), span=st.integers(1, 400))
    def a_slow_stream(self, rounds: int, span: int) -> None:
        for n in range(rounds):
            self.look_at([self.numbered((Rule.WAF_BLOCKED, f"10.1.0.{n % 3}", "", ""))])
            self.now += span * SECOND

    @rule(span=moments)
    def time_passes(self, span: timedelta) -> None:
        self.now += span
        self.due()

    @rule(span=moments)
    def time_passes_unseen(self, span: timedelta) -> None:
        self.now += span

    @rule()
    def what_is_due_next(self) -> None:
        self.now = max(self.now, self.grouping.next_due() or self.now)
        self.due()

    @rule(span=moments)
    def the_clock_is_set_back(self, span: timedelta) -> None:
        self.now -= span

    @rule()
    def due(self) -> None:
        self.enter(self.grouping.due(self.now, self.settings, PARIS))

    @rule(span=moments, everything=st.booleans())
    def pause(self, span: timedelta, everything: bool) -> None:
        self.grouping.pause(Pause(until=self.now + span - MINUTE, everything=everything))

    @rule()
    def resume(self) -> None:
        self.enter(self.grouping.resume(self.now, self.settings, PARIS))

    @rule(
        which=st.sampled_from([None, *RULES]),
        network=st.sampled_from(["198.51.100.0/24", "198.51.100.1", "10.0.0.0/8", "2001:db8::/32"]),
        bare=st.booleans(),
        span=moments,
    )
    def silence(self, which: Rule | None, network: str, bare: bool, span: timedelta) -> None:
        self.grouping.silence(
            rule=which, network="" if which and bare else network, until=self.now + span, reason="known", now=self.now
        )

    @rule(number=st.integers(0, 4))
    def end_silence(self, number: int) -> None:
        self.enter(self.grouping.end_silence(number, self.now, self.settings, PARIS))

    @rule(nth=st.integers(-1, 10))
    def acknowledge(self, nth: int) -> None:
        opened = sorted(self.grouping.state.open)
        self.grouping.acknowledge(opened[nth] if 0 <= nth < len(opened) else None, self.now)

    @rule(chosen=settings_of_people)
    def settings_change(self, chosen: Alerts) -> None:
        self.settings = chosen

    @rule()
    def the_program_starts_again(self) -> None:
        self.account.check(self.grouping)
        saved = msgspec.json.encode(self.grouping.state)
        self.grouping = Grouping(msgspec.json.decode(saved, type=State))
        assert msgspec.json.encode(self.grouping.state) == saved

    @rule(urgent=st.booleans())
    def a_mail_made_elsewhere(self, urgent: bool) -> None:
        which = Rule.CRITICAL if urgent else Rule.DISK_FULL
        held = self.grouping.why_held(which, "", self.now, self.settings, PARIS)
        self.time_went_by()
        if held is None:
            self.grouping.count_mail(self.now, urgent=urgent)
            self.count(urgent)

    # --- what holds ---------------------------------------------------------------------------------------------------

    def time_went_by(self) -> None:
        """Keep the time as grouping does, without looking at it: a clock set back a little stands still."""
        if self.now >= self.last:
            self.elapsed += self.now - self.last
            self.last = self.now
        elif self.last - self.now >= MINUTE:
            self.last = self.now

    def enter(self, entries: list[Entry]) -> None:
        self.time_went_by()
        for letter in self.account.apply(entries):
            self.may_be_sent(letter)
            self.count(letter.incident.urgent)
        if (next_due := self.grouping.next_due()) is not None and not self.grouping.untold():
            assert next_due > self.last, "nothing is to be told, yet something is due"

    def count(self, urgent: bool) -> None:
        self.sent.append((self.elapsed, urgent))
        while self.sent[0][0] <= self.elapsed - HOUR:
            self.sent.popleft()
        cap = self.settings.max_mails_per_hour
        assert len(self.sent) <= cap
        assert urgent or sum(not one for _, one in self.sent) <= cap - cap // 4

    def may_be_sent(self, letter: Letter) -> None:
        incident, pause = letter.incident, self.grouping.state.pause
        assert pause is None or (incident.urgent and not pause.everything), "told during a pause"
        assert incident.urgent or not self.quiet(letter.at), "told in quiet hours"
        if incident.acknowledged_at is not None:
            assert letter.kind in {Kind.OVER, Kind.MORE, Kind.DIGEST}
        for silence in self.grouping.silences(letter.at):
            assert incident.key is None or not (
                silence.rule in {None, incident.key.rule} and silence.network in {"", incident.key.source}
            ), "told though silenced"

    def quiet(self, at: datetime) -> bool:
        hours, clock = self.settings.quiet_hours, at.astimezone(PARIS).strftime("%H:%M")
        if not hours.enabled:
            return False
        if hours.start < hours.end:
            return hours.start <= clock < hours.end
        return clock >= hours.start or clock < hours.end

    @invariant()
    def each_event_is_told_once_or_still_to_be_told(self) -> None:
        self.account.check(self.grouping)

    @invariant()
    def what_is_remembered_stays_small(self) -> None:
        grouping = self.grouping
        groups = [one for one in grouping.state.open.values() if one.shape is not Shape.HELD]
        assert len(groups) <= 2 * MOST_OPEN + 2
        assert len(grouping.state.normal.openings) <= 3

    def teardown(self) -> None:
        """Once nobody holds anything back, all is told, step by step, and nothing stays open."""
        self.resume()
        self.settings = msgspec.structs.replace(self.settings, quiet_hours=QuietHours())
        for silence in list(self.grouping.state.silences):
            self.enter(self.grouping.end_silence(silence.id, self.now, self.settings, PARIS))
        steps = 0
        while (next_due := self.grouping.next_due()) is not None:
            self.now = max(self.now, next_due)
            self.due()
            steps += 1
            assert steps < 2000, "it does not come to an end"
        assert not self.grouping.state.open
        assert not self.grouping.untold()
        told = sum(letter.events for letter in self.account.letters)
        assert told == self.account.matched.total()


def _run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Alerting,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )


def test_any_stream_clock_pause_silence_and_restart() -> None:
    _run(250, 30)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_any_stream_clock_pause_silence_and_restart_at_length() -> None:
    _run(5000, 60)
