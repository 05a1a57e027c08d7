"""From an event to a row of the table and back.

Pure, any thread. What a log says is bounded here, so that no line can fill the disk and no odd number or byte can make
the engine refuse the batch that it is in.
"""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.store.queries import naive_utc

#: Of the table ``events``, in the order of ``to_event``.
COLUMNS = (
    'seq, "at", source, category::VARCHAR, action::VARCHAR, severity::VARCHAR, src_ip, src_port, country, dst_ip,'
    ' dst_port, target_host, target_url, "user", rule_id, rule_name, message, score'
)

#: Longest text of a field, in characters; the rest is cut off.
MOST_TEXT = 512
#: Longest ``message`` and ``target_url``.
MOST_LONG_TEXT = 4096

_MOST_PORT = 65535
_MOST_SCORE = 2**31 - 1


def to_row(event: SecurityEvent) -> tuple[object, ...]:
    """Return the columns after ``seq``; raises ``ValueError`` for a time without a zone."""
    return (
        naive_utc(event.at),
        _text(event.source),
        event.category.value,
        event.action.value,
        event.severity.value,
        _text(event.src_ip),
        _port(event.src_port),
        _text(event.country),
        _text(event.dst_ip),
        _port(event.dst_port),
        _text(event.target_host),
        _text(event.target_url, MOST_LONG_TEXT),
        _text(event.user),
        _text(event.rule_id),
        _text(event.rule_name),
        _text(event.message, MOST_LONG_TEXT),
        None if event.score is None else max(min(event.score, _MOST_SCORE), -_MOST_SCORE),
    )


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


def _text(text: str, most: int = MOST_TEXT) -> str:
    text = text[:most]
    # Bytes that were no UTF-8 reach us as lone surrogates, which DuckDB refuses.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _port(port: int) -> int:
    return port if 0 <= port <= _MOST_PORT else 0
