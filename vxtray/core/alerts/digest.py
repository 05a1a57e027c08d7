"""Mails that tell many events together: a storm that began, goes on or is over, a few more of the same, what was held.

Pure apart from reading the templates, any thread. The figures come summed (``Folded``) and every one is exact; HTML and
text show the same. Names were written by logs: they pass ``Reader.foreign`` and are escaped in HTML.
"""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from types import MappingProxyType

from vxtray.core.alerts.figures import figures, rankings
from vxtray.core.alerts.incidents import Folded, Incident, Kind, Letter, Shape, TopRow, Why
from vxtray.core.alerts.rules import Rule
from vxtray.core.alerts.wording import (
    BRACKETS,
    OPENING_LIMIT,
    PREFIX,
    RULES,
    TONES,
    clock,
    first_upper,
    follow_up,
    footer,
    in_subject,
    kicker,
    not_blocked,
    opening,
    place,
    span,
    whereabouts,
)
from vxtray.core.errors import N_
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import SEVERITIES, SHAPES, Document, Reader, render

_HEADINGS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.STARTED: N_("Storm: {what}"),
        Kind.SUMMARY: N_("The storm goes on: {what}"),
        Kind.OVER: N_("The storm is over: {what}"),
        Kind.MORE: N_("More of the same: {what}"),
    }
)

_HELD: Mapping[Why, str] = MappingProxyType(
    {
        Why.QUIET_HOURS: N_("Held back during quiet hours"),
        Why.PAUSE: N_("Held back while alerts were paused"),
        Why.SILENCE: N_("Held back by a silence"),
        Why.CAP: N_("Held back by the limit of mails per hour"),
    }
)

_HELD_SUBJECTS: Mapping[Why, str] = MappingProxyType(
    {
        Why.QUIET_HOURS: N_("{severity}: {events} during quiet hours"),
        Why.PAUSE: N_("{severity}: {events} while alerts were paused"),
        Why.SILENCE: N_("{severity}: {events} during a silence"),
        Why.CAP: N_("{severity}: {events} beyond the limit of mails per hour"),
    }
)

_WHY_HELD: Mapping[Why, str] = MappingProxyType(
    {
        Why.QUIET_HOURS: N_("Quiet hours held these mails back, and this one tells all of their events."),
        Why.PAUSE: N_("The pause of alerts held these mails back, and this one tells all of their events."),
        Why.SILENCE: N_("A silence held these mails back, and this one tells all of their events."),
        Why.CAP: N_(
            "So many mails were due that the limit per hour was reached; this one tells all that it held back."
        ),
    }
)

_WHY_GROUPED = N_("Events of the same rule, source and target that follow each other quickly are told together.")
_WHY_WIDE = N_("Different alerts came so close together that they are told together instead of one mail each.")

_NEXT: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.STARTED: N_("Summaries follow while it goes on, and a last mail with all figures once it is over."),
        Kind.SUMMARY: N_("Summaries follow while it goes on, and a last mail with all figures once it is over."),
        Kind.OVER: N_("It is over: no such event has come for a while. If it begins again, you are told at once."),
        Kind.MORE: N_("It stopped before it became a storm. If it begins again, you are told at once."),
        Kind.DIGEST: N_("This is all that was held back. New alerts are sent at once again."),
    }
)


def digest_document(
    letter: Letter,
    folded: Folded,
    language: str,
    zone: tzinfo,
    *,
    host: str = "",
    version: str = "",
    defang: bool = False,
    mask_internal: bool = False,
    quiet: str = "",
    opened_as: str = "",
    next_summary: datetime | None = None,
) -> Document:
    """Write what a letter of any kind but ``FIRST`` tells, for a reader.

    ``quiet`` says more about what held the events: the hours, such as 22:00–07:00, or the reason given for a silence.
    ``opened_as`` is the subject of the incident's first mail, as it was sent, "" where this is the first.
    ``next_summary`` is when the next one is due if the storm goes on, None where that is not known.
    """
    reader = Reader(language=language, zone=zone, defang=defang, mask_internal=mask_internal)
    say, incident = reader.translate, letter.incident
    verdict = _verdict(folded, reader)
    sentences = [_lead(letter, folded, reader), verdict]
    coming = _coming(letter, next_summary, reader)
    rendered = render(
        "digest",
        language,
        {
            "kicker": kicker(host, reader),
            "preheader": " ".join((*sentences, *coming)),
            "heading": f"{SHAPES[folded.severity]} {_heading(letter, reader)}",
            "subheading": span(folded.first_at, folded.last_at, reader),
            "tone": _tone(letter, folded),
            "sentences": sentences,
            "strong": 2,
            "figures": figures(letter, folded, reader),
            "remark": "",
            "advice_title": say(N_("What to do next")),
            "advice": [say(_advice(incident, folded))],
            "next_title": say(N_("What comes next")),
            "next": coming,
            "rankings": rankings(incident, folded, reader),
            "facts_title": say(N_("In short")),
            "facts": _facts(letter, folded, reader, quiet),
            "count_title": say(N_("How they were counted")),
            "count": [say(_why(incident)), _accounting(letter, reader)],
            "footer": footer(tuple(rule for rule, _ in folded.reasons), host, version, reader),
        },
    )
    base = opened_as or _base(letter, folded, reader)
    subject = _subject(letter, folded, base, reader, opens=not opened_as)
    return Document(subject=subject, html=rendered.html, text=rendered.text, topic=opened_as)


def _tone(letter: Letter, folded: Folded) -> str:
    """Return the colour of the box: what is over and was stopped is good news, however severe it was."""
    if letter.kind in {Kind.OVER, Kind.MORE} and folded.blocked >= folded.events:
        return "good"
    return TONES.get(folded.severity, "accent")


# --- subject ----------------------------------------------------------------------------------------------------------


def _subject(letter: Letter, folded: Folded, base: str, reader: Reader, *, opens: bool) -> str:
    """Return the subject; of a held digest that begins a conversation, the base says everything already."""
    if letter.kind is Kind.DIGEST and opens:
        return base
    return follow_up(base, ", ".join(filter(None, (_news(letter, reader), _remark(folded, reader)))))


def _news(letter: Letter, reader: Reader) -> str:
    """Return what is new, for the beginning of a subject: so few words that they fit before it (``OPENING_LIMIT``)."""
    plural, many = reader.translate_plural, letter.events
    if letter.kind is Kind.STARTED:
        return plural("Storm: {n} more", "Storm: {n} more", many) if letter.number > 1 else _events(many, reader)
    if letter.kind is Kind.SUMMARY:
        return plural("Goes on: {n} more", "Goes on: {n} more", many)
    if letter.kind is Kind.OVER:
        return plural("Over: {n} in all", "Over: {n} in all", letter.total)
    return plural("{n} more", "{n} more", many)


def _remark(folded: Folded, reader: Reader) -> str:
    return not_blocked(folded.events, folded.blocked, reader) if folded.events else ""


def _base(letter: Letter, folded: Folded, reader: Reader) -> str:
    """Return the subject that the conversation begins with, where no mail has begun it."""
    incident = letter.incident
    severity = reader.translate(SEVERITIES[folded.severity])
    if incident.shape is Shape.HELD:
        said = reader.translate(
            _HELD_SUBJECTS[incident.why or Why.CAP], severity=severity, events=_events(letter.events, reader)
        )
        said = ", ".join(filter(None, (said, _remark(folded, reader))))
        what = _whereabouts(incident, folded, reader, subject=True)
        return opening(reader.translate(N_("{said}: {what}"), said=said, what=what))
    if incident.shape is Shape.WIDE:
        since = clock(incident.opened_at, reader)
        return opening(
            reader.translate(N_("{severity}: many alerts at once since {since}"), severity=severity, since=since)
        )
    frame = reader.translate(N_("{severity}: {what}"), severity=severity, what="")
    what = one_line(_whereabouts(incident, folded, reader, subject=True), OPENING_LIMIT - len(PREFIX) - len(frame))
    return opening(reader.translate(N_("{severity}: {what}"), severity=severity, what=what))


# --- sentences --------------------------------------------------------------------------------------------------------


def _heading(letter: Letter, reader: Reader) -> str:
    incident = letter.incident
    if letter.kind is Kind.DIGEST:
        return reader.translate(_HELD[incident.why or Why.CAP])
    if incident.shape is Shape.WIDE:
        what = reader.translate(N_("many alerts at once"))
    else:
        what = reader.foreign(incident.title, 70) or reader.translate(N_("not named"))
    return reader.translate(_HEADINGS[letter.kind], what=what)


def _lead(letter: Letter, folded: Folded, reader: Reader) -> str:
    """Return what came, where and from whom, and how many of it is new."""
    say, incident = reader.translate, letter.incident
    values = {
        "events": _events(letter.events, reader),
        "total": _events(letter.total, reader),
        "what": first_upper(_whereabouts(incident, folded, reader)),
    }
    if letter.kind is Kind.DIGEST:
        return say(N_("{events} held back: {what}."), **values)
    if letter.kind is Kind.OVER:
        return say(N_("{what}: {total} in all."), **values)
    if letter.number == 1:
        return say(N_("{what}: {events} so far."), **values)
    if letter.kind is Kind.STARTED:
        return say(N_("{what}: {events} since the first mail."), **values)
    return say(N_("{what}: {events} since the last mail, {total} in all."), **values)


def _whereabouts(incident: Incident, folded: Folded, reader: Reader, *, subject: bool = False) -> str:
    """Return what it is about: SQL injection on shop.example.com from 18.160.13.241 (China); 57 sources, 3 targets."""

    def show(text: str, limit: int) -> str:
        return in_subject(text, reader, limit) if subject else reader.foreign(text, limit)

    key = incident.key
    if key is None and max(folded.rules, folded.sources, folded.targets) > 1:
        return _extent(folded, reader)
    what = show(_only(folded.top_rules) if key is None else incident.title, 70)
    address = _only(folded.top_sources) if key is None else key.source
    codes = (row.country for row in folded.top_sources if row.name == address)
    country = next(codes, "").translate(BRACKETS if subject else {})
    source = place(show(address, 60), reader.country(country), reader)
    what = what or reader.translate(N_("not named"))
    if key is not None and key.rule is Rule.NEW_BAN and source:
        return reader.translate(N_("{source} banned ({what})"), source=source, what=what)
    return whereabouts(what, show(_only(folded.top_targets) if key is None else key.target, 50), source, reader)


def _only(rows: tuple[TopRow, ...]) -> str:
    return next((row.name for row in rows if row.name), "")


def _extent(folded: Folded, reader: Reader) -> str:
    """Return 4 rules, 57 sources, 3 targets; the lists below name them."""
    counts = (
        reader.translate_plural("{n} rule", "{n} rules", folded.rules) if folded.rules else "",
        reader.translate_plural("{n} source", "{n} sources", folded.sources) if folded.sources else "",
        reader.translate_plural("{n} target", "{n} targets", folded.targets) if folded.targets else "",
    )
    return ", ".join(filter(None, counts))


def _verdict(folded: Folded, reader: Reader) -> str:
    missed = folded.events - folded.blocked
    if folded.events == 1:
        return reader.translate(N_("▲ It was not blocked.") if missed else N_("✓ It was blocked."))
    if not missed:
        return reader.translate(N_("✓ All of them were blocked."))
    if not folded.blocked:
        return reader.translate(N_("▲ None of them was blocked."))
    return reader.translate_plural(
        "▲ {n} of them was not blocked: look at it first.",
        "▲ {n} of them were not blocked: look at them first.",
        missed,
    )


def _advice(incident: Incident, folded: Folded) -> str:
    missed = folded.blocked < folded.events
    if {rule for rule, _ in folded.reasons} == {Rule.NEW_BAN}:
        return N_("Nothing has to be done. If one of the addresses is yours, lift the ban and make an exception.")
    if incident.shape in {Shape.WIDE, Shape.HELD}:
        if missed:
            return N_(
                "Begin with what was not blocked: open the page “Events” for this time and look at the critical ones."
            )
        return N_("Nothing has to be done at once. Ban the most active sources if they come back.")
    if missed:
        return N_("Ban this source in the firewall now, then look up what it reached in the page “Events”.")
    return N_("It was stopped each time. Ban this source in the firewall, so that it no longer gets so far.")


def _coming(letter: Letter, next_summary: datetime | None, reader: Reader) -> list[str]:
    if next_summary is None or letter.kind not in {Kind.STARTED, Kind.SUMMARY}:
        return [reader.translate(_NEXT[letter.kind])]
    return [
        reader.translate(
            N_("If it goes on, the next summary comes on {moment}; once it is over, a last mail gives all figures."),
            moment=clock(next_summary, reader),
        )
    ]


def _why(incident: Incident) -> str:
    if incident.shape is Shape.HELD:
        return _WHY_HELD[incident.why or Why.CAP]
    return _WHY_WIDE if incident.shape is Shape.WIDE else _WHY_GROUPED


def _accounting(letter: Letter, reader: Reader) -> str:
    """Return in which mail of the incident each event stands; the parts always make up the total."""
    say, plural = reader.translate, reader.translate_plural
    before = letter.total - letter.events
    parts = []
    if letter.number == 2:
        parts = [plural("{n} in the first mail", "{n} in the first mail", before)]
    elif letter.number > 2 and letter.incident.key is not None and before > 0:  # the first mail told one event
        parts = [
            plural("{n} in the first mail", "{n} in the first mail", 1),
            _in_mails(before - 1, letter.number - 2, reader),
        ]
    elif letter.number > 2:
        parts = [say(N_("{events} in the {mails} mails before"), events=reader.number(before), mails=letter.number - 1)]
    if not parts:
        return plural(
            "{n} event is counted: it stands in this mail.", "All {n} events are counted, in this mail.", letter.total
        )
    parts.append(plural("{n} in this one", "{n} in this one", letter.events))
    return plural(
        "{n} event is counted: {parts}.", "All {n} events are counted: {parts}.", letter.total, parts=", ".join(parts)
    )


def _in_mails(events: int, mails: int, reader: Reader) -> str:
    return reader.translate_plural(
        "{events} in {n} mail after it", "{events} in {n} mails after it", mails, events=reader.number(events)
    )


# --- figures and lists ------------------------------------------------------------------------------------------------


def _events(n: int, reader: Reader) -> str:
    return reader.translate_plural("{n} event", "{n} events", n)


def _facts(letter: Letter, folded: Folded, reader: Reader, quiet: str) -> list[tuple[str, str]]:
    say = reader.translate
    held = letter.incident.why
    label = N_("Reason of the silence") if held is Why.SILENCE else N_("Quiet hours")
    met = " · ".join(f"{first_upper(say(RULES[rule]))} ({reader.number(events)})" for rule, events in folded.reasons)
    pairs = (
        (N_("First event"), reader.moment(folded.first_at)),
        (N_("Last event"), reader.moment(folded.last_at)),
        (N_("Highest severity"), f"{SHAPES[folded.severity]} {say(SEVERITIES[folded.severity])}"),
        (N_("Alerts met"), met),
        (label, reader.foreign(quiet, 200) if held in {Why.SILENCE, Why.QUIET_HOURS} else ""),
    )
    return [(say(name), value) for name, value in pairs if value]
