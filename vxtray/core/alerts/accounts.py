"""What window and commands are told of alerts: mails with what they folded, matches of a rule, a rehearsal.

Pure data, any thread.
"""

from datetime import datetime

import msgspec

from vxtray.core.alerts.incidents import Kind, Shape, Why
from vxtray.core.alerts.rules import Rule
from vxtray.core.events import Severity


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An alert mail that was made: ``mail`` is its number in the outbox, ``number`` counts its incident's mails from 1.

    ``at`` (aware, UTC) is when it was made, ``state`` how the mail stands now (``records.State``), ``events`` how many
    matched events it tells. ``title`` and ``severity`` are those of the incident.
    """

    mail: int
    incident: int
    number: int
    kind: Kind
    at: datetime
    subject: str
    state: str
    events: int
    title: str
    severity: Severity


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule matched, or would have matched: events, and the mails that grouping would have made of them."""

    events: int = 0
    mails: int = 0


class Rehearsed(msgspec.Struct, frozen=True, kw_only=True):
    """A mail that would have been made at ``at`` (aware, UTC), telling ``events``.

    ``shape`` says what it would have folded, ``why`` what would have held it (kind ``DIGEST`` only). ``rule`` is None
    where events of several rules would have been told together, and ``source`` and ``target`` are "" where those of
    several would. ``title`` is the first event's, plain text. ``rehearsal.reason`` says it in words.
    """

    at: datetime
    kind: Kind
    incident: int
    shape: Shape
    title: str
    severity: Severity
    events: int
    rule: Rule | None = None
    why: Why | None = None
    source: str = ""
    target: str = ""


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules would have made of the stored events of [since, until), aware.

    ``events`` were looked at and ``matched`` of them met a rule. Of these, ``at_once`` would have had a mail of their
    own, ``folded`` been told together, ``held`` been told in a digest, and ``untold`` not been told yet at the end:
    together they are ``matched``. ``mails`` are in the order of time, to ``recipients``: the first so many of all that
    were ``made``. ``by_rule`` counts what was matched by the most severe rule of each event.
    """

    since: datetime
    until: datetime
    recipients: tuple[str, ...] = ()
    mails: tuple[Rehearsed, ...] = ()
    events: int = 0
    matched: int = 0
    at_once: int = 0
    folded: int = 0
    held: int = 0
    untold: int = 0
    made: int = 0
    by_rule: dict[Rule, int] = {}
