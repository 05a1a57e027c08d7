"""Faults that look temporary but need a person when they come again and again.

Pure, any thread. Three in a row park the account (N01, A09, G05, G10 and S11 of the reliability catalogue).
"""

import socket
import ssl

from vxtray.core.errors import N_
from vxtray.core.mail.faults import AuthError, ConnectError, Kind, MailError, ProtocolError, Stage, TlsError
from vxtray.core.mail.outcome import Suspicion
from vxtray.core.mail.protocol import Malformed
from vxtray.core.settings.tree import Auth, Security, Smtp

_NO_SUCH_NAME = frozenset(
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY") if hasattr(socket, name)
)
_CLOSED = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


def suspected(error: MailError, smtp: Smtp) -> Suspicion | None:
    """Return what a fault may be a sign of, None where it is just a fault."""
    cause = error.__cause__
    if error.step is Stage.RESOLVE and isinstance(cause, socket.gaierror) and cause.errno in _NO_SUCH_NAME:
        return Suspicion("name", _again(error, ConnectError))
    if error.step is Stage.GREETING and error.reply and not error.transient:
        return Suspicion("greeting", _again(error, ConnectError))
    if error.step is Stage.EHLO and isinstance(cause, Malformed):
        return Suspicion("rules", _again(error, ProtocolError))
    if error.step is Stage.AUTH and not error.reply and not error.of_provider and isinstance(cause, _CLOSED):
        # Nothing tries this again by itself: each time is a sign-in, and too many of them lock the account.
        return Suspicion("sign-in", _closes_at_sign_in(smtp), heals=False)
    if error.step is Stage.TLS and smtp.security is Security.STARTTLS and isinstance(cause, _CLOSED):
        return Suspicion("tls", _strips_tls(smtp))
    return None


def _again(error: MailError, kind: type[MailError]) -> MailError:
    found = kind(error.title_id, error.advice_id, step=error.step, kind=Kind.ACCOUNT, reply=error.reply)
    found.values = error.values
    return found


def _closes_at_sign_in(smtp: Smtp) -> AuthError:
    by_token = smtp.auth is Auth.OAUTH
    return AuthError(
        N_("{host} ends the connection at each sign-in, without a word."),
        N_("Check the user name and sign in again; too many tries may have locked the account for a while.")
        if by_token
        else N_(
            "Check the user name and enter the password again; too many tries may have locked the account for a while."
        ),
        step=Stage.AUTH,
        kind=Kind.ACCOUNT,
        host=smtp.host,
    )


def _strips_tls(smtp: Smtp) -> TlsError:
    return TlsError(
        N_("Something between this computer and {host} strips TLS: each connection ends when it is to be protected."),
        N_("Nothing was sent. Try another network, or the security “TLS” with port 465; or ask the administrator."),
        step=Stage.TLS,
        kind=Kind.ACCOUNT,
        host=smtp.host,
    )
