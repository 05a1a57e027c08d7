"""The tray icon: its shape and words follow the state, its menu holds what is wanted most."""

import socket
from collections.abc import Iterator
from datetime import timedelta

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QSystemTrayIcon

from tests.gui.support.smtp import SAVED
from tests.gui.support.world import World
from vxtray.core import texts
from vxtray.core.errors import VxtrayError
from vxtray.core.notices import MailSettled
from vxtray.core.reports.period import Cadence
from vxtray.gui.actions import Actions
from vxtray.gui.icons import TrayState
from vxtray.gui.notification_server import Note
from vxtray.gui.tray import Tray

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")


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
    assert first_line(tray) == "Set up, but not tried yet"
    world.engine.mail_proven(world.model.current.smtp)
    actions.glance.refresh()
    assert first_line(tray) == "Everything is working"
    world.engine.pause_alerts(timedelta(minutes=30))
    qtbot.waitUntil(lambda: tray.shape is TrayState.PAUSED)
    world.engine.resume_alerts()
    qtbot.waitUntil(lambda: tray.shape is TrayState.OK)
    world.engine.set_trouble("store", VxtrayError("Mail & <b>more</b> failed."))
    qtbot.waitUntil(lambda: tray.shape is TrayState.ERROR)
    assert first_line(tray) == "Mail && <b>more</b> failed."
    world.engine.set_trouble("store", None)
    qtbot.waitUntil(lambda: tray.shape is TrayState.OK)


def test_an_arrow_while_mail_is_sent(world: World, tray: Tray, qtbot, expected_log) -> None:
    expected_log(r"WARNING vxtray\.core\.\w+: mail: ")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        world.start()
        server = {"smtp.host": "127.0.0.1", "smtp.port": silent.getsockname()[1], "smtp.timeout_seconds": 1}
        world.model.update(SAVED | server | {"smtp.auth": "none", "smtp.security": "none", "smtp.ca_file": ""})
        world.engine.send_report(Cadence.DAILY)

        def shape_in_the_menu() -> TrayState:
            tray.menu.aboutToShow.emit()
            return tray.shape

        qtbot.waitUntil(lambda: shape_in_the_menu() is TrayState.SENDING, timeout=10_000)
        qtbot.waitUntil(lambda: tray.shape is TrayState.ERROR, timeout=20_000)


def words(actions: list[QAction]) -> list[str]:
    return [action.text() for action in actions if not action.isSeparator()]


PAUSES = ["For 30 minutes", "For 1 hour", "For 8 hours", "Until tomorrow, 08:00", "Until…"]


def test_the_menu_holds_what_is_wanted(world: World, actions: Actions, tray: Tray, qtbot) -> None:
    assert words([action for action in tray.menu.actions() if action.isVisible()])[1:] == [
        "Acknowledge alerts",
        "Open vxtray",
        "Send test e-mail",
        "Send a report now",
        "Pause alert mails",
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


def test_without_a_tray_it_says_so(world: World, tray: Tray) -> None:
    assert tray.icon is None
    assert not tray.present


@pytest.mark.parametrize(("state", "told"), [("failed", 1), ("expired", 1), ("sent", 0), ("queued", 0)])
def test_a_mail_that_is_given_up_is_told(
    world: World, tray: Tray, qtbot, monkeypatch: pytest.MonkeyPatch, state: str, told: int
) -> None:
    shown: list[tuple[str, str]] = []
    icon = QSystemTrayIcon(tray)
    monkeypatch.setattr(icon, "showMessage", lambda title, text, _kind: shown.append((title, text)))
    monkeypatch.setattr(tray, "_icon", icon)  # there is no panel off screen, and no session bus
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
    assert len(shown) == 7
    assert all(shown)
    tray.hide()
