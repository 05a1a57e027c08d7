"""Single steps on the outbox's tables, each within a transaction of the caller.

Any thread may call (see ``statefile``).
"""

import sqlite3
from datetime import datetime

from vxtray.core.mail import backoff
from vxtray.core.mail.outcome import Outcome, Verdict
from vxtray.core.mail.records import PATIENT, URGENT, USUAL, Outgoing, Parcel, State, content
from vxtray.core.mail.statefile import as_text

#: Due: its time has come, or the clock was put back behind the moment when the wait began.
_DUE = "(next_try_at <= :now OR waits_since > :now)"

#: The next mail by kind: of alerts the newest, of reports the oldest.
_TURN = f"SELECT id FROM mails WHERE state = 'queued' AND rank = :rank AND {_DUE} ORDER BY id %s LIMIT 1"  # noqa: S608
#: A probe: the mail that was tried least, so that one that breaks the connection never stands in the way of all.
_PROBE = f"SELECT id FROM mails WHERE state = 'queued' AND {_DUE} ORDER BY tries, rank, id LIMIT 1"  # noqa: S608


def fact(db: sqlite3.Connection, name: str) -> str:
    """Return a remembered text, "" where there is none."""
    row = db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else ""


def next_in_turn(db: sqlite3.Connection, now: datetime, *, probing: bool) -> int | None:
    """Return the mail that is due and whose turn it is, None where none is."""
    moment = as_text(now)
    if probing:
        row = db.execute(_PROBE, {"now": moment}).fetchone()
        return int(row[0]) if row else None
    for rank in (URGENT, USUAL, PATIENT):
        query = _TURN % ("ASC" if rank == PATIENT else "DESC")
        if row := db.execute(query, {"now": moment, "rank": rank}).fetchone():
            return int(row[0])
    return None


class Unreadable(Exception):
    """A mail cannot be read from the disk any more."""


def parcel_of(db: sqlite3.Connection, mail: int) -> Parcel:
    """Return a mail. Raises ``Unreadable``."""
    row = db.execute("SELECT kind, subject, message_id, mail_from, tries FROM mails WHERE id = ?", (mail,)).fetchone()
    waiting = db.execute("SELECT address FROM recipients WHERE mail = ? AND state = 'queued'", (mail,)).fetchall()
    data = content(db, mail)
    if data is None or not waiting:
        raise Unreadable
    kind, subject, message_id, mail_from, tries = row
    return Parcel(
        id=mail,
        kind=kind,
        subject=subject,
        message_id=message_id,
        mail_from=mail_from,
        data=data,
        tries=tries,
        recipients=tuple(address for (address,) in waiting),
    )


def record(db: sqlite3.Connection, parcel: Parcel, outcome: Outcome, began: datetime, now: datetime) -> None:
    """Keep an attempt."""
    db.execute(
        "INSERT INTO attempts (mail, at, seconds, stage, outcome, reply, peer, mechanism, tls)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(parcel.id, as_text(began), max(0.0, (now - began).total_seconds()), outcome.stage, outcome.verdict),
            *(outcome.reply, outcome.peer, outcome.mechanism, outcome.tls),
        ),
    )


def count_round(db: sqlite3.Connection, parcel: Parcel, outcome: Outcome) -> None:
    """Count a try in vain; a failed probe counts for all that would have been tried."""
    if outcome.verdict in {Verdict.SERVER, Verdict.DOUBT}:
        db.execute("UPDATE mails SET rounds = rounds + 1 WHERE state = 'queued'")
    elif outcome.verdict in {Verdict.LATER, Verdict.SENT}:
        db.execute("UPDATE mails SET rounds = rounds + 1 WHERE state = 'queued' AND id = ?", (parcel.id,))


def expire(db: sqlite3.Connection, now: datetime) -> frozenset[int]:
    """Give up the mails that waited too long in vain; return which."""
    found = db.execute(
        "UPDATE mails SET state = 'expired', settled_at = ? WHERE state = 'queued' AND rounds >= ? AND added_at < ?"
        " RETURNING id",
        (as_text(now), backoff.FEWEST_TRIES, as_text(now - backoff.GIVE_UP_AFTER)),
    )
    return frozenset(mail for (mail,) in found)


def insert(db: sqlite3.Connection, mail: Outgoing, now: datetime) -> int:
    """Queue a mail and return its number, 0 where its key is known already."""
    rank = URGENT if mail.urgent else PATIENT if mail.kind == "report" else USUAL
    row = db.execute(
        "INSERT INTO mails (key, kind, subject, message_id, mail_from, added_at, state, next_try_at, waits_since, rank,"
        " resend_of) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING RETURNING id",
        (
            *(mail.key, mail.kind, mail.subject, mail.message_id, mail.mail_from, as_text(now)),
            *(State.HELD if mail.held else State.QUEUED, as_text(now), as_text(now), rank, mail.resend_of),
        ),
    ).fetchone()
    if row is None:
        return 0
    db.execute("INSERT INTO contents (mail, data) VALUES (?, ?)", (row[0], mail.data))
    db.executemany(
        "INSERT INTO recipients (mail, address) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(row[0], address) for address in mail.recipients],
    )
    return int(row[0])


def mark(db: sqlite3.Connection, mail: int, address: str, state: str, reply: str) -> None:
    """Say what became of a recipient."""
    db.execute(
        "UPDATE recipients SET state = ?, reply = ? WHERE mail = ? AND address = ?", (state, reply, mail, address)
    )
