"""How everything stands in one shape and a few words: the worst first, and without flicker."""

import itertools
import sqlite3
import threading
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.loglines import waf
from tests.gui.support.smtp import SAVED
from tests.gui.support.world import World
from tests.gui.test_pages import PAGES
from vxtray.core.alerts.rules import Rule
from vxtray.core.errors import VxtrayError
from vxtray.core.events import Severity
from vxtray.core.mail.faults import AuthError, ConnectError, Kind, Stage
from vxtray.core.mail.statefile import StateFile
from vxtray.core.mail.verdicts import NO_NETWORK
from vxtray.core.notices import (
    AlertsRaised,
    EventsStored,
    IncidentsChanged,
    MailSettled,
    QueueChanged,
    TroubleChanged,
)
from vxtray.gui.actions import Actions
from vxtray.gui.glance import Glance
from vxtray.gui.icons import TrayState
from vxtray.gui.steady import Sight, Steady

OK, SENDING, OFFLINE = (Sight(shape, shape.value) for shape in (TrayState.OK, TrayState.SENDING, TrayState.OFFLINE))
ERROR = Sight(TrayState.ERROR, "error")

pytestmark = pytest.mark.expected_log(r"WARNING vxtray\.core\.\w+: ")


# --- without flicker -------------------------------------------------------------------------------------------------


def test_a_mail_that_is_gone_in_a_blink_shows_nothing() -> None:
    steady = Steady()
    steady.see(OK, 100.0)
    assert steady.see(SENDING, 100.0) == (OK, pytest.approx(0.6))
    assert steady.see(SENDING, 100.5) == (OK, pytest.approx(0.1))
    assert steady.see(OK, 100.55) == (OK, None)
    assert steady.see(SENDING, 100.7) == (OK, pytest.approx(0.6))  # another one: it begins anew


def test_an_arrow_stays_until_it_could_be_seen() -> None:
    steady = Steady()
    steady.see(OK, 0.0)
    steady.see(SENDING, 0.0)
    assert steady.see(SENDING, 0.6) == (SENDING, None)
    assert steady.see(OK, 0.7) == (SENDING, pytest.approx(1.4))
    assert steady.see(ERROR, 0.8) == (ERROR, None)  # but not before what is wrong


def test_a_server_that_is_restarted_is_not_told_and_one_that_comes_and_goes_seldom() -> None:
    def shown(every: int) -> list[TrayState]:
        """Return what is shown in two minutes in which the server is there for one second of so many."""
        steady = Steady()
        return [steady.see(OFFLINE if second % every else OK, float(second))[0].shape for second in range(120)]

    assert set(shown(10)) == {TrayState.OK}
    changes = sum(before is not after for before, after in itertools.pairwise(shown(15)))
    assert 0 < changes <= 2 * 120 / 15


def test_new_words_of_the_same_state_show_at_once() -> None:
    steady = Steady()
    steady.see(ERROR, 0.0)
    assert steady.see(Sight(TrayState.ERROR, "another"), 0.0)[0].words == "another"


# --- what is so ------------------------------------------------------------------------------------------------------


@pytest.fixture
def actions(world: World) -> Iterator[Actions]:
    world.model.update(SAVED)
    made = Actions(world.context)
    made.glance.steady.lasting = {}
    yield made
    made.deleteLater()


def seen(glance: Glance) -> tuple[TrayState, str]:
    glance.refresh()
    return glance.shape, glance.words


def unreachable(kind: Kind = Kind.TEMPORARY) -> ConnectError:
    return ConnectError("No connection.", step=Stage.CONNECT, kind=kind)


def test_what_cannot_be_reached_is_offline_and_what_needs_a_person_is_an_error(world: World, actions: Actions) -> None:
    glance, engine = actions.glance, world.engine
    engine.set_trouble("mail", unreachable())
    shape, words = seen(glance)
    assert shape is TrayState.OFFLINE
    assert words.startswith("The mail server cannot be reached since ")
    engine.set_trouble("mail:down", VxtrayError("No mail could be sent."))  # says the same, an hour later
    assert seen(glance)[0] is TrayState.OFFLINE
    engine.set_trouble("store", VxtrayError("The store is full."))
    assert seen(glance) == (TrayState.ERROR, "The store is full.")
    engine.set_trouble("store", None)
    engine.set_trouble("mail", unreachable(Kind.ACCOUNT))
    assert seen(glance)[0] is TrayState.ERROR
    engine.set_trouble("mail", AuthError(step=Stage.AUTH, kind=Kind.ACCOUNT))
    assert seen(glance)[0] is TrayState.ERROR


def test_without_a_network(world: World, actions: Actions) -> None:
    actions.glance.refresh()
    world.engine.set_trouble("mail", NO_NETWORK)
    shape, words = seen(actions.glance)
    assert shape is TrayState.OFFLINE
    assert words.startswith("No network since ")


@pytest.mark.parametrize("what", ["silent:syslog", "disk:/var", "set-aside", "salvaged", "control"])
def test_what_stops_nothing_only_asks_for_attention(world: World, actions: Actions, what: str) -> None:
    world.engine.set_trouble(what, VxtrayError("Look."))
    assert seen(actions.glance) == (TrayState.ATTENTION, "Look.")
    world.engine.set_trouble("source:syslog", VxtrayError("The port is taken."))
    assert seen(actions.glance) == (TrayState.ERROR, "The port is taken.")


def test_a_pause_says_until_when(world: World, actions: Actions, qtbot) -> None:
    until = (world.engine.clock() + timedelta(hours=1)).replace(second=0, microsecond=0)
    world.engine.alerts.pause(until)
    shape, words = seen(actions.glance)
    assert shape is TrayState.PAUSED
    assert words.startswith("Alert mails are held until ")
    assert f"{until.astimezone():%M}" in words
    world.engine.set_trouble("mail", unreachable())
    assert seen(actions.glance)[0] is TrayState.OFFLINE


def raised(severity: Severity) -> AlertsRaised:
    now = datetime.now(UTC)
    rules = (Rule.CRITICAL,)
    return AlertsRaised(
        at=now, count=2, critical=2, title="SQL injection", source="192.0.2.1", severity=severity, seq=1, rules=rules
    )


def test_alerts_show_also_where_no_mail_can_tell_them(world: World, actions: Actions, qtbot) -> None:
    world.model.update({"smtp.host": ""})
    glance = actions.glance
    assert seen(glance)[0] is TrayState.ATTENTION
    world.bridge.post(raised(Severity.CRITICAL))
    qtbot.waitUntil(lambda: glance.shape is TrayState.ALERT)
    assert glance.words == "2 alerts wait for you"
    assert actions.acknowledge.isEnabled()
    with qtbot.waitSignal(actions.told) as told:
        actions.acknowledge.trigger()
    assert told.args == ["2 alerts acknowledged.", True]
    qtbot.waitUntil(lambda: glance.shape is TrayState.ATTENTION)
    assert not actions.acknowledge.isEnabled()


def test_a_log_line_raises_the_alert_icon_without_a_mail_server(
    world: World, actions: Actions, qtbot, tmp_path: Path
) -> None:
    world.model.update({"smtp.host": ""})
    log = tmp_path / "waf.log"
    log.write_text(waf(datetime.now(UTC), "203.0.113.7", 30) + "\n")
    world.engine.import_files([log], alerts=True)
    qtbot.waitUntil(lambda: actions.glance.shape is TrayState.ALERT)
    assert actions.glance.words == "1 alert waits for you"


def test_what_is_wrong_with_the_program_stands_beneath_the_alerts(world: World, actions: Actions, qtbot) -> None:
    world.model.update({"smtp.host": ""})
    world.bridge.post(raised(Severity.CRITICAL))
    qtbot.waitUntil(lambda: actions.glance.shape is TrayState.ALERT)
    assert actions.glance.beneath == ""
    world.engine.set_trouble("store", VxtrayError("The store is full."))
    qtbot.waitUntil(lambda: actions.glance.beneath == "The store is full.")
    assert actions.glance.shape is TrayState.ALERT


def test_a_test_mail_by_hand_is_a_mail_on_its_way(world: World, actions: Actions) -> None:
    glance = actions.glance
    glance.refresh()
    glance.try_out(begins=True)
    assert glance.shape is TrayState.SENDING
    glance.try_out(begins=False)
    world.engine.set_trouble("store", VxtrayError("The store is full."))
    assert seen(glance)[0] is TrayState.ERROR


# --- the window's thread ---------------------------------------------------------------------------------------------


def test_the_window_never_asks_the_file_of_mails_itself(
    world: World, open_window, qtbot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question could wait there for a thread that is short of time, and the window with it."""
    now = datetime.now(UTC)
    world.model.update(SAVED)
    asked: list[str] = []
    reading = StateFile._reading

    def watched(file: StateFile) -> AbstractContextManager[sqlite3.Connection]:
        if threading.current_thread() is threading.main_thread():
            asked.append("".join(traceback.format_stack(limit=8)))
        return reading(file)

    monkeypatch.setattr(StateFile, "_reading", watched)
    world.engine.outbox.counts()
    assert asked  # so it would be seen
    asked.clear()
    window = open_window()
    for page in PAGES:
        window.go_to(page)
        for notice in (
            EventsStored(at=now, events=1, alerts=1),
            IncidentsChanged(at=now, open=1, unacknowledged=1, held=0),
            MailSettled(at=now, id=1, kind="test", subject="x", state="sent", reply=""),
            QueueChanged(at=now, queued=1, held=0, failed=0),
            TroubleChanged(at=now, what="mail", error=None),
        ):
            world.bridge.post(notice)
        qtbot.wait(400)  # longer than any page waits after news
    assert not asked, asked[0]
