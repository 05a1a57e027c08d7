"""Alerts in words: rules, what an incident is about, why something is held and when it is told. Pure, GUI thread."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from vxtray.core import texts
from vxtray.core.alertroom import Folded, Matched, Rehearsed
from vxtray.core.alerts.incidents import Incident, Kind, Shape, Silence, TopRow, Why
from vxtray.core.alerts.rules import Rule
from vxtray.core.events import Action, Category, Severity
from vxtray.core.mail.plaintext import one_line
from vxtray.core.settings.tree import Alerts
from vxtray.core.store import EventQuery
from vxtray.core.texts import N_, _, plural
from vxtray.gui.pages.history_words import clock_time
from vxtray.gui.rule_names import RULES

#: A storm without an event for so long is about to end.
_CALM = timedelta(minutes=1)

#: Characters of what others wrote, in a line.
_LINE = 160

KINDS: Mapping[Kind, str] = {
    Kind.FIRST: N_("At once"),
    Kind.STARTED: N_("Storm began"),
    Kind.SUMMARY: N_("Storm goes on"),
    Kind.OVER: N_("Storm over"),
    Kind.MORE: N_("A few more"),
    Kind.DIGEST: N_("Was held"),
}

#: What a mail of a kind tells.
MEANINGS: Mapping[Kind, str] = {
    Kind.FIRST: N_("The first of its kind, sent at once."),
    Kind.STARTED: N_("Many came quickly: from here on they are counted."),
    Kind.SUMMARY: N_("What came since the mail before."),
    Kind.OVER: N_("The storm ended; these are all of its events."),
    Kind.MORE: N_("A few more of the same came, and it did not become a storm."),
    Kind.DIGEST: N_("What was held back, told in one mail."),
}

_UNNAMED = N_("(none)")


class HeldWords(NamedTuple):
    """What is held back: the headline, and why and when it is told."""

    title: str
    text: str


def number(n: int) -> str:
    """Return a number as the language writes it."""
    return texts.format_number(n, texts.current())


def unacknowledged_words(n: int) -> str:
    """Return how many alerts wait for somebody to take note of them."""
    return plural("Nobody took note of {n} alert yet.", "Nobody took note of {n} alerts yet.", n)


def short_ago(moment: datetime, now: datetime) -> str:
    """Return in 12 min, or 3 hr ago; without the abbreviation's dot, which would end a sentence."""
    from babel.dates import format_timedelta

    said = format_timedelta(moment - now, format="short", add_direction=True, locale=texts.current())
    return str(said).replace(".", "")


# --- rules -----------------------------------------------------------------------------------------------------------


def matched_words(rule: Rule, matched: Matched | None, *, on: bool) -> str:
    """Return what a rule did in the last seven days, or would have done; None is not known yet."""
    if matched is None:
        return _("Last 7 days: counting…") if on else _("Off. Last 7 days: counting…")
    mails = plural("{n} mail", "{n} mails", matched.mails)
    if not matched.events:
        return _("Last 7 days: nothing.") if on else _("Off. In the last 7 days there was nothing to tell.")
    if not on:
        return _("Off. In the last 7 days it would have sent {mails}.", mails=mails)
    if rule is Rule.NEW_BAN:
        events = plural("{n} ban", "{n} bans", matched.events)
    else:
        events = plural("{n} event", "{n} events", matched.events)
    return _("Last 7 days: {events}, {mails}.", events=events, mails=mails)


def longest_words(rule: Rule) -> tuple[str, str]:
    """Return the longest that ``matched_words`` says in practice, off and on, to keep room for."""
    most = Matched(events=8_888_888, mails=8_888)
    return matched_words(rule, most, on=False), matched_words(rule, most, on=True)


# --- incidents -------------------------------------------------------------------------------------------------------


def what_of(incident: Incident) -> str:
    """Return what an incident is about, in one line."""
    title = one_line(incident.title, _LINE)
    if incident.shape is Shape.WIDE:
        return _("{what}, and others", what=title) if title else _("Many sources at once")
    target = one_line(incident.key.target, _LINE) if incident.key is not None else ""
    if not title:
        title = _(RULES[incident.key.rule]) if incident.key is not None else _("Alerts")
    return f"{title} · {target}" if target and target not in title else title


def source_of(incident: Incident, folded: Folded | None) -> str:
    """Return the source and its country, or how many sources there are; "" where the log names none."""
    if folded is not None and folded.sources > 1:
        return plural("{n} source", "{n} sources", folded.sources)
    if folded is not None and folded.top_sources:
        return _with_country(folded.top_sources[0])
    return one_line(incident.key.source, _LINE) if incident.key is not None else ""


def _with_country(row: TopRow) -> str:
    return " ".join(filter(None, (one_line(row.name, _LINE), one_line(row.country, 8))))


def next_of(storm: Incident, told_at: datetime | None, every: timedelta, now: datetime) -> str:
    """Return when a storm's next summary is due, or when it ends where it has been calm for a while.

    ``told_at`` is when its last mail was made, None where that is not known.
    """
    if storm.acknowledged_at is not None:
        return _("once it is over")
    summary = (told_at or storm.last_at) + every
    if storm.next_at is not None and storm.next_at < summary and now - storm.last_at > _CALM:
        return _("ends {when}", when=short_ago(max(storm.next_at, now), now))
    return short_ago(summary, now) if summary > now else _("now")


def held_words(incident: Incident, silence: Silence | None, cap: int, now: datetime) -> HeldWords:
    """Return what is held back, and why and until when."""
    n = incident.untold
    if incident.urgent:
        title = plural("{n} critical event held", "{n} critical events held", n)
    else:
        title = plural("{n} event held", "{n} events held", n)
    told = clock_time(incident.next_at, now) if incident.next_at is not None else ""
    if incident.why is Why.QUIET_HOURS:
        why = _("Quiet hours.")
    elif incident.why is Why.PAUSE:
        why = _("Alert mails are paused.")
    elif incident.why is Why.SILENCE:
        why = silence_title(silence) if silence is not None else _("Silenced.")
    else:
        why = _("More mails than {n} an hour; they are told as soon as the hour allows.", n=number(cap))
        return HeldWords(title, why)
    when = _("One mail tells them all at {time}.", time=told) if told else _("One mail tells them all afterwards.")
    return HeldWords(title, f"{why} {when}")


def silence_title(silence: Silence) -> str:
    """Return what a silence is for."""
    network = one_line(silence.network, 60)
    if silence.rule is None:
        return _("Silenced: everything from {source}", source=network)
    rule = _(RULES[silence.rule])
    if network:
        return _("Silenced: {rule} from {source}", rule=rule, source=network)
    return _("Silenced: {rule}", rule=rule)


def silence_text(silence: Silence, held: int, now: datetime) -> str:
    """Return until when a silence holds, why, and what it held so far."""
    until = _("Until {time}, {when}.", time=clock_time(silence.until, now), when=short_ago(silence.until, now))
    parts = [until, plural("{n} event held.", "{n} events held.", held)]
    if silence.reason:
        parts.append(_("Reason: {reason}", reason=one_line(silence.reason, 200)))
    return " ".join(parts)


# --- what a mail folded ----------------------------------------------------------------------------------------------


def folded_words(folded: Folded) -> str:
    """Return the exact figures in one sentence."""
    return " · ".join(
        (
            plural("{n} event", "{n} events", folded.events),
            plural("{n} blocked", "{n} blocked", folded.blocked),
            plural("{n} source", "{n} sources", folded.sources),
            plural("{n} rule", "{n} rules", folded.rules),
            plural("{n} target", "{n} targets", folded.targets),
        )
    )


def moments_words(folded: Folded) -> str:
    """Return when the first and the last event were, on this machine's clock."""
    first, last = (_exactly(moment) for moment in (folded.first_at, folded.last_at))
    return first if folded.events == 1 or first == last else _("{first} to {last}", first=first, last=last)


def _exactly(moment: datetime) -> str:
    pattern = "%d/%m/%Y %H:%M:%S" if texts.current() == "fr" else "%Y-%m-%d %H:%M:%S"
    return moment.astimezone().strftime(pattern)


def top_rows(rows: tuple[TopRow, ...]) -> list[tuple[str, str]]:
    """Return names with their numbers of events."""
    return [(_with_country(row) or _(_UNNAMED), number(row.events)) for row in rows]


def query_of(folded: Folded, alerts: Alerts) -> EventQuery:
    """Return the search that comes nearest to what was folded: its time, its rule, and its source where there is one.

    Several alert rules at once cannot be searched for; then all events of that time and source are shown.
    """
    # the fields of the filters show minutes
    since = folded.first_at.replace(second=0, microsecond=0)
    until = folded.last_at.replace(second=0, microsecond=0) + timedelta(minutes=1)
    source = folded.top_sources[0].name if len(folded.top_sources) == 1 else ""
    query = EventQuery(since=since, until=until, source=source)
    if len(folded.reasons) != 1:
        return query
    return _only_rule(query, folded.reasons[0][0], alerts.minimum_severity)


def _only_rule(query: EventQuery, rule: Rule, least: Severity) -> EventQuery:
    replace = msgspec.structs.replace
    if rule is Rule.CRITICAL:
        return replace(query, severity=Severity.CRITICAL)
    if rule is Rule.NEW_BAN:
        return replace(query, actions=frozenset({Action.BANNED}))
    if rule not in (Rule.WAF_BLOCKED, Rule.WAF_DETECTED):
        return query
    action = Action.BLOCKED if rule is Rule.WAF_BLOCKED else Action.DETECTED
    # the least severity of all takes nothing away
    severity = least if least is not Severity.INFO else None
    return replace(query, categories=frozenset({Category.WAF}), actions=frozenset({action}), severity=severity)


# --- a rehearsal -----------------------------------------------------------------------------------------------------

_SHAPES: Mapping[Shape, str] = {
    Shape.GROUP: N_("same source and target"),
    Shape.STORM: N_("same source and target"),
    Shape.WIDE: N_("many sources at once"),
    Shape.HELD: "",
}
_WHYS: Mapping[Why, str] = {
    Why.QUIET_HOURS: N_("Held by quiet hours"),
    Why.PAUSE: N_("Held by the pause"),
    Why.SILENCE: N_("Held by a silence"),
    Why.CAP: N_("Held by the cap of an hour"),
}


def why_words(mail: Rehearsed) -> str:
    """Return why a mail would have been sent, and what it would have folded."""
    if mail.why is not None:
        return _(_WHYS[mail.why])
    if mail.kind is Kind.FIRST:
        return _(RULES[mail.rule]) if mail.rule is not None else _(KINDS[Kind.FIRST])
    folded = _(_SHAPES[mail.shape])
    return f"{_(KINDS[mail.kind])}: {folded}" if folded else _(KINDS[mail.kind])
