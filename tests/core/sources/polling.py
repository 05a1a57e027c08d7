"""A source that asks a server, polled by hand, with a real store behind it and a clock that can be moved."""

import threading
from datetime import UTC, datetime, timedelta

from vxtray.core.events import SecurityEvent
from vxtray.core.parsers import parse
from vxtray.core.sources import Batch
from vxtray.core.sources.vigilancex import VigilanceXSource
from vxtray.core.store import EventStore


def now() -> datetime:
    """Return the present second."""
    return datetime.now(UTC).replace(microsecond=0)


class Polling:
    """``restart`` makes a new ``source`` on the same store; ``loud`` are the events that may raise alerts."""

    source: VigilanceXSource | None = None

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self.ahead = timedelta()
        self.loud: list[SecurityEvent] = []
        self.stop = threading.Event()
        self.restart()

    def restart(self) -> None:
        raise NotImplementedError

    def end(self) -> None:
        """Close the connection."""
        if self.source is not None:
            self.source._server.close()

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def emit(self, batch: Batch) -> bool:
        events: list[SecurityEvent] = []
        for line in batch.lines:
            outcome = parse(line.decode(), format=batch.format, zone=UTC)
            assert isinstance(outcome, SecurityEvent), outcome
            events.append(outcome)
        self.store.append(events, position=batch.position, alerts=batch.alerts)
        if batch.alerts:
            self.loud += events
        return True

    def poll(self, times: int = 1) -> None:
        assert self.source is not None
        for _ in range(times):
            self.source.poll(self.emit, self.stop)

    def stored(self) -> list[SecurityEvent]:
        return self.store.events(limit=100_000)
