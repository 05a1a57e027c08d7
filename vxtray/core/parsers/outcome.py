"""What becomes of one log line: an event, nothing of interest, or a line that nobody understands.

Pure data, any thread.
"""

import msgspec

from vxtray.core.events import SecurityEvent

#: Longer lines are refused unread: no product writes them, and every later step may rely on the bound.
MAX_LINE = 64 * 1024


class Rejected(msgspec.Struct, frozen=True):
    """A line that could not be understood; ``reason`` is an English message id for ``texts.translate``."""

    reason: str


class Ignored(msgspec.Struct, frozen=True):
    """A line that was understood and holds no security event."""


Outcome = SecurityEvent | Ignored | Rejected
