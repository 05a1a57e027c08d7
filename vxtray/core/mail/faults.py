"""The faults of a delivery: which step failed, what the server said, whether trying again may help.

Pure data, any thread. The tree is drawn in ``vxtray.core.errors``.
"""

from collections.abc import Mapping
from enum import StrEnum

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


class RecipientResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one recipient. ``title`` and ``advice`` are message ids, empty when ``ok``."""

    ok: bool
    reply: str = ""
    title: str = ""
    advice: str = ""
    kind: Kind | None = None


class MailError(VxtrayError):
    """A delivery failed at ``step``; ``reply`` holds the server's words (plain text, at most 500 characters).

    ``in_doubt`` says that the whole mail was handed over and no answer came: it may have arrived. ``message_id`` is the
    test e-mail's.
    """

    title = N_("The mail could not be sent.")
    message_id = ""

    def __init__(
        self,
        title: str = "",
        advice: str = "",
        *,
        step: Stage,
        kind: Kind,
        reply: str = "",
        in_doubt: bool = False,
        **values: object,
    ) -> None:
        super().__init__(title, advice, **values)
        self.step = step
        self.kind = kind
        self.reply = reply
        self.in_doubt = in_doubt
        self.transient = kind is Kind.TEMPORARY


class ConnectError(MailError):
    """The server's name, the network, or a connection that broke."""

    title = N_("The mail server cannot be reached.")


class TlsError(MailError):
    """No protected connection: certificate, version, STARTTLS missing. Nothing was sent."""

    title = N_("The connection to the mail server cannot be protected.")


class AuthError(MailError):
    """The sign-in was refused or is impossible."""

    title = N_("The mail server refused the sign-in.")


class SenderRefused(MailError):
    """The server does not take mail from this sender."""

    title = N_("The mail server refused the sender address.")


class RecipientsRefused(MailError):
    """No recipient was accepted; ``recipients`` tells of each."""

    title = N_("The mail server refused every recipient.")
    recipients: Mapping[str, RecipientResult] = {}


class MessageRefused(MailError):
    """The server, or our own last check, refused the mail itself."""

    title = N_("The mail server refused the mail.")


class ProtocolError(MailError):
    """The other side does not speak SMTP as it should."""

    title = N_("The mail server does not follow the rules of SMTP.")
