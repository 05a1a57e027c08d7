"""An alert as a mail: what happened, what was done about it, what to do next.

Pure apart from reading the templates, any thread. Every text of the event was written by a log and may be an attack
on the reader: it passes ``Reader.foreign`` and is escaped in HTML.
"""

from collections.abc import Mapping
from datetime import tzinfo
from types import MappingProxyType

from vxtray.core.alerts.rules import Alert, Rule
from vxtray.core.errors import N_
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import ACTIONS, CATEGORIES, SEVERITIES, SHAPES, SUBJECT_LIMIT, Document, Reader, render

#: Characters kept of a raw line: enough for any log family, little enough for a mail.
_LINE_LIMIT = 2000

_TONES: Mapping[Severity, str] = MappingProxyType(
    {Severity.CRITICAL: "critical", Severity.HIGH: "warning", Severity.MEDIUM: "warning"}
)

_OUTCOMES: Mapping[Action, str] = MappingProxyType(
    {
        Action.DETECTED: N_("▲ It was detected but not blocked."),
        Action.BLOCKED: N_("✓ It was blocked."),
        Action.ALLOWED: N_("▲ It was allowed."),
        Action.BANNED: N_("✓ The address is banned."),
        Action.UNBANNED: N_("The ban was lifted."),
        Action.FAILED: N_("✓ The attempt failed."),
        Action.INFO: N_("The log does not say that anything was blocked."),
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
    }
)

_IF_STOPPED = N_("It was stopped, so nothing has to be done at once. If the same address comes back, ban it.")

#: Where being stopped is not the end of it.
_ADVICE_STOPPED: Mapping[Category, str] = MappingProxyType(
    {
        Category.ATP: N_("The connection was stopped, but the machine that made it may be infected: scan it today."),
        Category.MALWARE: N_("It was stopped. Scan the machine all the same, and find out where the file came from."),
        Category.BAN: N_("Nothing has to be done. If the address is one of yours, lift the ban and make an exception."),
        Category.SYSTEM: N_("Check the state of the device and what its own log says around this time."),
    }
)

_ADVICE_NOT_STOPPED: Mapping[Category, str] = MappingProxyType(
    {
        Category.WAF: N_(
            "Look in the web server’s log for what this address did next. If it was an attack, block the address and "
            "let the rule block too."
        ),
        Category.IPS: N_("Check the machine that was aimed at, install its updates, and let the signature block."),
        Category.FIREWALL: N_(
            "Check whether this connection was meant to be allowed; if not, correct the firewall rule."
        ),
        Category.ATP: N_(
            "Take the machine off the network and scan it: it seems to talk to a server that attackers use."
        ),
        Category.MALWARE: N_("Take the machine off the network, scan it, and find out where the file came from."),
        Category.WEB: N_("Ask the person at this machine whether the visit was intended, and scan the machine if not."),
        Category.EMAIL: N_("Warn the recipient not to open this message or what is attached to it."),
        Category.VPN: N_("Ask this person whether it was them. If not, end the session and change the password."),
        Category.AUTH: N_("Ask this person whether it was them. If not, change the password and ban the address."),
        Category.BAN: N_("Check whether the ban was lifted on purpose."),
        Category.SYSTEM: N_("Check the state of the device and what its own log says around this time."),
        Category.OTHER: N_("Look up the event in the log of the device that reported it."),
    }
)


def alert_document(
    alert: Alert,
    language: str,
    zone: tzinfo,
    *,
    line: str = "",
    host: str = "",
    version: str = "",
    defang: bool = False,
    mask_internal: bool = False,
) -> Document:
    """Write one alert for a reader. ``line`` is the log line that raised it, where it is known."""
    reader = Reader(language=language, zone=zone, defang=defang, mask_internal=mask_internal)
    event = alert.event
    incident = _incident(event, reader)
    outcome = reader.translate(_OUTCOMES[event.action])
    advice = reader.translate(_advice(event))
    severity = reader.translate(SEVERITIES[event.severity])
    banned = event.action is Action.BANNED
    what = reader.translate(N_("address banned")) if banned else _what(event, reader)
    rendered = render(
        "alert",
        language,
        {
            "kicker": " · ".join(filter(None, ("vxtray", one_line(host, 60)))),
            "preheader": f"{outcome} {advice}",
            "heading": f"{SHAPES[event.severity]} "
            + reader.translate(N_("{severity}: {what}"), severity=severity, what=what),
            "subheading": _first_upper(reader.moment(event.at)),
            "tone": _TONES.get(event.severity, "accent"),
            "sentences": [f"{_first_upper(incident)}.", outcome],
            "strong": 2,
            "advice_title": reader.translate(N_("What to do next")),
            "advice": [advice],
            "facts_title": reader.translate(N_("The event")),
            "facts": _facts(event, reader),
            "line_title": reader.translate(N_("The line in the log")),
            "line": reader.foreign(line, _LINE_LIMIT),
            "footer": [reader.translate(_REASONS[alert.rule]), reader.signature(host, version)],
        },
    )
    subject = f"[vxtray] {_subject(event, reader, severity, incident)}"
    return Document(subject=one_line(subject, SUBJECT_LIMIT), html=rendered.html, text=rendered.text)


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


#: Names that say no more than that the WAF counted something; the message then names the attack.
_GENERIC = frozenset({"waf anomaly"})


def _what(event: SecurityEvent, reader: Reader) -> str:
    name = event.rule_name
    if not name or (event.message and name.casefold() in _GENERIC):
        name = event.message
    return reader.foreign(name, 70) or reader.translate(CATEGORIES[event.category])


def _incident(event: SecurityEvent, reader: Reader) -> str:
    """Return SQL injection on shop.example.com from 18.160.13.241 (China), as far as the event says so."""
    what, target, source = _what(event, reader), reader.foreign(event.target, 50), reader.whence(event)
    if event.action is Action.BANNED and source:
        return reader.translate(N_("{source} banned ({what})"), source=source, what=what)
    if target and source:
        return reader.translate(N_("{what} on {target} from {source}"), what=what, target=target, source=source)
    if target:
        return reader.translate(N_("{what} on {target}"), what=what, target=target)
    if source:
        return reader.translate(N_("{what} from {source}"), what=what, source=source)
    return what


def _subject(event: SecurityEvent, reader: Reader, severity: str, incident: str) -> str:
    if event.action is Action.BANNED:
        return reader.translate(N_("{severity}: {what}"), severity=severity, what=incident)
    action = reader.translate(ACTIONS[event.action])
    return reader.translate(N_("{severity}: {incident}, {action}"), severity=severity, incident=incident, action=action)


def _advice(event: SecurityEvent) -> str:
    if event.blocked:
        return _ADVICE_STOPPED.get(event.category, _IF_STOPPED)
    return _ADVICE_NOT_STOPPED[event.category]


def _facts(event: SecurityEvent, reader: Reader) -> list[tuple[str, str]]:
    """Return what is known of the event as (label, value), without what is not."""
    show, say = reader.foreign, reader.translate
    rule = " · ".join(filter(None, (show(event.rule_name, 120), show(event.rule_id, 60))))
    pairs = (
        (N_("When"), reader.moment(event.at)),
        (N_("Severity"), f"{SHAPES[event.severity]} {say(SEVERITIES[event.severity])}"),
        (N_("Action"), say(ACTIONS[event.action])),
        (N_("Category"), say(CATEGORIES[event.category])),
        (N_("Source"), reader.whence(event)),
        (N_("Source port"), str(event.src_port or "")),
        (N_("Target"), show(event.target_host, 120)),
        (N_("Target address"), show(event.dst_ip, 60)),
        (N_("Target port"), str(event.dst_port or "")),
        (N_("Requested address"), show(event.target_url, 300)),
        (N_("User"), show(event.user, 120)),
        (N_("Rule"), rule),
        (N_("Score"), "" if event.score is None else reader.number(event.score)),
        (N_("Message"), show(event.message, 500)),
        (N_("Log of"), show(event.source, 60)),
    )
    return [(say(label), value) for label, value in pairs if value]
