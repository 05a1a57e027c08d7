"""The faults of a delivery: which step failed, what the server said, whether trying again may help.

Pure data, any thread. The tree is drawn in ``vxtray.core.errors``.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar

import msgspec

from vxtray.core.errors import N_, VxtrayError


class Stage(StrEnum):
    """The steps of a delivery; with implicit TLS, ``tls`` comes before ``greeting``."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    GREETING = "greeting"
    TLS = "tls"
    EHLO = "ehlo"
    AUTH = "auth"
    SENDER = "sender"
    RECIPIENTS = "recipients"
    DATA = "data"


class Kind(StrEnum):
    """Who can mend it: time, nobody (this mail never passes), the owner of the account, or the mail administrator."""

    TEMPORARY = "temporary"
    PERMANENT = "permanent"
    ACCOUNT = "account"
    ADMIN = "admin"


class Scope(StrEnum):
    """What a fault says something about: one recipient, this mail, the server and the way to it, or the account."""

    RECIPIENT = "recipient"
    MAIL = "mail"
    SERVER = "server"
    ACCOUNT = "account"


class RecipientResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one recipient. ``title`` and ``advice`` are message ids, empty when ``ok``.

    ``scope`` and ``wait`` as in ``MailError``: a refusal at RCPT may be about the account or the whole mail.
    """

    ok: bool
    reply: str = ""
    title: str = ""
    advice: str = ""
    kind: Kind | None = None
    scope: Scope = Scope.RECIPIENT
    wait: timedelta | None = None


class MailError(VxtrayError):
    """A delivery failed at ``step``; ``reply`` holds the server's words (plain text, at most 500 characters).

    ``in_doubt`` says that the whole mail was handed over and no answer came: it may have arrived. ``message_id`` is the
    test e-mail's. ``scope`` says what the fault is about, ``wait`` how long to leave it alone before another try (None:
    as long as usual), ``sign_in`` that signing in with the provider (OAuth) is a remedy, ``asks`` (message ids) what an
    administrator should look at, for the note of ``admin_note.note_for_admin``. ``of_provider``: it was the provider
    that signs people in (OAuth) who failed, not the mail server.
    """

    title = N_("The mail could not be sent.")
    usual_scope: ClassVar[Scope] = Scope.SERVER
    message_id = ""
    sign_in = False
    asks: tuple[str, ...] = ()
    of_provider: ClassVar[bool] = False

    def __init__(
        self,
        title: str = "",
        advice: str = "",
        *,
        step: Stage,
        kind: Kind,
        reply: str = "",
        in_doubt: bool = False,
        scope: Scope | None = None,
        wait: timedelta | None = None,
        **values: object,
    ) -> None:
        super().__init__(title, advice, **values)
        self.step = step
        self.kind = kind
        self.reply = reply
        self.in_doubt = in_doubt
        self.scope = scope or type(self).usual_scope
        self.wait = wait
        self.transient = kind is Kind.TEMPORARY

    @property
    def admin_note(self) -> bool:
        """True where a note for the mail administrator helps."""
        return self.kind is Kind.ADMIN or bool(self.asks)


class ConnectError(MailError):
    """The server's name, the network, or a connection that broke."""

    title = N_("The mail server cannot be reached.")


class TlsError(MailError):
    """No protected connection: certificate, version, STARTTLS missing. Nothing was sent.

    ``about_certificate``: TLS itself works, the certificate is what is wrong; ``without_issuer``: nobody known made it.
    """

    title = N_("The connection to the mail server cannot be protected.")
    about_certificate = False
    without_issuer = False


class AuthError(MailError):
    """The sign-in was refused or is impossible."""

    title = N_("The mail server refused the sign-in.")
    usual_scope = Scope.ACCOUNT


class SenderRefused(MailError):
    """The server does not take mail from this sender."""

    title = N_("The mail server refused the sender address.")
    usual_scope = Scope.ACCOUNT


class RecipientsRefused(MailError):
    """No recipient was accepted; ``recipients`` tells of each."""

    title = N_("The mail server refused every recipient.")
    usual_scope = Scope.RECIPIENT
    recipients: Mapping[str, RecipientResult] = {}


class MessageRefused(MailError):
    """The server, or our own last check, refused the mail itself."""

    title = N_("The mail server refused the mail.")
    usual_scope = Scope.MAIL


class ProtocolError(MailError):
    """The other side does not speak SMTP as it should."""

    title = N_("The mail server does not follow the rules of SMTP.")
