"""Quiet hours, pauses and silences: what they hold, and that it is told afterwards."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.core.alerts.account import AT, match
from tests.core.alerts.test_grouping import DAY, HOUR, MINUTE, NIGHT, SECOND, Desk, from_many, told
from vxtray.core.alerts.incidents import Kind, Pause, Shape, Why
from vxtray.core.alerts.quiet import quiet_until
from vxtray.core.alerts.rules import Rule
from vxtray.core.settings.tree import Alerts, QuietHours

PARIS = ZoneInfo("Europe/Paris")
EVENING = datetime(2026, 11, 23, 21, 58, tzinfo=UTC)


def until(now: str, start: str, end: str, zone: ZoneInfo = PARIS) -> str:
    """Return the end of the quiet hours in local time, or ""."""
    settings = Alerts(quiet_hours=QuietHours(enabled=True, start=start, end=end))
    moment = quiet_until(datetime.fromisoformat(now).replace(tzinfo=UTC), settings, zone)
    return moment.astimezone(zone).strftime("%d %H:%M %z") if moment else ""


# --- the hours --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "start", "end", "expected"),
    [
        ("2026-11-23T20:59:59", "22:00", "07:00", ""),
        ("2026-11-23T21:00", "22:00", "07:00", "24 07:00 +0100"),
        ("2026-11-24T05:59:59", "22:00", "07:00", "24 07:00 +0100"),
        ("2026-11-24T06:00", "22:00", "07:00", ""),
        ("2026-11-24T11:30", "12:00", "14:00", "24 14:00 +0100"),
        ("2026-11-24T13:00", "12:00", "14:00", ""),
        ("2026-11-24T13:00", "12:00", "12:00", ""),
        ("2026-11-23T23:00", "00:00", "06:00", "24 06:00 +0100"),
        # The night of 28 to 29 March 2026 is an hour shorter: 02:00 is 03:00.
        ("2026-03-28T22:00", "22:00", "07:00", "29 07:00 +0200"),
        ("2026-03-29T00:45", "22:00", "02:30", "29 03:00 +0200"),
        ("2026-03-29T01:00", "22:00", "02:30", ""),
        ("2026-03-29T00:59", "02:30", "03:30", ""),
        ("2026-03-29T01:00", "02:30", "03:30", "29 03:30 +0200"),
        ("2026-03-29T01:00", "02:15", "02:45", ""),
        # The night of 24 to 25 October 2026 is an hour longer: 03:00 is 02:00 again.
        ("2026-10-24T21:00", "22:00", "07:00", "25 07:00 +0100"),
        ("2026-10-25T00:15", "22:00", "02:30", "25 02:30 +0200"),
        ("2026-10-25T01:15", "22:00", "02:30", ""),
        ("2026-10-25T00:35", "02:30", "02:45", "25 02:45 +0200"),
        ("2026-10-25T01:35", "02:30", "02:45", ""),
        ("2026-10-25T01:45", "02:30", "03:15", "25 03:15 +0100"),
    ],
)
def test_quiet_hours_are_local_times(now: str, start: str, end: str, expected: str) -> None:
    assert until(now, start, end) == expected


def test_quiet_hours_of_a_zone_that_left_out_a_day() -> None:
    apia = ZoneInfo("Pacific/Apia")  # there was no 30 December 2011
    assert until("2011-12-30T09:00", "22:00", "07:00", apia) == "31 00:00 +1400"
    assert until("2011-12-30T10:00", "22:00", "07:00", apia) == "31 07:00 +1400"


def test_quiet_hours_switched_off() -> None:
    assert quiet_until(AT.replace(hour=23), Alerts(), PARIS) is None


# --- held, and told afterwards ----------------------------------------------------------------------------------------


def test_quiet_hours_hold_what_is_not_critical_and_deliver_it_in_the_morning() -> None:
    desk = Desk(quiet_hours=NIGHT)
    desk.now = EVENING
    desk.see(times=5)
    desk.due(2 * MINUTE)
    assert desk.held_by() == {Why.QUIET_HOURS: 4}
    assert desk.see(*from_many(100)) == []
    assert told(desk.see(match(Rule.CRITICAL))) == [(Kind.FIRST, 1)]
    assert desk.grouping.held() == 104
    morning = datetime(2026, 11, 24, 7, tzinfo=UTC)
    desk.due(HOUR)
    assert desk.grouping.next_due() == morning
    desk.now = morning - SECOND
    assert desk.due() == []
    assert told(desk.due(SECOND)) == [(Kind.DIGEST, 104)]


def test_a_storm_that_the_night_interrupts_is_told_in_the_morning() -> None:
    desk = Desk(quiet_hours=NIGHT)
    desk.now = EVENING
    desk.see(*from_many(500))
    assert desk.shapes() == {Shape.WIDE: 1}
    assert desk.due(2 * MINUTE) == []
    assert desk.shapes() == {Shape.HELD: 1}
    assert told(desk.due(10 * HOUR)) == [(Kind.DIGEST, 496)]


def test_a_pause_lets_critical_events_through_unless_it_is_of_everything() -> None:
    desk = Desk()
    desk.grouping.pause(Pause(until=AT + HOUR))
    assert told(desk.see(match(), match(Rule.CRITICAL))) == [(Kind.FIRST, 1)]
    desk.grouping.pause(Pause(until=AT + HOUR, everything=True))
    assert desk.see(match(), match(Rule.CRITICAL), match(Rule.CRITICAL, source="192.0.2.1")) == []
    assert desk.grouping.paused(AT) == Pause(until=AT + HOUR, everything=True)
    assert desk.grouping.why_held(Rule.CRITICAL, "", AT, desk.settings, UTC) is Why.PAUSE
    letters = desk.enter(desk.grouping.resume(AT + MINUTE, desk.settings, UTC))
    assert told(letters) == [(Kind.DIGEST, 2), (Kind.DIGEST, 2)]
    assert letters[0].incident.urgent
    assert desk.grouping.paused(AT) is None


def test_a_pause_absorbs_a_storm_and_ends_by_itself() -> None:
    desk = Desk()
    desk.see(times=60)
    desk.grouping.pause(Pause(until=AT + 30 * MINUTE))
    assert desk.due() == []
    assert desk.held_by() == {Why.PAUSE: 49}
    desk.see(times=100)
    assert told(desk.due(30 * MINUTE)) == [(Kind.DIGEST, 149)]


def test_a_pause_of_the_past_is_none() -> None:
    desk = Desk()
    desk.grouping.pause(Pause(until=AT - SECOND))
    assert told(desk.see()) == [(Kind.FIRST, 1)]
    assert desk.grouping.state.pause is None


def test_a_pause_that_ends_at_night_is_followed_by_the_night() -> None:
    desk = Desk(quiet_hours=NIGHT)
    desk.now = EVENING
    desk.grouping.pause(Pause(until=EVENING + HOUR))
    desk.see(times=3)
    assert desk.held_by() == {Why.PAUSE: 3}
    assert desk.due(HOUR) == []
    assert desk.held_by() == {Why.QUIET_HOURS: 3}
    assert told(desk.due(9 * HOUR)) == [(Kind.DIGEST, 3)]


def test_nothing_came_during_a_pause_and_nothing_is_told() -> None:
    desk = Desk()
    desk.see()
    desk.grouping.pause(Pause(until=AT + HOUR))
    assert desk.due() == []
    assert desk.due(HOUR) == []


# --- silences ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "network", "silent"),
    [
        (Rule.WAF_BLOCKED, "", True),
        (Rule.NEW_BAN, "", False),
        (None, "203.0.113.7", True),
        (None, "203.0.113.0/24", True),
        (None, "198.51.100.0/24", False),
        (Rule.WAF_BLOCKED, "203.0.113.0/24", True),
        (Rule.WAF_BLOCKED, "2001:db8::/32", False),
        (Rule.NEW_BAN, "203.0.113.0/24", False),
    ],
)
def test_a_silence_holds_a_rule_a_source_or_both(rule: Rule | None, network: str, silent: bool) -> None:
    desk = Desk()
    desk.grouping.silence(rule=rule, network=network, until=AT + HOUR, reason="known\nscan", now=AT)
    assert desk.grouping.silences(AT)[0].reason == "known scan"
    assert bool(desk.see()) is not silent
    assert desk.grouping.why_held(Rule.WAF_BLOCKED, "203.0.113.7", AT, desk.settings, UTC) is (
        Why.SILENCE if silent else None
    )
    assert desk.grouping.silenced(Rule.WAF_BLOCKED, "203.0.113.7", AT) is silent
    assert not desk.grouping.silenced(Rule.WAF_BLOCKED, "203.0.113.7", AT + HOUR)
    assert told(desk.due(HOUR)) == ([(Kind.DIGEST, 1)] if silent else [])
    assert desk.grouping.silences(desk.now) == []


def test_a_silence_takes_over_what_an_open_incident_has_not_told() -> None:
    desk = Desk()
    desk.see(times=6)
    silence = desk.grouping.silence(network="203.0.113.7", until=AT + DAY, reason="", now=AT)
    assert desk.due() == []
    (held,) = desk.grouping.state.open.values()
    assert (held.shape, held.silence, held.untold) == (Shape.HELD, silence.id, 5)
    assert desk.see(times=100) == []
    assert desk.due(HOUR) == []
    assert told(desk.enter(desk.grouping.end_silence(silence.id, desk.now, desk.settings, UTC))) == [(Kind.DIGEST, 105)]


def test_the_same_silence_again_goes_on_longer() -> None:
    desk = Desk()
    first = desk.grouping.silence(rule=Rule.NEW_BAN, until=AT + HOUR, reason="a", now=AT)
    again = desk.grouping.silence(rule=Rule.NEW_BAN, until=AT + DAY, reason="b", now=AT)
    assert again.id == first.id
    assert desk.grouping.silences(AT) == [again]


def test_overlapping_silences_tell_each_event_once() -> None:
    desk = Desk()
    first = desk.grouping.silence(rule=Rule.WAF_BLOCKED, until=AT + DAY, reason="", now=AT)
    desk.grouping.silence(network="203.0.113.0/24", until=AT + 2 * DAY, reason="", now=AT)
    desk.see(times=4)
    assert told(desk.enter(desk.grouping.end_silence(first.id, AT, desk.settings, UTC))) == [(Kind.DIGEST, 4)]
    assert desk.see(times=3) == []
    assert told(desk.due(2 * DAY)) == [(Kind.DIGEST, 3)]


def test_a_silence_that_ends_at_night_waits_for_the_morning() -> None:
    desk = Desk(quiet_hours=NIGHT)
    desk.now = EVENING
    desk.grouping.silence(rule=Rule.WAF_BLOCKED, until=EVENING + HOUR, reason="", now=EVENING)
    desk.see(times=4)
    assert desk.due(HOUR) == []
    assert desk.held_by() == {Why.QUIET_HOURS: 4}
    assert told(desk.due(9 * HOUR)) == [(Kind.DIGEST, 4)]


def test_a_silence_of_critical_events_ends_their_wide_storm() -> None:
    desk = Desk()
    desk.see(*from_many(50, Rule.CRITICAL))
    desk.grouping.silence(rule=Rule.CRITICAL, until=AT + HOUR, reason="", now=AT)
    assert desk.due() == []
    assert desk.held_by() == {Why.SILENCE: 46}


def test_what_is_no_silence() -> None:
    desk = Desk()
    with pytest.raises(ValueError, match="a pause"):
        desk.grouping.silence(until=AT + HOUR, now=AT)
    with pytest.raises(ValueError, match="nonsense"):
        desk.grouping.silence(network="nonsense", until=AT + HOUR, now=AT)
    assert desk.enter(desk.grouping.end_silence(99, AT, desk.settings, UTC)) == []


# --- acknowledged -----------------------------------------------------------------------------------------------------


def test_an_acknowledged_storm_is_told_once_more_when_it_is_over() -> None:
    desk = Desk(summary_minutes=1, group_seconds=120)
    desk.see(times=20)
    assert desk.grouping.acknowledge(None, AT) == 1
    assert desk.grouping.acknowledge(None, AT) == 0
    for _ in range(10):
        assert desk.see(times=50) == []
        assert desk.due(MINUTE) == []
    assert told(desk.due(MINUTE)) == [(Kind.OVER, 509)]


def test_an_acknowledged_group_does_not_become_a_storm() -> None:
    desk = Desk()
    (first,) = desk.see()
    assert desk.grouping.acknowledge(first.incident.id, AT) == 1
    assert desk.grouping.acknowledge(12345, AT) == 0
    assert desk.see(times=100) == []
    assert desk.due(timedelta(seconds=300))[0].kind is Kind.MORE
