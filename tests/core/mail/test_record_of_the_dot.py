"""That a mail may arrive is on record before its dot leaves, at the price of one wait for the disk."""

import ssl
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.core.mail import hostile as h
from tests.core.mail.office import Post
from tests.core.mail.wire import Inbox, aiosmtpd, settings
from vxtray.core.errors import StoreFull
from vxtray.core.mail import certificates
from vxtray.core.mail.outbox import Outbox
from vxtray.core.mail.statefile import full

DOT = b"\r\n.\r\n"


# --- the order -------------------------------------------------------------------------------------------------------


def test_the_dot_waits_for_the_record(post: Callable[..., Post]) -> None:
    seen: list[bytes] = []
    with h.hostile(h.script()) as server:
        one = post(settings(server.port))
        record = one.outbox.dot_follows

        def watched(mail: int, now: datetime) -> None:
            seen.append(bytes(server.heard))
            record(mail, now)

        one.courier._dot_follows = watched
        one.add("k")
        assert one.send() == [("k", "sent")]
        assert len(seen) == 1
        assert DOT not in seen[0]
        assert DOT in server.heard


def test_without_a_record_no_dot_leaves(post: Callable[..., Post]) -> None:
    with h.hostile(h.script()) as server:
        one = post(settings(server.port))

        def refuse(*_about: Any) -> None:
            raise full(one.outbox.path)

        one.courier._dot_follows = refuse
        one.add("k")
        with pytest.raises(StoreFull):
            one.send()
        assert DOT not in server.heard
        assert one.outbox.entry(1)[0].state == "queued"
        assert one.outbox.recover() == 0, "nothing is in doubt"
        one.courier._dot_follows = one.outbox.dot_follows
        assert one.send() == [("k", "sent")]


def test_whom_nobody_accepts_is_never_in_doubt(post: Callable[..., Post]) -> None:
    noted: list[int] = []
    with h.hostile(h.script(RCPT=b"550 5.1.1 nobody\r\n")) as server:
        one = post(settings(server.port))
        one.courier._dot_follows = lambda mail, _now: noted.append(mail)
        one.add("k")
        assert one.send() == [("k", "failed")]
    assert noted == []


class Crash(BaseException):
    """The process ended here: nothing is written after it."""


#: Where it ends, how many of three mails arrived, and which mail is in hand and in doubt then.
CRASHES = [
    ("before the record", 1, ["k1"], []),
    ("after the record", 1, ["k1"], ["k1"]),
    ("after the dot", 2, ["k1"], ["k1"]),
    ("after its word is on record", 2, [], []),
]


@pytest.mark.parametrize(("where", "arrived", "in_hand", "doubtful"), CRASHES, ids=[case[0] for case in CRASHES])
def test_a_crash_between_the_steps(
    post: Callable[..., Post], where: str, arrived: int, in_hand: list[str], doubtful: list[str]
) -> None:
    with aiosmtpd(Inbox()) as inbox:
        one = post(settings(inbox.port))
        one.add("k0", "k1", "k2")
        record, settle, deliver = one.outbox.dot_follows, one.outbox._settle, one.courier.deliver

        def crash() -> None:
            one.outbox._settle = lambda *_about: None  # type: ignore[method-assign,assignment,return-value]
            raise Crash

        def recording(mail: int, now: datetime) -> None:
            if where == "before the record" and mail == 2:
                crash()
            record(mail, now)
            if where == "after the record" and mail == 2:
                crash()

        def delivering(parcel: Any) -> Any:
            outcome = deliver(parcel)
            if where == "after the dot" and parcel.id == 2:
                crash()
            return outcome

        def settling(*about: Any) -> Any:
            delivery = settle(*about)
            if where == "after its word is on record" and about[0].id == 2:
                crash()
            return delivery

        one.courier._dot_follows = recording
        one.courier.deliver = delivering  # type: ignore[method-assign]
        one.outbox._settle = settling  # type: ignore[method-assign]
        with pytest.raises(Crash):
            one.send()
        one.courier.rest(now=True)
        assert len(inbox.taken) == arrived

        again = Outbox(one.outbox.path)
        try:
            assert again.recover() == len(in_hand)
            for number in range(3):
                entry, _people, attempts, _data = again.entry(number + 1)
                key = f"k{number}"
                in_doubt = "doubt" in [attempt["outcome"] for attempt in attempts]
                assert in_doubt == (key in doubtful), key
                assert entry.state == ("sent" if number < 2 - len(in_hand) else "queued"), key
        finally:
            again.close()


def test_a_mail_waits_for_the_disk_once(post: Callable[..., Post]) -> None:
    """Three transactions a mail, of which one is synced; and no more statements than there were."""
    mails, said = 10, list[str]()
    with aiosmtpd(Inbox()) as inbox:
        one = post(settings(inbox.port))
        one.add(*(f"k{number}" for number in range(mails)))
        one.outbox._db.set_trace_callback(said.append)
        assert len(one.send()) == mails
        one.outbox._db.set_trace_callback(None)
    synced = unsynced = 0
    durable = True
    for statement in said:
        if statement.startswith("PRAGMA synchronous="):
            durable = statement.endswith("FULL")
        elif statement == "COMMIT":
            synced, unsynced = synced + durable, unsynced + (not durable)
    assert synced == mails + 1, "one for each dot, and one behind the last mail"
    assert unsynced == 2 * mails + 1, "taken and settled, and a last look"
    assert len(said) <= 24 * mails + 10


# --- whom a connection trusts ----------------------------------------------------------------------------------------


def trusts(context: ssl.SSLContext, server: ssl.SSLContext) -> bool:
    """Return whether a handshake succeeds."""
    ends = [(ssl.MemoryBIO(), ssl.MemoryBIO()) for _ in range(2)]
    (to_client, from_client), (to_server, from_server) = ends
    client = context.wrap_bio(to_client, from_client, server_hostname="127.0.0.1")
    other = server.wrap_bio(to_server, from_server, server_side=True)
    for _turn in range(6):
        for side in (client, other):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError:
                return False
            to_server.write(from_client.read())
            to_client.write(from_server.read())
    return client.version() is not None


@pytest.mark.skipif(ssl.get_default_verify_paths().cafile is None, reason="the system's store is not one file")
def test_a_context_is_kept_until_what_it_trusts_changes(
    monkeypatch: pytest.MonkeyPatch, server_tls: Callable[..., ssl.SSLContext], ca_file: str, tmp_path: Path
) -> None:
    store, server = tmp_path / "store.pem", server_tls()
    trustme.CA().cert_pem.write_to_path(store)
    monkeypatch.setenv("SSL_CERT_FILE", str(store))
    first = certificates.kept_context("")
    assert not trusts(first, server)
    assert certificates.kept_context("") is first
    by_file = certificates.kept_context(ca_file)
    assert trusts(by_file, server)
    assert certificates.kept_context(ca_file) is by_file
    assert not trusts(certificates.kept_context(""), server), "what one setting trusts, no other does"
    store.write_bytes(Path(ca_file).read_bytes())
    assert trusts(certificates.kept_context(""), server), "the administrator added an authority"
    trustme.CA().cert_pem.write_to_path(store)
    assert not trusts(certificates.kept_context(""), server), "and took it away"
    trustme.CA().cert_pem.write_to_path(ca_file)
    assert not trusts(certificates.kept_context(ca_file), server)


def test_a_kept_context_is_as_strict(ca_file: str) -> None:
    kept, made = certificates.kept_context(ca_file), certificates.client_context(ca_file)
    for name in ("minimum_version", "verify_mode", "check_hostname", "verify_flags", "options"):
        assert getattr(kept, name) == getattr(made, name), name
    assert not kept.hostname_checks_common_name
