"""The export of events. GUI thread only; the file is written on ``vx-task``."""

import threading
from collections.abc import Callable
from pathlib import Path

from vxtray.core.export import ExportFormat, export_events
from vxtray.core.store import EventQuery
from vxtray.core.texts import _, plural
from vxtray.gui.pages.exporting import ExportBar


class EventsExport(ExportBar):
    """Writes the events of a query to a file."""

    def start(self, query: EventQuery, path: Path, form: ExportFormat) -> None:
        """Begin."""
        service = self._context.service

        def write(progress: Callable[[int, int], None], stop: threading.Event) -> int | None:
            store = service.store()
            total = store.count(query)
            return export_events(store, query, path, form, progress=lambda done: progress(done, total), stop=stop)

        self.begin(write, path.name)

    def _so_far(self, done: str, total: str) -> str:
        return _("{done} of {total} events written", done=done, total=total)

    def _written(self, done: int, name: str) -> str:
        return plural("{n} event written to {name}.", "{n} events written to {name}.", done, name=name)
