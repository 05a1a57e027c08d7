"""Rehearsal: what alert rules would have mailed for stored events, by the grouping that the live desk uses.

``Simulation`` and ``rehearse`` are pure: the clock is the events' own, and goes on to each moment at which something is
due. ``rehearse_stored`` runs on the caller's thread (a task of the window, or a command) and reads the store page by
page; where there are many events, a process of its own groups them, so that no window waits meanwhile. ``reason`` says
of each mail why it would have been made.
"""

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, tzinfo
from itertools import groupby

import msgspec

from vxtray.core.alerts.accounts import Rehearsal, Rehearsed
from vxtray.core.alerts.grouping import Grouping
from vxtray.core.alerts.incidents import Entry, Fold, Kind, Letter, Move, Shape, Why
from vxtray.core.alerts.matching import kinds_of
from vxtray.core.alerts.rules import Alert, Rule, alerts_for
from vxtray.core.alerts.state import State
from vxtray.core.errors import N_
from vxtray.core.events import SecurityEvent
from vxtray.core.parsers.worker import Child, zone_of
from vxtray.core.phrases import Phrase
from vxtray.core.settings.tree import Alerts
from vxtray.core.store import EventQuery, EventStore
from vxtray.core.store.alerting import unpaged
from vxtray.core.store.kinds import Pages
from vxtray.core.store.localtime import utc

log = logging.getLogger(__name__)

#: Mails that a rehearsal lists; all are counted.
MOST_MAILS = 2000

#: From so many events on, a process is worth its start.
_MANY = 20_000
#: Pages under way to it: it groups one while the store is asked for the next.
_DEPTH = 3

#: Told the events looked at so far, and how many there are.
Progress = Callable[[int, int], None]


def _second(alert: Alert) -> datetime:
    """Return the second in which an event came: events of one second are committed, and looked at, together."""
    return alert.event.at.replace(microsecond=0)


class Simulation:
    """One set of rules, fed with events in order of their times (aware).

    What came in one second is looked at together at the time of the last of it, as the live desk does with a batch.
    """

    def __init__(self, settings: Alerts, zone: tzinfo) -> None:
        """``zone`` is the one that quiet hours are meant in."""
        self._settings = settings
        self._zone = zone
        self._grouping = Grouping(State())
        self._untold: dict[int, Counter[Rule]] = {}
        self._by_rule: Counter[Rule] = Counter()
        self._told: Counter[Kind] = Counter()
        self._mails: list[Rehearsed] = []
        self._made = 0
        self._events = 0

    def feed(self, events: Sequence[SecurityEvent]) -> None:
        """Take in events that are not older than those before."""
        self._events += len(events)
        for _, alerts in groupby(alerts_for(events, self._settings), key=_second):
            matches = list(alerts)
            at = matches[-1].event.at
            self._go_on(at)
            for match in matches:
                self._by_rule[match.rule] += 1
            self._note(self._grouping.look_at(matches, at, self._settings, self._zone))

    def finish(self, since: datetime, until: datetime, recipients: tuple[str, ...] = ()) -> Rehearsal:
        """Go on to the end of the period, and tell what came of it. Nothing is fed afterwards."""
        self._go_on(until)
        grouping = self._grouping
        at_once, held = self._told[Kind.FIRST], self._told[Kind.DIGEST]
        return Rehearsal(
            since=since,
            until=until,
            recipients=recipients,
            mails=tuple(self._mails),
            made=self._made,
            events=self._events,
            matched=self._by_rule.total(),
            at_once=at_once,
            folded=self._told.total() - at_once - held,
            held=held,
            untold=grouping.untold(),
            by_rule=dict(self._by_rule),
        )

    def _go_on(self, until: datetime) -> None:
        """Do what is due up to a moment, at its own moment each, as ``vx-alerts`` does."""
        before: datetime | None = None
        while (due := self._grouping.next_due()) is not None and due <= until and due != before:
            self._note(self._grouping.due(due, self._settings, self._zone))
            before = due

    def _note(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if isinstance(entry, Fold):
                self._untold.setdefault(entry.incident, Counter())[entry.tally.rule] += entry.tally.events
            elif isinstance(entry, Move):
                self._untold.setdefault(entry.into, Counter()).update(self._untold.pop(entry.incident, Counter()))
            else:
                self._tell(entry)
        self._grouping.changed()  # forgets them: nobody else asks for them here

    def _tell(self, letter: Letter) -> None:
        rules = self._untold.pop(letter.incident.id, Counter())
        self._told[letter.kind] += letter.events
        self._made += 1
        if len(self._mails) == MOST_MAILS:
            return
        incident, key, event = letter.incident, letter.incident.key, letter.event
        rule = letter.matched[0] if letter.matched else None
        if rule is None and (key is not None or len(rules) == 1):
            rule = key.rule if key is not None else next(iter(rules))
        self._mails.append(
            Rehearsed(
                at=letter.at,
                kind=letter.kind,
                incident=incident.id,
                shape=incident.shape,
                title=incident.title,
                severity=incident.severity,
                events=letter.events,
                rule=rule,
                why=incident.why if letter.kind is Kind.DIGEST else None,
                source=event.src_ip if event is not None else key.source if key is not None else "",
                target=event.target if event is not None else key.target if key is not None else "",
            )
        )


def rehearse(
    events: Iterable[SecurityEvent],
    settings: Alerts,
    zone: tzinfo,
    until: datetime,
    *,
    since: datetime | None = None,
    recipients: tuple[str, ...] = (),
) -> Rehearsal:
    """Return what the rules would have mailed up to ``until`` for events, given in order of their times."""
    simulation = Simulation(settings, zone)
    first = since
    for event in events:
        first = first or event.at
        simulation.feed((event,))
    return simulation.finish(first or until, until, recipients)


def rehearse_stored(
    store: EventStore,
    variants: Sequence[Alerts],
    zone: tzinfo,
    since: datetime,
    until: datetime,
    *,
    recipients: tuple[str, ...] = (),
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> list[Rehearsal] | None:
    """Rehearse the stored events of [since, until), aware, once for each of some settings, in one pass.

    For one rule as if it alone were on, give ``matching.with_rules(settings, [rule])``. Returns None where ``stop`` was
    set. Raises ``StoreError``.
    """
    since, until = utc(since), utc(until)
    kinds = {kind for settings in variants for kind in kinds_of(settings)}
    pages = store.pages(kinds, since, until)
    begin = _Begin(list(variants), getattr(zone, "key", ""), since, until, recipients)
    found: list[Rehearsal] | None = None
    if pages.total >= _MANY and begin.zone:
        try:
            found = _beside(begin, pages, progress, stop)
        except (OSError, EOFError, msgspec.MsgspecError) as fault:
            why = str(fault) or type(fault).__name__
            log.warning("the process that rehearses alerts ended (%s); rehearsing without it", why)
            pages = store.pages(kinds, since, until)
    if found is None and not _stopped(stop):
        found = _here(begin, pages, zone, progress, stop)
    if found is None or _stopped(stop):
        return None
    looked_at = store.count(EventQuery(since=since, until=until))
    return [msgspec.structs.replace(one, events=looked_at) for one in found]


def _stopped(stop: threading.Event | None) -> bool:
    return stop is not None and stop.is_set()


class _Begin(msgspec.Struct, frozen=True, array_like=True, tag=True):
    variants: list[Alerts]
    zone: str
    since: datetime
    until: datetime
    recipients: tuple[str, ...]


class _Page(msgspec.Struct, frozen=True, array_like=True, tag=True):
    page: bytes


class _End(msgspec.Struct, frozen=True, array_like=True, tag=True):
    pass


def _here(
    begin: _Begin, pages: Pages, zone: tzinfo, progress: Progress | None, stop: threading.Event | None
) -> list[Rehearsal] | None:
    simulations = [Simulation(settings, zone) for settings in begin.variants]
    done = 0
    for page in pages.pages:
        events = unpaged(page)
        for simulation in simulations:
            if _stopped(stop):
                return None
            simulation.feed(events)
        done += len(events)
        if progress is not None:
            progress(done, pages.total)
    return [one.finish(begin.since, begin.until, begin.recipients) for one in simulations]


def _beside(
    begin: _Begin, pages: Pages, progress: Progress | None, stop: threading.Event | None
) -> list[Rehearsal] | None:
    """Have a process of its own do it. Raises ``OSError``, ``EOFError`` or ``MsgspecError`` where that went wrong."""
    encode = msgspec.msgpack.encode
    child = Child(_answer, "vxtray-rehearsal")
    done = waiting = 0
    try:
        child.send(encode(begin))
        child.receive()
        for page in pages.pages:
            child.send(encode(_Page(page)))
            waiting += 1
            if waiting == _DEPTH:
                done = int.from_bytes(child.receive())
                waiting -= 1
            if progress is not None:
                progress(done, pages.total)
            if _stopped(stop):
                return None
        for _page in range(waiting):
            done = int.from_bytes(child.receive())
        if progress is not None:
            progress(done, pages.total)
        child.send(encode(_End()))
        return msgspec.msgpack.decode(child.receive(), type=list[Rehearsal])
    finally:
        child.close()


# --- in the child -----------------------------------------------------------------------------------------------------


class _Work:
    """What the child is at: one rehearsal."""

    def __init__(self, begin: _Begin) -> None:
        zone = zone_of(begin.zone)
        self._begin = begin
        self._simulations = [Simulation(settings, zone) for settings in begin.variants]
        self._done = 0

    def feed(self, page: bytes) -> int:
        events = unpaged(page)
        for simulation in self._simulations:
            simulation.feed(events)
        self._done += len(events)
        return self._done

    def finish(self) -> list[Rehearsal]:
        begin = self._begin
        return [one.finish(begin.since, begin.until, begin.recipients) for one in self._simulations]


_at_work: deque[_Work] = deque(maxlen=1)


def _answer(message: bytes) -> bytes:
    part = msgspec.msgpack.decode(message, type=_Begin | _Page | _End)
    if isinstance(part, _Begin):
        _at_work.append(_Work(part))
        return b""
    if isinstance(part, _Page):
        return _at_work[0].feed(part.page).to_bytes(8)
    return msgspec.msgpack.encode(_at_work.pop().finish())


# --- in words ---------------------------------------------------------------------------------------------------------

_HELD = {
    Why.QUIET_HOURS: N_("Held by the quiet hours, told once they were over."),
    Why.CAP: N_("Over the {cap} mails an hour, told as soon as there was room."),
    Why.PAUSE: N_("Held by a pause, told once it was over."),
    Why.SILENCE: N_("Silenced, told once that was over."),
}


def reason(mail: Rehearsed, settings: Alerts) -> Phrase:
    """Say why a mail would have been made, and why it tells so many events: one short sentence."""
    if mail.why is not None:
        return Phrase(_HELD[mail.why], {"cap": settings.max_mails_per_hour})
    if mail.kind is Kind.FIRST:
        alone = settings.group_seconds <= 0
        return Phrase(N_("Every event has its own mail.") if alone else N_("The first of its kind, told at once."))
    if mail.kind is Kind.SUMMARY:
        return Phrase(N_("The storm goes on, told every {minutes} min."), {"minutes": settings.summary_minutes})
    if mail.kind is Kind.OVER:
        return Phrase(N_("The storm is over: the count of all."))
    if mail.shape is Shape.WIDE:
        return Phrase(N_("A storm of many sources or targets, counted from here on."))
    if mail.kind is Kind.STARTED:
        return Phrase(N_("A storm of one rule, source and target, counted from here on."))
    minutes, seconds = divmod(settings.group_seconds, 60)
    span = Phrase(N_("{n} min"), {"n": minutes})
    if seconds:
        span = Phrase(N_("{seconds} s"), {"seconds": settings.group_seconds})
    return Phrase(N_("Folded: the same rule, source and target within {span}."), {"span": span})
