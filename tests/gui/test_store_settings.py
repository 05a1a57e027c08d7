"""Where events are kept: chosen on the settings page, tried in its dialog, told how it stands; the engine is real."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QWidget

from tests.core.store.engines import clickhouse
from tests.gui.support.smtp import SAVED
from tests.gui.support.world import World, no_room
from tests.gui.test_pages import clipped, settle, sideways
from tests.peers.clickhouse import PASSWORD, USER, ClickHousePeer
from vxtray.core import texts
from vxtray.core.credentials import Account, Secret
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.gui.main_window import MainWindow
from vxtray.gui.pages.settings import SettingsPage
from vxtray.gui.pages.settings_store import KeptCard
from vxtray.gui.store_dialog import StoreDialog

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

EVENT = SecurityEvent(
    at=datetime(2026, 11, 21, 12, tzinfo=UTC),
    source="sophos",
    category=Category.WAF,
    action=Action.BLOCKED,
    severity=Severity.LOW,
    message="",
)
#: While the server fails on purpose.
AWAY = r"(WARNING|INFO|ERROR) vxtray\.core\.(troubles|store\.\w+): "


@pytest.fixture
def peer() -> ClickHousePeer:
    return clickhouse()


@pytest.fixture
def database() -> str:
    """Return the name of a database that no other test has."""
    return f"gui_{uuid4().hex[:12]}"


def opened(world: World, qtbot) -> StoreDialog:
    dialog = StoreDialog(world.context)
    qtbot.addWidget(dialog)
    dialog.show()
    settle()
    return dialog


def fill(dialog: StoreDialog, url: str, database: str, password: str = PASSWORD) -> None:
    dialog.url.setText(url)
    dialog.username.setText(USER)
    dialog.database.setText(database)
    dialog.password.setText(password)


def account(url: str) -> Account:
    return Account("store-clickhouse-password", USER, url)


def on_server(world: World, peer: ClickHousePeer, database: str, **more: object) -> None:
    world.credentials.set(account(peer.url), Secret(PASSWORD))
    server = {"url": peer.url, "username": USER, "database": database}
    changes = {f"store.clickhouse.{key}": value for key, value in server.items()}
    world.model.update(changes | {"store.engine": "clickhouse"} | more)


def page_of(open_window: Callable[..., MainWindow]) -> SettingsPage:
    window = open_window("settings")
    settle()
    return window.settings


# --- the dialog -------------------------------------------------------------------------------------------------------


def test_it_is_tried_step_by_step_before_it_is_saved(
    world: World, qtbot, peer: ClickHousePeer, database: str, free_port: int
) -> None:
    dialog = opened(world, qtbot)
    fill(dialog, peer.url, database)

    def tried() -> str:
        dialog.test.click()
        assert not dialog.test.isEnabled()
        qtbot.waitUntil(dialog.test.isEnabled, timeout=60_000)
        return dialog.steps.text()

    said = tried()
    assert said.count("✓") == 5, said
    assert "They were made in the database" in said
    fill(dialog, peer.url, database, password="wrong")
    said = tried()
    assert said.count("✗") == 1
    assert f"does not accept the account {USER}" in said
    fill(dialog, f"http://127.0.0.1:{free_port}", database)
    assert tried().startswith("✗")
    assert dialog.trouble.isHidden()
    assert world.model.current.store.clickhouse.url == ""
    assert world.credentials.get(account(peer.url)) is None


def test_saving_moves_the_events_there_and_keeps_the_password_in_the_keyring(
    world: World, qtbot, peer: ClickHousePeer, database: str
) -> None:
    dialog = opened(world, qtbot)
    fill(dialog, peer.url, database)
    dialog.max_waiting_mebibytes.setValue(512)
    with qtbot.waitSignal(dialog.accepted, timeout=20_000):
        dialog.save.click()
    saved = world.model.current.store
    server = saved.clickhouse
    assert (saved.engine, server.url, server.username, server.database) == ("clickhouse", peer.url, USER, database)
    assert (server.cluster, server.max_waiting_mebibytes) == ("", 512)
    assert world.credentials.get(account(peer.url)) == Secret(PASSWORD)
    assert PASSWORD not in world.profile.settings_file.read_text()
    again = opened(world, qtbot)
    world.model.update({"store.clickhouse.cluster": "main"})  # meanwhile, by a command
    again.close()
    again.show()  # it comes up with what is saved now
    assert (again.url.text(), again.cluster.text(), again.password.text()) == (peer.url, "main", "")
    assert again.password.echoMode() is QLineEdit.EchoMode.Password
    qtbot.waitUntil(lambda: "Stored in the keyring" in again.password.placeholderText())
    again.forget.click()
    qtbot.waitUntil(lambda: "Not stored" in again.password.placeholderText())
    assert world.credentials.get(account(peer.url)) is None


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("url", "", "Enter the address"),
        ("url", "http://clickhouse.example.com", "must begin with https://"),
        ("url", "https://me:secret@host", "cannot be used"),
        ("database", "a-b", "letters, digits"),
        ("cluster", "a b", "letters, digits"),
        ("ca_file", "a\x07b", "one line"),
    ],
)
def test_what_cannot_be_used_is_refused_beside_its_field(
    world: World, qtbot, field: str, text: str, words: str
) -> None:
    dialog = opened(world, qtbot)
    fill(dialog, "https://clickhouse.example.com", "vxtray")
    getattr(dialog, field).setText(text)
    dialog.save.click()
    assert words in dialog.trouble.text()
    assert dialog.isVisible()
    assert world.model.current.store.engine == "embedded"
    if "cannot be used" not in words:
        assert getattr(dialog, field).hasFocus()


def test_a_full_disk_is_told_and_the_dialog_stays(world: World, qtbot, peer: ClickHousePeer) -> None:
    dialog = opened(world, qtbot)
    fill(dialog, peer.url, "vxtray")
    with no_room():
        dialog.save.click()
        qtbot.waitUntil(dialog.trouble.isVisible, timeout=20_000)
    assert dialog.isVisible()
    assert world.model.current.store.engine == "embedded"


@pytest.mark.parametrize("language", ["en", "fr"])
def test_nothing_of_the_dialog_is_cut_off(world: World, qtbot, language: str) -> None:
    texts.use(language)
    dialog = opened(world, qtbot)
    dialog.steps.add_finding("Right to write and to read", "The account may write events and read them.", good=True)
    dialog.steps.show()
    dialog.resize(dialog.minimumWidth(), dialog.height())
    settle()
    assert clipped(dialog) == []
    assert sideways(dialog) == []


def test_the_dialog_is_filled_with_the_keyboard_alone(world: World, qtbot, peer: ClickHousePeer) -> None:
    dialog = opened(world, qtbot)
    with qtbot.waitExposed(dialog):
        dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow)
    for text in (peer.url, "events", USER, PASSWORD):
        focused = dialog.focusWidget()
        assert isinstance(focused, QLineEdit)
        qtbot.keyClicks(focused, text)
        qtbot.keyClick(focused, Qt.Key.Key_Tab)
    with qtbot.waitSignal(dialog.accepted, timeout=20_000):
        qtbot.keyClick(dialog, Qt.Key.Key_Return)
    server = world.model.current.store.clickhouse
    assert (server.url, server.database, server.username) == (peer.url, "events", USER)


# --- the card ---------------------------------------------------------------------------------------------------------


def choose(card: KeptCard, index: int) -> None:
    card.engine.setCurrentIndex(index)
    card.engine.activated.emit(index)


def test_a_server_that_is_not_set_up_is_set_up_first(world: World, open_window, qtbot) -> None:
    card = page_of(open_window).kept
    assert not card.state.isVisible()
    assert not card.send.isVisible()
    choose(card, 1)
    assert isinstance(card.dialog, StoreDialog)
    assert card.dialog.isVisible()
    assert card.engine.currentIndex() == 0
    assert world.saved("store.engine") == "embedded"
    card.dialog.reject()


def test_the_choice_is_its_setting_and_says_what_the_limits_mean(
    world: World, open_window, peer: ClickHousePeer, database: str, qtbot
) -> None:
    world.model.update({"store.clickhouse.url": peer.url, "store.clickhouse.database": database})
    page = page_of(open_window)
    card, storage = page.kept, page.storage
    assert storage.room.isEnabled()
    assert card.state.pill.text() == "Not in use"
    choose(card, 1)
    assert world.saved("store.engine") == "clickhouse"
    assert page.note() == "Saved"
    assert not storage.room.isEnabled()
    assert "TTL" in storage.days.accessibleDescription()
    assert "administrator" in storage.room.accessibleDescription()
    qtbot.waitUntil(lambda: "No events wait" in storage.used.text())
    choose(card, 0)
    assert world.saved("store.engine") == "embedded"
    assert storage.room.isEnabled()
    assert "TTL" not in storage.days.accessibleDescription()
    with no_room():
        choose(card, 1)
    assert card.engine.currentIndex() == 0
    assert "could not be saved" in card.choice.trouble()


def test_who_sends_can_be_switched_back_on_where_events_stay_here(world: World, open_window) -> None:
    world.model.update({"store.send": False})
    card = page_of(open_window).kept
    assert card.send.isVisible()
    card.send.toggle.click()
    assert world.saved("store.send") is True


@pytest.mark.expected_log(AWAY)
def test_the_card_says_how_the_server_stands(
    world: World, open_window, peer: ClickHousePeer, database: str, qtbot
) -> None:
    on_server(world, peer, database)
    world.start()
    page = page_of(open_window)
    card = page.kept

    def shows(word: str) -> bool:
        page.refresh()
        return word in card.state.pill.text()

    world.engine.store().append([EVENT])
    qtbot.waitUntil(lambda: shows("Connected"), timeout=60_000)
    assert peer.url in card.state.figures.text()
    qtbot.waitUntil(lambda: "last sent" in card.state.figures.text() or not shows("Connected"), timeout=20_000)
    peer.fail("500", 10_000)
    try:
        world.engine.store().append([EVENT, EVENT])
        qtbot.waitUntil(lambda: shows("Away"), timeout=60_000)
        assert "2 events wait since" in card.state.figures.text()
        assert "ClickHouse server cannot be used" in card.state.trouble.text()
        qtbot.waitUntil(lambda: "Now 2 events on" in page.storage.used.text(), timeout=20_000)
    finally:
        peer.fail("500", 0)


@pytest.mark.expected_log(AWAY)
def test_another_program_that_sends_is_told_here_and_on_the_overview(
    world: World, open_window, peer: ClickHousePeer, database: str, qtbot
) -> None:
    world.model.update(SAVED)
    on_server(world, peer, database)
    world.start()
    window: MainWindow = open_window("settings")
    world.engine.store().append([EVENT])
    store = world.engine.store()
    qtbot.waitUntil(lambda: store.waiting() == 0, timeout=60_000)  # type: ignore[attr-defined]
    peer.insert(
        f"{database}.programs",
        {"program": str(uuid4()), "host": "office-2", "sends": True, "seen": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"},
    )
    store.tell_of_us()  # type: ignore[attr-defined]
    world.engine.room.watch()  # as each minute
    card = window.settings.kept

    def told() -> bool:
        window.settings.refresh()
        return "office-2" in card.send.trouble()

    qtbot.waitUntil(told, timeout=20_000)
    assert "each mail comes" in card.send.trouble()
    window.go_to("overview")
    row = _row(window.overview, "office-2", qtbot)
    qtbot.mouseClick(row, Qt.MouseButton.LeftButton)
    assert window.settings.isVisible()
    assert card.engine.hasFocus()
    qtbot.waitUntil(lambda: card.visibleRegion().boundingRect() == card.rect(), timeout=5_000)
    card.send.toggle.click()
    assert world.saved("store.send") is False


def test_it_is_found_from_elsewhere(world: World, open_window, qtbot) -> None:
    window: MainWindow = open_window("overview")
    window.go_to("settings:store")
    card = window.settings.kept
    qtbot.waitUntil(lambda: card.visibleRegion().boundingRect() == card.rect(), timeout=5_000)


def _row(page: QWidget, text: str, qtbot) -> QWidget:
    """Return the button of the line that speaks of something."""
    from vxtray.gui.pages.overview_matters import MatterRow

    def found() -> list[MatterRow]:
        return [row for row in page.findChildren(MatterRow) if row.isVisible() and text in row.text.text()]

    qtbot.waitUntil(lambda: bool(found()), timeout=20_000)
    return found()[0].press


@pytest.mark.parametrize("language", ["en", "fr"])
def test_nothing_of_the_page_is_cut_at_any_width(
    world: World, open_window, peer: ClickHousePeer, language: str
) -> None:
    texts.use(language)
    world.model.update({"general.language": language, "store.clickhouse.url": peer.url, "store.send": False})
    window: MainWindow = open_window("settings")
    for width in (960, 1180, 1500):
        window.resize(width, 620)
        settle()
        assert clipped(window.settings) == []
        assert sideways(window.settings) == []
