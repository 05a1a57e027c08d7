"""The export of the history. GUI thread only; the file is written on ``vx-task``."""

import threading
from collections.abc import Callable
from pathlib import Path

from vxtray.core import texts
from vxtray.core.export import export_chronicle
from vxtray.core.mail.chronicle import Sought
from vxtray.core.texts import _, plural
from vxtray.gui.pages.exporting import ExportBar


class HistoryExport(ExportBar):
    """Writes the lines that are sought to a file."""

    def start(self, sought: Sought, path: Path) -> None:
        """Begin."""
        outbox, language = self._context.service.outbox, texts.current()

        def write(progress: Callable[[int, int], None], stop: threading.Event) -> int | None:
            total = outbox.chronicle_count(sought)
            with texts.speaking(language):
                return export_chronicle(outbox, sought, path, progress=lambda done: progress(done, total), stop=stop)

        self.begin(write, path.name)

    def _so_far(self, done: str, total: str) -> str:
        return _("{done} of {total} entries written", done=done, total=total)

    def _written(self, done: int, name: str) -> str:
        return plural("{n} entry written to {name}.", "{n} entries written to {name}.", done, name=name)
