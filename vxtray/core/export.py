"""Writes found events to a file, as CSV for spreadsheets or as JSON lines for programs.

Runs on the thread that asks (``vx-task`` in the window). The file appears whole or not at all.
"""

import contextlib
import csv
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TextIO

import msgspec

from vxtray.core.errors import FileNotWritten
from vxtray.core.events import SecurityEvent
from vxtray.core.mail.plaintext import one_line
from vxtray.core.store import Cursor, EventQuery, EventStore

#: Events of one question to the store.
_PAGE = 10_000

#: A spreadsheet takes a cell that begins so for a formula, and a log may hold what an attacker wrote (CWE-1236).
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")

_LONGEST_CELL = 8192
_FIELDS = SecurityEvent.__struct_fields__


class ExportFormat(StrEnum):
    """How the file is written."""

    CSV = "csv"
    JSON_LINES = "jsonl"


def export_events(
    store: EventStore,
    query: EventQuery,
    path: Path,
    form: ExportFormat,
    *,
    progress: Callable[[int], None] | None = None,
    stop: threading.Event | None = None,
) -> int | None:
    """Write the events of a query, newest first; return how many, None where ``stop`` was set (no file is left then).

    Times are ISO 8601 in UTC. CSV is UTF-8 with a byte order mark, one line an event, formulas made harmless by an
    apostrophe. ``progress`` is told how many are written. Raises ``FileNotWritten``, ``StoreError``.
    """
    written = path.with_name(f"{path.name}.part")
    try:
        with written.open("w", encoding="utf-8-sig" if form is ExportFormat.CSV else "utf-8", newline="") as file:
            done = _write(file, _pages(store, query), form, progress, stop)
        if done is None:
            written.unlink()
        else:
            written.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            written.unlink()
        if isinstance(error, OSError):
            raise FileNotWritten(path=path, reason=error.strerror or str(error)) from error
        raise
    return done


def _pages(store: EventStore, query: EventQuery) -> Iterator[list[SecurityEvent]]:
    """Yield the events as they are now; what is stored meanwhile is left out, so that the end is reached."""
    query = msgspec.structs.replace(query, up_to_seq=query.up_to_seq or store.last_seq())
    after: Cursor | None = None
    while query.up_to_seq and (page := store.search(query, after=after, limit=_PAGE)):
        yield page
        after = Cursor(page[-1].at, page[-1].seq)


def _write(
    file: TextIO,
    pages: Iterator[list[SecurityEvent]],
    form: ExportFormat,
    progress: Callable[[int], None] | None,
    stop: threading.Event | None,
) -> int | None:
    done = 0
    table = csv.writer(file)
    if form is ExportFormat.CSV:
        table.writerow(_FIELDS)
    for page in pages:
        for event in page:
            if stop is not None and stop.is_set():
                return None
            if form is ExportFormat.CSV:
                table.writerow(_cells(event))
            else:
                file.write(msgspec.json.encode(event).decode() + "\n")
        done += len(page)
        if progress is not None:
            progress(done)
    return None if stop is not None and stop.is_set() else done


def _cells(event: SecurityEvent) -> list[object]:
    return [_cell(value) for value in msgspec.structs.astuple(event)]


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, str):
        return value
    text = one_line(str(value), _LONGEST_CELL)
    return f"'{text}" if text.startswith(_FORMULA) else text
