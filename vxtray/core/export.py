"""Writes found events, or the mails, to a file: as CSV for spreadsheets or as JSON lines for programs.

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
from vxtray.core.mail.chronicle import BEGIN, END, Line, Sought
from vxtray.core.mail.happenings import facts, headline
from vxtray.core.mail.outbox import Entry, Outbox
from vxtray.core.mail.plaintext import one_line
from vxtray.core.store import Cursor, EventQuery, EventStore

#: Events of one question to the store.
_PAGE = 10_000
_LINES = 500

#: A spreadsheet takes a cell that begins so for a formula, and a log may hold what an attacker wrote (CWE-1236).
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")

_LONGEST_CELL = 8192
_FIELDS = SecurityEvent.__struct_fields__
_CHRONICLE = ("at", "what", "mail", "subject", "state", "recipients", "tries", "settled_at", "words", "message_id")


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
    return _whole(path, form, lambda file: _write(file, _pages(store, query), form, progress, stop))


def export_mails(outbox: Outbox, path: Path) -> int:
    """Write the outbox's mails as CSV, newest first, in the form of ``export_events``; return how many.

    Raises ``FileNotWritten``, ``StoreError``.
    """

    def write(file: TextIO) -> int:
        table, done, last = csv.writer(file), 0, 0
        table.writerow((*Entry.__struct_fields__, "recipients"))
        while page := outbox.search(before_id=last, limit=_PAGE):
            for entry in page:
                words = _people_in_words(outbox, entry.id)
                table.writerow([_cell(value) for value in (*msgspec.structs.astuple(entry), words)])
            done, last = done + len(page), page[-1].id
        return done

    return _whole(path, ExportFormat.CSV, write) or 0


def export_chronicle(
    outbox: Outbox,
    sought: Sought,
    path: Path,
    *,
    progress: Callable[[int], None] | None = None,
    stop: threading.Event | None = None,
) -> int | None:
    """Write the mails and happenings that are sought as CSV, newest first, in the form of ``export_events``.

    Returns how many, None where ``stop`` was set. Raises ``FileNotWritten``, ``StoreError``.
    """

    def write(file: TextIO) -> int | None:
        table, done, place = csv.writer(file), 0, BEGIN
        table.writerow(_CHRONICLE)
        while place != END:
            lines, place = outbox.chronicle(sought, place, _LINES)
            for line in lines:
                if stop is not None and stop.is_set():
                    return None
                table.writerow([_cell(value) for value in _chronicle_cells(outbox, line)])
            done += len(lines)
            if progress is not None:
                progress(done)
        return None if stop is not None and stop.is_set() else done

    return _whole(path, ExportFormat.CSV, write)


def _chronicle_cells(outbox: Outbox, line: Line) -> tuple[object, ...]:
    if (entry := line.entry) is not None:
        people = _people_in_words(outbox, entry.id)
        done = (entry.state, people, entry.tries, entry.settled_at, entry.reply, entry.message_id)
        return line.at, entry.kind, entry.id, entry.subject, *done
    assert line.happening is not None
    known = "; ".join(f"{name}: {value}" for name, value in facts(line.happening))
    return line.at, line.happening.what, "", headline(line.happening), "", "", "", "", known, ""


def _people_in_words(outbox: Outbox, mail: int) -> str:
    people = outbox.people(mail)
    return "; ".join(f"{address}: {state} {reply}".strip() for address, (state, reply) in people.items())


def _whole(path: Path, form: ExportFormat, write: Callable[[TextIO], int | None]) -> int | None:
    """Let a file appear whole or not at all. Raises ``FileNotWritten``."""
    written = path.with_name(f"{path.name}.part")
    try:
        with written.open("w", encoding="utf-8-sig" if form is ExportFormat.CSV else "utf-8", newline="") as file:
            done = write(file)
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
