"""Words that all alert mails share: subjects that no log can forge, sources, stretches of time, why a mail was sent.

Pure, any thread.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from vxtray.core.alerts.rules import Rule
from vxtray.core.errors import N_
from vxtray.core.events import Severity
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import SUBJECT_LIMIT, Reader

#: With this every subject begins, for filters and for the eye.
PREFIX = "[vxtray] "

#: Characters of the first subject of a conversation: the mails after it repeat it, with their news in front.
OPENING_LIMIT = SUBJECT_LIMIT - 60

TONES: Mapping[Severity, str] = MappingProxyType(
    {Severity.CRITICAL: "critical", Severity.HIGH: "warning", Severity.MEDIUM: "warning"}
)

RULES: Mapping[Rule, str] = MappingProxyType(
    {
        Rule.CRITICAL: N_("critical events"),
        Rule.WAF_BLOCKED: N_("blocked web attacks"),
        Rule.NEW_BAN: N_("new bans"),
        Rule.WAF_DETECTED: N_("detected web attacks"),
        Rule.SOURCE_SILENT: N_("silent sources"),
        Rule.MAIL_DOWN: N_("mail that does not work"),
        Rule.DISK_FULL: N_("a disk almost full"),
    }
)

_REASONS: Mapping[Rule, str] = MappingProxyType(
    {
        Rule.CRITICAL: N_("You get this mail because alerts for critical events are switched on (page “Alerts”)."),
        Rule.WAF_BLOCKED: N_(
            "You get this mail because alerts for blocked web attacks are switched on (page “Alerts”)."
        ),
        Rule.NEW_BAN: N_("You get this mail because alerts for new bans are switched on (page “Alerts”)."),
        Rule.WAF_DETECTED: N_(
            "You get this mail because alerts for detected web attacks are switched on (page “Alerts”)."
        ),
        Rule.SOURCE_SILENT: N_("You get this mail because vxtray watches whether its sources are heard."),
        Rule.MAIL_DOWN: N_("You get this mail because vxtray watches whether its mails leave."),
        Rule.DISK_FULL: N_("You get this mail because vxtray watches the disk that holds its events."),
    }
)

#: Brackets become parentheses in a subject: they are vxtray's own there.
BRACKETS = str.maketrans("[]［］【】", "()()()")
_NEWS = re.compile(r"^(?:\[[^\]]*\]\s*)+")


# --- subjects ---------------------------------------------------------------------------------------------------------


def in_subject(text: str, reader: Reader, limit: int) -> str:
    """Return foreign text for a subject: brackets are ours alone, so that none can pretend to be ``[vxtray]``."""
    return reader.foreign(text.translate(BRACKETS), limit)


def opening(text: str) -> str:
    """Return the subject that begins a conversation."""
    return one_line(PREFIX + text, OPENING_LIMIT)


def follow_up(opened_as: str, news: str) -> str:
    """Return the subject of a later mail: [vxtray] [what is new] and what the conversation began with.

    A lock screen shows the beginning, so the news come first. They stand in brackets because those do not change the
    base subject (RFC 5256 section 2.1), by which Gmail decides whether a mail that answers another belongs to its
    conversation. Outlook goes by ``Document.topic``.
    """
    return one_line(f"{PREFIX}[{news.translate(BRACKETS)}] {base_subject(opened_as)}", SUBJECT_LIMIT)


def base_subject(subject: str) -> str:
    """Return a subject without what stands in brackets before it."""
    return _NEWS.sub("", one_line(subject, SUBJECT_LIMIT))


def not_blocked(events: int, blocked: int, reader: Reader) -> str:
    """Return "40 not blocked", "none blocked", or "" where all were."""
    if blocked >= events:
        return ""
    if not blocked:
        return reader.translate(N_("none blocked"))
    return reader.translate_plural("{n} not blocked", "{n} not blocked", events - blocked)


# --- sources and times ------------------------------------------------------------------------------------------------


def place(address: str, country: str, reader: Reader) -> str:
    """Return 18.160.13.241 (China), from an address and a country that are fit to be shown."""
    if not (address and country):
        return address
    return reader.translate(N_("{address} ({country})"), address=address, country=country)


def whereabouts(what: str, target: str, source: str, reader: Reader) -> str:
    """Return SQL injection on shop.example.com from 18.160.13.241 (China), as far as it is known."""
    if target and source:
        return reader.translate(N_("{what} on {target} from {source}"), what=what, target=target, source=source)
    if target:
        return reader.translate(N_("{what} on {target}"), what=what, target=target)
    if source:
        return reader.translate(N_("{what} from {source}"), what=what, source=source)
    return what


def clock(at: datetime, reader: Reader) -> str:
    """Return 21 November, 08:12, in the reader's zone."""
    local = at.astimezone(reader.zone)
    return f"{reader.day(local.date(), 'd MMMM')}, {local:%H:%M}"


def span(first: datetime, last: datetime, reader: Reader) -> str:
    """Return Saturday 21 November 2026, 08:12:09 to 08:14:33 (Europe/Paris)."""
    start, end = first.astimezone(reader.zone), last.astimezone(reader.zone)
    if first >= last:
        return first_upper(reader.moment(first))
    day, began, ended = reader.day(start.date()), f"{start:%H:%M:%S}", f"{end:%H:%M:%S}"
    if start.date() == end.date():
        said = reader.translate(N_("{day}, {first} to {last}"), day=day, first=began, last=ended)
    else:
        until = f"{reader.day(end.date())}, {ended}"
        said = reader.translate(N_("{first} to {last}"), first=f"{day}, {began}", last=until)
    return f"{first_upper(said)} ({reader.zone_name(end)})"


def lasting(length: timedelta, reader: Reader) -> str:
    """Return 24 s, 12 min, 3 h 05 min or 2 d 4 h, all on one line."""
    seconds = max(int(length.total_seconds()), 0)
    days, hours, minutes = seconds // 86_400, seconds // 3600, seconds // 60
    if days >= 2:
        said = reader.translate(N_("{days} d {hours} h"), days=days, hours=hours % 24)
    elif hours:
        said = f"{hours} h {minutes % 60:02} min"
    else:
        said = f"{minutes} min" if minutes else f"{seconds} s"
    return said.replace(" ", "\N{NO-BREAK SPACE}")


def first_upper(text: str) -> str:
    """Return a sentence with its first letter as a capital."""
    return text[:1].upper() + text[1:]


# --- frames -----------------------------------------------------------------------------------------------------------


def kicker(host: str, reader: Reader) -> str:
    """Return the line on top: which program on which machine."""
    return " · ".join(filter(None, ("vxtray", reader.foreign(host, 60))))


def footer(rules: tuple[Rule, ...], host: str, version: str, reader: Reader) -> list[str]:
    """Return the last lines: why this mail was sent, and by what."""
    return [*(reader.translate(_REASONS[rule]) for rule in rules), reader.signature(host, version)]
