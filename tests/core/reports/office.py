"""A desk between an outbox and a store, under a clock and a network that the test moves."""

import shutil
import tempfile
from datetime import datetime
from functools import cache
from pathlib import Path

from tests.core.engine import DAY, MONDAY, Clock, settings
from vxtray.core.errors import StoreError
from vxtray.core.mail.outbox import Outbox
from vxtray.core.reports.desk import ReportDesk
from vxtray.core.reports.rendering import undrawn
from vxtray.core.settings.tree import Reports, Settings
from vxtray.core.store import EventStore, Summary, Totals
from vxtray.core.store.embedded import EmbeddedStore

ON, OFF = settings(), settings(reports=Reports(zone="Europe/Paris", language="en"))


class Office:
    """An outbox and a store, and the desk between them."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.outbox = Outbox(folder / "outbox.db")
        self.events = EmbeddedStore(folder / "events.duckdb")
        self.fault: StoreError | None = None
        self.network = True
        self.set_by = 0.0
        self.restart()

    def restart(self) -> None:
        self.desk = ReportDesk(
            self.outbox,
            self._store,
            self.clock,
            default_route=lambda: self.network,
            boot_clock=self.boot_clock,
            draw=undrawn,  # pictures and PDF are not what these tests are about
        )

    def boot_clock(self) -> float:
        """Time that is never set: asleep or not, it goes on."""
        return self.clock().timestamp() - self.set_by

    def _store(self) -> EventStore:
        if self.fault:
            raise self.fault
        return self.events

    def due(self, chosen: Settings = ON, saved_at: datetime = MONDAY) -> list[str]:
        """Queue what is due and return the new subjects."""
        before = len(self.outbox.entries(1000))
        count = self.desk.queue_due(chosen, saved_at)
        new = self.outbox.entries(1000)[: len(self.outbox.entries(1000)) - before]
        assert len(new) == count
        return [entry.key for entry in reversed(new)]

    def close(self) -> None:
        self.events.close()
        self.outbox.close()


@cache
def nothing_happened(by_day: bool) -> tuple[Summary, Totals]:
    """Return what a store without events counts."""
    folder = tempfile.mkdtemp(prefix="vxtray-empty-")
    store = EmbeddedStore(Path(folder) / "events.duckdb")
    try:
        return store.summarize(MONDAY - DAY, MONDAY, by_day=by_day), store.totals(MONDAY - DAY, MONDAY)
    finally:
        store.close()
        shutil.rmtree(folder)


class Quiet:
    """A store in which nothing ever happens: what is told is not what this is about."""

    def summarize(self, start: datetime, end: datetime, *, by_day: bool, **_more: object) -> Summary:
        return nothing_happened(by_day)[0]

    def totals(self, start: datetime, end: datetime) -> Totals:
        return nothing_happened(False)[1]
