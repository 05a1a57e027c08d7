"""Where events come from: what every live source promises, and what it hands over.

``syslog`` listens, ``follower`` watches log files, ``logfile`` reads one file, ``importer`` takes files in once. The
caller decides the thread or process; nothing here starts one.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec

from vxtray.core.errors import VxtrayError
from vxtray.core.store import Position


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Lines as they were read, in order, not yet parsed.

    ``source`` names the source in the health display (``syslog udp``, a path). ``position`` is committed together with
    the events of these lines (None where they cannot be read again). ``alerts`` is false for a backlog, whose events
    never raise alerts. ``received`` is aware and in UTC. ``zone`` is an IANA name for times without one, "" for the
    machine's.
    """

    source: str
    lines: tuple[bytes, ...]
    received: datetime
    position: Position | None = None
    alerts: bool = True
    format: str = "auto"
    zone: str = ""


#: Of ``Health.dropped``: lines that belonged to us and are gone; where there are many, reports say so.
LOST = frozenset({"kernel", "queue", "rate"})

#: And what counts lines, or messages; the other reasons count connections and files.
LINES = LOST | {"length", "sender"}


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What a source counts itself: what was given up before it was queued, by reason, and its last fault ("" none).

    ``dropped`` keys. Lines: ``kernel`` (SO_RXQ_OVFL), ``queue`` (full), ``rate`` (per sender), ``length`` (above
    64 KiB), ``sender`` (not allowed; over TCP and TLS, its connections). Connections: ``connections`` (no place),
    ``framing`` (no syslog, or cut in a message), ``tls`` (a handshake that failed). Files: ``truncated`` (cut before
    all was read). ``trouble`` is what keeps the source from its work until somebody mends it.
    """

    dropped: dict[str, int] = {}
    fault: str = ""
    where: str = ""
    trouble: VxtrayError | None = None


#: Takes a batch. False where it could not be taken because the queue is full: a source that can read again waits and
#: tries once more, one that cannot counts the lines as dropped.
Emit = Callable[[Batch], bool]


class Source(Protocol):
    """One socket, file or cursor, run on a thread of its own (``vx-source-<name>``)."""

    @property
    def name(self) -> str:
        """Which source this is, unique among those that run."""

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Read until ``stop`` is set; return within a second of it. Faults that pass are waited out and told in
        ``health``; raises ``VxtrayError`` where it cannot work at all (a port that is taken).
        """

    def health(self) -> Health:
        """Return the counts so far; any thread."""


class Wanted(msgspec.Struct, frozen=True):
    """A source that should run; one whose ``config`` (any value that can be compared) changed is begun anew.

    ``marker`` is the key of a position that is forgotten when the source is not wanted any more, "" for none.
    """

    name: str
    config: object
    make: Callable[[], Source]
    marker: str = ""
