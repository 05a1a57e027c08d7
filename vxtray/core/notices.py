"""What core tells the outside: small frozen values, handed to one callable.

The window passes ``Bridge.post``, a server passes a logger; either may be called from any thread.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec

from vxtray.core.errors import VxtrayError


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened at ``at`` (aware UTC)."""

    at: datetime


class EventsStored(Notice, frozen=True, kw_only=True):
    """New events are in the store, and ``alerts`` of them made a mail."""

    events: int
    alerts: int


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
