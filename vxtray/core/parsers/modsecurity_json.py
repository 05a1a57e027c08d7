"""ModSecurity's audit log as JSON, one record for each request, in its three shapes, and Coraza's lines in Caddy's log.

    ModSecurity 2   transaction, request, response, audit_data; messages in the words of the native log
    ModSecurity 3   transaction holds all; messages have details; the time has no zone
    Coraza          as 3, with its own time, is_interrupted, and messages beside the transaction
    Caddy           {"ts": ..., "msg": "[client \\"192.0.2.1\\"] Coraza: Warning. ..."}

Pure functions, any thread. Sources: "ModSecurity 2 Data Formats"; ModSecurity 3 ``transaction.cc``; Coraza
``internal/auditlog``. Version 3 does not say whether a request was stopped: it was where rules matched, the engine was
on, and the answer was 403, or any but a success where the rule matched that stops by the score.
"""

import re
from datetime import UTC, datetime, tzinfo
from typing import Any

from vxtray.core.errors import N_
from vxtray.core.parsers import timestamps
from vxtray.core.parsers.fields import MAX_ADDRESS, MAX_HOST, MAX_MESSAGE, MAX_NAME, MAX_URL, address, host, port
from vxtray.core.parsers.jsonvalues import BROKEN, elements, load, members, payload, words
from vxtray.core.parsers.modsecurity_audit import time_of, url_of
from vxtray.core.parsers.modsecurity_rules import (
    MAX_MATCHES,
    Match,
    Request,
    event,
    read_match,
    rule_severity,
    score_of,
    tells_of_a_rule,
)
from vxtray.core.parsers.outcome import Ignored, Outcome, Rejected

_NO_TIME = Rejected(N_("The line has no time that can be read."))
_NOTHING = Ignored()

#: As a key, which a visitor's text in a value of another product's JSON cannot become.
_SHAPES = re.compile(r'"transaction"\s*+:|"msg"\s*+:\s*+"(?:\[client \\"[^"\\]{0,64}\\"\] )?Coraza: ')
#: ``Tue May 10 04:52:04 2022``
_ASCTIME = re.compile(r"[A-Za-z]{3} ([A-Za-z]{3} [ \d]\d \d\d:\d\d:\d\d \d{4})", re.ASCII)
_ENGINE_OFF = ("detectiononly", "detection_only", "disabled", "off")
#: The rules that stop a request by its score.
_STOPPING = ("949", "959")


def recognises(text: str) -> bool:
    """Return whether a line holds JSON of one of these shapes."""
    if not ('"transaction"' in text or "Coraza: " in text):
        return False
    return _SHAPES.search(text) is not None and bool(payload(text))


def parse(text: str, zone: tzinfo) -> Outcome:
    """Understand one record; a request that no rule matched is no event."""
    record = members(load(payload(text)))
    transaction = members(record.get("transaction"))
    if not transaction:
        return _caddy(record) if "msg" in record else BROKEN
    if "audit_data" in record or "remote_address" in transaction:
        return _version_2(record, transaction, zone)
    return _version_3(record, transaction, zone)


def _version_2(record: dict[str, Any], transaction: dict[str, Any], zone: tzinfo) -> Outcome:
    audit = members(record.get("audit_data"))
    action = members(audit.get("action"))
    messages = [message for message in elements(audit.get("messages"))[:MAX_MATCHES] if isinstance(message, str)]
    matches = [read_match(message) for message in messages if tells_of_a_rule(message)]
    stopped = _true(action.get("intercepted"))
    if not matches and not stopped:
        return _NOTHING
    at = time_of(words(transaction.get("time"), MAX_ADDRESS), zone)
    if at is None:
        return _NO_TIME
    request = members(record.get("request"))
    return event(
        Request(
            at=at,
            src_ip=_address(transaction, "remote_address"),
            src_port=_port(transaction, "remote_port"),
            dst_ip=_address(transaction, "local_address"),
            dst_port=_port(transaction, "local_port"),
            host=_host(request),
            url=url_of(words(request.get("request_line"), MAX_URL + 32)),
            stopped=stopped,
            words=words(action.get("message"), MAX_MESSAGE),
        ),
        matches,
    )


def _version_3(record: dict[str, Any], transaction: dict[str, Any], zone: tzinfo) -> Outcome:
    messages = elements(transaction.get("messages")) or elements(record.get("messages"))
    matches = [_match(members(message)) for message in messages[:MAX_MATCHES]]
    stopped = _stopped(transaction, matches)
    if not matches and not stopped:
        return _NOTHING
    at = _time(transaction, zone)
    if at is None:
        return _NO_TIME
    request = members(transaction.get("request"))
    return event(
        Request(
            at=at,
            src_ip=_address(transaction, "client_ip"),
            src_port=_port(transaction, "client_port"),
            dst_ip=_address(transaction, "host_ip"),
            dst_port=_port(transaction, "host_port"),
            host=_host(request),
            url=words(request.get("uri"), MAX_URL),
            stopped=stopped,
        ),
        matches,
    )


def _match(message: dict[str, Any]) -> Match:
    """Read one of version 3's messages; Coraza calls the details ``data`` and the rule ``id``."""
    details = members(message.get("details")) or members(message.get("data"))
    name = words(message.get("message"), MAX_NAME) or words(details.get("msg"), MAX_NAME)
    found = words(details.get("match"), MAX_MESSAGE)
    return Match(
        rule_id=words(details.get("ruleId", details.get("id")), MAX_ADDRESS),
        name=name,
        words=name or found,
        severity=rule_severity(words(details.get("severity"), 16)),
        score=score_of(f"{name} {found}"),
    )


def _stopped(transaction: dict[str, Any], matches: list[Match]) -> bool:
    if "is_interrupted" in transaction:
        return _true(transaction["is_interrupted"])
    producer = members(transaction.get("producer"))
    engine = words(producer.get("secrules_engine", producer.get("rule_engine")), 32).lower()
    if not matches or engine in _ENGINE_OFF:
        return False
    status = words(members(transaction.get("response")).get("http_code"), 8)
    by_score = any(match.rule_id.startswith(_STOPPING) for match in matches)
    return status == "403" or (by_score and not status.startswith("2"))


def _time(transaction: dict[str, Any], zone: tzinfo) -> datetime | None:
    unix = transaction.get("unix_timestamp")
    if isinstance(unix, int) and unix > 0:
        at = _epoch(unix / 1e9 if unix > 1e15 else unix)
        if at:
            return at
    text = words(transaction.get("time_stamp", transaction.get("timestamp")), MAX_ADDRESS)
    asctime = _ASCTIME.fullmatch(text)
    return timestamps.bsd(asctime[1], zone) if asctime else timestamps.iso(text.replace("/", "-"), zone)


def _epoch(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _caddy(record: dict[str, Any]) -> Outcome:
    """Read a line of Caddy's (or another zap logger's) own log with the messages of one rule, a line each."""
    text = record.get("msg")
    lines = [line for line in text.split("\n") if "Coraza: " in line] if isinstance(text, str) else []
    if not lines:
        return _NOTHING
    stamp = record.get("ts")
    at = _epoch(stamp) if isinstance(stamp, int | float) else timestamps.iso(words(stamp, MAX_ADDRESS), UTC)
    if at is None:
        return _NO_TIME
    matches = [read_match(line) for line in lines[:MAX_MATCHES]]
    first = matches[0]
    return event(
        Request(at=at, src_ip=address(first.client[:MAX_ADDRESS]), host=host(first.host), url=first.url), matches
    )


def _true(value: Any) -> bool:
    return value is True or value == "true"


def _address(values: dict[str, Any], key: str) -> str:
    return address(words(values.get(key), MAX_ADDRESS))


def _port(values: dict[str, Any], key: str) -> int:
    return port(words(values.get(key), 8))


def _host(request: dict[str, Any]) -> str:
    """Return the host that the request's headers name, whatever their spelling; Coraza gives a list of values."""
    for name, value in members(request.get("headers")).items():
        if name.lower() == "host":
            values = elements(value)
            return host(words(values[0] if values else value, MAX_HOST + 6))
    return ""
