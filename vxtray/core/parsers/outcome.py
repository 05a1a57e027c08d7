"""What becomes of one log line: an event, several, nothing of interest, or a line that nobody understands.

Pure data, any thread.
"""

from collections.abc import Iterable

import msgspec

from vxtray.core.events import SecurityEvent


class Rejected(msgspec.Struct, frozen=True):
    """A line that could not be understood; ``reason`` is an English message id for ``texts.translate``."""

    reason: str


class Ignored(msgspec.Struct, frozen=True):
    """A line that was understood and holds no security event.

    ``event`` is what the line says where that is of use to a person who reads it (category other, action info); it is
    never stored.
    """

    event: SecurityEvent | None = None


#: A tuple is never empty: a record that holds several events, such as a JSON array.
Outcome = SecurityEvent | tuple[SecurityEvent, ...] | Ignored | Rejected


def combined(outcomes: Iterable[Outcome]) -> Outcome:
    """Return what becomes of a record that holds others: its events, else its first rejection, else nothing."""
    events: list[SecurityEvent] = []
    rejected: Rejected | None = None
    for outcome in outcomes:
        if isinstance(outcome, SecurityEvent):
            events.append(outcome)
        elif isinstance(outcome, tuple):
            events += outcome
        elif isinstance(outcome, Rejected):
            rejected = rejected or outcome
    if events:
        return events[0] if len(events) == 1 else tuple(events)
    return rejected or Ignored()
