"""SMTP without sockets: bounded replies, capabilities, commands and the last check of a mail (RFC 5321).

Pure, any thread. ``ReplyParser`` is fed bytes in any segmentation and gives whole replies; what exceeds the bounds
raises ``Malformed``, so that no server can fill the memory or shift the conversation by a reply.
"""

import functools
import ipaddress
import re
import unicodedata

import idna
import msgspec

from vxtray.core.credentials import redact
from vxtray.core.errors import N_
from vxtray.core.mail.faults import Kind, MessageRefused, SenderRefused, Stage
from vxtray.core.mail.plaintext import one_line
from vxtray.core.settings.wellformed import is_address

#: Bounds of a reply, in octets and lines. RFC 5321 4.5.3.1.5 asks for 512 octets; real servers send more.
MAX_LINE = 4096
MAX_REPLY = 65536
MAX_LINES = 128
#: A command line with its CRLF (RFC 5321 4.5.3.1.4) and one with a base64 answer of AUTH (RFC 4954 section 4).
MAX_COMMAND = 512
MAX_AUTH_LINE = 12288
#: A line of a mail without its CRLF (RFC 5321 4.5.3.1.6).
MAX_TEXT_LINE = 998

FINAL_DOT = b".\r\n"

_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "KATAKANA-HIRAGANA"})
_LINE = re.compile(r"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?=\s|$)")


class Malformed(Exception):
    """The bytes are not an SMTP reply. ``reason`` is a message id, ``shown`` the offending text."""

    def __init__(self, reason: str, shown: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.shown = one_line(redact(shown))


class Reply(msgspec.Struct, frozen=True):
    """One whole reply. ``enhanced`` is RFC 3463's code such as ``5.7.8``, or empty; lines are without codes."""

    code: int
    enhanced: str
    lines: tuple[str, ...]

    @property
    def words(self) -> str:
        """The server's words as plain text on one line, at most 500 characters; each line repeats the enhanced code."""
        first, *others = self.lines or ("",)
        return one_line(" ".join((str(self.code), first, *(line.removeprefix(self.enhanced) for line in others))))

    @property
    def accepted(self) -> bool:
        """True for 2xx."""
        return self.code // 100 == 2

    @property
    def refused(self) -> bool:
        """True for 4xx and 5xx."""
        return self.code // 100 in {4, 5}


class ReplyParser:
    """Collects bytes until a reply is whole, and takes secrets out of it; ``Malformed`` ends the connection."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lines: list[str] = []
        self._code = ""
        self._size = 0
        #: Lines that ended in LF alone, which RFC 5321 (2.3.8) forbids and some devices send.
        self.bare_line_ends = 0

    @property
    def pending(self) -> bool:
        """True when bytes wait that no reply has used up."""
        return bool(self._buffer or self._lines)

    def holds(self, mark: bytes) -> bool:
        """Return whether the line that has not ended yet holds these bytes."""
        return mark in self._buffer

    def feed(self, data: bytes) -> None:
        """Take what arrived, of any length."""
        self._buffer += data

    def next_reply(self) -> Reply | None:
        """Return the next whole reply, or None when bytes are missing. Raises ``Malformed``."""
        while (end := self._buffer.find(b"\n")) >= 0:
            if end > MAX_LINE:
                break
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._size += end + 1
            self.bare_line_ends += not line.endswith(b"\r")
            if self._take(line.removesuffix(b"\r")):
                return self._finish()
        if len(self._buffer) > MAX_LINE:
            raise Malformed(N_("it sent a line that is too long"))
        return None

    def _take(self, raw: bytes) -> bool:
        """Add one line; True when it is the last of its reply."""
        text = raw.decode("utf-8", "replace")
        match = None if "\r" in text else _LINE.fullmatch(text)
        if match is None:
            raise Malformed(N_("it sent something that is not an SMTP reply"), text)
        code, separator, rest = match.groups()
        if self._code and code != self._code:
            raise Malformed(N_("it changed the code within one reply"), text)
        self._code = code
        self._lines.append(rest or "")
        if len(self._lines) > MAX_LINES or self._size > MAX_REPLY:
            raise Malformed(N_("it sent a reply that does not end"))
        return separator != "-"

    def _finish(self) -> Reply:
        lines, code = tuple(self._lines), int(self._code)
        self._lines, self._code, self._size = [], "", 0
        found = [match[1] for line in lines if (match := _ENHANCED.match(line))]
        if code != 334:  # a challenge is for the mechanism, and is shown nowhere
            # A server may repeat what it was told; its words end up in logs, in the outbox and on the screen.
            lines = tuple(map(redact, lines))
        return Reply(code, found[0] if found else "", lines)


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What EHLO announced (RFC 5321 4.1.1.1). ``size`` is the largest mail in octets, 0 when unknown."""

    keywords: frozenset[str] = frozenset()
    auth: tuple[str, ...] = ()
    size: int = 0

    @property
    def starttls(self) -> bool:
        """RFC 3207."""
        return "STARTTLS" in self.keywords

    @property
    def eight_bit_mime(self) -> bool:
        """RFC 6152."""
        return "8BITMIME" in self.keywords

    @property
    def smtputf8(self) -> bool:
        """RFC 6531."""
        return "SMTPUTF8" in self.keywords


def capabilities(reply: Reply) -> Capabilities:
    """Read the reply to EHLO; unreadable lines count for nothing, ``AUTH=LOGIN`` is the old form of ``AUTH LOGIN``."""
    keywords: set[str] = set()
    mechanisms: list[str] = []
    size = 0
    for line in reply.lines[1:]:
        words = line.upper().split()
        if not words:
            continue
        keyword, equals, first = words[0].partition("=")
        if keyword == "AUTH":
            mechanisms += [first] * bool(first) + words[1:]
        elif equals:
            continue
        elif keyword == "SIZE" and len(words) > 1 and words[1].isascii() and words[1].isdigit():
            size = int(words[1][:18])
        keywords.add(keyword)
    return Capabilities(keywords=frozenset(keywords), auth=tuple(dict.fromkeys(mechanisms)), size=size)


# --- what we say -----------------------------------------------------------------------------------------------------


def command(text: str) -> bytes:
    """Return a command line. Raises ``ValueError`` where it could become two lines or is too long."""
    line = text.encode("ascii") + b"\r\n"
    if not text.isprintable() or len(line) > MAX_COMMAND:
        raise ValueError("not one command line of SMTP")
    return line


def ascii_host(host: str) -> str:
    """Return a host name as it is asked for and compared: lower case, no trailing dot, A-labels (RFC 5891).

    Raises ``UnicodeError`` (``idna.IDNAError`` is one) for a name that cannot exist.
    """
    host = host.strip().removesuffix(".").lower()
    return host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")


def mixes_scripts(host: str) -> bool:
    """Return whether a label of a host name has letters of several scripts, as imitations of other names have.

    Of Unicode's technical standard 39 only the rough idea: Japanese and Korean names mix by nature.
    """
    return any(len(_scripts_of(label) - _EAST_ASIAN) > 1 for label in _readable(host).split("."))


def _readable(host: str) -> str:
    try:
        return idna.decode(ascii_host(host))
    except UnicodeError:
        return host


def _scripts_of(label: str) -> set[str]:
    return {unicodedata.name(sign, "").split(" ")[0] for sign in label if sign.isalpha()}


@functools.lru_cache(maxsize=256)
def wire_address(address: str) -> str:
    """Return an address as the envelope and the headers carry it: the domain as A-labels, an IP address in brackets.

    Raises ``UnicodeEncodeError`` where the local part is not ASCII (it needs SMTPUTF8, which vxtray does not speak) and
    ``ValueError`` for anything that is no address.
    """
    if not is_address(address):
        raise ValueError("not an address")
    local, _, domain = address.rpartition("@")
    local.encode("ascii")
    try:
        ip = ipaddress.ip_address(domain)
    except ValueError:
        return f"{local}@{ascii_host(domain)}"
    return f"{local}@[IPv6:{ip}]" if ip.version == 6 else f"{local}@[{ip}]"


def sender_on_the_wire(address: str) -> str:
    """Return the sender as MAIL FROM carries it. Raises ``SenderRefused``."""
    try:
        return wire_address(address)
    except ValueError as fault:
        raise SenderRefused(
            N_("{address} cannot be used as the sender."),
            N_("Set “From” to an address with only plain letters before the @."),
            step=Stage.SENDER,
            kind=Kind.ACCOUNT,
            address=address,
        ) from fault


def address_literal(ip: str) -> str:
    """Return our own name for EHLO from the local address of the connection (RFC 5321 4.1.3)."""
    address = ipaddress.ip_address(ip.partition("%")[0])
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"


# --- the mail on the wire --------------------------------------------------------------------------------------------


def require_wire_safe(data: bytes) -> None:
    """Raise ``MessageRefused`` where ``wire_fault`` finds something: the last check before a mail leaves."""
    if why := wire_fault(data):
        raise MessageRefused(
            N_("This mail cannot be sent: {reason}."),
            N_("This is a fault of vxtray; please report it."),
            step=Stage.DATA,
            kind=Kind.PERMANENT,
            reason=why,
        )


def wire_fault(data: bytes) -> str:
    """Return why these bytes may not be sent as a mail (a message id), or an empty text."""
    if b"\0" in data:
        return N_("it holds a NUL character")
    lines = data.split(b"\r\n")
    if not data.count(b"\r") == data.count(b"\n") == len(lines) - 1:
        return N_("it holds a line end that is not CR LF")
    if not data.endswith(b"\r\n"):
        return N_("its last line has no end")
    if max(map(len, lines)) > MAX_TEXT_LINE:
        return N_("it holds a line of more than 998 characters")
    if not data.isascii():
        return N_("it is not 7-bit")
    return ""


def dot_stuffed(data: bytes) -> bytes:
    """Double the dot at the beginning of each line (RFC 5321 4.5.2); the final dot is not included."""
    stuffed = data.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed
