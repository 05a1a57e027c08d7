"""The log of mailcow's netfilter container, which bans like fail2ban and is called so there. Pure, any thread.

Source: data/Dockerfiles/netfilter in github.com/mailcow/mailcow-dockerized. Its times have no zone and the container's
is mostly UTC, so the log's zone must be given.
"""

import re
from datetime import tzinfo

from vxtray.core.errors import N_
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import timestamps
from vxtray.core.parsers.fields import MAX_MESSAGE, network_address
from vxtray.core.parsers.outcome import Ignored, Outcome, Rejected

_NO_TIME = Rejected(N_("The line has no time that can be read."))

_NET = r"[0-9A-Fa-f:.]{2,45}(?:/\d{1,3})?"
_LINE = re.compile(
    # the name that Docker Compose puts in front
    r"(?:[\w.-]{1,64} {1,8}\| {1,4})?"
    r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:CRIT|WARN|INFO): (?P<said>"
    rf"(?P<ban>Added host/network (?P<added>{_NET}) to (?:deny|black)list"
    rf"|Banning (?P<banned>{_NET}) for \d{{1,12}} (?:second|minute|hour)s?)"
    rf"|(?P<unban>Removed host/network (?P<removed>{_NET}) from (?:deny|black)list|Unbanning (?P<unbanned>{_NET}))"
    rf"|(?P<found>{_NET}) matched rule id (?P<rule>\w{{1,16}}) \(.*"
    rf"|\d{{1,9}} more attempts in the next \d{{1,9}} seconds until {_NET} is banned"
    r"|Clearing all bans|Watching Redis channel F2B_CHANNEL)",
    re.ASCII | re.DOTALL,
)


def recognises(text: str) -> bool:
    """Return whether a line is one of netfilter's known ones."""
    return _LINE.match(text) is not None


def parse(text: str, zone: tzinfo) -> Outcome:
    """Understand one printable line that ``recognises`` knows."""
    match = _LINE.match(text)
    if match is None:
        return Ignored()
    if match["ban"]:
        category, action, severity = Category.BAN, Action.BANNED, Severity.HIGH
    elif match["unban"]:
        category, action, severity = Category.BAN, Action.UNBANNED, Severity.LOW
    elif match["found"]:
        category, action, severity = Category.AUTH, Action.DETECTED, Severity.MEDIUM
    else:
        return Ignored()
    at = timestamps.iso(match["at"], zone)
    if at is None:
        return _NO_TIME
    who = match["added"] or match["banned"] or match["removed"] or match["unbanned"] or match["found"]
    return SecurityEvent(
        at=at,
        source="fail2ban",
        category=category,
        action=action,
        severity=severity,
        src_ip=network_address(who),
        rule_id=match["rule"] or "",
        message=match["said"][:MAX_MESSAGE].strip(),
    )
