"""The sign-in on the mail server's page and on the overview, how it is ended, and that passwords come to an end."""

from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from tests.gui.support.sign_in import IDLE_BROWSER, kept, reaches, values
from tests.gui.support.smtp import SAVED
from tests.gui.support.world import World
from tests.gui.test_pages import clipped, settle, sideways
from tests.peers.oauth_mail import OAuthMail
from tests.peers.oauth_server import ACCOUNT
from vxtray.core import texts
from vxtray.core.mail.fingerprint import SIGNED_IN
from vxtray.core.mail.oauth.granted import Granted
from vxtray.core.mail.outbox import Outgoing
from vxtray.core.settings.tree import Auth, OAuth, Security, Smtp
from vxtray.gui.main_window import MainWindow
from vxtray.gui.registration_guide import RegistrationGuide
from vxtray.gui.sign_in import Step
from vxtray.gui.sign_in_words import password_notice, provider_for

pytestmark = [
    pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)"),
    pytest.mark.expected_log(r"WARNING vxtray\.core\.troubles: "),
]
LONG_AGO = datetime(2026, 11, 1, tzinfo=UTC)


def granted(mail: OAuthMail, **more: object) -> Granted:
    """Return a sign-in as the provider of the test grants it."""
    from vxtray.core.credentials import Secret

    usual = {
        "refresh_token": Secret(mail.provider.grant()),
        "access_token": Secret("none yet"),
        "expires_at": LONG_AGO,
        "lifetime_seconds": 0,
        "signed_in_as": ACCOUNT,
    }
    return Granted(**(usual | more))


def queue(world: World, number: int) -> None:
    """Put a mail into the outbox."""
    mail = Outgoing(
        key=f"mail {number}",
        kind="alert",
        subject=f"mail {number}",
        message_id=f"<{number}@example.com>",
        mail_from=ACCOUNT,
        recipients=("boss@example.com",),
        data=b"Subject: x\r\n\r\nx\r\n",
    )
    assert world.engine.outbox.add(mail, world.engine.clock())


def words_of(top: QWidget) -> str:
    return "\n".join(label.text() for label in top.findChildren(QLabel) if label.isVisible())


@pytest.fixture
def window(world: World, oauth_mail: OAuthMail, open_window) -> MainWindow:
    """Show the mail server's page over a profile that signed in."""
    world.model.update(values(oauth_mail.settings()))
    world.engine.tokens.store(world.model.current.smtp, granted(oauth_mail))
    return open_window("mail_server")


# --- how it is -------------------------------------------------------------------------------------------------------


def test_the_card_says_who_is_signed_in_and_until_when(window: MainWindow) -> None:
    said = words_of(window.mail_server.sign_in)
    assert f"Signed in as {ACCOUNT}." in said
    assert "Last renewed" in said
    assert "none known" in said
    assert window.mail_server.sign_in.sign_out.isVisible()


def test_an_end_that_is_near_and_its_reason_are_told(world: World, window: MainWindow, oauth_mail: OAuthMail) -> None:
    end = world.engine.clock() + timedelta(days=6, hours=23)
    world.engine.tokens.store(world.model.current.smtp, granted(oauth_mail, refresh_ends=end))
    window.mail_server.refresh()
    settle()
    card = window.mail_server.sign_in
    assert card.note.isVisible()
    assert "7 days" in card.note.text()
    assert texts.format_date(end.astimezone().date(), "en", "d MMM y") in words_of(card)


def test_a_profile_with_a_password_has_no_card(world: World, open_window) -> None:
    world.model.update(SAVED)
    window = open_window("mail_server")
    assert not window.mail_server.sign_in.isVisible()
    assert not window.mail_server.notice.isVisible()


# --- revoked, and back -----------------------------------------------------------------------------------------------


def test_a_revoked_sign_in_is_one_notice_and_one_button_and_then_everything_leaves(
    world: World, oauth_mail: OAuthMail, open_window, as_browser, qtbot
) -> None:
    world.model.update(values(oauth_mail.settings()))
    world.engine.tokens.store(world.model.current.smtp, granted(oauth_mail))
    oauth_mail.provider.revoke_everything()
    window = open_window("overview")
    for number in range(3):
        queue(world, number)
    world.start()
    qtbot.waitUntil(lambda: bool(world.engine.troubles()), timeout=20_000)
    assert [trouble.what for trouble in world.engine.troubles()] == ["mail"]
    window.overview.refresh()
    buttons = [one for one in window.overview.findChildren(QWidget) if _offers(one, "Sign in again")]
    assert buttons
    window.go_to("mail_server")
    window.mail_server.refresh()
    card = window.mail_server.sign_in
    assert "has ended" in card.panel.words.text()
    assert card.panel.sign_in.isVisible()
    window.go_to("overview")
    qtbot.mouseClick(buttons[0], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(oauth_mail.box.mails) == 3, timeout=30_000)
    qtbot.waitUntil(lambda: not world.engine.troubles(), timeout=20_000)
    qtbot.waitUntil(lambda: f"Signed in as {ACCOUNT}" in card.panel.words.text(), timeout=20_000)
    assert oauth_mail.provider.is_alive(kept(world)["oauth-token"])
    assert world.engine.outbox.counts()["queued"] == 0


def _offers(widget: QWidget, text: str) -> bool:
    said = getattr(widget, "text", None)
    return callable(said) and widget.isVisible() and widget.focusPolicy() != Qt.FocusPolicy.NoFocus and said() == text


def test_saved_but_not_signed_in_is_told_before_a_mail_has_to_wait(
    world: World, oauth_mail: OAuthMail, open_window, qtbot
) -> None:
    world.start()
    window = open_window("overview")
    world.model.update(values(oauth_mail.settings()))
    qtbot.waitUntil(lambda: bool(world.engine.troubles()), timeout=20_000)
    assert texts.title(world.engine.troubles()[0].error) == f"Nobody is signed in for {ACCOUNT}."
    window.overview.refresh()
    assert any(_offers(one, "Sign in again") for one in window.overview.findChildren(QWidget))
    world.engine.tokens.store(world.model.current.smtp, granted(oauth_mail))
    world.engine.mail_mended(SIGNED_IN, ACCOUNT)
    qtbot.waitUntil(lambda: not world.engine.troubles(), timeout=20_000)


def test_another_account_is_stored_with_its_user_name(
    world: World, window: MainWindow, oauth_mail: OAuthMail, as_browser, qtbot
) -> None:
    oauth_mail.provider.account = "ada@example.com"
    panel = window.mail_server.sign_in.panel
    qtbot.mouseClick(panel.sign_in, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(reaches(panel, Step.DECIDING), timeout=20_000)
    before = kept(world)
    assert world.saved("smtp.username") == ACCOUNT
    qtbot.mouseClick(panel.take, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: world.saved("smtp.username") == "ada@example.com", timeout=20_000)
    qtbot.waitUntil(reaches(panel, Step.IDLE), timeout=20_000)
    assert kept(world) != before
    assert world.engine.tokens.health(world.model.current.smtp).signed_in_as == "ada@example.com"


# --- signing out -----------------------------------------------------------------------------------------------------


def test_signing_out_is_asked_for_first(world: World, window: MainWindow, oauth_mail: OAuthMail, qtbot) -> None:
    card = window.mail_server.sign_in
    before = kept(world)
    qtbot.mouseClick(card.sign_out, Qt.MouseButton.LeftButton)
    assert QApplication.focusWidget() is card.no, "Enter keeps the sign-in"
    assert "cannot be undone" in words_of(card)
    qtbot.keyClick(card.no, Qt.Key.Key_Return)
    assert not card.yes.isVisible()
    assert card.sign_out.isVisible()
    assert kept(world) == before
    qtbot.mouseClick(card.sign_out, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(card.yes, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not kept(world), timeout=20_000)
    qtbot.waitUntil(lambda: card.panel.words.text() == "Not signed in yet.", timeout=20_000)
    assert not card.sign_out.isVisible()
    assert "Signed out" in window.mail_server.note()


def test_the_page_can_be_left_while_the_browser_is_waited_for(
    world: World, window: MainWindow, monkeypatch, qtbot
) -> None:
    monkeypatch.setenv("BROWSER", IDLE_BROWSER)
    panel = window.mail_server.sign_in.panel
    qtbot.mouseClick(panel.sign_in, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(panel.url.text()), timeout=20_000)
    window.go_to("overview")
    window.go_to("mail_server")
    window.mail_server.refresh()
    assert panel.step is Step.WAITING
    assert panel.url.isVisible()
    world.model.update({"smtp.oauth.client_id": "another"})
    assert panel.step is Step.IDLE


# --- passwords come to an end ----------------------------------------------------------------------------------------

BEFORE, AFTER = datetime(2026, 12, 31, 22, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
MICROSOFT = Smtp(host="smtp.office365.com", username="a@contoso.example", from_address="a@contoso.example")


def test_the_notice_is_dated_and_says_no_more_than_is_known() -> None:
    before, after = password_notice(MICROSOFT, BEFORE), password_notice(MICROSOFT, AFTER)
    assert "end of December 2026" in before
    assert "switches" in before
    assert "unless your administrator switched them on again" in after
    assert "16 September 2024" in password_notice(_with(host="smtp-mail.outlook.com"), BEFORE)


def _with(**changes: object) -> Smtp:
    import msgspec

    return msgspec.structs.replace(MICROSOFT, **changes)


@pytest.mark.parametrize(
    "other",
    [
        {"host": "smtp.example.com"},
        {"host": "office365.com.example.net"},
        {"auth": Auth.OAUTH, "oauth": OAuth(provider="microsoft")},
        {"auth": Auth.NONE},
        {"username": ""},
    ],
)
def test_nobody_else_sees_the_notice(other: dict[str, object]) -> None:
    assert password_notice(_with(**other), BEFORE) == ""
    assert password_notice(_with(**other), AFTER) == ""


@pytest.mark.parametrize(
    ("host", "provider"), [("SMTP.office365.com.", "microsoft"), ("smtp-mail.outlook.com", "outlook")]
)
def test_the_notice_leads_to_the_right_provider(host: str, provider: str) -> None:
    assert password_notice(_with(host=host), BEFORE)
    assert provider_for(_with(host=host)) == provider


def test_the_notice_can_be_put_off_for_30_days(world: World, open_window, qtbot) -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    world.engine.clock = lambda: now
    world.model.update({**SAVED, "smtp.host": "smtp.office365.com"})
    window = open_window("mail_server")
    notice = window.mail_server.notice
    assert notice.isVisible()
    later = next(one for one in notice.findChildren(QWidget) if _offers(one, "Remind me in 30 days"))
    qtbot.mouseClick(later, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not notice.isVisible(), timeout=20_000)
    now += timedelta(days=29)
    window.mail_server.refresh()
    assert not notice.isVisible()
    now += timedelta(days=2)
    window.mail_server.refresh()
    assert notice.isVisible()
    assert "unless an administrator" in notice.text()
    qtbot.mouseClick(later, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not notice.isVisible(), timeout=20_000)
    world.model.update({"smtp.host": "smtp-mail.outlook.com"})
    assert notice.isVisible(), "another server, another notice"


@pytest.mark.parametrize("page", ["overview", "mail_server"])
def test_the_notice_switches_to_the_sign_in(world: World, open_window, qtbot, page: str) -> None:
    world.model.update({**SAVED, "smtp.host": "smtp.office365.com"})
    window = open_window(page)
    notice = window.mail_server.notice if page == "mail_server" else window.overview.password_notice
    dialog = window.mail_server.dialog
    switch = next(one for one in notice.findChildren(QWidget) if _offers(one, "Switch to sign-in"))
    qtbot.mouseClick(switch, Qt.MouseButton.LeftButton)
    assert dialog.isVisible()
    assert dialog.form.provider() == "microsoft"
    assert (dialog.form.port.value(), dialog.form.security.currentData()) == (587, Security.STARTTLS)
    assert not dialog.sign_in.notice.isVisible()
    dialog.form.choose_way("password")
    assert dialog.sign_in.notice.isVisible()
    assert world.saved("smtp.auth") is Auth.AUTO


# --- the guide -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["microsoft", "outlook", "google", "custom"])
def test_the_guide_leads_through_the_registration(qtbot, monkeypatch, provider: str) -> None:
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    guide = RegistrationGuide(provider, MICROSOFT)
    qtbot.addWidget(guide)
    guide.show()
    said = words_of(guide)
    assert "1." in said
    assert "{" not in said
    assert "Only ever use a client ID of your own organisation" in said
    assert ("7 days" in said) == (provider == "google")
    qtbot.mouseClick(guide.copy_redirect, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "http://localhost"
    qtbot.mouseClick(guide.note, Qt.MouseButton.LeftButton)
    note = QGuiApplication.clipboard().text()
    assert "http://localhost" in note
    assert "a@contoso.example" in note
    assert "{" not in note
    assert ("Authenticated SMTP" in note) == (provider == "microsoft")
    if provider != "custom":
        qtbot.mouseClick(guide.site, Qt.MouseButton.LeftButton)
        assert [url.split("/")[2] for url in opened] in (["entra.microsoft.com"], ["console.cloud.google.com"])


def test_the_guide_opens_beside_the_dialog(world: World, open_window, qtbot) -> None:
    world.model.update(SAVED)
    window = open_window("mail_server")
    dialog = window.mail_server.dialog
    dialog.edit()
    dialog.form.switch_to("google")
    qtbot.mouseClick(dialog.form.oauth.guide, Qt.MouseButton.LeftButton)
    guide = dialog.findChild(RegistrationGuide)
    assert guide is not None
    assert guide.isVisible()
    assert not guide.isModal(), "what it speaks of is typed beside it"
    dialog.reject()
    assert not guide.isVisible()


# --- nothing cut -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_state_is_cut_at_any_width(
    world: World, oauth_mail: OAuthMail, open_window, monkeypatch, qtbot, language: str
) -> None:
    texts.use(language)
    monkeypatch.setenv("BROWSER", IDLE_BROWSER)
    world.model.update({"general.language": language, **values(oauth_mail.settings())})
    window: MainWindow = open_window("mail_server")
    page, smtp = window.mail_server, world.model.current.smtp

    def look() -> None:
        page.refresh()
        settle()
        assert not clipped(window), page.sign_in.panel.step
        for width in (640, 1000, 640):
            window.resize(width, 620)
            settle()
            assert not clipped(window), (page.sign_in.panel.step, width)
            assert not sideways(window), (page.sign_in.panel.step, width)

    look()
    end = world.engine.clock() + timedelta(days=6, hours=23)
    world.engine.tokens.store(
        smtp, granted(oauth_mail, refresh_ends=end, signed_in_as=f"{'long.name' * 6}@example.com")
    )
    look()
    page.sign_in.sign_out.click()
    look()
    page.sign_in.no.click()
    page.sign_in.panel.sign_in.click()
    qtbot.waitUntil(lambda: bool(page.sign_in.panel.url.text()), timeout=20_000)
    look()
    page.sign_in.panel.cancel.click()
    world.model.update({"smtp.host": "smtp.office365.com", "smtp.auth": Auth.AUTO})
    look()
    for provider in ("microsoft", "google"):
        guide = RegistrationGuide(provider, smtp)
        qtbot.addWidget(guide)
        guide.show()
        for width in (640, guide.minimumWidth()):
            guide.resize(width, 600)
            settle()
            assert not clipped(guide), width
            assert not sideways(guide), width
