"""Signing in from the mail server's dialog: with a real provider on loopback, a browser, and what can come between."""

import http.client
import urllib.parse

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from tests.gui.support.sign_in import IDLE_BROWSER, files_of, kept, reaches, type_in, values
from tests.gui.support.smtp import SAVED, settled
from tests.gui.support.world import World, no_room
from tests.gui.test_pages import clipped, settle, sideways
from tests.peers.oauth_mail import OAuthMail
from tests.peers.oauth_server import ACCOUNT, CLIENT_ID
from vxtray.core import texts
from vxtray.core.settings.tree import Auth, Security
from vxtray.gui import sign_in_attempt
from vxtray.gui.sign_in import Step
from vxtray.gui.smtp_dialog import SmtpDialog
from vxtray.gui.widgets import Button

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

OTHER = "ada@example.com"


@pytest.fixture
def dialog(world: World, qtbot) -> SmtpDialog:
    made = SmtpDialog(world.context)
    qtbot.addWidget(made)
    return made


def opened(world: World, dialog: SmtpDialog, mail: OAuthMail) -> SmtpDialog:
    """Open the dialog over a profile with a password, and type the provider of the test."""
    world.model.update(SAVED)
    dialog.open()
    type_in(dialog.form, mail.settings())
    return dialog


def sign_in(dialog: SmtpDialog, qtbot, *steps: Step) -> None:
    panel = dialog.sign_in.panel
    qtbot.mouseClick(panel.sign_in, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(reaches(panel, *(steps or (Step.DONE,))), timeout=20_000)


# --- the way through -------------------------------------------------------------------------------------------------


def test_signing_in_and_saving_sends_mail(
    world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, as_browser, qtbot
) -> None:
    opened(world, dialog, oauth_mail)
    panel = dialog.sign_in.panel
    assert "Not signed in yet" in panel.words.text()
    sign_in(dialog, qtbot)
    assert panel.words.text() == f"Signed in as {ACCOUNT}."
    assert not kept(world), "nothing is stored before Save"
    dialog.save.click()
    qtbot.waitUntil(lambda: not dialog.isVisible(), timeout=20_000)
    assert oauth_mail.provider.is_alive(kept(world)["oauth-token"])
    assert world.saved("smtp.auth") is Auth.OAUTH
    assert world.saved("smtp.oauth.client_id") == CLIENT_ID
    dialog.open()
    assert dialog.form.provider() == "custom"
    assert panel.words.text() == f"Signed in as {ACCOUNT}."
    assert panel.sign_in.text() == "Sign in again…"
    qtbot.mouseClick(dialog.send_test, Qt.MouseButton.LeftButton)
    oauth_mail.box.wait(1)
    qtbot.waitUntil(lambda: settled(dialog), timeout=20_000)
    assert "took the mail" in dialog.doctor.text()
    secret = kept(world)["oauth-token"].encode()
    assert secret not in files_of(world.profile.config) + files_of(world.profile.state)


def test_the_tests_use_the_sign_in_that_is_not_saved_yet(
    world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, as_browser, qtbot
) -> None:
    opened(world, dialog, oauth_mail)
    sign_in(dialog, qtbot)
    qtbot.mouseClick(dialog.send_test, Qt.MouseButton.LeftButton)
    oauth_mail.box.wait(1)
    qtbot.waitUntil(lambda: settled(dialog), timeout=20_000)
    qtbot.mouseClick(dialog.test, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: settled(dialog), timeout=20_000)
    assert "✗" not in dialog.doctor.text()
    assert oauth_mail.accepted() == 2
    dialog.cancel.click()
    assert not kept(world)
    assert world.saved("smtp.auth") is Auth.AUTO
    assert oauth_mail.provider.refreshes() == 0


def test_cancelling_the_dialog_forgets_the_sign_in(
    world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, as_browser, qtbot
) -> None:
    opened(world, dialog, oauth_mail)
    sign_in(dialog, qtbot)
    dialog.reject()
    dialog.open()
    type_in(dialog.form, oauth_mail.settings())
    assert dialog.sign_in.panel.step is Step.IDLE
    dialog.save.click()
    assert not dialog.isVisible()
    assert not kept(world)


def test_a_device_code_is_shown_until_it_was_entered(
    world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, qtbot
) -> None:
    opened(world, dialog, oauth_mail)
    panel = dialog.sign_in.panel
    qtbot.mouseClick(panel.by_code, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(reaches(panel, Step.CODE), timeout=20_000)
    assert panel.code.isVisible()
    assert panel.url.text().startswith("http://127.0.0.1")
    oauth_mail.provider.type_code(panel.code.text())
    qtbot.waitUntil(reaches(panel, Step.DONE), timeout=20_000)
    assert not panel.code.isVisible()
    assert panel.grant_for(dialog.form.typed()) is not None


def test_by_keyboard_alone(world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, as_browser, qtbot) -> None:
    world.model.update(values(oauth_mail.settings()))
    with qtbot.waitExposed(dialog):
        dialog.open()
    dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow)
    panel = dialog.sign_in.panel
    for _step in range(30):
        if (focus := QApplication.focusWidget()) is panel.sign_in:
            break
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is panel.sign_in
    qtbot.keyClick(panel.sign_in, Qt.Key.Key_Return)
    qtbot.waitUntil(reaches(panel, Step.DONE), timeout=20_000)
    assert dialog.isVisible(), "Enter signs in, and does not save"
    assert QApplication.focusWidget() is panel.sign_in, "the focus is not lost with the button that it was on"


# --- who signed in ---------------------------------------------------------------------------------------------------


def test_another_account_is_asked_about_and_can_be_taken(
    world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, as_browser, qtbot
) -> None:
    opened(world, dialog, oauth_mail)
    oauth_mail.provider.account = OTHER
    panel = dialog.sign_in.panel
    sign_in(dialog, qtbot, Step.DECIDING)
    assert OTHER in panel.words.text()
    assert ACCOUNT in panel.words.text()
    assert panel.grant_for(dialog.form.typed()) is None
    assert not kept(world)
    qtbot.mouseClick(panel.take, Qt.MouseButton.LeftButton)
    assert dialog.form.username.text() == OTHER
    assert dialog.form.from_address.text() == ACCOUNT, "the sender stays: it may be a shared mailbox"
    assert "needs the right to send as" in dialog.form._shared.text()
    dialog.save.click()
    qtbot.waitUntil(lambda: not dialog.isVisible(), timeout=20_000)
    assert world.saved("smtp.username") == OTHER
    assert world.engine.tokens.health(world.model.current.smtp).signed_in_as == OTHER


def test_another_account_may_sign_in_again_as_the_right_one(
    world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, as_browser, qtbot
) -> None:
    opened(world, dialog, oauth_mail)
    oauth_mail.provider.account = OTHER
    panel = dialog.sign_in.panel
    sign_in(dialog, qtbot, Step.DECIDING)
    oauth_mail.provider.account = ACCOUNT
    qtbot.mouseClick(panel.again, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(reaches(panel, Step.DONE), timeout=20_000)
    assert dialog.form.username.text() == ACCOUNT


def test_an_undecided_sign_in_is_not_saved(
    world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, as_browser, qtbot
) -> None:
    opened(world, dialog, oauth_mail)
    oauth_mail.provider.account = OTHER
    sign_in(dialog, qtbot, Step.DECIDING)
    dialog.save.click()
    assert not dialog.isVisible()
    assert not kept(world)
    assert world.saved("smtp.username") == ACCOUNT


def test_an_empty_user_name_takes_who_signed_in(
    world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, as_browser, qtbot
) -> None:
    opened(world, dialog, oauth_mail)
    dialog.form.username.clear()
    sign_in(dialog, qtbot)
    assert dialog.form.username.text() == ACCOUNT


# --- what can come between -------------------------------------------------------------------------------------------


def test_the_address_can_be_copied_while_it_waits_and_cancel_ends_the_wait(
    world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, monkeypatch, qtbot
) -> None:
    monkeypatch.setenv("BROWSER", IDLE_BROWSER)
    opened(world, dialog, oauth_mail)
    panel = dialog.sign_in.panel
    qtbot.mouseClick(panel.sign_in, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(panel.url.text()), timeout=20_000)
    assert panel.words.text() == "Waiting for the browser…"
    assert panel.url.text().startswith(f"{oauth_mail.provider.url}/authorize?")
    qtbot.mouseClick(panel.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == panel.url.text()
    redirect = urllib.parse.urlsplit(
        urllib.parse.parse_qs(urllib.parse.urlsplit(panel.url.text()).query)["redirect_uri"][0]
    )
    assert dialog.isVisible()
    qtbot.mouseClick(panel.cancel, Qt.MouseButton.LeftButton)
    assert panel.step is Step.IDLE
    assert not panel.url.isVisible()

    def listens() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", redirect.port or 0, timeout=5)
        try:
            connection.connect()
        except OSError:
            return False
        finally:
            connection.close()
        return True

    qtbot.waitUntil(lambda: not listens(), timeout=20_000)


def test_the_time_limit_is_told(world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, monkeypatch, qtbot) -> None:
    monkeypatch.setenv("BROWSER", IDLE_BROWSER)
    monkeypatch.setattr(sign_in_attempt, "LIMIT_SECONDS", 0.2)
    opened(world, dialog, oauth_mail)
    sign_in(dialog, qtbot, Step.FAILED)
    assert dialog.sign_in.panel.words.text()
    assert dialog.sign_in.panel.sign_in.isVisible()


@pytest.mark.parametrize("key", ["client_id", "token_url"])
def test_another_registration_ends_what_waits(
    world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, monkeypatch, qtbot, key: str
) -> None:
    monkeypatch.setenv("BROWSER", IDLE_BROWSER)
    opened(world, dialog, oauth_mail)
    panel = dialog.sign_in.panel
    qtbot.mouseClick(panel.sign_in, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(panel.url.text()), timeout=20_000)
    dialog.form.port.setValue(26)
    dialog.form.account_changed.emit()
    assert panel.step is Step.WAITING, "another port changes nothing about who signs in"
    field = getattr(dialog.form.oauth, key)
    field.setText(field.text() + "x")
    field.editingFinished.emit()
    assert panel.step is Step.IDLE


def test_a_sign_in_of_other_values_is_not_saved_with_these(
    world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, as_browser, qtbot
) -> None:
    opened(world, dialog, oauth_mail)
    sign_in(dialog, qtbot)
    dialog.form.username.setText(OTHER)  # and Save at once, without leaving the field
    dialog.save.click()
    assert not dialog.isVisible()
    assert not kept(world)
    assert world.saved("smtp.username") == OTHER


def test_a_refusal_is_told_and_can_be_tried_again(
    world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, as_browser, qtbot
) -> None:
    opened(world, dialog, oauth_mail)
    oauth_mail.provider.deny = "access_denied"
    panel = dialog.sign_in.panel
    sign_in(dialog, qtbot, Step.FAILED)
    assert panel.words.text()
    assert panel.detail.text()
    oauth_mail.provider.deny = ""
    sign_in(dialog, qtbot)
    assert panel.words.text() == f"Signed in as {ACCOUNT}."


def test_what_an_administrator_must_do_can_be_copied_for_them(
    world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, as_browser, qtbot
) -> None:
    opened(world, dialog, oauth_mail)
    oauth_mail.provider.token_faults.append("unauthorized_client")
    sign_in(dialog, qtbot, Step.FAILED)
    panel = dialog.sign_in.panel
    assert panel.note.isVisible()
    panel.note.click()
    assert "127.0.0.1" in QGuiApplication.clipboard().text()
    assert panel.words.text() in QGuiApplication.clipboard().text()


def test_what_is_missing_leads_to_its_field(world: World, dialog: SmtpDialog, qtbot) -> None:
    world.model.update(SAVED)
    with qtbot.waitExposed(dialog):
        dialog.open()
    dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow)
    dialog.form.switch_to("google")
    qtbot.mouseClick(dialog.sign_in.panel.sign_in, Qt.MouseButton.LeftButton)
    assert "Client ID" in dialog.message.text()
    assert QApplication.focusWidget() is dialog.form.oauth.client_id


def test_a_failed_test_leads_back_to_the_sign_in(
    world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, as_browser, qtbot
) -> None:
    opened(world, dialog, oauth_mail)
    sign_in(dialog, qtbot)
    dialog.save.click()
    qtbot.waitUntil(lambda: not dialog.isVisible(), timeout=20_000)
    oauth_mail.provider.revoke_everything()
    world.engine.tokens.forget_access_tokens()
    dialog.open()
    qtbot.mouseClick(dialog.test, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: settled(dialog), timeout=20_000)
    assert "has ended" in dialog.doctor.text()
    link = next(one for one in dialog.doctor.findChildren(Button) if one.text() == "Sign in again…")
    link.click()
    qtbot.waitUntil(reaches(dialog.sign_in.panel, Step.DONE), timeout=20_000)
    qtbot.mouseClick(dialog.test, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: settled(dialog), timeout=20_000)
    assert "✗" not in dialog.doctor.text()


# --- saving ----------------------------------------------------------------------------------------------------------


def test_saving_without_a_sign_in_is_allowed_and_told(
    world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, qtbot
) -> None:
    opened(world, dialog, oauth_mail)
    dialog.save.click()
    assert not dialog.isVisible()
    assert world.saved("smtp.auth") is Auth.OAUTH
    assert not kept(world)
    dialog.open()
    assert dialog.sign_in.panel.words.text() == "Not signed in yet."


@pytest.mark.expected_log("what is known of the sign-in cannot be saved")
def test_a_full_disk_keeps_the_sign_in_for_the_next_save(
    world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, as_browser, qtbot
) -> None:
    opened(world, dialog, oauth_mail)
    world.profile.state.mkdir(parents=True, exist_ok=True)
    sign_in(dialog, qtbot)
    with no_room():
        dialog.save.click()
        qtbot.waitUntil(lambda: settled(dialog), timeout=20_000)
    assert dialog.isVisible()
    assert world.saved("smtp.auth") is Auth.AUTO
    with qtbot.waitSignal(dialog.accepted, timeout=20_000):
        dialog.save.click()
    assert oauth_mail.provider.is_alive(kept(world)["oauth-token"])
    assert world.saved("smtp.auth") is Auth.OAUTH


def test_a_client_secret_goes_into_the_keyring_and_is_forgotten_on_demand(
    world: World, dialog: SmtpDialog, oauth_mail: OAuthMail, as_browser, qtbot
) -> None:
    oauth_mail.provider.client_secret = "of the registration"
    opened(world, dialog, oauth_mail)
    field, forget = dialog.form.oauth.client_secret, dialog.form.oauth.forget_secret
    qtbot.keyClicks(field, "of the registration")
    sign_in(dialog, qtbot)
    dialog.save.click()
    qtbot.waitUntil(lambda: not dialog.isVisible(), timeout=20_000)
    assert kept(world)["oauth-client-secret"] == "of the registration"
    assert b"of the registration" not in files_of(world.profile.config)
    dialog.open()
    assert field.text() == ""
    qtbot.waitUntil(forget.isEnabled)
    assert "Stored in the keyring" in field.placeholderText()
    sign_in(dialog, qtbot)  # with the stored secret
    qtbot.mouseClick(forget, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "oauth-client-secret" not in kept(world))


# --- the form --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "provider", "server"),
    [
        ("", "microsoft", ("smtp.office365.com", 587, Security.STARTTLS)),
        ("smtp.office365.com", "google", ("smtp.gmail.com", 465, Security.TLS)),
        ("smtp.gmail.com", "outlook", ("smtp-mail.outlook.com", 587, Security.STARTTLS)),
        ("relay.example.com", "microsoft", ("relay.example.com", 2525, Security.TLS)),
        ("smtp.office365.com", "custom", ("smtp.office365.com", 2525, Security.TLS)),
    ],
)
def test_a_provider_brings_its_server_unless_another_stands_there(
    world: World, dialog: SmtpDialog, before: str, provider: str, server: tuple[str, int, Security]
) -> None:
    world.model.update(SAVED | {"smtp.host": before})
    dialog.open()
    dialog.form.switch_to(provider)
    typed = dialog.form.typed(checked=False)
    assert (typed.host, typed.port, typed.security) == server
    assert (typed.auth, typed.oauth.provider) == (Auth.OAUTH, provider)


def test_the_dialog_always_shows_the_saved_way(world: World, dialog: SmtpDialog, oauth_mail: OAuthMail) -> None:
    smtp = oauth_mail.settings()
    world.model.update(values(smtp))
    dialog.open()
    assert dialog.form.typed() == smtp
    dialog.form.choose_way("password")
    dialog.form.oauth.client_id.setText("typed")
    dialog.reject()
    dialog.open()
    assert dialog.form.typed() == smtp
    dialog.form.choose_way("password")
    dialog.save.click()
    assert world.saved("smtp.auth") is Auth.AUTO
    assert world.saved("smtp.oauth.client_id") == CLIENT_ID, "what was registered is still known on the way back"


def test_each_way_shows_its_own_fields(world: World, dialog: SmtpDialog) -> None:
    world.model.update(SAVED)
    dialog.open()
    form = dialog.form
    shown = {}
    for way in ("password", "microsoft", "outlook", "google", "custom", "none"):
        form.choose_way(way)
        names = ("client_id", "tenant", "client_secret", "authorize_url", "scopes")
        shown[way] = [name for name in names if getattr(form.oauth, name).isVisible()]
        assert form.password.isVisible() == (not form.provider())
        assert dialog.sign_in.panel.isVisible() == bool(form.provider())
    assert shown["password"] == shown["none"] == []
    assert shown["microsoft"] == ["client_id", "tenant", "client_secret"]
    assert shown["outlook"] == shown["google"] == ["client_id", "client_secret"]
    assert shown["custom"] == ["client_id", "client_secret", "authorize_url", "scopes"]


# --- nothing cut -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_step_is_cut_at_any_width(
    world: World, oauth_mail: OAuthMail, as_browser, monkeypatch, qtbot, language: str
) -> None:
    texts.use(language)
    dialog = SmtpDialog(world.context)
    qtbot.addWidget(dialog)
    opened(world, dialog, oauth_mail)
    panel, provider = dialog.sign_in.panel, oauth_mail.provider

    def look() -> None:
        settle()
        assert not clipped(dialog), panel.step
        for width in (640, 1000, dialog.minimumWidth()):
            dialog.resize(width, 620)
            settle()
            assert not clipped(dialog), (panel.step, width)
            assert not sideways(dialog), (panel.step, width)

    look()
    provider.account = "a.person.with.a.rather.long.name@subsidiary.of.example.com"
    sign_in(dialog, qtbot, Step.DECIDING)
    look()
    panel.take.click()
    look()
    provider.deny = "access_denied"
    sign_in(dialog, qtbot, Step.FAILED)
    look()
    monkeypatch.setenv("BROWSER", IDLE_BROWSER)
    panel.sign_in.click()
    qtbot.waitUntil(lambda: bool(panel.url.text()), timeout=20_000)
    look()
    panel.cancel.click()
    panel.by_code.click()
    qtbot.waitUntil(reaches(panel, Step.CODE), timeout=20_000)
    look()
