"""From events to columns of the table, and from a row back to an event.

Pure, any thread and process. What a log says is bounded here, so that no line can fill the disk and no odd number or
byte can make the engine refuse the batch that it is in.
"""

from array import array
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from operator import attrgetter
from typing import Any

from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.store import Rows
from vxtray.core.store.arrow import INT32, INT64, MICROSECONDS, TEXT, Table

#: Of the table ``events``, in the order of ``to_event``.
COLUMNS = (
    'seq, "at", source, category::VARCHAR, action::VARCHAR, severity::VARCHAR, src_ip, src_port, country, dst_ip,'
    ' dst_port, target_host, target_url, "user", rule_id, rule_name, message, score'
)

#: Longest text of a field, in characters; the rest is cut off.
MOST_TEXT = 512
#: Longest ``message`` and ``target_url``.
MOST_LONG_TEXT = 4096

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MOST_PORT = 65535
_MOST_SCORE = 2**31 - 1


def pack(events: Sequence[SecurityEvent]) -> Rows:
    """Return events as columns; raises ``ValueError`` for a time without a zone."""
    return Rows(len(events), [make(list(map(value, events))) for _name, _kind, value, make in _COLUMNS])


def table(blocks: Sequence[Rows], first: int) -> Table:
    """Return packed events for the engine to read, numbered from ``first`` on; the order is that of the table."""
    batches = []
    for block in blocks:
        numbers = array("q", range(first, first + block.count)).tobytes()
        batches.append((block.count, [(numbers,), *block.columns]))
        first += block.count
    return Table([(b"seq", INT64), *((name.encode(), kind) for name, kind, *_ in _COLUMNS)], batches)


def to_event(row: Sequence[Any]) -> SecurityEvent:
    """Return the event of a row of ``COLUMNS``."""
    return SecurityEvent(
        seq=row[0],
        at=row[1].replace(tzinfo=UTC),
        source=row[2],
        category=Category(row[3]),
        action=Action(row[4]),
        severity=Severity(row[5]),
        src_ip=row[6],
        src_port=row[7],
        country=row[8],
        dst_ip=row[9],
        dst_port=row[10],
        target_host=row[11],
        target_url=row[12],
        user=row[13],
        rule_id=row[14],
        rule_name=row[15],
        message=row[16],
        score=row[17],
    )


# --- columns ----------------------------------------------------------------------------------------------------------


def _times(values: list[datetime]) -> tuple[bytes, ...]:
    if any(at.tzinfo is None for at in values):
        raise ValueError("a time without a time zone")
    return (array("q", [(at - _EPOCH) // _MICROSECOND for at in values]).tobytes(),)


def _ports(values: list[int]) -> tuple[bytes, ...]:
    if values and not 0 <= min(values) <= max(values) <= _MOST_PORT:
        values = [port if 0 <= port <= _MOST_PORT else 0 for port in values]
    return (array("i", values).tobytes(),)


def _scores(values: list[int | None]) -> tuple[bytes, ...]:
    """Return which scores are there, a bit for each, and the scores."""
    there = bytearray((len(values) + 7) // 8)
    numbers = array("i", bytes(4 * len(values)))
    for index, score in enumerate(values):
        if score is not None:
            there[index >> 3] |= 1 << (index & 7)
            numbers[index] = max(min(score, _MOST_SCORE), -_MOST_SCORE)
    return bytes(there), numbers.tobytes()


def _texts(values: list[str], most: int = MOST_TEXT) -> tuple[bytes, ...]:
    """Return where each text begins, and all texts in a row."""
    lengths = list(map(len, values))
    if lengths and max(lengths) > most:
        values = [text[:most] for text in values]
        lengths = list(map(len, values))
    joined = "".join(values)
    if joined.isascii():
        return array("i", accumulate(lengths, initial=0)).tobytes(), joined.encode()
    # Bytes that were no UTF-8 reach us as lone surrogates, which the engine refuses.
    encoded = [text.encode("utf-8", "replace") for text in values]
    return array("i", accumulate(map(len, encoded), initial=0)).tobytes(), b"".join(encoded)


def _long_texts(values: list[str]) -> tuple[bytes, ...]:
    return _texts(values, MOST_LONG_TEXT)


#: After ``seq``: name, kind, what an event has there, and how a column is made of that.
_COLUMNS: tuple[tuple[str, bytes, Callable[[SecurityEvent], Any], Callable[[list[Any]], tuple[bytes, ...]]], ...] = (
    ("at", MICROSECONDS, attrgetter("at"), _times),
    *((name, TEXT, attrgetter(name), _texts) for name in ("source", "category", "action", "severity", "src_ip")),
    ("src_port", INT32, attrgetter("src_port"), _ports),
    *((name, TEXT, attrgetter(name), _texts) for name in ("country", "dst_ip")),
    ("dst_port", INT32, attrgetter("dst_port"), _ports),
    ("target_host", TEXT, attrgetter("target_host"), _texts),
    ("target_url", TEXT, attrgetter("target_url"), _long_texts),
    *((name, TEXT, attrgetter(name), _texts) for name in ("user", "rule_id", "rule_name")),
    ("message", TEXT, attrgetter("message"), _long_texts),
    ("score", INT32, attrgetter("score"), _scores),
)
