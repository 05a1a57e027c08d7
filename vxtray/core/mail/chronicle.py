"""Mails and what else happened as one list, newest first: what the history page shows and an export writes.

Any thread may call (see ``statefile``). Mails stand where they were queued, so that nothing moves when one is settled.
"""

import heapq
import sqlite3
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from vxtray.core.mail.records import Entry, Happening, Records, State, detail_of, entry_of, like
from vxtray.core.mail.statefile import as_text


class Topic(StrEnum):
    """What a line is about."""

    ALERTS = "alerts"
    REPORTS = "reports"
    TESTS = "tests"
    SETTINGS = "settings"
    RUNS = "runs"
    PAUSES = "pauses"


class Standing(StrEnum):
    """How a mail stands, in the words of a person."""

    WAITING = "waiting"
    HELD = "held"
    SENT = "sent"
    PARTLY = "partly"  # sent, but not to all
    LOST = "lost"
    CANCELLED = "cancelled"


#: Kinds of mails and of happenings by topic.
_MAILS = {Topic.ALERTS: ("alert",), Topic.REPORTS: ("report",), Topic.TESTS: ("test",)}
_HAPPENINGS = {
    Topic.ALERTS: ("acknowledged", "storm", "storm_over"),
    Topic.REPORTS: ("skipped",),
    Topic.TESTS: ("tested",),
    Topic.SETTINGS: ("settings", "secret"),
    Topic.RUNS: ("started", "stopped"),
    Topic.PAUSES: ("paused", "resumed", "silenced", "unsilenced"),
}
_STATES = {
    Standing.WAITING: (State.QUEUED, State.SENDING),
    Standing.HELD: (State.HELD,),
    Standing.SENT: (State.SENT,),
    Standing.PARTLY: (State.SENT,),
    Standing.LOST: (State.FAILED, State.EXPIRED),
    Standing.CANCELLED: (State.CANCELLED,),
}

#: Recipients that a line names; it counts the others.
_NAMED = 3


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for; everything where nothing is said. ``until`` is exclusive.

    ``text`` stands in a subject, an address or the server's words, or in what was noted of a happening.
    """

    text: str = ""
    topic: Topic | None = None
    standing: Standing | None = None
    since: datetime | None = None
    until: datetime | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A mail (``entry``) or a happening, with its number among its own and the time by which it is listed (ISO, UTC).

    ``to`` names the first of ``people`` recipients; ``refused`` of them did not get it.
    """

    at: str
    number: int
    entry: Entry | None = None
    to: tuple[str, ...] = ()
    people: int = 0
    refused: int = 0
    happening: Happening | None = None

    @property
    def key(self) -> tuple[bool, int]:
        """What no other line has."""
        return self.entry is not None, self.number


class Place(msgspec.Struct, frozen=True):
    """How far a list has come: mails and happenings with these numbers and higher ones are on it."""

    mail: int
    noted: int


BEGIN = Place((1 << 63) - 1, (1 << 63) - 1)
END = Place(0, 0)


class Chronicle(Records):
    """Lists mails and happenings together."""

    def chronicle(self, sought: Sought, after: Place = BEGIN, limit: int = 200) -> tuple[list[Line], Place]:
        """Return the next lines and how far the list has come with them; it is complete at ``END``."""
        with self._reading() as db:
            mails = _mails(db, sought, "id < ?", [after.mail], limit)
            noted = _noted(db, sought, "id < ?", [after.noted], limit)
        lines = list(heapq.merge(mails, noted, key=lambda line: line.at, reverse=True))[:limit]
        taken = sum(line.entry is not None for line in lines)
        place = Place(_bound(mails, taken, after.mail, limit), _bound(noted, len(lines) - taken, after.noted, limit))
        return lines, place

    def chronicle_again(self, sought: Sought, down_to: Place, keep: int = 0) -> list[Line]:
        """Return the lines down to a place as they are now; the mail ``keep`` stays, whatever is sought."""
        with self._reading() as db:
            mails = _mails(db, sought, "id >= ?", [down_to.mail], -1, keep)
            noted = _noted(db, sought, "id >= ?", [down_to.noted], -1)
        return list(heapq.merge(mails, noted, key=lambda line: line.at, reverse=True))

    def chronicle_count(self, sought: Sought) -> int:
        """Return how many lines there are."""
        with self._reading() as db:
            found = 0
            for table, where, values in (("mails", *_mails_where(sought)), ("history", *_noted_where(sought))):
                found += db.execute(f"SELECT count(*) FROM {table} WHERE {where}", values).fetchone()[0]  # noqa: S608
            return found


def _bound(lines: list[Line], taken: int, before: int, limit: int) -> int:
    """Return the lowest number of a kind that is on the list, 0 where there are no further ones."""
    if taken == len(lines) < limit:
        return 0
    return lines[taken - 1].number if taken else min(lines[0].number + 1, before)


def _mails_where(sought: Sought) -> tuple[str, list[object]]:
    where, values = _bounded("added_at", sought)
    if sought.text:
        where.append(
            "(subject LIKE ? ESCAPE '\\' OR reply LIKE ? ESCAPE '\\' OR mail_from LIKE ? ESCAPE '\\' OR EXISTS"
            " (SELECT 1 FROM recipients WHERE mail = mails.id AND"
            " (address LIKE ? ESCAPE '\\' OR recipients.reply LIKE ? ESCAPE '\\')))"
        )
        values += [like(sought.text)] * 5
    if sought.topic is not None:
        where.append(_among("kind", _MAILS.get(sought.topic, ()), values))
    if sought.standing is not None:
        where.append(_among("state", _STATES[sought.standing], values))
    if sought.standing is Standing.PARTLY:
        where.append("EXISTS (SELECT 1 FROM recipients WHERE mail = mails.id AND recipients.state = 'failed')")
    return " AND ".join(where), values


def _noted_where(sought: Sought) -> tuple[str, list[object]]:
    where, values = _bounded("at", sought)
    if sought.text:
        where.append("(what LIKE ? ESCAPE '\\' OR detail LIKE ? ESCAPE '\\')")
        values += [like(sought.text)] * 2
    if sought.topic is not None:
        where.append(_among("what", _HAPPENINGS.get(sought.topic, ()), values))
    if sought.standing is not None:  # only mails stand anyhow
        where.append("0")
    return " AND ".join(where), values


def _bounded(column: str, sought: Sought) -> tuple[list[str], list[object]]:
    where, values = ["1"], list[object]()
    for condition, moment in ((f"{column} >= ?", sought.since), (f"{column} < ?", sought.until)):
        if moment is not None:
            where.append(condition)
            values.append(as_text(moment))
    return where, values


def _among(column: str, names: tuple[str, ...], values: list[object]) -> str:
    values += map(str, names)
    return f"{column} IN ({', '.join('?' * len(names))})"


_ENTRY = ", ".join(Entry.__struct_fields__)
_PEOPLE = f"""
    (SELECT count(*) FROM recipients WHERE mail = mails.id),
    (SELECT count(*) FROM recipients WHERE mail = mails.id AND recipients.state = 'failed'),
    (SELECT group_concat(address, char(10)) FROM
        (SELECT address FROM recipients WHERE mail = mails.id LIMIT {_NAMED}))"""  # noqa: S608 - own names


def _mails(
    db: sqlite3.Connection, sought: Sought, place: str, values: list[Any], limit: int, keep: int = 0
) -> list[Line]:
    where, more = _mails_where(sought)
    query = (
        f"SELECT {_ENTRY}, {_PEOPLE} FROM mails WHERE {place} AND (({where}) OR id = ?)"  # noqa: S608 - own names
        " ORDER BY id DESC LIMIT ?"
    )
    lines = []
    for row in db.execute(query, (*values, *more, keep, limit)):
        *fields, people, refused, to = row
        entry = entry_of(tuple(fields))
        named = tuple((to or "").split("\n"))
        lines.append(Line(at=entry.added_at, number=entry.id, entry=entry, to=named, people=people, refused=refused))
    return lines


def _noted(db: sqlite3.Connection, sought: Sought, place: str, values: list[Any], limit: int) -> list[Line]:
    where, more = _noted_where(sought)
    query = f"SELECT id, at, what, detail FROM history WHERE {place} AND {where} ORDER BY id DESC LIMIT ?"  # noqa: S608
    return [
        Line(at=at, number=number, happening=Happening(at=at, what=what, detail=detail_of(detail)))
        for number, at, what, detail in db.execute(query, (*values, *more, limit))
    ]
