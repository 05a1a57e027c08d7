"""Keeps mails light: what is left out of one, largest attachment first, and the sentence that says so.

Pure, any thread. Of a composed mail the headers stay as they are, byte by byte, so that Message-ID and Date are those
of the mail as queued.
"""

import email
import html
import re
from email import policy
from email.message import EmailMessage

import msgspec

from vxtray.core.errors import N_
from vxtray.core.mail.message import Attachment, Mail, attachment_name, with_parts
from vxtray.core.mail.plaintext import one_line
from vxtray.core.texts import LANGUAGES, translate

_LANGUAGE = re.compile(r"<html[^>]{0,200}\blang=\"([a-z]{2})\"", re.IGNORECASE)
_BODY = re.compile(r"<body[^>]*>", re.IGNORECASE)
_NAME_LIMIT = 100

#: Octets of a mail on the wire; few servers take more than 10 MB, and nobody reads more.
LIMIT = 10_000_000
#: Octets for the headers of the mail and of its parts.
_HEADERS = 65_536
#: What is kept of a text that is too long in itself, in octets as it travels.
_SHORT = 1_000_000

#: What quoted-printable leaves as it is (RFC 2045 section 6.7); every other octet becomes three.
_LEFT_ALONE = bytes(sign for sign in range(32, 127) if sign != ord("=")) + b"\t\n"


def estimated_size(mail: Mail) -> int:
    """Return the octets that a mail will have on the wire, or a few more, without composing it."""
    files = sum(len(one.data) for one in mail.attachments) + sum(len(one.data) for one in mail.images)
    return _HEADERS + files * 78 // 57 + _quoted(mail.text) + _quoted(mail.html)


def _quoted(text: str) -> int:
    raw = text.encode("utf-8", "replace")
    special = len(raw.translate(None, _LEFT_ALONE))
    return (len(raw) + 2 * special) * 79 // 73 + raw.count(b"\n")


def fitted(mail: Mail, otherwise: str = "en") -> Mail:
    """Return a mail of at most ``LIMIT`` octets, and say in it what was left out, as ``lighter`` does.

    The largest attachments go first. Of a text that is too long even so, the beginning is left.
    """
    while mail.attachments and estimated_size(mail) > LIMIT:
        largest = max(mail.attachments, key=lambda one: len(one.data))
        mail = _without(mail, largest, otherwise)
    if estimated_size(mail) <= LIMIT:
        return mail
    sentence = translate(
        N_("The rest was left out: the mail would have been too large."), _language(mail.html, otherwise)
    )
    text = mail.text[: _SHORT // 12]  # a character has at most four octets, which become twelve
    return msgspec.structs.replace(mail, text=f"{text}\n\n{sentence}\n", html="", images=())


def _without(mail: Mail, largest: Attachment, otherwise: str) -> Mail:
    sentence = translate(
        N_("The attachment {name} was left out: the mail would have been too large."),
        _language(mail.html, otherwise),
        name=attachment_name(largest.name),
    )
    return msgspec.structs.replace(
        mail,
        attachments=tuple(one for one in mail.attachments if one is not largest),
        text=f"{sentence}\n\n{mail.text}",
        html=_with_sentence(mail.html, sentence) if mail.html else "",
    )


def _language(page: str, otherwise: str) -> str:
    said = _LANGUAGE.search(page)
    return said[1] if said and said[1] in LANGUAGES else otherwise


def lighter(data: bytes, otherwise: str = "en") -> tuple[bytes, str] | None:
    """Return a mail without its largest attachment, and that one's name; None where it has no attachment.

    The sentence is in the language of the mail's HTML, ``otherwise`` where it has none.
    """
    message = email.message_from_bytes(data, policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    attachments = list(message.iter_attachments())
    if not attachments:
        return None
    largest = max(attachments, key=lambda part: len(part.as_bytes()))
    name = one_line(largest.get_filename() or "", _NAME_LIMIT)
    plain, rich = message.get_body(("plain",)), message.get_body(("html",))
    language = _language(str(rich.get_content()) if rich is not None else "", otherwise)
    sentence = translate(
        N_("The attachment {name} was left out: the mail server does not take mails of this size."), language, name=name
    )
    if plain is not None:
        _change(plain, f"{sentence}\r\n\r\n{plain.get_content()}")
    if rich is not None:
        _change(rich, _with_sentence(str(rich.get_content()), sentence))
    content: list[object] = message.get_payload()  # type: ignore[assignment]  # a list: it has attachments
    content.remove(largest)
    return with_parts(data, message), name


def _with_sentence(page: str, sentence: str) -> str:
    box = (
        '<p style="margin:0;padding:12px 16px;background:#fff4ce;color:#3d2f00;font-family:Arial,Helvetica,sans-serif;'
        f'font-size:14px">{html.escape(sentence)}</p>'
    )
    found = _BODY.search(page)
    return box + page if found is None else page[: found.end()] + box + page[found.end() :]


def _change(part: object, text: str) -> None:
    """Give a text part another text; its place among the others stays."""
    assert isinstance(part, EmailMessage)
    part.set_content(
        text.replace("\r\n", "\n"), subtype=part.get_content_subtype(), charset="utf-8", cte="quoted-printable"
    )
