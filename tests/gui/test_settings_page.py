"""The settings page: each field is its setting, snaps back with the reason, and what was changed can be undone."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget

from tests.gui.support.smtp import SAVED
from tests.gui.support.world import World, no_room
from tests.gui.test_pages import clipped, settle, sideways
from vxtray.core import texts
from vxtray.core.autostart import Proof, Standing, State
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.settings import portable
from vxtray.core.settings.tree import Settings
from vxtray.gui.at_login import AtLogin
from vxtray.gui.pages.settings import SettingsPage
from vxtray.gui.pages.settings_login import difference_words, proof_words
from vxtray.gui.theme import theme
from vxtray.gui.widgets import Button, Kind, PlainLabel, Toggle

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def open_page(world: World, qtbot) -> Callable[..., SettingsPage]:
    """Return a function that shows the page by itself, as wide as it is beside the sidebar of a window."""

    def opened(width: int = 880) -> SettingsPage:
        keeper = AtLogin(world.context)
        made = SettingsPage(world.context, keeper)
        keeper.setParent(made)
        qtbot.addWidget(made)
        made.resize(width, 620)
        with qtbot.waitExposed(made):
            made.show()
        made.activateWindow()
        qtbot.waitUntil(made.isActiveWindow)
        return made

    return opened


@pytest.fixture
def page(open_page) -> SettingsPage:
    return open_page()


def shown(page: QWidget) -> str:
    return "\n".join(label.text() for label in page.findChildren(PlainLabel) if label.isVisible())


def entry(isolation: Path) -> Path:
    (found,) = (isolation / ".config" / "autostart").glob("*.desktop")
    return found


def press(button: Button, qtbot) -> None:
    assert button.isVisible()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def undo(bar: QWidget, qtbot) -> None:
    (found,) = [one for one in bar.findChildren(Button) if one.text() == "Undo"]
    press(found, qtbot)


# --- fields ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", ["desktop.notifications", "desktop.sound", "settings.general.defang", "settings.general.mask_internal"]
)
def test_each_switch_is_its_setting(world: World, page: SettingsPage, qtbot, key: str) -> None:
    toggle = page.findChild(Toggle, key)
    setting = key.removeprefix("settings.")
    before = toggle.isChecked()
    toggle.click()
    assert world.saved(setting) is not before
    assert page.note() == "Saved"
    world.change_outside(**{setting.replace(".", "__"): before})
    world.model.reload()
    assert toggle.isChecked() is before


def test_lists_and_numbers_are_their_settings(world: World, page: SettingsPage, qtbot) -> None:
    page.notifications.least.setCurrentIndex(2)
    page.notifications.least.activated.emit(2)
    assert world.saved("desktop.notify_from") is Severity.MEDIUM
    page.storage.days.setFocus()
    page.storage.days.selectAll()
    qtbot.keyClicks(page.storage.days, "500")
    qtbot.keyClick(page.storage.days, Qt.Key.Key_Return)
    assert world.saved("store.retention_days") == 500
    world.model.update({"store.max_mebibytes": 4096, "desktop.notify_from": "low"})
    assert page.storage.room.text() == "4,096\N{NO-BREAK SPACE}MiB"
    assert page.notifications.least.currentText() == "Low and above"


def test_what_has_no_effect_is_out_of_use(world: World, page: SettingsPage) -> None:
    assert page.notifications.least.isEnabled()
    world.model.update({"desktop.notifications": False})
    assert not page.notifications.least.isEnabled()
    assert not page.notifications.sound.toggle.isEnabled()


def test_the_look_changes_at_once(world: World, page: SettingsPage) -> None:
    for value, dark in (("dark", True), ("light", False)):
        index = page.look.theme.findText(value.capitalize())
        page.look.theme.activated.emit(index)
        assert world.saved("general.theme") == value
        assert world.model.current.general.theme == value
        theme().set_preference(world.model.current.general.theme)  # as the application does at a change
        assert theme().dark is dark
    theme().set_preference("auto")


def test_a_full_disk_snaps_each_field_back_with_the_reason(world: World, page: SettingsPage, saves) -> None:
    world.model.update({"store.retention_days": 100})
    saved = saves.count()
    with no_room():
        page.privacy.findChild(Toggle, "settings.general.defang").click()
        page.look.theme.activated.emit(2)
        page.storage.days.setValue(50)
        page.storage.days.editingFinished.emit()
    assert not page.privacy.findChild(Toggle, "settings.general.defang").isChecked()
    assert page.look.theme.currentIndex() == 0
    assert page.storage.days.value() == 100
    assert shown(page).count("The settings could not be saved") == 3
    assert page.storage.undo.isHidden()
    assert saves.count() == saved
    page.look.theme.activated.emit(1)
    assert shown(page.look).count("could not be saved") == 0
    theme().set_preference("auto")


# --- storage --------------------------------------------------------------------------------------------------------


def test_what_the_events_take_now(world: World, page: SettingsPage, qtbot) -> None:
    qtbot.waitUntil(lambda: "No events are stored yet." in shown(page))
    event = SecurityEvent(
        at=NOW, source="sophos", category=Category.WAF, action=Action.BLOCKED, severity=Severity.LOW, message=""
    )
    world.engine.store().append([event] * 1234, alerts=False)
    page.refresh()
    qtbot.waitUntil(lambda: "Now 1,234 events on 1 MiB." in shown(page))


def test_a_lower_limit_can_be_undone_and_a_higher_one_need_not_be(world: World, page: SettingsPage, qtbot) -> None:
    page.storage.days.setValue(500)
    page.storage.days.editingFinished.emit()
    assert page.storage.undo.isHidden()
    page.storage.days.setValue(5)
    page.storage.days.editingFinished.emit()
    assert world.saved("store.retention_days") == 5
    assert page.storage.undo.text() == "What is beyond the new limit is deleted in a minute."
    undo(page.storage.undo, qtbot)
    assert world.saved("store.retention_days") == 500
    assert page.storage.days.value() == 500
    assert page.storage.undo.isHidden()


def test_an_undo_is_offered_for_ten_seconds_only(world: World, page: SettingsPage, qtbot) -> None:
    page.storage.days.setValue(5)
    page.storage.days.editingFinished.emit()
    timer = page.storage.undo._timer
    assert 0 < timer.interval() <= 10_000
    timer.setInterval(0)
    qtbot.waitUntil(page.storage.undo.isHidden)
    assert page.storage.undo.pending() is None


# --- starting with the session --------------------------------------------------------------------------------------

linux = pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="desktop files")


@linux
def test_the_switch_writes_and_removes_the_entry(world: World, page: SettingsPage, qtbot, isolation: Path) -> None:
    toggle = page.login.row.toggle
    toggle.click()
    assert world.saved("general.autostart") is True
    assert "--at-login" in entry(isolation).read_text()
    qtbot.waitUntil(lambda: "Your next login will show whether it works." in shown(page))
    page.login._at_login.autostart.note_login(NOW)
    page.refresh()
    qtbot.waitUntil(lambda: "It worked at the last login: 21 November 2026, 12:00." in shown(page))
    toggle.click()
    assert list((isolation / ".config" / "autostart").iterdir()) == []
    qtbot.waitUntil(lambda: "It worked" not in shown(page))


@linux
def test_a_refusal_of_the_system_snaps_back(world: World, page: SettingsPage, qtbot, isolation: Path) -> None:
    (isolation / ".config").mkdir(parents=True, exist_ok=True)
    (isolation / ".config" / "autostart").write_text("in the way")
    page.login.row.toggle.click()
    qtbot.waitUntil(lambda: not page.login.row.toggle.isChecked())
    assert world.saved("general.autostart") is False
    assert "Starting with the session could not be changed" in page.login.row.trouble()
    assert page.note() == ""
    (isolation / ".config" / "autostart").unlink()
    page.login.row.toggle.click()
    qtbot.waitUntil(lambda: page.login.row.trouble() == "")
    assert world.saved("general.autostart") is True
    assert entry(isolation).exists()


@linux
def test_what_others_wish_is_done_too(world: World, page: SettingsPage, isolation: Path) -> None:
    world.change_outside(general__autostart=True)
    world.model.reload()
    assert entry(isolation).exists()
    assert page.login.row.toggle.isChecked()


@linux
def test_differences_are_shown_and_settled_by_one_press(
    world: World, page: SettingsPage, qtbot, isolation: Path
) -> None:
    page.login.row.toggle.click()
    text = entry(isolation).read_text()
    entry(isolation).write_text(text + "Hidden=true\n")
    page.refresh()
    qtbot.waitUntil(lambda: "It was switched off in the settings of your desktop." in shown(page))
    press(page.login.difference.findChild(Button), qtbot)
    qtbot.waitUntil(page.login.difference.isHidden)
    assert "Hidden" not in entry(isolation).read_text()
    entry(isolation).write_text(text.replace("Exec=/", "Exec=/gone/"))
    page.refresh()
    qtbot.waitUntil(lambda: "is not there any more: /gone/" in shown(page))
    press(page.login.difference.findChild(Button), qtbot)
    qtbot.waitUntil(page.login.difference.isHidden)
    assert entry(isolation).read_text() == text


@linux
def test_a_program_that_moved_is_mended_at_the_start(world: World, isolation: Path) -> None:
    world.model.update({"general.autostart": True})
    AtLogin(world.context)
    text = entry(isolation).read_text()
    entry(isolation).write_text(text.replace("Exec=/", "Exec=/gone/"))
    AtLogin(world.context)
    assert entry(isolation).read_text() == text


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_standing_has_words(language: str) -> None:
    texts.use(language)
    for state, proof, wish, override in product(State, Proof, (True, False), (True, False)):
        standing = Standing(
            state=state, proof=proof, place="/p", program="/x", started_at=NOW, ours=True, can_override=override
        )
        assert proof_words(standing)
        found = difference_words(standing, wish=wish)
        if found is None:
            assert not wish or (state is State.ON and proof is not Proof.FAILED)
            continue
        assert found.text.endswith(".")
        assert bool(found.action) is not (wish and state is State.DISABLED and not override)
        assert found.kind in (Kind.INFO, Kind.WARNING)


# --- export, import, defaults -----------------------------------------------------------------------------------------


def test_export_writes_what_is_in_force(world: World, page: SettingsPage, qtbot, tmp_path: Path) -> None:
    world.model.update(SAVED)
    file = tmp_path / "mine.toml"
    page.files.export_to(file)
    qtbot.waitUntil(file.exists)
    assert portable.plan(world.model.current, portable.read_settings(file, file.read_bytes())).changes == {}
    qtbot.waitUntil(lambda: page.note() == "Saved")
    page.files.export_to(tmp_path / "no folder" / "x.toml")
    qtbot.waitUntil(lambda: "x.toml cannot be written" in page.files.trouble.text())


def test_import_shows_first_then_is_one_change_and_can_be_undone(
    world: World, page: SettingsPage, qtbot, tmp_path: Path, saves
) -> None:
    world.model.update(SAVED | {"store.retention_days": 90})
    before = world.model.current
    file = tmp_path / "theirs.toml"
    file.write_text("weather = 1\n[smtp]\nhost = 'mail.example.org'\n[alerts]\nnew_ban = true\n")
    saved = saves.count()
    page.files.look_into(file)
    qtbot.waitUntil(page.files.preview.isVisible)
    said = shown(page.files)
    for words in ("theirs.toml would change", "alerts.new_ban\noff → on", "90 → 400", "left out: weather.", "password"):
        assert words in said
    assert saves.count() == saved, "nothing is changed by looking"
    world.model.update({"alerts.new_ban": True})
    assert "alerts.new_ban" not in shown(page.files), "what is shown stays true"
    world.model.update({"alerts.new_ban": False})
    saved = saves.count()
    press(page.files.take, qtbot)
    assert saves.count() == saved + 1
    assert world.model.current.smtp.host == "mail.example.org"
    assert world.model.current.alerts.new_ban is True
    assert page.files.preview.isHidden()
    assert page.files.undo.text() == "The settings of theirs.toml are in force."
    undo(page.files.undo, qtbot)
    assert world.model.current == before


def test_an_import_that_is_left_changes_nothing(world: World, page: SettingsPage, qtbot, tmp_path: Path) -> None:
    file = tmp_path / "theirs.toml"
    file.write_text("[alerts]\nnew_ban = true\n")
    page.files.look_into(file)
    qtbot.waitUntil(page.files.preview.isVisible)
    press(page.files.cancel, qtbot)
    assert page.files.preview.isHidden()
    assert world.model.current == Settings()
    file.write_text(portable.export_text(world.model.current))
    page.files.look_into(file)
    qtbot.waitUntil(page.files.preview.isVisible)
    assert "there is nothing to change" in shown(page.files)
    assert not page.files.take.isVisible()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[smtp", "is not a settings file"),
        ("[smtp]\nport = 99999", "smtp.port"),
        ("", "holds no settings of vxtray"),
    ],
)
def test_a_wrong_file_is_said_to_be_wrong(
    world: World, page: SettingsPage, qtbot, tmp_path: Path, content: str, words: str
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(content)
    page.files.look_into(file)
    qtbot.waitUntil(lambda: words in page.files.trouble.text())
    assert page.files.preview.isHidden()


def test_a_section_begins_anew_and_comes_back(world: World, page: SettingsPage, qtbot) -> None:
    world.model.update(SAVED | {"alerts.waf_blocked": True, "alerts.max_mails_per_hour": 5})
    before = world.model.current
    assert "2 settings differ from their defaults." in shown(page.defaults)
    assert page.defaults.buttons["alerts"].isEnabled()
    assert not page.defaults.buttons["store"].isEnabled()
    page.ensureWidgetVisible(page.defaults.buttons["alerts"])
    settle()
    place = page.defaults.buttons["alerts"].mapTo(page.widget(), page.defaults.buttons["alerts"].rect().topLeft())
    press(page.defaults.buttons["alerts"], qtbot)
    assert world.model.current.alerts == Settings().alerts
    assert world.model.current.smtp == before.smtp
    assert page.defaults.undo.text() == "Alerts: back to the defaults."
    settle()
    button = page.defaults.buttons["alerts"]
    assert button.mapTo(page.widget(), button.rect().topLeft()) == place, "nothing moves from under the mouse"
    undo(page.defaults.undo, qtbot)
    assert world.model.current == before


def test_a_disk_that_refuses_leaves_the_offer(world: World, page: SettingsPage, qtbot) -> None:
    world.model.update({"alerts.waf_blocked": True})
    press(page.defaults.buttons["alerts"], qtbot)
    with no_room():
        undo(page.defaults.undo, qtbot)
    assert "could not be saved" in page.defaults.undo.text()
    assert world.model.current.alerts.waf_blocked is False
    undo(page.defaults.undo, qtbot)
    assert world.model.current.alerts.waf_blocked is True


def test_a_lower_limit_gives_time_for_the_undo(world: World) -> None:
    from vxtray.core.settings.tree import Store
    from vxtray.core.store.retention import Retention

    store, keeper = world.engine.store(), Retention()
    event = SecurityEvent(
        at=NOW - timedelta(days=50), source="x", category=Category.WAF, action=Action.BLOCKED, severity=Severity.LOW
    )
    store.append([event], alerts=False)
    assert keeper.run(store, Store(), NOW) == 0
    later = NOW + timedelta(hours=3)
    assert keeper.run(store, Store(retention_days=5), later) == 0
    assert keeper.run(store, Store(retention_days=5), later + timedelta(seconds=59)) == 0
    assert keeper.run(store, Store(retention_days=5), later + timedelta(seconds=60)) == 1


# --- to look at -----------------------------------------------------------------------------------------------------


@linux
@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_nothing_is_cut_with_everything_on_show(
    world: World, open_page, system_font, qtbot, tmp_path: Path, isolation: Path, language: str, scale: float
) -> None:
    texts.use(language)
    long = ".".join(["subdomain" * 5] * 5) + ".example.com"
    world.model.update(SAVED | {"general.language": language, "alerts.waf_blocked": True, "smtp.host": long})
    font = QApplication.font()
    font.setPixelSize(round(13 * scale))
    system_font(font)
    page = open_page()
    file = tmp_path / f"{'a-long-name-' * 8}.toml"
    file.write_text("weather = 1\n[smtp]\nhost = 'mail.example.org'\n")
    page.files.look_into(file)
    qtbot.waitUntil(page.files.preview.isVisible)
    page.defaults.start_over("alerts")
    page.storage.days.setValue(5)
    page.storage.days.editingFinished.emit()
    world.model.update({"general.autostart": True})
    entry(isolation).write_text(entry(isolation).read_text().replace("Exec=/", f"Exec={'/very/long' * 20}"))
    page.refresh()
    qtbot.waitUntil(page.login.difference.isVisible)
    page.files.trouble.setText("/very/long" * 20)
    page.files.trouble.show()
    for width in (584, 760, 900):  # 640 px of a window, less its sidebar of icons; then with the words
        page.resize(round(width * scale), 620)
        settle()
        assert page.login.difference.isVisible()
        assert page.defaults.undo.isVisible()
        assert not clipped(page), width
        assert not sideways(page), width


def test_the_fields_have_names_and_their_help_is_spoken(page: SettingsPage) -> None:
    for field in (page.look.language, page.look.theme, page.notifications.least, page.storage.days, page.storage.room):
        assert field.accessibleName()
        assert field.accessibleDescription().endswith(".")
        assert [label for label in page.findChildren(PlainLabel) if label.buddy() is field]
    spoken = [button.accessibleName() for button in page.defaults.buttons.values()]
    assert len(set(spoken)) == len(spoken) == 7


def test_tab_goes_down_the_page_and_space_does_it_all(world: World, page: SettingsPage, qtbot) -> None:
    world.model.update({"alerts.waf_blocked": True})
    page.look.language.setFocus()
    places = []
    for _step in range(40):
        at = QApplication.focusWidget()
        assert at is not None
        corner = at.mapTo(page.widget(), at.rect().topLeft())
        places.append((corner.y() + at.height() // 2, corner.x()))
        if at is page.defaults.buttons["alerts"]:
            break
        qtbot.keyClick(at, Qt.Key.Key_Tab)
    assert places == sorted(places)
    assert len(places) >= 12
    qtbot.keyClick(page.defaults.buttons["alerts"], Qt.Key.Key_Space)
    assert world.saved("alerts.waf_blocked") is False
    undoing = QApplication.focusWidget()
    assert isinstance(undoing, Button)
    assert undoing.text() == "Undo"
    qtbot.keyClick(undoing, Qt.Key.Key_Space)
    assert world.saved("alerts.waf_blocked") is True
