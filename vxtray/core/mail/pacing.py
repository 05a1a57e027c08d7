"""How fast mails may leave: a bucket of tokens, filled by the monotonic clock, by what the provider allows.

Pure but for the clock; any thread, one at a time.
"""

import ipaddress
import math
import time
from collections.abc import Callable

import msgspec


class Pace(msgspec.Struct, frozen=True):
    """At most ``burst`` mails at once and ``per_minute`` after that; ``recipients`` in one transaction."""

    burst: float
    per_minute: float
    recipients: int = 50


#: Microsoft 365 delays what exceeds 30 a minute: 10 at once and 20 a minute are never more than 30 in any minute.
#: https://learn.microsoft.com/en-us/exchange/troubleshoot/send-emails/smtp-submission-improvements
_MICROSOFT = Pace(10, 20)
#: Google publishes no rate for SMTP; never more than 20 in any minute. 100 recipients in a transaction are its limit:
#: https://support.google.com/a/answer/166852
_GOOGLE = Pace(5, 15, recipients=100)
_PUBLIC = Pace(30, 20)
#: A server of one's own network takes what it can.
_OWN = Pace(math.inf, math.inf)

_BY_DOMAIN = (
    (("office365.com", "outlook.com", "office.com", "hotmail.com", "live.com"), _MICROSOFT),
    (("gmail.com", "googlemail.com", "google.com"), _GOOGLE),
)


def pace_of(host: str, peer: str = "") -> Pace:
    """Return the pace for a server; ``peer`` is the address that answered, "" where that is not known yet."""
    name = host.lower().rstrip(".")
    for domains, pace in _BY_DOMAIN:
        if any(name == domain or name.endswith("." + domain) for domain in domains):
            return pace
    try:
        address = ipaddress.ip_address((peer or name).partition("%")[0])
    except ValueError:
        return _PUBLIC
    return _PUBLIC if address.is_global else _OWN


class Bucket:
    """Counts what left."""

    def __init__(self, pace: Pace, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.pace = pace
        self._monotonic = monotonic
        self._tokens = pace.burst
        self._at = monotonic()

    def seconds(self) -> float:
        """Return how long until the next mail may leave, 0 when it may now."""
        if math.isinf(self.pace.burst):
            return 0.0
        self._fill()
        return max(0.0, (1 - self._tokens) * 60 / self.pace.per_minute)

    def take(self) -> None:
        """Count a mail that leaves."""
        self._fill()
        self._tokens -= 1

    def _fill(self) -> None:
        now = self._monotonic()
        if self._tokens < self.pace.burst:
            self._tokens = min(self.pace.burst, self._tokens + (now - self._at) * self.pace.per_minute / 60)
        self._at = now
