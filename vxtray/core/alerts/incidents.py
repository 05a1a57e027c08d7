"""What grouping makes of matched events: incidents, the mails that tell them, and what is held and why.

Pure data, any thread. One incident is one conversation: its mails answer each other.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from vxtray.core.alerts.rules import Rule
from vxtray.core.events import SecurityEvent, Severity


class Shape(StrEnum):
    """What an incident gathers."""

    GROUP = "group"  # one rule, one source, one target
    STORM = "storm"  # the same, and so many that it was told as a storm
    WIDE = "wide"  # a storm of many sources or targets
    HELD = "held"  # what a pause, quiet hours, a silence or the cap kept back, for one mail afterwards


class Why(StrEnum):
    """Why matched events are held."""

    QUIET_HOURS = "quiet_hours"
    PAUSE = "pause"
    SILENCE = "silence"
    CAP = "cap"


class Kind(StrEnum):
    """What a mail of an incident tells."""

    FIRST = "first"  # one event, at once
    STARTED = "started"  # more of the same came quickly: from here on they are counted
    SUMMARY = "summary"  # the storm goes on
    OVER = "over"  # the storm ended
    MORE = "more"  # a few more of the same came, and it did not become a storm
    DIGEST = "digest"  # what was held


class Key(msgspec.Struct, frozen=True):
    """What belongs together; ``source`` is the address, ``target`` the event's target, either may be ""."""

    rule: Rule
    source: str = ""
    target: str = ""


class Incident(msgspec.Struct, kw_only=True):
    """One incident as it stands. Times are the program's clock when the events were looked at, aware, UTC.

    ``events`` counts all its matched events, ``untold`` those that stand in no mail yet; ``mails`` the mails made so
    far. ``urgent`` incidents hold events of rule ``CRITICAL`` only, and others none. ``key`` is None for ``WIDE`` and
    ``HELD``; ``why`` is for ``HELD`` only, and ``silence`` the number of the silence. ``closed_at`` None: it is open.
    ``next_at`` is when something is due even if no event comes. ``title`` is what the first event said it was.
    """

    id: int
    shape: Shape
    urgent: bool
    opened_at: datetime
    last_at: datetime
    key: Key | None = None
    why: Why | None = None
    silence: int = 0
    title: str = ""
    severity: Severity = Severity.INFO
    events: int = 0
    untold: int = 0
    mails: int = 0
    next_at: datetime | None = None
    acknowledged_at: datetime | None = None
    closed_at: datetime | None = None


class Tally(msgspec.Struct, kw_only=True):
    """Matched events of one incident with the same rule, source, target and what it was; exact.

    ``first_at`` and ``last_at`` are the events' own times (aware, UTC), ``first_seq`` and ``last_seq`` their numbers in
    the store. ``severity`` is the highest.
    """

    rule: Rule
    source: str
    target: str
    what: str
    country: str = ""
    severity: Severity = Severity.INFO
    events: int = 0
    blocked: int = 0
    first_at: datetime
    last_at: datetime
    first_seq: int = 0
    last_seq: int = 0


class TopRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a ranking: ``name`` is the source, the target or what it was, as stored; "" where not known.

    ``country`` (ISO 3166 alpha-2) is for sources only; ``severity`` is the highest of these events.
    """

    name: str
    events: int
    blocked: int = 0
    country: str = ""
    severity: Severity = Severity.INFO


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """What a mail tells, summed over tallies; every figure is exact.

    Of kind ``OVER`` these are all events of the incident (``events`` is ``Letter.total``), of every other kind those of
    this mail alone (``events`` is ``Letter.events``). ``sources``, ``rules`` and ``targets`` count distinct names other
    than ""; a rule here is ``Tally.what``, the rule of the device that reported the event. The rankings hold at most
    ten rows, most events first, and "" is a row like any other. ``reasons`` holds every alert rule met, with its
    events. ``first_at`` and ``last_at`` are the events' own times, aware, UTC.
    """

    events: int
    blocked: int
    sources: int
    rules: int
    targets: int
    first_at: datetime
    last_at: datetime
    severity: Severity = Severity.INFO
    top_sources: tuple[TopRow, ...] = ()
    top_rules: tuple[TopRow, ...] = ()
    top_targets: tuple[TopRow, ...] = ()
    reasons: tuple[tuple[Rule, int], ...] = ()


class SourceHistory(msgspec.Struct, frozen=True, kw_only=True):
    """What the store knows of one source when an alert about it is written, the event of the alert included.

    ``day_*`` count the last 24 hours, ``month_*`` the last 30 days, both up to the event. ``first_at`` is the oldest
    event of the source that is stored, aware, UTC; ``known_since`` the oldest event stored of anyone: before it nothing
    is known. ``top_rules`` (at most five, by events) and ``targets`` (distinct, other than "") are of the 30 days.
    """

    day_events: int
    day_blocked: int
    month_events: int
    month_blocked: int
    first_at: datetime | None = None
    known_since: datetime | None = None
    targets: int = 0
    top_rules: tuple[TopRow, ...] = ()


class Fold(msgspec.Struct, frozen=True):
    """Count these events with an incident, as not yet told."""

    incident: int
    tally: Tally


class Move(msgspec.Struct, frozen=True):
    """What one incident has not told yet is told by another from now on; the first is closed."""

    incident: int
    into: int


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A mail to be written: it tells every event of ``incident`` that was folded into it and not told yet.

    ``number`` counts the incident's mails from 1; the outbox key is made of both. ``events`` of this mail, ``total`` of
    the incident so far. ``event`` and ``matched`` are for ``FIRST`` only: the event itself, and all rules that it
    matched, the most severe first. ``incident`` is how it stood once the mail was made.
    """

    kind: Kind
    incident: Incident
    number: int
    events: int
    total: int
    at: datetime
    event: SecurityEvent | None = None
    matched: tuple[Rule, ...] = ()


#: What a step of grouping asks for, in this order.
Entry = Fold | Move | Letter


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Mails about a rule, a source, or a rule of one source are held until a moment, for a reason.

    ``rule`` None is every rule, ``network`` an address or a network in CIDR notation, "" every source; not both.
    """

    id: int
    until: datetime
    made_at: datetime
    rule: Rule | None = None
    network: str = ""
    reason: str = ""


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Alert mails are held until a moment; critical ones too where ``everything``."""

    until: datetime
    everything: bool = False
