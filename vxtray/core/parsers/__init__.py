"""Log lines to events, one module per log family: pure functions that never raise, for any thread or process.

``outcome`` what a line becomes, ``fields`` and ``severity`` shared readings of values, ``keyvalue`` and ``syslog``
framings, ``zones`` and ``countries`` tables, and the families: ``sophos``. A family offers ``recognises(text)`` and
``parse(text, zone)``, and is entered in ``_FAMILIES`` below.
"""

from collections.abc import Callable
from datetime import tzinfo

from vxtray.core.errors import N_
from vxtray.core.parsers import fields, sophos
from vxtray.core.parsers.outcome import MAX_LINE, Ignored, Outcome, Rejected

__all__ = ["FORMATS", "MAX_LINE", "TOO_LONG", "Ignored", "Outcome", "Rejected", "parse"]

#: name -> (is this line one of the family's, parse it)
_FAMILIES: dict[str, tuple[Callable[[str], bool], Callable[[str, tzinfo], Outcome]]] = {
    "sophos": (sophos.recognises, sophos.parse),
}

#: What ``format`` may be.
FORMATS = ("auto", *_FAMILIES)

TOO_LONG = Rejected(N_("The line is longer than 64 KiB."))
_BLANK = Ignored()
_UNKNOWN_LINE = Rejected(N_("The line is of no known log format."))
_UNKNOWN_FORMAT = Rejected(N_("This log format cannot be read."))


def parse(text: str, *, format: str = "auto", zone: tzinfo) -> Outcome:  # noqa: A002 - the command line's own word
    """Understand one log line (with or without a syslog header and line end).

    ``format`` is one of ``FORMATS``; ``auto`` finds it by content. ``zone`` is where the log was written, used for
    times that do not say it themselves. Never raises; takes time in proportion to the line.
    """
    if len(text) > MAX_LINE:
        return TOO_LONG
    if not text or text.isspace():
        return _BLANK
    text = fields.printable(text).strip()
    if format != "auto":
        family = _FAMILIES.get(format)
        return family[1](text, zone) if family else _UNKNOWN_FORMAT
    for recognises, read in _FAMILIES.values():
        if recognises(text):
            return read(text, zone)
    return _UNKNOWN_LINE
