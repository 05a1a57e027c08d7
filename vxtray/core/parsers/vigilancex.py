"""What a VIGILANCE X server tells, put into records by the source ``vigilancex``. Pure functions, any thread.

A record is a JSON object of one member, which names what the other is: ``event`` (of ``/events``), ``alert`` (a row of
its ModSecurity table in ``/alerts/critical``), ``modsec`` (a group of ``/modsec/logs/grouped``), ``ban`` and ``unban``
(of ``/bans``), ``notice`` (what it says of itself).

The server's own reading of Sophos lines loses much: it calls what an IPS says "Unknown", takes hardly any verdict, and
turns most severities into "info". Where an event still holds the whole line (as its message, which is so for all lines
without one), the line is read again here; otherwise the log id tells subtype and severity.
"""

import re
from datetime import UTC, datetime, tzinfo
from typing import Any

import msgspec

from vxtray.core.errors import N_
from vxtray.core.events import MAX_LINE, Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import jsonvalues, sophos, timestamps
from vxtray.core.parsers import severity as severities
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
from vxtray.core.parsers.jsonvalues import elements, members, words
from vxtray.core.parsers.outcome import Outcome, Rejected

SOURCE = "vigilancex"

_NO_RECORD = Rejected(N_("The record is nothing that a VIGILANCE X server tells."))
_NO_TIME = Rejected(N_("The line has no time that can be read."))

_CATEGORIES = {
    "waf": Category.WAF,
    "modsec": Category.WAF,
    "modsecurity": Category.WAF,
    "ips": Category.IPS,
    "atp": Category.ATP,
    "anti-virus": Category.MALWARE,
    "firewall": Category.FIREWALL,
    "vpn": Category.VPN,
    "authentication": Category.AUTH,
    "admin": Category.AUTH,
    "heartbeat": Category.SYSTEM,
}
#: Its own words; by parts, since a raw word of the firewall may come through.
_ACTIONS = (
    ("drop", Action.BLOCKED),
    ("den", Action.BLOCKED),
    ("block", Action.BLOCKED),
    ("reject", Action.BLOCKED),
    ("quarantine", Action.BLOCKED),
    ("detect", Action.DETECTED),
    ("alert", Action.DETECTED),
    ("allow", Action.ALLOWED),
    ("accept", Action.ALLOWED),
    ("pass", Action.ALLOWED),
)
#: Digits 5 and 6 of a Sophos log id: what was done ("Sophos Firewall: Syslog guide").
_SUBTYPES = {
    "01": Action.ALLOWED,
    "02": Action.BLOCKED,
    "03": Action.DETECTED,
    "04": Action.BLOCKED,
    "05": Action.ALLOWED,
    "06": Action.BLOCKED,
    "20": Action.DETECTED,
    "32": Action.BLOCKED,
}
#: Its categories of a sign-in, for which it has no action.
_OUTCOMES = {"auth failure": Action.FAILED, "vpn attack": Action.BLOCKED, "auth success": Action.ALLOWED}
_WORDS = {"critical": Severity.CRITICAL, "high": Severity.HIGH, "medium": Severity.MEDIUM, "low": Severity.LOW}

#: Addresses that stand for none: a missing one, and any of version 6, become this.
_NOWHERE = frozenset({"0.0.0.0", "::", "::ffff:0.0.0.0"})  # noqa: S104 - nothing is bound
_LOG_ID = re.compile(r"\d{12}", re.ASCII)
#: Where a rule of the Core Rule Set only counts the score, it is no attack of its own.
_COUNTING = frozenset({"949110", "949111", "959100", "980130", "980140", "980170"})
_MAPPED = "::ffff:"
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


def parse(text: str, zone: tzinfo) -> Outcome:
    """Understand one record; ``zone`` is for times without an offset, of which the server's own are UTC."""
    record = members(jsonvalues.load(text))
    for kind, read in _KINDS.items():
        if kind in record:
            found = members(record[kind])
            return read(found, zone) if found else _NO_RECORD
    return _NO_RECORD


# --- events -----------------------------------------------------------------------------------------------------------


def _event(found: dict[str, Any], zone: tzinfo) -> Outcome:
    at = _time(found, "timestamp")
    if at is None:
        return _NO_TIME
    for key in ("raw_log", "message"):  # the tables hold the line, the interface only where there is no message
        line = words(found.get(key), MAX_LINE)
        if "log_type=" in line and sophos.recognises(line):
            again = sophos.parse(line, zone)
            if isinstance(again, SecurityEvent):
                return _completed(msgspec.structs.replace(again, at=at, source=SOURCE), found)
    return _as_told(found, at)


def _completed(event: SecurityEvent, found: dict[str, Any]) -> SecurityEvent:
    """Return what the line says, and of the rest what the server found out."""
    return msgspec.structs.replace(
        event,
        country=event.country or _country(found.get("geo_country")),
        target_host=event.target_host or host(words(found.get("hostname"), MAX_HOST + 6)),
        severity=severities.highest(event.severity, _severity(found)),
    )


def _as_told(found: dict[str, Any], at: datetime) -> SecurityEvent:
    kind = words(found.get("log_type"), MAX_ADDRESS).lower()
    category = _CATEGORIES.get(kind, Category.OTHER)
    url = words(found.get("url"), MAX_URL)
    name = words(found.get("category"), MAX_NAME)
    sub = words(found.get("sub_category"), MAX_NAME)
    return SecurityEvent(
        at=at,
        source=SOURCE,
        category=category,
        action=_action(found, category),
        severity=_severity(found),
        src_ip=_address(found.get("src_ip")),
        src_port=port(words(found.get("src_port"), 6)),
        country=_country(found.get("geo_country")),
        dst_ip=_address(found.get("dst_ip")),
        dst_port=port(words(found.get("dst_port"), 6)),
        target_host=_target(found, category) or url_host(url),
        target_url=url,
        user=words(found.get("user_name"), MAX_NAME),
        rule_id=_first_rule(found) or words(found.get("rule_id"), MAX_ADDRESS),
        rule_name=words(found.get("rule_name"), MAX_NAME) or sub or name,
        message=words(found.get("message"), MAX_MESSAGE) or words(found.get("reason"), MAX_MESSAGE) or sub or name,
    )


def _target(found: dict[str, Any], category: Category) -> str:
    """Return the host; for the firewall's own lines the server puts the name of the rule there, which is none."""
    name = words(found.get("hostname"), MAX_HOST + 6)
    if category is Category.FIREWALL or name == words(found.get("rule_name"), MAX_HOST + 6):
        return ""
    return host(name)


def _first_rule(found: dict[str, Any]) -> str:
    """Return the ModSecurity rule that matched first, as far as the server has put the two together."""
    rules = (words(one, MAX_ADDRESS) for one in elements(found.get("modsec_rule_ids")))
    return next((rule for rule in rules if rule and rule not in _COUNTING), "")


def _action(found: dict[str, Any], category: Category) -> Action:
    word = words(found.get("action"), MAX_ADDRESS).lower()
    for part, action in _ACTIONS:
        if part in word:
            return action
    log_id = _log_id(found)
    if category in {Category.VPN, Category.AUTH}:
        return _OUTCOMES.get(words(found.get("category"), MAX_NAME).lower(), Action.INFO)
    if log_id:
        return _SUBTYPES.get(log_id[4:6], Action.INFO)
    return Action.INFO


def _log_id(found: dict[str, Any]) -> str:
    text = words(found.get("sophos_id"), 16)
    return text if _LOG_ID.fullmatch(text) else ""


def _severity(found: dict[str, Any]) -> Severity:
    """Return the higher of its word and of the seventh digit of the log id, which it does not look at."""
    log_id = _log_id(found)
    digit = severities.DIGITS.get(log_id[6:7], Severity.INFO) if log_id else Severity.INFO
    return severities.highest(_WORDS.get(words(found.get("severity"), 16).lower(), Severity.INFO), digit)


# --- ModSecurity ------------------------------------------------------------------------------------------------------


def _alert(found: dict[str, Any], _zone: tzinfo) -> Outcome:
    """Read a row of the ModSecurity table among the critical alerts: its own words say that it is critical."""
    at = _time(found, "timestamp")
    if at is None:
        return _NO_TIME
    word = words(found.get("action"), MAX_ADDRESS).lower()
    return SecurityEvent(
        at=at,
        source=SOURCE,
        category=_CATEGORIES.get(words(found.get("log_type"), MAX_ADDRESS).lower(), Category.WAF),
        action=next((action for part, action in _ACTIONS if part in word), Action.DETECTED),
        severity=severities.highest(_severity(found), Severity.LOW),
        src_ip=_address(found.get("src_ip")),
        country=_country(found.get("country")),
        dst_ip=_address(found.get("dst_ip")),
        target_host=host(words(found.get("hostname"), MAX_HOST + 6)),
        rule_id=words(found.get("rule_id"), MAX_ADDRESS),
        rule_name=words(found.get("rule_name"), MAX_NAME) or words(found.get("category"), MAX_NAME),
        message=words(found.get("message"), MAX_MESSAGE),
    )


def _modsec(found: dict[str, Any], _zone: tzinfo) -> Outcome:
    """Read a request that matched rules of the WAF: one attack, whatever number of rules it matched."""
    at = _time(found, "timestamp")
    if at is None:
        return _NO_TIME
    rules = [members(one) for one in elements(found.get("rules"))]
    rule = next((one for one in rules if words(one.get("rule_id"), 16) not in _COUNTING), rules[0] if rules else {})
    score = found.get("total_score")
    total = score if isinstance(score, int) and not isinstance(score, bool) and 0 < score < 1_000_000 else None
    named = (severities.WORDS.get(words(one.get("rule_severity"), 16).lower(), Severity.INFO) for one in rules)
    worst = severities.of_score(total) if total else severities.highest(Severity.MEDIUM, *named)
    return SecurityEvent(
        at=at,
        source=SOURCE,
        category=Category.WAF,
        action=Action.BLOCKED if found.get("is_blocked") in (True, 1) else Action.DETECTED,
        severity=worst,
        src_ip=_address(found.get("src_ip")),
        src_port=port(words(found.get("src_port"), 6)),
        country=_country(found.get("geo_country")),
        target_host=host(words(found.get("hostname"), MAX_HOST + 6)),
        target_url=words(found.get("uri"), MAX_URL),
        rule_id=words(rule.get("rule_id"), MAX_ADDRESS),
        rule_name=words(rule.get("attack_type"), MAX_NAME),
        message=words(rule.get("rule_msg"), MAX_MESSAGE),
        score=total,
    )


# --- bans -------------------------------------------------------------------------------------------------------------


def _ban(found: dict[str, Any], _zone: tzinfo) -> Outcome:
    at = _time(found, "last_ban") or _time(found, "first_ban")
    return _NO_TIME if at is None else _banned(found, at, Action.BANNED, Severity.HIGH)


def _unban(found: dict[str, Any], _zone: tzinfo) -> Outcome:
    at = _time(found, "seen_gone")
    return _NO_TIME if at is None else _banned(found, at, Action.UNBANNED, Severity.LOW)


def _banned(found: dict[str, Any], at: datetime, action: Action, severity: Severity) -> SecurityEvent:
    return SecurityEvent(
        at=at,
        source=SOURCE,
        category=Category.BAN,
        action=action,
        severity=severity,
        src_ip=_address(found.get("ip")),
        country=_country(found.get("country")),
        rule_name=words(found.get("trigger_rule"), MAX_NAME) or words(found.get("source"), MAX_NAME),
        message=words(found.get("reason"), MAX_MESSAGE),
    )


# --- notices ---------------------------------------------------------------------------------------------------------


def _notice(found: dict[str, Any], _zone: tzinfo) -> Outcome:
    at = _time(found, "timestamp")
    if at is None:
        return _NO_TIME
    return SecurityEvent(
        at=at,
        source=SOURCE,
        category=Category.SYSTEM,
        action=Action.INFO,
        severity=Severity.CRITICAL,
        rule_name=words(found.get("kind"), MAX_NAME),
        message=words(found.get("message"), MAX_MESSAGE),
    )


# --- values -----------------------------------------------------------------------------------------------------------


def _time(found: dict[str, Any], key: str) -> datetime | None:
    at = timestamps.iso(words(found.get(key), MAX_ADDRESS), UTC)
    return at if at is not None and at > _EARLIEST else None


def _address(value: Any) -> str:
    text = words(value, MAX_ADDRESS).removeprefix(_MAPPED)
    return "" if text in _NOWHERE else address(text)


def _country(value: Any) -> str:
    """Return alpha-2; the server mixes it with the firewall's alpha-3, among which R1 is a private address."""
    return alpha2(words(value, 16))


_KINDS = {"event": _event, "alert": _alert, "modsec": _modsec, "ban": _ban, "unban": _unban, "notice": _notice}
