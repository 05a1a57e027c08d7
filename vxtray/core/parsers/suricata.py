"""Suricata's eve.json, one record a line, bare or behind a syslog header. Pure functions, any thread.

Source: "Eve JSON Format", docs.suricata.io. An alert that was let through is *detected*, since an attack that was seen
and not stopped must not hide among permitted traffic. Alerts, drops and anomalies are events; the records of what went
over the net (flow, dns, http, tls, ...) are understood and hold none.
"""

import re
from datetime import tzinfo
from typing import Any

from vxtray.core.errors import N_
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import jsonvalues, timestamps
from vxtray.core.parsers.fields import MAX_ADDRESS, MAX_HOST, MAX_MESSAGE, MAX_NAME, MAX_URL, address, host, port
from vxtray.core.parsers.jsonvalues import members, words
from vxtray.core.parsers.outcome import Ignored, Outcome, Rejected, combined

_NO_RECORD = Rejected(N_("The record is none of Suricata's."))
_NO_TIME = Rejected(N_("The line has no time that can be read."))

#: With what a record begins: Suricata writes the time first; tools that sort or enrich put one of the others there.
#: Other JSON logs that an attacker could lead to hold the same words further in begin differently.
_FIRST = re.compile(
    r'[\[{ ]{1,16}"(?:timestamp|@timestamp|event_type|flow_id|in_iface|alert|anomaly|app_proto|community_id|'
    r'dest_ip|drop|ether|host|pcap_\w{1,16}|proto|sensor\w{0,8}|src_ip|_\w{1,16})" {0,4}:'
)

#: ``alert.severity`` counts from 1, the worst; classification.config knows up to 3, rules may go on.
_SEVERITIES = {"1": Severity.HIGH, "2": Severity.MEDIUM, "3": Severity.LOW}
_LET_GO = frozenset({"allowed", "pass", "alert", "accept", ""})


def recognises(text: str) -> bool:
    """Return whether a line is an eve record."""
    return (
        "{" in text
        and '"event_type"' in text
        and '"timestamp"' in text
        and _FIRST.match(jsonvalues.payload(text[:2048])) is not None
    )


def parse(text: str, zone: tzinfo) -> Outcome:
    """Understand one printable line: an eve record or an array of them; ``zone`` is for times without an offset."""
    found = jsonvalues.load(jsonvalues.payload(text))
    if found is None:
        return jsonvalues.BROKEN
    if isinstance(found, list):
        return combined(_record(one, zone) for one in found)
    return _record(found, zone)


def _record(found: Any, zone: tzinfo) -> Outcome:
    record = members(found)
    kind = words(record.get("event_type"), MAX_ADDRESS)
    if not kind:
        return _NO_RECORD
    at = timestamps.iso(words(record.get("timestamp"), MAX_ADDRESS), zone)
    if at is None:
        return _NO_TIME
    http, tls = members(record.get("http")), members(record.get("tls"))
    category, action, severity, said = _READ.get(kind, _traffic)(record)
    event = SecurityEvent(
        at=at,
        source="suricata",
        category=category,
        action=action,
        severity=severity,
        src_ip=address(words(record.get("src_ip"), MAX_ADDRESS)),
        src_port=port(words(record.get("src_port"), 6)),
        dst_ip=address(words(record.get("dest_ip"), MAX_ADDRESS)),
        dst_port=port(words(record.get("dest_port"), 6)),
        target_host=host(words(http.get("hostname") or tls.get("sni"), MAX_HOST + 6)),
        target_url=words(http.get("url"), MAX_URL),
        rule_id=said.get("rule_id", ""),
        rule_name=said.get("rule_name", ""),
        message=said["message"],
    )
    return Ignored(event) if category is Category.OTHER else event


#: Category, action, severity, and the texts that the record holds.
_Reading = tuple[Category, Action, Severity, dict[str, str]]


def _alert(record: dict[str, Any]) -> _Reading:
    """Read an alert. ``verdict`` (since Suricata 7) says what befell the packet, whichever rule decided that."""
    alert = members(record.get("alert"))
    action = words(alert.get("action"), 32).lower()
    verdict = words(members(record.get("verdict")).get("action"), 32).lower()
    let_go = action in _LET_GO and verdict in _LET_GO
    return Category.IPS, Action.DETECTED if let_go else Action.BLOCKED, _severity(alert), _rule(alert)


def _drop(record: dict[str, Any]) -> _Reading:
    """Read a dropped packet: with the alert that dropped it, or as what follows in a flow that is dropped already."""
    alert = members(record.get("alert"))
    if alert:
        return Category.IPS, Action.BLOCKED, _severity(alert), _rule(alert)
    reason = words(members(record.get("drop")).get("reason"), MAX_NAME)
    return Category.IPS, Action.BLOCKED, Severity.LOW, {"message": f"drop: {reason}" if reason else "drop"}


def _anomaly(record: dict[str, Any]) -> _Reading:
    """Read what did not follow a protocol: mostly bad implementations and lost packets, hence of little weight."""
    anomaly = members(record.get("anomaly"))
    name = words(anomaly.get("event"), MAX_NAME)
    what = words(anomaly.get("type"), MAX_ADDRESS)
    return (
        Category.IPS,
        Action.INFO,
        Severity.LOW,
        {"rule_name": name, "message": f"anomaly: {what}" if what else "anomaly"},
    )


def _traffic(record: dict[str, Any]) -> _Reading:
    return Category.OTHER, Action.INFO, Severity.INFO, {"message": words(record.get("event_type"), MAX_ADDRESS)}


_READ = {"alert": _alert, "drop": _drop, "anomaly": _anomaly}


def _severity(alert: dict[str, Any]) -> Severity:
    named = members(alert.get("metadata")).get("signature_severity")
    if any(words(name, 32).lower() == "critical" for name in (named if isinstance(named, list) else [named])):
        return Severity.CRITICAL
    number = words(alert.get("severity"), 8)
    return _SEVERITIES.get(number, Severity.LOW if number.isdecimal() and number != "0" else Severity.MEDIUM)


def _rule(alert: dict[str, Any]) -> dict[str, str]:
    name = words(alert.get("signature"), MAX_NAME)
    return {
        "rule_id": words(alert.get("signature_id"), MAX_ADDRESS),
        "rule_name": name,
        "message": words(alert.get("category"), MAX_MESSAGE) or name,
    }
