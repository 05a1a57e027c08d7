"""From stored events to incidents and their mails, each event once.

Runs on the thread that stored the events, on ``vx-alerts`` for what time alone asks for, and on any other for what a
person asks for; one at a time. What grouping remembers, the alert cursor (store uuid, seq), the tallies and the mails
are written in one transaction: a crash at any point neither loses an event nor tells one twice, and where the disk
refuses, all is as before.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice, takewhile

import msgspec

from vxtray.core.alerts import conditions, register
from vxtray.core.alerts.composing import Composer, Conversation, Manner
from vxtray.core.alerts.grouping import Grouping
from vxtray.core.alerts.incidents import Entry, Letter, Pause, Silence
from vxtray.core.alerts.rules import Alert, alerts_for
from vxtray.core.alerts.steps import Change, Made, Steps
from vxtray.core.events import SecurityEvent
from vxtray.core.mail.records import note
from vxtray.core.mail.rows import insert
from vxtray.core.mail.statefile import set_fact
from vxtray.core.store import EventStore
from vxtray.core.store.committing import LineOf

_CURSOR = "alert-cursor"
_OTHERS = "alert-cursor-others"  # by the uuid of another program's store, up to which seq
_CONDITIONS = "alert-conditions"  # changes of conditions that wait for a pause, quiet hours, a silence or the cap
_CHUNK = 1000
_TITLES = 3


class AlertDesk(Steps):
    """Turns new events into alerts by the rules in force."""

    # --- events ------------------------------------------------------------------------------------------------------

    def begin(self, store: EventStore) -> None:
        """Bind the cursor to a store just opened.

        In a store that the cursor does not know, alerts begin now; so they do where the cursor lies beyond the last
        event, since the engine may drop the cut-off end of its log and give those numbers again.
        """
        cursor, last = self._cursor(store), store.last_seq()
        if cursor is None or cursor > last:
            self._outbox.set_fact(_CURSOR, f"{store.uuid}:{last}")

    def catch_up(self, store: EventStore, manner: Manner) -> Made:
        """Look at every event behind the cursor; ``begin`` came before. Raises ``StoreError``."""
        with self._guard:
            return self._catch_up(store, manner)

    def _catch_up(self, store: EventStore, manner: Manner, before: int | None = None) -> Made:
        made = Made()
        events: Iterable[SecurityEvent] = store.alertable(self._cursor(store) or 0)
        if before is not None:
            events = takewhile(lambda event: event.seq < before, events)
        events = iter(events)
        while chunk := list(islice(events, _CHUNK)):
            found = alerts_for(chunk, manner.settings.alerts)
            made += self._take_in(found, {_CURSOR: f"{store.uuid}:{chunk[-1].seq}"}, Composer(manner, store))
        return made

    def catch_up_others(self, store: EventStore, manner: Manner) -> Made:
        """Look at what other programs stored: of all on one store, the one that sends mail tells of their events, too.

        Of a program that is new here, alerts begin now. Raises ``StoreError``.
        """
        with self._guard:
            known = msgspec.json.decode(self._outbox.fact(_OTHERS) or "{}", type=dict[str, int])
            made = Made()
            for writer in store.others():
                after = known.get(writer.uuid, writer.last_seq) if manner.tellable else writer.last_seq
                while after < writer.last_seq:
                    events, after = store.alertable_of(writer, after)
                    known[writer.uuid] = after
                    found = alerts_for(events, manner.settings.alerts)
                    made += self._take_in(found, {_OTHERS: _json(known)}, Composer(manner, store))
                if known.get(writer.uuid) != after:
                    known[writer.uuid] = after
                    self._outbox.set_fact(_OTHERS, _json(known))
            return made

    def look_at(
        self,
        store: EventStore,
        first_seq: int,
        events: Sequence[SecurityEvent],
        manner: Manner,
        *,
        alerts: bool,
        lines: LineOf | None = None,
    ) -> Made:
        """Look at events just stored, without reading them again. Raises ``StoreError``.

        ``lines`` knows their log lines, counted within ``events``. What lies between the cursor and them is looked at
        first; where the cursor is beyond them, they were looked at already.
        """
        if not events:
            return Made()
        with self._guard:
            cursor, made = self._cursor(store), Made()
            if cursor is None or cursor >= first_seq:
                return self._catch_up(store, manner)
            if cursor < first_seq - 1:
                made = self._catch_up(store, manner, first_seq)
            found = alerts_for(events, manner.settings.alerts, first_seq=first_seq) if alerts else []
            last = first_seq + len(events) - 1
            facts = {_CURSOR: f"{store.uuid}:{last}"}
            return made + self._take_in(found, facts, Composer(manner, store, lines, first_seq))

    def _cursor(self, store: EventStore) -> int | None:
        name, _, seq = self._outbox.fact(_CURSOR).rpartition(":")
        return int(seq) if name == store.uuid else None

    def _take_in(self, found: list[Alert], facts: Mapping[str, str], composer: Composer) -> Made:
        """Take alerts into their incidents; ``facts`` say up to where was looked."""
        manner, now = composer.manner, self._clock()
        if not found or not manner.tellable:  # nobody to tell: the events are stored and appear in the reports
            for name, value in facts.items():  # a power cut may undo it: where nothing was found, a second look is none
                self._outbox.set_fact(name, value, durable=bool(found))
            return Made(alerts=tuple(found))
        alerts = manner.settings.alerts
        loud = found
        if self._grouping.silences(now):
            silenced = self._grouping.silenced
            loud = [one for one in found if not silenced(one.rule, one.event.src_ip, now)]
        made = self._step(lambda grouping: grouping.look_at(found, now, alerts, manner.zone), composer, facts)
        return Made(made.mails, tuple(loud), made.changed)

    def due(self, manner: Manner) -> Made:
        """Do what time alone asks for. Raises ``StoreError``."""
        with self._guard:
            if not manner.tellable:
                self.next_due = None
                return Made()
            now = self._clock()
            made = self._step(lambda grouping: grouping.due(now, manner.settings.alerts, manner.zone), Composer(manner))
            return made + self.tell([], {}, manner) if self._outbox.fact(_CONDITIONS) else made

    def tell(self, changes: Sequence[conditions.Change], facts: Mapping[str, str], manner: Manner) -> Made:
        """Tell what changed with conditions, by mails that count as the others do and are held as they are.

        ``facts`` are kept in the same transaction. Raises ``StoreError``.
        """
        now, alerts = self._clock(), manner.settings.alerts
        with self._guard:
            waiting = msgspec.json.decode(self._outbox.fact(_CONDITIONS) or "[]", type=list[conditions.Change])
            before, ready, held = len(waiting), list[conditions.Change](), list[conditions.Change]()
            if manner.tellable:
                waiting += [change for change in changes if change.mailed]

            def change(grouping: Grouping) -> list[Entry]:
                for one in waiting:
                    if not manner.tellable or grouping.why_held(one.rule, "", now, alerts, manner.zone):
                        held.append(one)
                    else:
                        grouping.count_mail(now)
                        ready.append(one)
                return []

            def written(db: sqlite3.Connection) -> None:
                for one in ready:
                    conversation = Conversation(*register.condition_told(db, self._name, one.conversation))
                    mail = composer.condition(one, conversation, now, f"alert:{self._name}:{one.key}")
                    insert(db, mail, now)
                set_fact(db, _CONDITIONS, msgspec.json.encode(held).decode() if held else "")

            composer = Composer(manner)
            if not facts and not waiting:
                return Made()
            made = self._step(change, composer, facts, beside=written, keep=True)
            return Made(made.mails + len(ready), made.alerts, made.changed or len(held) != before)

    def release_held(self) -> int:
        """Queue the mails that the pause of an earlier release held, once it is over; return how many."""
        with self._guard:
            if self.paused() is not None or not self._outbox.counts()["held"]:
                return 0
            return self._outbox.release_held(self._clock())

    def forget_old(self) -> int:
        """Delete the incidents that were closed long ago; return how many. Raises ``StoreError``."""
        with self._outbox.changing() as db:
            return register.forget_old(db, self._clock())

    # --- by hand -----------------------------------------------------------------------------------------------------

    def pause(self, pause: Pause, manner: Manner) -> Made:
        """Hold alert mails from now on. Raises ``StoreError``."""

        def change(grouping: Grouping) -> list[Entry]:
            grouping.pause(pause)
            return self._due_now(grouping, manner)

        return self._by_hand(change, manner)

    def resume(self, manner: Manner) -> tuple[Made, int]:
        """End the pause; return how many events are told now, too. Raises ``StoreError``."""
        now = self._clock()

        def change(grouping: Grouping) -> list[Entry]:
            if manner.tellable:
                return grouping.resume(now, manner.settings.alerts, manner.zone)
            grouping.pause(Pause(until=now))  # what it held is told once there is somebody to tell
            return []

        return self._told_by(change, manner)

    def silence(self, silence: Silence, manner: Manner) -> tuple[Silence, Made]:
        """Hold what a rule, a source or both say. Raises ``ValueError`` for neither and for no network."""
        known = []

        def change(grouping: Grouping) -> list[Entry]:
            known.append(
                grouping.silence(
                    rule=silence.rule,
                    network=silence.network,
                    until=silence.until,
                    reason=silence.reason,
                    now=self._clock(),
                )
            )
            return self._due_now(grouping, manner)

        made = self._by_hand(change, manner)
        return known[0], made

    def end_silence(self, silence: Silence, manner: Manner) -> tuple[Made, int]:
        """End a silence; return how many events are told now, too. Raises ``StoreError``."""
        now = self._clock()

        def change(grouping: Grouping) -> list[Entry]:
            if manner.tellable:
                return grouping.end_silence(silence.id, now, manner.settings.alerts, manner.zone)
            grouping.silence(rule=silence.rule, network=silence.network, until=now, now=now)
            return []

        return self._told_by(change, manner)

    def acknowledge(self, incident: int | None, manner: Manner) -> tuple[Made, int]:
        """Take note of an incident, or of all; return of how many, too. Raises ``StoreError``."""
        now, known = self._clock(), list[int]()

        def change(grouping: Grouping) -> list[Entry]:
            grouping.acknowledge(incident, now)
            return []

        def closed(db: sqlite3.Connection) -> None:
            known.extend(register.acknowledge(db, incident, now))
            if known:
                note(db, now, "acknowledged", {"title": register.titles(db, known[:_TITLES]), "incidents": len(known)})

        return self._by_hand(change, manner, closed), len(known)

    def _due_now(self, grouping: Grouping, manner: Manner) -> list[Entry]:
        if not manner.tellable:
            return []
        return grouping.due(self._clock(), manner.settings.alerts, manner.zone)

    def _by_hand(
        self,
        change: Change,
        manner: Manner,
        beside: Callable[[sqlite3.Connection], None] | None = None,
    ) -> Made:
        with self._guard:
            return self._step(change, Composer(manner), beside=beside, keep=True)

    def _told_by(self, change: Change, manner: Manner) -> tuple[Made, int]:
        told = 0

        def counted(grouping: Grouping) -> list[Entry]:
            nonlocal told
            entries = change(grouping)
            told = sum(entry.events for entry in entries if isinstance(entry, Letter))
            return entries

        return self._by_hand(counted, manner), told


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
