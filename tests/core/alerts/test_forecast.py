"""What stands beside a switch: counted once, remembered for a while, and never waited for longer than said."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from vxtray.core.alerts.accounts import Matched
from vxtray.core.alerts.forecast import Forecast
from vxtray.core.alerts.rules import Rule
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.settings.tree import Alerts
from vxtray.core.store.embedded import EmbeddedStore

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
PARIS = ZoneInfo("Europe/Paris")
OFF = Alerts(critical=False, minimum_severity=Severity.HIGH)
WAIT = 30.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path / "events.duckdb")
    yield store
    store.close()


@pytest.fixture
def forecast() -> Iterator[Forecast]:
    made = Forecast()
    yield made
    made.close()


def attack(days: float = 1, **fields: object) -> SecurityEvent:
    base = SecurityEvent(
        at=NOON - days * DAY,
        source="fw",
        category=Category.WAF,
        action=Action.BLOCKED,
        severity=Severity.CRITICAL,
        src_ip="192.0.2.1",
        target_host="shop.example.com",
    )
    return msgspec.structs.replace(base, **fields)


def test_each_rule_is_counted_as_if_it_alone_were_on(store, forecast):
    several = [attack(1 + second / 86400) for second in range(5)]
    banned = attack(2, category=Category.BAN, action=Action.BANNED, severity=Severity.INFO)
    store.append([*several, banned, attack(6.9, severity=Severity.HIGH), attack(7.1), attack(-1)])
    assert forecast.matched(store, OFF, PARIS, NOON, wait=WAIT) == {
        Rule.CRITICAL: Matched(events=5, mails=2),
        Rule.WAF_BLOCKED: Matched(events=6, mails=3),
        Rule.NEW_BAN: Matched(events=1, mails=1),
        Rule.WAF_DETECTED: Matched(events=0, mails=0),
    }
    assert forecast.matched(store, OFF, PARIS, NOON, days=1, wait=WAIT)[Rule.CRITICAL].events == 1


def test_an_answer_stands_for_a_minute_while_events_come(store, forecast):
    def critical(settings: Alerts = OFF, now: datetime = NOON) -> int:
        return forecast.matched(store, settings, PARIS, now, wait=WAIT)[Rule.CRITICAL].events

    store.append([attack()])
    assert critical() == 1
    store.append([attack()])
    assert critical(now=NOON + 0.9 * MINUTE) == 1
    assert critical(msgspec.structs.replace(OFF, waf_blocked=True, recipients=("a@example.org",))) == 1
    assert critical(msgspec.structs.replace(OFF, allow=("10.0.0.0/8",))) == 2
    assert critical() == 2


def test_what_came_is_counted_after_a_minute(store, forecast):
    def critical(now: datetime) -> int:
        return forecast.matched(store, OFF, PARIS, now, wait=WAIT)[Rule.CRITICAL].events

    store.append([attack()])
    assert critical(NOON) == 1
    store.append([attack()])
    later = NOON + 1.1 * MINUTE
    end = time.monotonic() + WAIT
    while critical(later) == 1:  # the former answer, while the new one is made
        assert time.monotonic() < end
    assert critical(later) == 2


def test_nobody_waits_longer_than_said_and_none_counts_after_the_end(store):
    store.append([attack()])
    forecast = Forecast()
    assert forecast.matched(store, OFF, PARIS, NOON, wait=0) in (
        {},
        forecast.matched(store, OFF, PARIS, NOON, wait=WAIT),
    )
    forecast.close()
    assert forecast.matched(store, msgspec.structs.replace(OFF, allow=("::/0",)), PARIS, NOON, wait=0) == {}


def test_closing_waits_for_a_count_that_is_about_to_begin(store, forecast, monkeypatch):
    """The window asks while the program ends: the thread exists, and is not started yet."""
    about_to_begin, begin, failed = threading.Event(), threading.Event(), list[BaseException]()

    class Late(threading.Thread):
        def start(self) -> None:
            about_to_begin.set()
            begin.wait(WAIT)
            super().start()

    def close() -> None:
        try:
            forecast.close()
        except BaseException as error:  # noqa: BLE001 - whatever it is
            failed.append(error)

    asking = threading.Thread(target=lambda: forecast.matched(store, OFF, PARIS, NOON, wait=WAIT))
    closing = threading.Thread(target=close)
    monkeypatch.setattr("vxtray.core.alerts.forecast.threading.Thread", Late)
    asking.start()
    assert about_to_begin.wait(WAIT)
    closing.start()
    closing.join(0.1)  # it would have failed by then
    begin.set()
    asking.join(WAIT)
    closing.join(WAIT)
    assert failed == []
    assert not any(thread.name == "vx-forecast" for thread in threading.enumerate())


@pytest.mark.expected_log("could not be counted")
def test_a_store_that_is_closed_is_not_known(store, forecast):
    store.close()
    assert forecast.matched(store, OFF, PARIS, NOON, wait=WAIT) == {}
