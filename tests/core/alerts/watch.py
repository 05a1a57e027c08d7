"""A store and an outbox, and the desk between them, with a look at what became of each event."""

from collections import Counter
from pathlib import Path

from tests.core.engine import MONDAY, PARIS, Clock, event, settings
from vxtray.core.alerts import register
from vxtray.core.alerts.accounts import Told
from vxtray.core.alerts.composing import Manner
from vxtray.core.alerts.desk import AlertDesk
from vxtray.core.alerts.incidents import Folded, Incident
from vxtray.core.events import SecurityEvent, Severity
from vxtray.core.mail.outbox import Outbox
from vxtray.core.settings.tree import Settings
from vxtray.core.store.embedded import EmbeddedStore

ON = settings()
LOW = Severity.LOW


def sources(count: int, first: int = 1, severity: Severity = Severity.CRITICAL) -> list[SecurityEvent]:
    """Return events of so many different sources."""
    numbers = range(first, first + count)
    return [event(MONDAY, severity, src_ip=f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}") for n in numbers]


class Watch:
    """What a test looks at; ``restart`` is what the next start of the program does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self._open()

    def _open(self) -> None:
        self.outbox = Outbox(self.folder / "outbox.db")
        self.store = EmbeddedStore(self.folder / "events.duckdb")
        self.desk = AlertDesk(self.outbox, self.clock)
        self.desk.begin(self.store)

    def restart(self) -> None:
        self.close()
        self._open()

    def close(self) -> None:
        self.store.close()
        self.outbox.close()

    def append(self, *events: SecurityEvent, alerts: bool = True) -> None:
        self.store.append(events, alerts=alerts)

    @staticmethod
    def manner(chosen: Settings = ON) -> Manner:
        return Manner(settings=chosen, language="en", zone=PARIS)

    def look(self, chosen: Settings = ON) -> int:
        """Look at what was stored; return how many mails were made."""
        return self.desk.catch_up(self.store, self.manner(chosen)).mails

    def due(self, chosen: Settings = ON) -> int:
        return self.desk.due(self.manner(chosen)).mails

    # --- what became of it -------------------------------------------------------------------------------------------

    def letters(self) -> list[Told]:
        """Return the mails, oldest first."""
        with self.outbox.looking() as db:
            return register.letters(db, 10_000)[::-1]

    def incidents(self) -> list[Incident]:
        """Return the incidents, newest first."""
        with self.outbox.looking() as db:
            return register.newest(db, 10_000)

    def folded(self, incident: int, letter: int | None = None) -> Folded | None:
        with self.outbox.looking() as db:
            return register.folded(db, incident, letter)

    @property
    def told(self) -> list[str]:
        """What the mails are and how many events they tell, in their order."""
        return [f"{letter.kind} {letter.events}" for letter in self.letters()]

    def check(self, seqs: set[int]) -> None:
        """Every one of these events is accounted for exactly once: told, or counted in an incident that is open."""
        check_accounts(self.outbox, total=len(seqs))
        with self.outbox.looking() as db:
            tallies = db.execute("SELECT events, first_seq, last_seq FROM tallies").fetchall()
        found = Counter[int]()
        for events, first, last in tallies:  # where others lie between them, only the ends are known
            found.update(range(first, last + 1) if events == last - first + 1 else {first, last})
        assert set(found) <= seqs
        assert max(found.values(), default=1) == 1
        if found.total() == len(seqs):
            assert set(found) == seqs


def check_accounts(outbox: Outbox, *, total: int) -> None:
    """Compare tallies, incidents and mails with each other, and with how many events matched."""
    with outbox.looking() as db:
        tallies = db.execute("SELECT incident, letter, events FROM tallies").fetchall()
        incidents = {incident.id: incident for incident in register.newest(db, 1_000_000)}
        letters = db.execute("SELECT incident, number, mail, events FROM letters").fetchall()
        keys = Counter(key for (key,) in db.execute("SELECT key FROM mails"))
    assert sum(tally[2] for tally in tallies) == total
    assert all(tally[2] >= 1 for tally in tallies)
    assert max(keys.values(), default=1) == 1
    told = Counter[tuple[int, int]]()
    for incident, letter, events in tallies:
        told[incident, letter] += events
    assert {(incident, number): events for incident, number, _mail, events in letters} == {
        place: events for place, events in told.items() if place[1]
    }
    untold = {incident: events for (incident, letter), events in told.items() if not letter}
    assert untold == {number: incident.untold for number, incident in incidents.items() if incident.untold}
    assert all(incidents[number].closed_at is None for number in untold), "told by nobody any more"
    for number, incident in incidents.items():
        assert incident.events == sum(events for (one, _letter), events in told.items() if one == number)
        assert incident.mails == sum(one == number for one, *_rest in letters)
