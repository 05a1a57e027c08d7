"""R01 to R20 of the catalogue: the envelope."""

import email
import email.policy
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.mail import hostile as h
from tests.core.mail.catalogue.case import Case, Ends, World, assert_arrives_as_queued, in_clear, numbered, run
from tests.core.mail.office import HOUR, MINUTE, PEOPLE, Post
from tests.core.mail.wire import SENDER, Inbox, aiosmtpd, settings
from vxtray.core.errors import SettingsInvalid
from vxtray.core.mail.faults import MailError, MessageRefused, ProtocolError, RecipientsRefused, SenderRefused
from vxtray.core.mail.hold import Cause
from vxtray.core.mail.message import Attachment, Mail
from vxtray.core.mail.outbox import Outgoing
from vxtray.core.mail.protocol import command, wire_address
from vxtray.core.mail.smtp import Session
from vxtray.core.settings.tree import check_value
from vxtray.core.settings.wellformed import is_address

OK, UNKNOWN, GREY = b"250 2.1.5 ok\r\n", b"550 5.1.1 user unknown\r\n", b"451 4.7.1 Greylisted, come back\r\n"
_LATER = "cannot take this right now"


def sender(reply: Any, **changes: Any) -> Case:
    """MAIL is answered so."""
    usual = Case(serve=in_clear(MAIL=reply), ends=Ends.RETRY, stage="sender", fault=SenderRefused, never=(b"RCPT",))
    return replace(usual, **changes)


def recipients(*replies: bytes, **changes: Any) -> Case:
    """Each RCPT gets one of these answers."""
    usual = Case(serve=in_clear(RCPT=list(replies)), ends=Ends.FAIL, stage="recipients", to=PEOPLE[: len(replies)])
    return replace(usual, **changes)


def busy(reply: bytes, wait: timedelta, says: str = "asks to send more slowly", **changes: Any) -> Case:
    """The server limits the account: all wait, as long as it says."""
    return sender(reply, wait=wait, says=says, advises="tries again by itself", **changes)


_FROM = "may not send with the given sender address"
_MISFORMED = "gave an answer that does not belong here"
_MANY = "Too many programs or devices use the mail server at once"
_SMALL = b"250-mail.test\r\n250-AUTH LOGIN\r\n250 SIZE 100\r\n"

CASES = [
    ("R01 451", sender(b"451 4.9.9 not now\r\n", says=_LATER)),
    ("R01 451 of the server", sender(b"451 4.3.0 local error in processing\r\n", says="has a problem of its own")),
    ("R01 452", sender(b"452 4.3.1 insufficient system storage\r\n", says="has no room left")),
    ("R01 421", sender(b"421 4.3.2 service shutting down\r\n", says="too busy", never=(b"RCPT", b"RSET", b"QUIT"))),
    (
        "R02 550",
        sender(b"550 5.7.60 SMTP; Client does not have permissions to send as this sender\r\n", ends=Ends.PARK),
    ),
    ("R02 553", sender(b"553 5.7.1 <x>: not owned by user y\r\n", ends=Ends.PARK, says=_FROM, advises="Set “From” to")),
    ("R02 unknown", sender(b"550 5.7.1 no\r\n", ends=Ends.PARK, says="refused the sender", advises="Set “From” to")),
    ("R03", sender(b"552 5.3.4 too big\r\n", ends=Ends.FAIL, says="too large", advises="Switch off the attachments")),
    ("R04 450", recipients(b"450 4.2.0 greylisted\r\n", ends=Ends.LATER, wait=5 * MINUTE, says="(greylisting)")),
    ("R04 451", recipients(GREY, ends=Ends.LATER, wait=5 * MINUTE, says="(greylisting)", states=("queued",))),
    ("R04 hint", recipients(b"450 4.7.1 Greylisted for 600 seconds\r\n", ends=Ends.LATER, wait=10 * MINUTE)),
    (
        "R06",
        recipients(
            *(UNKNOWN, b"553 5.1.3 bad\r\n", b"550 5.2.1 mailbox disabled\r\n"),
            says="does not know this recipient",
            states=("failed",) * 3,
            never=(b"DATA",),
        ),
    ),
    (
        "R07",
        recipients(
            *(b"450 4.2.1 not now\r\n", b"451 4.9.9 x\r\n", b"452 4.2.2 mailbox full\r\n"),
            ends=Ends.LATER,
            wait=5 * MINUTE,
            states=("queued",) * 3,
            never=(b"DATA",),
        ),
    ),
    ("R09 432", busy(b"432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded\r\n", MINUTE, _MANY)),
    ("R09 421", busy(b"421 4.3.2 The maximum number of concurrent connections has exceeded\r\n", MINUTE, _MANY)),
    (
        "R09 after the dot",
        Case(
            serve=in_clear(DATA=h.take_mail(b"432 4.3.2 Concurrent connections limit exceeded\r\n")),
            ends=Ends.RETRY,
            fault=MessageRefused,
            says=_MANY,
            stage="data",
        ),
    ),
    ("R10 450", busy(b"450 4.7.1 rate limit exceeded, try again in 3600 s\r\n", HOUR)),
    ("R10 5.7.x", busy(b"550 5.7.1 throttled, retry after 90 minutes\r\n", 90 * MINUTE)),
    ("R10 capped", busy(b"450 4.7.1 rate limit exceeded, try again in 999999 s\r\n", 6 * HOUR)),
    ("R10 unnamed", busy(b"451 4.7.1 too fast, slow down\r\n", 15 * MINUTE)),
    (
        "R10 at RCPT",
        recipients(
            b"450 4.7.1 rate limit exceeded, try again in 3600 seconds\r\n",
            ends=Ends.RETRY,
            fault=RecipientsRefused,
            wait=HOUR,
            says="asks to send more slowly",
            states=("queued",),
        ),
    ),
    (
        "R11",
        recipients(b"251 2.1.5 will forward\r\n", b"252 2.0.0 will try\r\n", ends=Ends.OK, states=("sent", "sent")),
    ),
    ("R12 354", recipients(b"354 go on\r\n", ends=Ends.RETRY, fault=ProtocolError, says=_MISFORMED)),
    ("R12 220", recipients(b"220 hello\r\n", ends=Ends.RETRY, fault=ProtocolError, says=_MISFORMED)),
    ("R12 at MAIL", sender(b"354 go on\r\n", fault=ProtocolError, says=_MISFORMED, never=(b"RCPT", b"RSET", b"QUIT"))),
    (
        "R13",
        Case(serve=in_clear(EHLO=_SMALL), ends=Ends.FAIL, says="too large", never=(b"MAIL",)),
    ),
]


@numbered(CASES)
def test_envelope(case: Case, world: World, post: Callable[..., Post]) -> None:
    one, server = run(case, world, post)
    if case.fault is ProtocolError:
        assert b"RSET" not in server.heard, "nobody knows what it would be taken for"
    if case.ends in {Ends.RETRY, Ends.LATER}:
        assert_arrives_as_queued(one)


@pytest.mark.parametrize(
    ("refuses", "kept"),
    [({"MAIL": [b"552 5.3.4 message size exceeds fixed limit\r\n", b"250 ok\r\n"]}, 1), ({"EHLO": _SMALL}, 0)],
    ids=["R03 short form", "R13 short form"],
)
def test_too_large_goes_without_its_attachment(refuses: dict[str, Any], kept: int, post: Callable[..., Post]) -> None:
    """R13 knows before MAIL, R03 hears it then; neither sends what is too large, and the mail says what is missing."""
    if "EHLO" in refuses:
        refuses = {"EHLO": b"250-mail.test\r\n250 SIZE 20000\r\n"}
    with h.hostile(h.script(**refuses)) as server:
        one = post(settings(server.port))
        one.add("k", attachments=(Attachment("events.csv", "text/csv", b"x" * 30_000),))
        date = email.message_from_bytes(one.outbox.entry(1)[3])["Date"]
        assert one.send() == [("k", "queued"), ("k", "sent")]
        assert one.attempts() == ["lighter", "sent"]
        assert (server.heard.count(b"MAIL"), server.heard.count(b"DATA\r\n")) == (1 + kept, 1)
    message = email.message_from_bytes(server.mail, policy=email.policy.default)
    assert (message["Message-ID"], message["Date"]) == ("<k@example.com>", date)
    assert "The attachment events.csv was left out" in message.get_content_type() + server.mail.decode()


def test_r05_each_recipient_has_a_state_of_its_own(post: Callable[..., Post]) -> None:
    with h.hostile(h.script(RCPT=[OK, UNKNOWN, GREY, OK], DATA=[h.take_mail(), h.take_mail()])) as server:
        one = post(settings(server.port))
        one.add("k", to=PEOPLE)
        assert one.send() == [("k", "queued")]
        first = server.mail
        entry, people, _, _ = one.outbox.entry(1)
        assert people == {
            PEOPLE[0]: ("sent", "250 2.0.0 taken"),
            PEOPLE[1]: ("failed", "550 5.1.1 user unknown"),
            PEOPLE[2]: ("queued", "451 4.7.1 Greylisted, come back"),
        }
        assert entry.reply == "451 4.7.1 Greylisted, come back"
        assert (one.outbox.next_due(), one.outbox.hold()) == (one.clock() + 5 * MINUTE, None)
        server.heard.clear()
        one.clock.now += 5 * MINUTE
        assert one.send() == [("k", "sent")]
        assert re.findall(rb"RCPT TO:<[^>]*>", server.heard) == [b"RCPT TO:<c@example.org>"]
        assert server.mail == first
    assert [state for state, _ in one.outbox.entry(1)[1].values()] == ["sent", "failed", "sent"]
    assert one.attempts() == ["sent", "sent"]


@pytest.mark.parametrize(
    "enough",
    [b"452 4.5.3 too many recipients\r\n", b"452 too many recipients\r\n", b"552 too many recipients\r\n"],
    ids=["R08", "R08 no enhanced code", "R08 552 of old servers"],
)
def test_too_many_recipients(enough: bytes, post: Callable[..., Post]) -> None:
    """The first two now, the next two in a further transaction, the last in another (RFC 5321 4.5.3.1.10)."""
    people = tuple(f"p{number}@example.org" for number in range(5))
    replies: list[h.Answer] = [OK, OK, enough, OK, OK, enough, OK]
    with h.hostile(h.script(RCPT=replies)) as server:
        one = post(settings(server.port))
        one.add("k", to=people)
        assert one.send() == [("k", "queued"), ("k", "queued"), ("k", "sent")]
        asked = [found.decode() for found in re.findall(rb"RCPT TO:<([^>]*)>", server.heard)]
        assert asked == [*people[:3], *people[2:5], people[4]]
        assert (server.heard.count(b"\r\nDATA\r\n"), server.connections) == (3, 1)
    assert {state for state, _ in one.outbox.entry(1)[1].values()} == {"sent"}
    assert one.attempts() == ["sent"] * 3


def test_r09_one_connection_and_the_account_waits(post: Callable[..., Post]) -> None:
    slow = b"432 4.3.2 sender thread limit exceeded\r\n"
    with h.hostile(h.script(MAIL=[slow, slow, OK, OK, OK])) as server:
        one = post(settings(server.port))
        one.add("k", "l", "m")
        for number in (1, 2):
            assert len(one.send()) == 1, "one probes for all"
            hold = one.outbox.hold()
            assert hold is not None
            assert (hold.cause, server.connections) == (Cause.RATE, number)
            one.clock.now += MINUTE
        assert sorted(one.send()) == [("k", "sent"), ("l", "sent"), ("m", "sent")]
        assert server.connections == 3


# --- addresses and bytes -------------------------------------------------------------------------------------------


def test_r14_without_8bitmime_the_wire_is_7_bit(post: Callable[..., Post]) -> None:
    with h.hostile(h.script(EHLO=b"250 mail.test\r\n")) as server:
        one = post(settings(server.port))
        one.add("k", html="<p>été ✓ \U0001f511</p>", attachments=(Attachment("é.csv", "text/csv", "ä".encode() * 99),))
        assert one.send() == [("k", "sent")]
        assert server.heard.isascii()
    html = email.message_from_bytes(server.mail, policy=email.policy.default).get_body(("html",))
    assert html is not None
    assert html.get_content().strip() == "<p>été ✓ \U0001f511</p>"


def test_r15_a_subject_needs_no_smtputf8(post: Callable[..., Post]) -> None:
    with h.hostile(h.script(EHLO=b"250 mail.test\r\n")) as server:
        one = post(settings(server.port))
        mail = Mail(
            subject="Subject été ✓",
            text="x",
            html="",
            from_address=SENDER,
            from_name="Équipe",
            recipients=PEOPLE[:1],
            message_id="<k@example.com>",
            date=one.clock(),
        )
        one.add_mail("k", mail)
        assert [state for _, state in one.send()] == ["sent"]
        assert server.heard.isascii()
    assert email.message_from_bytes(server.mail, policy=email.policy.default)["Subject"] == "Subject été ✓"


@pytest.mark.parametrize(
    "offer", [b"250 mail.test\r\n", b"250-mail.test\r\n250 SMTPUTF8\r\n"], ids=["R16", "R16 offered"]
)
def test_a_local_part_that_is_not_ascii_fails_alone(offer: bytes, post: Callable[..., Post]) -> None:
    with h.hostile(h.script(EHLO=offer)) as server:
        one = post(settings(server.port))
        one.add("k", to=("jürgen@example.com", "a@example.org"))
        assert one.send() == [("k", "sent")]
        assert re.findall(rb"RCPT TO:<([^>]*)>", server.heard) == [b"a@example.org"]
        state, why = one.outbox.entry(1)[1]["jürgen@example.com"]
        assert (state, "special characters before the @" in why) == ("failed", True)
        one.add("l", to=("jürgen@example.com",))
        assert one.send() == [("l", "failed")]
        assert server.heard.count(b"DATA\r\n") == 1


def test_r17_a_domain_travels_as_a_labels(post: Callable[..., Post]) -> None:
    with h.hostile(h.script(EHLO=b"250 mail.test\r\n")) as server:
        one = post(settings(server.port))
        one.add("k", to=("a@bücher.example",))
        assert one.send() == [("k", "sent")]
        assert b"RCPT TO:<a@xn--bcher-kva.example>\r\n" in server.heard
    assert email.message_from_bytes(server.mail)["To"] == "a@xn--bcher-kva.example"
    assert one.outbox.entry(1)[1] == {"a@bücher.example": ("sent", "250 2.0.0 taken")}


#: What a careless or a hostile entry may hold: RFC 5321 allows some of it, no server needs it.
ODD = {
    "R18": [
        "",
        "@",
        "a@",
        "@b.example",
        "a@@b.example",
        '"a b"@example.com',
        "a@" + "b." * 126 + "example",
        "a" * 65 + "@b.c",
    ],
    "R19": [
        "a@b.example\r\nRCPT TO:<evil@example.net>",
        "a@b.example\nDATA",
        "a@b.example> NOTIFY=NEVER",
        "<a@b.example>",
        "a b@example.com",
        "a\0@example.com",
        "a@b.example\x00",
        "a@b.example SIZE=1",
        "a@\u2028b.example",
        "a\x85@b.example",
    ],
}
ADDRESSES = [(f"{number} {position}", address) for number, odd in ODD.items() for position, address in enumerate(odd)]
_PATH = re.compile(rb"RCPT TO:<[!-;=?A-~]{1,64}@[A-Za-z0-9._:\[\]-]{1,255}>\r\n")


@pytest.mark.parametrize("address", [address for _, address in ADDRESSES], ids=[number for number, _ in ADDRESSES])
def test_no_address_at_entry_and_none_at_the_wire(address: str, post: Callable[..., Post]) -> None:
    if address:
        with pytest.raises(SettingsInvalid):
            check_value("smtp.recipients", (address,))
    with h.hostile(h.script()) as server:
        one = post(settings(server.port))
        one.add("k", to=(address, "a@example.org"))  # as a damaged file or a later fault may leave it
        assert one.send() == [("k", "sent")]
        assert re.findall(rb"(?i)RCPT[^\r\n]*", server.heard) == [b"RCPT TO:<a@example.org>"]
        state, why = one.outbox.entry(1)[1][address]
        assert (state, why) == ("failed", "This is not an e-mail address.")
        sender = one.outbox.entry(1)[3].replace(b"example.org", b"example.net")
        one.outbox.add(_outgoing("l", address, ("a@example.org",), sender), one.clock())
        assert one.send() == [("l", "queued")]
        assert "cannot be used as the sender" in str(one.fault)
        assert server.heard.count(b"MAIL FROM") == 1


def _outgoing(key: str, mail_from: str, to: tuple[str, ...], data: bytes) -> Outgoing:
    return Outgoing(
        key=key, kind="report", subject=key, message_id=f"<{key}@x>", mail_from=mail_from, recipients=to, data=data
    )


_ADDRESSES = st.one_of(
    st.text(max_size=80),
    st.text(alphabet='ab.@<> \r\n\0"\\:;,[]()=é', max_size=30),
    st.from_regex(r"[^@\s]{1,70}@[a-zé.-]{1,260}", fullmatch=True),
)


@given(_ADDRESSES)
@example("a@b.example> NOTIFY=NEVER")
@example("a@" + "b" * 300)
def test_r18_whatever_the_text_it_is_refused_or_one_plain_path(text: str) -> None:
    try:
        line = command(f"RCPT TO:<{wire_address(text)}>")
    except ValueError:
        return
    assert is_address(text)
    assert _PATH.fullmatch(line), line


@given(_ADDRESSES)
def test_r19_what_entry_takes_the_wire_takes_or_says_why(text: str) -> None:
    if not is_address(text):
        with pytest.raises(ValueError, match=r".*"):
            wire_address(text)
        return
    local, _, domain = text.rpartition("@")
    assert not set(text) & set('<>\r\n\0 \t"\\')
    assert (len(local) <= 64, len(domain) <= 253) == (True, True)


def test_r20_the_envelope_is_that_of_the_outbox(post: Callable[..., Post]) -> None:
    """Headers are for people: neither a name there nor what looks like another address changes who gets it."""
    inbox = Inbox()
    with aiosmtpd(inbox):
        one = post(settings(inbox.port))
        one.add("k")
        data = one.outbox.entry(1)[3]
        for header in (
            b'To: other@example.net, "b@example.org" <c@example.net>\r\nCc: d@example.net',
            b"To: (a@example.org) evil@example.net\r\nBcc: e@example.net\r\nResent-To: f@example.net",
            b"To: <b@example.org>c@example.net\r\nSender: g@example.net\r\nReturn-Path: <h@example.net>",
        ):
            forged = data.replace(b"To: a@example.org", header)
            assert forged != data
            one.outbox.add(_outgoing(repr(header), SENDER, ("b@example.org",), forged), one.clock())
        assert [state for _, state in one.send()] == ["sent"] * 4
    assert [(sender, people) for sender, people, _ in inbox.taken] == [
        (SENDER, ("a@example.org",)),
        *[(SENDER, ("b@example.org",))] * 3,
    ]


def test_r20_a_session_refuses_bytes_that_are_no_mail(post: Callable[..., Post]) -> None:
    with h.hostile(h.script()) as server:
        with Session(settings(server.port), None) as session, pytest.raises(MailError):
            session.deliver(SENDER, PEOPLE[:1], b"To: x\n\nbare\n")
        assert b"MAIL" not in server.heard
