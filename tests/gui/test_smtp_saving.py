"""A password and the settings are saved together or not at all, however long the keyring takes to be unlocked."""

import threading
from collections.abc import Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend

from tests.core.mail.hostile import Hostile, hang, hostile, script
from tests.gui.support.sign_in import reaches, values
from tests.gui.support.smtp import SAVED, settled
from tests.gui.support.world import World, no_room
from tests.peers.oauth_mail import OAuthMail
from vxtray.core.credentials import Account, KeyringStore, MemoryStore, Secret
from vxtray.core.errors import KeyringRefused
from vxtray.core.paths import Profile
from vxtray.gui.sign_in import Step
from vxtray.gui.smtp_dialog import SmtpDialog
from vxtray.gui.widgets import PlainLabel

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

OLD, NEW = "the former password", "the new password"
USER, HOST = str(SAVED["smtp.username"]), str(SAVED["smtp.host"])


def opened(world: World, qtbot) -> SmtpDialog:
    """Return the dialog over saved settings, with another server's port and a new password typed."""
    world.model.update(SAVED)
    dialog = SmtpDialog(world.context)
    qtbot.addWidget(dialog)
    dialog.open()
    dialog.form.port.setValue(26)
    dialog.form.password.setText(NEW)
    return dialog


# --- both or neither -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("former", [OLD, None])
def test_a_full_disk_puts_the_keyring_back(world: World, qtbot, former: str | None) -> None:
    if former is not None:
        world.keep_password(USER, HOST, former)
    dialog = opened(world, qtbot)
    with no_room():
        dialog.save.click()
        qtbot.waitUntil(lambda: settled(dialog))
    assert world.password(USER, HOST) == former
    assert world.saved("smtp.port") == 2525
    assert dialog.isVisible()
    assert "could not be saved" in dialog.message.text()
    assert "former settings are still in force" in dialog.message.text()
    assert "keyring was put back" in dialog.message.text()
    assert dialog.form.password.text() == NEW
    assert dialog.form.isEnabled()
    with qtbot.waitSignal(dialog.accepted):
        dialog.save.click()
    assert world.password(USER, HOST) == NEW
    assert world.saved("smtp.port") == 26


class OnlyTakes(MemoryStore):
    """A keyring that takes the first secret, and refuses from then on."""

    def set(self, account: Account, secret: Secret) -> Secret | None:
        if secret.reveal() == OLD:
            raise KeyringRefused(reason="no more")
        super().set(account, secret)
        return Secret(OLD)


@pytest.mark.expected_log("could not be put back")
def test_a_keyring_that_cannot_be_put_back_is_told(profile: Profile, qtbot, qapp) -> None:
    world = World(profile, OnlyTakes())
    try:
        dialog = opened(world, qtbot)
        with no_room():
            dialog.save.click()
            qtbot.waitUntil(lambda: settled(dialog))
        assert "already holds the new password" in dialog.message.text()
        assert "no more" in dialog.message.text()
    finally:
        world.stop()


# --- a keyring that waits for its person -----------------------------------------------------------------------------


class Prompting(KeyringBackend):
    """A keyring behind a prompt."""

    priority = 9  # type: ignore[assignment]  # a class property there

    def __init__(self) -> None:
        super().__init__()
        self.unlocked = threading.Event()
        self.locks_reading = False
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        if self.locks_reading:
            self.unlocked.wait(20)
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.unlocked.wait(20)
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


Prompting.__module__ = "keyring.backends.SecretService"  # by which the program knows those that encrypt


@pytest.fixture
def prompting() -> Iterator[Prompting]:
    before, backend = keyring.get_keyring(), Prompting()
    keyring.set_keyring(backend)
    yield backend
    backend.unlocked.set()
    keyring.set_keyring(before)


@pytest.fixture
def locked_world(profile: Profile, prompting: Prompting, qapp) -> Iterator[World]:
    made = World(profile, KeyringStore(soft_limit=0.2))
    yield made
    prompting.unlocked.set()
    made.stop()


def test_a_sign_in_is_kept_once_the_keyring_is_unlocked(
    locked_world: World, prompting: Prompting, oauth_mail: OAuthMail, as_browser: str, qtbot
) -> None:
    locked_world.model.update(values(oauth_mail.settings()))
    dialog = SmtpDialog(locked_world.context)
    qtbot.addWidget(dialog)
    dialog.open()
    dialog.sign_in.panel.sign_in.click()
    qtbot.waitUntil(reaches(dialog.sign_in.panel, Step.DONE), timeout=20_000)
    dialog.form.port.setValue(26)
    dialog.save.click()
    qtbot.waitUntil(lambda: not dialog.doctor.isHidden(), timeout=20_000)
    assert "Waiting for the keyring" in dialog.doctor.findChildren(PlainLabel)[0].text()
    assert dialog.isVisible()
    assert not prompting.kept
    assert locked_world.saved("smtp.port") == oauth_mail.box.port
    prompting.unlocked.set()
    qtbot.waitUntil(lambda: not dialog.isVisible(), timeout=20_000)
    assert locked_world.saved("smtp.port") == 26
    assert any(oauth_mail.provider.is_alive(secret) for secret in prompting.kept.values())


KEY = ("vxtray", f"smtp-password:{USER}@{HOST}")


def test_a_save_is_finished_once_the_keyring_is_unlocked(locked_world: World, prompting: Prompting, qtbot) -> None:
    dialog = opened(locked_world, qtbot)
    dialog.save.click()
    qtbot.waitUntil(lambda: not dialog.doctor.isHidden())
    assert dialog.isVisible()
    assert not dialog.form.isEnabled(), "what is saved is what was typed until the click"
    assert locked_world.saved("smtp.port") == 2525
    with qtbot.waitSignal(dialog.accepted):
        prompting.unlocked.set()
    assert prompting.kept == {KEY: NEW}
    assert locked_world.saved("smtp.port") == 26
    dialog.open()
    assert dialog.form.isEnabled()


@pytest.mark.parametrize("former", [OLD, None])
def test_a_save_that_was_cancelled_while_it_waited_is_withdrawn(
    locked_world: World, prompting: Prompting, qtbot, former: str | None
) -> None:
    if former is not None:
        prompting.kept[KEY] = former
    dialog = opened(locked_world, qtbot)
    dialog.save.click()
    qtbot.waitUntil(lambda: not dialog.doctor.isHidden())
    dialog.cancel.click()
    taken = prompting.kept
    prompting.kept = Watched(taken)
    prompting.unlocked.set()
    qtbot.waitUntil(lambda: prompting.kept.puts >= 1 and prompting.kept.get(KEY) == former)  # type: ignore[attr-defined]
    assert locked_world.saved("smtp.port") == 2525
    assert not dialog.isVisible()


class Watched(dict[tuple[str, str], str]):
    """Counts what is put in."""

    puts = 0

    def __setitem__(self, key: tuple[str, str], value: str) -> None:
        super().__setitem__(key, value)
        self.puts += 1


def test_what_the_keyring_holds_is_shown_once_it_is_unlocked(locked_world: World, prompting: Prompting, qtbot) -> None:
    prompting.kept[KEY], prompting.locks_reading = OLD, True
    locked_world.model.update(SAVED)
    dialog = SmtpDialog(locked_world.context)
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: "locked" in dialog.doctor.text())
    prompting.unlocked.set()
    qtbot.waitUntil(lambda: "Stored in the keyring" in dialog.form.password.placeholderText())


# --- tests that are stopped ------------------------------------------------------------------------------------------


@pytest.fixture
def silent_server() -> Iterator[Hostile]:
    with hostile(script(greeting=hang)) as server:
        yield server


def try_it(world: World, server: Hostile, qtbot) -> SmtpDialog:
    world.model.update(SAVED | {"smtp.host": "127.0.0.1", "smtp.port": server.port, "smtp.security": "none"})
    dialog = SmtpDialog(world.context)
    qtbot.addWidget(dialog)
    dialog.open()
    dialog.form.choose_way("none")
    return dialog


def test_stopped_tests_do_not_keep_others_waiting(world: World, silent_server: Hostile, qtbot) -> None:
    dialog = try_it(world, silent_server, qtbot)
    for round_ in range(1, 5):
        dialog.test.click()
        qtbot.waitUntil(lambda: silent_server.connections == round_, timeout=2000)  # noqa: B023 - used at once
        dialog.test.click()
    dialog.reject()
    answers: list[int] = []
    world.bridge.run(lambda: 1, answers.append, lambda _error: None, owner=world.bridge)
    qtbot.waitUntil(lambda: answers == [1], timeout=1500)


@pytest.mark.parametrize("press", ["test", "send_test"])
def test_the_end_of_the_program_cuts_a_test_off(world: World, silent_server: Hostile, qtbot, press: str) -> None:
    dialog = try_it(world, silent_server, qtbot)
    getattr(dialog, press).click()
    qtbot.waitUntil(lambda: silent_server.connections == 1)
    world.bridge.stop()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vx-task")]
