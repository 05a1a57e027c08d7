"""The tray icon: its shape and words follow the state, its menu holds what is wanted most."""

import socket
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QSystemTrayIcon

from tests.gui.support.smtp import SAVED
from tests.gui.support.world import World
from vxtray.core import texts
from vxtray.core.errors import VxtrayError
from vxtray.core.mail.outcome import Outcome, Verdict
from vxtray.core.notices import MailSettled
from vxtray.core.reports.period import Cadence
from vxtray.gui.actions import Actions
from vxtray.gui.icons import TrayState, panel_scheme
from vxtray.gui.notification_server import Note
from vxtray.gui.tray import TOOL_TIP, Tray, missing_words

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise|grabbing)")


@pytest.fixture
def actions(world: World) -> Iterator[Actions]:
    made = Actions(world.context)
    yield made
    made.deleteLater()


@pytest.fixture
def tray(world: World, actions: Actions) -> Iterator[Tray]:
    made = Tray(world.context, actions)
    yield made
    made.hide()
    made.deleteLater()


def first_line(tray: Tray) -> str:
    return tray.menu.actions()[0].text()


def test_the_shape_follows_the_state(world: World, actions: Actions, tray: Tray, qtbot, expected_log) -> None:
    expected_log(r"WARNING vxtray\.core\.\w+: store: ")
    assert tray.shape is TrayState.ATTENTION
    assert first_line(tray) == "The mail server is not set up yet"
    world.model.update(SAVED)
    assert tray.shape is TrayState.OK
    qtbot.waitUntil(lambda: first_line(tray) == "Set up, but not tried yet")
    world.engine.mail_proven(world.model.current.smtp)
    actions.glance.look_again()
    qtbot.waitUntil(lambda: first_line(tray) == "Everything is working")
    world.engine.pause_alerts(timedelta(minutes=30))
    qtbot.waitUntil(lambda: tray.shape is TrayState.PAUSED)
    world.engine.resume_alerts()
    qtbot.waitUntil(lambda: tray.shape is TrayState.OK)
    world.engine.set_trouble("store", VxtrayError("Mail & <b>more</b> failed."))
    qtbot.waitUntil(lambda: tray.shape is TrayState.ERROR)
    assert first_line(tray) == "Mail && <b>more</b> failed."
    world.engine.set_trouble("store", None)
    qtbot.waitUntil(lambda: tray.shape is TrayState.OK)


def test_an_arrow_while_mail_is_sent_and_an_outline_while_the_server_is_silent(
    world: World, actions: Actions, tray: Tray, qtbot, expected_log
) -> None:
    expected_log(r"WARNING vxtray\.core\.\w+: mail: ")
    actions.glance.steady.lasting = {}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        world.start()
        server = {"smtp.host": "127.0.0.1", "smtp.port": silent.getsockname()[1], "smtp.timeout_seconds": 1}
        world.model.update(SAVED | server | {"smtp.auth": "none", "smtp.security": "none", "smtp.ca_file": ""})
        world.engine.send_report(Cadence.DAILY)

        def shape_in_the_menu() -> TrayState:
            tray.menu.aboutToShow.emit()
            return tray.shape

        qtbot.waitUntil(lambda: shape_in_the_menu() is TrayState.SENDING, timeout=10_000)
        qtbot.waitUntil(lambda: tray.shape is TrayState.OFFLINE, timeout=20_000)
        assert first_line(tray).startswith("The mail server cannot be reached since ")


def words(actions: list[QAction]) -> list[str]:
    return [action.text() for action in actions if not action.isSeparator()]


PAUSES = ["For 30 minutes", "For 1 hour", "For 8 hours", "Until tomorrow, 08:00", "Until…"]


def test_the_menu_holds_what_is_wanted(world: World, actions: Actions, tray: Tray, qtbot) -> None:
    qtbot.waitUntil(lambda: actions.next_report.text() != "Next report: …")
    assert words([action for action in tray.menu.actions() if action.isVisible()]) == [
        "The mail server is not set up yet",
        "Next report: none is switched on",
        "Last mail: none yet",
        "Queue: nothing waits",
        "Last critical: none yet",
        "Send test e-mail",
        "Send a report now",
        "Pause alert mails",
        "Acknowledge alerts",
        "Open vxtray",
        "Settings…",
        "Quit vxtray",
    ]
    assert not tray.menu.actions()[0].isEnabled()
    assert not actions.acknowledge.isEnabled()
    reports, pause = (action.menu() for action in tray.menu.actions() if action.menu())
    assert words(reports.actions()) == ["Daily report", "Weekly report", "Monthly report"]
    assert words(pause.actions()) == [*PAUSES, "Critical ones too", "Send alert mails again"]
    (critical,) = (action.menu() for action in pause.actions() if action.menu())
    assert words(critical.actions()) == PAUSES
    assert not actions.resume.isEnabled()
    tray.menu.actions()[-1].trigger()
    assert world.quits == 1
    with qtbot.waitSignal(actions.show_wanted):
        actions.open.trigger()
    with qtbot.waitSignal(actions.page_wanted) as wanted:
        actions.settings.trigger()
    assert wanted.args == ["settings"]


def test_the_menu_tells_of_mail_and_leads_there(world: World, actions: Actions, tray: Tray, qtbot) -> None:
    world.model.update(SAVED | {"reports.weekly.enabled": True, "reports.daily.enabled": True})
    world.engine.send_report(Cadence.DAILY)
    qtbot.waitUntil(lambda: actions.queue.text() == "Queue: 1 mail waits")
    assert actions.next_report.text().startswith("Next report: ")
    assert actions.next_report.text().endswith(("(daily)", "(daily, weekly)"))
    (entry,) = world.engine.outbox.entries()
    refused = Outcome(verdict=Verdict.FAILED, reply="550 5.7.1 no")
    list(world.engine.outbox.deliver_due(lambda _parcel: refused, world.engine.clock))
    tray.menu.aboutToShow.emit()
    qtbot.waitUntil(actions.last_mail.isEnabled)
    assert actions.last_mail.text().startswith("Last mail: not sent, ")
    assert "(Daily security report, " in actions.last_mail.text()
    assert actions.queue.text() == "Queue: 1 not delivered"
    with qtbot.waitSignal(actions.page_wanted) as wanted:
        actions.queue.trigger()
    assert wanted.args == ["lost"]
    world.engine.resend_mail(entry.id)
    world.engine.dismiss_undelivered()
    taken = Outcome(verdict=Verdict.SENT, reply="250 2.0.0 taken", accepted=("boss@example.com", "soc@example.com"))
    list(world.engine.outbox.deliver_due(lambda _parcel: taken, world.engine.clock))
    tray.menu.aboutToShow.emit()
    qtbot.waitUntil(lambda: actions.last_mail.text().startswith("Last mail: sent "))
    assert actions.queue.text() == "Queue: nothing waits"
    for action, page in ((actions.last_mail, f"history:{entry.id + 1}"), (actions.queue, "history")):
        with qtbot.waitSignal(actions.page_wanted) as wanted:
            action.trigger()
        assert wanted.args == [page]


def test_an_open_menu_says_what_is_new_and_no_line_moves(
    world: World, actions: Actions, tray: Tray, qtbot, expected_log
) -> None:
    expected_log(r"WARNING vxtray\.core\.\w+: silent")
    world.model.update(SAVED)
    tray.menu.popup(QPoint(0, 0))
    qtbot.waitUntil(tray.menu.isVisible)
    before = [tray.menu.actionGeometry(action).top() for action in tray.menu.actions()]
    world.engine.set_trouble("silent:syslog", VxtrayError("Nothing was heard."))
    world.engine.send_report(Cadence.DAILY)
    qtbot.waitUntil(lambda: first_line(tray) == "Nothing was heard." and actions.queue.text() == "Queue: 1 mail waits")
    assert tray.menu.isVisible()
    assert [tray.menu.actionGeometry(action).top() for action in tray.menu.actions()] == before
    assert tray.shape is TrayState.ATTENTION
    tray.menu.close()


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_tool_tip_fits_on_windows(world: World, qtbot, expected_log, language: str) -> None:
    expected_log(r"WARNING vxtray\.core\.\w+: store: ")
    texts.use(language)
    world.model.update(SAVED | {"reports.daily.enabled": True})
    actions = Actions(world.context)
    tray = Tray(world.context, actions)
    qtbot.waitUntil(lambda: bool(actions.glance.mail.next_reports))
    state, next_report = tray.tool_tip().splitlines()
    assert state.startswith("vxtray – ")
    assert next_report == actions.next_report.text()
    world.engine.set_trouble("store", VxtrayError("<b>" + "All that went wrong, " * 10))
    actions.glance.refresh()
    tip = tray.tool_tip()
    assert 100 < len(tip.encode("utf-16-le")) // 2 <= TOOL_TIP
    assert tip.startswith("vxtray – ‹b›All that")
    assert next_report in tip
    world.engine.set_trouble("store", VxtrayError("😀" * 200))  # two units each
    actions.glance.refresh()
    assert len(tray.tool_tip().encode("utf-16-le")) // 2 <= TOOL_TIP
    tray.hide()
    actions.deleteLater()


def test_without_a_tray_it_says_so(world: World, tray: Tray) -> None:
    assert tray.icon is None
    assert not tray.present


@pytest.mark.parametrize(
    ("desktop", "named"),
    [("ubuntu:GNOME", "AppIndicator and KStatusNotifierItem"), ("XFCE", "No panel"), ("", "No panel")],
)
def test_without_a_tray_the_reason_is_named(qapp, monkeypatch: pytest.MonkeyPatch, desktop: str, named: str) -> None:
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", desktop)
    assert named in missing_words()
    assert missing_words().endswith("Whenever you start vxtray again, it comes to the front.")


@pytest.mark.parametrize(
    ("desktop", "dark", "scheme"), [("GNOME", False, "dark"), ("KDE", False, "light"), ("KDE", True, "dark")]
)
@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="these ask their own panel")
def test_the_icon_suits_the_panel(monkeypatch: pytest.MonkeyPatch, desktop: str, scheme: str, *, dark: bool) -> None:
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", desktop)
    assert panel_scheme(dark=dark) == scheme


@pytest.mark.parametrize(("state", "told"), [("failed", 1), ("expired", 1), ("sent", 0), ("queued", 0)])
def test_a_mail_that_is_given_up_is_told(
    world: World, tray: Tray, qtbot, monkeypatch: pytest.MonkeyPatch, state: str, told: int
) -> None:
    shown: list[tuple[str, str]] = []
    icon = QSystemTrayIcon(tray)
    monkeypatch.setattr(icon, "showMessage", lambda title, text, _kind: shown.append((title, text)))
    monkeypatch.setattr(tray.panel, "_icon", icon)  # there is no panel off screen, and no session bus
    world.bridge.post(
        MailSettled(at=world.engine.clock(), id=1, kind="alert", subject="An alert", state=state, reply="no <answer>")
    )
    world.bridge.call(lambda: tray.notifier.show(Note(key="end", title="end")))
    qtbot.waitUntil(lambda: ("end", " ") in shown)
    assert shown[:-1] == [("A mail could not be delivered: An alert", "no ‹answer›")] * told


def test_in_french_too(world: World, qtbot) -> None:
    texts.use("fr")
    actions = Actions(world.context)
    tray = Tray(world.context, actions)
    shown = words([action for action in tray.menu.actions() if action.isVisible()])
    assert len(shown) == 12
    assert all(shown)
    tray.hide()
