"""The wait that a server names in its words ("try again in 300 seconds").

Pure, any thread. The patterns have bounded repetitions only: their time is in proportion to the text.
"""

import re
from datetime import timedelta

#: A server that names more is looked at again after this long all the same.
LONGEST = timedelta(hours=6)

_HOURS = r"h|hrs?|hours?|heures?|stunden?"
_MINUTES = r"m|mins?|minutes?|minuten"
_SECONDS = r"s|secs?|seconds?|secondes?|sekunden?"
_UNITS = (3600, 60, 1)

#: English, French and German servers: "try again in 4 minutes", "retry after 30 s", "Greylisted for 300 seconds".
_HINT = re.compile(
    r"(?:again|retry|wait|greylisted|delayed|blocked|essay|patient|versuchen)[^\d\n]{0,24}?"
    rf"(?<![\w.:/-])(\d{{1,6}}) {{0,2}}(?:({_HOURS})|({_MINUTES})|({_SECONDS}))\b"
)
_BARE_SECONDS = re.compile(r"retry[- ]after:? {0,2}(\d{1,6})\b")


def named_wait(text: str) -> timedelta | None:
    """Return the wait named in a text in lower case, at most ``LONGEST``; None where none is named."""
    if found := _HINT.search(text):
        unit = next(seconds for seconds, name in zip(_UNITS, found.groups()[1:], strict=True) if name)
        return min(timedelta(seconds=int(found[1]) * unit), LONGEST)
    if bare := _BARE_SECONDS.search(text):
        return min(timedelta(seconds=int(bare[1])), LONGEST)
    return None
