"""What a fault of the system (socket, look-up, TLS, malformed bytes) means for a person, by the step it happened at.

Pure, any thread. The one place where ``OSError``, ``ssl.SSLError`` and ``Malformed`` become the error tree.
"""

import errno
import socket
import ssl

from vxtray.core.errors import N_
from vxtray.core.mail.faults import ConnectError, Kind, MailError, ProtocolError, Stage, TlsError
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.protocol import Malformed
from vxtray.core.settings.tree import Security, Smtp

#: What ends up here besides ``MailError``.
SYSTEM_FAULTS = (OSError, Malformed, UnicodeError)

_SAYS_UNKNOWN = {
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY") if hasattr(socket, name)
}
_NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EHOSTDOWN, 10051, 10065}
_FORBIDDEN = {errno.EACCES, errno.EPERM, 10013}

#: OpenSSL's verdict on a certificate (X509_V_ERR_...) -> title, advice.
_CHECK_CLOCK = N_("Check the date and time of this computer; if they are right, the server's administrator must act.")
_NAME_WRONG = (
    N_("The certificate of {host} is for another name."),
    N_("Enter the server name that the provider gives; it must be the one in the certificate."),
)
_UNKNOWN_ISSUER = (
    N_("The certificate of {host} comes from an authority that this computer does not know."),
    N_("If it is your own authority, give its certificate as CA file; otherwise somebody may be listening in."),
)
_SELF_SIGNED = (
    N_("The certificate of {host} is signed by itself."),
    N_("If it is your own server, give its certificate as CA file; otherwise somebody may be listening in."),
)
_TOO_WEAK = (
    N_("The certificate of {host} is too weak to protect anything."),
    N_("The server's administrator must renew it with a longer key."),
)
_CERTIFICATE = {
    9: (N_("The certificate of {host} is not valid yet."), _CHECK_CLOCK),
    10: (N_("The certificate of {host} has expired."), _CHECK_CLOCK),
    18: _SELF_SIGNED,
    19: _UNKNOWN_ISSUER,
    20: _UNKNOWN_ISSUER,
    21: _UNKNOWN_ISSUER,
    62: _NAME_WRONG,
    64: _NAME_WRONG,
    66: _TOO_WEAK,
    67: _TOO_WEAK,
    68: _TOO_WEAK,
}
_TOO_OLD = (
    "PROTOCOL_VERSION",
    "UNSUPPORTED_PROTOCOL",
    "VERSION_TOO_LOW",
    "NO_PROTOCOLS",
    "HANDSHAKE_FAILURE",
    "NO_CIPHERS",
)
_WEAK_KEY = ("KEY_TOO_SMALL", "MD_TOO_WEAK", "DH_KEY", "EE_KEY", "CA_KEY")
_OUR_CERTIFICATE = (
    N_("{host} asks for a certificate of this computer, and vxtray has none to show."),
    N_("Ask the mail administrator for a way in without one, usually port 587 with a user name and a password."),
)
_NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "PACKET_LENGTH_TOO_LONG",
    "UNEXPECTED_MESSAGE",
    "RECORD_LAYER_FAILURE",
)


def diagnose(fault: Exception, step: Stage, settings: Smtp, *, in_doubt: bool = False) -> MailError:
    """Return the fault of the error tree; raise it ``from`` the one given.

    ``in_doubt``: the final dot was sent, so whatever happened, the mail may have arrived.
    """
    if in_doubt:
        return ConnectError(
            N_("The mail was handed over, but the server's answer did not come; it may have arrived."),
            N_("vxtray sends it again later under the same identification; a second copy is possible."),
            step=step,
            kind=Kind.TEMPORARY,
            in_doubt=True,
        )
    if isinstance(fault, Malformed):
        return _malformed(fault, step, settings)
    if step is Stage.RESOLVE:
        return _unresolved(fault, settings)
    if isinstance(fault, ssl.SSLError):
        return _tls(fault, step, settings)
    if isinstance(fault, TimeoutError):
        return _timeout(step, settings)
    if step is Stage.CONNECT:
        return _unconnected(fault, settings)
    return _broken(step, settings)


def _fault(
    kind: type[MailError], texts: tuple[str, str], step: Stage, settings: Smtp, mends: Kind, reason: str = ""
) -> MailError:
    return kind(*texts, step=step, kind=mends, host=settings.host, port=settings.port, reason=reason)


def _malformed(fault: Malformed, step: Stage, settings: Smtp) -> MailError:
    if step is Stage.GREETING:
        texts = (
            N_("What answers at {host}, port {port}, is not a mail server for sending."),
            N_("Check server and port (587 or 465); a hotel network or a proxy may also answer in its place."),
        )
    else:
        texts = (
            N_("{host} does not follow the rules of SMTP: {reason}."),
            N_("Try again; if it stays, ask the mail administrator; something in between may also interfere."),
        )
    found = _fault(ProtocolError, texts, step, settings, Kind.TEMPORARY, reason=fault.reason)
    found.reply = fault.shown
    return found


def _unresolved(fault: Exception, settings: Smtp) -> MailError:
    number = fault.errno if isinstance(fault, socket.gaierror) else None
    if isinstance(fault, UnicodeError) or number in _SAYS_UNKNOWN:
        texts = (
            N_("There is no server called {host}."),
            N_("Check how the server's name is written, and that the network is up."),
        )
    else:
        texts = (
            N_("The name {host} could not be looked up."),
            N_("Check the network connection; vxtray tries again by itself."),
        )
    return _fault(ConnectError, texts, Stage.RESOLVE, settings, Kind.TEMPORARY)


def _unconnected(fault: Exception, settings: Smtp) -> MailError:
    number = fault.errno if isinstance(fault, OSError) else None
    if isinstance(fault, ConnectionRefusedError) or number == errno.ECONNREFUSED:
        texts = (
            N_("{host} refuses connections on port {port}."),
            N_("Check the port: 587 for STARTTLS, 465 for TLS, 25 for a relay without sign-in."),
        )
    elif number in _NO_WAY:
        texts = (
            N_("There is no network path to {host}."),
            N_("Check the network connection or the VPN; vxtray tries again by itself."),
        )
    elif number in _FORBIDDEN:
        texts = (
            N_("This computer does not allow the connection to {host}, port {port}."),
            N_("Allow vxtray in the firewall or the antivirus program of this computer."),
        )
    else:
        texts = (
            N_("The connection to {host}, port {port}, failed."),
            N_("Check the network connection; vxtray tries again by itself."),
        )
    return _fault(ConnectError, texts, Stage.CONNECT, settings, Kind.TEMPORARY)


def _timeout(step: Stage, settings: Smtp) -> MailError:
    if step is Stage.CONNECT:
        texts = (
            N_("{host} does not answer on port {port}."),
            N_("A firewall may block this port; try 587 or 465, and check the network connection."),
        )
    elif step is Stage.GREETING and settings.security is not Security.TLS:
        texts = (
            N_("{host} accepted the connection on port {port} but said nothing."),
            N_(
                "A port for TLS from the start (usually 465) stays silent here: choose the security “TLS”, or port 587."
            ),
        )
    else:
        texts = (
            N_("{host} took too long to answer."),
            N_("vxtray tries again by itself; a longer time limit can be set."),
        )
    return _fault(TlsError if step is Stage.TLS else ConnectError, texts, step, settings, Kind.TEMPORARY)


def _broken(step: Stage, settings: Smtp) -> MailError:
    if step is Stage.TLS:
        texts = (
            N_("{host} ended the connection while it was being protected."),
            N_("Check that security and port belong together (STARTTLS 587, TLS 465); vxtray tries again by itself."),
        )
        return _fault(TlsError, texts, step, settings, Kind.TEMPORARY)
    texts = (
        N_("The connection to {host} broke off."),
        N_("vxtray tries again by itself; if it stays, check that security and port belong together."),
    )
    return _fault(ConnectError, texts, step, settings, Kind.TEMPORARY)


def _tls(fault: ssl.SSLError, step: Stage, settings: Smtp) -> MailError:
    if isinstance(fault, ssl.SSLCertVerificationError):
        return _certificate(fault, step, settings)
    reason = fault.reason or ""
    if any(mark in reason for mark in _NOT_TLS):
        return _fault(TlsError, _not_tls(settings), step, settings, Kind.ACCOUNT)
    if "CERTIFICATE_REQUIRED" in reason:
        return _fault(TlsError, _OUR_CERTIFICATE, step, settings, Kind.ADMIN)
    if any(mark in reason for mark in _WEAK_KEY):
        return _fault(TlsError, _TOO_WEAK, step, settings, Kind.ADMIN)
    if any(mark in reason for mark in _TOO_OLD):
        texts = (
            N_("{host} only has encryption that is too old to protect anything."),
            N_("The server's administrator must enable TLS 1.2 or newer."),
        )
        return _fault(TlsError, texts, step, settings, Kind.ADMIN)
    if "EOF" in reason or isinstance(fault, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return _broken(step, settings)
    texts = (
        N_("The encrypted connection to {host} failed: {reason}."),
        N_("Try again; if it stays, show this text to the mail administrator."),
    )
    return _fault(TlsError, texts, step, settings, Kind.TEMPORARY, one_line(reason or str(fault), 200))


def _not_tls(settings: Smtp) -> tuple[str, str]:
    if settings.security is Security.TLS:
        return (
            N_("{host} does not speak TLS from the start on port {port}."),
            N_("Choose the security “STARTTLS” (usually port 587), or port 465 for “TLS”."),
        )
    return (
        N_("{host} agreed to STARTTLS and then went on without encryption."),
        N_("Nothing was sent. Something between you and the server may interfere; ask the mail administrator."),
    )


def _certificate(fault: ssl.SSLCertVerificationError, step: Stage, settings: Smtp) -> MailError:
    texts = _CERTIFICATE.get(getattr(fault, "verify_code", 0))
    if texts is None:
        texts = (
            N_("The certificate of {host} is not trusted: {reason}."),
            N_("If it is your own server, give its authority's certificate as CA file."),
        )
    detail = one_line(getattr(fault, "verify_message", "") or str(fault), 200)
    found = _fault(TlsError, texts, step, settings, Kind.ACCOUNT, detail)
    assert isinstance(found, TlsError)
    found.about_certificate = True
    found.without_issuer = texts is _UNKNOWN_ISSUER
    return found
