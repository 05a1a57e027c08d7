"""What stands in the outbox's file, read: mails with their recipients and attempts, counts, and the history.

Any thread may call (see ``statefile``). Rows that cannot be read are left out, never fatal.
"""

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from vxtray.core.errors import N_, UsageError
from vxtray.core.mail.outcome import Outcome
from vxtray.core.mail.statefile import StateFile, as_text


class State(StrEnum):
    """Where a mail stands."""

    QUEUED = "queued"
    HELD = "held"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


#: What is over, unless a person acts.
SETTLED = (State.SENT, State.FAILED, State.EXPIRED, State.CANCELLED)


#: Critical alerts, other alerts and mails, reports: each before the next.
URGENT, USUAL, PATIENT = 0, 1, 2

_KEPT_DAYS = 400
_KEPT_ROWS = 100_000


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A mail to be queued. ``key`` makes it unique for ever; ``data`` is the message as it goes over the wire.

    ``urgent``: it leaves before everything else. ``resend_of`` is the mail whose content it repeats, 0 for none.
    """

    key: str
    kind: str
    subject: str
    message_id: str
    mail_from: str
    recipients: tuple[str, ...]
    data: bytes
    held: bool = False
    urgent: bool = False
    resend_of: int = 0


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A mail in hand: what is still to be delivered, to whom."""

    id: int
    kind: str
    subject: str
    message_id: str
    mail_from: str
    recipients: tuple[str, ...]
    data: bytes
    tries: int


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt, as told to the outside; ``expired`` counts other mails that were given up with it."""

    parcel: Parcel
    outcome: Outcome
    state: State
    expired: int = 0


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A mail as listed."""

    id: int
    key: str
    kind: str
    subject: str
    message_id: str
    mail_from: str
    added_at: str
    state: str
    next_try_at: str
    settled_at: str
    reply: str
    tries: int
    resend_of: int


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How sending goes: ``waiting`` counts queued mails, ``failing_since`` is the first failure of these after the last
    success, and ``worked_at`` when mails last began to leave, after whatever failure came before (both aware, UTC).
    """

    waiting: int
    failing_since: datetime | None = None
    worked_at: datetime | None = None


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the history: ``at`` (ISO 8601, UTC), ``what`` (started, stopped, settings, secret, paused, ...).

    ``mail`` is the mail that was settled, 0 for everything else; ``detail`` depends on ``what``.
    """

    at: str
    what: str
    detail: dict[str, Any]
    mail: int = 0


_ENTRY = ", ".join(Entry.__struct_fields__)

#: Attempts that brought nothing, though it was not the mail's own fault.
_FAILURES = ", ".join(f"'{verdict}'" for verdict in ("server", "rate", "account", "later", "doubt"))
#: By number, not by time: the clock may have been set. A failure farther back than these attempts is not looked for.
_FAR = 1000
#: By the index on the state: those that were sent are many, and need no counting.
_COUNTS = """
SELECT state, count(*) FROM mails WHERE state IN ('queued', 'sending', 'held', 'failed', 'expired') GROUP BY state
"""
_LAST_SENT = "SELECT max(id) FROM attempts WHERE outcome = 'sent'"
_FIRST_SENT_AGAIN = f"""
    SELECT at, seconds FROM attempts WHERE outcome = 'sent' AND id <= :last AND id > max(:last - {_FAR}, ifnull((
        SELECT max(id) FROM attempts WHERE id < :last AND id > :last - {_FAR} AND outcome IN ({_FAILURES})), 0))
    ORDER BY id LIMIT 1"""  # noqa: S608 - own words
_FIRST_FAILURE = f"""
    SELECT at FROM attempts WHERE id > :last AND outcome IN ({_FAILURES})
        AND (SELECT state FROM mails WHERE id = attempts.mail) IN ('queued', 'sending') ORDER BY id LIMIT 1"""  # noqa: S608


class Records(StateFile):
    """Reads the mails, and keeps the history."""

    # --- mails -------------------------------------------------------------------------------------------------------

    def entries(self, limit: int = 100) -> list[Entry]:
        """Return the mails, newest first."""
        return self.search(limit=limit)

    def search(
        self,
        text: str = "",
        *,
        states: Iterable[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        before_id: int = 0,
        limit: int = 100,
    ) -> list[Entry]:
        """Return mails, newest first; the next page begins with ``before_id`` set to the last one's id.

        ``text`` stands in the subject, a recipient, an address or the server's words; ``since`` and ``until`` (end
        exclusive) are when the mail was queued.
        """
        where, values = ["1"], list[object]()
        if text:
            pattern = like(text)
            where.append(
                "(subject LIKE ? ESCAPE '\\' OR reply LIKE ? ESCAPE '\\' OR mail_from LIKE ? ESCAPE '\\' OR EXISTS"
                " (SELECT 1 FROM recipients WHERE mail = mails.id AND"
                " (address LIKE ? ESCAPE '\\' OR recipients.reply LIKE ? ESCAPE '\\')))"
            )
            values += [pattern] * 5
        if chosen := list(states):
            where.append(f"state IN ({', '.join('?' * len(chosen))})")
            values += map(str, chosen)
        for condition, moment in (("added_at >= ?", since), ("added_at < ?", until)):
            if moment is not None:
                where.append(condition)
                values.append(as_text(moment))
        if before_id:
            where.append("id < ?")
            values.append(before_id)
        query = f"SELECT {_ENTRY} FROM mails WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?"  # noqa: S608
        with self._reading() as db:
            return [entry_of(row) for row in db.execute(query, (*values, limit))]

    def entry(self, mail: int) -> tuple[Entry, dict[str, tuple[str, str]], list[dict[str, object]], bytes]:
        """Return a mail, its recipients with state and reply, its attempts, and the message. Raises ``UsageError``."""
        with self._reading() as db:
            row = db.execute(f"SELECT {_ENTRY} FROM mails WHERE id = ?", (mail,)).fetchone()  # noqa: S608 - own names
            if row is None:
                raise UsageError(N_("There is no mail {id} in the outbox."), "", id=mail)
            names = ("at", "seconds", "stage", "outcome", "reply", "peer", "mechanism", "tls")
            found = db.execute(f"SELECT {', '.join(names)} FROM attempts WHERE mail = ? ORDER BY id", (mail,))  # noqa: S608
            attempts: list[dict[str, object]] = [dict(zip(names, attempt, strict=True)) for attempt in found]
            data = content(db, mail)
            return entry_of(row), self.people(mail), attempts, data or b""

    def mail_of_key(self, key: str) -> Entry | None:
        """Return the mail that was queued with a key, None where there is none."""
        with self._reading() as db:
            row = db.execute(f"SELECT {_ENTRY} FROM mails WHERE key = ?", (key,)).fetchone()  # noqa: S608 - own names
        return entry_of(row) if row else None

    def people(self, mail: int) -> dict[str, tuple[str, str]]:
        """Return the recipients of a mail, each with state and reply."""
        with self._reading() as db:
            found = db.execute("SELECT address, state, reply FROM recipients WHERE mail = ?", (mail,))
            return {address: (state, reply) for address, state, reply in found}

    def counts(self) -> dict[str, int]:
        """Return how many mails are queued (or being sent), held and failed."""
        states = {"queued": ("queued", "sending"), "held": ("held",), "failed": ("failed", "expired")}
        with self._reading() as db:
            counted = dict(db.execute(_COUNTS).fetchall())
        return {name: sum(counted.get(state, 0) for state in among) for name, among in states.items()}

    def progress(self) -> Progress:
        """Return how sending goes, by the record of attempts."""
        with self._reading() as db:
            last = {"last": db.execute(_LAST_SENT).fetchone()[0] or 0}
            sent = db.execute(_FIRST_SENT_AGAIN, last).fetchone()
            failed = db.execute(_FIRST_FAILURE, last).fetchone()
        return Progress(
            waiting=self.counts()["queued"],
            failing_since=datetime.fromisoformat(failed[0]) if failed else None,
            worked_at=datetime.fromisoformat(sent[0]) + timedelta(seconds=sent[1]) if sent else None,
        )

    def settled(self, since: datetime, until: datetime) -> dict[tuple[str, str], int]:
        """Return how many mails were settled in [since, until), by kind (``alert``, ...) and state."""
        with self._reading() as db:
            found = db.execute(
                "SELECT kind, state, count(*) FROM mails WHERE settled_at >= ? AND settled_at < ? GROUP BY kind, state",
                (as_text(since), as_text(until)),
            )
            return {(kind, state): count for kind, state, count in found}

    def last_settled(self) -> Entry | None:
        """Return the mail that was settled last (sent, failed or expired), None where there is none."""
        with self._reading() as db:
            row = db.execute(
                f"SELECT {_ENTRY} FROM mails WHERE settled_at != '' AND state != 'cancelled'"  # noqa: S608 - own names
                " ORDER BY settled_at DESC, id DESC LIMIT 1"
            ).fetchone()
        return entry_of(row) if row else None

    # --- history -----------------------------------------------------------------------------------------------------

    def note(self, at: datetime, what: str, detail: dict[str, Any] | None = None) -> None:
        """Keep in the history that something happened; never a secret. It holds 400 days and 100,000 lines at most."""
        with self._transaction() as db:
            note(db, at, what, detail or {})

    def history(
        self, since: datetime | None = None, until: datetime | None = None, limit: int = 100, text: str = ""
    ) -> list[Happening]:
        """Return what happened, settled mails among it, newest first; ``until`` is exclusive."""
        first, last = as_text(since) if since else "", as_text(until) if until else "~"
        pattern = like(text) if text else "%"
        with self._reading() as db:
            noted = db.execute(
                "SELECT at, what, detail FROM history WHERE at >= ? AND at < ? AND"
                " (what LIKE ? ESCAPE '\\' OR detail LIKE ? ESCAPE '\\') ORDER BY at DESC, id DESC LIMIT ?",
                (first, last, pattern, pattern, limit),
            ).fetchall()
            mails = db.execute(
                "SELECT settled_at, id, subject, state, reply, kind FROM mails WHERE settled_at != '' AND"
                " settled_at >= ? AND settled_at < ? AND (subject LIKE ? ESCAPE '\\' OR reply LIKE ? ESCAPE '\\')"
                " ORDER BY settled_at DESC, id DESC LIMIT ?",
                (first, last, pattern, pattern, limit),
            ).fetchall()
        found = [Happening(at=at, what=what, detail=detail_of(detail)) for at, what, detail in noted]
        for at, mail, subject, state, reply, kind in mails:
            detail = {"id": mail, "subject": subject, "state": state, "reply": reply, "kind": kind}
            found.append(Happening(at=at, what="mail", detail=detail, mail=mail))
        found.sort(key=lambda happening: happening.at, reverse=True)
        return found[:limit]


def note(db: sqlite3.Connection, at: datetime, what: str, detail: dict[str, Any]) -> None:
    """Keep a line of the history, within a transaction, and drop the oldest where there are too many."""
    text = json.dumps(detail, ensure_ascii=False, default=str)
    number = db.execute("INSERT INTO history (at, what, detail) VALUES (?, ?, ?)", (as_text(at), what, text)).lastrowid
    assert number is not None
    oldest = as_text(at - timedelta(days=_KEPT_DAYS)) if at.year > 1971 else ""  # a clock that was reset
    db.execute("DELETE FROM history WHERE at < ? OR id <= ?", (oldest, number - _KEPT_ROWS))


def content(db: sqlite3.Connection, mail: int) -> bytes | None:
    """Return the bytes of a mail, None where they are missing or cannot be read."""
    try:
        row = db.execute("SELECT data FROM contents WHERE mail = ?", (mail,)).fetchone()
    except sqlite3.DatabaseError as error:
        if (getattr(error, "sqlite_errorcode", 0) & 0xFF) != sqlite3.SQLITE_CORRUPT:
            raise
        return None
    return bytes(row[0]) if row else None


def entry_of(row: tuple[Any, ...]) -> Entry:
    """Return a mail from the columns that ``Entry`` names."""
    return Entry(**dict(zip(Entry.__struct_fields__, row, strict=True)))


def detail_of(text: str) -> dict[str, Any]:
    """Return what was noted, nothing where it cannot be read."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def like(text: str) -> str:
    """Return a pattern for LIKE that finds the text itself, with a backslash as its ESCAPE."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
