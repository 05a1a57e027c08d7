"""All about alerts behind one handle: what people ask for, what is known, and what time alone brings about."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.core.alerts.watch import check_accounts
from tests.core.engine import DAY, HOUR, MONDAY, Engine, event, settings, text_of
from tests.peers.desktop import until
from vxtray.core.alerts.incidents import Kind, Shape, Why
from vxtray.core.alerts.rules import Rule
from vxtray.core.credentials import MemoryStore
from vxtray.core.errors import StoreError, UsageError
from vxtray.core.events import SecurityEvent, Severity
from vxtray.core.notices import AlertsRaised, IncidentsChanged, QueueChanged
from vxtray.core.paths import Profile
from vxtray.core.service import Service
from vxtray.core.settings.tree import Alerts, Settings, Smtp

Making = Callable[..., Engine]

MINUTE = timedelta(minutes=1)
LOW = Severity.LOW


@pytest.fixture
def engine(profile: Profile) -> Iterator[Making]:
    made: list[Engine] = []

    def make(chosen: Settings | None = None) -> Engine:
        made.append(Engine(profile, chosen or settings()))
        return made[-1]

    yield make
    for one in made:
        one.service.stop()


def store(one: Engine, *events: SecurityEvent) -> int:
    """Store events as a source does; return how many mails they made."""
    first, _last = one.service.store().append(events)
    return one.service.alerts.committed(first, events, alerts=True)


def raised(one: Engine) -> list[AlertsRaised]:
    return [notice for notice in one.notices if isinstance(notice, AlertsRaised)]


def changed(one: Engine) -> list[tuple[int, int, int]]:
    found = [notice for notice in one.notices if isinstance(notice, IncidentsChanged)]
    return [(notice.open, notice.unacknowledged, notice.held) for notice in found]


def test_what_was_raised_is_told(engine: Making) -> None:
    one = engine(settings(alerts=Alerts(waf_blocked=True, minimum_severity=LOW)))
    evil = "a\nb\u202e" + "x" * 500
    store(one, event(MONDAY, LOW), event(MONDAY, rule_name=evil), event(MONDAY))
    (notice,) = raised(one)
    assert (notice.count, notice.critical, notice.severity, notice.seq) == (3, 2, Severity.CRITICAL, 2)
    assert (notice.source, notice.rules) == ("203.0.113.77", (Rule.WAF_BLOCKED, Rule.CRITICAL))
    assert notice.title.startswith("a b xxx")
    assert len(notice.title) <= 120
    assert changed(one)[-1] == (2, 1, 0), "the low one needs nobody"
    assert one.told(QueueChanged)


def test_what_was_raised_is_told_to_the_desktop_even_if_there_is_nobody_to_mail(engine: Making) -> None:
    one = engine(settings(Smtp()))
    assert store(one, event(MONDAY)) == 0
    assert [notice.count for notice in raised(one)] == [1]
    assert (one.service.alerts.incidents(), one.mails()) == ([], [])


def test_letters_say_what_they_folded(engine: Making) -> None:
    one = engine()
    for number, count in ((1, 12), (2, 1)):
        store(one, *[event(MONDAY, src_ip=f"203.0.113.{number}", country="FR")] * count)
    room = one.service.alerts
    letters = room.letters()
    assert [(letter.kind, letter.number, letter.events) for letter in letters] == [
        (Kind.FIRST, 1, 1),
        (Kind.STARTED, 2, 10),
        (Kind.FIRST, 1, 1),
    ]
    assert [letter.subject for letter in letters] == [mail["Subject"] for mail in reversed(one.mails())]
    assert {letter.state for letter in letters} == {"queued"}
    assert {(letter.title, letter.severity) for letter in letters} == {("SQL injection", Severity.CRITICAL)}
    started = letters[1]
    found, untold, every = (room.folded(started.incident, number) for number in (2, 0, None))
    assert found is not None
    assert untold is not None
    assert every is not None
    assert (found.events, untold.events, every.events) == (10, 1, 12)
    assert (found.blocked, found.sources, found.targets, found.rules) == (10, 1, 1, 1)
    assert [(row.name, row.events, row.country) for row in found.top_sources] == [("203.0.113.1", 10, "FR")]
    assert found.reasons == ((Rule.CRITICAL, 10),)
    assert room.folded(999) is None
    assert room.letters(limit=2) == letters[:2]
    assert [incident.id for incident in room.incidents(limit=1)] == [2]


def test_counts_are_exact_and_rankings_short(engine: Making) -> None:
    one = engine()
    events = [event(MONDAY, src_ip=f"10.0.0.{n}") for n in range(20) for _ in range(n + 1)]
    store(one, *events)
    (wide,) = [incident for incident in one.service.alerts.incidents() if incident.shape is Shape.WIDE]
    found = one.service.alerts.folded(wide.id)
    assert found is not None
    assert [(row.name, row.events) for row in found.top_sources] == [(f"10.0.0.{n}", n + 1) for n in range(19, 9, -1)]
    check_accounts(one.service.outbox, total=len(events))


def test_pausing_twice_resuming_and_status(engine: Making) -> None:
    one = engine(settings(alerts=Alerts(waf_blocked=True, minimum_severity=LOW)))
    room = one.service.alerts
    assert room.paused() is None
    pause = room.pause(one.clock() + HOUR)
    assert room.paused() == pause
    store(one, event(MONDAY, LOW), event(MONDAY, LOW))
    assert (room.held(), changed(one)[-1]) == (2, (1, 0, 2))
    assert [incident.why for incident in room.open_incidents()] == [Why.PAUSE]
    assert (room.resume(), room.resume(), room.held()) == (2, 0, 0)
    assert [letter.kind for letter in room.letters()] == [Kind.DIGEST]
    assert changed(one)[-1] == (0, 0, 0)


def test_silences_are_checked_listed_and_ended(engine: Making) -> None:
    one = engine()
    room, end = one.service.alerts, one.clock() + HOUR
    for wrong in ({}, {"network": "203.0.113.0/99"}, {"network": "a\nb"}):
        with pytest.raises(UsageError, match="no address and no network"):
            room.silence(until=end, **wrong)  # type: ignore[arg-type]  # by name
    with pytest.raises(UsageError, match="is over"):
        room.silence(rule=Rule.CRITICAL, until=one.clock())
    first = room.silence(network="203.0.113.0/24", until=end, reason="a test of ours")
    second = room.silence(rule=Rule.NEW_BAN, until=end)
    assert room.silences() == [second, first]
    assert store(one, event(MONDAY)) == 0
    assert raised(one) == [], "nor is the desktop told"
    assert room.end_silence(first.id) == 1
    assert room.silences() == [second]
    with pytest.raises(UsageError, match=f"no silence {first.id}"):
        room.end_silence(first.id)
    assert "a test of ours" in text_of(one.mails()[-1])


def test_acknowledging(engine: Making) -> None:
    one = engine()
    room = one.service.alerts
    store(one, event(MONDAY), event(MONDAY, target_host="b"))
    assert (room.unacknowledged(), changed(one)[-1]) == (2, (2, 2, 0))
    assert (room.acknowledge(room.incidents()[0].id), room.unacknowledged()) == (1, 1)
    assert (room.acknowledge(12345), room.acknowledge(), room.acknowledge(), room.unacknowledged()) == (0, 1, 0, 0)
    assert changed(one)[-1] == (2, 0, 0)


def test_what_nobody_acknowledged_is_recent_for_a_day(engine: Making) -> None:
    one = engine()
    room = one.service.alerts
    store(one, event(MONDAY))
    last = room.last_critical()
    assert last is not None
    assert last.id == 1
    one.clock.now += 6 * MINUTE
    room.watch(one.clock())
    assert (room.open_incidents(), room.unacknowledged()) == ([], 1)
    one.clock.now += DAY
    room.watch(one.clock())
    assert (room.unacknowledged(), changed(one)[-1]) == (0, (0, 0, 0))
    assert room.last_critical() == room.incidents()[0]


def test_what_changes_nothing_tells_nothing(engine: Making) -> None:
    one = engine()
    store(one, event(MONDAY))
    told = len(one.notices)
    for _ in range(3):
        one.service.alerts.watch(one.clock())
    assert len(one.notices) == told


def test_a_storm_ends_by_the_clock_alone(profile: Profile) -> None:
    """The thread wakes when something is due, long before the schedule's next tick."""
    service = Service(profile, settings(alerts=Alerts(group_seconds=1)), MemoryStore(), lambda _: None)
    room, now = service.alerts, service.clock()
    room.start()
    first, _last = service.store().append(events := [event(now)] * 15)
    room.committed(first, events, alerts=True)
    assert [letter.kind for letter in room.letters()] == [Kind.STARTED, Kind.FIRST]
    until(lambda: len(room.letters()) == 3, "the storm is over", 5)
    over, started, _first = room.letters()
    assert over.kind is Kind.OVER
    assert timedelta(seconds=1) <= over.at - started.at < timedelta(seconds=2)
    service.stop()
    assert "vx-alerts" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.expected_log("alert-times: ")
def test_trouble_of_the_thread_is_told_and_over_again(engine: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    one = engine()
    room = one.service.alerts
    with monkeypatch.context() as full:

        def refuse(*_: object) -> None:
            raise StoreError(path="outbox.db", reason="the disk is full")

        full.setattr(room._desk, "due", refuse)
        room.start()
        until(lambda: [trouble.what for trouble in one.service.troubles()] == ["alert-times"], "it is told")
    room._wake.set()
    until(lambda: not one.service.troubles(), "it is over")
    room.stop()


def test_what_was_stored_is_rehearsed(engine: Making) -> None:
    one = engine()
    one.clock.now += HOUR
    store(one, *[event(MONDAY)] * 15, event(MONDAY, LOW))
    room = one.service.alerts
    rehearsal = room.rehearse(MONDAY - HOUR, MONDAY + HOUR)
    assert (rehearsal.matched, rehearsal.recipients) == (15, one.service.settings.alert_recipients)
    assert rehearsal.at_once + rehearsal.folded + rehearsal.held + rehearsal.untold == 15
    others = Alerts(waf_blocked=True, minimum_severity=LOW, recipients=("soc@example.org",))
    rehearsal = room.rehearse(MONDAY - HOUR, MONDAY + HOUR, others)
    assert (rehearsal.matched, rehearsal.recipients) == (16, ("soc@example.org",))
    assert room.matched(7)[Rule.CRITICAL].events == 15
    assert len(room.letters()) == 2, "a rehearsal sends nothing"


@pytest.mark.expected_log("set-aside: The event store was damaged")
def test_a_store_set_aside_in_between_changes_nothing_for_alerts(engine: Making, profile: Profile) -> None:
    one = engine()
    store(one, *[event(MONDAY)] * 5)
    one.service.stop()
    for file in Path(profile.state).glob(f"{profile.events_file.name}*"):
        file.unlink()
    profile.events_file.write_bytes(b"this was an event store once " * 1000)
    one = engine()
    store(one, *[event(MONDAY)] * 6)
    kinds = [letter.kind for letter in one.service.alerts.letters()]
    assert kinds == [Kind.STARTED, Kind.FIRST], "the incident goes on"
    check_accounts(one.service.outbox, total=11)
