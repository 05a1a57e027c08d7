"""What a server's answers mean for the queue: sent, later, failed, or the account must be left alone."""

import email
import email.policy
import logging
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests.core.mail import hostile as h
from tests.core.mail.office import MINUTE, PEOPLE, Post
from tests.core.mail.wire import PASSWORD, USER, Inbox, aiosmtpd, settings
from tests.peers.mailbox import Mailbox
from vxtray.core.credentials import Account, MemoryStore, Secret, smtp_account
from vxtray.core.errors import CredentialError, KeyringLocked, KeyringMissing, KeyringRefused
from vxtray.core.mail.faults import AuthError, ConnectError, MailError, TlsError
from vxtray.core.mail.outbox import Outcome, Parcel, State, Verdict
from vxtray.core.settings.tree import Security, Smtp


def test_a_mail_arrives_as_it_was_queued(post: Callable[..., Post], smtp_catcher: Mailbox) -> None:
    smtp = Smtp(
        host=smtp_catcher.host,
        port=smtp_catcher.port,
        username=smtp_catcher.user,
        from_address="reports@example.com",
        recipients=PEOPLE,
        ca_file=str(smtp_catcher.ca_file),
    )
    one = post(smtp, smtp_catcher.password)
    one.add("k", to=PEOPLE)
    assert one.send() == [("k", "sent")]
    (got,) = smtp_catcher.wait(1)
    assert (got.sender, got.recipients) == ("reports@example.com", PEOPLE)
    assert (got.message["Message-ID"], got.message["Subject"]) == ("<k@example.com>", "Subject k")
    entry, people, _, data = one.outbox.entry(1)
    assert email.message_from_bytes(data, policy=email.policy.default)["Message-ID"] == "<k@example.com>"
    assert entry.reply == "250 2.0.0 kept"
    assert {state for state, _ in people.values()} == {"sent"}
    assert (one.fault, one.ready) == (None, True)


# --- the account -----------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_tried_once_and_never_again_until_mended(
    post: Callable[..., Post], server_tls: Any, ca_file: str
) -> None:
    inbox = Inbox()
    with aiosmtpd(inbox, tls_context=server_tls(), auth_exclude_mechanism=["PLAIN"], auth_required=True):
        smtp = settings(inbox.port, Security.STARTTLS, username=USER, ca_file=ca_file)
        one = post(smtp, "an old password")
        one.add("first", "second", "third")
        assert one.send() == [("first", "queued")]
        for _ in range(100):
            one.clock.now += timedelta(hours=1)
            assert one.send() == []
        assert inbox.tries == ["LOGIN"], "more would lock the account"
        assert isinstance(one.fault, AuthError)
        assert not one.ready

        one.credentials.set(smtp_account(smtp), Secret(PASSWORD))
        one.mended(smtp)
        assert one.ready
        assert [state for _, state in one.send()] == ["sent"] * 3
        assert (one.fault, len(inbox.taken)) == (None, 3)


def test_mended_with_the_same_wrong_password_is_one_more_try(
    post: Callable[..., Post], server_tls: Any, ca_file: str
) -> None:
    inbox = Inbox()
    with aiosmtpd(inbox, tls_context=server_tls(), auth_exclude_mechanism=["PLAIN"], auth_required=True):
        smtp = settings(inbox.port, Security.STARTTLS, username=USER, ca_file=ca_file)
        one = post(smtp, "wrong")
        one.add("k")
        for tries in (1, 2, 3):
            one.send()
            one.mended(smtp)
            assert len(inbox.tries) == tries


def test_no_password_is_told_without_a_sign_in(post: Callable[..., Post]) -> None:
    with h.hostile(h.script()) as server:
        smtp = settings(server.port, username=USER)
        one = post(smtp)
        one.credentials.forget(smtp_account(smtp))
        one.add("k", "l")
        assert one.send() == [("k", "queued")]
        assert "No password is stored" in str(one.fault)
        assert not one.ready
        assert b"AUTH" not in server.heard


def test_a_refused_certificate_is_looked_at_again_after_half_an_hour(
    post: Callable[..., Post], server_tls: Any, ca_file: str
) -> None:
    inbox = Inbox()
    with aiosmtpd(inbox, tls_context=server_tls("mail.example.com"), require_starttls=True):
        one = post(settings(inbox.port, Security.STARTTLS, ca_file=ca_file))
        one.add("k")
        assert one.send() == [("k", "queued")]
        assert isinstance(one.fault, TlsError)
        one.clock.now += 29 * MINUTE
        assert one.send() == []
        assert inbox.connections == 1
        one.clock.now += MINUTE
        assert one.send() == [("k", "queued")]
        assert (inbox.connections, inbox.taken) == (2, [])
    with aiosmtpd(inbox, tls_context=server_tls(), require_starttls=True):
        one.mended(settings(inbox.port, Security.STARTTLS, ca_file=ca_file))
        assert one.send() == [("k", "sent")]


class Keyring(MemoryStore):
    """A store that refuses with a fault until it is opened."""

    fault: CredentialError | None = None
    asked = 0

    def get(self, account: Account) -> Secret | None:
        self.asked += 1
        if self.fault:
            raise self.fault
        return super().get(account)


def test_a_locked_keyring_is_waited_for(post: Callable[..., Post]) -> None:
    keyring = Keyring()
    with h.hostile(h.script()) as server:
        smtp = settings(server.port, username=USER)
        one = post(smtp)
        keyring.set(smtp_account(smtp), Secret(PASSWORD))
        keyring.fault = KeyringLocked()
        one.use(keyring)
        one.add("k", "l", "m")
        assert one.send() == [("k", "queued")]
        assert one.send() == [], "the whole queue waits, so one question is enough"
        assert keyring.asked == 1
        for _ in range(6 * 24):
            one.clock.now += timedelta(hours=1)
            one.send()
        assert one.outbox.counts()["queued"] == 3, "waiting is no attempt, however long"
        assert one.outbox.entry(1)[0].tries == 0
        assert isinstance(one.fault, KeyringLocked)
        assert server.connections == 0

        keyring.fault = None
        one.clock.now += MINUTE
        assert sorted(one.send()) == [("k", "sent"), ("l", "sent"), ("m", "sent")]
        assert one.fault is None


@pytest.mark.parametrize("fault", [KeyringMissing(), KeyringRefused(reason="no")])
def test_a_keyring_that_says_no_stops_the_queue_and_is_asked_again_seldom(
    post: Callable[..., Post], fault: CredentialError
) -> None:
    keyring = Keyring()
    with h.hostile(h.script()) as server:
        smtp = settings(server.port, username=USER)
        one = post(smtp)
        keyring.fault = fault
        one.use(keyring)
        one.add("k", "l")
        assert one.send() == [("k", "queued")]
        one.clock.now += 29 * MINUTE
        assert (one.send(), keyring.asked) == ([], 1)
        one.clock.now += MINUTE
        one.send()
        assert (keyring.asked, type(one.fault), str(one.fault)) == (2, type(fault), str(fault))


def test_mended_while_the_old_password_is_being_refused(post: Callable[..., Post]) -> None:
    """The refusal belongs to settings that nobody uses any more, so it must not stop the new ones."""

    def mend_then_refuse(talk: h.Talk) -> None:
        smtp = one.courier.smtp
        one.credentials.set(smtp_account(smtp), Secret("the new one"))
        one.mended(smtp)
        talk.say(b"535 5.7.8 wrong password\r\n")

    answers: list[h.Answer] = [mend_then_refuse, h.log_in(h.PROMPT_USER, h.PROMPT_PASSWORD, b"235 2.7.0 ok\r\n")]
    offers = b"250-mail.test\r\n250 AUTH LOGIN\r\n"
    with h.hostile(h.script(AUTH=answers, EHLO=offers)) as server:
        one = post(settings(server.port, username=USER), "the old one")
        one.add("k")
        assert one.send() == [("k", "queued"), ("k", "sent")]
        assert one.fault is None
        assert one.attempts() == ["sent"]


def test_a_changed_server_never_gets_the_old_ones_password(post: Callable[..., Post]) -> None:
    """The settings change between the look into the keyring and the connection."""
    with h.hostile(h.script()) as old, h.hostile(h.script()) as new:
        smtp = settings(old.port, username=USER)
        elsewhere = msgspec.structs.replace(smtp, host="localhost", port=new.port)

        class Slow(MemoryStore):
            def get(self, account: Account) -> Secret | None:
                found = super().get(account)
                if one.courier.smtp is smtp:
                    one.mended(elsewhere)
                return found

        one = post(smtp)
        keyring = Slow()
        keyring.set(smtp_account(smtp), Secret(PASSWORD))
        one.use(keyring)
        one.add("k")
        one.send()
        assert (old.connections, new.connections) == (1, 0)
        one.add("l")
        one.clock.now += MINUTE
        one.send()
        assert "No password is stored" in str(one.fault)
        assert b"AUTH" not in new.heard


# --- the mail --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "outcome", "minutes"),
    [
        ({"greeting": b"421 4.9.9 not now\r\n"}, "server", 1),
        ({"EHLO": b"451 4.9.9 not now\r\n"}, "server", 1),
        ({"MAIL": b"451 4.9.9 try later\r\n"}, "server", 1),
        ({"RCPT": b"450 4.2.0 greylisted\r\n"}, "later", 5),
        ({"DATA": b"451 4.9.9 not now\r\n"}, "later", 1),
        ({"DATA": h.take_mail(b"451 4.9.9 try later\r\n")}, "later", 1),
        ({"DATA": h.take_mail(h.close)}, "doubt", 15),
        ({"greeting": h.close}, "server", 1),
    ],
    ids=["greeting", "ehlo", "sender", "recipient", "data", "dot", "in doubt", "gone"],
)
def test_a_temporary_fault_is_tried_again(
    post: Callable[..., Post], answers: dict[str, Any], outcome: str, minutes: int
) -> None:
    with h.hostile(h.script(**answers)) as server:
        one = post(settings(server.port))
        one.add("k")
        assert one.send() == [("k", "queued")]
        assert one.outbox.next_due() == one.clock() + minutes * MINUTE
        entry, _, (attempt,), _ = one.outbox.entry(1)
        assert (entry.tries, attempt["outcome"]) == (1, outcome)
        assert entry.reply
    inbox = Inbox()
    with aiosmtpd(inbox):
        one.courier.mended(settings(inbox.port))
        one.clock.now += minutes * MINUTE
        assert one.send() == [("k", "sent")]
        assert one.outbox.hold() is None
    (taken,) = inbox.taken
    assert taken[2] == one.outbox.entry(1)[3], "the same bytes and Message-ID as the first time"


@pytest.mark.parametrize("host", ["mail.invalid", "127.0.0.1"], ids=["unknown host", "nobody listens"])
def test_no_way_to_the_server_is_tried_again(post: Callable[..., Post], host: str, free_port: int) -> None:
    one = post(settings(free_port, host=host))
    one.add("k", "l")
    assert one.send() == [("k", "queued")], "one is tried for all"
    assert isinstance(one.fault, ConnectError)
    assert not one.ready
    one.clock.now += MINUTE
    assert one.send() == [("l", "queued")]


def test_one_of_three_recipients_refused(post: Callable[..., Post]) -> None:
    inbox = Inbox(refuse={PEOPLE[1]: "550 5.1.1 nobody here by that name"})
    with aiosmtpd(inbox):
        one = post(settings(inbox.port))
        one.add("k", to=PEOPLE)
        assert one.send() == [("k", "sent")]
    assert [taken[1] for taken in inbox.taken] == [(PEOPLE[0], PEOPLE[2])]
    assert one.outbox.entry(1)[1] == {
        PEOPLE[0]: ("sent", "250 2.0.0 kept"),
        PEOPLE[1]: ("failed", "550 5.1.1 nobody here by that name"),
        PEOPLE[2]: ("sent", "250 2.0.0 kept"),
    }


def test_one_of_three_recipients_greylisted_is_sent_later_to_that_one_only(post: Callable[..., Post]) -> None:
    inbox = Inbox(refuse={PEOPLE[1]: "451 4.7.1 greylisted, try again later"})
    with aiosmtpd(inbox):
        one = post(settings(inbox.port))
        one.add("k", to=PEOPLE)
        assert one.send() == [("k", "queued")]
        entry, people, _attempts, _data = one.outbox.entry(1)
        assert people[PEOPLE[1]] == ("queued", "451 4.7.1 greylisted, try again later")
        assert entry.reply == "451 4.7.1 greylisted, try again later", "what it waits for, not what others have"
        inbox.refuse.clear()
        one.clock.now += 4 * MINUTE
        assert one.send() == []
        one.clock.now += MINUTE
        assert one.send() == [("k", "sent")]
        assert one.outbox.entry(1)[0].reply == "250 2.0.0 kept"
    assert [taken[1] for taken in inbox.taken] == [(PEOPLE[0], PEOPLE[2]), (PEOPLE[1],)]


def test_two_refused_one_way_or_the_other(post: Callable[..., Post]) -> None:
    inbox = Inbox(refuse={PEOPLE[0]: "550 5.1.1 unknown", PEOPLE[1]: "450 4.2.0 greylisted"})
    with aiosmtpd(inbox):
        one = post(settings(inbox.port))
        one.add("k", to=PEOPLE[:2])
        assert one.send() == [("k", "queued")]
        assert {address: state for address, (state, _) in one.outbox.entry(1)[1].items()} == {
            PEOPLE[0]: "failed",
            PEOPLE[1]: "queued",
        }
        inbox.refuse.clear()
        one.clock.now += 4 * MINUTE
        assert one.send() == []
        one.clock.now += MINUTE
        assert one.send() == [("k", "sent")]
    assert [taken[1] for taken in inbox.taken] == [PEOPLE[1:2]]


@pytest.mark.parametrize(
    "answers",
    [
        {"RCPT": [b"550 5.1.1 unknown\r\n", b"250 2.1.5 ok\r\n"]},
        {"DATA": [h.take_mail(b"554 5.6.0 this is spam\r\n"), h.take_mail()]},
    ],
    ids=["recipient", "mail"],
)
def test_a_refused_mail_fails_alone(post: Callable[..., Post], answers: dict[str, Any]) -> None:
    with h.hostile(h.script(**answers)) as server:
        one = post(settings(server.port))
        one.add("bad", "good")
        assert one.send() == [("bad", "failed"), ("good", "sent")]
        assert one.outbox.entry(1)[0].reply.startswith("55")
        assert one.ready


def test_a_server_that_talks_for_ever_costs_no_more_than_its_time(post: Callable[..., Post]) -> None:
    with h.hostile(h.script(greeting=h.endless(b"220-hello\r\n"))) as server:
        one = post(settings(server.port, timeout_seconds=1))
        one.add("k")
        assert one.send() == [("k", "queued")]
        assert len(one.outbox.entry(1)[0].reply) <= 500


def test_not_set_up_is_not_ready(post: Callable[..., Post]) -> None:
    one = post(Smtp())
    one.add("k")
    assert one.courier.deliver(parcel()).verdict is Verdict.ACCOUNT
    assert one.send() == [("k", "queued")]
    for _ in range(48):
        one.clock.now += 10 * MINUTE
        one.send()
    assert one.outbox.counts()["queued"] == 1


def parcel() -> Parcel:
    return Parcel(
        id=1,
        kind="report",
        subject="s",
        message_id="<s@x>",
        mail_from="reports@example.com",
        recipients=PEOPLE[:1],
        data=b"Subject: s\r\n\r\nx\r\n",
        tries=0,
    )


def test_nothing_secret_is_logged(
    post: Callable[..., Post], caplog: pytest.LogCaptureFixture, server_tls: Any, ca_file: str
) -> None:
    caplog.set_level(logging.DEBUG)
    inbox = Inbox()
    with aiosmtpd(inbox, tls_context=server_tls(), auth_required=True):
        one = post(settings(inbox.port, Security.STARTTLS, username=USER, ca_file=ca_file), "hunter2-is-wrong")
        one.add("k")
        one.send()
    said = caplog.text + repr(one.outbox.entry(1)) + repr(one.fault)
    assert "hunter2-is-wrong" not in said


def test_an_outcome_names_its_step(post: Callable[..., Post]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    one = post(settings(port))
    outcome = one.courier.deliver(parcel())
    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.stage) == (Verdict.SERVER, "connect")
    assert isinstance(outcome.error, MailError)
    assert State(Verdict.SENT.value) is State.SENT
