"""The test e-mail: sent at once, past the outbox, so that the person sees the server's own word.

On the thread of the caller (``vx-task`` or a command), which it blocks.
"""

import socket
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from vxtray import __version__
from vxtray.core.credentials import Secret
from vxtray.core.errors import NotConfigured
from vxtray.core.mail.connection import Limits
from vxtray.core.mail.faults import MailError, RecipientResult
from vxtray.core.mail.message import compose
from vxtray.core.mail.posting import mail_of
from vxtray.core.mail.smtp import send
from vxtray.core.mail.testmail import proof_document
from vxtray.core.mail.transport import Cutoff
from vxtray.core.settings.tree import Smtp


class Word(msgspec.Struct, frozen=True):
    """What the server said of one recipient."""

    ok: bool
    reply: str


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a test e-mail; ``ok`` where every recipient was accepted."""

    ok: bool
    reply: str
    message_id: str
    recipients: dict[str, Word]


def words_of(results: Mapping[str, RecipientResult]) -> dict[str, Word]:
    """Return what the server said of each recipient."""
    return {address: Word(result.ok, result.reply) for address, result in results.items()}


def _limits(smtp: Smtp) -> Limits:
    """Return the limits of a delivery that a person watches: without an answer, twenty seconds are enough."""
    return msgspec.structs.replace(Limits.of(smtp), overall=20.0, final=60.0)


def send_trial(
    smtp: Smtp, secret: Secret | None, language: str, recipients: tuple[str, ...] = (), cutoff: Cutoff | None = None
) -> Trial:
    """Send the test e-mail to the recipients (those of the settings where empty) and return the server's word.

    ``cutoff`` ends it early. Raises ``NotConfigured``, ``MailError``.
    """
    people = recipients or smtp.recipients
    if not (smtp.host and smtp.from_address and people):
        raise NotConfigured
    now = datetime.now().astimezone()
    document = proof_document(
        smtp,
        language,
        now.tzinfo or UTC,
        sent_at=now,
        recipients=people,
        host=socket.gethostname(),
        version=__version__,
    )
    mail = mail_of(document, smtp, people, now)
    try:
        delivery = send(smtp, secret, mail.from_address, people, compose(mail), cutoff, _limits(smtp))
    except MailError as error:
        error.message_id = mail.message_id
        raise
    words = words_of(delivery.recipients)
    return Trial(
        ok=all(word.ok for word in words.values()), reply=delivery.reply, message_id=mail.message_id, recipients=words
    )
