"""One step of grouping and all that follows from it, in one transaction: the incidents, what they counted, their mails.

One thread at a time (``_guard``); what is known may be asked on any, and does not wait for a step.
"""

import contextlib
import sqlite3
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from vxtray.core.alerts import register
from vxtray.core.alerts.composing import Composer, Conversation
from vxtray.core.alerts.grouping import Grouping
from vxtray.core.alerts.incidents import Entry, Fold, Incident, Kind, Letter, Move, Pause, Silence, Tally, Why
from vxtray.core.alerts.rules import Alert
from vxtray.core.alerts.state import State
from vxtray.core.mail.outbox import Outbox
from vxtray.core.mail.records import note
from vxtray.core.mail.rows import insert
from vxtray.core.mail.statefile import set_fact

_STATE = "alert-state"
_NAME = "alert-outbox"  # what makes the keys of this outbox's mails its own
_OLD_PAUSE = "alerts-paused"  # of releases without incidents

_STORMS = {Kind.STARTED: "storm", Kind.OVER: "storm_over"}

#: A change of what grouping remembers; returns what follows from it.
Change = Callable[[Grouping], list[Entry]]


class Made(msgspec.Struct, frozen=True):
    """What came of a step: how many mails, the matched events that nobody silenced, and whether incidents changed."""

    mails: int = 0
    alerts: tuple[Alert, ...] = ()
    changed: bool = False

    def __add__(self, other: "Made") -> "Made":
        return Made(self.mails + other.mails, self.alerts + other.alerts, self.changed or other.changed)


class Steps:
    """Keeps what grouping remembers, on the disk and at hand."""

    def __init__(self, outbox: Outbox, clock: Callable[[], datetime]) -> None:
        """Take up what was remembered. Raises ``StoreError``."""
        self._outbox = outbox
        self._clock = clock
        self._guard = threading.RLock()  # between looking at what is remembered and acting on it, nothing may change
        self._name, self._saved = self._remembered()
        self._grouping = Grouping(_decoded(self._saved))
        self._view = _decoded(self._saved)
        #: When time alone asks for something; now, until it was looked.
        self.next_due: datetime | None = clock()

    def _remembered(self) -> tuple[str, bytes]:
        """Return the name of this outbox, and what is on the disk of what grouping remembers.

        Where a damage took that, it is as much as the incidents themselves tell.
        """
        name, saved, old = (self._outbox.fact(fact) for fact in (_NAME, _STATE, _OLD_PAUSE))
        if name and saved and not old:
            with contextlib.suppress(msgspec.DecodeError):
                _decoded(saved.encode())
                return name, saved.encode()
        with self._outbox.changing() as db:
            state = State(
                open={incident.id: incident for incident in register.still_open(db)},
                next_incident=register.last_number(db) + 1,
                pause=msgspec.json.decode(old, type=Pause) if old else None,
            )
            name, saved = name or uuid.uuid4().hex, msgspec.json.encode(state).decode()
            for fact, value in ((_NAME, name), (_STATE, saved), (_OLD_PAUSE, "")):
                set_fact(db, fact, value)
        return name, saved.encode()

    # --- one step ----------------------------------------------------------------------------------------------------

    def _step(
        self,
        change: Change,
        composer: Composer,
        facts: Mapping[str, str] | None = None,
        *,
        beside: Callable[[sqlite3.Connection], None] | None = None,
        keep: bool = False,
    ) -> Made:
        """Let grouping go on and write down all that follows from it; if that fails, nothing has happened."""
        grouping, now = self._grouping, self._clock()
        try:
            entries = change(grouping)
            incidents = grouping.changed()
            state = grouping.state
            forgot = (state.pause, state.silences) != (self._view.pause, self._view.silences)
            if not (entries or incidents or facts or forgot or keep):
                self.next_due = grouping.next_due()
                return Made()
            composer.look_up(entries, self._view.silences)
            saved = msgspec.json.encode(state)
            with self._outbox.changing() as db:
                if beside is not None:
                    beside(db)
                mails = self._write(db, entries, incidents, composer, now)
                for name, value in {**(facts or {}), _STATE: saved.decode()}.items():
                    set_fact(db, name, value)
                for what, detail in happenings(self._view, state, entries):
                    note(db, now, what, detail)
        except BaseException:
            self._grouping = Grouping(_decoded(self._saved))
            raise
        self._saved, self._view, self.next_due = saved, _decoded(saved), grouping.next_due()
        return Made(mails, changed=bool(entries or incidents or forgot or keep))

    def _write(
        self,
        db: sqlite3.Connection,
        entries: Iterable[Entry],
        incidents: Iterable[Incident],
        composer: Composer,
        now: datetime,
    ) -> int:
        mails, folds = 0, dict[int, list[Tally]]()
        for entry in entries:
            if isinstance(entry, Fold):
                folds.setdefault(entry.incident, []).append(entry.tally)
                continue
            register.count(db, folds)
            folds.clear()
            if isinstance(entry, Move):
                register.move(db, entry)
            else:
                mails += self._tell(db, entry, composer, now)
        register.count(db, folds)
        register.put(db, incidents)
        return mails

    def _tell(self, db: sqlite3.Connection, letter: Letter, composer: Composer, now: datetime) -> int:
        incident = letter.incident
        register.put(db, [incident])
        register.tell(db, incident.id, letter.number)
        folded = register.folded(db, incident.id, None if letter.kind is Kind.OVER else letter.number)
        assert folded is not None, "a letter without an event"
        conversation = Conversation(*register.answered(db, incident.id))
        mail = composer.mail(letter, folded, conversation, now, self._key(letter))
        number = insert(db, mail, now)
        register.told(db, incident.id, letter.number, number, letter.kind, letter.at, letter.events)
        register.sent_as(db, incident.id, mail.message_id)
        return 1

    def _key(self, letter: Letter) -> str:
        return f"alert:{self._name}:{letter.incident.id}:{letter.number}"

    # --- what is known -----------------------------------------------------------------------------------------------

    def paused(self) -> Pause | None:
        """Return the pause in force; quick, since the window asks for it while alerts are being made."""
        pause = self._view.pause
        return pause if pause is not None and pause.until > self._clock() else None

    def silences(self) -> list[Silence]:
        """Return the silences in force, newest first; quick."""
        now = self._clock()
        return sorted((one for one in self._view.silences if one.until > now), key=lambda one: one.id, reverse=True)

    def open_incidents(self) -> list[Incident]:
        """Return the incidents that are open, newest first; quick."""
        return sorted(self._view.open.values(), key=lambda incident: incident.id, reverse=True)

    def held(self) -> int:
        """Return how many matched events wait for a digest; quick."""
        return Grouping(self._view).held()


def happenings(before: State, after: State, entries: Iterable[Entry]) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield what the history keeps of a step: pauses and silences that began or ended, storms."""
    told: Counter[tuple[Why | None, int]] = Counter()
    for entry in entries:
        if not isinstance(entry, Letter):
            continue
        incident = entry.incident
        told[incident.why, incident.silence] += entry.events
        if entry.kind in _STORMS:
            yield _STORMS[entry.kind], {"title": incident.title, "events": entry.total}
    if after.pause is not None and after.pause != before.pause:
        until = after.pause.until.isoformat()
        yield "paused", {"what": "alerts", "until": until, "everything": after.pause.everything}
    elif before.pause is not None and after.pause is None:
        yield "resumed", {"what": "alerts", "told": told[Why.PAUSE, 0]}
    known = {silence.id: silence for silence in before.silences}
    left = {silence.id: silence for silence in after.silences}
    for number in left.keys() - known.keys():
        yield "silenced", {**_named(left[number]), "until": left[number].until.isoformat(), "why": left[number].reason}
    for number in known.keys() - left.keys():
        yield "unsilenced", {**_named(known[number]), "told": told[Why.SILENCE, number]}


def _named(silence: Silence) -> dict[str, object]:
    return {"rule": str(silence.rule or ""), "network": silence.network}


def _decoded(saved: bytes) -> State:
    return msgspec.json.decode(saved, type=State) if saved else State()
