"""The syslog header in front of a message, as devices really write it. Pure functions, any thread.

Sources: RFC 5424; RFC 3164 (BSD) and its relatives: ISO times (rsyslog), the year before or behind the time, Cisco's
sequence numbers and ``*``, upper-case months, no host, no priority, a byte order mark. Readers disagree about a word
behind the host: it is a tag only where a colon follows, otherwise it belongs to the message.
"""

import re
from datetime import datetime, tzinfo

import msgspec

from vxtray.core.parsers import timestamps

_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,80})?(?:Z|[+-]\d\d:?\d\d)?(?:\+\d\d)?"
_BSD = r"[A-Za-z]{3} {1,2}\d{1,2} (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d{1,9})?(?: \d{4}(?= |\Z))?"
#: Structured data: elements in brackets, with quoted values in which ``"``, ``\`` and ``]`` are escaped.
_DATA = r'(?:-|(?:\[(?:[^\]"\\]|\\.|"(?:[^"\\]|\\.)*+")*+\])++)'
#: Cisco: sequence number, name, and a mark for a clock that is not set.
_CISCO = r"(?:\d{1,12}: +)?(?:[\w.-]{1,64}: +)?[*.]?"
_CISCO_ZONE = r"(?: [A-Z]{2,5}(?=:))?:?"
_TAG = r"(?:[\w./%-]{1,48}(?:\[\d{1,10}\])?: +)?"

_HEADER = re.compile(
    r" *(?:<\d{1,4}>)? *"
    r"(?:"
    rf"\d{{1,3}} (?:{_ISO}|-) [^ ]{{1,255}} [^ ]{{1,48}} [^ ]{{1,128}} [^ ]{{1,32}} {_DATA}(?: |\Z)"
    rf"|{_ISO} +(?:[^ =]{{1,255}} +)?{_TAG}"
    rf"|{_CISCO}{_BSD}{_CISCO_ZONE} +(?:[^ =]{{1,255}} +)?{_TAG}"
    r")?",
    re.ASCII | re.DOTALL,
)

_PRI = re.compile(r" *(?:<(\d{1,4})>)? *", re.ASCII)
_RFC5424 = re.compile(
    rf"(\d{{1,3}}) ({_ISO}|-) ([^ ]{{1,255}}) ([^ ]{{1,48}}) ([^ ]{{1,128}}) ([^ ]{{1,32}}) {_DATA}(?: |\Z)",
    re.ASCII | re.DOTALL,
)
_TIME = re.compile(rf"(?:({_ISO})|{_CISCO}({_BSD}){_CISCO_ZONE})(?: +|\Z)", re.ASCII)
_HOST = re.compile(r"([\w:](?:[\w.:,%-]{0,253}[\w:])?)(?: +|\Z)", re.ASCII)
_ADDRESS = re.compile(r"(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}) ", re.ASCII)
_NAME = re.compile(r"([^\s:\[\]=]{1,64})(\[([^\s\]]{1,64})\])?:(?: +|\Z)")
_FRACTION = re.compile(r"([.,]\d{1,6})\d*", re.ASCII)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A syslog message; what it does not say is None for ``pri`` and ``at``, "" otherwise. ``at`` is in UTC."""

    message: str
    pri: int | None = None
    version: str = ""
    at: datetime | None = None
    host: str = ""
    app: str = ""
    procid: str = ""
    msgid: str = ""


def body(text: str) -> str:
    """Return the message without priority, time, host and tag; a line without a header stays as it is."""
    match = _HEADER.match(text)
    return text[match.end() :] if match else text


def read(text: str, zone: tzinfo, now: datetime | None = None) -> Message:
    """Take a line apart. ``zone`` and ``now`` as for ``timestamps``; whatever is missing, the rest is the message."""
    start = _PRI.match(text)
    pri, offset = (int(start[1]) if start[1] else None, start.end()) if start else (None, 0)
    modern = _RFC5424.match(text, offset)
    if modern:
        version, time, *names = modern.groups()
        host, app, procid, msgid = ("" if name == "-" else name for name in names)
        return Message(
            pri=pri,
            version=version,
            at=_iso(time, zone),
            host=host,
            app=app,
            procid=procid,
            msgid=msgid,
            message=text[modern.end() :].lstrip("\ufeff"),
        )
    return _read_bsd(text, offset, pri, zone, now)


def _read_bsd(text: str, offset: int, pri: int | None, zone: tzinfo, now: datetime | None) -> Message:
    at, host, app, procid = None, "", "", ""
    time = _TIME.match(text, offset)
    if time:
        at = _iso(time[1], zone) if time[1] else timestamps.bsd(time[2], zone, now)
        offset = time.end()
    tag = _NAME.match(text, offset)
    # Without a time in front, only a process id makes a tag: "Warning: ..." is a message.
    if tag is None or not (time or tag[2]):
        tag = None
        name = (_HOST if time else _ADDRESS).match(text, offset)
        if name:
            host, offset = name[1], name.end()
            tag = _NAME.match(text, offset) if time else None
    if tag:
        app, procid, offset = tag[1], tag[3] or "", tag.end()
    return Message(pri=pri, at=at, host=host, app=app, procid=procid, message=text[offset:].lstrip("\ufeff"))


def _iso(text: str, zone: tzinfo) -> datetime | None:
    """Return an ISO time; rsyslog and others write more digits than Python reads, and ``Z+00``."""
    if "Z+" in text:
        text = text.partition("+")[0]
    return timestamps.iso(_FRACTION.sub(r"\1", text, count=1), zone)
