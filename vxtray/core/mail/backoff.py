"""How long to wait before another try, and when to give a mail up.

Pure but for the jitter; any thread. The pauses are the habit of the field (RFC 5321 section 4.5.4.1), quicker at first.
"""

import random
from datetime import timedelta

#: Pauses after the first failed tries; the last one repeats.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15))

#: Greylisting servers want some minutes, and take an earlier try for that of a spammer (RFC 6647 section 2).
GREYLISTED = timedelta(minutes=5)

#: After a mail in doubt: time for the server to finish what it was doing, so that a hung one collects no copies.
DOUBT = timedelta(minutes=15)

#: While an attempt is not possible at all (no network, the keyring is locked): the first waits, then the last one.
BLOCKED = (timedelta(seconds=15), timedelta(seconds=30), timedelta(seconds=60))

#: A fault that may heal by itself (a certificate renewed) is looked at again this seldom.
SLOW_PROBE = timedelta(minutes=30)

#: No reply makes the queue wait longer than this.
LONGEST = timedelta(hours=24)

GIVE_UP_AFTER = timedelta(days=3)
#: And never before so many tries: a mail that lay waiting over a long weekend is not given up at its first greylisting.
FEWEST_TRIES = 20

_JITTER = 0.1


def pause(tries: int) -> timedelta:
    """Return the pause after so many failed tries (1 or more)."""
    return PAUSES[min(max(tries, 1), len(PAUSES)) - 1]


def blocked(tries: int) -> timedelta:
    """Return the wait after so many tries that were not possible (1 or more)."""
    return BLOCKED[min(max(tries, 1), len(BLOCKED)) - 1]


def jittered(span: timedelta) -> timedelta:
    """Return a span up to a tenth shorter or longer, so that many computers do not come back at once."""
    return span * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - not a secret


def given_up(age: timedelta, rounds: int) -> bool:
    """Return whether a mail that waited for so long, through so many tries of its own or of a probe, is given up."""
    return rounds >= FEWEST_TRIES and age > GIVE_UP_AFTER
