"""One connection for many mails, recipients in portions, mails that are too large, and what is no failure at all."""

import email
import email.policy
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.core.mail import hostile as h
from tests.core.mail.office import HOUR, MINUTE, PEOPLE, Post
from tests.core.mail.wire import PASSWORD, USER, Inbox, aiosmtpd, settings
from vxtray.core.credentials import Secret, smtp_account
from vxtray.core.mail.fingerprint import secret_changed
from vxtray.core.mail.hold import Cause
from vxtray.core.mail.message import Attachment
from vxtray.core.settings.tree import Security

Making = Callable[..., Post]


def cause(one: Post) -> str:
    hold = one.outbox.hold()
    return "" if hold is None else hold.cause


# --- one connection --------------------------------------------------------------------------------------------------


def test_a_burst_takes_one_connection_and_nothing_between_its_mails(post: Making) -> None:
    """What is left of a mail that was accepted is nothing (RFC 5321, 4.1.1.4), so no RSET is owed."""
    with h.hostile(h.script()) as server:
        one = post(settings(server.port))
        one.add(*(f"k{number}" for number in range(20)))
        assert [state for _, state in one.send()] == ["sent"] * 20
        assert (server.connections, server.heard.count(b"RSET\r\n"), server.heard.count(b"QUIT\r\n")) == (1, 0, 1)


def test_a_connection_is_asked_whether_it_is_there_after_a_pause_or_a_failure(post: Making) -> None:
    with h.hostile(h.script(MAIL=[b"250 ok\r\n", b"250 ok\r\n", b"451 4.3.0 later\r\n"])) as server:
        one = post(settings(server.port))
        for number, seconds in enumerate((0, 2, 0)):
            one.clock.now += timedelta(seconds=seconds)
            one.add(f"k{number}")
            one.send(keep=True)
        verbs = [bytes(line[:4]) for line in server.heard.split(b"\r\n")]
        heard = [verb for verb in verbs if verb in {b"MAIL", b"RSET"}]
        assert heard == [b"MAIL", b"RSET", b"MAIL", b"MAIL", b"RSET"], "the last one forgets the mail that failed"
        assert server.connections == 1


def test_a_server_that_allows_few_mails_a_connection(post: Making) -> None:
    """X17: 421 after three; the rest leaves at once, and nothing of it counts as a failure."""

    def three(talk: h.Talk) -> None:
        talk.say(b"220 mail.test\r\n")
        mails = 0
        while line := talk.line():
            verb = line.split(b" ")[0]
            if verb == b"MAIL" and mails == 3:
                talk.say(b"421 4.7.0 too many messages on this connection\r\n")
                return
            if verb == b"DATA":
                h.take_mail()(talk)
                mails += 1
            elif verb == b"QUIT":
                return
            else:
                talk.say(b"250 ok\r\n")

    with h.hostile(three) as server:
        one = post(settings(server.port))
        one.add(*(f"k{number}" for number in range(8)))
        assert [state for _, state in one.send()] == ["sent"] * 8
        assert server.connections == 3
        assert [one.attempts(number) for number in range(1, 9)] == [["sent"]] * 8


def test_a_server_that_closes_without_a_word_between_two_mails(post: Making) -> None:
    def one_each(talk: h.Talk) -> None:
        talk.say(b"220 mail.test\r\n")
        while line := talk.line():
            if line.startswith(b"DATA"):
                h.take_mail()(talk)
                return
            talk.say(b"250 ok\r\n")

    with h.hostile(one_each) as server:
        one = post(settings(server.port))
        one.add("k", "l", "m")
        assert [state for _, state in one.send()] == ["sent"] * 3
        assert server.connections == 3


def test_an_unused_connection_is_closed_after_half_a_minute(post: Making) -> None:
    with h.hostile(h.script()) as server:
        one = post(settings(server.port))
        one.add("k")
        one.send(keep=True)
        assert one.courier.idle_left() == 30
        one.clock.now += timedelta(seconds=29)
        one.courier.rest()
        one.add("l")
        one.send(keep=True)
        assert server.connections == 1
        one.clock.now += timedelta(seconds=30)
        one.courier.rest()
        assert (one.courier.idle_left(), bytes(server.heard[-6:])) == (None, b"QUIT\r\n")
        one.add("m")
        one.send()
        assert server.connections == 2


def test_changed_settings_take_a_new_connection(post: Making) -> None:
    with h.hostile(h.script()) as old, h.hostile(h.script()) as new:
        one = post(settings(old.port))
        one.add("k")
        one.send(keep=True)
        one.mended(settings(new.port))
        one.add("l")
        one.send()
        assert (old.connections, new.connections) == (1, 1)


def test_the_keyring_is_asked_once_a_connection(post: Making) -> None:
    with h.hostile(h.script()) as server:
        smtp = settings(server.port, username=USER)
        one = post(smtp)
        one.add("k", "l", "m")
        assert len(one.send()) == 3
        assert server.heard.count(b"AUTH") == 1


def test_an_attempt_tells_the_way_it_took(post: Making, server_tls: Any, ca_file: str) -> None:
    inbox = Inbox()
    with aiosmtpd(inbox, tls_context=server_tls(), auth_required=True):
        one = post(settings(inbox.port, Security.STARTTLS, username=USER, ca_file=ca_file))
        one.add("k")
        one.send()
    (attempt,) = one.outbox.entry(1)[2]
    assert (attempt["peer"], attempt["mechanism"], attempt["tls"]) == ("127.0.0.1", "LOGIN", "TLSv1.3")


# --- recipients ------------------------------------------------------------------------------------------------------


def test_many_recipients_leave_in_portions(post: Making) -> None:
    people = tuple(f"p{number}@example.org" for number in range(120))
    inbox = Inbox()
    with aiosmtpd(inbox):
        one = post(settings(inbox.port))
        one.add("k", to=people)
        assert one.send()[-1] == ("k", "sent")
    assert [len(taken[1]) for taken in inbox.taken] == [50, 50, 20]
    assert {address for taken in inbox.taken for address in taken[1]} == set(people)
    assert inbox.connections == 1


def test_a_server_that_takes_few_recipients_at_once(post: Making) -> None:
    """R08: 452 4.5.3 after two; those get it now, the others in a further transaction."""
    ok, enough = b"250 2.1.5 ok\r\n", b"452 4.5.3 too many recipients\r\n"
    with h.hostile(h.script(RCPT=[ok, ok, enough, ok])) as server:
        one = post(settings(server.port))
        one.add("k", to=PEOPLE)
        assert one.send() == [("k", "queued"), ("k", "sent")]
        assert one.attempts() == ["sent", "sent"]
        assert server.heard.count(b"RCPT TO:<c@example.org>") == 2
        assert server.heard.count(b"RCPT TO:<a@example.org>") == 1


# --- too large -------------------------------------------------------------------------------------------------------

PAGE = '<html lang="fr"><body class="x"><p>Bonjour</p></body></html>'
FILES = (Attachment("report.pdf", "application/pdf", b"p" * 9000), Attachment("events.csv", "text/csv", b"c" * 30000))


def test_the_largest_attachment_is_left_out_first(post: Making) -> None:
    inbox = Inbox()
    with aiosmtpd(inbox, data_size_limit=20_000):
        one = post(settings(inbox.port))
        one.add("k", html=PAGE, attachments=FILES)
        before = email.message_from_bytes(one.outbox.entry(1)[3])
        assert one.send() == [("k", "queued"), ("k", "sent")]
    message = email.message_from_bytes(inbox.taken[0][2], policy=email.policy.default)
    assert (message["Message-ID"], message["Date"]) == (before["Message-ID"], before["Date"])
    assert [part.get_filename() for part in message.iter_attachments()] == ["report.pdf"]
    for kind in ("plain", "html"):
        body = message.get_body((kind,))
        assert body is not None
        assert "events.csv" in body.get_content()
    assert one.attempts() == ["lighter", "sent"]


def test_refused_as_too_large_only_at_the_end(post: Making) -> None:
    refuse = h.take_mail(b"552 5.3.4 message size exceeds limit\r\n")
    answers: list[h.Answer] = [refuse, refuse, h.take_mail()]
    with h.hostile(h.script(DATA=answers)) as server:
        one = post(settings(server.port))
        one.add("k", attachments=FILES)
        assert one.send() == [("k", "queued"), ("k", "queued"), ("k", "sent")]
        assert b"report.pdf was left out" in server.mail.replace(b"=\r\n", b"")


def test_too_large_without_attachments_is_final(post: Making) -> None:
    with h.hostile(h.script(EHLO=b"250-mail.test\r\n250 SIZE 100\r\n")) as server:
        one = post(settings(server.port))
        one.add("k", "l")
        assert one.send() == [("k", "failed"), ("l", "failed")]
        assert "too large" in one.outbox.entry(1)[0].reply
        assert b"MAIL" not in server.heard


# --- what is no failure of the server --------------------------------------------------------------------------------


def test_a_missing_network_is_no_attempt(post: Making, free_port: int) -> None:
    one = post(settings(free_port, host="mail.invalid"))
    one.route = False
    one.add("k", "l")
    for _ in range(100):
        one.clock.now += MINUTE
        assert one.send() == [("k", "queued")] or one.send() == [("l", "queued")]
    assert (one.attempts(1), one.attempts(2), cause(one)) == ([], [], Cause.NETWORK)
    assert "no network" in str(one.fault)


def test_a_suspend_in_an_attempt_is_no_failure(post: Making) -> None:
    def slept(talk: h.Talk) -> None:
        one.clock.sleep(8 * HOUR)
        raise h.Gone

    with h.hostile(h.script(MAIL=[slept, b"250 ok\r\n"])) as server:
        one = post(settings(server.port))
        one.add("k")
        assert one.send() == [("k", "queued")]
        assert (one.attempts(), cause(one), one.fault) == ([], Cause.BLOCKED, None)
        one.clock.now += timedelta(seconds=15)
        assert one.send() == [("k", "sent")]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"greeting": b"554 5.7.1 go away\r\n"}, ""),
        ({"AUTH": h.close}, "at each sign-in"),
        ({"STARTTLS": h.take_mail(h.close, b"220 go on\r\n")}, "strips TLS"),
    ],
    ids=["greeting", "sign-in", "tls"],
)
def test_three_times_the_same_parks_the_account(post: Making, answers: dict[str, Any], words: str) -> None:
    secured = "STARTTLS" in answers
    offers = b"250-mail.test\r\n250 STARTTLS\r\n" if secured else h.OFFERS

    def close_after_220(talk: h.Talk) -> None:
        talk.say(b"220 go on\r\n")
        raise h.Gone

    if secured:
        answers = {"STARTTLS": close_after_220}
    with h.hostile(h.script(EHLO=offers, **answers)) as server:
        smtp = settings(server.port, Security.STARTTLS if secured else Security.NONE, username=USER)
        one = post(smtp)
        one.add("k", "l")
        for _ in range(5):
            one.send()
            one.clock.now += 20 * MINUTE
        assert server.connections in {3, 4}, "the fourth is the slow probe"
        assert (cause(one), words in str(one.fault)) == (Cause.ACCOUNT, True)
        if words == "at each sign-in":
            one.clock.now += 1000 * HOUR
            assert one.send() == [], "nothing signs in again by itself"


def test_a_pause_ends_where_a_secret_was_changed_without_the_program(
    post: Making, server_tls: Any, ca_file: str
) -> None:
    inbox = Inbox()
    with aiosmtpd(inbox, tls_context=server_tls(), auth_required=True):
        smtp = settings(inbox.port, Security.STARTTLS, username=USER, ca_file=ca_file)
        one = post(smtp, "an old password")
        one.add("k")
        one.send()
    hold = one.outbox.hold()
    assert hold is not None
    assert hold.fingerprint == one.courier._fingerprint(smtp)
    assert PASSWORD not in hold.fingerprint
    one.credentials.set(smtp_account(smtp), Secret(PASSWORD))
    secret_changed(one.folder, "smtp-password")
    assert hold.fingerprint != one.courier._fingerprint(smtp)


def test_a_rate_reply_stops_the_whole_account(post: Making) -> None:
    slower = h.take_mail(b"450 4.7.1 rate limit exceeded, try again in 120 seconds\r\n")
    with h.hostile(h.script(DATA=[slower, h.take_mail(), h.take_mail()])) as server:
        one = post(settings(server.port))
        one.add("k", "l")
        first = one.send()
        assert (first, cause(one)) == ([("k", "queued")], Cause.RATE)
        assert "Sending resumes at 07:02" in str(one.fault)
        one.clock.now += timedelta(seconds=119)
        assert one.send() == []
        one.clock.now += timedelta(seconds=1)
        assert sorted(one.send()) == [("k", "sent"), ("l", "sent")]
