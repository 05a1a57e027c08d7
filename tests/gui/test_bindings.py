"""Controls and settings: nothing that the person switches is ever lost, whoever else changes the file meanwhile."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication

from tests.gui.support.world import SaveCounter, World, no_room
from vxtray.core.settings.file import SettingsFile
from vxtray.core.settings.model import SettingsModel
from vxtray.gui.main_window import MainWindow
from vxtray.gui.pages.reports import ReportsPage
from vxtray.gui.widgets import ChoiceField, PlainLabel, TimeField, Toggle, ToggleRow

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

REPORTS = tuple(f"reports.{cadence}.enabled" for cadence in ("daily", "weekly", "monthly"))
OPTIONS = ("reports.attach_pdf", "reports.attach_csv", "general.defang", "general.mask_internal")
ALERTS = tuple(f"alerts.{kind}" for kind in ("critical", "waf_blocked", "waf_detected", "new_ban"))


def toggle(window: MainWindow, key: str) -> Toggle:
    found = window.findChild(Toggle, key)
    assert isinstance(found, Toggle), key
    return found


def row(window: MainWindow, key: str) -> ToggleRow:
    found = toggle(window, key).parentWidget()
    assert isinstance(found, ToggleRow)
    return found


def time_field(window: MainWindow, cadence: str) -> TimeField:
    return row(window, f"reports.{cadence}.enabled").findChild(TimeField)


def command(world: World, *words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "vxtray", "--profile-dir", str(world.profile.config), *words])


# --- toggles ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("page", "keys"), [("reports", REPORTS), ("alerts", ALERTS)])
def test_all_toggles_of_a_page_in_one_turn_of_the_event_loop(world: World, open_window, qtbot, page, keys) -> None:
    world.model.update({"alerts.critical": False})
    window = open_window(page)

    def flip() -> None:
        for key in keys:
            toggle(window, key).click()

    QTimer.singleShot(0, flip)
    qtbot.waitUntil(lambda: all(toggle(window, key).isChecked() for key in keys))
    assert [world.saved(key) for key in keys] == [True] * len(keys)
    fresh = SettingsModel(SettingsFile(world.profile.settings_file))
    assert fresh.current == world.model.current
    assert window.pages[page].note() == "Saved"


def test_by_three_processes_at_once_with_the_window_open(world: World, open_window, qtbot) -> None:
    world.start()
    window = open_window("reports")
    running = [command(world, "settings", "set", f"{key}=true") for key in REPORTS]
    qtbot.waitUntil(lambda: all(process.poll() is not None for process in running), timeout=30_000)
    assert [process.returncode for process in running] == [0, 0, 0]
    assert [world.saved(key) for key in REPORTS] == [True, True, True]
    qtbot.waitUntil(lambda: all(toggle(window, key).isChecked() for key in REPORTS))
    assert world.engine.settings == world.model.current


def test_processes_and_the_mouse_at_the_same_time(world: World, open_window, qtbot) -> None:
    world.start()
    window = open_window("alerts")
    toggle(window, "alerts.critical").click()
    running = [command(world, "settings", "set", f"{key}=true") for key in REPORTS]
    turns = 0
    while any(process.poll() is None for process in running) or turns % 2:
        turns += 1
        toggle(window, "alerts.waf_blocked").click()
        qtbot.wait(5)
    assert [world.saved(key) for key in REPORTS] == [True, True, True]
    assert world.saved("alerts.critical") is False
    assert world.saved("alerts.waf_blocked") is False
    window.refresh()
    window.go_to("reports")
    assert all(toggle(window, key).isChecked() for key in REPORTS)


def test_by_keyboard_alone(world: World, open_window, qtbot) -> None:
    window = open_window("overview")
    qtbot.keyClick(window, Qt.Key.Key_3, Qt.KeyboardModifier.ControlModifier)
    reached: list[str] = []
    for _step in range(40):
        focused = QApplication.focusWidget()
        if isinstance(focused, Toggle) and focused.objectName() not in reached:
            reached.append(focused.objectName())
            qtbot.keyClick(focused, Qt.Key.Key_Space)
        qtbot.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Tab)
    assert tuple(reached) == REPORTS + OPTIONS
    assert [world.saved(key) for key in REPORTS] == [True, True, True]


def test_one_click_is_one_save(world: World, open_window, qtbot, saves: SaveCounter) -> None:
    window = open_window("reports")
    for number, key in enumerate(REPORTS, 1):
        qtbot.mouseClick(toggle(window, key), Qt.MouseButton.LeftButton)
        assert saves.count() == number
    qtbot.wait(700)  # longer than a field waits for the next digit
    assert saves.count() == 3


def test_a_change_from_outside_moves_the_toggle_and_saves_nothing(
    world: World, open_window, saves: SaveCounter
) -> None:
    window = open_window("reports")
    world.change_outside(reports__daily__enabled=True, reports__weekly__time="06:15")
    assert world.model.reload_if_changed()
    assert toggle(window, "reports.daily.enabled").isChecked()
    assert time_field(window, "weekly").time().toString("HH:mm") == "06:15"
    text = world.profile.settings_file.read_text()
    world.profile.settings_file.write_text("# by hand\n" + text.replace("enabled = true", "enabled = false"))
    assert world.model.reload_if_changed()
    assert not toggle(window, "reports.daily.enabled").isChecked()
    assert saves.count() == 1
    toggle(window, "reports.daily.enabled").click()
    assert "# by hand" in world.profile.settings_file.read_text()


def test_a_hand_edit_that_the_window_has_not_seen_yet_survives_a_click(world: World, open_window) -> None:
    window = open_window("reports")
    world.change_outside(reports__weekly__enabled=True, smtp__host="smtp.example.com")
    toggle(window, "reports.daily.enabled").click()
    assert world.saved("reports.weekly.enabled") is True
    assert world.saved("smtp.host") == "smtp.example.com"
    assert toggle(window, "reports.weekly.enabled").isChecked()


def lock_is_a_folder(world: World) -> None:
    lock = world.profile.settings_file.with_name("settings.toml.lock")
    lock.unlink(missing_ok=True)
    lock.mkdir()


def folder_is_a_file(world: World) -> None:
    world.profile.config.rename(world.profile.config.with_name("away"))
    world.profile.config.write_text("in the way")


@pytest.mark.parametrize("fault", ["disk full", lock_is_a_folder, folder_is_a_file])
@pytest.mark.parametrize(("page", "key"), [("reports", "reports.weekly.enabled"), ("alerts", "alerts.new_ban")])
def test_a_failed_save_snaps_back_and_says_why(world: World, open_window, qtbot, fault, page: str, key: str) -> None:
    world.model.update({"reports.daily.enabled": True, "smtp.host": "smtp.example.com"})
    window = open_window(page)
    before = world.profile.settings_file.read_bytes()
    names = sorted(path.name for path in world.profile.config.glob("settings*"))
    with ExitStack() as stack:
        if fault == "disk full":
            stack.enter_context(no_room())
        else:
            fault(world)
        qtbot.mouseClick(toggle(window, key), Qt.MouseButton.LeftButton)
    assert not toggle(window, key).isChecked()
    assert "could not be saved" in row(window, key).trouble()
    assert window.pages[page].note() == ""
    assert world.model.current.reports.daily.enabled
    if fault == "disk full":
        assert world.profile.settings_file.read_bytes() == before
        assert sorted(path.name for path in world.profile.config.glob("settings*")) == names
        qtbot.mouseClick(toggle(window, key), Qt.MouseButton.LeftButton)
        assert world.saved(key) is True
        assert world.saved("reports.daily.enabled") is True
        assert row(window, key).trouble() == ""
    elif fault is folder_is_a_file:
        away: Path = world.profile.config.with_name("away")
        world.profile.config.unlink()
        away.rename(world.profile.config)
        assert world.profile.settings_file.read_bytes() == before


# --- times and choices -----------------------------------------------------------------------------------------------


def type_time(qtbot, field: TimeField, digits: str) -> None:
    field.setFocus(Qt.FocusReason.TabFocusReason)
    field.setSelectedSection(TimeField.Section.HourSection)
    qtbot.keyClicks(field, digits)


def test_a_time_is_saved_when_it_settles_not_at_each_digit(
    world: World, open_window, qtbot, saves: SaveCounter
) -> None:
    window = open_window("reports")
    type_time(qtbot, time_field(window, "daily"), "0930")
    assert time_field(window, "daily").time().toString("HH:mm") == "09:30"
    assert saves.count() == 0
    qtbot.waitUntil(world.profile.settings_file.exists)
    qtbot.waitUntil(lambda: world.saved("reports.daily.time") == "09:30")
    assert saves.count() == 1


def test_a_time_is_saved_at_once_when_the_field_is_left(world: World, open_window, qtbot, saves: SaveCounter) -> None:
    window = open_window("reports")
    type_time(qtbot, time_field(window, "monthly"), "2115")
    time_field(window, "weekly").setFocus(Qt.FocusReason.TabFocusReason)
    assert world.saved("reports.monthly.time") == "21:15"
    type_time(qtbot, time_field(window, "weekly"), "0701")
    window.go_to("help")
    assert world.saved("reports.weekly.time") == "07:01"
    assert saves.count() == 2
    qtbot.wait(700)
    assert saves.count() == 2


def test_the_same_time_again_is_no_save(world: World, open_window, qtbot, saves: SaveCounter) -> None:
    window = open_window("reports")
    type_time(qtbot, time_field(window, "daily"), "0800")
    qtbot.keyClick(time_field(window, "daily"), Qt.Key.Key_Return)
    time_field(window, "weekly").setFocus()
    qtbot.wait(700)
    assert saves.count() == 0
    assert window.reports.note() == ""


def test_a_time_that_cannot_be_saved_goes_back_with_the_reason_in_its_row(world: World, open_window, qtbot) -> None:
    window = open_window("reports")
    type_time(qtbot, time_field(window, "daily"), "0930")
    with no_room():
        qtbot.keyClick(time_field(window, "daily"), Qt.Key.Key_Return)
    assert time_field(window, "daily").time().toString("HH:mm") == "08:00"
    assert "could not be saved" in row(window, "reports.daily.enabled").trouble()


def test_choices_are_saved_when_chosen(world: World, open_window, qtbot, saves: SaveCounter) -> None:
    window = open_window("reports")
    weekday = row(window, "reports.weekly.enabled").findChild(ChoiceField)
    weekday.setFocus()
    qtbot.keyClick(weekday, Qt.Key.Key_Down)
    assert world.saved("reports.weekly.weekday") == "tuesday"
    day = row(window, "reports.monthly.enabled").findChild(ChoiceField)
    day.setFocus()
    qtbot.keyClick(day, Qt.Key.Key_End)
    assert world.saved("reports.monthly.day") == "last"
    assert saves.count() == 2
    world.change_outside(reports__monthly__day=15)
    world.model.reload_if_changed()
    assert day.currentIndex() == 14
    severity = window.alerts.findChild(ChoiceField)
    window.go_to("alerts")
    severity.setFocus()
    qtbot.keyClick(severity, Qt.Key.Key_Down)
    assert world.saved("alerts.minimum_severity") == "high"


# --- recipients ------------------------------------------------------------------------------------------------------


def seen(page: ReportsPage) -> str:
    return "\n".join(label.text() for label in page.findChildren(PlainLabel) if label.isVisible())


@pytest.mark.parametrize("how", ["Enter", "leaving"])
def test_a_wrong_address_stays_in_the_line_with_the_reason(world: World, open_window, qtbot, how: str) -> None:
    window = open_window("reports")
    line = window.reports.recipients
    line.setFocus()
    qtbot.keyClicks(line, "boss@example.com, nonsense")
    if how == "Enter":
        qtbot.keyClick(line, Qt.Key.Key_Return)
    else:
        toggle(window, "reports.daily.enabled").setFocus()
    assert line.text() == "boss@example.com, nonsense"
    assert "nonsense" in seen(window.reports)
    assert not world.profile.settings_file.exists()
    toggle(window, "reports.daily.enabled").click()
    assert line.text() == "boss@example.com, nonsense"
    line.setFocus()
    line.setText("boss@example.com; soc@example.com")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert world.saved("reports.recipients") == ("boss@example.com", "soc@example.com")
    assert line.text() == "boss@example.com, soc@example.com"
    assert "nonsense" not in seen(window.reports)


def test_an_untouched_line_is_no_save(world: World, open_window, qtbot, saves: SaveCounter) -> None:
    world.model.update({"reports.recipients": ("boss@example.com",)})
    window = open_window("reports")
    window.reports.recipients.setFocus()
    toggle(window, "reports.daily.enabled").setFocus()
    assert saves.count() == 1
    assert window.reports.note() == ""
