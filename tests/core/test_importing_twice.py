"""The same file imported twice at the same time, by the window and a command: each line once."""

import threading
from datetime import UTC, datetime
from pathlib import Path

from tests.core.engine import Engine, settings
from tests.e2e.log_writer import records
from vxtray.core.paths import Profile
from vxtray.core.settings.tree import Reports
from vxtray.core.sources.importer import ImportResult

COUNT = 3000


def test_the_second_one_waits_for_the_first(profile: Profile, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(records(0, COUNT, datetime(2026, 11, 22, tzinfo=UTC)))
    service = Engine(profile, settings(reports=Reports(zone="Europe/Paris")), None).service
    results: list[ImportResult] = []
    together = threading.Barrier(2)

    def run() -> None:
        together.wait()
        results.append(service.import_files([log]))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((result.stored, result.duplicates) for result in results) == [(0, COUNT), (COUNT, 0)]
    assert service.store().count() == COUNT
    service.stop()
