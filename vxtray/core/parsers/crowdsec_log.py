"""Lines of crowdsec.log (logrus, as text). Pure functions, any thread.

    time="2026-05-07T10:20:23Z" level=info msg="Ip 192.0.2.1 performed 'crowdsecurity/ssh-bf' (6 events over 30ms) at …"
    time="2026-05-07T10:20:23Z" level=info msg="(localhost/crowdsec) crowdsecurity/ssh-bf by ip 192.0.2.1 (US/8075) : 4h
    ban on Ip 192.0.2.1"
    INFO[13-11-2020 13:05:24] (1a2b/crowdsec) crowdsecurity/ssh-bf by ip 192.0.2.1 (CN) : 1h ban on Ip 192.0.2.1

The agent logs what was performed, the local API what it decided: two events where both run in one program.
"""

import re
from datetime import datetime, tzinfo

from vxtray.core.errors import N_
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import syslog, timestamps
from vxtray.core.parsers.countries import alpha2
from vxtray.core.parsers.crowdsec_scenarios import category_of
from vxtray.core.parsers.fields import MAX_MESSAGE, MAX_URL, network_address
from vxtray.core.parsers.outcome import Ignored, Outcome, Rejected

_NO_LINE = Rejected(N_("The record is no CrowdSec alert or decision."))
_NO_TIME = Rejected(N_("The line has no time that can be read."))

_LINE = re.compile(
    r'time="?(?P<at>[^" ]{10,19}(?: [\d:]{8})?|[^" ]{20,40})"? level=(?P<level>[a-z]{4,7}) msg="'
    r'(?P<said>[^"\\]*+(?:\\.[^"\\]*+)*+)"?'
    r"|(?P<level2>[A-Z]{4,5})\[(?P<at2>\d\d-\d\d-\d{4} \d\d:\d\d:\d\d)\] (?P<said2>.*)",
    re.ASCII | re.DOTALL,
)
_DAY_FIRST = re.compile(r"(\d\d)-(\d\d)-(\d{4}) (\d\d:\d\d:\d\d)", re.ASCII)

_WHO = r"(?P<who>[0-9A-Fa-f:.]{2,45}(?:/\d{1,3})?)"
_PERFORMED = re.compile(rf"(?:Ip|Range) {_WHO} performed '(?P<scenario>[^']{{1,200}})'", re.IGNORECASE)
_DECIDED = re.compile(
    r"\([^()]{0,200}\) (?P<scenario>.{1,200}?) by (?:ip|range) [^ ]{1,64}(?: \((?P<country>[A-Z]{2})?[^()]{0,64}\))? : "
    rf"-?[\w.]{{1,32}} (?P<type>\w{{1,32}}) on (?:ip|range) {_WHO}",
    re.IGNORECASE,
)
_BLOCKED = re.compile(rf"{_WHO} blocked on (?P<url>[^ ]{{1,2048}}) \(\d{{1,6}} rules\)")
_OWN = ("crowdsec", "Crowdsec", " performed '", " blocked on ", " module=lapi")


def recognises(text: str) -> bool:
    """Return whether a line is logrus's and speaks of what CrowdSec does."""
    start = text[:256]
    return (
        (" level=" in start or text.startswith(("INFO[", "WARN[", "ERRO[", "FATA[")))
        and any(word in text for word in _OWN)
        and _match(text) is not None
    )


def parse(text: str, zone: tzinfo) -> Outcome:
    """Understand one printable line; ``zone`` is for times without an offset."""
    match = _match(text)
    if match is None:
        return _NO_LINE
    said = (match["said"] or match["said2"] or "")[:MAX_MESSAGE].replace('\\"', '"').strip()
    read = _event(said, _time(match["at"] or match["at2"], zone))
    return read or Ignored()


def _match(text: str) -> re.Match[str] | None:
    return _LINE.match(text) or _LINE.match(syslog.body(text))


def _time(text: str, zone: tzinfo) -> datetime | None:
    day_first = _DAY_FIRST.fullmatch(text)
    if day_first:
        day, month, year, clock = day_first.groups()
        text = f"{year}-{month}-{day} {clock}"
    return timestamps.iso(text, zone)


def _event(said: str, at: datetime | None) -> Outcome | None:
    """Return the event that a message tells of, None where it tells of none."""
    decided = _DECIDED.match(said)
    if decided and decided["type"].lower() != "ban":
        return None
    performed, blocked = _PERFORMED.match(said), _BLOCKED.match(said)
    match = decided or performed or blocked
    if match is None:
        return None
    if at is None:
        return _NO_TIME
    if decided:
        category, action, severity = Category.BAN, Action.BANNED, Severity.HIGH
    elif performed:
        category, action, severity = category_of(performed["scenario"]), Action.DETECTED, Severity.MEDIUM
    else:
        category, action, severity = Category.WAF, Action.BLOCKED, Severity.MEDIUM
    scenario = match.groupdict().get("scenario") or ""
    return SecurityEvent(
        at=at,
        source="crowdsec",
        category=category,
        action=action,
        severity=severity,
        src_ip=network_address(match["who"]),
        country=alpha2((decided["country"] or "") if decided else ""),
        target_url=blocked["url"][:MAX_URL] if blocked else "",
        rule_name=scenario,
        message=said,
    )
