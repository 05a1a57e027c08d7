"""What the store tells for alerts: events by kind, as pages, and the record of one source. Pure data, any thread."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from vxtray.core.events import Action, Category, Severity

#: What alert rules look at first: what it was, what was done about it, how bad it is.
Kind = tuple[Category, Action, Severity]


class KindCount(msgspec.Struct, frozen=True, gc=False):
    """How many events share a kind, the number of the rule and the address.

    ``rule_id`` is None where it is none of those asked for. An address is "" too where it is in none of the networks
    asked, and may be given where it is not.
    """

    category: Category
    action: Action
    severity: Severity
    rule_id: str | None
    src_ip: str
    events: int


class Pages(msgspec.Struct, frozen=True):
    """``total`` events as pages that can be sent to another process; ``alerting.unpaged`` makes events of one.

    ``pages`` asks the store for each page when it is wanted, and may raise ``StoreError`` then. Events that are stored
    meanwhile are in none; those that are deleted meanwhile are missing.
    """

    total: int
    pages: Iterator[bytes]


class Writer(msgspec.Struct, frozen=True):
    """Another program that keeps its events in the same store: its store's uuid, and its last seq that has arrived."""

    uuid: str
    last_seq: int


class TriedRule(msgspec.Struct, frozen=True, gc=False):
    """What a source tried: a rule's name or else its number, or a category where an event names no rule."""

    name: str
    events: int
    blocked: int
    severity: Severity


class SourceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of one source up to a moment: ``day`` is the 24 hours before it, ``month`` the 30 days.

    ``first_at`` is its oldest event, ``known_since`` the oldest of anyone (aware, UTC). ``targets`` counts the
    different ones of the 30 days, ``tried`` are the most frequent few.
    """

    day_events: int
    day_blocked: int
    month_events: int
    month_blocked: int
    targets: int
    first_at: datetime | None
    known_since: datetime | None
    tried: tuple[TriedRule, ...]
