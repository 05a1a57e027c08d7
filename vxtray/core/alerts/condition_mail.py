"""Mails about vxtray's own work: a source fell silent or is heard again, a disk fills up or has room, mail works again.

Pure apart from reading the templates, any thread. Names of sources and folders come from settings and senders: they
pass ``Reader.foreign`` and are escaped in HTML.
"""

from collections.abc import Mapping
from datetime import tzinfo
from types import MappingProxyType

import msgspec

from vxtray.core.alerts.conditions import Change, spoken_name
from vxtray.core.alerts.rules import Rule
from vxtray.core.alerts.wording import (
    clock,
    first_upper,
    follow_up,
    footer,
    in_subject,
    kicker,
    lasting,
    opening,
)
from vxtray.core.errors import N_
from vxtray.core.mail.render import Document, Reader, render
from vxtray.core.texts import format_number

_UNITS = (N_("bytes"), N_("kB"), N_("MB"), N_("GB"), N_("TB"))


class _Words(msgspec.Struct, frozen=True):
    """What is said of a condition; ``{name}``, ``{since}``, ``{until}``, ``{length}`` and ``{free}`` are filled in."""

    began: str
    over: str
    subject: str
    sentence: str
    consequence: str
    over_sentence: str
    over_consequence: str
    advice: str
    over_advice: str


_WORDS: Mapping[Rule, _Words] = MappingProxyType(
    {
        Rule.SOURCE_SILENT: _Words(
            began=N_("▲ {name} is silent"),
            over=N_("✓ {name} is heard again"),
            subject=N_("{name} has been silent since {since}"),
            sentence=N_("Nothing has come from {name} since {since}."),
            consequence=N_("▲ What happens there is neither stored nor alerted while this lasts."),
            over_sentence=N_("Lines of {name} come in again; it was silent for {length}."),
            over_consequence=N_("✓ Its events are stored and alerted again."),
            advice=N_(
                "Check that the device is on, that it still sends its log to this computer, and that nothing on the "
                "way blocks it. The page “Sources” shows what arrives."
            ),
            over_advice=N_(
                "If the device kept its log of that time, import the file on the page “Sources”: reports are then "
                "complete."
            ),
        ),
        Rule.DISK_FULL: _Words(
            began=N_("▲ The disk is almost full"),
            over=N_("✓ The disk has room again"),
            subject=N_("Disk almost full: {free} left for {name}"),
            sentence=N_("Of the disk that holds {name}, only {free} are left."),
            consequence=N_("▲ When it is full, vxtray can store no events and send no mails."),
            over_sentence=N_("The disk that holds {name} has {free} left again; it was almost full for {length}."),
            over_consequence=N_("✓ Events and mails have room again."),
            advice=N_("Free some space on this disk, or keep events for fewer days (page “Settings”)."),
            over_advice=N_("Nothing has to be done."),
        ),
        Rule.MAIL_DOWN: _Words(
            began=N_("▲ Mail does not work"),
            over=N_("✓ Mail works again"),
            subject=N_("Mail had not worked since {since}"),
            sentence=N_("No mail has left since {since}."),
            consequence=N_("▲ Alerts and reports wait until the mail server takes them."),
            over_sentence=N_("No mail could leave for {length}: from {since} to {until}."),
            over_consequence=N_("✓ What waited is on its way; nothing was lost."),
            advice=N_("Open the page “Mail server”: it says what is wrong and what helps."),
            over_advice=N_("Nothing has to be done. The page “History” shows when each mail left."),
        ),
    }
)


_NOT_WATCHED = N_("By the settings, {name} is no longer looked at; until then nothing had changed for {length}.")


def condition_document(
    change: Change,
    language: str,
    zone: tzinfo,
    *,
    host: str = "",
    version: str = "",
    defang: bool = False,
    mask_internal: bool = False,
    opened_as: str = "",
) -> Document:
    """Write that a condition began or is over, for a reader.

    ``opened_as`` is the subject of the first mail of its conversation, as it was sent, "" where this is the first.
    """
    reader = Reader(language=language, zone=zone, defang=defang, mask_internal=mask_internal)
    say, words = reader.translate, _WORDS[change.rule]
    name = reader.foreign(_called(change), 120)
    values = _values(change, name, reader)
    sentences = [words.sentence, words.consequence]
    if change.over:
        sentences = [words.over_sentence, words.over_consequence] if change.watched else [_NOT_WATCHED]
    said = [say(sentence, **values) for sentence in sentences]
    heading = say(words.over if change.over and change.watched else words.began, **values)
    advice = say(words.over_advice if change.over else words.advice)
    rendered = render(
        "condition",
        language,
        {
            "kicker": kicker(host, reader),
            "preheader": " ".join((*said, advice)),
            "heading": heading,
            "subheading": first_upper(reader.moment(change.at)),
            "tone": "warning" if not change.over else "good" if change.watched else "accent",
            "sentences": said,
            "strong": len(said),
            "advice_title": say(N_("What to do next")),
            "advice": [advice],
            "facts_title": say(N_("In short")),
            "facts": _facts(change, name, reader),
            "footer": footer((change.rule,), host, version, reader),
        },
    )
    subject = _subject(change, opened_as, reader)
    return Document(subject=subject, html=rendered.html, text=rendered.text, topic=opened_as)


def _called(change: Change) -> str:
    return spoken_name(change.subject) if change.rule is Rule.SOURCE_SILENT else change.subject


def _values(change: Change, name: str, reader: Reader) -> dict[str, object]:
    until = change.until or change.at
    return {
        "name": name or reader.translate(N_("not named")),
        "since": clock(change.since, reader),
        "until": clock(until, reader),
        "length": _length(change, reader),
        "free": size(change.disk.free, reader) if change.disk is not None else "?",
    }


def _length(change: Change, reader: Reader) -> str:
    """Return how long it lasted; where it ended while nobody watched, only the longest that it can have been."""
    length = lasting((change.until or change.at) - change.since, reader)
    return length if change.exact else reader.translate(N_("at most {length}"), length=length)


def _subject(change: Change, opened_as: str, reader: Reader) -> str:
    """Return the subject; an end, or another spell, goes on with the conversation."""
    say = reader.translate
    values = _values(change, in_subject(_called(change), reader, 60), reader)
    base = opened_as or opening(say(_WORDS[change.rule].subject, **values))
    if not opened_as and not change.over:
        return base
    if not change.over:
        return follow_up(base, say(N_("Again, since {since}"), **values))
    if not change.watched:
        return follow_up(base, say(N_("No longer watched")))
    if change.rule is Rule.MAIL_DOWN:
        waited = reader.translate_plural("Works again, {n} mail waited", "Works again, {n} mails waited", change.waited)
        return follow_up(base, waited)
    return follow_up(base, say(N_("Over after {length}"), **values))


def _facts(change: Change, name: str, reader: Reader) -> list[tuple[str, str]]:
    say = reader.translate
    until = change.until
    free = total = ""
    if change.disk is not None and change.disk.total:
        free = f"{size(change.disk.free, reader)} ({reader.percent(change.disk.free / change.disk.total)})"
        total = size(change.disk.total, reader)
    ended = reader.moment(until) if until is not None else ""
    if ended and not change.exact:
        ended = say(N_("some time before {moment}"), moment=ended)
    times = ""
    if change.total > 1:
        times = reader.translate_plural(
            "{n} time since {moment}", "{n} times since {moment}", change.total, moment=reader.moment(change.first_at)
        )
    labels = {Rule.SOURCE_SILENT: N_("Source"), Rule.DISK_FULL: N_("Folder"), Rule.MAIL_DOWN: ""}
    pairs = (
        (labels[change.rule], name),
        (N_("Since"), reader.moment(change.since)),
        (N_("Until"), ended),
        (N_("Lasted"), _length(change, reader) if until is not None else ""),
        (N_("How often"), times),
        (N_("Free"), free),
        (N_("Size of the disk"), total),
        (N_("Mails that waited"), reader.number(change.waited) if change.waited else ""),
    )
    return [(say(label), value) for label, value in pairs if label and value]


def size(octets: int, reader: Reader) -> str:
    """Return 1.2 GB, in powers of 1,000."""
    amount, unit = float(max(octets, 0)), 0
    while amount >= 999.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    rounded = round(amount, 1 if unit and amount < 99.5 else None)
    return f"{format_number(rounded, reader.language)}\N{NO-BREAK SPACE}{reader.translate(_UNITS[unit])}"
