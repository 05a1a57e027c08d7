"""CrowdSec's alerts and decisions as JSON, and its log. Pure functions, any thread.

Source: the local API's models (pkg/models in github.com/crowdsecurity/crowdsec), as written by ``cscli alerts list -o
json``, ``cscli decisions list -o json``, the API, and the file and HTTP notifications. A record is an alert, a
decision, what a decision stream gives (``new`` and ``deleted``), or an array of such.

An alert that led to bans is one ban for each banned value, otherwise one detection. Addresses that come from a
blocklist (the community's or a subscribed one) have done nothing here: a whole list is one event of no weight. A
decision alone has no time of its own; where it says until when it holds and for how long, the time follows from that.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import chain
from typing import Any

from vxtray.core.errors import N_
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import crowdsec_log, jsonvalues, timestamps
from vxtray.core.parsers import severity as severities
from vxtray.core.parsers.countries import alpha2
from vxtray.core.parsers.crowdsec_scenarios import category_of
from vxtray.core.parsers.fields import MAX_ADDRESS, MAX_HOST, MAX_MESSAGE, MAX_NAME, MAX_URL, host, network_address
from vxtray.core.parsers.jsonvalues import elements, members, words
from vxtray.core.parsers.outcome import Ignored, Outcome, Rejected, combined

_NO_RECORD = Rejected(N_("The record is no CrowdSec alert or decision."))
_NO_TIME = Rejected(N_("The line has no time that can be read."))

#: With what a record begins, in the order of the models, sorted, or as the notifications wrap it.
_FIRST = re.compile(
    r'[\[{ ]{1,16}"(?:alert|capacity|created_at|decisions|deleted|duration|end_ip|event|events|id|kind|labels|'
    r'machine_id|new|origin|program|reason|scenario|scope|source|start_at|type|until|uuid|value)" {0,4}:'
    r'|\{ {0,8}"time" {0,4}: {0,4}"[^"]{0,64}" {0,4}, {0,4}"program" {0,4}: {0,4}"crowdsec"'
)
#: One of these is in every record: of an alert, a decision, a stream.
_WORDS = ('"scope"', '"events_count"', '"deleted"')
_DURATION = re.compile(
    r"(-?)(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9}(?:\.\d{1,12})?)s)?(?:\d{1,12}(?:\.\d{1,12})?(?:ms|us|µs|ns))?"
)
#: Origins of decisions that nothing here gave cause for.
_LISTS = ("lists", "capi")
_SCORE = re.compile(r"\banomaly: (\d{1,6})", re.ASCII)
_NATIVE_RULE = "native_rule:"
#: Go's zero time, and anything else from before there were logs of this.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


def recognises(text: str) -> bool:
    """Return whether a line is a CrowdSec record or a line of its log."""
    if "{" in text and any(word in text for word in _WORDS):
        start = jsonvalues.payload(text[:2048])
        if start:
            return _FIRST.match(start) is not None
    return crowdsec_log.recognises(text)


def parse(text: str, zone: tzinfo) -> Outcome:
    """Understand one printable line or record; ``zone`` is for times without an offset."""
    start = jsonvalues.payload(text)
    if not start:
        return crowdsec_log.parse(text, zone)
    found = jsonvalues.load(start)
    if found is None:
        return jsonvalues.BROKEN
    if isinstance(found, list):
        return combined(_record(one, zone) for one in found)
    return _record(found, zone)


def _record(found: Any, zone: tzinfo) -> Outcome:
    record = members(found)
    for wrapper in ("alert", "event"):  # as the file and Splunk notifications write it
        record = members(record.get(wrapper)) or record
    if "new" in record or "deleted" in record:
        return combined(
            chain(
                (_decision(one, zone) for one in elements(record.get("new"))),
                (_decision(one, zone, deleted=True) for one in elements(record.get("deleted"))),
            )
        )
    if "decisions" in record or "scenario_hash" in record or "events_count" in record:
        return _alert(record, zone)
    if "type" in record and "value" in record:
        return _decision(record, zone)
    return _NO_RECORD


def _time(record: dict[str, Any], keys: tuple[str, ...], zone: tzinfo) -> datetime | None:
    for key in keys:
        at = timestamps.iso(words(record.get(key), MAX_ADDRESS), zone)
        if at is not None and at > _EARLIEST:
            return at
    return None


def _event(
    at: datetime,
    category: Category,
    action: Action,
    severity: Severity,
    said: dict[str, str],
    score: int | None = None,
) -> SecurityEvent:
    return SecurityEvent(
        at=at,
        source="crowdsec",
        category=category,
        action=action,
        severity=severity,
        src_ip=said.get("src_ip", ""),
        country=said.get("country", ""),
        target_host=said.get("target_host", ""),
        target_url=said.get("target_url", ""),
        user=said.get("user", ""),
        rule_id=said.get("rule_id", ""),
        rule_name=said.get("rule_name", ""),
        message=said.get("message", ""),
        score=score,
    )


# --- decisions --------------------------------------------------------------------------------------------------------


def _is_ban(decision: dict[str, Any]) -> bool:
    return words(decision.get("type"), 16).lower() == "ban" and decision.get("simulated") is not True


def _is_listed(decision: dict[str, Any]) -> bool:
    return words(decision.get("origin"), MAX_NAME).lower().startswith(_LISTS)


def _target(decision: dict[str, Any]) -> dict[str, str]:
    """Return who is banned: an address, a network's first address, a country or a user."""
    scope = words(decision.get("scope"), 32).lower()
    value = words(decision.get("value"), MAX_NAME)
    if scope in {"ip", "range", ""}:
        return {"src_ip": network_address(value)}
    if scope == "country":
        return {"country": alpha2(value)}
    return {"user": value} if scope in {"user", "username"} else {}


def _reason(decision: dict[str, Any]) -> str:
    return words(decision.get("scenario"), MAX_NAME) or words(decision.get("reason"), MAX_NAME)


def _decision(found: Any, zone: tzinfo, *, deleted: bool = False) -> Outcome:
    """Read a decision that stands alone."""
    decision = members(found)
    if "type" not in decision or "value" not in decision:
        return _NO_RECORD
    if _is_listed(decision) or not _is_ban(decision):
        return Ignored()
    at = _time(decision, ("created_at", "until") if deleted else ("created_at", "start_at"), zone)
    if at is None and not deleted:
        at = _began(decision, zone)
    if at is None:
        return _NO_TIME
    said = {"rule_name": _reason(decision), "message": _words_of(decision)} | _target(decision)
    if deleted:
        return _event(at, Category.BAN, Action.UNBANNED, Severity.LOW, said)
    return _event(at, Category.BAN, Action.BANNED, Severity.HIGH, said)


def _words_of(decision: dict[str, Any]) -> str:
    parts = (words(decision.get(key), MAX_ADDRESS) for key in ("type", "scope", "value", "duration"))
    return " ".join(part for part in parts if part)


def _began(decision: dict[str, Any], zone: tzinfo) -> datetime | None:
    until = _time(decision, ("until",), zone)
    match = _DURATION.fullmatch(words(decision.get("duration"), 32))
    if until is None or match is None:
        return None
    sign, hours, minutes, seconds = match.groups()
    lasts = timedelta(hours=int(hours or 0), minutes=int(minutes or 0), seconds=float(seconds or 0))
    try:
        return until + lasts if sign else until - lasts
    except OverflowError:
        return None


# --- alerts -----------------------------------------------------------------------------------------------------------


def _alert(alert: dict[str, Any], zone: tzinfo) -> Outcome:
    decisions = [members(one) for one in elements(alert.get("decisions"))]
    bans = [one for one in decisions if _is_ban(one)] if alert.get("simulated") is not True else []
    listed = bool(bans) and all(map(_is_listed, bans))
    banned_here = [one for one in bans if not _is_listed(one)]
    # A ban begins when the local API takes the alert; an attack happened when its last event did.
    recorded, happened = ("created_at",), ("stop_at", "start_at")
    at = _time(alert, recorded + happened if bans else happened + recorded, zone)
    if at is None:
        return _NO_TIME
    if listed:
        said = {
            "rule_name": words(alert.get("scenario"), MAX_NAME),
            "message": words(alert.get("message"), MAX_MESSAGE),
        }
        return _event(at, Category.BAN, Action.INFO, Severity.INFO, said)
    if banned_here:
        return combined(_bans(alert, banned_here, at))
    return _detection(alert, at)


def _bans(alert: dict[str, Any], bans: list[dict[str, Any]], at: datetime) -> Iterator[SecurityEvent]:
    """Yield one ban for each banned value."""
    source = members(alert.get("source"))
    context = _context(alert)
    told = set()
    for ban in bans:
        value = words(ban.get("value"), MAX_NAME)
        if value in told:
            continue
        told.add(value)
        who = _target(ban)
        if value == words(source.get("value"), MAX_NAME) or not who:
            who = _source(source) | who
        said = {
            "rule_name": words(alert.get("scenario"), MAX_NAME) or _reason(ban),
            "message": words(alert.get("message"), MAX_MESSAGE) or _words_of(ban),
        }
        yield _event(at, Category.BAN, Action.BANNED, Severity.HIGH, said | context | who)


def _detection(alert: dict[str, Any], at: datetime) -> Outcome:
    """Read an alert without a ban. Its WAF component blocks the request itself and says so in the message."""
    source = members(alert.get("source"))
    scenario = words(alert.get("scenario"), MAX_NAME)
    message = words(alert.get("message"), MAX_MESSAGE)
    if not scenario and not source:
        return _NO_RECORD
    blocked = message.startswith("WAF block: ")
    waf = blocked or message.startswith("WAF out-of-band match: ")
    match = _SCORE.search(scenario) if waf else None
    score = int(match[1]) if match else None
    said = {
        "rule_id": _native_rule(alert) if waf else "",
        "rule_name": scenario,
        "message": message,
    }
    return _event(
        at,
        Category.WAF if waf else category_of(scenario),
        Action.BLOCKED if blocked else Action.DETECTED,
        severities.highest(Severity.MEDIUM, severities.of_score(score or 0)),
        said | _context(alert) | _source(source),
        score,
    )


def _source(source: dict[str, Any]) -> dict[str, str]:
    said = words(source.get("ip"), MAX_ADDRESS) or words(source.get("value"), MAX_ADDRESS)
    found = {"src_ip": network_address(said)}
    country = words(source.get("cn"), 16)
    if len(country) == 2:  # the models ask for no form; it is alpha-2 where it comes from the GeoIP database
        found["country"] = alpha2(country)
    return found


# --- what the events of an alert say ----------------------------------------------------------------------------------

#: Keys of an event's or alert's meta -> where it goes.
_META = {
    "target_user": "user",
    "target_fqdn": "target_host",
    "target_host": "target_host",
    "target_uri": "target_url",
    "uri": "target_url",
    "http_path": "target_url",
}


def _metas(alert: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the meta of the alert and of its events as keys and values."""
    events = elements(alert.get("events") or alert.get("Events"))
    for one in chain([alert], events):
        for meta in elements(members(one).get("meta")):
            yield words(members(meta).get("key"), MAX_ADDRESS), members(meta).get("value")


def _context(alert: dict[str, Any]) -> dict[str, str]:
    """Return the user, host and path that were aimed at, the first of each that is named."""
    found: dict[str, str] = {}
    for key, value in _metas(alert):
        field = _META.get(key)
        if field and field not in found:
            text = _first(value)
            if field == "target_host":
                text = host(text[: MAX_HOST + 6])
            if text:
                found[field] = text[: MAX_NAME if field == "user" else MAX_URL]
    return found


def _first(value: Any) -> str:
    """Return a meta's value; an alert's context holds an array as text (``["/a","/b"]``), then its first element."""
    text = words(value, MAX_URL)
    if text.startswith("["):
        listed = elements(jsonvalues.load(text))
        return words(listed[0], MAX_URL) if listed else ""
    return text


def _native_rule(alert: dict[str, Any]) -> str:
    """Return the number of the first ModSecurity rule that matched."""
    for key, value in _metas(alert):
        name = words(value, MAX_ADDRESS) if key == "rule_name" else ""
        if name.startswith(_NATIVE_RULE):
            return name.removeprefix(_NATIVE_RULE)
    return ""
