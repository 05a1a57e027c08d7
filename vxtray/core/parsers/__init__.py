"""Log lines to events, one module per log family: pure functions that never raise, for any thread or process.

``outcome`` what a line becomes, ``fields``, ``timestamps`` and ``severity`` shared readings of values, ``keyvalue``,
``jsonvalues`` and ``syslog`` framings, ``zones`` and ``countries`` tables, and the families: ``sophos``, ``fail2ban``
(with ``mailcow``), ``modsecurity`` (with its logs' kinds), ``suricata``, ``crowdsec`` (with its log and scenarios),
``cef``. A family offers ``recognises(text)`` and ``parse(text, zone)``, and is entered in ``_FAMILIES`` below.
``vigilancex`` reads what such a server told its own source.
``records`` puts lines together that make one record. ``layouts`` reads lines quickly whose like came before, ``worker``
parses in processes of its own.
"""

from collections.abc import Callable
from datetime import tzinfo

from vxtray.core.errors import N_
from vxtray.core.events import MAX_LINE
from vxtray.core.parsers import cef, crowdsec, fail2ban, fields, modsecurity, sophos, suricata, vigilancex
from vxtray.core.parsers.modsecurity_audit import BOUNDARY
from vxtray.core.parsers.outcome import Ignored, Outcome, Rejected
from vxtray.core.parsers.records import MAX_RECORD

__all__ = ["FORMATS", "MAX_LINE", "TOO_LONG", "TOO_LONG_RECORD", "Ignored", "Outcome", "Rejected", "parse"]

#: name -> (is this line one of the family's, parse it). Sophos comes last: it alone is told by words anywhere in the
#: line, which a visitor's request may hold in any other log, too.
_FAMILIES: dict[str, tuple[Callable[[str], bool], Callable[[str, tzinfo], Outcome]]] = {
    "fail2ban": (fail2ban.recognises, fail2ban.parse),
    "modsecurity": (modsecurity.recognises, modsecurity.parse),
    "suricata": (suricata.recognises, suricata.parse),
    "crowdsec": (crowdsec.recognises, crowdsec.parse),
    "cef": (cef.recognises, cef.parse),
    "sophos": (sophos.recognises, sophos.parse),
}

#: What ``format`` may be.
FORMATS = ("auto", *_FAMILIES)

#: What only a source of its own hands over; no line is ever taken for it by its content.
_OWN = {vigilancex.SOURCE: vigilancex.parse}

TOO_LONG = Rejected(N_("The line is longer than 64 KiB."))
TOO_LONG_RECORD = Rejected(N_("The record is longer than 256 KiB."))
_BLANK = Ignored()
_UNKNOWN_LINE = Rejected(N_("The line is of no known log format."))
_UNKNOWN_FORMAT = Rejected(N_("This log format cannot be read."))


def parse(text: str, *, format: str = "auto", zone: tzinfo) -> Outcome:  # noqa: A002 - the command line's own word
    """Understand one log line (with or without a syslog header and line end), or a record of several (``records``).

    ``format`` is one of ``FORMATS``; ``auto`` finds it by content. ``zone`` is where the log was written, used for
    times that do not say it themselves. Never raises; takes time in proportion to the line.
    """
    if len(text) > MAX_LINE:
        record = "\n" in text or text.startswith("{")
        if not record or len(text) > MAX_RECORD:
            return TOO_LONG_RECORD if record else TOO_LONG
    if not text or text.isspace():
        return _BLANK
    text = _printable(text)
    if format != "auto":
        read = _FAMILIES[format][1] if format in _FAMILIES else _OWN.get(format)
        return read(text, zone) if read else _UNKNOWN_FORMAT
    outcome = sophos.quickly(text, zone)
    if outcome is not None:
        return outcome
    for recognises, understand in _FAMILIES.values():
        if recognises(text):
            return understand(text, zone)
    return _UNKNOWN_LINE


def _printable(text: str) -> str:
    """Return the text without odd characters; the line feeds stay where they tell the sections of a record apart."""
    if "\n" not in text:
        return fields.printable(text).strip()
    text = text.strip()
    between = "\n" if BOUNDARY.match(text) else " "
    if text.replace("\n", "").isprintable():
        return text.replace("\n", between)
    return between.join(map(fields.printable, text.split("\n"))).strip()
