"""Reading log files into the store that the engine has open, one import at a time. Any thread, which it blocks."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from vxtray.core.reports.period import machine_zone, report_zone
from vxtray.core.settings.tree import Reports
from vxtray.core.store import EventStore
from vxtray.core.store.committing import Committed, CommittingStore, Steady

if TYPE_CHECKING:
    from vxtray.core.sources.importer import ImportResult  # heavy, with all parsers: loaded with the first file


class Importing:
    """Imports for one engine; ``stop`` ends one early, the others are those of ``CommittingStore``."""

    def __init__(
        self,
        store: Callable[[], EventStore],
        committed: Committed,
        imported: Callable[[int], None],
        stop: threading.Event,
        steady: Steady,
    ) -> None:
        self._steady = steady
        self._store = store
        self._committed = committed
        self._imported = imported
        self._stop = stop
        self._one = threading.Lock()

    def run(
        self,
        paths: Sequence[str | Path],
        reports: Reports,
        *,
        format: str = "auto",  # noqa: A002 - the option's name
        zone: str = "",
        alerts: bool = False,
        progress: Callable[[int, int], None] | None = None,
        rejected: Callable[[str, int, str], None] | None = None,
        stdin: BinaryIO | None = None,
    ) -> "ImportResult":
        """Read log files into the store, each line once. Raises ``LogFileError``, ``StoreError``."""
        from vxtray.core.sources.importer import import_files

        with self._one:  # or the same file, by the window and a command, would be read twice
            store = CommittingStore(self._store(), self._committed, self._imported, self._steady)
            return import_files(
                paths,
                store,
                format=format,
                zone=report_zone(msgspec.structs.replace(reports, zone=zone)) if zone else machine_zone(),
                alerts=alerts,
                lines=store.lines_are,
                progress=progress,
                rejected=rejected,
                stdin=stdin,
                stop=self._stop,
            )
