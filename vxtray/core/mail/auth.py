"""How to sign in: mechanisms as small dialogues without sockets, and which of them to use (RFC 4954).

Pure, any thread. A mechanism answers challenges by their position; it never holds its answer in an error text.
"""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Protocol

from vxtray.core.credentials import Secret, conceal
from vxtray.core.errors import N_
from vxtray.core.mail.faults import AuthError, Kind, Stage
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.protocol import Capabilities, Reply
from vxtray.core.settings.tree import Auth, Smtp

#: Challenges after which we break off, whatever the mechanism.
MAX_CHALLENGES = 3

_ASKS_PASSWORD = (
    "password", "passwd", "passwort", "kennwort", "mot de passe", "contraseña", "contrasena", "senha", "wachtwoord",
    "parola", "hasło", "пароль", "密码", "パスワード",
)  # fmt: skip
_ASKS_USER = ("user", "name", "login", "account", "utilisateur", "benutzer", "usuario")


class Mechanism(Protocol):
    """One SASL mechanism on the client's side; an object serves one exchange."""

    name: str

    @property
    def initial(self) -> bytes | None:
        """Return the initial response, sent with AUTH where the line allows; None to wait for the challenge."""

    def respond(self, challenge: bytes) -> bytes:
        """Return the answer to the next challenge (decoded). Raises ``AuthError`` to break off."""


class Login:
    """LOGIN: user name, then password. The position decides, for prompts have any wording (and language)."""

    name = "LOGIN"
    initial = None  # some servers refuse an initial response

    def __init__(self, username: str, secret: Secret) -> None:
        self._answers = [username.encode(), secret.reveal().encode()]
        self._first = True

    def respond(self, challenge: bytes) -> bytes:
        """Answer; a first prompt that asks for the password gets nothing."""
        prompt = challenge.decode("utf-8", "replace").casefold()
        if self._first and any(word in prompt for word in _ASKS_PASSWORD) and not any(w in prompt for w in _ASKS_USER):
            raise AuthError(
                N_("The mail server asked for the password where the user name belongs; nothing was sent."),
                N_("Ask the mail administrator whether this is really the right server."),
                step=Stage.AUTH,
                kind=Kind.ADMIN,
            )
        self._first = False
        if not self._answers:
            raise too_many_challenges()
        return self._answers.pop(0)


class Plain:
    """PLAIN (RFC 4616), UTF-8."""

    name = "PLAIN"

    def __init__(self, username: str, secret: Secret) -> None:
        self._response = f"\0{username}\0{secret.reveal()}".encode()
        # a server that repeats the password may do so in this form, which never travels by itself here
        conceal(base64.b64encode(secret.reveal().encode()).decode("ascii"))
        self._asked = 0

    @property
    def initial(self) -> bytes | None:
        """Return user name and password in one piece."""
        return self._response

    def respond(self, challenge: bytes) -> bytes:  # noqa: ARG002 - PLAIN's challenge is empty
        """Answer once: where the line was too long for an initial response, or the server overlooked it."""
        self._asked += 1
        if self._asked > 1:
            raise too_many_challenges()
        return self._response


class Token(Secret):
    """An access token, with the way to another one. ``renewed`` asks for it; raises ``AuthError``, ``MailError``."""

    __slots__ = ("_renew",)

    def __init__(self, value: Secret, renew: Callable[[Secret], Secret]) -> None:
        super().__init__(value.reveal())
        self._renew = renew

    def renewed(self) -> Secret:
        """Return a token in place of this one, which the mail server refused."""
        return self._renew(self)


class Bearer:
    """What XOAUTH2 and OAUTHBEARER share: a refusal comes as a challenge with JSON, then as a reply.

    ``refused`` says that there was such a challenge, ``status`` what its JSON gives as the status, "" without one.
    """

    name = ""
    #: What the refusal is answered with, so that the server says its reply.
    _end = b""

    def __init__(self, response: str) -> None:
        self._response = response.encode()
        self._asked = False
        self.refused = False
        self.status = ""

    @property
    def initial(self) -> bytes | None:
        """Return user name and token; a long one takes the form in two steps."""
        return self._response

    def respond(self, challenge: bytes) -> bytes:
        """Answer an empty challenge with the token, once, and every other as a refusal."""
        if not challenge and not self._asked:
            self._asked = True
            return self._response
        self.refused = True
        self.status = self.status or _status_in(challenge)
        return self._end


class XOAuth2(Bearer):
    """XOAUTH2: user name and access token in one piece; the refusal is answered with an empty line.

    Google, "OAuth 2.0 mechanism" (developers.google.com/workspace/gmail/imap/xoauth2-protocol), and Microsoft,
    "Authenticate an IMAP, POP or SMTP connection using OAuth".
    """

    name = "XOAUTH2"

    def __init__(self, username: str, token: Secret) -> None:
        super().__init__(f"user={username}\1auth=Bearer {token.reveal()}\1\1")


class OAuthBearer(Bearer):
    """OAUTHBEARER (RFC 7628): a GS2 header with the user name, server and port, and the access token.

    The refusal is answered with one 0x01 (3.2.3); commas and equal signs in the user name are escaped (RFC 5801, 4).
    """

    name = "OAUTHBEARER"
    _end = b"\1"

    def __init__(self, username: str, token: Secret, host: str, port: int) -> None:
        user = username.replace("=", "=3D").replace(",", "=2C")
        super().__init__(f"n,a={user},\1host={host}\1port={port}\1auth=Bearer {token.reveal()}\1\1")


def _status_in(challenge: bytes) -> str:
    """Return the field ``status`` of a refusal; nothing else of it is believed or shown."""
    try:
        said = json.loads(challenge)
    except (ValueError, RecursionError):
        return ""
    status = said.get("status") if isinstance(said, dict) else None
    return one_line(status, 20) if isinstance(status, str) else ""


#: In the order in which they are tried.
_PASSWORD_MECHANISMS: dict[str, type[Login] | type[Plain]] = {"LOGIN": Login, "PLAIN": Plain}
_TOKEN_MECHANISMS = (OAuthBearer.name, XOAuth2.name)

#: Whose servers have always had XOAUTH2; everywhere else the standard comes first.
_XOAUTH2_FIRST = frozenset({"microsoft", "outlook", "google"})


def too_many_challenges() -> AuthError:
    """Return the fault of a server that never stops asking."""
    return AuthError(
        N_("The mail server keeps asking during the sign-in."),
        N_("Ask the mail administrator which way to sign in this server supports."),
        step=Stage.AUTH,
        kind=Kind.ADMIN,
    )


def credentials(settings: Smtp, secret: Secret | None) -> Secret:
    """Return the secret when it can be used. Raises ``AuthError`` otherwise, before anything is sent."""
    if secret is None or not secret.reveal() or not settings.username:
        raise not_signed_in(settings) if settings.auth is Auth.OAUTH else _no_password(settings)
    forbidden = "\0\1" if settings.auth is Auth.OAUTH else "\0"  # 0x01 ends a field of OAUTHBEARER and XOAUTH2
    text = settings.username + secret.reveal()
    if any(sign in text for sign in forbidden) or not _encodable(text):
        raise AuthError(
            N_("The user name or the password holds a character that cannot be sent."),
            N_("Enter both again; copying from another program may have added something invisible."),
            step=Stage.AUTH,
            kind=Kind.ACCOUNT,
        )
    return secret


def not_signed_in(settings: Smtp) -> AuthError:
    """Return the fault where no sign-in with the provider is kept."""
    error = AuthError(
        N_("Nobody is signed in for {username}.") if settings.username else N_("Nobody is signed in yet."),
        N_("Sign in on the page “Mail server”, or with “vxtray smtp sign-in”; waiting mails then leave by themselves."),
        step=Stage.AUTH,
        kind=Kind.ACCOUNT,
        username=settings.username,
    )
    error.sign_in = True
    return error


def _no_password(settings: Smtp) -> AuthError:
    return AuthError(
        N_("No password is stored for {username}."),
        N_("Enter the password of the mail account, or choose the sign-in “none”."),
        step=Stage.AUTH,
        kind=Kind.ACCOUNT,
        username=settings.username,
    )


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def choose(offered: Capabilities, settings: Smtp, proven: str = "") -> tuple[str, ...]:
    """Return the mechanisms to try, in order, beginning with the one that is ``proven`` to work there.

    Raises ``AuthError`` naming what is offered when none fits.
    """
    fitting = [name for name in _known(settings) if name in offered.auth]
    if fitting:
        return tuple(sorted(fitting, key=lambda name: name != proven))
    if not offered.auth:
        raise AuthError(
            N_("{host} offers no sign-in here, but a user name is set."),
            N_("Choose the security “STARTTLS” or “TLS”, or the sign-in “none” if this server needs none."),
            step=Stage.AUTH,
            kind=Kind.ACCOUNT,
            host=settings.host,
        )
    by_token = settings.auth is Auth.OAUTH
    raise AuthError(
        N_("{host} takes no sign-in by OAuth; it offers {offered}.")
        if by_token
        else N_("{host} offers only sign-ins that vxtray does not have: {offered}."),
        N_("Check server and port: a sign-in with the provider works only at the provider's own mail server.")
        if by_token
        else N_("Ask the mail administrator to allow LOGIN or PLAIN over TLS for this account."),
        step=Stage.AUTH,
        kind=Kind.ACCOUNT if by_token else Kind.ADMIN,
        host=settings.host,
        offered=one_line(", ".join(offered.auth), 200),
    )


def _known(settings: Smtp) -> tuple[str, ...]:
    if settings.auth is not Auth.OAUTH:
        return tuple(_PASSWORD_MECHANISMS)
    return _TOKEN_MECHANISMS[:: -1 if settings.oauth.provider in _XOAUTH2_FIRST else 1]


def mechanism(name: str, settings: Smtp, secret: Secret) -> Mechanism:
    """Return a fresh dialogue for one exchange."""
    if name == XOAuth2.name:
        return XOAuth2(settings.username, secret)
    if name == OAuthBearer.name:
        return OAuthBearer(settings.username, secret, settings.host, settings.port)
    return _PASSWORD_MECHANISMS[name](settings.username, secret)


def unsupported(reply: Reply) -> bool:
    """True where the server does not do this mechanism after all: the next may be tried on the same connection."""
    return reply.enhanced == "5.7.4" or reply.code in {500, 502, 503, 504}


def may_retry_with_plain(name: str, reply: Reply, following: Sequence[str]) -> bool:
    """True for a 535 to LOGIN where PLAIN would follow: some servers refuse only the former. One try, never more."""
    return name == Login.name and reply.code == 535 and Plain.name in following
