"""Makes a queued mail out of a document: envelope, headers and bytes are fixed here, once.

Pure but for the random Message-ID; any thread.
"""

from datetime import datetime

from vxtray.core.errors import NotConfigured
from vxtray.core.mail.lighter import fitted
from vxtray.core.mail.message import SUBJECT_LIMIT, Attachment, Mail, compose, new_message_id
from vxtray.core.mail.outbox import Outgoing
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import Document
from vxtray.core.settings.tree import Smtp


def mail_of(
    document: Document,
    smtp: Smtp,
    recipients: tuple[str, ...],
    now: datetime,
    attachments: tuple[Attachment, ...] = (),
    *,
    in_reply_to: str = "",
    references: tuple[str, ...] = (),
) -> Mail:
    """Return the message for these recipients (those of ``smtp`` where empty), of a size that servers take.

    A mail that goes on with a conversation names the mail before it (``in_reply_to``) and all before it, the first one
    first (``references``), by their Message-IDs. Raises ``NotConfigured``.
    """
    people = recipients or smtp.recipients
    if not smtp.from_address or not people:
        raise NotConfigured
    mail = Mail(
        subject=document.subject,
        text=document.text,
        html=document.html,
        from_address=smtp.from_address,
        from_name=smtp.from_name or "vxtray",
        recipients=people,
        message_id=new_message_id(smtp.from_address.rpartition("@")[2]),
        date=now,
        images=document.images,
        attachments=attachments,
        in_reply_to=in_reply_to,
        references=references,
        topic=document.topic,
    )
    return fitted(mail)


def outgoing(key: str, kind: str, mail: Mail, *, urgent: bool = False) -> Outgoing:
    """Return the mail as the outbox keeps it; ``urgent`` lets it leave before all others."""
    return Outgoing(
        key=key,
        kind=kind,
        subject=one_line(mail.subject, SUBJECT_LIMIT),
        message_id=mail.message_id,
        mail_from=mail.from_address,
        recipients=mail.recipients,
        data=compose(mail),
        urgent=urgent,
    )
