"""What became of one attempt, in the outbox's words: it does not know SMTP.

Pure data, any thread.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

import msgspec

from vxtray.core.errors import VxtrayError


class Verdict(StrEnum):
    """What became of one attempt, and whom it concerns."""

    SENT = "sent"
    LATER = "later"  # this mail waits; the next one is tried
    FAILED = "failed"  # this mail is refused for good
    LIGHTER = "lighter"  # it was too large: its attachment was taken off, and it is tried again at once
    DOUBT = "doubt"  # handed over whole, and no answer came: it may have arrived
    SERVER = "server"  # the server or the way to it: every mail waits, one probes
    RATE = "rate"  # the server asked for a pause: every mail waits as long as it said
    ACCOUNT = "account"  # nothing can leave until a person mends the account: no mail is tried again meanwhile
    WAIT = "wait"  # no attempt was possible (keyring locked, no network, suspended): not counted


class Suspicion(msgspec.Struct, frozen=True):
    """A fault that is temporary once, and needs a person when it comes three times in a row: then ``error`` is told."""

    what: str
    error: VxtrayError
    heals: bool = True


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of the function that delivers.

    ``accepted`` names recipients; ``refused`` for good and ``postponed`` by a temporary refusal each with the reply.
    Recipients that are not named at all were not asked yet. ``wait`` is what the server asked for, ``error`` tells a
    person what stands in the way. ``heals``: it may be over without a person's doing. ``network``: there is none.
    ``data``: the lighter mail. ``fingerprint``: of the settings and secrets that the verdict is about. ``peer``,
    ``mechanism`` and ``tls`` describe the connection that was used.
    """

    verdict: Verdict
    stage: str = ""
    reply: str = ""
    accepted: tuple[str, ...] = ()
    refused: Mapping[str, str] = {}
    postponed: Mapping[str, str] = {}
    wait: timedelta | None = None
    error: VxtrayError | None = None
    suspicion: Suspicion | None = None
    heals: bool = False
    network: bool = False
    data: bytes = b""
    fingerprint: str = ""
    peer: str = ""
    mechanism: str = ""
    tls: str = ""
