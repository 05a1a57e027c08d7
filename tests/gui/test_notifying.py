"""Notifications arrive at a notification server on a session bus of the test's own, and what is pressed comes back."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tests.gui.support.smtp import SAVED
from tests.gui.support.world import World
from tests.peers.notifications import Notifications
from vxtray.core import texts
from vxtray.core.alerts.rules import Rule
from vxtray.core.errors import StoreFull, VxtrayError
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.notices import AlertsRaised, IncidentsChanged, MailSettled, TroubleChanged
from vxtray.gui.notification_server import Note
from vxtray.gui.notifying import Notifier

NOW = datetime(2026, 11, 23, 10, 42, tzinfo=UTC)


def raised(**changes: object) -> AlertsRaised:
    usual: dict[str, object] = {
        "at": NOW,
        "count": 1,
        "critical": 1,
        "title": "SQL injection on shop.example.com",
        "source": "18.160.13.241",
        "severity": Severity.CRITICAL,
        "seq": 7,
        "rules": (Rule.CRITICAL,),
    }
    return AlertsRaised(**usual | changes)  # type: ignore[arg-type]


@pytest.fixture
def balloons() -> list[Note]:
    """What nobody but the tray's icon could show."""
    return []


@pytest.fixture
def notifier(world: World, balloons: list[Note]) -> Iterator[Notifier]:
    made = Notifier(world.context, balloons.append)
    made.seconds = 0.2
    yield made
    made.stop()


Post = Callable[..., None]


@pytest.fixture
def settled(world: World, notifier: Notifier, qtbot) -> Post:
    """Return a function that posts notices and waits until the notifier has heard them all."""

    def post(*notices: object) -> None:
        heard: list[bool] = []
        for notice in notices:
            world.bridge.post(notice)  # type: ignore[arg-type]
        world.bridge.call(lambda: heard.append(True))
        qtbot.waitUntil(lambda: bool(heard))

    return post


EVENT = SecurityEvent(
    at=NOW,
    source="sophos",
    category=Category.WAF,
    action=Action.BLOCKED,
    severity=Severity.CRITICAL,
    src_ip="18.160.13.241",
    country="CN",
    target_host="shop.example.com",
    message="SQL injection",
)


def test_one_alert_says_it_all_and_a_click_opens_the_event(
    world: World, notifications: Notifications, notifier: Notifier, settled: Post, qtbot
) -> None:
    world.model.update(SAVED)
    settled(raised(title="SQL injection", event=EVENT))
    qtbot.waitUntil(lambda: bool(notifications.shown))
    shown = notifications.shown[0]
    assert shown.title == "Critical: SQL injection on shop.example.com"
    assert shown.text == "From 18.160.13.241 (China), blocked"
    assert shown.actions == {"default": "Show", "acknowledge": "Acknowledge"}
    assert shown.hints == {"urgency": 2, "desktop-entry": "vxtray", "suppress-sound": True}
    with qtbot.waitSignal(notifier.page_wanted) as wanted:
        notifications.press(shown.number, "default")
    assert wanted.args == ["event:7"]


def test_acknowledge_is_a_button_where_there_are_incidents(
    notifications: Notifications, notifier: Notifier, settled: Post, qtbot
) -> None:
    settled(raised())
    qtbot.waitUntil(lambda: bool(notifications.shown))
    assert notifications.shown[0].text == "From 18.160.13.241"  # the event itself is not known
    assert notifications.shown[0].actions == {"default": "Show"}  # no mail is set up
    with qtbot.waitSignal(notifier.acknowledged):
        notifications.press(1, "acknowledge")


def test_the_token_of_a_click_lets_the_window_come_to_the_front(
    notifications: Notifications, notifier: Notifier, settled: Post, qtbot, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[str, str]] = []
    monkeypatch.setattr(os, "putenv", lambda name, value: given.append((name, value)))
    settled(raised())
    qtbot.waitUntil(lambda: bool(notifications.shown))
    with qtbot.waitSignal(notifier.page_wanted):
        notifications.press(1, "default", "a-token")
    assert given == [("XDG_ACTIVATION_TOKEN", "a-token")]


def test_what_follows_is_counted_in_the_same_place(
    notifications: Notifications, notifier: Notifier, settled: Post, qtbot
) -> None:
    settled(raised(count=3, source="192.0.2.1"))
    settled(*(raised(count=3, critical=1, source=f"192.0.2.{n}", seq=n) for n in range(2, 41)))
    whole = "120 alerts since 10:42, 40 critical"
    qtbot.waitUntil(lambda: bool(notifications.shown) and notifications.shown[-1].title == whole)
    first, then = notifications.shown[0], notifications.shown[-1]
    assert first.title == "3 alerts since 10:42, 1 critical"
    assert then.text == "Critical: SQL injection on shop.example.com\nFrom 40 sources"
    assert then.replaces == first.number
    with qtbot.waitSignal(notifier.page_wanted) as wanted:
        notifications.press(then.number, "default")
    assert wanted.args == ["alerts"]
    qtbot.waitUntil(lambda: notifier._run is None)  # it was quiet for as long
    settled(raised())
    qtbot.waitUntil(lambda: notifications.shown[-1].replaces == 0)
    assert notifications.shown[-1].title == "Critical: SQL injection on shop.example.com"


def test_never_a_flood(notifications: Notifications, notifier: Notifier, settled: Post, qtbot) -> None:
    notifier.seconds = 30
    settled(*(raised(seq=n) for n in range(1, 1001)))
    notifier.show(Note(key="last", title="The last one"))
    qtbot.waitUntil(lambda: [shown.title for shown in notifications.shown][-1:] == ["The last one"])
    assert len(notifications.shown) == 2
    assert notifier._run is not None
    assert notifier._run.events == 1000


HOSTILE = '<b>x</b><img src="http://192.0.2.1/a"> &amp; \x1b[31m\u202egnp\nBcc: a@b' + "A" * 5000


@pytest.mark.parametrize("markup", [True, False])
def test_what_a_log_says_is_never_markup(
    notifications: Notifications, notifier: Notifier, settled: Post, qtbot, *, markup: bool
) -> None:
    fields = dict.fromkeys(("src_ip", "country", "target_host", "message", "rule_name"), HOSTILE)
    hostile = msgspec.structs.replace(EVENT, **fields)
    if not markup:
        notifications.capabilities = ["body"]
    settled(raised(title=HOSTILE, source=HOSTILE[:80], count=2))
    qtbot.waitUntil(lambda: bool(notifications.shown))
    settled(raised(title=HOSTILE, source=HOSTILE[:80], event=hostile, severity=Severity.CRITICAL))
    qtbot.waitUntil(lambda: len(notifications.shown) == 2)
    qtbot.waitUntil(lambda: notifier._run is None)
    settled(raised(title=HOSTILE, event=hostile))
    qtbot.waitUntil(lambda: len(notifications.shown) == 3)
    for shown in notifications.shown:
        assert "<" not in shown.title
        assert ("<" not in shown.text) or not markup
        assert len(shown.title) <= 120
        assert len(shown.text) <= 2000
        assert not {"\x1b", "\u202e"} & set(shown.title + shown.text)
        assert bool(shown.actions) is markup  # this server knows no actions either


def test_only_from_the_chosen_severity_and_only_where_wanted(
    world: World, notifications: Notifications, settled: Post, qtbot
) -> None:
    settled(raised(severity=Severity.MEDIUM, critical=0))
    world.model.update({"desktop.notify_from": "medium", "desktop.notifications": False})
    settled(raised())
    world.model.update({"desktop.notifications": True, "desktop.sound": True})
    settled(MailSettled(at=NOW, id=1, kind="alert", subject="An alert", state="failed", reply="no <answer>"))
    qtbot.waitUntil(lambda: bool(notifications.shown))
    (shown,) = notifications.shown
    assert shown.title == "A mail could not be delivered: An alert"
    assert shown.text == "no &lt;answer&gt;"
    assert shown.hints["sound-name"] == "dialog-warning"


def test_a_pause_gives_peace_here_too(world: World, notifications: Notifications, settled: Post, qtbot) -> None:
    until = world.engine.clock() + timedelta(hours=1)
    world.engine.alerts.pause(until)
    settled(raised(severity=Severity.HIGH, critical=0))
    world.engine.alerts.pause(until, everything=True)
    settled(raised())
    world.engine.alerts.pause(until)
    settled(raised(title="Critical all the same"))
    qtbot.waitUntil(lambda: bool(notifications.shown))
    assert [shown.title for shown in notifications.shown] == ["Critical: Critical all the same"]


def test_it_goes_away_once_everything_is_acknowledged(notifications: Notifications, settled: Post, qtbot) -> None:
    def left(count: int) -> IncidentsChanged:
        return IncidentsChanged(at=NOW, open=1, unacknowledged=count, held=0)

    settled(raised(), left(0), left(1))
    qtbot.waitUntil(lambda: bool(notifications.standing))
    settled(left(0))
    qtbot.waitUntil(lambda: not notifications.standing)


def test_trouble_is_told_once_and_taken_away(notifications: Notifications, settled: Post, qtbot) -> None:
    def silent(minutes: int) -> TroubleChanged:
        text = "Nothing was heard from {name} for {minutes} minutes."
        return TroubleChanged(at=NOW, what="silent:ids", error=VxtrayError(text, name="ids", minutes=minutes))

    full = TroubleChanged(at=NOW, what="disk:/var", error=StoreFull(path="/var"))
    mail = TroubleChanged(at=NOW, what="mail", error=VxtrayError("Not yet an hour."))
    hour = TroubleChanged(at=NOW, what="mail:down", error=VxtrayError("An hour."))
    settled(silent(15), silent(16), mail, silent(17), hour, full)
    qtbot.waitUntil(lambda: len(notifications.shown) == 3)
    assert [shown.title for shown in notifications.shown] == [
        "Nothing was heard from ids for 15 minutes.",
        "An hour.",
        "The disk is full: the event store /var cannot take new events.",
    ]
    settled(TroubleChanged(at=NOW, what="silent:ids", error=None))
    qtbot.waitUntil(lambda: notifications.standing == [2, 3])
    settled(silent(15))
    qtbot.waitUntil(lambda: len(notifications.shown) == 4)


def test_lost_mails_are_counted(notifications: Notifications, settled: Post, qtbot) -> None:
    lost = [
        MailSettled(at=NOW, id=n, kind="alert", subject=f"Alert {n}", state="expired", reply="too old")
        for n in range(30)
    ]
    settled(*lost)
    whole = "30 mails could not be delivered"
    qtbot.waitUntil(lambda: bool(notifications.shown) and notifications.shown[-1].title == whole)
    assert notifications.shown[0].title == "A mail could not be delivered: Alert 0"


def test_without_a_bus_the_icon_shows_it(notifier: Notifier, settled: Post, balloons: list[Note], qtbot) -> None:
    settled(raised())
    qtbot.waitUntil(lambda: bool(balloons))
    assert balloons[0].title == "Critical: SQL injection on shop.example.com"


def test_without_a_server_on_the_bus_the_icon_shows_it(
    session_bus: str, notifier: Notifier, settled: Post, balloons: list[Note], qtbot
) -> None:
    settled(raised())
    qtbot.waitUntil(lambda: bool(balloons))


def test_a_server_that_starts_again_is_found(
    session_bus: str, notifier: Notifier, settled: Post, balloons: list[Note], qtbot
) -> None:
    for _time in range(2):
        server = Notifications(session_bus, ("body",))
        notifier.show(Note(key="x", title="A note"))
        qtbot.waitUntil(lambda: bool(server.shown))  # noqa: B023 - waited for here
        server.close()
    notifier.show(Note(key="x", title="Nobody there"))
    qtbot.waitUntil(lambda: bool(balloons))


def test_in_french(world: World, notifications: Notifications, notifier: Notifier, settled: Post, qtbot) -> None:
    texts.use("fr")
    settled(raised(count=3))
    qtbot.waitUntil(lambda: bool(notifications.shown))
    assert notifications.shown[0].text.startswith("Critique")
