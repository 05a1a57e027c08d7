"""What a program does with its files, step by step: mails, settings, events, and events on their way elsewhere.

Each step that was done is told, and each that was refused, with the fault. A step that is refused is tried again, as
the program does. What is no fault of ours ends the process.
"""

import itertools
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.nursery import Clock, a_mail, an_event, numbered
from vxtray.core.errors import VxtrayError
from vxtray.core.mail.outbox import Outbox, Outcome, Parcel, Verdict
from vxtray.core.settings.file import SettingsFile
from vxtray.core.store import Position, resting
from vxtray.core.store.embedded import EmbeddedStore, open_kind
from vxtray.core.store.spool import Spool

MAILS, SAVES, BATCHES, OF_BATCH = 4, 3, 4, 10
#: A step is tried again so often: a fault at one call is over by then.
TRIES = 6


def steps(folder: Path, clock: Clock, tell: Callable[[str], object], *, patient: bool) -> None:
    """Do them all in a folder; ``patient``: a step that is refused is tried again. For a process of its own."""
    resting.REST_SECONDS = 0.0  # the next try comes at once, where the program waits half a minute
    folder.mkdir(exist_ok=True)

    def done(what: str, act: Callable[[], object]) -> bool:
        for attempt in itertools.count(1):
            try:
                act()
            except VxtrayError as error:
                tell(f"refused {what} {type(error).__name__}: {error}")
                if not patient or attempt == TRIES:
                    return False
                time.sleep(0.001)
            else:
                tell(f"done {what}")
                return True
        return False

    made: dict[str, object] = {}
    if done("outbox", lambda: made.update(outbox=Outbox(folder / "outbox.db"))):
        _post(made["outbox"], clock, done)  # type: ignore[arg-type]  # just made
    file = SettingsFile(folder / "settings.toml")
    for number in range(1, SAVES + 1):
        done(f"settings {number}", lambda number=number: file.merge(numbered(number)))  # type: ignore[misc]
    for kind, name in ((EmbeddedStore, "events"), (Spool, "spool")):
        if done(name, lambda kind=kind, name=name: made.update({name: open_kind(kind, folder / f"{name}.duckdb")[0]})):  # type: ignore[misc]
            _keep(made[name], name, clock, done)  # type: ignore[arg-type]


def _post(outbox: Outbox, clock: Clock, done: Callable[[str, Callable[[], object]], bool]) -> None:
    for number in range(1, MAILS + 1):
        done(f"mail {number}", lambda number=number: outbox.add(a_mail(number, "x"), clock()))  # type: ignore[misc]
    done("recovery", outbox.recover)

    def deliver(parcel: Parcel) -> Outcome:
        outbox.dot_follows(parcel.id, clock())
        return Outcome(verdict=Verdict.SENT, stage="data", accepted=parcel.recipients)

    def send() -> None:
        for delivery in outbox.deliver_due(deliver, clock):
            done(f"sent {delivery.parcel.message_id.partition('.')[0][2:]}", lambda: None)

    done("burst", send)
    outbox.close()


def _keep(store: EmbeddedStore, name: str, clock: Clock, done: Callable[[str, Callable[[], object]], bool]) -> None:
    for number in range(1, BATCHES + 1):
        position = Position(key="log", offset=number)
        events = [an_event(clock(), number)] * OF_BATCH
        done(f"{name} {number}", lambda events=events, position=position: store.append(events, position=position))  # type: ignore[misc]
    if isinstance(store, Spool):
        done("arrived", lambda: store.has_arrived(OF_BATCH))
    store.close()
