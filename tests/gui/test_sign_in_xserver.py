"""Signing in by mouse on a real screen, with a real keyring, provider and mail server: then the mail arrives."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gui.support.screen import Program
from tests.gui.support.sign_in import values
from tests.peers.desktop import SecretService, XServer, need_programs, until
from tests.peers.oauth_mail import OAuthMail
from tests.peers.oauth_server import ACCOUNT
from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile

pytestmark = pytest.mark.xserver


@pytest.fixture
def start(
    xserver: XServer, profile: Profile, secret_service: SecretService, as_browser: str
) -> Iterator[Callable[[], Program]]:
    """Return a function that starts the program beside a keyring; what still runs at the end is killed."""
    need_programs("xdotool", "import")
    xserver.window_manager()
    started: list[Program] = []

    def begin() -> Program:
        started.append(Program(xserver, profile, keyring=secret_service))
        started[-1].shown()
        return started[-1]

    yield begin
    for program in started:
        program.kill()


def says(program: Program, text: str) -> Callable[[], bool]:
    """Return a question for ``until``: whether a text is on the screen."""
    return lambda: program.ask("widget", text) is not None


def test_the_notice_leads_through_the_browser_to_mail_that_arrives(
    start: Callable[[], Program],
    xserver: XServer,
    profile: Profile,
    secret_service: SecretService,
    oauth_mail: OAuthMail,
    tmp_path: Path,
) -> None:
    SettingsFile(profile.settings_file).merge(values(oauth_mail.settings()))
    program = start()
    program.click(program.find("widget", "Sign in again", seconds=30))
    until(says(program, f"Signed in as {ACCOUNT}."), "signed in", 30)
    xserver.screenshot(tmp_path / "signed-in.png")
    program.click(program.find("widget", "Send test e-mail"))
    assert len(oauth_mail.box.wait(1, 30)) == 1
    program.press("ctrl+q")
    assert program.end() == 0
    again = start()  # with what the keyring kept
    again.press("ctrl+6")
    until(says(again, f"Signed in as {ACCOUNT}."), "still signed in", 30)
    again.click(again.find("widget", "Send test e-mail"))
    assert len(oauth_mail.box.wait(2, 30)) == 2
    assert not any(secret_service.contains(token) for token in oauth_mail.provider.issued)


def test_the_dialog_signs_in_and_saves_by_mouse(
    start: Callable[[], Program], profile: Profile, oauth_mail: OAuthMail
) -> None:
    SettingsFile(profile.settings_file).merge(values(oauth_mail.settings(username="")))
    program = start()
    program.press("ctrl+6")
    program.click(program.find("widget", "Edit"))
    program.find("widget", "User name")
    program.click(program.find("widget", "Sign in with the browser…"))
    until(says(program, f"Signed in as {ACCOUNT}."), "signed in", 30)
    assert program.ask("widget", "User name")["text"] == ACCOUNT
    assert program.saved("smtp.username") == "", "nothing is saved before Save"
    program.click(program.find("widget", "Save"))
    until(lambda: program.saved("smtp.username") == ACCOUNT, "saved", 30)
    until(says(program, f"Signed in as {ACCOUNT}."), "the page says so", 30)
