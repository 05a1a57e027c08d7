"""Sophos Firewall (XG, XGS) lines, in both layouts and of every log type. Pure functions, any thread.

    device standard    device= date= time= timezone= priority=  sourceip= src_country_code=
    central reporting  device_name= timestamp= severity=        src_ip=   src_country=

Source: "Sophos Firewall: Syslog guide", docs.sophos.com. A ``log_id`` is type (2 digits), component (2), subtype (2),
severity (1) and message (5). What decides is ``log_subtype``, then ``status``; the WAF has neither, there it is
``reason``. How a line's words become category and action is in ``sophos_verdicts``.
"""

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from vxtray.core.errors import N_
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import severity, sophos_verdicts, syslog, zones
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
from vxtray.core.parsers.keyvalue import scan, unquote
from vxtray.core.parsers.layouts import Layouts
from vxtray.core.parsers.outcome import Outcome, Rejected
from vxtray.core.parsers.sophos_verdicts import Verdict

_NO_TYPE = Rejected(N_("The line has no log type."))
_NO_TIME = Rejected(N_("The line has no time that can be read."))

_WAF = 'log_type="WAF"'
_LOG_ID = "log_id="
_SCORE = re.compile(r"Total (?:Inbound )?Score: ?(\d{1,6})")
_RULE_ID = re.compile(r"\bid[ =:]+\"?(\d{5,7})\b")
_LAST_MATCH = "Last Matched Message:"

#: How a line of Sophos's mostly begins: a priority, a time and a host without a tag, or nothing of it, then the device.
#: Such a line can be of no other family: each of those asks for something else where the message begins.
_BEGINNING = re.compile(
    r"(?:<\d{1,4}>)?"
    r"(?:(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:?\d\d)?)"
    r" [A-Za-z][\w.-]{0,254} )?(?=device(?:_name)?=)",
    re.ASCII,
)
#: Of longer lines nothing is remembered.
_SHORT = 4096

#: What Sophos writes where there is nothing to say.
_NOTHING = frozenset({"", "-", "N/A", '""', '"-"', '"N/A"'})


def recognises(text: str) -> bool:
    """Return whether a line is Sophos's: it names its type, and the device or the log id."""
    return "log_type=" in text and ("device=" in text or "device_name=" in text or "log_id=" in text)


def quickly(text: str, zone: tzinfo) -> Outcome | None:
    """Parse a line that is certainly Sophos's and of no other family; None for any other and for some that are."""
    header = _BEGINNING.match(text)
    if header is None:
        return None
    pairs = _known_pairs(text, header.end())
    if pairs is not None and "log_type" in pairs:
        return _understood(text, pairs, zone)
    return _parse(text, text[header.end() :], zone) if "log_type=" in text else None


def parse(text: str, zone: tzinfo) -> Outcome:
    """Understand one printable line; ``zone`` is for times without a zone or with an unknown one."""
    return _parse(text, syslog.body(text), zone)


def _parse(text: str, body: str, zone: tzinfo) -> Outcome:
    return _understood(text, _pairs(text, body), zone)


def _understood(text: str, pairs: dict[str, str], zone: tzinfo) -> Outcome:
    get = pairs.get
    said = (_said if len(text) <= _SHORT else _said.__wrapped__)(
        get("log_type", ""),
        get("log_component", ""),
        get("log_subtype", ""),
        get("status", ""),
        get("severity", ""),
        get("priority", ""),
        get("log_id", ""),
    )
    if said is None:
        return _NO_TYPE
    at = _time(pairs, zone)
    if at is None:
        return _NO_TIME
    verdict, logged = said
    if verdict.category is Category.WAF:
        return _waf_event(pairs, at, verdict, logged)
    return _event(pairs, at, verdict, logged)


def _known_pairs(text: str, start: int) -> dict[str, str] | None:
    """Return the wanted part of what ``scan`` finds from ``start`` on, where the line is of a known layout."""
    at = text.find(_LOG_ID, start) + len(_LOG_ID)
    # Apache, which is the WAF, puts a backslash before a quote that a visitor sent; the other parts do not.
    if "\\" in text and _WAF in text:
        return None
    return _LAYOUTS.read(text, text[at : at + 7], start)


def _pairs(text: str, body: str) -> dict[str, str]:
    """Return what ``scan`` finds, or the wanted part of it."""
    pairs = _known_pairs(body, 0)
    if pairs is None:
        at = body.find(_LOG_ID) + len(_LOG_ID)
        escaped = "\\" in body and _WAF in text
        pairs = scan(body, escaped=escaped)
        _LAYOUTS.saw(body, body[at : at + 7], pairs, escaped=escaped)
    return pairs


@lru_cache(maxsize=2048)
def _said(
    log_type: str, component: str, subtype: str, status: str, severity_word: str, priority: str, log_id: str
) -> tuple[Verdict, Severity] | None:
    """Return what the words of a line say, as they are written, with their quotes; None without a log type."""
    kind = _clean(log_type, MAX_ADDRESS)
    if not kind:
        return None
    words = (_clean(component, MAX_ADDRESS), _clean(subtype, MAX_ADDRESS), _clean(status, MAX_ADDRESS))
    word = _clean(severity_word, 16) or _clean(priority, 16)
    return sophos_verdicts.classify(kind, *words), _severity(word, _clean(log_id, 16))


def _value(pairs: dict[str, str], key: str, limit: int) -> str:
    """Return a key's value, cut to ``limit`` characters; "" where it is missing or says nothing."""
    raw = pairs.get(key)
    return _clean(raw, limit) if raw else ""


def _clean(raw: str, limit: int) -> str:
    if raw in _NOTHING:
        return ""
    value = unquote(raw)[:limit]
    return "" if value in _NOTHING else value


def _first(pairs: dict[str, str], keys: tuple[str, ...], limit: int) -> str:
    """Return the value of the first key that says something."""
    for key in keys:
        raw = pairs.get(key)
        if raw:
            value = _plain(raw) if len(raw) <= MAX_ADDRESS <= limit <= MAX_NAME else _clean(raw, limit)
            if value:
                return value
    return ""


@lru_cache(maxsize=16384)
def _plain(raw: str) -> str:
    """Return the value of a short field, "" where it says nothing: names and rules come again and again."""
    return _clean(raw, MAX_ADDRESS)


@lru_cache(maxsize=16384)
def _plain_address(raw: str) -> str | None:
    """Return the address that a value is, None where it says nothing; only for short ones."""
    value = _clean(raw, MAX_ADDRESS)
    return address(value) if value else None


@lru_cache(maxsize=1024)
def _plain_country(raw: str) -> str | None:
    value = _clean(raw, 8)
    return alpha2(value) if value else None


def _address(pairs: dict[str, str], keys: tuple[str, ...]) -> str:
    """Return the address under the first key that says something."""
    for key in keys:
        raw = pairs.get(key)
        if raw:
            found = (_plain_address if len(raw) <= MAX_ADDRESS else _plain_address.__wrapped__)(raw)
            if found is not None:
                return found
    return ""


def _country(pairs: dict[str, str]) -> str:
    for key in _COUNTRY:
        raw = pairs.get(key)
        if raw:
            found = (_plain_country if len(raw) <= MAX_ADDRESS else _plain_country.__wrapped__)(raw)
            if found is not None:
                return found
    return ""


def _port(pairs: dict[str, str], key: str) -> int:
    raw = pairs.get(key, "")
    if len(raw) < 6 and raw.isdecimal():
        number = int(raw)
        return number if number <= 65535 else 0
    return port(_clean(raw, 6))


# --- time and severity ------------------------------------------------------------------------------------------------


def _time(pairs: dict[str, str], zone: tzinfo) -> datetime | None:
    """Return when it happened, in UTC. A ``timestamp`` beside ``date`` is that of a session, in epoch seconds."""
    name = ""
    raw = pairs.get("timestamp", "")
    if raw[:1] == raw[-1:] == '"' and 21 <= len(raw) <= 50 and "date" not in pairs:
        try:
            at = datetime.fromisoformat(raw[1:-1])
            if at.tzinfo is not None:  # nearly always
                return at.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    if "date" in pairs:
        text = f"{unquote(pairs['date'])[:10]}T{_value(pairs, 'time', 32)}"
        name = _value(pairs, "timezone", 16)
    else:
        text = _value(pairs, "timestamp", 48)
    if len(text) < 19:
        return None
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            east = zones.offset(name, text[:13], zone) if name else None
            if east is not None:
                return (at - east).replace(tzinfo=UTC)
            at = at.replace(tzinfo=zone)
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _severity(word: str, log_id: str) -> Severity:
    """Return the higher of the word and of the seventh digit of the log id."""
    return severity.highest(
        severity.WORDS.get(word.lower(), Severity.INFO),
        severity.DIGITS.get(log_id[6:7], Severity.INFO) if len(log_id) == 12 else Severity.INFO,
    )


# --- the two kinds of lines -------------------------------------------------------------------------------------------

_SRC = ("src_ip", "sourceip", "client_ip", "remoteinterfaceip", "remote_interface_ip", "ep_ip")
_SRC_VPN = (*_SRC, "ipaddress")
_DST = ("dst_ip", "destinationip", "localip", "localinterfaceip", "local_interface_ip")
_COUNTRY = ("src_country", "src_country_code")
_USER = ("user_name", "user", "login_user")
_DOMAIN = ("domain", "domainname", "website", "dst_domainname")
_URL = ("url", "FTP_url")

#: category -> (keys of rule_id, keys of rule_name)
_RULE = {
    Category.FIREWALL: (("fw_rule_id",), ("fw_rule_name",)),
    Category.IPS: (("signature_id",), ("signature_msg",)),
    Category.ATP: ((), ("threatname", "threat", "malware", "threatfeed")),
    Category.MALWARE: ((), ("virus", "malware", "threatname")),
}
_NO_RULE: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


def _event(pairs: dict[str, str], at: datetime, verdict: Verdict, logged: Severity) -> SecurityEvent:
    message = _value(pairs, "message", MAX_MESSAGE)
    if verdict.refine:
        verdict = sophos_verdicts.refine(
            verdict, message, {key: _value(pairs, key, MAX_ADDRESS) for key in sophos_verdicts.REFINING if key in pairs}
        )
    category = verdict.category
    url = "" if category is Category.FIREWALL else _first(pairs, _URL, MAX_URL)
    rule_id, rule_name = _RULE.get(category, _NO_RULE)
    return SecurityEvent(
        at=at,
        source="sophos",
        category=category,
        action=verdict.action,
        severity=logged,
        src_ip=_address(pairs, _SRC_VPN if category is Category.VPN else _SRC),
        src_port=_port(pairs, "src_port"),
        country=_country(pairs),
        dst_ip=_address(pairs, _DST),
        dst_port=_port(pairs, "dst_port"),
        target_host=_target_host(pairs, category, url),
        target_url=url,
        user=_first(pairs, _USER, MAX_NAME),
        rule_id=_first(pairs, rule_id, MAX_ADDRESS),
        rule_name=_first(pairs, rule_name, MAX_NAME),
        message=message or _words(pairs, verdict),
    )


def _target_host(pairs: dict[str, str], category: Category, url: str) -> str:
    if category is Category.FIREWALL:
        return ""
    name = _first(pairs, _DOMAIN, MAX_HOST)
    if not name and "sha1sum" in pairs:
        # The sandbox names where a file came from: a web site, or the sender of a mail.
        name = _value(pairs, "source", MAX_HOST)
    return host(name) if name else url_host(url)


#: What tells more than the verdict alone, in this order, where a line has no message.
_DETAILS = ("reason", "classification", "app_name", "application_name", "http_category", "email_subject", "subject")


def _words(pairs: dict[str, str], verdict: Verdict) -> str:
    """Return readable words for a line without a message, such as ``Content Filtering, HTTP, Denied: Gambling``."""
    if verdict.category is Category.FIREWALL:
        return verdict.words
    detail = _first(pairs, _DETAILS, MAX_NAME)
    if not detail and verdict.category is Category.WEB:
        detail = _value(pairs, "category", MAX_NAME)
    return f"{verdict.words}: {detail}" if detail else verdict.words


#: All keys that are read anywhere in this module.
_LAYOUTS = Layouts(
    frozenset(
        (
            *("log_type", "log_component", "log_subtype", "status", "severity", "priority", "log_id"),
            *("date", "time", "timezone", "timestamp", "src_port", "dst_port", "message", "sha1sum", "source"),
            *(*_SRC_VPN, *_DST, *_COUNTRY, *_USER, *_DOMAIN, *_URL, *_DETAILS, "category"),
            *(key for keys in _RULE.values() for these in keys for key in these),
            *("extra", "method", "http_status", "httpstatus", "server", *sophos_verdicts.REFINING),
        )
    )
)


def _waf_event(pairs: dict[str, str], at: datetime, verdict: Verdict, logged: Severity) -> SecurityEvent:
    """Read a WAF line: it is an attack when it gives a reason, or a score; a status code says nothing about that."""
    reason = _value(pairs, "reason", MAX_NAME)
    extra = _value(pairs, "extra", MAX_MESSAGE)
    match = _SCORE.search(extra)
    score = int(match[1]) if match else None
    action = _waf_action(verdict, reason, score)
    attack = action in {Action.BLOCKED, Action.DETECTED}
    if attack:
        # Blocked without a score (a form or an address that was changed, a virus, a listed address): medium, as for
        # the score of 5 from which the rules block.
        logged = severity.highest(logged, severity.of_score(score) if score else Severity.MEDIUM)
    rule = _RULE_ID.search(extra) if attack else None
    _, found, last = extra.partition(_LAST_MATCH)
    line = f"{_value(pairs, 'method', 16)} {_first(pairs, ('http_status', 'httpstatus'), 3)}".strip()
    return SecurityEvent(
        at=at,
        source="sophos",
        category=Category.WAF,
        action=action,
        severity=logged,
        src_ip=_address(pairs, _SRC),
        src_port=_port(pairs, "src_port"),
        country=_country(pairs),
        dst_ip=_address(pairs, _DST),
        dst_port=_port(pairs, "dst_port"),
        target_host=host(_first(pairs, ("server", "domain"), MAX_HOST + 6)),
        target_url=_value(pairs, "url", MAX_URL),
        user=_first(pairs, _USER, MAX_NAME),
        rule_id=rule[1] if rule else "",
        rule_name=reason,
        message=(last.strip() if found else extra) or _value(pairs, "message", MAX_MESSAGE) or reason or line,
        score=score,
    )


def _waf_action(verdict: Verdict, reason: str, score: int | None) -> Action:
    """Return the verdict: what the line says where it says so, else by the reason.

    An attack that was let through (an allowing verdict beside a reason, or a score without a reason, as in the mode
    "Monitor") is detected.
    """
    attack = bool(reason) or bool(score)
    if verdict.action in {Action.ALLOWED, Action.DETECTED}:
        return Action.DETECTED if attack else verdict.action
    if verdict.action is Action.BLOCKED or reason:
        return Action.BLOCKED
    return Action.DETECTED if attack else Action.ALLOWED
