"""STARTTLS and certificates: nothing leaves over a connection that is not protected as it was chosen."""

import logging
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme

from tests.core.mail import hostile as h
from tests.core.mail.wire import STARTTLS, TLS, Inbox, aiosmtpd, assert_nothing_told, failing, settings, with_user
from vxtray.core.credentials import Secret
from vxtray.core.mail.faults import (
    AuthError,
    Kind,
    Stage,
    TlsError,
)
from vxtray.core.settings.tree import Security


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({}, Kind.ACCOUNT),
        ({"EHLO": b"250-x\r\n250-XSTARTTLS\r\n250-START TLS\r\n250 AUTH LOGIN PLAIN\r\n"}, Kind.ACCOUNT),
        ({"EHLO": b"502 what\r\n"}, Kind.ADMIN),
        ({"EHLO": b"250 STARTTLS\r\n"}, Kind.ACCOUNT),
    ],
    ids=["missing", "look-alikes", "no EHLO", "only in the name"],
)
def test_starttls_stripped(answers: dict[str, Any], kind: Kind, secret: Secret) -> None:
    with h.hostile(h.script(**answers)) as server:
        fault = failing(with_user(server.port, STARTTLS), secret)
        assert fault.kind is kind
        assert_nothing_told(server)


OFFERS_TLS = b"250-mail.test\r\n250-AUTH LOGIN PLAIN\r\n250 starttls\r\n"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"454 4.7.0 TLS not available\r\n", Kind.TEMPORARY),
        (b"502 5.5.1 no\r\n", Kind.ACCOUNT),
        (b"250 ok\r\n", Kind.ACCOUNT),
        (b"221 ok\r\n", Kind.ACCOUNT),
        (b"220 go\r\n250 AUTH LOGIN PLAIN\r\n", Kind.ACCOUNT),  # the injected reply of NO STARTTLS
        (b"220 go\r\n250-mail", Kind.ACCOUNT),
        (b"220 go\r\n ", Kind.ACCOUNT),
        (lambda talk: (talk.say(b"220 go\r\n"), talk.hear(), talk.say(b"220 hi\r\n"), talk.hear()), Kind.ACCOUNT),
        (lambda talk: (talk.say(b"220 go\r\n"), h.close(talk)), Kind.TEMPORARY),
        (b"22", Kind.TEMPORARY),
    ],
    ids=["454", "502", "250", "221", "injected", "fragment", "blank", "plain after 220", "closed", "half"],
)
def test_starttls_goes_wrong(answer: Any, kind: Kind, secret: Secret) -> None:
    with h.hostile(h.script(EHLO=OFFERS_TLS, STARTTLS=answer)) as server:
        fault = failing(with_user(server.port, STARTTLS, timeout_seconds=1), secret)
        assert fault.step is Stage.TLS
        assert fault.kind is kind
        assert isinstance(fault, TlsError)
        assert_nothing_told(server)


def test_only_the_second_ehlo_counts(server_tls: Any, ca_file: str, secret: Secret) -> None:
    context = server_tls()

    def upgrade(talk: h.Talk) -> None:
        talk.say(b"220 go\r\n")
        talk.upgrade(context)

    second = b"250-x\r\n250-STARTTLS\r\n250 AUTH GSSAPI NTLM\r\n"
    with h.hostile(h.script(EHLO=[OFFERS_TLS, second], STARTTLS=upgrade)) as server:
        fault = failing(with_user(server.port, STARTTLS, ca_file=ca_file), secret)
        assert isinstance(fault, AuthError)
        assert "GSSAPI, NTLM" in str(fault)
        assert b"AUTH" not in server.heard


def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.parametrize("security", [STARTTLS, TLS])
@pytest.mark.parametrize(
    ("names", "options", "words"),
    [
        (("wrong.example",), {}, "for another name"),
        ((), {"not_after": now() - timedelta(days=1), "not_before": now() - timedelta(days=9)}, "has expired"),
        ((), {"not_before": now() + timedelta(days=1)}, "not valid yet"),
        ((), None, "does not know"),
    ],
    ids=["wrong name", "expired", "not yet", "unknown authority"],
)
def test_certificates(
    security: Security,
    names: tuple[str, ...],
    options: dict[str, Any] | None,
    words: str,
    server_tls: Any,
    ca_file: str,
    secret: Secret,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)  # asyncio tells of the failed handshake
    context = server_tls(*names, **(options or {}))
    tls: dict[str, Any] = {"ssl_context": context} if security is TLS else {"tls_context": context}
    inbox = Inbox()
    if security is TLS:
        script: Callable[[h.Talk], None] = lambda talk: (talk.upgrade(context), h.script()(talk))  # noqa: E731
        with h.hostile(script) as server:
            fault = failing(with_user(server.port, security, ca_file=ca_file if options is not None else ""), secret)
            assert not server.heard
    else:
        with aiosmtpd(inbox, **tls):
            fault = failing(with_user(inbox.port, security, ca_file=ca_file if options is not None else ""), secret)
    assert isinstance(fault, TlsError)
    assert words in str(fault)
    assert fault.kind is Kind.ACCOUNT
    assert inbox.tries == []


def test_common_name_alone_is_no_name(authority: trustme.CA, ca_file: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(common_name="localhost").configure_cert(context)
    with h.hostile(lambda talk: talk.upgrade(context)) as server:
        assert "another name" in str(failing(settings(server.port, TLS, ca_file=ca_file, host="localhost")))


def test_old_tls(server_tls: Any, ca_file: str) -> None:
    context = server_tls()
    with pytest.warns(DeprecationWarning, match=r"TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match=r"TLSv1 is deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with h.hostile(lambda talk: talk.upgrade(context)) as server:
        fault = failing(settings(server.port, TLS, ca_file=ca_file))
    assert isinstance(fault, TlsError)
    assert "too old" in str(fault)


def test_ports_mixed_up(server_tls: Any, ca_file: str) -> None:
    with h.hostile(h.script()) as server:
        fault = failing(settings(server.port, TLS))
        assert "does not speak TLS from the start" in str(fault)
        assert "STARTTLS" in fault.advice_id
    context = server_tls()
    with h.hostile(lambda talk: talk.upgrade(context)) as server:
        fault = failing(settings(server.port, STARTTLS, timeout_seconds=1))
        assert fault.step is Stage.GREETING
        assert "said nothing" in str(fault)
        assert "465" in fault.advice_id


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_ca_file_that_cannot_be_used(content: str | None, tmp_path: Any) -> None:
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    with h.hostile(h.script(EHLO=OFFERS_TLS)) as server:
        fault = failing(settings(server.port, STARTTLS, ca_file=str(path)))
    assert isinstance(fault, TlsError)
    assert str(path) in str(fault)
