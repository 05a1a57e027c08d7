"""What is there at the first paint, and pages that are made when they are first shown: as if there always."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from tests.gui.support.smtp import SAVED
from tests.gui.support.world import World
from vxtray.core.notices import IncidentsChanged, QueueChanged
from vxtray.core.settings.glimpse import Glimpse
from vxtray.gui.actions import Actions
from vxtray.gui.application import Desktop
from vxtray.gui.main_window import MainWindow
from vxtray.gui.pages import all_pages
from vxtray.gui.widgets import PlainLabel, Toggle

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

ROOT = Path(__file__).resolve().parents[2]

_FIRST_PAINT = """
import sys
from vxtray.core.settings.glimpse import Glimpse
from vxtray.gui.application import Desktop

desktop = Desktop()
desktop.appear(Glimpse(set_up=True), hidden=False)
desktop.app.processEvents()
assert desktop.window.isVisible()
assert desktop.window.sidebar.isVisible()
print(*(name for name in sys.modules if name.startswith("vxtray.")))
"""


def spoken(window: MainWindow, entry: str) -> str:
    (item,) = window.sidebar.findItems(entry, Qt.MatchFlag.MatchExactly)
    return str(item.data(Qt.ItemDataRole.AccessibleTextRole))


@pytest.fixture
def desktop(qapp) -> Iterator[Desktop]:
    made = Desktop()
    yield made
    made.close()
    qapp.setQuitOnLastWindowClosed(True)


def frame(desktop: Desktop, *, set_up: bool = True) -> MainWindow:
    """Begin a start and return the window as it is before there is an engine."""
    desktop.appear(Glimpse(set_up=set_up), hidden=False)
    assert desktop.window is not None
    assert desktop.window.isVisible()
    return desktop.window


def test_the_first_paint_needs_no_page_and_no_engine() -> None:
    run = subprocess.run(
        [sys.executable, "-c", _FIRST_PAINT], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    loaded = set(run.stdout.split())
    assert "vxtray.gui.main_window" in loaded
    heavy = ("vxtray.gui.pages", "vxtray.gui.widgets", "vxtray.gui.actions", "vxtray.core.service")
    assert not [name for name in loaded if name.startswith((*heavy, "vxtray.core.settings.tree"))]


def test_only_the_page_that_is_shown_is_made(world: World, open_window) -> None:
    window = open_window()
    assert list(window.pages.made) == ["overview"]
    window.go_to("history")
    assert list(window.pages.made) == ["overview", "history"]
    assert window.history.isVisible()
    assert not window.overview.isVisible()


def test_every_page_of_the_sidebar_can_be_made(world: World, open_window) -> None:
    window = open_window()
    assert window.sidebar.keys() == all_pages.KEYS == tuple(window.pages)
    assert {key: type(page).__name__ for key, page in window.pages.items()} == {
        "overview": "OverviewPage",
        "alerts": "AlertsPage",
        "reports": "ReportsPage",
        "events": "EventsPage",
        "sources": "SourcesPage",
        "mail_server": "MailServerPage",
        "history": "HistoryPage",
        "settings": "SettingsPage",
        "help": "HelpPage",
    }
    with pytest.raises(KeyError):
        window.pages["no such"]


def test_the_numbers_at_the_side_need_no_page(world: World, open_window, qtbot) -> None:
    window = open_window()
    now = world.engine.clock()
    world.bridge.post(IncidentsChanged(at=now, open=2, unacknowledged=2, held=0))
    world.bridge.post(QueueChanged(at=now, queued=0, held=0, failed=1))
    qtbot.waitUntil(lambda: "2 alerts" in spoken(window, "Alerts") and "1 mail" in spoken(window, "History"))
    world.bridge.post(IncidentsChanged(at=now, open=2, unacknowledged=0, held=0))
    qtbot.waitUntil(lambda: spoken(window, "Alerts") == "Alerts")
    assert list(window.pages.made) == ["overview"]


def test_a_page_made_late_shows_what_was_before_it(world: World, open_window, qtbot) -> None:
    world.model.update(SAVED)
    window = open_window()
    world.model.update({"reports.weekly.enabled": True, "smtp.host": "later.example.com"})
    world.engine.pause_alerts(timedelta(hours=1))
    assert list(window.pages.made) == ["overview"]
    window.go_to("reports")
    assert window.reports.findChild(Toggle, "reports.weekly.enabled").isChecked()
    window.go_to("mail_server")
    assert "later.example.com" in [one.text() for one in window.mail_server.heading.findChildren(PlainLabel)]
    window.go_to("alerts")
    qtbot.waitUntil(lambda: list(window.alerts.held.rows) == [("pause", 0)])


def test_where_a_notification_leads_to_a_page_that_is_not_there_yet(world: World, open_window, qtbot) -> None:
    window = open_window()
    window.open_page("help:reports")
    assert window.help.isVisible()
    window.open_page("settings:store")
    qtbot.waitUntil(lambda: window.focusWidget() is window.settings.kept.engine)
    window.open_page("edit_smtp")
    assert window.mail_server.dialog.isVisible()
    assert window.sidebar.current() == "mail_server"


def test_another_language_makes_only_the_page_that_is_shown(world: World, open_window, qtbot) -> None:
    window = open_window()
    window.go_to("events")
    window.speak_anew(Actions(world.context))
    assert list(window.pages.made) == ["events"]
    qtbot.waitUntil(window.events.isVisible)


def test_what_is_chosen_on_the_frame_is_shown_with_the_engine(desktop: Desktop, world: World, qtbot) -> None:
    world.model.update(SAVED)
    window = frame(desktop)
    window.go_to("lost")
    window.refresh()
    assert window.sidebar.current() == "history"
    assert not window.begun
    world.shown_by(desktop)
    assert desktop.window is window
    assert list(window.pages.made) == ["history"]
    assert window.history.isVisible()


def test_a_frame_that_is_closed_without_a_tray_ends_the_program(desktop: Desktop, qtbot) -> None:
    window = frame(desktop)
    window.close()
    assert desktop.ending


def test_a_frame_that_was_put_away_stays_away(desktop: Desktop, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Desktop, "tray_present", True)  # off screen there is none
    world.model.update(SAVED)
    window = frame(desktop)
    window.close()
    assert not desktop.ending
    world.shown_by(desktop)
    assert not window.isVisible()
    desktop.show_window()
    assert window.overview.isVisible()


def test_before_anything_is_set_up_the_frame_is_the_assistants(desktop: Desktop, world: World) -> None:
    window = frame(desktop, set_up=False)
    assert not window.sidebar.isVisible()
    world.shown_by(desktop)
    assert window.assistant is not None
    assert window.assistant.isVisible()
    assert not window.sidebar.isVisible()
    window.assistant.leave()
    assert window.sidebar.isVisible()
    assert window.overview.isVisible()
