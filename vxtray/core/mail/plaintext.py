"""Foreign text made harmless: what a server or a log says becomes one bounded line of plain text.

Pure functions, any thread.
"""

import re
import unicodedata
from itertools import groupby

#: Controls (C0, DEL, C1), line and paragraph separators, marks that reorder what is read (Unicode bidi), the BOM.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
#: What no one sees and a filter reads otherwise: soft hyphen, zero width space, joiners of words, tags, annotations.
_INVISIBLE = re.compile("[\u00ad\u180e\u200b\u2060-\u2064\u206a-\u206f\ufff9-\ufffb\U000e0000-\U000e0fff]+")
#: Beyond Latin letters and punctuation.
_FAR = re.compile("[^\x00-\u02ff\u2010-\u205f]")
#: Marks on one letter; more of them run over the lines above and below.
_MOST_MARKS = 3
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
    if not text.isascii():
        text = _fewer_marks(_INVISIBLE.sub("", text))
    text = _BLANKS.sub(" ", _CONTROLS.sub(" ", text)).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _fewer_marks(text: str) -> str:
    if not _FAR.search(text):
        return text
    runs = groupby(text, key=lambda character: unicodedata.category(character)[0] == "M")
    return "".join("".join(run)[: _MOST_MARKS if marks else None] for marks, run in runs)


def body_text(text: str) -> str:
    """Return a body without controls and lone surrogates; tabs and line ends stay."""
    return _SURROGATES.sub("\ufffd", _BODY_CONTROLS.sub(" ", text))
