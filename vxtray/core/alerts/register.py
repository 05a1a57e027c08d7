"""Incidents, what they gathered and the mails that told it, as tables in the outbox's file (layout: ``mail.schema``).

Every function works on a connection of the outbox, changes within a transaction of the caller; any thread.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from vxtray.core.alerts.accounts import Told
from vxtray.core.alerts.incidents import Folded, Incident, Key, Kind, Move, Tally, TopRow
from vxtray.core.alerts.rules import Rule
from vxtray.core.events import Severity
from vxtray.core.mail.statefile import as_text

#: Closed incidents are kept as long as the lines of the history.
_KEPT = timedelta(days=400)

_TOP = 10

_BY_RANK = {severity.rank: severity for severity in Severity}

_COLUMNS = (
    *("id", "shape", "urgent", "opened_at", "last_at", "rule", "source", "target", "why", "silence", "title"),
    *("severity", "events", "untold", "mails", "next_at", "acknowledged_at", "closed_at"),
)
_INCIDENT = ", ".join(_COLUMNS)
_PUT = (
    f"INSERT INTO incidents ({_INCIDENT}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - own names
    f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS[1:])}"
)

_ADD = """
    country = ifnull(nullif(excluded.country, ''), country),
    severity = max(severity, excluded.severity),
    events = events + excluded.events,
    blocked = blocked + excluded.blocked,
    first_at = min(first_at, excluded.first_at),
    last_at = max(last_at, excluded.last_at),
    first_seq = min(first_seq, excluded.first_seq),
    last_seq = max(last_seq, excluded.last_seq)"""
_COUNT = f"INSERT INTO tallies VALUES (?, 0{', ?' * 12}) ON CONFLICT DO UPDATE SET {_ADD}"  # noqa: S608 - own names
_MOVE = f"""INSERT INTO tallies SELECT :into, letter, rule, source, target, what, country, severity, events, blocked,
    first_at, last_at, first_seq, last_seq FROM tallies WHERE incident = :incident AND letter = 0
    ON CONFLICT DO UPDATE SET {_ADD}"""  # noqa: S608 - own names

_SUMS = """SELECT sum(events), sum(blocked), min(first_at), max(last_at), max(severity), count(DISTINCT
    nullif(source, '')), count(DISTINCT nullif(what, '')), count(DISTINCT nullif(target, '')) FROM tallies WHERE """
_RANKING = """SELECT {name}, sum(events) AS count, sum(blocked), {country}, max(severity) FROM tallies WHERE {where}
    GROUP BY {name} ORDER BY count DESC, {name} LIMIT {limit}"""


# --- in --------------------------------------------------------------------------------------------------------------


def put(db: sqlite3.Connection, incidents: Iterable[Incident]) -> None:
    """Write incidents as they stand."""
    db.executemany(_PUT, [_row(incident) for incident in incidents])


def count(db: sqlite3.Connection, folded: Mapping[int, Iterable[Tally]]) -> None:
    """Count events with incidents, as not yet told."""
    db.executemany(_COUNT, [_counted(incident, one) for incident, tallies in folded.items() for one in tallies])


def move(db: sqlite3.Connection, step: Move) -> None:
    """Let what one incident has not told be told by another."""
    db.execute(_MOVE, {"incident": step.incident, "into": step.into})
    db.execute("DELETE FROM tallies WHERE incident = ? AND letter = 0", (step.incident,))


def tell(db: sqlite3.Connection, incident: int, number: int) -> None:
    """Let a mail of an incident tell all that was not told yet."""
    db.execute("UPDATE tallies SET letter = ? WHERE incident = ? AND letter = 0", (number, incident))


def told(db: sqlite3.Connection, incident: int, number: int, mail: int, kind: Kind, at: datetime, events: int) -> None:
    """Record the mail that was made."""
    db.execute("INSERT INTO letters VALUES (?, ?, ?, ?, ?, ?)", (incident, number, mail, kind, as_text(at), events))


def answered(db: sqlite3.Connection, incident: int) -> tuple[str, tuple[str, ...]]:
    """Return what the next mail of an incident goes on from: the first subject, the first and the last Message-ID."""
    row = db.execute(
        "SELECT ifnull(subject, ''), thread, last_message_id FROM incidents"
        " LEFT JOIN letters ON incident = incidents.id AND number = 1 LEFT JOIN mails ON mails.id = mail"
        " WHERE incidents.id = ?",
        (incident,),
    ).fetchone()
    subject, *names = row or ("",)
    return subject, tuple(dict.fromkeys(name for name in names if name))


def condition_told(db: sqlite3.Connection, outbox: str, conversation: int) -> tuple[str, tuple[str, ...]]:
    """Return what the next mail about a condition goes on from, as ``answered`` does."""
    found = db.execute(
        "SELECT subject, message_id FROM mails WHERE key >= ? AND key < ? ORDER BY id",
        (f"alert:{outbox}:condition:{conversation}:", f"alert:{outbox}:condition:{conversation};"),
    ).fetchall()
    if not found:
        return "", ()
    return found[0][0], tuple(dict.fromkeys((found[0][1], found[-1][1])))


def sent_as(db: sqlite3.Connection, incident: int, message_id: str) -> None:
    """Remember the Message-ID of an incident's newest mail."""
    db.execute(
        "UPDATE incidents SET thread = iif(thread = '', :name, thread), last_message_id = :name WHERE id = :incident",
        {"name": message_id, "incident": incident},
    )


def acknowledge(db: sqlite3.Connection, incident: int | None, now: datetime) -> list[int]:
    """Mark an incident, or all, as known; return which were not before."""
    found = db.execute(
        "UPDATE incidents SET acknowledged_at = ? WHERE acknowledged_at = '' AND (id = ? OR ? IS NULL) RETURNING id",
        (as_text(now), incident, incident),
    )
    return [number for (number,) in found.fetchall()]


def forget_old(db: sqlite3.Connection, now: datetime) -> int:
    """Delete what was closed long ago; return how many incidents."""
    oldest = (as_text(now - _KEPT),)
    old = "SELECT id FROM incidents WHERE closed_at != '' AND closed_at < ?"
    db.execute(f"DELETE FROM tallies WHERE incident IN ({old})", oldest)  # noqa: S608 - own names
    db.execute(f"DELETE FROM letters WHERE incident IN ({old})", oldest)  # noqa: S608 - own names
    return db.execute("DELETE FROM incidents WHERE closed_at != '' AND closed_at < ?", oldest).rowcount


# --- out -------------------------------------------------------------------------------------------------------------


def still_open(db: sqlite3.Connection) -> list[Incident]:
    """Return the incidents that are not closed, in their order."""
    found = db.execute(f"SELECT {_INCIDENT} FROM incidents WHERE closed_at = '' ORDER BY id")  # noqa: S608 - own names
    return [_incident(row) for row in found]


def last_number(db: sqlite3.Connection) -> int:
    """Return the highest number of an incident, 0 where there is none."""
    return int(db.execute("SELECT ifnull(max(id), 0) FROM incidents").fetchone()[0])


def titles(db: sqlite3.Connection, incidents: Iterable[int]) -> list[str]:
    """Return what some incidents are called."""
    query = "SELECT title FROM incidents WHERE id = ?"
    return [title for number in incidents for (title,) in db.execute(query, (number,))]


def newest(db: sqlite3.Connection, limit: int, *, severity: Severity | None = None) -> list[Incident]:
    """Return incidents, newest first, of one severity where it is given."""
    found = db.execute(
        f"SELECT {_INCIDENT} FROM incidents WHERE severity = ifnull(?, severity)"  # noqa: S608 - own names
        " ORDER BY id DESC LIMIT ?",
        (severity, limit),
    )
    return [_incident(row) for row in found]


def unacknowledged(db: sqlite3.Connection, since: datetime) -> int:
    """Count the incidents of severity high and above that nobody acknowledged: open, or met since a moment."""
    grave = [str(severity) for severity in Severity if severity.rank >= Severity.HIGH.rank]
    (found,) = db.execute(
        f"SELECT count(*) FROM incidents WHERE (closed_at = '' OR closed_at >= ?) AND acknowledged_at = ''"  # noqa: S608
        f" AND (closed_at = '' OR last_at >= ?) AND severity IN ({', '.join('?' * len(grave))})",
        (as_text(since), as_text(since), *grave),
    ).fetchone()
    return int(found)


def letters(db: sqlite3.Connection, limit: int) -> list[Told]:
    """Return the mails that were made, newest first."""
    found = db.execute(
        "SELECT mail, incident, number, letters.kind, at, ifnull(subject, ''), ifnull(state, ''), letters.events,"
        " title, severity FROM letters JOIN incidents ON incidents.id = incident LEFT JOIN mails ON mails.id = mail"
        " ORDER BY mail DESC LIMIT ?",
        (limit,),
    )
    return [
        Told(
            mail=mail,
            incident=incident,
            number=number,
            kind=Kind(kind),
            at=datetime.fromisoformat(at),
            subject=subject,
            state=state,
            events=events,
            title=title,
            severity=Severity(severity),
        )
        for mail, incident, number, kind, at, subject, state, events, title, severity in found
    ]


def folded(db: sqlite3.Connection, incident: int, letter: int | None = None) -> Folded | None:
    """Return what an incident, or one of its mails, tells (letter 0: what was not told yet); None for nothing."""
    where, values = "incident = ?", [incident]
    if letter is not None:
        where, values = f"{where} AND letter = ?", [incident, letter]
    events, blocked, first, last, severity, sources, rules, targets = db.execute(_SUMS + where, values).fetchone()
    if events is None:
        return None

    def ranking(name: str, country: str = "''") -> tuple[TopRow, ...]:
        query = _RANKING.format(name=name, country=country, where=where, limit=_TOP)
        return tuple(
            TopRow(name=name, events=events, blocked=blocked, country=country, severity=_BY_RANK[rank])
            for name, events, blocked, country, rank in db.execute(query, values)
        )

    reasons = db.execute(
        f"SELECT rule, sum(events) AS count FROM tallies WHERE {where} GROUP BY rule ORDER BY count DESC, rule",  # noqa: S608
        values,
    )
    return Folded(
        events=events,
        blocked=blocked,
        sources=sources,
        rules=rules,
        targets=targets,
        first_at=datetime.fromisoformat(first),
        last_at=datetime.fromisoformat(last),
        severity=_BY_RANK[severity],
        top_sources=ranking("source", "max(country)"),
        top_rules=ranking("what"),
        top_targets=ranking("target"),
        reasons=tuple((Rule(rule), events) for rule, events in reasons),
    )


# --- rows ------------------------------------------------------------------------------------------------------------


def _row(incident: Incident) -> tuple[object, ...]:
    key = incident.key or Key(rule=Rule.CRITICAL)
    return (
        *(incident.id, incident.shape, incident.urgent, as_text(incident.opened_at), as_text(incident.last_at)),
        *((key.rule, key.source, key.target) if incident.key is not None else ("", "", "")),
        *(incident.why or "", incident.silence, incident.title, incident.severity, incident.events, incident.untold),
        *(incident.mails, _moment(incident.next_at), _moment(incident.acknowledged_at), _moment(incident.closed_at)),
    )


def _moment(moment: datetime | None) -> str:
    return as_text(moment) if moment is not None else ""


def _incident(row: tuple[object, ...]) -> Incident:
    of = {name: value for name, value in zip(_COLUMNS, row, strict=True) if value != ""}
    if "rule" in of:
        of["key"] = {name: of.get(name, "") for name in ("rule", "source", "target")}
    return msgspec.convert(of, Incident, strict=False)  # truth is a number in SQLite


def _counted(incident: int, tally: Tally) -> tuple[object, ...]:
    return (
        *(incident, tally.rule, tally.source, tally.target, tally.what, tally.country, tally.severity.rank),
        *(tally.events, tally.blocked, as_text(tally.first_at), as_text(tally.last_at)),
        *(tally.first_seq, tally.last_seq),
    )
