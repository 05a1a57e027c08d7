"""fail2ban's own log, from 0.8 to 1.x, as a file or through syslog, and mailcow's netfilter, which stands in for it.

Pure functions, any thread. Source: the messages in fail2ban/server/{actions,filter,observer}.py, github.com/fail2ban.

    2014-08-04 03:06:26,161 fail2ban.actions[4822]: WARNING [apache-badbots] Ban 37.152.91.34
    Mar 05 08:41:28 test.org fail2ban-server[11524]: fail2ban.actions        [11524]: NOTICE  [sshd] Ban 192.0.2.2

Only ``Ban`` is a new ban. A ban that is restored at a start, set anew in the firewall (``Reban``), prolonged
(``Increase Ban``) or met again (``already banned``) is told, as info: it was counted, and mailed, when it began. The
observer repeats the filter's ``Found`` of an address that was banned before; that is one find, so its line is ignored.
"""

import re
from datetime import datetime, tzinfo
from functools import lru_cache

from vxtray.core.errors import N_
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import mailcow, timestamps
from vxtray.core.parsers.fields import MAX_ADDRESS, MAX_MESSAGE, network_address
from vxtray.core.parsers.outcome import Ignored, Outcome, Rejected

_NO_LINE = Rejected(N_("The line is none of fail2ban's."))
_NO_TIME = Rejected(N_("The line has no time that can be read."))

_ISO = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
_BSD = r"[A-Z][A-Za-z]{2} {1,2}\d{1,2} (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d{1,6})?(?: \d{4})?"
_PID = r"(?:\[\d{1,10}\])?"
#: RFC 5424's process id, message id and structured data, which follow the application's name there.
_RFC5424 = r"[^ ]{1,128} [^ ]{1,32} (?:-|\[[^\]]{0,1024}\])"
_LOGGER = rf"fail2ban[\w.-]{{0,60}}(?: {{0,40}}{_PID} ?: {{0,10}}| {{0,40}}\[\d{{1,10}}\] {{1,10}}| {_RFC5424} {{1,4}})"
_LINE = re.compile(
    rf"(?:(?:<\d{{1,4}}>)? ?(?:1 )?(?P<header>{_ISO}|{_BSD}):? {{1,4}}(?:[^ =\"]{{1,255}} {{1,4}})?"
    rf"(?:fail2ban[\w.-]{{0,60}}{_PID}:? {{1,4}}|fail2ban[\w.-]{{0,60}} {_RFC5424} {{1,4}})?)??"
    rf"(?:(?P<own>{_ISO}) {{1,4}})?{_LOGGER}(?P<level>[A-Z]{{3,9}}) {{1,10}}(?P<said>.*)",
    re.ASCII | re.DOTALL,
)
_DEED = re.compile(
    r"\[(?P<jail>[^\]]{1,128})\] {1,4}(?:"
    r"(?P<deed>(?:Restore |Increase )?Ban|Reban|Unban|Found|Attempt) (?P<who>[^ ,]{1,64})(?P<rest>.?)"
    r"|(?P<again>[^ ,]{1,64}) already banned)"
)

#: What was done -> action, severity. Found and Attempt are read apart, as their category is the jail's.
_BANS = {
    "Ban": (Action.BANNED, Severity.HIGH),
    "Unban": (Action.UNBANNED, Severity.LOW),
    "Restore Ban": (Action.INFO, Severity.LOW),
    "Increase Ban": (Action.INFO, Severity.LOW),
    "Reban": (Action.INFO, Severity.LOW),
    "": (Action.INFO, Severity.LOW),  # already banned
}
_OWN_FAULTS = {"ERROR": Severity.HIGH, "CRITICAL": Severity.CRITICAL}

#: Jails by the usual names (jail.conf): most watch for failed logins, whatever the service.
_LOGIN = re.compile(r"auth|login|sasl|pass|ssh")
_WEB = re.compile(r"(?:apache|nginx|npm|lighttpd|caddy|traefik|haproxy|http|php|web|wordpress|wp|drupal|joomla)")
_MAIL = re.compile(r"(?:postfix|exim|sendmail|qmail|kerio|mail|spam)")
_LOGIN_SERVICES = frozenset({"webmin", "roundcube", "mailman"})


def recognises(text: str) -> bool:
    """Return whether a line is fail2ban's, or mailcow's netfilter's."""
    return ("fail2ban" in text and _LINE.match(text) is not None) or mailcow.recognises(text)


def parse(text: str, zone: tzinfo) -> Outcome:
    """Understand one printable line; ``zone`` is where it was written: fail2ban writes local time without a zone."""
    match = _LINE.match(text)
    if match is None:
        return mailcow.parse(text, zone) if mailcow.recognises(text) else _NO_LINE
    own, header, level, said = match["own"], match["header"], match["level"], match["said"]
    deed = _DEED.match(said)
    if deed is None and level not in _OWN_FAULTS:
        return Ignored()
    at = timestamps.iso(own, zone) if own else None
    if at is None and header:
        at = timestamps.iso(header, zone) or timestamps.bsd(header, zone)
    if at is None:
        return _NO_TIME
    if deed is None:
        return SecurityEvent(
            at=at,
            source="fail2ban",
            category=Category.SYSTEM,
            action=Action.FAILED,
            severity=_OWN_FAULTS[level],
            message=said[:MAX_MESSAGE].strip(),
        )
    return _deed(at, deed, said)


def _deed(at: datetime, match: re.Match[str], said: str) -> Outcome:
    jail = match["jail"][:MAX_ADDRESS]
    deed = match["deed"] or ""
    known = _BANS.get(deed)
    category, (action, severity) = (
        (Category.BAN, known) if known else (_category(jail.lower()), (Action.DETECTED, Severity.MEDIUM))
    )
    event = SecurityEvent(
        at=at,
        source="fail2ban",
        category=category,
        action=action,
        severity=severity,
        src_ip=network_address(match["who"] or match["again"]),
        rule_name=jail,
        message=said[said.index("]") + 1 :][:MAX_MESSAGE].strip(),
    )
    repeated = deed == "Found" and match["rest"] == ","
    return Ignored(event) if repeated else event


@lru_cache(maxsize=1024)
def _category(jail: str) -> Category:
    """Return what a find in this jail (lower case) is about."""
    if jail == "recidive":
        return Category.BAN
    if _LOGIN.search(jail) or jail in _LOGIN_SERVICES:
        return Category.AUTH
    if _WEB.match(jail):
        return Category.WEB
    return Category.EMAIL if _MAIL.match(jail) else Category.AUTH
