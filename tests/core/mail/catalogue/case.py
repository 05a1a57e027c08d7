"""A case of the hostile-server catalogue: what a server does, and where the mail and the outbox must end.

Each case goes through the outbox and the courier, as the program's own mails do, against a real server.
"""

import base64
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.core.mail import hostile as h
from tests.core.mail.office import MINUTE, PEOPLE, Post
from tests.core.mail.wire import NONE, PASSWORD, USER, Inbox, aiosmtpd, settings
from vxtray.core.errors import VxtrayError, fill
from vxtray.core.mail.connection import Limits
from vxtray.core.mail.hold import Cause
from vxtray.core.mail.message import Attachment
from vxtray.core.mail.replies import words_of
from vxtray.core.settings.tree import Security, Smtp


class Ends(StrEnum):
    """The catalogue's outcomes; ``LATER`` is its RETRY where only this mail waits."""

    OK = "delivered"
    RETRY = "queued, and the server is probed again"
    LATER = "queued, and tried again while others may leave"
    FAIL = "failed, with the server's words"
    PARK = "queued, and the account waits for a person"
    DOUBT = "queued, and it may have arrived"
    SEC = "parked before a secret or a mail left"


@dataclass
class World:
    """Certificates and files of one test."""

    folder: Path
    authority: trustme.CA

    @property
    def ca_file(self) -> str:
        """The file of the authority that the client trusts."""
        return self.file("authority.pem", self.authority.cert_pem.bytes())

    def file(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def tls(self, *names: str, **options: Any) -> ssl.SSLContext:
        """Return the context of a server with a good certificate for these names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*(names or ("localhost", "127.0.0.1")), **options).configure_cert(context)
        return context

    def context(self, key: bytes, *chain: bytes, ciphers: str = "") -> ssl.SSLContext:
        """Return the context of a server that shows these certificates (PEM)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if ciphers:
            context.set_ciphers(ciphers)
        context.load_cert_chain(self.file("chain.pem", key + b"".join(chain)))
        return context


Script = Callable[[h.Talk], None]
Serve = Callable[[World], Script]


@dataclass(frozen=True, kw_only=True)
class Case:
    """``says`` and ``advises`` are parts of what a person reads; ``tries`` how often it must come to end so.

    ``states`` are those of the recipients afterwards, ``never`` what the server must not hear.
    """

    serve: Serve
    ends: Ends
    fault: type[VxtrayError] = VxtrayError
    says: str = ""
    advises: str = ""
    stage: str = ""
    wait: timedelta = MINUTE
    tries: int = 1
    connections: int = 0
    security: Security = NONE
    signs_in: bool = True
    password: str = PASSWORD
    seconds: float = 5
    changes: dict[str, Any] = field(default_factory=dict)
    to: tuple[str, ...] = PEOPLE[:1]
    states: tuple[str, ...] = ()
    never: tuple[bytes, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    limits: Limits | None = None
    window: int = 0


def numbered(rows: Iterable[tuple[str, Case]]) -> pytest.MarkDecorator:
    """Make each row a test that bears its number."""
    listed = list(rows)
    return pytest.mark.parametrize("case", [case for _, case in listed], ids=[number for number, _ in listed])


# --- servers ---------------------------------------------------------------------------------------------------------

OFFERS_TLS = b"250-mail.test\r\n250-AUTH LOGIN PLAIN\r\n250 STARTTLS\r\n"


def in_clear(**answers: Any) -> Serve:
    return lambda _world: h.script(**answers)


def upgrade(context: ssl.SSLContext, go: bytes = b"220 go\r\n") -> Callable[[h.Talk], None]:
    """Answer STARTTLS and bring up TLS."""

    def answer(talk: h.Talk) -> None:
        talk.say(go)
        talk.upgrade(context)

    return answer


def offers(before: bytes = OFFERS_TLS, after: bytes = h.OFFERS) -> Callable[[h.Talk], None]:
    """Answer EHLO, by whether the connection is protected."""
    return lambda talk: talk.say(after if isinstance(talk.sock, ssl.SSLSocket) else before)


def over_starttls(make: Callable[[World], ssl.SSLContext] = World.tls, **answers: Any) -> Serve:
    """Serve with STARTTLS and this certificate."""
    return lambda world: h.script(**({"EHLO": offers(), "STARTTLS": upgrade(make(world))} | answers))


def over_tls(make: Callable[[World], ssl.SSLContext] = World.tls, **answers: Any) -> Serve:
    """Serve with TLS from the start and this certificate."""

    def serve(world: World) -> Script:
        context, polite = make(world), h.script(**answers)

        def script(talk: h.Talk) -> None:
            talk.upgrade(context)
            polite(talk)

        return script

    return serve


def _as_they_are(limits: Limits, _smtp: Smtp) -> Limits:
    return limits


# --- what is asked of the program ------------------------------------------------------------------------------------


def run(case: Case, world: World, post: Callable[..., Post]) -> tuple[Post, h.Hostile]:
    """Let the outbox deliver a mail to the server of the case, and compare all that can be seen of it."""
    changes = {"timeout_seconds": case.seconds, "ca_file": world.ca_file} | case.changes
    user = USER if case.signs_in else ""
    options = {} if case.limits is None else {"limits": partial(_as_they_are, case.limits)}
    with h.hostile(case.serve(world), window=case.window) as server:
        one = post(settings(server.port, case.security, **({"username": user} | changes)), case.password, **options)
        one.add("k", to=case.to, attachments=case.attachments)
        queued = one.outbox.entry(1)
        for _ in range(case.tries - 1):
            assert_retried(one, one.outbox.next_due() is not None)
            due = one.outbox.next_due()
            assert due is not None
            one.clock.now = due
        assert_ends(one, server, case)
    entry, people, _, data = one.outbox.entry(1)
    assert (entry.message_id, entry.added_at, data) == (queued[0].message_id, queued[0].added_at, queued[3])
    assert tuple(people[address][0] for address in case.to) == case.states or not case.states
    assert [word for word in case.never if word in server.heard] == []
    return one, server


def assert_arrives_as_queued(one: Post) -> None:
    """Once the server behaves, those who wait get the bytes of the beginning, with its Message-ID and Date (D22)."""
    _, people, _, data = one.outbox.entry(1)
    due, inbox = one.outbox.next_due(), Inbox()
    assert due is not None
    one.clock.now = due
    with aiosmtpd(inbox):
        one.renew(settings(inbox.port))
        assert one.send() == [("k", "sent")], one.fault
    waited = tuple(address for address, (state, _) in people.items() if state == "queued")
    assert inbox.taken == [("reports@example.com", waited, data)]
    assert one.outbox.hold() is None


def assert_retried(one: Post, waits: bool = True) -> None:
    assert waits
    assert one.send() == [("k", "queued")]
    hold = one.outbox.hold()
    assert hold is not None
    assert hold.cause in {Cause.SERVER, Cause.RATE}, one.fault
    assert hold.until is not None


def assert_ends(one: Post, server: h.Hostile, case: Case) -> None:
    """Send what is due, and look at the outbox, the words, and what the server was told."""
    if case.ends is Ends.OK:
        assert one.send() == [("k", "sent")], one.fault
        assert (one.fault, one.attempts()[-1]) == (None, "sent")
        assert b"Subject: Subject k" in server.mail
        assert_silent_about_secrets(one, case.password)
        return
    if case.ends is Ends.RETRY:
        assert_retried(one)
        assert one.outbox.next_due() == one.clock() + case.wait
    elif case.ends is Ends.LATER:
        assert one.send() == [("k", "queued")]
        assert (one.attempts()[-1], one.outbox.hold()) == ("later", None)
        assert one.outbox.next_due() == one.clock() + case.wait
    elif case.ends is Ends.FAIL:
        assert one.send() == [("k", "failed")]
        assert (one.attempts()[-1], one.outbox.hold(), one.outbox.next_due()) == ("failed", None, None)
    elif case.ends is Ends.DOUBT:
        assert one.send() == [("k", "queued")]
        assert one.attempts()[-1] == "doubt"
        assert one.outbox.next_due() == one.clock() + 15 * MINUTE
    else:
        assert_parked(one)
        if case.ends is Ends.SEC:
            assert_nothing_left(server, case.password)
    assert server.connections == (case.connections or server.connections)
    assert_words(one, case)
    assert_silent_about_secrets(one, case.password)


def assert_parked(one: Post) -> None:
    """The mail is kept, and neither now nor within the next half hour anything is tried."""
    assert one.send() == [("k", "queued")]
    hold = one.outbox.hold()
    assert hold is not None
    assert hold.cause is Cause.ACCOUNT, one.fault
    assert one.send() == []
    one.clock.now += 29 * MINUTE
    assert one.send() == []
    assert {entry.state for entry in one.outbox.entries()} == {"queued"}


def assert_words(one: Post, case: Case) -> None:
    """What holds the queue is told as a fault; of a mail alone, the history explains the server's words."""
    fault = one.fault
    entry, _, attempts, _ = one.outbox.entry(1)
    if case.ends in {Ends.LATER, Ends.FAIL}:
        known = words_of(str(attempts[-1]["stage"]), entry.reply)
        title, advice = (known.title, known.advice) if known else (entry.reply, "told with it")
    else:
        assert fault is not None
        assert type(fault) is case.fault or case.fault is VxtrayError, repr(fault)
        title, advice = str(fault), fill(fault.advice_id, fault.values)
    assert case.says in title
    assert case.advises in advice
    assert advice
    assert "{" not in title + advice
    assert entry.reply
    assert len(entry.reply) <= 500
    assert entry.reply.isprintable()
    assert case.stage in {"", attempts[-1]["stage"]}


def assert_nothing_left(server: h.Hostile, password: str = PASSWORD) -> None:
    """Neither a sign-in nor an envelope, not even a part of one."""
    for word in (b"AUTH", b"MAIL", b"RCPT", b"DATA", *forms(USER), *forms(password)):
        assert word not in server.heard


def assert_silent_about_secrets(one: Post, password: str) -> None:
    kept = repr(one.outbox.entry(1)) + repr(one.outbox.hold()) + repr(one.fault) + repr(one.outbox.history())
    for form in forms(password):
        assert form.decode() not in kept


def forms(secret: str) -> tuple[bytes, ...]:
    """Return a secret as it stands, and as it travels."""
    raw = secret.encode()
    return raw, base64.b64encode(raw), base64.b64encode(f"\0{USER}\0{secret}".encode())
