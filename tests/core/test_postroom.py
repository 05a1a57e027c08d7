"""The post room's end, and a keyring that is unlocked later."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import keyring
import msgspec
import pytest
import trustme
from keyring.backend import KeyringBackend

from tests.core.engine import Engine, keyring_for, settings, smtp_of
from tests.core.mail.hostile import hang, hostile, script, take_mail
from tests.core.mail.wire import PASSWORD, USER, Inbox, aiosmtpd
from tests.core.mail.wire import settings as smtp_settings
from tests.peers.desktop import until
from tests.peers.mailbox import Mailbox
from vxtray.core import postroom
from vxtray.core.credentials import KeyringStore, Secret, smtp_account
from vxtray.core.mail import delivery
from vxtray.core.mail.faults import AuthError
from vxtray.core.mail.fingerprint import secret_changed
from vxtray.core.paths import Profile
from vxtray.core.reports.period import Cadence
from vxtray.core.settings.tree import Reports, Security, Settings, Smtp


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


# --- what the post room knows ----------------------------------------------------------------------------------------


@pytest.mark.expected_log("mail: ")
def test_a_refused_password_is_left_alone_after_a_restart_until_something_changes(
    profile: Profile, authority: trustme.CA, tmp_path: Path
) -> None:
    inbox, context, ca_file = Inbox(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(ca_file)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with aiosmtpd(inbox, tls_context=context, auth_required=True, auth_exclude_mechanism=["PLAIN"]):
        smtp = smtp_settings(inbox.port, Security.STARTTLS, username=USER, ca_file=str(ca_file))
        engine = Engine(profile, by_hand(smtp), keyring_for(smtp, "wrong"))
        engine.clock.at(9)
        engine.service.send_report(Cadence.DAILY)
        for _ in range(5):
            engine.service.send_waiting()
            engine.restart()
            engine.clock.now += timedelta(days=1)
            engine.service.watch_undelivered()
            (trouble,) = engine.service.troubles()
            assert isinstance(trouble.error, AuthError)
            waiting = engine.service.mail_waiting()
            assert waiting is not None
            assert (waiting.cause, waiting.until) == ("account", None)
        assert inbox.tries == ["LOGIN"]
        engine.restart(by_hand(msgspec.structs.replace(smtp, username="somebody.else")))
        engine.service.send_waiting()
        assert len(inbox.tries) == 1, "no password is known for that one"
        secret_changed(profile.state, "smtp-password")
        engine.restart(by_hand(smtp))
        engine.credentials.set(smtp_account(smtp), Secret(PASSWORD))
        assert engine.service.send_waiting() == 1
        assert engine.service.troubles() == []
    assert [line.what for line in engine.service.outbox.history() if line.what == "secret"] == ["secret"]
    engine.service.stop()


@pytest.mark.expected_log("mail: ")
def test_the_network_comes_back(profile: Profile, smtp_catcher: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is counted while it is away, and the mail leaves within seconds of the route."""
    away = threading.Event()
    away.set()
    lookup = socket.getaddrinfo

    def cut(host: str, *more: object, **named: object) -> object:
        if away.is_set():
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return lookup("127.0.0.1", *more, **named)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(socket, "getaddrinfo", cut)
    monkeypatch.setattr(postroom, "_LOOK_FOR_NETWORK", 0.05)
    smtp = msgspec.structs.replace(smtp_of(smtp_catcher), host="localhost")
    engine = Engine(profile, by_hand(smtp), keyring_for(smtp, smtp_catcher.password))
    room = engine.service._post
    room._default_route = room._courier._default_route = lambda: not away.is_set()
    engine.clock.at(9)
    engine.service.send_report(Cadence.DAILY)
    engine.service.start()
    until(lambda: bool(engine.service.troubles()), "it says that there is no network")
    assert "no network" in str(engine.service.troubles()[0].error)
    engine.clock.now += timedelta(seconds=20)
    away.clear()
    smtp_catcher.wait(1)
    until(lambda: not engine.service.troubles(), "the trouble is over")
    until(lambda: engine.service.outbox.counts()["queued"] == 0, "it is recorded")
    entry, _people, attempts, _data = engine.service.outbox.entry(1)
    assert (entry.tries, [attempt["outcome"] for attempt in attempts]) == (1, ["sent"])
    engine.service.stop()


def test_starts_stops_and_changed_settings_stand_in_the_history(profile: Profile) -> None:
    engine = Engine(profile, settings())
    engine.service.start()
    engine.service.stop()
    changed = msgspec.structs.replace(settings(), smtp=Smtp(host="new.invalid", from_address="f@example.com"))
    engine.clock.now += timedelta(hours=1)
    engine.restart(changed)
    engine.service.start()
    engine.clock.now += timedelta(hours=1)
    engine.service.apply(settings())
    engine.service.stop()
    lines = [line for line in engine.restart().outbox.history() if line.what != "mail"]
    assert [line.what for line in reversed(lines)] == [
        *("started", "stopped", "started", "settings", "settings", "stopped")
    ]
    assert lines[2].detail["changed"]["smtp.host"] == ["mail.invalid", "new.invalid"] or (
        lines[1].detail["changed"]["smtp.host"] == ["new.invalid", "mail.invalid"]
    )
    engine.service.stop()


def test_the_connection_is_closed_when_nothing_is_left_to_send(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "IDLE_SECONDS", 0.3)
    with hostile(script()) as server:
        engine = Engine(profile, by_hand(smtp_settings(server.port)))
        engine.clock.at(9)
        engine.service.send_report(Cadence.DAILY)
        engine.service.start()
        until(lambda: b"QUIT" in server.heard, "it says goodbye without being asked")
        engine.service.stop()
