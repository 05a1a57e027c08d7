"""What every event store promises, whatever engine is under it, and the numbers that reports are made of.

One writer, many readers. Engines: ``embedded`` (DuckDB, the default).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from vxtray.core.events import Action, Category, SecurityEvent, Severity


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far a source has been read: committed together with the events, so that no line is stored twice or lost.

    ``key`` names what is read (``file:<fingerprint>``, ``table:<name>``), ``offset`` the byte (or watermark) up to
    which it was read.
    """

    key: str
    offset: int


class Rows(msgspec.Struct, frozen=True, array_like=True):
    """Events as columns that are ready to be stored, which can be sent to another process; made by ``rows.pack``.

    ``columns`` are Arrow buffers in the byte order of this machine.
    """

    count: int
    columns: list[tuple[bytes, ...]]


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a period. ``blocked`` counts blocked and banned, ``active_bans`` bans less unbans, per address."""

    events: int = 0
    blocked: int = 0
    detected: int = 0
    allowed: int = 0
    critical: int = 0
    unique_sources: int = 0
    new_bans: int = 0
    active_bans: int = 0


class Top(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One row of a top list; ``share`` is the part of all events of the period, from 0 to 1."""

    name: str
    events: int
    blocked: int
    share: float
    country: str = ""
    label: str = ""


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """One bar of the time chart: an hour of a day, or a day of a longer period; ``start`` is in the zone asked."""

    start: datetime
    events: int
    blocked: int
    critical: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a period [start, end). Keys of the two dicts are all severities and all categories that occur.

    ``got_through`` counts the events that nothing stopped and that matter: only detected, or critical and not blocked;
    ``critical_unblocked`` is the critical part of it.
    """

    start: datetime
    end: datetime
    totals: Totals
    by_severity: dict[str, int]
    by_category: dict[str, int]
    top_sources: tuple[Top, ...]
    top_targets: tuple[Top, ...]
    top_countries: tuple[Top, ...]
    top_rules: tuple[Top, ...]
    buckets: tuple[Bucket, ...]
    got_through: int = 0
    critical_unblocked: int = 0


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are wanted; what is left empty wants all of them.

    ``since``/``until`` (aware) make [since, until). ``severity`` is the least one. ``source`` is a source address, a
    network in CIDR notation, or how an address begins. ``rule`` is a rule's whole name or number. ``text`` stands
    anywhere in a rule, message, target, user or address, in capitals or not, and is taken as it is written.
    ``after_seq`` and ``up_to_seq`` (0 for no limit) bound when the events were stored: a snapshot, and what came since.
    """

    since: datetime | None = None
    until: datetime | None = None
    categories: frozenset[Category] = frozenset()
    actions: frozenset[Action] = frozenset()
    severity: Severity | None = None
    source: str = ""
    rule: str = ""
    text: str = ""
    after_seq: int = 0
    up_to_seq: int = 0


class Cursor(msgspec.Struct, frozen=True):
    """Where a page of events ended: the time (aware) and the seq of its last event."""

    at: datetime
    seq: int


class EventStore(Protocol):
    """Keeps events durably and answers questions about them."""

    @property
    def uuid(self) -> str:
        """Of this store; a new one after a damaged store was set aside."""

    def append(
        self, events: Sequence[SecurityEvent], *, position: Position | None = None, alerts: bool = True
    ) -> tuple[int, int]:
        """Store a batch and the position in one transaction; return the first and the last seq, (0, 0) for none.

        ``alerts`` false marks old events that must never raise an alert, not even after a crash.
        Raises ``StoreError``.
        """

    def append_packed(
        self, blocks: Sequence[Rows], *, position: Position | None = None, alerts: bool = True
    ) -> tuple[int, int]:
        """The same for events that ``rows.pack`` has made ready, maybe in another process."""

    def position(self, key: str) -> int:
        """Return the offset remembered for a key, 0 when nothing is known."""

    def events(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        category: Category | None = None,
        limit: int = 100,
    ) -> list[SecurityEvent]:
        """Return events in [since, until), newest first."""

    def search(self, query: EventQuery, *, after: Cursor | None = None, limit: int = 100) -> list[SecurityEvent]:
        """Return events, newest first (of equal times the one stored last), beginning after a cursor."""

    def count(self, query: EventQuery = EventQuery()) -> int:  # noqa: B008 - frozen
        """Return how many events a query has."""

    def alertable(self, after: int) -> Iterator[SecurityEvent]:
        """Yield events with a seq above ``after`` that were stored with ``alerts``, oldest first."""

    def last_seq(self) -> int:
        """Return the highest seq given so far, 0 for an empty store."""

    def prune(self, before: datetime) -> int:
        """Delete the events older than that and return how many; their seqs are never given again."""

    def shrink(self, most_bytes: int) -> int:
        """Delete the oldest events until the store takes at most so much; return how many."""

    def summarize(self, start: datetime, end: datetime, *, by_day: bool, top: int = 10) -> Summary:
        """Count [start, end); the buckets are hours, or days of the zone of ``start`` where ``by_day``."""

    def close(self) -> None:
        """Flush and close; calling it twice is harmless."""
