"""What alerts ask of a store, timed in a process of its own; prints JSON.

Usage: python alert_numbers.py PATH SINCE UNTIL. Each part is done three times and the best counts: the first costs
more. Beside the rehearsal a thread beats every 5 ms, as the window does: ``gap`` is the longest time between two beats,
``rare_gap`` the one that 999 of 1,000 are not longer than.
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from vxtray.core.alerts.matching import SWITCHED, kinds_of, matched_counts, with_rules
from vxtray.core.alerts.rehearsal import rehearse_stored
from vxtray.core.events import Severity
from vxtray.core.settings.tree import Alerts
from vxtray.core.store.embedded import EmbeddedStore

EVERY = with_rules(Alerts(minimum_severity=Severity.INFO), SWITCHED)
NARROW = Alerts(minimum_severity=Severity.INFO, rule_ids=("1", "2", "3"), allow=("20.0.0.0/8", "10.0.0.0/8"))
BEAT = 0.005

_PLAIN = 'SELECT category, action, severity, count(*) FROM events WHERE "at" >= ? AND "at" < ? GROUP BY ALL'


class Heart:
    """Beats, and keeps the gaps, in seconds."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Heart":
        self._thread.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._stop.set()
        self._thread.join()
        self.gaps.sort()

    def _beat(self) -> None:
        last = time.perf_counter()
        while not self._stop.wait(BEAT):
            now = time.perf_counter()
            self.gaps.append(now - last)
            last = now


def best(action: Callable[[], object], times: int = 3) -> float:
    """Return the shortest time in seconds."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        took.append(time.perf_counter() - began)
    return min(took)


def measured(path: Path, since: datetime, until: datetime) -> dict[str, object]:
    """Return seconds, events and mails."""
    store = EmbeddedStore(path, read_only=True)
    with store._reading() as cursor:
        plain = best(lambda: cursor.execute(_PLAIN, [since, until]).fetchall())
        sql = "SELECT src_ip FROM events WHERE src_ip <> '' GROUP BY src_ip ORDER BY count(*) DESC LIMIT 1"
        address = cursor.execute(sql).fetchall()[0][0]
    found: dict[str, object] = {
        "plain": plain,
        "counts": best(lambda: matched_counts(store, EVERY, since, until)),
        "narrow": best(lambda: matched_counts(store, NARROW, since, until)),
        "record": best(lambda: store.source_record(address, until)),
        "pages": best(lambda: sum(map(len, store.pages(kinds_of(EVERY), since, until).pages)), 1),
    }
    with Heart() as idle:
        time.sleep(5)
    began = time.perf_counter()
    with Heart() as heart:
        rehearsals = rehearse_stored(store, [EVERY], ZoneInfo("Europe/Paris"), since, until)
    took = time.perf_counter() - began
    assert rehearsals is not None
    (one,) = rehearsals
    assert one.at_once + one.folded + one.held + one.untold == one.matched
    store.close()
    return found | {
        "rehearsal": took,
        "gap": heart.gaps[-1],
        "rare_gap": heart.gaps[int(len(heart.gaps) * 0.999) - 1],
        "idle_gap": idle.gaps[-1],
        "matched": one.matched,
        "mails": one.made,
    }


if __name__ == "__main__":  # the process that rehearses reads this file again
    sys.setswitchinterval(0.0005)  # as the program does
    sys.stdout.write(json.dumps(measured(Path(sys.argv[1]), *map(datetime.fromisoformat, sys.argv[2:4]))))
