"""Foreign text made harmless: what a server or a log says becomes one bounded line of plain text.

Pure functions, any thread.
"""

import re

#: Controls (C0, DEL, C1), line and paragraph separators, marks that reorder what is read (Unicode bidi), the BOM.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
_SURROGATES = re.compile("[\ud800-\udfff]")
_BLANKS = re.compile(r"\s+")
#: In a body, tabs and line ends stay.
_BODY_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff]")

#: How much of a server's words is kept, in characters.
REPLY_LIMIT = 500


def one_line(text: str, limit: int = REPLY_LIMIT) -> str:
    """Return the text on one line without controls, at most ``limit`` characters long."""
    # A first cut keeps the work small; what it loses is beyond the limit anyway, unless it is a wall of blanks.
    text = _SURROGATES.sub("\ufffd", text[: limit * 8])
    text = _BLANKS.sub(" ", _CONTROLS.sub(" ", text)).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def body_text(text: str) -> str:
    """Return a body without controls and lone surrogates; tabs and line ends stay."""
    return _SURROGATES.sub("\ufffd", _BODY_CONTROLS.sub(" ", text))
