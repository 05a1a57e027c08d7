"""The post room's end, and a keyring that is unlocked later."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import keyring
import pytest
from keyring.backend import KeyringBackend

from tests.core.engine import Engine, settings, smtp_of
from tests.core.mail.hostile import hang, hostile, script, take_mail
from tests.core.mail.wire import settings as smtp_settings
from tests.peers.desktop import until
from tests.peers.mailbox import Mailbox
from vxtray.core.credentials import KeyringStore
from vxtray.core.paths import Profile
from vxtray.core.reports.period import Cadence
from vxtray.core.settings.tree import Reports, Settings, Smtp


class Prompting(KeyringBackend):
    """A keyring whose prompt stays open until the test answers it."""

    priority = 9  # type: ignore[assignment]  # a class property there

    def __init__(self, password: str) -> None:
        super().__init__()
        self.password, self.unlocked, self.asked = password, threading.Event(), 0

    def get_password(self, service: str, username: str) -> str | None:
        self.asked += 1
        self.unlocked.wait(20)
        return self.password

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError


Prompting.__module__ = "keyring.backends.SecretService"  # by which the program knows those that encrypt


@pytest.fixture
def prompting(smtp_catcher: Mailbox) -> Iterator[Prompting]:
    before, backend = keyring.get_keyring(), Prompting(smtp_catcher.password)
    keyring.set_keyring(backend)
    yield backend
    backend.unlocked.set()
    keyring.set_keyring(before)


@pytest.mark.expected_log(r"WARNING vxtray\.core\.\w+: mail:")
def test_mail_goes_on_within_a_minute_of_the_keyring_being_unlocked(
    profile: Profile, smtp_catcher: Mailbox, prompting: Prompting
) -> None:
    engine = Engine(profile, settings(smtp_of(smtp_catcher)), KeyringStore(soft_limit=0.2))
    engine.clock.at(9)
    engine.service.send_report(Cadence.DAILY)
    assert engine.service.send_waiting() == 0
    (trouble,) = engine.service.troubles()
    assert "locked" in str(trouble.error)
    engine.clock.now += timedelta(seconds=61)
    assert engine.service.send_waiting() == 0, "the prompt is still open"
    assert prompting.asked == 1, "and no second one beside it"
    prompting.unlocked.set()
    until(lambda: not [t for t in threading.enumerate() if t.name == "vx-keyring"], "the keyring's answer is there")
    engine.clock.now += timedelta(seconds=61)
    assert engine.service.send_waiting() == 1
    smtp_catcher.wait(1)
    assert engine.service.troubles() == []
    (entry,) = engine.service.outbox.entries()
    assert (entry.state, entry.tries) == ("sent", 1), "waiting for the keyring is no try"
    engine.service.stop()


def by_hand(smtp: Smtp) -> Settings:
    """Return settings without any report of the schedule's own."""
    return settings(smtp, reports=Reports(zone="Europe/Paris", language="en"))


@pytest.mark.parametrize("verb", ["greeting", "EHLO", "MAIL", "RCPT", "DATA"])
def test_stop_cuts_off_what_is_before_the_final_dot(profile: Profile, verb: str) -> None:
    with hostile(script(**{verb: hang})) as server:
        engine = Engine(profile, by_hand(smtp_settings(server.port, timeout_seconds=60)))
        engine.clock.at(9)
        engine.service.send_report(Cadence.DAILY)
        engine.service.start()
        until(lambda: server.connections > 0 and (verb == "greeting" or verb.encode() in server.heard), "it hangs")
        began = time.monotonic()
        engine.service.stop()
        assert time.monotonic() - began < 2
        assert not [thread for thread in threading.enumerate() if thread.name == "vx-outbox"]
    (entry,) = engine.restart().outbox.entries()
    assert (entry.state, entry.tries) == ("queued", 0)
    engine.service.stop()


def test_stop_waits_for_the_word_on_a_mail_that_was_sent(profile: Profile) -> None:
    said = threading.Event()

    def slowly(talk: object) -> None:
        said.wait(10)
        talk.say(b"250 2.0.0 taken\r\n")  # type: ignore[attr-defined]  # hostile's Talk

    with hostile(script(DATA=take_mail(slowly))) as server:
        engine = Engine(profile, by_hand(smtp_settings(server.port)))
        engine.clock.at(9)
        engine.service.send_report(Cadence.DAILY)
        engine.service.start()
        until(lambda: bool(server.mail), "the mail is there, but not yet accepted")
        answering = threading.Timer(1.0, said.set)
        answering.start()
        engine.service.stop()
        answering.join()
    (entry,) = engine.restart().outbox.entries()
    assert entry.state == "sent"
    engine.service.stop()
