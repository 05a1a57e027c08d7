"""What a fault of the system means: the ones that cannot be provoked on loopback."""

import errno
import socket
import ssl

import pytest

from vxtray.core.errors import fill
from vxtray.core.mail.diagnosis import diagnose
from vxtray.core.mail.faults import ConnectError, Kind, MailError, Stage, TlsError
from vxtray.core.settings.tree import Security, Smtp

SMTP = Smtp(host="mail.example.com", port=587, security=Security.STARTTLS)


def tls_fault(reason: str) -> ssl.SSLError:
    fault = ssl.SSLError(1, f"[SSL: {reason}] words (_ssl.c:1)")
    fault.reason = reason
    return fault


def refused_certificate(code: int, message: str = "words\x1b[0m") -> ssl.SSLCertVerificationError:
    fault = ssl.SSLCertVerificationError(1, message)
    fault.verify_code, fault.verify_message = code, message
    return fault


FAULTS: list[tuple[Exception, Stage, type[MailError], Kind, str]] = [
    (socket.gaierror(socket.EAI_AGAIN, "x"), Stage.RESOLVE, ConnectError, Kind.TEMPORARY, "could not be looked up"),
    (socket.gaierror(socket.EAI_NONAME, "x"), Stage.RESOLVE, ConnectError, Kind.TEMPORARY, "no server called"),
    (OSError(errno.ENETUNREACH, "x"), Stage.CONNECT, ConnectError, Kind.TEMPORARY, "no network path"),
    (OSError(errno.EHOSTUNREACH, "x"), Stage.CONNECT, ConnectError, Kind.TEMPORARY, "no network path"),
    (PermissionError(errno.EACCES, "x"), Stage.CONNECT, ConnectError, Kind.TEMPORARY, "does not allow"),
    (OSError(errno.EIO, "x"), Stage.CONNECT, ConnectError, Kind.TEMPORARY, "failed"),
    (TimeoutError(), Stage.TLS, TlsError, Kind.TEMPORARY, "took too long"),
    (ConnectionResetError(), Stage.DATA, ConnectError, Kind.TEMPORARY, "broke off"),
    (tls_fault("TLSV1_ALERT_PROTOCOL_VERSION"), Stage.TLS, TlsError, Kind.ADMIN, "too old"),
    (tls_fault("SSLV3_ALERT_HANDSHAKE_FAILURE"), Stage.TLS, TlsError, Kind.ADMIN, "too old"),
    (tls_fault("DH_KEY_TOO_SMALL"), Stage.TLS, TlsError, Kind.ADMIN, "too weak"),
    (tls_fault("UNEXPECTED_EOF_WHILE_READING"), Stage.TLS, TlsError, Kind.TEMPORARY, "ended the connection"),
    (tls_fault("SOMETHING_NEW"), Stage.TLS, TlsError, Kind.TEMPORARY, "SOMETHING_NEW"),
    (refused_certificate(66), Stage.TLS, TlsError, Kind.ACCOUNT, "too weak"),
    (refused_certificate(18), Stage.TLS, TlsError, Kind.ACCOUNT, "signed by itself"),
    (refused_certificate(64), Stage.TLS, TlsError, Kind.ACCOUNT, "another name"),
    (refused_certificate(23), Stage.TLS, TlsError, Kind.ACCOUNT, "not trusted: words [0m."),
]


@pytest.mark.parametrize(("fault", "step", "kind_of", "mends", "words"), FAULTS, ids=[repr(row[0]) for row in FAULTS])
def test_words(fault: Exception, step: Stage, kind_of: type[MailError], mends: Kind, words: str) -> None:
    found = diagnose(fault, step, SMTP)
    assert type(found) is kind_of
    assert words in str(found)
    assert (found.step, found.kind, found.transient) == (step, mends, mends is Kind.TEMPORARY)
    assert "{" not in str(found) + fill(found.advice_id, found.values)
    assert found.advice_id
    assert not found.in_doubt


def test_after_the_dot_only_the_doubt_counts() -> None:
    for fault, *_ in FAULTS:
        assert diagnose(fault, Stage.DATA, SMTP, in_doubt=True).in_doubt
