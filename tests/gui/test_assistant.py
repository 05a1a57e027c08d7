"""The first-run assistant: what each step saves, how it is left and resumed, and that it never nags."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget

from tests.gui.support.sign_in import kept, values
from tests.gui.support.world import World
from tests.gui.test_pages import clipped, settle, sideways
from tests.peers.mailbox import PASSWORD, USER, Mailbox
from tests.peers.nameserver import NameServer
from tests.peers.oauth_mail import OAuthMail
from vxtray.core import texts
from vxtray.core.settings.tree import Auth, Security
from vxtray.gui.assistant.frame import Assistant
from vxtray.gui.assistant.memory import Memory
from vxtray.gui.theme import theme

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

#: What a step works on may wait for a thread of a busy machine.
PATIENCE = 20_000
KEYS = ["account", "recipients", "origins", "choices", "proof", "ending"]


@pytest.fixture
def make(world: World, qtbot, tmp_path: Path) -> Callable[..., Assistant]:
    """Return a function that shows the assistant at the step that is remembered."""

    def made(*, in_tray: bool = True, width: int = 1080) -> Assistant:
        assistant = Assistant(world.context, lambda: in_tray, root=tmp_path / "machine")
        qtbot.addWidget(assistant)
        assistant.resize(width, 700)
        with qtbot.waitExposed(assistant):
            assistant.show()
        assistant.activateWindow()
        qtbot.waitUntil(assistant.isActiveWindow)
        assistant.begin()
        return assistant

    return made


def press(key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    """Press a key where the keyboard is."""
    focus = QApplication.focusWidget()
    assert focus is not None
    QTest.keyClick(focus, key, modifier)


def type_text(text: str) -> None:
    focus = QApplication.focusWidget()
    assert isinstance(focus, QLineEdit)
    focus.selectAll()
    QTest.keyClicks(focus, text)


def configured(world: World, box: Mailbox, **more: object) -> None:
    """Save what leads to the mailbox."""
    world.model.update(
        {
            "smtp.host": box.host,
            "smtp.port": box.port,
            "smtp.username": box.user,
            "smtp.from_address": box.user,
            "smtp.ca_file": str(box.ca_file),
            "smtp.timeout_seconds": 5,
            **{key.replace("__", "."): value for key, value in more.items()},
        }
    )
    world.keep_password(box.user, box.host, box.password)


# --- when it shows ---------------------------------------------------------------------------------------------------


def test_it_is_due_until_it_was_left_or_something_is_set_up(world: World, smtp_catcher: Mailbox) -> None:
    memory = Memory(world.engine)
    assert memory.due
    memory.at("origins")
    assert (Memory(world.engine).due, Memory(world.engine).step) == (True, "origins")  # the program ended amid it
    memory.left("origins")
    again = Memory(world.engine)
    assert (again.due, again.begun, again.step) == (False, True, "origins")
    again.done()
    assert (Memory(world.engine).due, Memory(world.engine).step) == (False, "")


def test_it_is_not_due_where_mail_is_set_up_already(world: World, smtp_catcher: Mailbox) -> None:
    configured(world, smtp_catcher, smtp__recipients=("boss@example.com",))
    assert not Memory(world.engine).due


def test_the_window_shows_it_in_place_of_the_pages_and_goes_back(open_window, world: World, qtbot) -> None:
    window = open_window()
    window.welcome()
    assert window.assistant is not None
    assert window.assistant.isVisible()
    assert not window.sidebar.isVisible()
    press(Qt.Key.Key_Escape)
    assert window.sidebar.isVisible()
    assert window.overview.isVisible()
    window.welcome()  # sent away, it stays away
    assert not window.assistant.isVisible()
    window.go_to("assistant")
    assert window.assistant.isVisible()
    QTest.keyClick(window, Qt.Key.Key_5, Qt.KeyboardModifier.ControlModifier)
    assert window.sources.isVisible()
    assert not Memory(world.engine).due


def test_closing_the_window_sends_it_away(open_window, world: World) -> None:
    window = open_window(in_tray=True)
    window.welcome()
    window.close()
    assert not Memory(world.engine).due
    window.raise_window()
    assert window.overview.isVisible()


# --- the keyboard ----------------------------------------------------------------------------------------------------


def test_each_step_names_its_place_and_leads_to_its_first_field(world: World, make, qtbot) -> None:
    assistant = make(width=640)
    for number, key in enumerate(KEYS, 1):
        assistant.show_step(key)
        assert f"Step {number} of 6 · {assistant.step.name}" == assistant._where.text()
        qtbot.waitUntil(
            lambda: (assistant.step.first_field() or assistant.next).hasFocus() or assistant.step is assistant.origins
        )


def test_esc_keeps_what_is_set_and_the_next_time_goes_on_there(world: World, make, qtbot) -> None:
    world.model.update({"smtp.host": "mail.example.com", "smtp.from_address": "soc@example.com"})
    assistant = make()
    assistant.show_step("recipients")
    type_text("boss@example.com")
    press(Qt.Key.Key_Return)
    assert assistant.step is assistant.origins
    assert world.saved("smtp.recipients") == ("boss@example.com",)
    with qtbot.waitSignal(assistant.left):
        QTest.keyClick(assistant, Qt.Key.Key_Escape)
    assistant.close()
    again = make()
    assert again.step is again.origins


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_button_has_a_key_of_its_own_at_each_step(make, language: str) -> None:
    texts.use(language)
    assistant = make()
    for key in KEYS:
        assistant.show_step(key)
        marked = [
            one.text()
            for one in assistant.findChildren(QWidget)
            if one.isVisible() and hasattr(one, "text") and "&" in one.text()
        ]
        marks = [text[text.index("&") + 1].lower() for text in marked]
        assert len(marks) == len(set(marks)), (key, marked)


def test_nothing_is_saved_by_only_looking_through_all_steps(world: World, make) -> None:
    assistant = make()
    for _step in range(5):
        assistant.skip.click()
    assert assistant.step is assistant.ending
    assert not world.profile.settings_file.exists()
    assert assistant.step.heading.title() == "Not ready yet"
    assistant.back.click()
    assert assistant.step is assistant.proof


# --- step 1 ----------------------------------------------------------------------------------------------------------

ADDRESS = "soc@firma.invalid"


@pytest.fixture
def found(nameserver: NameServer, smtp_catcher: Mailbox, world: World) -> Mailbox:
    """Have the domain of the address lead to the test's mail server."""
    nameserver.records = {"_submission._tcp.firma.invalid SRV": [f"0 1 {smtp_catcher.port} localhost."]}
    world.model.update({"smtp.ca_file": str(smtp_catcher.ca_file)})
    return smtp_catcher


def search(assistant: Assistant, qtbot) -> None:
    """Type the address and wait until the password is asked for; the test's server knows one user name only."""
    type_text(ADDRESS)
    press(Qt.Key.Key_Return)
    qtbot.waitUntil(assistant.account.password.hasFocus, timeout=PATIENCE)
    assert assistant.account.username.text() == ADDRESS
    assistant.account.username.setText(USER)


def test_from_an_address_to_a_sign_in_that_works_by_keyboard(world: World, make, found: Mailbox, qtbot, saves) -> None:
    assistant = make()
    before = saves.count()
    search(assistant, qtbot)
    assert saves.count() == before  # nothing is saved by finding
    type_text(PASSWORD)
    with qtbot.waitSignal(assistant.account.passed, timeout=PATIENCE):
        press(Qt.Key.Key_Return)
    assert assistant.step is assistant.recipients
    assert saves.count() == before + 1
    assert (world.saved("smtp.host"), world.saved("smtp.port")) == ("localhost", found.port)
    assert (world.saved("smtp.security"), world.saved("smtp.username")) == (Security.STARTTLS, USER)
    assert world.saved("smtp.from_address") == ADDRESS
    assert world.password(USER, "localhost") == PASSWORD
    assert not world.engine.settings.ready
    assert not found.mails
    assert assistant.recipients.lines[0].field.text() == ADDRESS


def test_a_wrong_password_is_told_and_nothing_is_saved(world: World, make, found: Mailbox, qtbot) -> None:
    assistant = make()
    search(assistant, qtbot)
    press(Qt.Key.Key_Return)
    assert assistant.account.trouble.text() == "Enter the password of this account."
    type_text("wrong")
    with qtbot.waitSignal(assistant.account.checking.ended, timeout=PATIENCE) as ended:
        press(Qt.Key.Key_Return)
    assert ended.args == [False]
    assert "✗" in assistant.account.checking.view.text()
    assert world.saved("smtp.host") == ""
    assert world.password(USER, "localhost") is None
    assert assistant.step is assistant.account
    assert assistant.account.password.hasFocus()
    type_text(PASSWORD)
    with qtbot.waitSignal(assistant.account.passed, timeout=PATIENCE):
        press(Qt.Key.Key_Return)
    assert world.password(USER, "localhost") == PASSWORD


def test_what_failed_can_be_kept_all_the_same(world: World, make, found: Mailbox, qtbot) -> None:
    assistant = make()
    search(assistant, qtbot)
    type_text("not yet valid")
    with qtbot.waitSignal(assistant.account.checking.ended, timeout=PATIENCE):
        press(Qt.Key.Key_Return)
    with qtbot.waitSignal(assistant.account.passed, timeout=PATIENCE):
        assistant.account.keep.click()
    assert world.saved("smtp.host") == "localhost"
    assert world.password(USER, "localhost") == "not yet valid"


def test_an_address_that_is_none_is_told(make) -> None:
    assistant = make()
    type_text("nobody")
    press(Qt.Key.Key_Return)
    assert "name@example.com" in assistant.account.trouble.text()
    assert assistant.step is assistant.account


def test_leaving_amid_the_check_stops_it(world: World, make, found: Mailbox, qtbot) -> None:
    assistant = make()
    search(assistant, qtbot)
    type_text(PASSWORD)
    press(Qt.Key.Key_Return)
    assert assistant.next.text() == "&Stop"
    QTest.keyClick(assistant, Qt.Key.Key_Escape)
    done: list[bool] = []
    for _lane in range(2):
        world.bridge.run(lambda: True, done.append, lambda _error: None, owner=world.bridge)
    qtbot.waitUntil(lambda: len(done) == 2, timeout=PATIENCE)
    assert world.saved("smtp.host") == ""
    assert not assistant.account.busy


def test_what_is_saved_already_is_not_asked_again(world: World, make, smtp_catcher: Mailbox) -> None:
    configured(world, smtp_catcher)
    assistant = make()
    assert assistant.account.finder.address.text() == USER
    assistant.next.click()
    assert assistant.step is assistant.recipients


def test_microsoft_asks_for_the_browser_and_a_password_stays_possible(make, qtbot) -> None:
    assistant = make()
    assistant.account.finder.address.setText("soc@contoso.com")
    assistant.account.finder.chosen.emit(
        {
            "host": "smtp.office365.com",
            "port": 587,
            "security": Security.STARTTLS,
            "username": "soc@contoso.com",
            "from_address": "soc@contoso.com",
        }
    )
    account = assistant.account
    assert account.browser.isVisible()
    assert account.browser.fields.client_id.isVisible()
    assert not account.password.isVisible()
    assert account.browser.panel.sign_in.text() == "Sign in with Microsoft…"
    account.browser.panel.sign_in.click()
    qtbot.waitUntil(lambda: "client id" in account.browser.panel.words.text(), timeout=PATIENCE)
    assert account.browser.fields.client_id.hasFocus()
    account.other_way.click()
    assert account.password.isVisible()
    assert not account.browser.isVisible()


def test_a_sign_in_by_browser_is_checked_and_kept(
    world: World, make, oauth_mail: OAuthMail, as_browser: str, qtbot
) -> None:
    world.model.update(values(oauth_mail.settings()) | {"smtp.recipients": ()})
    assistant = make()
    assert assistant.account.browser.isVisible()
    with qtbot.waitSignal(assistant.account.passed, timeout=PATIENCE):
        assistant.next.click()
    assert oauth_mail.provider.is_alive(kept(world)["oauth-token"])
    assert world.saved("smtp.auth") is Auth.OAUTH
    assert assistant.step is assistant.recipients
    assistant.back.click()
    assistant.next.click()  # signed in already
    assert assistant.step is assistant.recipients


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("size", [13, 26])
def test_nothing_is_cut_in_the_narrowest_window(
    world: World, make, system_font, language: str, size: int, qtbot
) -> None:
    texts.use(language)
    font = QFont()
    font.setPixelSize(size)
    system_font(font)
    assistant = make(width=theme().px(640))
    for key in KEYS:
        assistant.show_step(key)
        settle()
        qtbot.waitUntil(lambda: not clipped(assistant))
        assert not sideways(assistant), key


# --- step 2 ----------------------------------------------------------------------------------------------------------


def test_recipients_are_one_change_and_a_wrong_one_is_named(world: World, make, saves) -> None:
    assistant = make()
    assistant.show_step("recipients")
    step, before = assistant.recipients, saves.count()
    type_text("boss@example.com, soc@example.com")
    step.more.click()
    type_text("not an address")
    press(Qt.Key.Key_Return)
    assert "“not an address”" in step.trouble.text()
    assert step.lines[1].field.hasFocus()
    assert saves.count() == before
    type_text("boss@example.com")
    press(Qt.Key.Key_Return)
    assert world.saved("smtp.recipients") == ("boss@example.com", "soc@example.com")
    assert saves.count() == before + 1
    assistant.back.click()
    assert [line.field.text() for line in step.lines] == ["boss@example.com", "soc@example.com"]
    step.lines[0].remove.click()
    press(Qt.Key.Key_Return)
    assert world.saved("smtp.recipients") == ("soc@example.com",)


# --- step 4 and 6 ----------------------------------------------------------------------------------------------------


def test_switches_save_at_once_and_the_time_with_them(world: World, make, qtbot) -> None:
    assistant = make()
    assistant.show_step("choices")
    press(Qt.Key.Key_Space)
    assert world.saved("reports.daily.enabled") is True
    assert "Next:" in assistant.choices.reports["daily"].toggle.accessibleDescription()
    press(Qt.Key.Key_Tab)
    focus = QApplication.focusWidget()
    assert focus is not None
    assert focus.accessibleName() == "Time of the daily report"
    QTest.keyClicks(focus, "0715")
    assistant.next.click()
    assert world.saved("reports.daily.time") == "07:15"
    assert assistant.step is assistant.proof


def test_the_end_says_what_is_set_and_binds_the_start_with_the_session(
    world: World, make, smtp_catcher: Mailbox, qtbot
) -> None:
    configured(world, smtp_catcher, smtp__recipients=("boss@example.com",))
    assistant = make()
    assistant.show_step("ending")
    said = assistant.ending.lines["recipients"].accessibleName()
    assert said == "Recipients: boss@example.com"
    assert assistant.ending.lines["origins"].accessibleName() == "Events: Not set yet"
    press(Qt.Key.Key_Space)
    assert world.saved("general.autostart") is True
    with qtbot.waitSignal(assistant.finished):
        assistant.next.click()
    assert not Memory(world.engine).begun


def test_finishing_hides_into_the_tray_or_shows_the_overview(open_window, world: World) -> None:
    for in_tray in (True, False):
        window = open_window(in_tray=in_tray)
        window.go_to("assistant")
        assert window.assistant is not None
        window.assistant.show_step("ending")
        window.assistant.next.click()
        assert window.isVisible() is not in_tray
        if not in_tray:
            assert window.overview.isVisible()
        assert world.quits == 0
