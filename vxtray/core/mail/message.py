"""A mail as bytes that every server takes: CR LF, 7-bit, short lines, and headers that no log line can forge.

Pure but for random boundaries and Message-IDs; any thread. The headers that people read are written here and not by
``email.headerregistry``: that one takes "=?utf-8?q?...?=" in a text for an encoded word instead of for the text it is,
and loses blanks where it cuts long names (both seen with Python 3.11.7). RFC 5322, 2045 to 2047, 3834.
"""

import re
import secrets
import unicodedata
from datetime import datetime
from email import policy
from email.message import EmailMessage, MIMEPart
from email.utils import format_datetime
from typing import Literal

import msgspec

from vxtray.core.mail.plaintext import body_text, one_line
from vxtray.core.mail.protocol import ascii_host, require_wire_safe, sender_on_the_wire, wire_address

SUBJECT_LIMIT = 200
NAME_LIMIT = 100
#: Message-IDs of a conversation that are told: the first ones and the last ones of more.
REFERENCES_LIMIT = 20
#: Octets of a Message-ID: a domain has at most 253 (RFC 1035).
_MESSAGE_ID_LIMIT = 400
#: Folding width; RFC 2045 wants at most 76 in encoded bodies.
_WIDTH = 76
_POLICY = policy.SMTP.clone(max_line_length=_WIDTH, cte_type="7bit")

_MESSAGE_ID = re.compile(r"<[!-;=?-~]+@[!-;=?-~]+>")
_CID = re.compile(r"[A-Za-z0-9._-]+(?:@[A-Za-z0-9.-]+)?")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_DESCRIBES_PARTS = re.compile(rb"(?:content-[a-z-]+|mime-version):", re.IGNORECASE)
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)


class Image(msgspec.Struct, frozen=True):
    """An image shown in the HTML as ``cid:<cid>``; ``media_type`` such as image/png."""

    cid: str
    media_type: str
    data: bytes


class Attachment(msgspec.Struct, frozen=True):
    """A file that goes along; ``media_type`` such as application/pdf."""

    name: str
    media_type: str
    data: bytes


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be sent. ``date`` is aware; ``message_id`` is ``new_message_id``'s, fixed for every retry."""

    subject: str
    text: str
    html: str
    from_address: str
    from_name: str = ""
    recipients: tuple[str, ...]
    message_id: str
    date: datetime
    images: tuple[Image, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    #: RFC 3834: nobody's holiday notice shall answer.
    auto_submitted: Literal["auto-generated", "auto-notified"] = "auto-generated"
    #: RFC 5322 section 3.6.4: the mail that this one goes on from, and the conversation so far, oldest first.
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    #: The subject that the conversation began with: by this one Outlook keeps mails of different subjects together
    #: ([MS-OXCMAIL], Thread-Topic).
    topic: str = ""


def new_message_id(domain: str) -> str:
    """Return a random Message-ID at the sender's domain; it never tells the name of this computer."""
    return f"<{secrets.token_hex(16)}@{ascii_host(domain)}>"


def compose(mail: Mail) -> bytes:
    """Return the mail as it goes over the wire (without dot-stuffing).

    Raises ``SenderRefused`` for a sender that no header can carry, ``MessageRefused`` where the last check finds
    something that must not be sent, and ``ValueError`` for a naive date or identifiers that are not vxtray's own.
    Recipients that no header can carry are left out of To (``smtp`` refuses each of them by name).
    """
    data = b"".join(line.encode("ascii") + b"\r\n" for line in _headers(mail)) + _body(mail).as_bytes(policy=_POLICY)
    require_wire_safe(data)
    return data


def renewed(data: bytes, message_id: str, date: datetime) -> bytes:
    """Return a composed mail with another Message-ID and Date: the same content as a mail of its own."""
    head, blank, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    fresh = {b"date:": f"Date: {format_datetime(date)}", b"message-id:": f"Message-ID: {message_id}"}
    for position, line in enumerate(lines):
        name = line.partition(b":")[0].lower() + b":"
        if name in fresh:
            lines[position] = fresh[name].encode("ascii")
    return b"\r\n".join(lines) + blank + body


def with_parts(data: bytes, message: EmailMessage) -> bytes:
    """Return a composed mail with other parts: those of ``message``; every other header stays byte by byte."""
    head = data.partition(b"\r\n\r\n")[0]
    new_head, blank, body = message.as_bytes(policy=_POLICY).partition(b"\r\n\r\n")
    fields = [field for field in _fields(head) if not _DESCRIBES_PARTS.match(field)]
    fields += [field for field in _fields(new_head) if _DESCRIBES_PARTS.match(field)]
    data = b"\r\n".join(fields) + blank + body
    require_wire_safe(data)
    return data


def _fields(head: bytes) -> list[bytes]:
    """Return the header fields, folded as they are."""
    return re.split(rb"\r\n(?![ \t])", head)


# --- headers ---------------------------------------------------------------------------------------------------------


def _headers(mail: Mail) -> list[str]:
    if mail.date.utcoffset() is None:
        raise ValueError("the date of a mail needs its offset")
    if not _MESSAGE_ID.fullmatch(mail.message_id):
        raise ValueError("not a Message-ID")
    return [
        f"Date: {format_datetime(mail.date)}",
        f"Message-ID: {mail.message_id}",
        *_conversation(mail),
        _from(mail),
        _to(mail.recipients),
        _text_field("Subject: ", mail.subject),
        f"Auto-Submitted: {mail.auto_submitted}",
        "X-Auto-Response-Suppress: All",
    ]


def _conversation(mail: Mail) -> list[str]:
    """Return In-Reply-To, References and Thread-Topic, as far as the mail is an answer."""
    references = mail.references
    if len(references) > REFERENCES_LIMIT:  # RFC 5322 sets no bound, servers do; the first one names the conversation
        references = (references[0], *references[1 - REFERENCES_LIMIT :])
    for identifier in (mail.in_reply_to, *references) if mail.in_reply_to else references:
        if not _MESSAGE_ID.fullmatch(identifier) or len(identifier) > _MESSAGE_ID_LIMIT:
            raise ValueError("not a Message-ID")
    lines = []
    if mail.in_reply_to:
        lines.append(f"In-Reply-To: {mail.in_reply_to}")
    if references:
        lines.append("References: " + "\r\n ".join(references))
    if mail.topic:
        lines.append(_text_field("Thread-Topic: ", mail.topic))
    return lines


def _text_field(name: str, text: str) -> str:
    return name + _folded(_phrase(one_line(text, SUBJECT_LIMIT), len(name)), len(name))


def _from(mail: Mail) -> str:
    address = sender_on_the_wire(mail.from_address)
    name = one_line(mail.from_name, NAME_LIMIT)
    if not name:
        return f"From: <{address}>"
    # Only atoms stand bare; whatever has a meaning in an address list is hidden in encoded words.
    words = _phrase(name, len("From: "), plain=bool(_ATOMS.fullmatch(name)))
    return "From: " + _folded([*words, f"<{address}>"], len("Subject: "))


def _to(recipients: tuple[str, ...]) -> str:
    shown = []
    for recipient in recipients:
        try:
            shown.append(wire_address(recipient))
        except ValueError:
            continue
    return "To: " + (",\r\n ".join(shown) or "undisclosed-recipients:;")


def _phrase(text: str, used: int, *, plain: bool = True) -> list[str]:
    """Return the words of a header: as they are where that is safe, else RFC 2047 encoded words of <= 75 characters."""
    safe = plain and text.isascii() and "=?" not in text
    words = text.split(" ")
    if safe and all(len(word) < _WIDTH - used for word in words):
        return words
    return _encoded_words(text, (_WIDTH - max(used, len("Subject: ")) - 11) // 4 * 3)


def _encoded_words(text: str, most: int) -> list[str]:
    """Cut at characters, not at bytes: each encoded word must decode by itself (RFC 2047 section 5)."""
    words, piece = [], b""
    for character in text:
        encoded = character.encode()
        if len(piece) + len(encoded) > most:
            words.append(piece)
            piece = b""
        piece += encoded
    words.append(piece)
    return [f"=?utf-8?b?{_base64(word)}?=" for word in words if word]


def _base64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode("ascii")


def _folded(words: list[str], used: int) -> str:
    """Join words by blanks, breaking lines before they get too long (RFC 5322 2.2.3)."""
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) + 1 > _WIDTH - used:
            lines.append(word)
        else:
            lines[-1] += (" " if lines[-1] else "") + word
    return "\r\n ".join(lines)


# --- body ------------------------------------------------------------------------------------------------------------


def _body(mail: Mail) -> EmailMessage:
    """Text; with the HTML (and its images) as the better alternative; with attachments beside."""
    message = EmailMessage(policy=_POLICY)
    message.set_content(body_text(mail.text), charset="utf-8", cte="quoted-printable")
    if mail.html:
        message.add_alternative(body_text(mail.html), subtype="html", charset="utf-8", cte="quoted-printable")
        html = message.get_payload(1)
        assert isinstance(html, MIMEPart)
        for image in mail.images:
            if not _CID.fullmatch(image.cid):
                raise ValueError("not a Content-ID")
            html.add_related(image.data, *_media_type(image.media_type), cid=f"<{image.cid}>", disposition="inline")
    for attachment in mail.attachments:
        name = attachment_name(attachment.name)
        message.add_attachment(attachment.data, *_media_type(attachment.media_type), filename=name)
    return message


def _media_type(text: str) -> tuple[str, str]:
    if not _MEDIA_TYPE.fullmatch(text):
        raise ValueError("not a media type")
    main, _, sub = text.partition("/")
    return main, sub


def attachment_name(name: str) -> str:
    """Return a file name that is safe everywhere: no folders, plain letters, no device of Windows, <= 100 characters.

    >>> attachment_name("../../Rapport été.pdf")
    'Rapport ete.pdf'
    """
    base = re.split(r"[/\\]", name)[-1]
    plain = unicodedata.normalize("NFKD", base).encode("ascii", "ignore").decode("ascii")
    plain = re.sub(r"[^A-Za-z0-9 ._()+-]+", "_", plain).strip(" .")
    stem, dot, ending = plain.rpartition(".")
    if len(plain) > NAME_LIMIT:
        plain = stem[: NAME_LIMIT - len(ending) - 1] + "." + ending if dot and len(ending) < 10 else plain[:NAME_LIMIT]
    if _DEVICE.match(plain):
        plain = "_" + plain
    return plain[:NAME_LIMIT] or "attachment"
