"""Health at a glance: one word, and a document that scripts rely on."""

import json
from collections.abc import Callable, Iterator

import msgspec
import pytest

from tests.core.engine import HOUR, MONDAY, NOWHERE, Engine, event, keyring_for, settings, smtp_of
from tests.peers.mailbox import Mailbox
from vxtray.core.alerts.rules import Rule
from vxtray.core.errors import StoreError
from vxtray.core.events import SecurityEvent
from vxtray.core.paths import Profile
from vxtray.core.reports.period import Cadence
from vxtray.core.settings.tree import Alerts, Settings
from vxtray.core.status import State, last_mail, state_of, status

FIELDS = {
    "ok", "state", "running", "trouble", "next_reports", "last_mail", "queue", "waiting", "sources",
    "alerts", "version", "revision", "sign_in", "workers", "store",
}  # fmt: skip


@pytest.fixture
def engine(profile: Profile, smtp_catcher: Mailbox) -> Iterator[Callable[..., Engine]]:
    made: list[Engine] = []

    def make(chosen: Settings, password: str = "") -> Engine:
        made.append(Engine(profile, chosen, keyring_for(chosen.smtp, password) if password else None))
        return made[-1]

    yield make
    for one in made:
        one.service.stop()


def test_working(engine: Callable[..., Engine], smtp_catcher: Mailbox) -> None:
    one = engine(settings(smtp_of(smtp_catcher)), smtp_catcher.password)
    one.clock.at(7)
    said = status(one.service, running=True, language="en")
    assert said.keys() == FIELDS
    assert json.loads(json.dumps(said)) == said
    assert (said["ok"], said["state"], said["trouble"], said["last_mail"]) == (True, "working", [], None)
    assert said["queue"] == {"queued": 0, "held": 0, "failed": 0}
    assert said["next_reports"] == {"daily": (MONDAY + 8 * HOUR).isoformat(), "weekly": None, "monthly": None}

    one.service.send_report(Cadence.DAILY)
    one.service.send_waiting()
    last = status(one.service, running=True, language="en")["last_mail"]
    assert isinstance(last, dict)
    assert (last["kind"], last["state"], last["reply"]) == ("report", "sent", "250 2.0.0 kept")
    assert last["subject"] == smtp_catcher.mails[0].message["Subject"]


def test_not_set_up(engine: Callable[..., Engine]) -> None:
    one = engine(Settings())
    for running in (True, False):
        said = status(one.service, running=running, language="en")
        assert (said["ok"], said["state"], said["running"]) == (False, "not_configured", running)
        (trouble,) = said["trouble"]  # type: ignore[misc]  # a list
        assert "not set up" in trouble["what"]
        assert trouble["advice"]


def test_not_running(engine: Callable[..., Engine]) -> None:
    said = status(engine(settings()).service, running=False, language="en")
    assert (said["ok"], said["state"]) == (False, "stopped")
    (trouble,) = said["trouble"]  # type: ignore[misc]  # a list
    assert (trouble["what"], trouble["since"]) == ("vxtray is not running, so nothing is sent.", None)


def test_paused(engine: Callable[..., Engine]) -> None:
    one = engine(settings())
    one.service.pause_alerts(HOUR)
    assert state_of(one.service) is State.PAUSED
    said = status(one.service, running=True, language="en")
    assert said["ok"] is True
    until = (one.clock() + HOUR).isoformat()
    assert said["alerts"] == {"open": 0, "unacknowledged": 0, "held": 0, "paused_until": until, "silences": 0}
    one.clock.now += HOUR
    assert state_of(one.service) is State.WORKING


def test_held_are_mails_and_events(engine: Callable[..., Engine]) -> None:
    one = engine(settings(alerts=Alerts(critical=True)))
    one.service.alerts.pause(one.clock() + HOUR, everything=True)
    one.service.alerts.silence(rule=Rule.NEW_BAN, until=one.clock() + HOUR)
    one.service._committed(*stored(one, event(MONDAY), event(MONDAY, src_ip="203.0.113.5")), True)
    said = status(one.service, running=True, language="en")
    assert said["queue"] == {"queued": 0, "held": 2, "failed": 0}
    alerts = said["alerts"]
    assert isinstance(alerts, dict)
    assert (alerts["open"], alerts["held"], alerts["unacknowledged"], alerts["silences"]) == (1, 2, 1, 1)


def stored(one: Engine, *events: SecurityEvent) -> tuple[int, list[SecurityEvent]]:
    return one.service.store().append(events)[0], list(events)


@pytest.mark.expected_log("outbox: ")
def test_trouble_comes_first(engine: Callable[..., Engine]) -> None:
    one = engine(settings())
    one.service.pause_alerts(HOUR)
    one.service.set_trouble("outbox", StoreError(path="outbox.db", reason="the disk is full"))
    said = status(one.service, running=True, language="en")
    assert (said["ok"], said["state"]) == (False, "trouble")
    assert said["trouble"] == [
        {
            "what": "outbox.db cannot be used: the disk is full.",
            "since": MONDAY.astimezone(one.clock().tzinfo).isoformat(),
            "advice": "Check the disk and the rights of the folder, then try again.",
        }
    ]


def test_sending(engine: Callable[..., Engine]) -> None:
    one = engine(settings(msgspec.structs.replace(NOWHERE)))
    with one.service._post._delivering:
        assert state_of(one.service) is State.SENDING
    assert last_mail(None) is None
