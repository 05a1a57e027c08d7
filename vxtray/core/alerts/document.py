"""An alert as a mail: what happened, what was done about it, what to do next.

Pure apart from reading the templates, any thread. Every text of the event was written by a log and may be an attack
on the reader: it passes ``Reader.foreign`` and is escaped in HTML.
"""

from collections.abc import Mapping
from datetime import tzinfo
from types import MappingProxyType

import msgspec

from vxtray.core.alerts.incidents import SourceHistory
from vxtray.core.alerts.rules import Alert
from vxtray.core.alerts.tallying import said
from vxtray.core.alerts.wording import (
    BRACKETS,
    OPENING_LIMIT,
    PREFIX,
    TONES,
    first_upper,
    footer,
    in_subject,
    kicker,
    not_blocked,
    opening,
    whereabouts,
)
from vxtray.core.errors import N_
from vxtray.core.events import Action, Category, SecurityEvent
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import ACTIONS, CATEGORIES, SEVERITIES, SHAPES, Document, Reader, render

#: Characters kept of a raw line: enough for any log family, little enough for a mail.
_LINE_LIMIT = 2000

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

#: From so many events in 24 hours on, a source does not merely try its luck.
_INSISTENT = 10

_IF_INSISTENT = N_("It was stopped, but this address keeps coming back: ban it, so that it no longer gets so far.")

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
    history: SourceHistory | None = None,
) -> Document:
    """Write one alert for a reader.

    ``line`` is the log line that raised it, where it is known, ``history`` what the store knows of its source.
    """
    reader = Reader(language=language, zone=zone, defang=defang, mask_internal=mask_internal)
    event = alert.event
    outcome = reader.translate(_OUTCOMES[event.action])
    advice = reader.translate(_advice(event, history))
    severity = reader.translate(SEVERITIES[event.severity])
    banned = event.action is Action.BANNED
    what = reader.translate(N_("address banned")) if banned else _what(event, reader)
    rendered = render(
        "alert",
        language,
        {
            "kicker": kicker(host, reader),
            "preheader": f"{outcome} {advice}",
            "heading": f"{SHAPES[event.severity]} "
            + reader.translate(N_("{severity}: {what}"), severity=severity, what=what),
            "subheading": first_upper(reader.moment(event.at)),
            "tone": TONES.get(event.severity, "accent"),
            "sentences": [f"{first_upper(_incident(event, reader, _what(event, reader)))}.", outcome],
            "strong": 2,
            "advice_title": reader.translate(N_("What to do next")),
            "advice": [advice],
            "facts_title": reader.translate(N_("The event")),
            "facts": _facts(event, reader),
            "history_title": reader.translate(N_("What this source did")),
            "history": history_facts(history, reader) if history is not None else [],
            "line_title": reader.translate(N_("The line in the log")),
            "line": reader.foreign(line, _LINE_LIMIT),
            "footer": footer(alert.matched or (alert.rule,), host, version, reader),
        },
    )
    return Document(subject=_subject(event, reader, severity), html=rendered.html, text=rendered.text)


def _what(event: SecurityEvent, reader: Reader, limit: int = 70) -> str:
    return reader.foreign(said(event), limit) or reader.translate(CATEGORIES[event.category])


def _incident(event: SecurityEvent, reader: Reader, what: str) -> str:
    """Return SQL injection on shop.example.com from 18.160.13.241 (China), as far as the event says so."""
    target, source = reader.foreign(event.target, 50), reader.whence(event)
    if event.action is Action.BANNED and source:
        return reader.translate(N_("{source} banned ({what})"), source=source, what=what)
    return whereabouts(what, target, source, reader)


def _subject(event: SecurityEvent, reader: Reader, severity: str) -> str:
    """Return what a lock screen shows; where it is too long, the verdict at its end stays."""
    bare = msgspec.structs.replace(
        event,
        **{
            name: str(getattr(event, name)).translate(BRACKETS)
            for name in ("src_ip", "country", "dst_ip", "target_host")
        },
    )
    incident = _incident(bare, reader, in_subject(said(event), reader, 70) or _what(bare, reader))
    pattern, values = N_("{severity}: {what}"), {"severity": severity}
    if event.action is not Action.BANNED:
        pattern, values["action"] = N_("{severity}: {incident}, {action}"), reader.translate(ACTIONS[event.action])
    frame = reader.translate(pattern, **values, what="", incident="")
    incident = one_line(incident, OPENING_LIMIT - len(PREFIX) - len(frame))
    return opening(reader.translate(pattern, **values, what=incident, incident=incident))


def _advice(event: SecurityEvent, history: SourceHistory | None) -> str:
    if not event.blocked:
        return _ADVICE_NOT_STOPPED[event.category]
    if event.category in _ADVICE_STOPPED:
        return _ADVICE_STOPPED[event.category]
    insistent = history is not None and history.day_events >= _INSISTENT and event.action is not Action.BANNED
    return _IF_INSISTENT if insistent else _IF_STOPPED


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
        (N_("Anomaly score"), _score(event, reader)),
        (N_("Message"), show(event.message, 500)),
        (N_("Log of"), show(event.source, 60)),
    )
    return [(say(label), value) for label, value in pairs if value]


def _score(event: SecurityEvent, reader: Reader) -> str:
    if event.score is None:
        return ""
    return reader.translate_plural(
        "{n} point: the sum of the rules that matched, not a probability",
        "{n} points: the sum of the rules that matched, not a probability",
        event.score,
    )


# --- what the source did ----------------------------------------------------------------------------------------------


def history_facts(history: SourceHistory, reader: Reader) -> list[tuple[str, str]]:
    """Return what a source did in the last 24 hours and 30 days as (label, value), without what is not known."""
    say = reader.translate
    pairs = (
        (N_("Last 24 hours"), _done(history.day_events, history.day_blocked, reader)),
        (N_("Last 30 days"), _done(history.month_events, history.month_blocked, reader)),
        (N_("First seen"), _first_seen(history, reader)),
        (N_("What it tried"), _tried(history, reader)),
        (N_("Its targets"), reader.number(history.targets) if history.targets else ""),
    )
    return [(say(label), value) for label, value in pairs if value]


def _done(events: int, blocked: int, reader: Reader) -> str:
    """Return 213 events, all blocked."""
    if events <= 1:
        return reader.translate(N_("this event only"))
    counted = reader.translate_plural("{n} event", "{n} events", events)
    verdict = not_blocked(events, blocked, reader) or reader.translate(N_("all blocked"))
    return f"{counted}, {verdict}"


def _first_seen(history: SourceHistory, reader: Reader) -> str:
    if history.first_at is None:
        return ""
    seen = reader.translate(N_("with this event")) if history.month_events <= 1 else reader.moment(history.first_at)
    if history.known_since is None:
        return seen
    return reader.translate(
        N_("{seen}; events are kept since {day}"),
        seen=seen,
        day=reader.day(history.known_since.astimezone(reader.zone).date(), "d MMMM yyyy"),
    )


def _tried(history: SourceHistory, reader: Reader) -> str:
    unknown = reader.translate(N_("not named"))
    named = [(reader.foreign(row.name, 70) or unknown, reader.number(row.events)) for row in history.top_rules]
    return " · ".join(f"{name} ({events})" for name, events in named)
