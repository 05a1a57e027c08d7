"""From matched events to incidents and to the mails that tell them: the first at once, the rest counted.

Pure: no clock, no I/O; one ``Grouping`` at a time, any thread. Whoever calls it saves ``state`` and applies the entries
in one transaction; where that fails, a new ``Grouping`` begins from the state saved last.

A matched event is counted with the incident that has its place: of a silence that covers it, else of the pause or the
quiet hours in force, else of the wide storm, else of its key. Where there is none, a mail tells it at once, unless the
cap is reached.
"""

from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import Final

import msgspec

from vxtray.core.alerts.casebook import Casebook, is_gate, seed
from vxtray.core.alerts.incidents import Entry, Incident, Key, Kind, Pause, Shape, Silence, Why
from vxtray.core.alerts.networks import networks
from vxtray.core.alerts.quiet import silences_event, silences_incident
from vxtray.core.alerts.rules import Alert, Rule
from vxtray.core.alerts.state import State, Terms
from vxtray.core.alerts.tallying import Count, Route, route_of
from vxtray.core.mail.plaintext import one_line
from vxtray.core.settings.tree import Alerts
from vxtray.core.store.localtime import utc

#: So many events folded into a group make it a storm.
STORM_AT: Final = 10
#: So many groups and storms of a class stay open; one more makes them a wide storm, so that the state stays small.
MOST_OPEN: Final = 40
_REASON_LIMIT = 200


class Grouping:
    """Decides which events are told, held and counted, and when."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._book = Casebook(state)

    # --- what is asked ------------------------------------------------------------------------------------------------

    def look_at(self, matches: Iterable[Alert], now: datetime, settings: Alerts, zone: tzinfo) -> list[Entry]:
        """Take in matched events, after what ``due`` does; return what follows from both, in order."""
        terms = self._begin(now, settings, zone)
        routes = self._book.folding.routes
        for alert in matches:
            event = alert.event
            route = route_of(alert.rule, event)
            count = routes.get(route)
            if count is not None:
                count.add(event)
            else:
                self._take(alert, route, terms)
        return self._finish(terms)

    def due(self, now: datetime, settings: Alerts, zone: tzinfo) -> list[Entry]:
        """Do what time alone asks for: absorb what a pause, quiet hours or a silence now covers; summaries, ends."""
        return self._finish(self._begin(now, settings, zone))

    def next_due(self) -> datetime | None:
        """Return when ``due`` has something to do even if no event comes, as of the last ``look_at`` or ``due``.

        It knows nothing of settings changed, of quiet hours that begin, and of a clock that is set back: call ``due``
        every now and then, whatever this says.
        """
        return min((incident.next_at for incident in self.state.open.values() if incident.next_at), default=None)

    def changed(self) -> list[Incident]:
        """Return copies of the incidents that changed since this was asked last, closed ones included."""
        return self._book.changed()

    def held(self) -> int:
        """Return how many events a pause, quiet hours, silences and the cap hold back."""
        return sum(incident.untold for incident in self.state.open.values() if incident.shape is Shape.HELD)

    def untold(self) -> int:
        """Return how many matched events stand in no mail yet: the held ones, and those counted by groups."""
        return sum(incident.untold for incident in self.state.open.values())

    # --- what people ask for ------------------------------------------------------------------------------------------

    def pause(self, pause: Pause) -> None:
        """Hold mails from now on. Call ``due`` next: it absorbs the incidents that are open."""
        self.state.pause = msgspec.structs.replace(pause, until=utc(pause.until))

    def resume(self, now: datetime, settings: Alerts, zone: tzinfo) -> list[Entry]:
        """End the pause and tell what it held."""
        self.state.pause = None
        return self.due(now, settings, zone)

    def paused(self, now: datetime) -> Pause | None:
        """Return the pause in force."""
        pause = self.state.pause
        return pause if pause is not None and pause.until > now else None

    def silence(
        self, *, rule: Rule | None = None, network: str = "", until: datetime, reason: str = "", now: datetime
    ) -> Silence:
        """Hold what one rule, one source or both say; the same again replaces it. Call ``due`` next.

        Raises ``ValueError`` for neither, and for what is no network.
        """
        if rule is None and not network:
            raise ValueError("a silence of everything is a pause")
        networks((network,) if network else ())
        state = self.state
        known = next((one for one in state.silences if (one.rule, one.network) == (rule, network)), None)
        silence = Silence(
            id=known.id if known else state.next_silence,
            until=utc(until),
            made_at=utc(now),
            rule=rule,
            network=network,
            reason=one_line(reason, _REASON_LIMIT),
        )
        if known is None:
            state.next_silence += 1
        state.silences = [*(one for one in state.silences if one is not known), silence]
        return silence

    def end_silence(self, silence: int, now: datetime, settings: Alerts, zone: tzinfo) -> list[Entry]:
        """End a silence and tell what it held; an unknown number changes nothing."""
        self.state.silences = [one for one in self.state.silences if one.id != silence]
        return self.due(now, settings, zone)

    def silences(self, now: datetime) -> list[Silence]:
        """Return the silences in force, in the order in which they were made."""
        return [silence for silence in self.state.silences if silence.until > now]

    def silenced(self, rule: Rule, source: str, now: datetime) -> bool:
        """True where a silence in force covers what a rule says of a source; asked for each event, so it is quick."""
        return any(one.until > now and silences_event(one, rule, source) for one in self.state.silences)

    def acknowledge(self, incident: int | None, now: datetime) -> int:
        """Mark one open incident, or all, as known: no more summaries; return how many were not so yet."""
        asked = self.state.open.values() if incident is None else filter(None, [self.state.open.get(incident)])
        fresh = [one for one in asked if one.acknowledged_at is None]
        for one in fresh:
            one.acknowledged_at = utc(now)
            self._book.touch(one)
        return len(fresh)

    # --- mails made elsewhere -----------------------------------------------------------------------------------------

    def why_held(self, rule: Rule, source: str, now: datetime, settings: Alerts, zone: tzinfo) -> Why | None:
        """Say why a mail made elsewhere (a condition's) is to be held now, or None: it may leave."""
        terms = self.state.terms(self._advance(now), settings, zone)
        urgent = rule is Rule.CRITICAL
        if self._silence_of(rule, source):
            return Why.SILENCE
        if gate := terms.gates[urgent]:
            return gate.why
        return None if self.state.has_room(terms, urgent=urgent) else Why.CAP

    def count_mail(self, now: datetime, *, urgent: bool = False) -> None:
        """Count a mail made elsewhere in the cap."""
        self.state.count_mail(self._advance(now), urgent=urgent)

    # --- one call -----------------------------------------------------------------------------------------------------

    def _advance(self, now: datetime) -> datetime:
        before, now = self.state.at, self.state.advance(now)
        if before is not None and now < before:
            for incident in self._book.all():
                self._book.touch(incident)
        return now

    def _begin(self, now: datetime, settings: Alerts, zone: tzinfo) -> Terms:
        terms = self.state.terms(self._advance(now), settings, zone)
        self._hold(terms)
        self._tell_due(terms)
        return terms

    def _finish(self, terms: Terms) -> list[Entry]:
        entries = self._book.entries()
        for incident in self._book.all():
            at, _ = self._wish(incident, terms)
            # What is due already and was not told waits for the cap.
            next_at = at if at > terms.now else self.state.room_at(terms, urgent=incident.urgent)
            if next_at != incident.next_at:
                incident.next_at = next_at
                self._book.touch(incident)
        return entries

    def _hold(self, terms: Terms) -> None:
        """Move what is open to where a silence, a pause or quiet hours in force keep it."""
        active = {silence.id for silence in self.state.silences}
        for incident in self._book.all():
            if incident.why is Why.SILENCE and incident.silence in active:
                continue
            gate = terms.gates[incident.urgent]
            silence = next((one for one in self.state.silences if silences_incident(one, incident)), None)
            if silence is not None:
                self._book.absorb(incident, terms.now, Shape.HELD, Why.SILENCE, silence.id)
            elif gate is not None and not is_gate(incident):
                self._book.absorb(incident, terms.now, Shape.HELD, gate.why)
            elif gate is not None and incident.why is not gate.why:  # the pause is over, the night is not
                incident.why = gate.why
                self._book.touch(incident)

    def _tell_due(self, terms: Terms) -> None:
        """Make the mails that are due, urgent ones first, then those that waited longest."""
        wishes = [(not one.urgent, *self._wish(one, terms), one) for one in self._book.all()]
        for _, at, kind, incident in sorted(wishes, key=lambda wish: (wish[0], wish[1], wish[3].id)):
            if at > terms.now or incident.closed_at is not None:
                continue
            if kind is None:
                self._book.close(incident, terms.now)
            elif not self.state.has_room(terms, urgent=incident.urgent):
                continue
            elif kind is Kind.STARTED:
                self._start(incident, terms)
            else:
                self._book.tell(kind, incident, terms.now)

    def _wish(self, incident: Incident, terms: Terms) -> tuple[datetime, Kind | None]:
        """Return when an incident has something to tell, and what; None is its end without a word."""
        if incident.shape is Shape.HELD:
            return self._released_at(incident, terms), Kind.DIGEST if incident.untold else None
        end, told = incident.last_at + terms.window, self.state.told_at.get(incident.id, incident.opened_at)
        going_on = end > terms.now and incident.acknowledged_at is None
        if incident.shape is Shape.GROUP:
            if going_on and incident.untold >= STORM_AT:
                return told, Kind.STARTED
            return end, Kind.MORE if incident.untold else None
        if going_on and incident.untold and told + terms.summary < end:
            return told + terms.summary, Kind.SUMMARY
        return end, Kind.OVER

    def _released_at(self, incident: Incident, terms: Terms) -> datetime:
        """Return when what holds an incident ends, or when it was opened where that is past."""
        if incident.why is Why.SILENCE:
            untils = [silence.until for silence in self.state.silences if silence.id == incident.silence]
            return untils[0] if untils else incident.opened_at
        gate = terms.gates[incident.urgent]
        return gate.until if gate is not None else incident.opened_at

    # --- one event ----------------------------------------------------------------------------------------------------

    def _take(self, alert: Alert, route: Route, terms: Terms) -> None:
        """Count the first event of a route; let those that follow be counted without asking, where that is safe."""
        count, folding = Count(route, alert.event), self._book.folding
        urgent = alert.rule is Rule.CRITICAL
        home, has_room = self._home(count, terms), self.state.has_room(terms, urgent=urgent)
        if home is None and has_room:
            self._open_with(count, alert, terms)
            return
        if home is None:
            home = self._book.held(count, Why.CAP, terms)
        self._book.count(count, home, terms.now)
        # The next event may make a storm of a group; there can only be less room during a call, never more.
        if home.shape is not Shape.GROUP or home.acknowledged_at is not None or not has_room:
            folding.routes[route] = count
            return
        folding.enter(count)
        if home.untold >= STORM_AT:
            self._start(home, terms)

    def _home(self, count: Count, terms: Terms) -> Incident | None:
        """Return the incident that an event belongs to, opened where it is of a silence or of a gate."""
        urgent = count.rule is Rule.CRITICAL
        if silence := self._silence_of(count.rule, count.source):
            return self._book.held(count, Why.SILENCE, terms, silence.id)
        if gate := terms.gates[urgent]:
            return self._book.held(count, gate.why, terms)
        if wide := self._book.wide(urgent=urgent):
            return wide
        return None if terms.each_alone else self._book.of_key(Key(count.rule, count.source, count.target))

    def _silence_of(self, rule: Rule, source: str) -> Silence | None:
        return next((silence for silence in self.state.silences if silences_event(silence, rule, source)), None)

    def _open_with(self, count: Count, alert: Alert, terms: Terms) -> None:
        """Tell an event at once: as the first of its key, or as one more of so many that they are a wide storm."""
        first = seed(count, terms)
        wide = self._crowded(terms, urgent=first.urgent)
        incident = self._widen(first, terms) if wide else self._book.open(first)
        self._book.count(count, incident, terms.now)
        self._book.folding.enter(count)
        if wide:
            self._book.tell(Kind.STARTED, incident, terms.now)
        else:
            self._book.tell(Kind.FIRST, incident, terms.now, alert=alert, last=terms.each_alone)

    def _start(self, group: Incident, terms: Terms) -> None:
        """Tell that a group became a storm, or that the whole class did."""
        if self._crowded(terms, urgent=group.urgent):
            group = self._widen(group, terms)
        else:
            group.shape = Shape.STORM
        self._book.tell(Kind.STARTED, group, terms.now)

    def _crowded(self, terms: Terms, *, urgent: bool) -> bool:
        return self.state.opens_much(terms, urgent=urgent) or len(self._book.groups(urgent=urgent)) >= MOST_OPEN

    def _widen(self, like: Incident, terms: Terms) -> Incident:
        """Return the wide storm of a class, which took in all its groups and storms."""
        wide = self._book.gathering(like, Shape.WIDE, None, 0, terms.now)
        for group in self._book.groups(urgent=like.urgent):
            self._book.absorb(group, terms.now, Shape.WIDE)
        return wide
