"""How many events an alert mail says that it tells, read from its English text as a person would."""

import re
from collections.abc import Iterable

from tests.core.engine import text_of
from tests.peers.mailbox import ReceivedMail

_HERE = re.compile(r"\b([\d,]+) in this one\.|\bAll ([\d,]+) events are counted, in this mail\.")


def events_told(mail: ReceivedMail) -> int:
    """Return how many events stand in this mail and in no other; one where it counts none."""
    found = _HERE.search(" ".join(text_of(mail.message).split()))
    return int((found[1] or found[2]).replace(",", "")) if found else 1


def all_told(mails: Iterable[ReceivedMail]) -> int:
    """Return how many events the mails tell together."""
    return sum(map(events_told, mails))
