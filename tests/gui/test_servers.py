"""The dialogs about a VIGILANCE X server and its tables: tried, saved with the password in the keyring, taken over."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtWidgets import QLineEdit

from tests.core.sources.test_vigilancex_takeover import SAID
from tests.gui.support.world import World, no_room
from tests.gui.test_pages import clipped, settle, sideways
from tests.peers.vigilancex import PASSWORD, USER, VigilanceX, vigilancex_server
from vxtray.core import texts
from vxtray.core.credentials import Account, Secret
from vxtray.core.sources import vigilancex_takeover
from vxtray.gui.main_window import MainWindow
from vxtray.gui.server_dialog import ServerDialog
from vxtray.gui.take_over_dialog import TITLES, TakeOverDialog
from vxtray.gui.widgets import PlainLabel

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")


@pytest.fixture
def server() -> Iterator[VigilanceX]:
    with vigilancex_server() as held:
        yield held


def opened(world: World, qtbot, which: str = "vigilancex") -> ServerDialog:
    dialog = ServerDialog(world.context, which)  # type: ignore[arg-type]
    qtbot.addWidget(dialog)
    dialog.show()
    settle()
    return dialog


def fill(dialog: ServerDialog, url: str, user: str = USER, password: str = PASSWORD) -> None:
    dialog.url.setText(url)
    dialog.username.setText(user)
    dialog.password.setText(password)


def account(url: str) -> Account:
    return Account("vigilancex-password", USER, url)


def test_it_is_tried_before_it_is_saved(world: World, qtbot, server: VigilanceX) -> None:
    dialog = opened(world, qtbot)
    fill(dialog, server.url)
    for licensed, words in ((True, "bans are read"), (False, "no licence")):
        server.licensed = licensed
        dialog.test.click()
        assert not dialog.test.isEnabled()
        qtbot.waitUntil(dialog.test.isEnabled, timeout=20_000)
        assert words in dialog.answer.text()
    assert not dialog.trouble.isVisible()
    assert world.model.current.sources.vigilancex.url == ""
    assert world.credentials.get(account(server.url)) is None


def test_saving_keeps_the_password_in_the_keyring_and_switches_on(world: World, qtbot, server: VigilanceX) -> None:
    dialog = opened(world, qtbot)
    fill(dialog, server.url)
    dialog.notices["disk"].setChecked(True)
    dialog.poll_seconds.setValue(60)
    with qtbot.waitSignal(dialog.accepted, timeout=20_000):
        dialog.save.click()
    saved = world.model.current.sources.vigilancex
    assert (saved.enabled, saved.url, saved.username, saved.poll_seconds) == (True, server.url, USER, 60)
    assert saved.notices == ("disk",)
    assert world.credentials.get(account(server.url)) == Secret(PASSWORD)
    assert PASSWORD not in world.profile.settings_file.read_text()
    again = opened(world, qtbot)  # it comes up with what was saved
    assert (again.url.text(), again.username.text(), again.password.text()) == (server.url, USER, "")
    assert again.notices["disk"].isChecked()
    assert again.password.echoMode() is QLineEdit.EchoMode.Password
    qtbot.waitUntil(lambda: "Stored in the keyring" in again.password.placeholderText())
    again.test.click()  # with the stored password
    qtbot.waitUntil(again.test.isEnabled, timeout=20_000)
    assert "The server answers." in again.answer.text()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "Enter the address"),
        ("http://vigilance.example.com", "must begin with https://"),
        ("https://me:secret@host", "cannot be used"),
        ("a b", "must begin with https://"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(world: World, qtbot, url: str, words: str) -> None:
    dialog = opened(world, qtbot)
    fill(dialog, url)
    dialog.save.click()
    assert words in dialog.trouble.text()
    assert dialog.isVisible()
    assert not world.model.current.sources.vigilancex.enabled


def test_a_refusal_and_a_dead_server_are_told(world: World, qtbot, server: VigilanceX, free_port: int) -> None:
    dialog = opened(world, qtbot)
    fill(dialog, server.url, password="wrong")
    dialog.test.click()
    qtbot.waitUntil(dialog.test.isEnabled, timeout=20_000)
    assert "does not accept the account vxtray" in dialog.trouble.text()
    fill(dialog, f"http://127.0.0.1:{free_port}")
    dialog.test.click()
    qtbot.waitUntil(dialog.test.isEnabled, timeout=20_000)
    assert "cannot be reached" in dialog.trouble.text()


def test_a_full_disk_is_told_and_the_dialog_stays(world: World, qtbot, server: VigilanceX) -> None:
    dialog = opened(world, qtbot)
    fill(dialog, server.url)
    with no_room():
        dialog.save.click()
        qtbot.waitUntil(dialog.trouble.isVisible, timeout=20_000)
    assert dialog.isVisible()
    assert not world.model.current.sources.vigilancex.enabled


def test_the_tables_have_a_database_and_no_notices(world: World, qtbot) -> None:
    dialog = opened(world, qtbot, "clickhouse")
    fill(dialog, "https://127.0.0.1:8443")
    assert not any(box.isVisible() for box in dialog.notices.values())
    with qtbot.waitSignal(dialog.accepted, timeout=20_000):
        dialog.save.click()
    saved = world.model.current.sources.clickhouse
    assert (saved.enabled, saved.url, saved.database) == (True, "https://127.0.0.1:8443", "vigilance_x")


def test_what_would_be_taken_over_is_shown_first(world: World, qtbot, server: VigilanceX) -> None:
    server.said["/notifications/settings"] = SAID
    world.model.update({"sources.vigilancex.url": server.url, "sources.vigilancex.username": USER})
    world.model.update({"alerts.waf_detected": True})  # the same there
    world.credentials.set(account(server.url), Secret(PASSWORD))
    dialog = TakeOverDialog(world.context)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(dialog.apply.isEnabled, timeout=20_000)
    told = "\n".join(label.text() for label in dialog.findChildren(PlainLabel))
    assert "Day of the weekly report\nSunday" in told  # as its page calls it, and no key of the file
    assert "Recipients of the reports\nboss@example.com, soc@example.com" in told
    assert "reports." not in told
    assert "s3cr3t" not in told
    assert world.model.current.smtp.host == ""
    with qtbot.waitSignal(dialog.accepted, timeout=20_000):
        dialog.apply.click()
    assert world.model.current.smtp.host == "smtp.office365.com"
    assert world.password("alerts@example.com", "smtp.office365.com") == "s3cr3t-of-smtp"
    again = TakeOverDialog(world.context)
    qtbot.addWidget(again)
    again.show()
    qtbot.waitUntil(lambda: "password" in again.says.text().lower() or "differ" in again.says.text(), timeout=20_000)


def test_a_server_without_licence_leaves_everything_as_it_is(world: World, qtbot, server: VigilanceX) -> None:
    server.licensed = False
    server.paths_with_licence.add("/notifications/settings")
    world.model.update({"sources.vigilancex.url": server.url, "sources.vigilancex.username": USER})
    world.credentials.set(account(server.url), Secret(PASSWORD))
    dialog = TakeOverDialog(world.context)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(dialog.trouble.isVisible, timeout=20_000)
    assert "no licence" in dialog.trouble.text()
    assert not dialog.apply.isEnabled()


@pytest.mark.parametrize("which", ["vigilancex", "clickhouse"])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_nothing_is_cut_off(world: World, qtbot, which: str, language: str) -> None:
    texts.use(language)
    dialog = opened(world, qtbot, which)
    dialog.resize(dialog.minimumWidth(), dialog.height())
    settle()
    assert clipped(dialog) == []


def test_whatever_is_taken_over_has_a_title() -> None:
    ours = {*vigilancex_takeover.read(SAID).changes, "smtp.security"}
    assert ours <= set(TITLES)
    assert len(TITLES) == len(set(TITLES.values()))


# --- the card ---------------------------------------------------------------------------------------------------------


def server_at(world: World, url: str, **more: object) -> None:
    values = {"url": url, "username": USER, "poll_seconds": 5, "enabled": True} | more
    world.model.update({f"sources.vigilancex.{key}": value for key, value in values.items()})


def test_a_server_that_is_not_set_up_cannot_be_switched_on(
    world: World, open_window: Callable[..., MainWindow]
) -> None:
    world.model.update({"sources.syslog.enabled": True})
    card = open_window("sources").sources.servers
    assert card.isVisible()
    for which, row in card.rows.items():
        assert not row.toggle.isEnabled()
        assert "Set it up first." in row.toggle.accessibleDescription()
        assert not card.states[which].isVisible()
    server_at(world, "https://vigilance.example.com", enabled=False)
    assert card.rows["vigilancex"].toggle.isEnabled()
    assert not card.rows["clickhouse"].toggle.isEnabled()
    assert not card.states["vigilancex"].isVisible()


@pytest.mark.expected_log(r"WARNING vxtray\.core\.troubles: source:vigilancex: No password is stored")
def test_the_card_says_how_the_server_stands(
    world: World, open_window: Callable[..., MainWindow], qtbot, server: VigilanceX
) -> None:
    server_at(world, server.url)
    window = open_window("sources")
    page, state = window.sources, window.sources.servers.states["vigilancex"]

    def shows(word: str) -> bool:
        page.refresh()
        return word in state.pill.text()

    world.start()  # without its password
    qtbot.waitUntil(lambda: shows("Needs a look"), timeout=20_000)
    assert "No password is stored for vxtray" in state.trouble.text()
    assert state.trouble.isVisible()
    world.credentials.set(account(server.url), Secret(PASSWORD))
    server_at(world, server.url, poll_seconds=6)  # a source that is set anew asks at once
    qtbot.waitUntil(lambda: shows("Waiting"), timeout=20_000)
    assert "Waiting" in state.figures.text()
    server.event(datetime.now(UTC) - timedelta(minutes=1))
    server_at(world, server.url, poll_seconds=7)
    qtbot.waitUntil(lambda: shows("Heard"), timeout=30_000)
    assert "1 event" in state.figures.text()
    assert page.heading.title() == "1 of 1 source heard"
    page.servers.take_over.click()
    assert isinstance(page.servers.dialog, TakeOverDialog)
    page.servers.dialog.reject()
    page.servers.rows["vigilancex"].toggle.click()
    assert not world.model.current.sources.vigilancex.enabled
    assert not state.isVisible()


def test_both_at_once_are_warned_of(world: World, open_window: Callable[..., MainWindow]) -> None:
    server_at(world, "https://vigilance.example.com")
    world.model.update({"sources.clickhouse.url": "https://clickhouse.example.com", "sources.clickhouse.enabled": True})
    card = open_window("sources").sources.servers
    assert "counts twice" in card.rows["clickhouse"].trouble()
    world.model.update({"sources.vigilancex.enabled": False})
    assert card.rows["clickhouse"].trouble() == ""


@pytest.mark.parametrize("language", ["en", "fr"])
def test_nothing_of_the_card_is_cut_off(world: World, open_window: Callable[..., MainWindow], language: str) -> None:
    texts.use(language)
    server_at(world, f"https://{'long-' * 20}name.example.com")
    world.model.update({"sources.clickhouse.url": "https://clickhouse.example.com", "sources.clickhouse.enabled": True})
    window = open_window("sources")
    for width in (640, 1080, 640):
        window.resize(width, 720)
        settle()
        assert clipped(window) == [], width
        assert not sideways(window), width


def test_the_overview_calls_servers_by_their_titles(world: World, open_window: Callable[..., MainWindow]) -> None:
    server_at(world, "https://vigilance.example.com")
    world.model.update({"smtp.host": "mail.example.com", "smtp.from_address": "a@example.com",
                        "smtp.recipients": ("b@example.com",)})  # fmt: skip
    window = open_window("overview")
    assert "VIGILANCE X server" in [label.text() for label in window.findChildren(PlainLabel) if label.isVisible()]
