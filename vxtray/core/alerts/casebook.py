"""The open incidents: opening them, counting events with them, moving, telling and closing.

Pure, one thread at a time. What is to be written down for it is gathered in order.
"""

from datetime import datetime

import msgspec

from vxtray.core.alerts.incidents import Entry, Incident, Key, Kind, Letter, Move, Shape, Why
from vxtray.core.alerts.rules import Alert, Rule
from vxtray.core.alerts.state import State, Terms
from vxtray.core.alerts.tallying import Count, Folding, worse

#: Where an incident stands; only the newest at each place takes events.
_Place = tuple[str, bool, Key | int | None]

_OPENINGS = (Kind.FIRST, Kind.STARTED)
_ENDS = (Kind.OVER, Kind.MORE, Kind.DIGEST)


def _place(shape: Shape, why: Why | None, silence: int, key: Key | None, *, urgent: bool) -> _Place:
    if shape is Shape.WIDE:
        return "wide", urgent, None
    if shape is not Shape.HELD:
        return "key", urgent, key
    if why is Why.SILENCE:
        return "silence", urgent, silence
    return "cap" if why is Why.CAP else "gate", urgent, None


def _place_of(incident: Incident) -> _Place:
    return _place(incident.shape, incident.why, incident.silence, incident.key, urgent=incident.urgent)


def is_gate(incident: Incident) -> bool:
    """True for what a pause or quiet hours keep: one incident a class, whichever of the two it is."""
    return incident.shape is Shape.HELD and incident.why in {Why.PAUSE, Why.QUIET_HOURS}


def seed(count: Count, terms: Terms) -> Incident:
    """Return the group that an event would open, not opened."""
    return Incident(
        id=0,
        shape=Shape.GROUP,
        urgent=count.rule is Rule.CRITICAL,
        opened_at=terms.now,
        last_at=terms.now,
        key=Key(count.rule, count.source, count.target),
        title=count.what,
        severity=count.severity,
    )


class Casebook:
    """The incidents of a state by where they stand; ``folding`` holds what is counted and not yet written down."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._places = {_place_of(incident): incident for incident in state.open.values()}
        self._entries: list[Entry] = []
        self._changed: dict[int, Incident] = {}
        self.folding = Folding()

    def entries(self) -> list[Entry]:
        """Return what is to be written down since this was asked last, in order."""
        self.folding.close()
        entries, self._entries = [*self._entries, *self.folding.take_all()], []
        return entries

    def changed(self) -> list[Incident]:
        """Return copies of the incidents that changed since this was asked last, closed ones included."""
        changed = [msgspec.structs.replace(incident) for incident in self._changed.values()]
        self._changed.clear()
        return changed

    def touch(self, incident: Incident) -> None:
        """Note that an incident was changed."""
        self._changed[incident.id] = incident

    def all(self) -> list[Incident]:
        """Return the open incidents, which may be closed while the list is gone through."""
        return list(self._state.open.values())

    def wide(self, *, urgent: bool) -> Incident | None:
        """Return the wide storm of a class."""
        return self._places.get(("wide", urgent, None))

    def of_key(self, key: Key) -> Incident | None:
        """Return the group or storm of a key."""
        return self._places.get(("key", key.rule is Rule.CRITICAL, key))

    def groups(self, *, urgent: bool) -> list[Incident]:
        """Return the groups and storms of a class."""
        return [one for one in self._state.open.values() if one.urgent is urgent and one.key is not None]

    def open(self, like: Incident) -> Incident:
        """Open an incident at its place, numbered."""
        incident = msgspec.structs.replace(like, id=self._state.next_incident)
        self._state.next_incident += 1
        self._state.open[incident.id] = self._places[_place_of(incident)] = incident
        self.touch(incident)
        return incident

    def held(self, count: Count, why: Why, terms: Terms, silence: int = 0) -> Incident:
        """Return the ``HELD`` incident that an event belongs to, opened if there is none."""
        place = _place(Shape.HELD, why, silence, None, urgent=count.rule is Rule.CRITICAL)
        return self._places.get(place) or self.gathering(seed(count, terms), Shape.HELD, why, silence, terms.now)

    def gathering(self, like: Incident, shape: Shape, why: Why | None, silence: int, now: datetime) -> Incident:
        """Return the ``WIDE`` or ``HELD`` incident of the class of another, opened if there is none."""
        known = self._places.get(_place(shape, why, silence, None, urgent=like.urgent))
        return known or self.open(
            Incident(
                id=0,
                shape=shape,
                urgent=like.urgent,
                opened_at=now,
                last_at=now,
                why=why,
                silence=silence,
                title=like.title,
                severity=like.severity,
            )
        )

    def count(self, count: Count, incident: Incident, now: datetime) -> None:
        """Say with which incident events are counted; the count is entered by the folding."""
        count.incident = incident
        incident.last_at = now
        self.touch(incident)

    def absorb(self, incident: Incident, now: datetime, shape: Shape, why: Why | None = None, silence: int = 0) -> None:
        """Close an incident; what it has not told is told by a ``WIDE`` or ``HELD`` one, opened if need be."""
        self.folding.close()
        if untold := incident.untold:
            into = self.gathering(incident, shape, why, silence, now)
            into.events += untold
            into.untold += untold
            into.severity = worse(into.severity, incident.severity)
            into.last_at = max(into.last_at, incident.last_at)
            incident.events -= untold
            incident.untold = 0
            self._entries += self.folding.take(incident.id)
            self._entries.append(Move(incident.id, into.id))
            self.touch(into)
        self.close(incident, now)

    def close(self, incident: Incident, now: datetime) -> None:
        """Close an incident that has nothing more to tell."""
        self.folding.close()
        incident.closed_at, incident.next_at = now, None
        del self._state.open[incident.id]
        if self._places.get(_place_of(incident)) is incident:
            del self._places[_place_of(incident)]
        self._state.told_at.pop(incident.id, None)
        self.touch(incident)

    def tell(
        self, kind: Kind, incident: Incident, now: datetime, *, alert: Alert | None = None, last: bool = False
    ) -> None:
        """Make the mail that tells what an incident has not told yet, and close it where that is its end."""
        self.folding.close()
        self._entries += self.folding.take(incident.id)
        events, incident.untold = incident.untold, 0
        incident.mails += 1
        self._state.told_at[incident.id] = now
        self._state.count_mail(now, urgent=incident.urgent, opening=kind in _OPENINGS)
        self.touch(incident)
        if last or kind in _ENDS:
            self.close(incident, now)
        self._entries.append(
            Letter(
                kind=kind,
                incident=msgspec.structs.replace(incident),
                number=incident.mails,
                events=events,
                total=incident.events,
                at=now,
                event=alert.event if alert else None,
                matched=alert.matched if alert else (),
            )
        )
