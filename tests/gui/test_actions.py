"""What window and tray can both do about alerts: pause, critical ones too, resume, acknowledge, see the last one."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from tests.e2e.loglines import waf
from tests.gui.support.smtp import SAVED
from tests.gui.support.world import World
from vxtray.core.reports.period import machine_zone
from vxtray.gui.actions import Actions
from vxtray.gui.icons import TrayState
from vxtray.gui.main_window import MainWindow
from vxtray.gui.pages.overview_matters import MatterRow
from vxtray.gui.pausing import PauseDialog

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")


@pytest.fixture
def actions(world: World) -> Iterator[Actions]:
    world.model.update(SAVED)
    made = Actions(world.context)
    yield made
    made.deleteLater()


def storm(world: World, folder: Path, events: int, address: str = "203.0.113.7") -> None:
    """Have critical events happen."""
    now = datetime.now(UTC)
    file = folder / f"{address}.log"
    lines = [waf(now - timedelta(seconds=events - n), address, 25 + n % 20) for n in range(events)]
    file.write_text("\n".join(lines) + "\n")
    world.engine.import_files([file], alerts=True)


def entry(menu: QMenu, text: str) -> QAction:
    return next(action for action in menu.actions() if action.text() == text)


def test_pause_critical_ones_too_and_resume(world: World, actions: Actions, qtbot) -> None:
    menu = actions.pause_menu()
    with qtbot.waitSignal(actions.told) as told:
        entry(menu, "For 30 minutes").trigger()
    pause = world.engine.alerts.paused()
    assert pause is not None
    assert not pause.everything
    assert timedelta(minutes=29) < pause.until - world.engine.clock() <= timedelta(minutes=30)
    critical = entry(menu, "Critical ones too").menu()
    assert isinstance(critical, QMenu)
    with qtbot.waitSignal(actions.told) as told:
        entry(critical, "Until tomorrow, 08:00").trigger()
    pause = world.engine.alerts.paused()
    assert pause is not None
    assert pause.everything
    until = pause.until.astimezone(machine_zone())
    assert (until.hour, until.minute) == (8, 0)
    assert until.date() == datetime.now(machine_zone()).date() + timedelta(days=1)
    assert "critical ones too" in told.args[0]
    qtbot.waitUntil(actions.resume.isEnabled)
    with qtbot.waitSignal(actions.told):
        actions.resume.trigger()
    qtbot.waitUntil(lambda: not actions.resume.isEnabled())
    assert world.engine.alerts.paused() is None


def test_a_pause_until_a_chosen_moment(world: World, actions: Actions, qtbot) -> None:
    entry(actions.pause_menu(), "Until…").trigger()
    dialog = actions._pausing
    assert isinstance(dialog, PauseDialog)
    dialog.until.show_moment(world.engine.clock() - timedelta(minutes=2))
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert dialog.isVisible()
    assert not dialog.fault.isHidden()
    assert world.engine.alerts.paused() is None
    wanted = (world.engine.clock() + timedelta(days=3)).replace(second=0, microsecond=0)
    dialog.until.show_moment(wanted)
    dialog.everything.setChecked(True)
    with qtbot.waitSignal(actions.told) as told:
        qtbot.mouseClick(dialog.pause, Qt.MouseButton.LeftButton)
    pause = world.engine.alerts.paused()
    assert pause is not None
    assert (pause.until, pause.everything) == (wanted, True)
    assert f"{wanted.day} " in told.args[0]  # another day is named
    assert not dialog.isVisible()


def test_what_is_critical_stands_first_until_it_is_acknowledged(
    world: World, actions: Actions, qtbot, tmp_path: Path
) -> None:
    glance = actions.glance
    qtbot.waitUntil(lambda: glance.shape is TrayState.OK)
    assert not actions.last_critical.isEnabled()
    assert actions.last_critical.text() == "Last critical: none yet"
    storm(world, tmp_path, 1)
    qtbot.waitUntil(lambda: glance.shape is TrayState.ALERT)
    assert glance.words == "1 alert waits for you"
    assert actions.last_critical.text().startswith("Last critical: SQL Injection on shop.example.com (")
    incident = world.engine.alerts.last_critical()
    assert incident is not None
    with qtbot.waitSignal(actions.page_wanted) as wanted:
        actions.last_critical.trigger()
    assert wanted.args == [f"alerts:{incident.id}"]
    with qtbot.waitSignal(actions.told) as told:
        actions.acknowledge.trigger()
    assert told.args == ["1 alert acknowledged.", True]
    qtbot.waitUntil(lambda: glance.shape is TrayState.OK)
    assert not actions.acknowledge.isEnabled()
    assert actions.last_critical.isEnabled()


def matters(window: MainWindow) -> dict[str, MatterRow]:
    return {f"{row.matter.text} ({row.matter.beside})": row for row in window.overview.matters.rows.values()}


def test_the_overview_shows_alerts_storms_and_what_is_held(world: World, open_window, qtbot, tmp_path: Path) -> None:
    world.model.update(SAVED)
    window: MainWindow = open_window()
    storm(world, tmp_path, 40)
    overview = window.overview
    qtbot.waitUntil(lambda: any("still going on · 40 events" in text for text in matters(window)))
    assert overview.heading.title() == "1 alert waits for you"
    (told,) = matters(window).values()
    assert (told.matter.word, told.matter.text[:13]) == ("Critical", "SQL Injection")
    (incident,) = world.engine.alerts.open_incidents()
    with qtbot.waitSignal(overview.page_wanted) as wanted:
        qtbot.mouseClick(told.press, Qt.MouseButton.LeftButton)
    assert wanted.args == [f"alerts:{incident.id}"]
    assert window.sidebar.current() == "alerts"
    window.go_to("overview")
    world.engine.alerts.pause(world.engine.clock() + timedelta(hours=1), everything=True)
    storm(world, tmp_path, 5, "203.0.113.8")
    held = world.engine.alerts.held()
    assert held >= 5
    qtbot.waitUntil(lambda: f"{held} events are held and told later. ()" in matters(window))
    world.engine.alerts.acknowledge()
    qtbot.waitUntil(lambda: overview.heading.title().startswith("Alert mails are held until"))


def test_the_trays_menu_is_a_button_where_there_is_no_tray(world: World, open_window) -> None:
    window: MainWindow = open_window()
    assert window.overview._menu.isVisible()
    assert "Pause alert mails" in [action.text() for action in window.overview._menu.menu().actions()]
    window = open_window(in_tray=True)
    assert not window.overview._menu.isVisible()


def test_one_event_is_shown_with_its_details(world: World, open_window, qtbot, tmp_path: Path) -> None:
    storm(world, tmp_path, 20)
    window: MainWindow = open_window()
    window.go_to("event:7")
    events = window.events
    qtbot.waitUntil(lambda: events.details.event_shown is not None)
    assert events.details.event_shown.seq == 7
    assert events.model.rowCount() == 1
    assert window.sidebar.current() == "events"
    storm(world, tmp_path, 3, "203.0.113.9")  # what comes meanwhile is not offered here
    events._look_for_news()
    heard: list[None] = []
    world.bridge.run(lambda: None, heard.append, lambda _error: None, owner=events)
    qtbot.waitUntil(lambda: bool(heard))  # an answer to the question for news would be here by now
    assert events._news_row.isHidden()
    qtbot.mouseClick(events.filters.event_chip, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: events.model.rowCount() == 23)
    window.go_to("event:9999")
    qtbot.waitUntil(lambda: events.model.rowCount() == 0)
