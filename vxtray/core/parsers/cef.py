r"""ArcSight's Common Event Format, which many products can write. Pure functions, any thread.

    CEF:0|vendor|product|version|class id|name|severity|key=value key=value with blanks

In the header ``|`` and ``\``, in the extension ``=``, ``\`` and line feeds are escaped; not all products do so. What
takes ``CEF:`` for a syslog tag leaves ``0|vendor|...``. Source: "ArcSight Common Event Format, Implementation Standard"
(version 26). How the words become category and action is in ``cef_verdicts``.

An event whose line tells no time at all, neither here nor in a syslog header, happened now: it is sent as it happens.
"""

import re
from datetime import UTC, datetime, tzinfo

from vxtray.core.errors import N_
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import severity, syslog, timestamps, zones
from vxtray.core.parsers.cef_verdicts import classify
from vxtray.core.parsers.countries import alpha2
from vxtray.core.parsers.fields import (
    MAX_ADDRESS,
    MAX_HOST,
    MAX_MESSAGE,
    MAX_NAME,
    MAX_URL,
    address,
    host,
    port,
    url_host,
)
from vxtray.core.parsers.outcome import Outcome, Rejected

_BROKEN = Rejected(N_("The CEF header is not complete."))

_FIELD = r"((?:[^|\\]|\\.)*+)\|"
_HEADER = re.compile(rf"\d{{1,2}}\|{_FIELD * 6}")
#: What may stand in front, apart from a syslog header: a few words.
_START = re.compile(
    r'(?:[^="{}|]{0,256}?\bCEF: ?(?=\d{1,2}\|)|(?=\d{1,2}\|[^|="]{1,64}\|[^|="]{1,128}\|[^|]{0,128}\|))'
)
_KEY = re.compile(r"(?<!\S)([\w.,:@\[\]-]{1,100})=")
_ESCAPED = re.compile(r"\\([\\=|nr])")
#: Keys of one line that are looked at.
_MAX_KEYS = 500

_WORDS = {
    "low": Severity.LOW,
    "substantial": Severity.HIGH,
    "severe": Severity.HIGH,
    "medium": Severity.MEDIUM,
    "high": Severity.HIGH,
    "very-high": Severity.CRITICAL,
    "very high": Severity.CRITICAL,
    **severity.WORDS,
}
_NUMBERS = (
    *[Severity.INFO],
    *[Severity.LOW] * 3,
    *[Severity.MEDIUM] * 3,
    *[Severity.HIGH] * 2,
    *[Severity.CRITICAL] * 2,
)

_SRC = ("src", "sourceAddress", "c6a2")
_DST = ("dst", "destinationAddress", "c6a3")
_TIMES = (
    *("rt", "deviceReceiptTime", "UNIFIutcTime", "end", "endTime", "start", "startTime", "mrt", "art"),
    *("FTNTFGTeventtime", "FortinetFortiGateeventtime", "details_clientTimestamp"),
)
_URL = ("request", "requestUrl", "requestURL")
_HOST = ("dhost", "destinationHostName", "sourceServiceName")
_USER = ("duser", "destinationUserName", "suser", "sourceUserName", "UNIFIadmin")
_COUNTRY_LABELS = frozenset({"source country", "sourcecountry", "src country", "srccountry"})
#: What products write where there is nothing to say.
_NOTHING = frozenset({"none", "unknown", "n/a", "-", "(null)", "(no user)"})
_WEEKDAY = re.compile(r"[A-Za-z]{3} (?=[A-Za-z]{3} )")
_ZONED = re.compile(r"(.{14,27}\d) ([A-Za-z]{1,5}(?:[+-]\d{1,2}:?(?:\d\d)?)?)", re.ASCII)
#: Milliseconds since 1970 have so many digits (from 1973 to 2286), seconds three less, nanoseconds six more.
_MILLISECONDS = range(12, 14)
_SECONDS = range(9, 11)
_NANOSECONDS = 19


def recognises(text: str) -> bool:
    """Return whether a line is CEF: the header's beginning, behind a syslog header or a few words."""
    return "|" in text and _START.match(syslog.body(text)) is not None


def parse(text: str, zone: tzinfo) -> Outcome:
    """Understand one printable line; ``zone`` is for times without one."""
    said = syslog.body(text)
    start = _START.match(said)
    header = _HEADER.match(said, start.end()) if start else None
    if header is None:
        return _BROKEN
    vendor, product, _, class_id, name, level = (_plain(value) for value in header.groups())
    keys = _extension(said[header.end() :])
    verdict = classify(vendor, product, class_id, name, keys)
    url = _first(keys, _URL, MAX_URL)
    return SecurityEvent(
        at=_time(keys, text, zone),
        source="cef",
        category=verdict.category,
        action=verdict.action,
        severity=_severity(level, verdict.category, verdict.action),
        src_ip=address(_first(keys, _SRC, MAX_ADDRESS)),
        src_port=port(_first(keys, ("spt", "sourcePort"), 6)),
        country=_country(keys),
        dst_ip=address(_first(keys, _DST, MAX_ADDRESS)),
        dst_port=port(_first(keys, ("dpt", "destinationPort"), 6)),
        target_host=url_host(url) or host(_first(keys, _HOST, MAX_HOST)),
        target_url=url,
        user=_first(keys, _USER, MAX_NAME),
        rule_id="" if class_id.lower() in _NOTHING else class_id[:MAX_ADDRESS],
        rule_name=name[:MAX_NAME],
        message=_first(keys, ("msg", "message"), MAX_MESSAGE) or name[:MAX_MESSAGE],
    )


def _plain(value: str) -> str:
    r"""Return a value without its escapes; ``\n`` and ``\r`` become blanks."""
    value = value.strip()
    if "\\" not in value:
        return value
    return _ESCAPED.sub(lambda match: " " if match[1] in "nr" else match[1], value)


def _extension(text: str) -> dict[str, str]:
    """Return the values as they stand, the first of each key. A blank ends a value only where a key follows."""
    found: dict[str, str] = {}
    name, start = "", 0
    for key in _KEY.finditer(text):
        if name:
            found.setdefault(name, text[start : key.start()])
        if len(found) >= _MAX_KEYS:
            return found
        name, start = key[1], key.end()
    if name:
        found.setdefault(name, text[start:])
    return found


def _first(keys: dict[str, str], names: tuple[str, ...], limit: int) -> str:
    """Return the value of the first key that says something, without quotes around it."""
    for name in names:
        raw = keys.get(name)
        value = _plain(raw[: limit * 2]) if raw else ""
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1].strip()
        if value and value.lower() not in _NOTHING:
            return value[:limit]
    return ""


def _severity(level: str, category: Category, action: Action) -> Severity:
    """Return what the header's severity means; an attack is never less than low, whatever "Unknown" stands for."""
    if level.isdecimal() and len(level) <= 2:
        found = _NUMBERS[min(int(level), 10)]
    else:
        found = _WORDS.get(level.lower(), Severity.INFO)
    attack = category in {Category.WAF, Category.IPS, Category.MALWARE, Category.ATP}
    if attack and action in {Action.BLOCKED, Action.DETECTED}:
        return severity.highest(found, Severity.LOW)
    return found


def _country(keys: dict[str, str]) -> str:
    """Return the source's country, from a key of its own or from a custom text labelled so."""
    for name, value in keys.items():
        if name.endswith("Label") and value.strip().lower() in _COUNTRY_LABELS:
            return alpha2(keys.get(name.removesuffix("Label"), "").strip()[:8])
    return alpha2(_first(keys, ("sourceCountry", "srcCountry", "sourceGeoCountryCode", "ccode"), 8))


def _time(keys: dict[str, str], text: str, zone: tzinfo) -> datetime:
    for name in _TIMES:
        value = _first(keys, (name,), MAX_ADDRESS)
        at = _when(value, zone) if value else None
        if at:
            return at
    return syslog.read(text, zone).at or datetime.now(UTC)


def _when(value: str, zone: tzinfo) -> datetime | None:
    """Read a time: seconds or milliseconds since 1970, ``Jan 17 2020 08:52:09.123 UTC``, or ISO 8601."""
    whole, _, fraction = value.partition(".")
    if whole.isascii() and whole.isdecimal():
        if fraction and not (fraction.isascii() and fraction.isdecimal()):
            return None
        if len(whole) in _SECONDS:
            return datetime.fromtimestamp(int(whole), UTC)
        if len(whole) == _NANOSECONDS:
            whole = whole[:-6]
        return datetime.fromtimestamp(int(whole) / 1000, UTC) if len(whole) in _MILLISECONDS else None
    value = _WEEKDAY.sub("", value, count=1) if value[3:4] == " " else value.replace("/", "-")
    zoned = _ZONED.fullmatch(value)
    if zoned is None:
        return timestamps.bsd(value, zone) or timestamps.iso(value, zone)
    at = timestamps.bsd(zoned[1], UTC) or timestamps.iso(zoned[1], UTC)
    if at is None:
        return None
    east = zones.offset(zoned[2], at.isoformat()[:13], zone)
    if east is None:
        return at.replace(tzinfo=zone).astimezone(UTC)
    return at - east
