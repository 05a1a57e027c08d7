"""Named points of the program at which a process kills itself, at the n-th time that it comes by.

A point is a function with a side, such as ``dot noted, after``; ``statement`` is any SQL statement of the outbox, right
before it is done. Nothing of this is in the program: a process arms itself before it begins.
"""

import functools
import importlib
import os
import signal
import sqlite3
from collections.abc import Callable
from typing import Any

#: What happens there, and the function that does it.
FUNCTIONS: dict[str, str] = {
    "crash recovered": "vxtray.core.mail.outbox:Outbox.recover",
    "mail queued": "vxtray.core.mail.outbox:Outbox.add_all",
    "mail taken": "vxtray.core.mail.outbox:Outbox._take",
    "dot noted": "vxtray.core.mail.outbox:Outbox.dot_follows",
    "mail handed over": "vxtray.core.mail.delivery:Courier.deliver",
    "mail settled": "vxtray.core.mail.outbox:Outbox._settle",
    "burst flushed": "vxtray.core.mail.outbox:Outbox._flush",
    "store opened": "vxtray.core.store.embedded:open_store",
    "alerts begun": "vxtray.core.alerts.desk:AlertDesk.begin",
    "alerts looked at": "vxtray.core.alerts.desk:AlertDesk.look_at",
    "alerts written": "vxtray.core.alerts.steps:Steps._write",
    "alerts caught up": "vxtray.core.alerts.desk:AlertDesk.catch_up",
    "alert times": "vxtray.core.alerts.desk:AlertDesk.due",
    "report made": "vxtray.core.reports.desk:ReportDesk._report",
    "report settled": "vxtray.core.reports.ledger:PeriodLedger.send",
    "reports asked for": "vxtray.core.reports.desk:ReportDesk.queue_due",
    "lines handed on": "vxtray.core.sources.follower:FileSource._hand_on",
    "lines queued": "vxtray.core.intake:Intake.emit",
    "chunk kept": "vxtray.core.intake:Intake._keep",
    "events stored": "vxtray.core.store.embedded:EmbeddedStore.append",
    "file synced": "os:fsync",
    "file replaced": "os:replace",
}
STATEMENT = "statement"

#: The points of a work, by its name; those of an import and of settings are few.
SERVE = [f"{name}, {side}" for name in FUNCTIONS if not name.startswith("file") for side in ("before", "after")]
SERVE.append(STATEMENT)
BURST = [point for point in SERVE if point.split(",")[0] in list(FUNCTIONS)[:7]] + [STATEMENT]
IMPORT = ["store opened, before", "store opened, after", "events stored, before", "events stored, after"]
SETTINGS = [f"{name}, {side}" for name in ("file synced", "file replaced") for side in ("before", "after")]


def arm(point: str, count: int) -> None:
    """Have this process kill itself at the ``count``-th time that it comes by a point."""
    left = count

    def passed(*_given: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if point == STATEMENT:
        _watch_statements(passed)
        return
    name, _comma, side = point.partition(", ")
    module, _colon, path = FUNCTIONS[name].partition(":")
    owner: Any = importlib.import_module(module)
    *outer, last = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    setattr(owner, last, _around(getattr(owner, last), passed if side == "before" else None, passed))


def _around(
    function: Callable[..., Any], before: Callable[[], None] | None, after: Callable[[], None]
) -> Callable[..., Any]:
    @functools.wraps(function)
    def called(*args: Any, **named: Any) -> Any:
        if before is not None:
            before()
            return function(*args, **named)
        found = function(*args, **named)
        after()
        return found

    return called


def _watch_statements(passed: Callable[[str], None]) -> None:
    from vxtray.core.mail import statefile

    connected = statefile._connected

    def watched(path: Any) -> sqlite3.Connection:
        db = connected(path)
        db.set_trace_callback(passed)
        return db

    statefile._connected = watched
