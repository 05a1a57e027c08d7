"""What is told at once, what is counted, and what each later mail tells."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tests.core.alerts.account import AT, Account, match
from vxtray.core.alerts.grouping import MOST_OPEN, STORM_AT, Grouping
from vxtray.core.alerts.incidents import Fold, Key, Kind, Letter, Move, Pause, Shape, Why
from vxtray.core.alerts.rules import Alert, Rule
from vxtray.core.alerts.state import State
from vxtray.core.events import Severity
from vxtray.core.settings.tree import Alerts, QuietHours

SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=n) for n in (1, 60, 3600, 86400))
NIGHT = QuietHours(enabled=True, start="22:00", end="07:00")


class Desk:
    """Grouping with a clock, and the books that its entries make."""

    def __init__(self, **settings: object) -> None:
        self.settings = msgspec.structs.replace(Alerts(), **settings)
        self.grouping = Grouping(State())
        self.account = Account()
        self.now = AT
        self.seq = 0

    def see(self, *alerts: Alert, times: int = 1) -> list[Letter]:
        seen = list(alerts or [match()]) * times
        self.account.match(seen)
        return self.enter(self.grouping.look_at(seen, self.now, self.settings, UTC))

    def due(self, after: timedelta = timedelta()) -> list[Letter]:
        self.now += after
        return self.enter(self.grouping.due(self.now, self.settings, UTC))

    def enter(self, entries: list[Fold | Move | Letter]) -> list[Letter]:
        letters = self.account.apply(entries)
        self.account.check(self.grouping)
        return letters

    def shapes(self) -> Counter[Shape]:
        return Counter(incident.shape for incident in self.grouping.state.open.values())

    def held_by(self) -> dict[Why | None, int]:
        return {one.why: one.untold for one in self.grouping.state.open.values() if one.shape is Shape.HELD}


def told(letters: list[Letter]) -> list[tuple[Kind, int]]:
    return [(letter.kind, letter.events) for letter in letters]


def from_many(number: int, rule: Rule = Rule.WAF_BLOCKED) -> list[Alert]:
    return [match(rule, source=f"10.{n // 65536}.{n // 256 % 256}.{n % 256}", seq=n + 1) for n in range(number)]


# --- one key ----------------------------------------------------------------------------------------------------------


def test_the_first_is_told_at_once_with_its_event_and_all_its_rules() -> None:
    desk = Desk()
    alert = msgspec.structs.replace(match(Rule.CRITICAL, seq=7), matched=(Rule.CRITICAL, Rule.NEW_BAN))
    (letter,) = desk.see(alert)
    assert (letter.kind, letter.number, letter.events, letter.total, letter.at) == (Kind.FIRST, 1, 1, 1, AT)
    assert letter.event == alert.event
    assert letter.matched == (Rule.CRITICAL, Rule.NEW_BAN)
    incident = letter.incident
    assert (incident.shape, incident.urgent, incident.title) == (Shape.GROUP, True, "SQL injection")
    assert incident.key == Key(Rule.CRITICAL, "203.0.113.7", "shop.example.com")
    assert incident.severity is Severity.CRITICAL
    assert desk.grouping.next_due() == AT + 300 * SECOND


def test_a_few_more_are_told_together_when_no_more_come() -> None:
    desk = Desk()
    desk.see()
    desk.now += MINUTE
    assert desk.see(times=STORM_AT - 1) == []
    assert desk.due(299 * SECOND) == []
    (letter,) = desk.due(SECOND)
    assert (letter.kind, letter.events, letter.total, letter.number) == (Kind.MORE, STORM_AT - 1, STORM_AT, 2)
    assert letter.incident.closed_at == desk.now
    assert desk.grouping.next_due() is None


def test_a_group_of_one_ends_without_a_word() -> None:
    desk = Desk()
    desk.see()
    assert desk.due(300 * SECOND) == []
    assert not desk.grouping.state.open
    assert told(desk.see()) == [(Kind.FIRST, 1)]


def test_a_storm_is_told_to_have_started_summed_up_and_told_to_be_over() -> None:
    desk = Desk(summary_minutes=2)
    assert told(desk.see(times=STORM_AT + 1)) == [(Kind.FIRST, 1), (Kind.STARTED, STORM_AT)]
    desk.see(times=50)
    assert desk.grouping.next_due() == AT + 2 * MINUTE
    assert told(desk.due(2 * MINUTE)) == [(Kind.SUMMARY, 50)]
    desk.now += MINUTE
    desk.see(times=3)
    (over,) = _until_over(desk)
    assert (over.kind, over.total) == (Kind.OVER, 11 + 50 + 3)
    assert not desk.grouping.state.open


def _until_over(desk: Desk) -> list[Letter]:
    letters: list[Letter] = []
    while (at := desk.grouping.next_due()) is not None:
        desk.now = at
        letters += desk.due()
    return letters[-1:]


def test_no_summary_where_nothing_new_came() -> None:
    desk = Desk(summary_minutes=1)
    desk.see(times=STORM_AT + 1)
    assert desk.due(4 * MINUTE) == []
    assert told(desk.due(MINUTE)) == [(Kind.OVER, 0)]


def test_what_an_incident_says_in_a_letter_does_not_change_afterwards() -> None:
    desk = Desk()
    (first,) = desk.see()
    before = msgspec.json.encode(first)
    desk.see(times=40)
    desk.due(HOUR)
    assert msgspec.json.encode(first) == before


def test_rule_source_and_target_are_the_key() -> None:
    desk = Desk(max_mails_per_hour=100, group_seconds=10)
    for other in (match(), match(Rule.NEW_BAN), match(source="203.0.113.8"), match(target="mail.example.com")):
        assert told(desk.see(other)) == [(Kind.FIRST, 1)]
        desk.now += 4 * SECOND
    assert told(desk.see(match(target="mail.example.com", what="XSS"))) == []


def test_tallies_are_exact_and_harmless() -> None:
    desk = Desk()
    desk.see()
    events = [
        match(seq=5, at=AT + SECOND),
        match(seq=3, at=AT - HOUR),
        match(seq=9, at=AT + MINUTE),
        match(what="a\r\nBcc: x\u202e" + "y" * 300, seq=4),
    ]
    folds = [entry for entry in desk.grouping.look_at(events, AT, desk.settings, UTC) if isinstance(entry, Fold)]
    plain, hostile = (fold.tally for fold in folds)
    assert (plain.events, plain.blocked, plain.first_seq, plain.last_seq) == (3, 3, 3, 9)
    assert (plain.first_at, plain.last_at) == (AT - HOUR, AT + MINUTE)
    assert hostile.what.startswith("a Bcc: x y")
    assert len(hostile.what) == 70


def test_a_long_target_keeps_the_state_small() -> None:
    desk = Desk()
    desk.grouping.look_at([match(target="x" * 100_000, source="y" * 100_000)], AT, desk.settings, UTC)
    assert len(msgspec.json.encode(desk.grouping.state)) < 2000


# --- many keys --------------------------------------------------------------------------------------------------------


def test_many_sources_at_once_are_one_wide_storm() -> None:
    desk = Desk()
    assert told(desk.see(*from_many(500))) == [(Kind.FIRST, 1)] * 3 + [(Kind.STARTED, 1)]
    assert desk.shapes() == {Shape.WIDE: 1}
    assert desk.grouping.untold() == 496
    assert told(desk.due(300 * SECOND)) == [(Kind.OVER, 496)]


def test_a_wide_storm_takes_in_what_the_groups_have_not_told() -> None:
    desk = Desk()
    desk.see(*from_many(3))
    desk.see(*from_many(3), times=2)
    entries = desk.grouping.look_at([match(source="192.0.2.9")], AT, desk.settings, UTC)
    assert [type(entry) for entry in entries] == [Move, Move, Move, Fold, Letter]
    letter = entries[-1]
    assert isinstance(letter, Letter)
    assert (letter.kind, letter.incident.shape, letter.events) == (Kind.STARTED, Shape.WIDE, 7)


def test_critical_events_are_a_class_of_their_own() -> None:
    desk = Desk()
    desk.see(*from_many(100))
    assert told(desk.see(*from_many(100, Rule.CRITICAL))) == [(Kind.FIRST, 1)] * 3 + [(Kind.STARTED, 1)]
    assert desk.shapes() == {Shape.WIDE: 2}


def test_storms_that_start_count_as_beginnings_too() -> None:
    desk = Desk()
    assert told(desk.see(match(), times=11)) == [(Kind.FIRST, 1), (Kind.STARTED, 10)]
    assert told(desk.see(match(source="192.0.2.1"))) == [(Kind.FIRST, 1)]
    assert told(desk.see(match(source="192.0.2.1"), times=10)) == [(Kind.STARTED, 10)]
    assert desk.shapes() == {Shape.WIDE: 1}


@pytest.mark.parametrize("keys", [1, 500, 50_000])
def test_a_storm_of_100_000_events_makes_few_mails_in_ten_minutes(keys: int) -> None:
    desk = Desk()
    storms = [from_many(keys, rule) * (50_000 // keys) for rule in (Rule.WAF_BLOCKED, Rule.CRITICAL)]
    for n in range(20):  # half a minute each
        for storm in storms:
            some = storm[n * 2500 : (n + 1) * 2500]
            desk.account.match(some)
            desk.account.apply(desk.grouping.look_at(some, desk.now, desk.settings, UTC))
        desk.now += 30 * SECOND
        desk.account.apply(desk.grouping.due(desk.now, desk.settings, UTC))
    assert desk.account.matched.total() == 100_000
    desk.account.check(desk.grouping)
    assert len(desk.account.letters) <= 10
    assert len(msgspec.json.encode(desk.grouping.state)) < 4000
    desk.due(HOUR)
    assert sum(letter.events for letter in desk.account.letters) == 100_000


def test_no_more_groups_stay_open_than_a_bound() -> None:
    desk = Desk(max_mails_per_hour=1000, group_seconds=60)
    keys = [match(source=f"192.0.2.{n}") for n in range(MOST_OPEN + 1)]
    for n in range(MOST_OPEN):
        assert told(desk.see(*keys[: n + 1])) == [(Kind.FIRST, 1)]
        desk.grouping.acknowledge(None, desk.now)  # so that none becomes a storm
        desk.now += 21 * SECOND
    assert desk.shapes() == {Shape.GROUP: MOST_OPEN}
    assert told(desk.see(*keys))[-1][0] is Kind.STARTED
    assert desk.shapes() == {Shape.WIDE: 1}


# --- the cap ----------------------------------------------------------------------------------------------------------


def test_what_is_over_the_cap_is_told_as_soon_as_there_is_room() -> None:
    desk = Desk(max_mails_per_hour=1)
    assert told(desk.see(match())) == [(Kind.FIRST, 1)]
    assert desk.see(*from_many(20)) == []
    assert desk.held_by() == {Why.CAP: 20}
    assert desk.grouping.next_due() == AT + 300 * SECOND
    assert desk.due(HOUR - SECOND) == []
    assert desk.grouping.next_due() == AT + HOUR
    assert told(desk.due(SECOND)) == [(Kind.DIGEST, 20)]


def test_a_quarter_of_the_cap_is_kept_for_critical_events() -> None:
    desk = Desk(max_mails_per_hour=4, group_seconds=0)
    for _ in range(8):
        desk.see()
        desk.now += 2 * MINUTE
    assert len(desk.account.letters) == 3
    assert told(desk.see(match(Rule.CRITICAL))) == [(Kind.FIRST, 1)]
    assert desk.see(match(Rule.CRITICAL)) == []


def test_a_storm_over_the_cap_starts_when_there_is_room() -> None:
    desk = Desk(max_mails_per_hour=1, group_seconds=7200)
    desk.see(times=500)
    assert desk.shapes() == {Shape.GROUP: 1}
    assert desk.grouping.next_due() == AT + HOUR
    assert told(desk.due(HOUR)) == [(Kind.STARTED, 499)]


def test_what_waits_for_the_cap_is_told_in_turn() -> None:
    desk = Desk(max_mails_per_hour=1, summary_minutes=1, group_seconds=86400)
    kinds: Counter[Kind] = Counter()
    for n in range(24 * 12):
        kinds.update(letter.kind for letter in desk.see(match(), match(source=f"192.0.2.{n % 250}")))
        desk.now += 5 * MINUTE
    assert kinds[Kind.DIGEST] >= 8
    assert kinds[Kind.SUMMARY] >= 8


def test_mails_made_elsewhere_count() -> None:
    desk = Desk(max_mails_per_hour=1)
    assert desk.grouping.why_held(Rule.DISK_FULL, "", AT, desk.settings, UTC) is None
    desk.grouping.count_mail(AT)
    assert desk.grouping.why_held(Rule.DISK_FULL, "", AT, desk.settings, UTC) is Why.CAP
    assert desk.see() == []
    assert told(desk.due(HOUR)) == [(Kind.DIGEST, 1)]


# --- each alone -------------------------------------------------------------------------------------------------------


def test_without_grouping_each_event_is_a_mail_up_to_the_wide_rule() -> None:
    desk = Desk(group_seconds=0)
    assert told(desk.see(times=3)) == [(Kind.FIRST, 1)] * 3
    assert not desk.grouping.state.open
    assert told(desk.see(times=5)) == [(Kind.STARTED, 1)]
    assert told(desk.due(MINUTE)) == [(Kind.OVER, 4)]
    assert told(desk.see()) == [(Kind.FIRST, 1)]


def test_grouping_switched_off_and_on_in_the_middle_of_a_group() -> None:
    desk = Desk()
    desk.see(times=3)
    grouped, desk.settings = desk.settings, Alerts(group_seconds=0)
    assert told(desk.see()) == [(Kind.FIRST, 1)]
    desk.settings = grouped
    desk.see(times=2)
    desk.due(DAY)
    assert not desk.grouping.state.open


def test_a_rule_switched_off_still_tells_what_it_has() -> None:
    desk = Desk()
    desk.see(times=5)
    desk.settings = Alerts(critical=False)
    assert told(desk.due(HOUR)) == [(Kind.MORE, 4)]


# --- the clock --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [5 * MINUTE, HOUR, 400 * DAY])
def test_a_clock_set_back_ends_nothing_early_and_nothing_late(step: timedelta) -> None:
    desk = Desk(max_mails_per_hour=2)
    desk.see(times=5)
    desk.grouping.pause(Pause(until=AT + HOUR))
    desk.now -= step
    desk.due()
    assert desk.grouping.next_due() == desk.now + HOUR
    assert told(desk.due(HOUR)) == [(Kind.DIGEST, 4)]
    desk.now -= step
    assert told(desk.see(times=5)) == [(Kind.FIRST, 1)]
    assert desk.due(300 * SECOND) == []
    assert told(desk.due(55 * MINUTE)) == [(Kind.MORE, 4)]


@pytest.mark.parametrize("step", [5 * MINUTE, HOUR, 400 * DAY])
def test_a_clock_set_back_lets_no_group_live_for_ever(step: timedelta) -> None:
    desk = Desk()
    desk.see(times=5)
    desk.now += MINUTE - step
    assert desk.due() == []
    assert desk.grouping.next_due() == desk.now + 300 * SECOND
    assert told(desk.due(300 * SECOND)) == [(Kind.MORE, 4)]


def test_incidents_that_went_back_with_the_clock_are_saved_again() -> None:
    desk = Desk()
    desk.see(times=5)
    desk.now -= HOUR
    desk.grouping.why_held(Rule.DISK_FULL, "", desk.now, desk.settings, UTC)
    (incident,) = desk.grouping.changed()
    assert incident.last_at == desk.now


def test_a_clock_read_out_of_order_stands_still() -> None:
    desk = Desk()
    desk.see(times=3)
    desk.now -= 5 * SECOND
    desk.see()
    assert desk.grouping.next_due() == AT + 300 * SECOND


def test_a_clock_set_forward_ends_what_was_going_on() -> None:
    desk = Desk()
    desk.see(times=30)
    assert told(desk.due(4000 * DAY)) == [(Kind.OVER, 19)]


def test_a_naive_moment_is_refused() -> None:
    desk = Desk()
    with pytest.raises(ValueError, match="time zone"):
        desk.grouping.due(datetime(2026, 11, 23), desk.settings, UTC)  # noqa: DTZ001 - that is the point


# --- the state --------------------------------------------------------------------------------------------------------


def test_the_state_survives_in_the_middle_of_everything() -> None:
    desk = Desk()
    desk.see(*from_many(50))
    desk.see(match(Rule.CRITICAL), times=5)
    desk.grouping.pause(Pause(until=AT + HOUR))
    desk.grouping.silence(rule=Rule.CRITICAL, network="192.0.2.0/24", until=AT + HOUR, reason="test", now=AT)
    desk.due()
    saved = msgspec.json.encode(desk.grouping.state)
    desk.grouping = Grouping(msgspec.json.decode(saved, type=State))
    assert msgspec.json.encode(desk.grouping.state) == saved
    assert told(desk.due(HOUR)) == [(Kind.MORE, 4), (Kind.DIGEST, 46)]


def test_a_fresh_state_has_nothing_to_do() -> None:
    desk = Desk()
    assert desk.due() == []
    assert desk.grouping.next_due() is None
    assert desk.grouping.held() == desk.grouping.untold() == 0
