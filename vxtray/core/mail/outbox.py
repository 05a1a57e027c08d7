"""The outbox: each mail is on disk before the first try, and nothing leaves it unaccounted for.

It does not know SMTP: it is given a function that delivers. Any thread may call (see ``statefile``).
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from vxtray.core.errors import N_, UsageError
from vxtray.core.mail.statefile import StateFile, as_text, set_fact, settle_period

#: Minutes to the next try after each temporary failure; the last one repeats (peers' habits and RFC 5321, 4.5.4.1).
_PAUSES = (1, 2, 5, 10, 15)
_GIVE_UP_AFTER = timedelta(days=3)
#: And never before so many tries: a mail that lay waiting over a long weekend is not given up at its first greylisting.
_FEWEST_TRIES = 20


class State(StrEnum):
    """Where a mail stands."""

    QUEUED = "queued"
    HELD = "held"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Verdict(StrEnum):
    """What became of one attempt."""

    SENT = "sent"
    LATER = "later"
    FAILED = "failed"
    ACCOUNT = "account"  # nothing can leave until a person mends the account: no mail is tried again meanwhile
    WAIT = "wait"  # no attempt was possible (keyring locked, no network): not counted


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A mail to be queued. ``key`` makes it unique for ever; ``data`` is the message as it goes over the wire."""

    key: str
    kind: str
    subject: str
    message_id: str
    mail_from: str
    recipients: tuple[str, ...]
    data: bytes
    held: bool = False


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


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of the function that delivers.

    ``accepted`` names recipients; ``refused`` for good and ``postponed`` by a temporary refusal each with the reply.
    """

    verdict: Verdict
    stage: str = ""
    reply: str = ""
    accepted: tuple[str, ...] = ()
    refused: Mapping[str, str] = {}
    postponed: Mapping[str, str] = {}


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt, as told to the outside."""

    parcel: Parcel
    outcome: Outcome
    state: State


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


_ENTRY = ", ".join(Entry.__struct_fields__)


class Outbox(StateFile):
    """The queue of mails and the small facts that must be as durable as they are."""

    def recover(self) -> int:
        """Queue again what a crash left in hand, with the same bytes and Message-ID; return how many."""
        with self._transaction() as db:
            return db.execute("UPDATE mails SET state = 'queued' WHERE state = 'sending'").rowcount

    # --- in ----------------------------------------------------------------------------------------------------------

    def add(self, mail: Outgoing, now: datetime) -> bool:
        """Queue a mail; False where its key is known already. Once it returns, the mail survives a crash."""
        return self.add_all([mail], now) == 1

    def add_all(
        self,
        mails: Iterable[Outgoing],
        now: datetime,
        *,
        facts: Mapping[str, str] | None = None,
        period: tuple[str, str] | None = None,
    ) -> int:
        """Queue mails and set facts, and settle a report period, in one transaction; return how many were new."""
        added = 0
        with self._transaction() as db:
            for mail in mails:
                added += _insert(db, mail, now)
            for name, value in (facts or {}).items():
                set_fact(db, name, value)
            if period is not None:
                settle_period(db, *period, now)
        return added

    # --- out ---------------------------------------------------------------------------------------------------------

    def deliver_due(self, deliver: Callable[[Parcel], Outcome], now: Callable[[], datetime]) -> Iterator[Delivery]:
        """Hand each due mail to ``deliver``, one after the other, and record what became of it.

        Ends when nothing more is due, or after an outcome that concerns every mail (``ACCOUNT``, ``WAIT``).
        """
        while (parcel := self._take(now())) is not None:
            began = now()
            try:
                outcome = deliver(parcel)
            except BaseException:
                self._put_back(parcel)
                raise
            state = self._settle(parcel, outcome, began, now())
            yield Delivery(parcel=parcel, outcome=outcome, state=state)
            if outcome.verdict in {Verdict.ACCOUNT, Verdict.WAIT}:
                return

    def _take(self, now: datetime) -> Parcel | None:
        with self._transaction() as db:
            row = db.execute(
                "SELECT id, kind, subject, message_id, mail_from, data, tries FROM mails"
                " WHERE state = 'queued' AND next_try_at <= ? ORDER BY kind = 'report', next_try_at, id LIMIT 1",
                (as_text(now),),
            ).fetchone()
            if row is None:
                return None
            db.execute("UPDATE mails SET state = 'sending' WHERE id = ?", (row[0],))
            waiting = db.execute("SELECT address FROM recipients WHERE mail = ? AND state = 'queued'", (row[0],))
            return Parcel(
                id=row[0],
                kind=row[1],
                subject=row[2],
                message_id=row[3],
                mail_from=row[4],
                data=row[5],
                tries=row[6],
                recipients=tuple(address for (address,) in waiting),
            )

    def _put_back(self, parcel: Parcel) -> None:
        with self._transaction() as db:
            db.execute("UPDATE mails SET state = 'queued' WHERE id = ?", (parcel.id,))

    def _settle(self, parcel: Parcel, outcome: Outcome, began: datetime, now: datetime) -> State:
        with self._transaction() as db:
            counted = outcome.verdict is not Verdict.WAIT
            if counted:
                db.execute(
                    "INSERT INTO attempts (mail, at, seconds, stage, outcome, reply) VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        parcel.id,
                        as_text(began),
                        (now - began).total_seconds(),
                        outcome.stage,
                        outcome.verdict,
                        outcome.reply,
                    ),
                )
            for address in outcome.accepted:
                _mark(db, parcel.id, address, "sent", outcome.reply)
            for address, reply in outcome.refused.items():
                _mark(db, parcel.id, address, "failed", reply)
            for address, reply in outcome.postponed.items():
                _mark(db, parcel.id, address, "queued", reply)
            state, next_try = self._next(db, parcel, outcome, now)
            settled = state in {State.SENT, State.FAILED, State.EXPIRED}
            reply = outcome.reply
            if state is not State.SENT and outcome.postponed:  # why it waits, not that others have it already
                reply = next(iter(outcome.postponed.values()))
            db.execute(
                "UPDATE mails SET state = ?, next_try_at = ?, settled_at = ?, reply = ?, tries = tries + ?"
                " WHERE id = ?",
                (state, as_text(next_try), as_text(now) if settled else "", reply, counted, parcel.id),
            )
            return state

    @staticmethod
    def _next(db: sqlite3.Connection, parcel: Parcel, outcome: Outcome, now: datetime) -> tuple[State, datetime]:
        """Return the state after an attempt, and when the next one is due."""
        if outcome.verdict in {Verdict.SENT, Verdict.FAILED}:
            waiting, sent = db.execute(
                "SELECT count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'sent')"
                " FROM recipients WHERE mail = ?",
                (parcel.id,),
            ).fetchone()
            if outcome.verdict is Verdict.FAILED or not waiting:
                return (State.SENT if sent else State.FAILED), now
        if outcome.verdict in {Verdict.ACCOUNT, Verdict.WAIT}:
            return State.QUEUED, now + timedelta(minutes=1)
        (added_at,) = db.execute("SELECT added_at FROM mails WHERE id = ?", (parcel.id,)).fetchone()
        if parcel.tries + 1 >= _FEWEST_TRIES and now - datetime.fromisoformat(added_at) > _GIVE_UP_AFTER:
            return State.EXPIRED, now
        return State.QUEUED, now + timedelta(minutes=_PAUSES[min(parcel.tries, len(_PAUSES) - 1)])

    def next_due(self) -> datetime | None:
        """Return when the next queued mail may be tried, None where none waits."""
        with self._reading() as db:
            (found,) = db.execute("SELECT min(next_try_at) FROM mails WHERE state = 'queued'").fetchone()
        return datetime.fromisoformat(found) if found else None

    # --- by hand -----------------------------------------------------------------------------------------------------

    def retry(self, mail: int, now: datetime) -> None:
        """Try a mail again now; a sent one goes only to those who did not get it. Raises ``UsageError``."""
        with self._transaction() as db:
            done = db.execute(
                "UPDATE mails SET state = 'queued', next_try_at = ?, settled_at = '', added_at = CASE"
                " WHEN state = 'expired' THEN ? ELSE added_at END WHERE id = ? AND state != 'sending' AND EXISTS"
                " (SELECT 1 FROM recipients WHERE mail = mails.id AND state != 'sent')",
                (as_text(now), as_text(now), mail),
            ).rowcount
            db.execute("UPDATE recipients SET state = 'queued' WHERE mail = ? AND state = 'failed'", (mail,))
            if not done:
                raise UsageError(N_("Mail {id} is not waiting and has not failed."), "", id=mail)

    def retry_all(self, now: datetime) -> None:
        """Make every queued mail due now: something that stood in the way was mended."""
        with self._transaction() as db:
            db.execute("UPDATE mails SET next_try_at = ? WHERE state = 'queued'", (as_text(now),))

    def cancel(self, mail: int, now: datetime) -> None:
        """Take a waiting mail out of the queue, or note a failed one; it stays listed. Raises ``UsageError``."""
        with self._transaction() as db:
            done = db.execute(
                "UPDATE mails SET state = 'cancelled', settled_at = ? WHERE id = ?"
                " AND state IN ('queued', 'held', 'failed', 'expired')",
                (as_text(now), mail),
            ).rowcount
            if not done:
                raise UsageError(N_("Mail {id} is not waiting."), "", id=mail)

    def release_held(self, now: datetime, *, forget: str = "") -> int:
        """Queue every held mail, and forget the fact that held them, in one transaction; return how many mails."""
        with self._transaction() as db:
            if forget:
                set_fact(db, forget, "")
            return db.execute(
                "UPDATE mails SET state = 'queued', next_try_at = ? WHERE state = 'held'", (as_text(now),)
            ).rowcount

    # --- what is there -----------------------------------------------------------------------------------------------

    def entries(self, limit: int = 100) -> list[Entry]:
        """Return the mails, newest first."""
        with self._reading() as db:
            rows = db.execute(f"SELECT {_ENTRY} FROM mails ORDER BY id DESC LIMIT ?", (limit,))  # noqa: S608 - own names
            return [Entry(**dict(zip(Entry.__struct_fields__, row, strict=True))) for row in rows]

    def entry(self, mail: int) -> tuple[Entry, dict[str, tuple[str, str]], list[dict[str, object]], bytes]:
        """Return a mail, its recipients with state and reply, its attempts, and the message. Raises ``UsageError``."""
        with self._reading() as db:
            row = db.execute(f"SELECT {_ENTRY}, data FROM mails WHERE id = ?", (mail,)).fetchone()  # noqa: S608
            if row is None:
                raise UsageError(N_("There is no mail {id} in the outbox."), "", id=mail)
            *fields, data = row
            entry = Entry(**dict(zip(Entry.__struct_fields__, fields, strict=True)))
            people = {
                address: (state, reply)
                for address, state, reply in db.execute(
                    "SELECT address, state, reply FROM recipients WHERE mail = ?", (mail,)
                )
            }
            names = ("at", "seconds", "stage", "outcome", "reply")
            attempts = [
                dict(zip(names, row, strict=True))
                for row in db.execute(
                    "SELECT at, seconds, stage, outcome, reply FROM attempts WHERE mail = ? ORDER BY id", (mail,)
                )
            ]
        return entry, people, attempts, data

    def counts(self) -> dict[str, int]:
        """Return how many mails are queued (or being sent), held and failed."""
        with self._reading() as db:
            found = dict(db.execute("SELECT state, count(*) FROM mails GROUP BY state"))
        return {
            "queued": found.get("queued", 0) + found.get("sending", 0),
            "held": found.get("held", 0),
            "failed": found.get("failed", 0) + found.get("expired", 0),
        }

    def last_settled(self) -> Entry | None:
        """Return the mail that was settled last (sent, failed or expired), None where there is none."""
        with self._reading() as db:
            row = db.execute(
                f"SELECT {_ENTRY} FROM mails WHERE settled_at != '' AND state != 'cancelled'"  # noqa: S608 - own names
                " ORDER BY settled_at DESC, id DESC LIMIT 1"
            ).fetchone()
        return Entry(**dict(zip(Entry.__struct_fields__, row, strict=True))) if row else None


def _insert(db: sqlite3.Connection, mail: Outgoing, now: datetime) -> int:
    done = db.execute(
        "INSERT INTO mails (key, kind, subject, message_id, mail_from, added_at, state, next_try_at, data)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING RETURNING id",
        (
            mail.key,
            mail.kind,
            mail.subject,
            mail.message_id,
            mail.mail_from,
            as_text(now),
            State.HELD if mail.held else State.QUEUED,
            as_text(now),
            mail.data,
        ),
    ).fetchone()
    if done is None:
        return 0
    db.executemany(
        "INSERT INTO recipients (mail, address) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(done[0], address) for address in mail.recipients],
    )
    return 1


def _mark(db: sqlite3.Connection, mail: int, address: str, state: str, reply: str) -> None:
    db.execute(
        "UPDATE recipients SET state = ?, reply = ? WHERE mail = ? AND address = ?", (state, reply, mail, address)
    )
