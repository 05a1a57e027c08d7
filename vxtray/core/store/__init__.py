"""What every event store promises, whatever engine is under it, and the numbers that reports are made of.

One writer, many readers. Engines: ``embedded`` (DuckDB, the default).
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.store.kinds import Kind, KindCount, Pages, SourceRecord, Writer


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far a source has been read: committed together with the events, so that no line is stored twice or lost.

    ``key`` names what is read (``file:<fingerprint>``, ``table:<name>``), ``offset`` the byte (or watermark) up to
    which it was read. A source that may hand over the same thing again also gives ``marks``, keys and offsets (not 0)
    that are remembered in the same transaction, and ``outdated``: of the keys that begin so, those with a lower offset
    are forgotten.
    """

    key: str
    offset: int
    marks: tuple[tuple[str, int], ...] = ()
    outdated: tuple[tuple[str, int], ...] = ()


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
    """One row of a top list; ``share`` is the part of all events of the period, from 0 to 1.

    ``first_seen`` and ``last_seen`` (aware, UTC) are those in the period. ``new``: never seen before the period (see
    ``News``; never true of a country). A source has ``country`` (the newest) and ``tried``, at most three rules, or
    categories where an event names no rule, the most frequent first. A rule has its number as ``label`` and the highest
    ``severity``.
    """

    name: str
    events: int
    blocked: int
    share: float
    country: str = ""
    label: str = ""
    severity: str = ""
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    new: bool = False
    tried: tuple[str, ...] = ()


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """One bar of the time chart: an hour of a day, or a day of a longer period; ``start`` is in the zone asked."""

    start: datetime
    events: int
    blocked: int
    critical: int


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many events have a name: a user, a source, a kind. Lists of them begin with the most."""

    name: str
    events: int


class Ban(msgspec.Struct, frozen=True, kw_only=True):
    """An address that was banned in the period: ``at`` (aware, UTC) by ``rule``, a jail or scenario.

    ``country`` is the newest that events of the period name; ``before`` counts its earlier bans, as far as the store
    reaches.
    """

    address: str
    at: datetime
    rule: str
    country: str
    before: int


class Offender(msgspec.Struct, frozen=True, kw_only=True):
    """An address that was banned in the period, and not for the first time.

    ``bans`` counts all that the store has up to the end of the period, ``first`` and ``last`` (aware, UTC) are those of
    the first and the last of them, ``in_period`` those of the period alone.
    """

    address: str
    country: str
    bans: int
    in_period: int
    first: datetime
    last: datetime


class Bans(msgspec.Struct, frozen=True, kw_only=True):
    """Bans of a period, whoever made them; how many are new and active is told by ``Totals``.

    ``new`` are the newest ones, newest first, ``offenders`` those with the most bans; of both the lists are cut, while
    ``repeat_offenders`` counts all. A ban without an address is in no list.
    """

    new: tuple[Ban, ...] = ()
    unbans: int = 0
    repeat_offenders: int = 0
    offenders: tuple[Offender, ...] = ()


class SignIns(msgspec.Struct, frozen=True, kw_only=True):
    """Failed sign-ins of a period: of category auth what failed, was blocked or was detected (fail2ban finds one), and
    of category vpn what failed with a user's name; a tunnel that failed has none.

    The keys of ``by_kind`` are those of vpn, admin (the firewall's administration), ssh, mail, web and other (the users
    of the firewall, and what the log does not tell) that occur. ``users`` and ``sources`` count the different ones.
    """

    failed: int = 0
    by_kind: dict[str, int] = {}
    users: int = 0
    sources: int = 0
    top_users: tuple[Count, ...] = ()
    top_sources: tuple[Count, ...] = ()


class Vpn(msgspec.Struct, frozen=True, kw_only=True):
    """VPN events of a period: ``connections`` that began, accepted ``sign_ins``, and ``failures`` of both kinds.

    ``users`` counts the different names that signed in or connected, ``top_users`` are their connections and sign-ins.
    """

    events: int = 0
    connections: int = 0
    sign_ins: int = 0
    failures: int = 0
    users: int = 0
    top_users: tuple[Count, ...] = ()


class Threat(msgspec.Struct, frozen=True, kw_only=True):
    """Malware, or a host that called home (ATP), by name; ``hosts`` and ``users`` count the different ones affected.

    ``affected`` are the first few of both, the most frequent first: hosts are source addresses.
    """

    name: str
    category: str
    events: int
    blocked: int
    hosts: int
    users: int
    affected: tuple[str, ...] = ()


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What occurs in the period and in no stored event before its start; the most frequent few of each are named.

    ``known_since`` (aware, UTC) is the time of the oldest stored event, None where there is none: before it, nothing is
    known. Where it is not before the start of the period, everything would be new: then nothing is told to be.
    """

    known_since: datetime | None = None
    sources: int = 0
    targets: int = 0
    rules: int = 0
    top_sources: tuple[Count, ...] = ()
    top_targets: tuple[Count, ...] = ()
    top_rules: tuple[Count, ...] = ()


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch (aware, UTC) between two events of a source, or an end of the period, in which nothing came."""

    start: datetime
    end: datetime


class SourceActivity(msgspec.Struct, frozen=True, kw_only=True):
    """A source of events (``SecurityEvent.source``): what it brought, and when it brought nothing.

    ``last_event`` (aware, UTC) is the last before the end of the period, be it before its start. ``silences`` are the
    stretches longer than the limit asked, the longest first and at most a few; ``silent_stretches`` counts all.
    """

    name: str
    events: int
    last_event: datetime
    silent_stretches: int = 0
    silences: tuple[Silence, ...] = ()


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a period [start, end). Keys of the two dicts are all severities and all categories that occur.

    ``got_through`` counts the events that nothing stopped and that matter: only detected, or critical and not blocked;
    ``critical_unblocked`` is the critical part of it. Lists are by number of events, equals by name.
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
    bans: Bans = Bans()
    sign_ins: SignIns = SignIns()
    vpn: Vpn = Vpn()
    threats: tuple[Threat, ...] = ()
    news: News = News()
    sources: tuple[SourceActivity, ...] = ()


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
    """Where a page of events ended: the time (aware) and the seq of its last event.

    ``pace`` is a store's own note of how much to look through next, 0 for none.
    """

    at: datetime
    seq: int
    pace: int = 0


class Found(msgspec.Struct, frozen=True):
    """Events found so far, newest first, and after what to look for more: None where all has been looked through."""

    events: list[SecurityEvent]
    rest: Cursor | None


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

    def positions(self, prefix: str) -> dict[str, int]:
        """Return the offsets remembered for all keys that begin so. Raises ``StoreError``."""

    def forget(self, prefix: str, keep: Collection[str]) -> None:
        """Forget the positions whose keys begin so, but for those of ``keep``. Raises ``StoreError``."""

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

    def look(self, query: EventQuery, *, after: Cursor | None = None, limit: int = 100, seconds: float = 0.1) -> Found:
        """The same for somebody who waits: return after about so long what was found by then, be it nothing."""

    def count(self, query: EventQuery = EventQuery()) -> int:  # noqa: B008 - frozen
        """Return how many events a query has."""

    def alertable(self, after: int) -> Iterator[SecurityEvent]:
        """Yield events with a seq above ``after`` that were stored with ``alerts``, oldest first."""

    def others(self) -> Sequence[Writer]:
        """Return the other programs that are known to write to the same store; quick."""

    def alertable_of(self, writer: Writer, after: int) -> tuple[list[SecurityEvent], int]:
        """Return some of what another one stored with ``alerts`` and numbered above ``after``, oldest first.

        With them comes up to which of its numbers that is all: its ``last_seq``, or less where there is more.
        """

    def pages(self, kinds: Collection[Kind], since: datetime, until: datetime) -> Pages:
        """Return the events of these kinds in [since, until), in order of their times; memory stays flat."""

    def count_kinds(
        self,
        kinds: Collection[Kind],
        since: datetime,
        until: datetime,
        *,
        rule_ids: Collection[str] = (),
        networks: Collection[str] = (),
    ) -> list[KindCount]:
        """Count the events of these kinds in [since, until), by some rule numbers and the addresses in networks too.

        ``networks`` (CIDR) may bring addresses that are in none of them, never leave one out.
        """

    def source_record(self, address: str, now: datetime) -> SourceRecord:
        """Return what is known of a source address, as it is stored, up to ``now``."""

    def last_seq(self) -> int:
        """Return the highest seq given so far, 0 for an empty store."""

    def prune(self, before: datetime) -> int:
        """Delete the events older than that and return how many; their seqs are never given again."""

    def shrink(self, most_bytes: int) -> int:
        """Delete the oldest events until the store takes at most so much; return how many."""

    def summarize(
        self,
        start: datetime,
        end: datetime,
        *,
        by_day: bool,
        top: int = 10,
        silent: timedelta = timedelta(0),
        now: datetime | None = None,
    ) -> Summary:
        """Count [start, end); the buckets are hours, or days of the zone of ``start`` where ``by_day``.

        Lists have at most ``top`` rows. A source that brings nothing for longer than ``silent`` is silent; 0: never.
        ``now`` (aware) is where silence ends in a period that is not over.
        """

    def totals(self, start: datetime, end: datetime) -> Totals:
        """Return the figures of [start, end) alone; cheaper than ``summarize``."""

    def hours(self, start: datetime, end: datetime) -> tuple[Bucket, ...]:
        """Return the hours of [start, end), in the zone of ``start``; cheaper than ``summarize``."""

    def close(self) -> None:
        """Flush and close; calling it twice is harmless."""
