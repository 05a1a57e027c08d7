"""What core tells the outside: small frozen values, handed to one callable.

The window passes ``Bridge.post``, a server passes a logger; either may be called from any thread.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec

from vxtray.core.alerts.rules import Rule
from vxtray.core.errors import VxtrayError
from vxtray.core.events import SecurityEvent, Severity


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened at ``at`` (aware UTC)."""

    at: datetime


class EventsStored(Notice, frozen=True, kw_only=True):
    """New events are in the store, and ``alerts`` of them made a mail."""

    events: int
    alerts: int


class AlertsRaised(Notice, frozen=True, kw_only=True):
    """``count`` events stored together matched a rule, ``critical`` of them rule ``CRITICAL``.

    The rest tells the most severe of them: ``title`` is what it was (plain text, one line), ``source`` its address or
    "", ``seq`` its number in the store, ``rules`` all that was matched, ``event`` that event itself.
    """

    count: int
    critical: int
    title: str
    source: str
    severity: Severity
    seq: int
    rules: tuple[Rule, ...]
    event: SecurityEvent | None = None


class IncidentsChanged(Notice, frozen=True, kw_only=True):
    """Incidents began, ended or were acknowledged; ``held`` matched events wait for a digest."""

    open: int
    unacknowledged: int
    held: int


class MailSettled(Notice, frozen=True, kw_only=True):
    """An attempt to send ended; ``state`` as in the outbox, ``reply`` the server's words."""

    id: int
    kind: str
    subject: str
    state: str
    reply: str


class QueueChanged(Notice, frozen=True, kw_only=True):
    """Mails were queued, held, released or cancelled."""

    queued: int
    held: int
    failed: int


class TroubleChanged(Notice, frozen=True, kw_only=True):
    """Something began to need attention (``error``), or is over (``error`` None). ``what`` names the part."""

    what: str
    error: VxtrayError | None


Publish = Callable[[Notice], None]
