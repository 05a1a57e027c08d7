"""The SQL behind ``search`` and ``count`` of the embedded store.

Runs on the thread that asks, on a cursor of its own. A page is found by time and seq, never by counting rows off: the
engine keeps the best few rows of a scan that its zone maps cut short, so the last page costs as little as the first.
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

import msgspec

from vxtray.core.events import SecurityEvent, Severity
from vxtray.core.store import Cursor, EventQuery, Found
from vxtray.core.store.queries import naive_utc
from vxtray.core.store.rows import COLUMNS, to_event

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_Values = dict[str, object]

#: Rows made into Python values at a time: the engine holds the interpreter for so long.
_CHUNK = 250

#: Events in which a text is looked for first, and how much larger the next slice is, unless this one took too long.
_FIRST_SLICE = 60_000
_GROWTH = 4.0
_LONG_SECONDS = 0.15

#: Largest slice; half as many more are looked through in one go, since to find a slice's end is to sort the times.
_MOST = 500_000

_TEXTS = ("rule_name", "message", "target_host", "target_url", '"user"', "rule_id", "src_ip", "dst_ip")
_HAS_TEXT = "(" + " OR ".join(f"contains(lower({column}), lower($text))" for column in _TEXTS) + ")"
#: The same for a text without letters, such as an address: twice as fast.
_HAS_PLAIN_TEXT = "(" + " OR ".join(f"contains({column}, $text)" for column in _TEXTS) + ")"


def _groups(side: int) -> str:
    part = f"string_split(split_part(src_ip, '::', {side}), ':')"
    return f"array_to_string(list_transform({part}, lambda g: CASE WHEN g = '' THEN '' ELSE lpad(g, 4, '0') END), '')"


#: The 32 hexadecimal digits of an IPv6 address, so that a network is a beginning of them.
_DIGITS = (
    f"({_groups(1)} || repeat('0', greatest(32 - length({_groups(1)}) - length({_groups(2)}), 0)) || {_groups(2)})"
)


def look(cursor: "DuckDBPyConnection", query: EventQuery, after: Cursor | None, limit: int, seconds: float) -> Found:
    """Return what is found in about so many seconds, newest first, and where to go on.

    A text is looked for in the newest events, then in those before: most pages are full before all is read. As a slice
    ends with a moment, what was found is all there is that is newer.
    """
    where, values = _conditions(msgspec.structs.replace(query, text=""))
    if after is not None:
        where.append('"at" <= $last_at AND ("at" < $last_at OR seq < $last_seq)')
        values |= {"last_at": naive_utc(after.at), "last_seq": after.seq}
    if limit <= 0:
        return Found([], after)
    if not query.text:
        return _answer(_page(cursor, where, values, limit), limit)
    size = after.pace if after is not None and after.pace else _FIRST_SLICE
    return _look_for(cursor, _storable(query.text), where, values, limit, seconds, size)


def _look_for(
    cursor: "DuckDBPyConnection", text: str, where: list[str], values: _Values, limit: int, seconds: float, size: int
) -> Found:
    events: list[SecurityEvent] = []
    began = time.monotonic()
    while True:
        slice_began = time.monotonic()
        oldest = _oldest(cursor, where, values, size)
        bounds = [_has(text)] if oldest is None else [_has(text), '"at" >= $oldest']
        given: _Values = {"text": text} if oldest is None else {"text": text, "oldest": oldest}
        events += _page(cursor, where + bounds, values | given, limit - len(events))
        if oldest is None or len(events) == limit:
            return _answer(events, limit)
        now = time.monotonic()
        swift = now - slice_began < min(seconds, _LONG_SECONDS)
        size = min(round(size * _GROWTH), _MOST) if swift else max(size // 2, _FIRST_SLICE)
        if now - began > seconds:
            return Found(events, Cursor(oldest.replace(tzinfo=UTC), 0, size))
        if "before" not in values:
            where = [*where, '"at" < $before']
        values = values | {"before": oldest}


def _answer(events: list[SecurityEvent], limit: int) -> Found:
    full = len(events) == limit
    return Found(events, Cursor(events[-1].at, events[-1].seq) if full else None)


def _page(cursor: "DuckDBPyConnection", where: list[str], values: _Values, limit: int) -> list[SecurityEvent]:
    sql = f'SELECT {COLUMNS} FROM events WHERE {" AND ".join(where)} ORDER BY "at" DESC, seq DESC LIMIT $limit'  # noqa: S608 - only constants are put in
    cursor.execute(sql, values | {"limit": limit})
    events: list[SecurityEvent] = []
    while rows := cursor.fetchmany(_CHUNK):
        events += map(to_event, rows)
    return events


def _oldest(cursor: "DuckDBPyConnection", where: list[str], values: _Values, size: int) -> datetime | None:
    """Return the time of the last of the newest ``size`` events, None where there are not many more."""
    condition = " AND ".join(where)
    if size > _FIRST_SLICE:
        left = cursor.execute(f"SELECT count(*) FROM events WHERE {condition}", values).fetchone()  # noqa: S608 - only constants are put in
        if left and left[0] <= size * 3 // 2:
            return None
    newest = f'SELECT "at" FROM events WHERE {condition} ORDER BY "at" DESC LIMIT $size'  # noqa: S608 - likewise
    row = cursor.execute(f'SELECT min("at"), count(*) FROM ({newest})', values | {"size": size}).fetchone()  # noqa: S608 - likewise
    return row[0] if row and row[1] == size else None


def count(cursor: "DuckDBPyConnection", query: EventQuery) -> int:
    """Return how many events there are."""
    where, values = _conditions(query)
    row = cursor.execute(f"SELECT count(*) FROM events WHERE {' AND '.join(where)}", values).fetchone()  # noqa: S608 - only constants are put in
    return int(row[0]) if row else 0


def _conditions(query: EventQuery) -> tuple[list[str], _Values]:
    """Return conditions and the values of their parameters; what a person typed is always a parameter."""
    given: tuple[tuple[str, str, object], ...] = (
        ('"at" >= $since', "since", query.since and naive_utc(query.since)),
        ('"at" < $until', "until", query.until and naive_utc(query.until)),
        ("seq > $after_seq", "after_seq", query.after_seq),
        ("seq <= $up_to_seq", "up_to_seq", query.up_to_seq),
        ("(rule_name = $rule OR rule_id = $rule)", "rule", _storable(query.rule)),
        (_has(query.text), "text", _storable(query.text)),
    )
    where = ["true", *(condition for condition, _name, value in given if value)]
    values: _Values = {name: value for _condition, name, value in given if value}
    if query.categories:
        where.append(f"category IN {_listed(query.categories)}")
    if query.actions:
        where.append(f"action IN {_listed(query.actions)}")
    if query.severity is not None:
        least = query.severity.rank
        where.append(f"severity IN {_listed(one for one in Severity if one.rank >= least)}")
    if source := _storable(query.source).strip():
        condition, found_values = _source(source)
        where.append(condition)
        values |= found_values
    return where, values


def _has(text: str) -> str:
    return _HAS_PLAIN_TEXT if text.isascii() and text.lower() == text.upper() else _HAS_TEXT


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")  # the engine refuses lone surrogates


def _listed(values: Iterable[str]) -> str:
    return "(" + ", ".join(f"'{value!s}'" for value in sorted(values)) + ")"


def _source(text: str) -> tuple[str, _Values]:
    """Return the condition for an address, a network, or the beginning of an address."""
    try:
        if "/" not in text:
            return "src_ip IN ($source, $written)", {"source": str(ip_address(text)), "written": text}
        network = ip_network(text, strict=False)
    except ValueError:
        return "starts_with(lower(src_ip), lower($source))", {"source": text}
    return _in_network(network)


def _in_network(network: IPv4Network | IPv6Network) -> tuple[str, _Values]:
    """Return the condition for a network: whole octets or digits as a text, and the range of the one that is cut."""
    first, last = network.network_address, network.broadcast_address
    if isinstance(network, IPv4Network):
        whole, cut = divmod(network.prefixlen, 8)
        beginning = "".join(f"{octet}." for octet in first.packed[:whole])
        condition = "NOT contains(src_ip, ':') AND contains(src_ip, '.')"
        if whole == 4:
            return "src_ip = $source", {"source": str(first)}
        condition += " AND starts_with(src_ip, $source)"
        values: _Values = {"source": beginning}
        if cut:
            condition += f" AND try_cast(split_part(src_ip, '.', {whole + 1}) AS INTEGER) BETWEEN $low AND $high"
            values |= {"low": first.packed[whole], "high": last.packed[whole]}
        return condition, values
    low, high = (address.packed.hex() for address in (first, last))
    digits = -(-network.prefixlen // 4)
    condition = (
        f"CASE WHEN contains(src_ip, ':') THEN left(lower({_DIGITS}), {digits}) BETWEEN $low AND $high ELSE false END"
    )
    return condition, {"low": low[:digits], "high": high[:digits]}
