"""A mail that was kept, opened for reading: its text, its HTML made harmless, its pictures, its source.

Pure, any thread. The HTML quotes what logs said, so nothing in it may run, load or lead anywhere: what stays is text,
tables, styles and the pictures that the mail itself brings.
"""

import email
import html
import re
from email import policy
from email.message import EmailMessage
from html.parser import HTMLParser

import msgspec

from vxtray.core.mail.plaintext import body_text, one_line

#: With everything in them.
_SILENT = frozenset({"script", "style", "title", "iframe", "object", "embed", "noscript", "svg", "template"})
_EMPTY = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
_KEPT = frozenset(
    "a abbr b big blockquote body br caption center code col colgroup dd div dl dt em font h1 h2 h3 h4 h5 h6 hr html i"  # noqa: SIM905 - readable
    " img li ol p pre s small span strong sub sup table tbody td tfoot th thead tr tt u ul".split()
)
_ATTRIBUTES = frozenset(
    "align alt bgcolor border cellpadding cellspacing class colspan color dir height id lang name role rowspan size"  # noqa: SIM905 - readable
    " style title valign width".split()
)
_LOADS = re.compile(r"url\s*\(|@import|expression\s*\(|\\", re.IGNORECASE)

_UNSEEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)

#: Characters of the source that are shown; what is beyond is attachments.
SOURCE_LIMIT = 400_000


class OpenedMail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail for reading. ``images`` are bytes by content id; ``attachments`` are names with sizes in bytes.

    ``html`` is empty where the mail has none; ``source`` is cut off at ``SOURCE_LIMIT`` characters, said by ``cut``.
    """

    text: str
    html: str
    images: dict[str, bytes]
    attachments: tuple[tuple[str, int], ...]
    source: str
    cut: bool


def opened(data: bytes) -> OpenedMail:
    """Open a mail as it was kept; broken parts are left out, never fatal."""
    message = email.message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    plain, rich = message.get_body(("plain",)), message.get_body(("html",))
    images, attachments = {}, []
    for part in message.walk():
        if part.is_multipart():
            continue
        content = part.get_payload(decode=True)
        size = content if isinstance(content, bytes) else b""
        if (cid := str(part.get("Content-ID", ""))) and part.get_content_maintype() == "image":
            images[cid.strip("<> ")] = size
        elif part.get_content_disposition() == "attachment":
            attachments.append((one_line(part.get_filename() or "", 200), len(size)))
    source = data[: SOURCE_LIMIT * 4].decode("utf-8", errors="replace").replace("\r\n", "\n")
    return OpenedMail(
        text=_text_of(plain),
        html=harmless(_text_of(rich)),
        images=images,
        attachments=tuple(attachments),
        source=body_text(source[:SOURCE_LIMIT]),
        cut=len(source) > SOURCE_LIMIT,
    )


def _text_of(part: object) -> str:
    if not isinstance(part, EmailMessage):
        return ""
    try:
        return body_text(str(part.get_content())).replace("\r\n", "\n")
    except (LookupError, ValueError):  # a charset that nobody knows
        return ""


def harmless(page: str) -> str:
    """Return HTML without scripts, style sheets, forms, links and everything that would be loaded from elsewhere."""
    cleaner = _Cleaner()
    cleaner.feed(page)
    cleaner.close()
    return "".join(cleaner.kept)


class _Cleaner(HTMLParser):
    """Writes again what is known to be harmless."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.kept: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        unseen = bool(_UNSEEN.search(dict(attrs).get("style") or ""))
        if unseen and tag in _EMPTY:
            return  # a picture for dark mode
        if unseen or tag in _SILENT or tag in self._silent:
            self._silent.append(tag)
        elif tag in _KEPT and not self._silent:
            kept = "".join(f' {name}="{html.escape(value or "")}"' for name, value in attrs if _harmless(name, value))
            if tag == "img":
                source = dict(attrs).get("src") or ""
                kept += f' src="{html.escape(source)}"' if source.startswith("cid:") else ""
            self.kept.append(f"<{tag}{kept}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _SILENT:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._silent:
            if tag == self._silent[-1]:
                self._silent.pop()
        elif tag in _KEPT and tag not in _EMPTY:
            self.kept.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.kept.append(html.escape(data))


def _harmless(name: str, value: str | None) -> bool:
    return name in _ATTRIBUTES and not (name == "style" and _LOADS.search(value or ""))
