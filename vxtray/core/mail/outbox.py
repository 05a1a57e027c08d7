"""The outbox: each mail is on disk before the first try, and nothing leaves it unaccounted for.

After a crash, a mail that was taken is queued again: from ``dot_follows`` to the record of the server's word
(``_settle``) it is in doubt. Before the next dot leaves, that record is on the disk: at most one mail is in doubt.
It does not know SMTP: it is given a function that delivers. Two things may wait: a mail, which then has a pause of its
own, and the whole queue, which a ``Hold`` stops; while it lasts, one mail at a time probes, and a success lets all go.
Any thread may call (see ``statefile``); one at a time delivers.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from vxtray.core.errors import N_, StoreError, UsageError
from vxtray.core.mail import backoff
from vxtray.core.mail.chronicle import Chronicle
from vxtray.core.mail.hold import Cause, Hold, after, decoded, encoded
from vxtray.core.mail.outcome import Outcome, Suspicion, Verdict
from vxtray.core.mail.records import Delivery, Entry, Happening, Outgoing, Parcel, State, note
from vxtray.core.mail.reserve import Reserve, T
from vxtray.core.mail.rows import Unreadable, count_round, expire, fact, insert, mark, next_in_turn, parcel_of, record
from vxtray.core.mail.statefile import as_text, full, set_fact, settle_period

__all__ = [
    "Delivery",
    "Entry",
    "Happening",
    "Outbox",
    "Outcome",
    "Outgoing",
    "Parcel",
    "State",
    "Suspicion",
    "Verdict",
]

_HOLD = "hold"
_FLUSHED = "mails-flushed"

#: So many mails in a row that the server takes up to DATA and then postpones: it is the server, not the mails.
_REFUSED_IN_A_ROW = 3

_IN_DOUBT = N_("vxtray ended after the final dot: the mail may have arrived, and a second copy is possible.")
_UNREADABLE = N_("This mail cannot be read from the disk any more.")

_NOT_TRIED = Outcome(verdict=Verdict.WAIT, wait=timedelta())


def _always() -> bool:
    return True


class Outbox(Chronicle):
    """The queue of mails and the small facts that must be as durable as they are."""

    def __init__(self, path: Path, jitter: Callable[[timedelta], timedelta] = backoff.jittered) -> None:
        """Open or make the file; ``jitter`` varies a pause a little. Raises ``StoreError``."""
        super().__init__(path)
        self._jitter = jitter
        self._postponed_in_a_row = 0
        self._unflushed = False
        self._unsettled: tuple[Parcel, Outcome, datetime, datetime] | None = None
        self._reserve = Reserve(path.with_name(f"{path.name}.reserve"))
        self._reserve.take()

    def recover(self) -> int:
        """Queue again what a crash left in hand, with the same bytes and Message-ID; return how many.

        One whose final dot was about to be sent gets an attempt of its own that says so: it may have arrived.
        """
        with self._transaction() as db:
            db.execute(
                "INSERT INTO attempts (mail, at, seconds, stage, outcome, reply)"
                " SELECT id, dot_at, 0, 'data', ?, ? FROM mails WHERE state = 'sending' AND dot_at != ''",
                (Verdict.DOUBT, _IN_DOUBT),
            )
            db.execute(
                "UPDATE mails SET tries = tries + 1, reply = ? WHERE state = 'sending' AND dot_at != ''", (_IN_DOUBT,)
            )
            return db.execute("UPDATE mails SET state = 'queued', dot_at = '' WHERE state = 'sending'").rowcount

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
        periods: Mapping[str, str] | None = None,
        happened: tuple[str, dict[str, object]] | None = None,
    ) -> int:
        """Queue mails, set facts, settle report periods and note what happened, in one transaction.

        Return how many mails were new. ``periods`` gives the outcome of each key.
        """
        added = 0
        with self.changing() as db:
            for mail in mails:
                added += insert(db, mail, now) != 0
            for name, value in (facts or {}).items():
                set_fact(db, name, value)
            for key, became in (periods or {}).items():
                settle_period(db, key, became, now)
            if happened is not None:
                note(db, now, *happened)
        return added

    def changing(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """Change mails, and what must agree with them, in one transaction, by the steps of ``rows`` and others.

        Raises ``StoreFull`` where the room that was kept is given to the mails that wait already.
        """
        with self._lock:
            if self._reserve.given and not self._reserve.take():
                raise full(self.path)
        return self._transaction()

    def looking(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """Read what steps of others wrote."""
        return self._reading()

    # --- out ---------------------------------------------------------------------------------------------------------

    def deliver_due(
        self,
        deliver: Callable[[Parcel], Outcome],
        now: Callable[[], datetime],
        may_send: Callable[[], bool] = _always,
    ) -> Iterator[Delivery]:
        """Hand each due mail to ``deliver``, one after the other, and record what became of it.

        Ends when nothing more is due, when the queue must wait, or when ``may_send`` (asked before each) says no.
        """
        if self._unsettled is not None:  # what a full disk kept from being recorded
            yield self._settle(*self._unsettled)
        try:
            while may_send() and (parcel := self._surely(lambda: self._take(now()))) is not None:
                began = now()
                try:
                    outcome = self._weighed(deliver(parcel))
                except BaseException:
                    self._settle(parcel, _NOT_TRIED, began, now())
                    raise
                yield self._settle(parcel, outcome, began, now())
        finally:
            self._flush(now())
            if self._reserve.given:
                self._reserve.take()

    def dot_follows(self, mail: int, now: datetime) -> None:
        """Put on record that a mail's final dot is about to be sent: from here on it may arrive."""

        def record() -> None:
            with self._transaction() as db:
                db.execute("UPDATE mails SET dot_at = ? WHERE id = ?", (as_text(now), mail))

        self._surely(record)
        self._unflushed = False

    def _surely(self, step: Callable[[], T]) -> T:
        return self._reserve.surely(step, self._begin_log_anew)

    def _begin_log_anew(self) -> None:
        """Let what is written from now on take the place of what is in the file itself."""
        with self._lock, contextlib.suppress(StoreError), self._reading() as db:
            db.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()

    def _flush(self, now: datetime) -> None:
        """Bring on the disk that the last mail of a burst was sent; that of the others came with the next one's dot.

        So a mail costs one wait for the disk, and still at most one mail is in doubt after a power cut.
        """
        if self._unflushed:
            with contextlib.suppress(StoreError), self._transaction() as db:  # full: it is recorded, if not yet safe
                set_fact(db, _FLUSHED, as_text(now))
            self._unflushed = False

    def _take(self, now: datetime) -> Parcel | None:
        while True:
            found = None
            with contextlib.suppress(Unreadable), self._transaction(durable=False) as db:
                hold = decoded(fact(db, _HOLD))
                if hold is not None and hold.in_force(now):
                    return None
                found = next_in_turn(db, now, probing=hold is not None)
                if found is None:
                    return None
                parcel = parcel_of(db, found)
                db.execute("UPDATE mails SET state = 'sending', dot_at = '' WHERE id = ?", (found,))
                return parcel  # not durable: a power cut finds the mail queued, as it should
            if found is not None:
                self._park(found, now)

    def _park(self, mail: int, now: datetime) -> None:
        """Keep an unreadable mail from stopping those behind it."""
        with self._transaction() as db:
            db.execute(
                "UPDATE mails SET state = 'failed', settled_at = ?, reply = ? WHERE id = ?",
                (as_text(now), _UNREADABLE, mail),
            )

    def _settle(self, parcel: Parcel, outcome: Outcome, began: datetime, now: datetime) -> Delivery:
        self._unsettled = parcel, outcome, began, now  # for later, should the disk be full
        return self._surely(lambda: self._recorded(parcel, outcome, began, now))

    def _recorded(self, parcel: Parcel, outcome: Outcome, began: datetime, now: datetime) -> Delivery:
        self._unflushed = outcome.verdict is Verdict.SENT
        with self._transaction(durable=not self._unflushed) as db:
            counted = outcome.verdict not in {Verdict.WAIT, Verdict.LIGHTER}
            if outcome.verdict is not Verdict.WAIT:
                record(db, parcel, outcome, began, now)
            for address in outcome.accepted:
                mark(db, parcel.id, address, "sent", outcome.reply)
            for address, reply in outcome.refused.items():
                mark(db, parcel.id, address, "failed", reply)
            for address, reply in outcome.postponed.items():
                mark(db, parcel.id, address, "queued", reply)
            if outcome.data:
                db.execute("UPDATE contents SET data = ? WHERE mail = ?", (outcome.data, parcel.id))
            hold = decoded(fact(db, _HOLD))
            self._change_hold(db, hold, after(hold, outcome, now, self._jitter), now)
            state, next_try = self._next(db, parcel, outcome, now)
            settled = state in {State.SENT, State.FAILED}
            reply = outcome.reply
            if state is not State.SENT and outcome.postponed:  # why it waits, not that others have it already
                reply = next(iter(outcome.postponed.values()))
            db.execute(
                "UPDATE mails SET state = ?, next_try_at = ?, waits_since = ?, settled_at = ?,"
                " reply = ifnull(nullif(?, ''), reply), tries = tries + ?, dot_at = '' WHERE id = ?",
                (state, as_text(next_try), as_text(now), as_text(now) if settled else "", reply, counted, parcel.id),
            )
            count_round(db, parcel, outcome)
            # After a mail that left, those behind it are tried, and not given up: nothing stands in their way now.
            expired = expire(db, now) if counted and state is not State.SENT else frozenset()
        self._unsettled = None
        if parcel.id in expired:
            state = State.EXPIRED
        return Delivery(parcel=parcel, outcome=outcome, state=state, expired=len(expired - {parcel.id}))

    def _weighed(self, outcome: Outcome) -> Outcome:
        """Take several mails in a row that are postponed at DATA for the server's fault."""
        postponed = outcome.verdict is Verdict.LATER and outcome.stage == "data"
        if outcome.verdict is not Verdict.WAIT:
            self._postponed_in_a_row = self._postponed_in_a_row + 1 if postponed else 0
        if postponed and self._postponed_in_a_row >= _REFUSED_IN_A_ROW:
            return msgspec.structs.replace(outcome, verdict=Verdict.SERVER)
        return outcome

    def _next(self, db: sqlite3.Connection, parcel: Parcel, outcome: Outcome, now: datetime) -> tuple[State, datetime]:
        """Return the state after an attempt, and when the mail itself may be tried again."""
        own_pause = now + max(self._jitter(backoff.pause(parcel.tries + 1)), outcome.wait or timedelta())
        match outcome.verdict:
            case Verdict.SENT | Verdict.FAILED:
                waiting, sent = db.execute(
                    "SELECT count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'sent')"
                    " FROM recipients WHERE mail = ?",
                    (parcel.id,),
                ).fetchone()
                if outcome.verdict is Verdict.FAILED or not waiting:
                    return (State.SENT if sent else State.FAILED), now
                named = set(outcome.accepted) | set(outcome.refused) | set(outcome.postponed)
                unasked = named & set(parcel.recipients) and set(parcel.recipients) - named
                return State.QUEUED, now if unasked else own_pause
            case Verdict.LATER:
                return State.QUEUED, own_pause
            case Verdict.DOUBT:
                return State.QUEUED, max(own_pause, now + backoff.DOUBT)
            case Verdict.SERVER if outcome.stage in {"recipients", "data"}:
                return State.QUEUED, own_pause  # it may be this mail that breaks the connection
            case _:
                return State.QUEUED, now

    # --- the queue as a whole ----------------------------------------------------------------------------------------

    def hold(self) -> Hold | None:
        """Return what the whole queue waits for, None where it does not."""
        return decoded(self.fact(_HOLD))

    def lift(self, now: datetime) -> None:
        """Let the queue go on: what stood in the way was mended, or shall be tried."""
        if self.hold() is not None:
            with self._transaction() as db:
                self._change_hold(db, decoded(fact(db, _HOLD)), None, now)

    def probe_now(self, now: datetime) -> None:
        """End the present wait of the queue, but not what is known of its cause."""
        hold = self.hold()
        if hold is not None and hold.until is not None:
            self.set_fact(_HOLD, encoded(msgspec.structs.replace(hold, until=now)))

    @staticmethod
    def _change_hold(db: sqlite3.Connection, before: Hold | None, hold: Hold | None, now: datetime) -> None:
        if before is None and hold is None:
            return
        paused, pauses = (each is not None and each.cause is Cause.ACCOUNT for each in (before, hold))
        if pauses and not paused and hold is not None and hold.words is not None:
            title = str(hold.error())
            note(db, now, "paused", {"what": "mail", "why": title, "reply": hold.reply})
        elif paused and not pauses:
            note(db, now, "resumed", {"what": "mail"})
        set_fact(db, _HOLD, encoded(hold))

    def next_due(self) -> datetime | None:
        """Return when the next queued mail may be tried, None where none waits, or all wait for a person."""
        with self._reading() as db:
            (found,) = db.execute("SELECT min(next_try_at) FROM mails WHERE state = 'queued'").fetchone()
            hold = decoded(fact(db, _HOLD))
        if not found or (hold is not None and hold.until is None):
            return None
        due = datetime.fromisoformat(found)
        return max(due, hold.until) if hold is not None and hold.until is not None else due

    # --- by hand -----------------------------------------------------------------------------------------------------

    def retry(self, mail: int, now: datetime) -> None:
        """Try a mail again now; a sent one goes only to those who did not get it. Raises ``UsageError``."""
        with self._transaction() as db:
            done = db.execute(
                "UPDATE mails SET state = 'queued', next_try_at = ?, waits_since = ?, settled_at = '',"
                " rounds = CASE WHEN state = 'expired' THEN 0 ELSE rounds END,"
                " added_at = CASE WHEN state = 'expired' THEN ? ELSE added_at END WHERE id = ? AND state != 'sending'"
                " AND EXISTS (SELECT 1 FROM recipients WHERE mail = mails.id AND state != 'sent')",
                (as_text(now), as_text(now), as_text(now), mail),
            ).rowcount
            db.execute("UPDATE recipients SET state = 'queued' WHERE mail = ? AND state = 'failed'", (mail,))
            if not done:
                raise UsageError(N_("Mail {id} is not waiting and has not failed."), "", id=mail)

    def resend(self, mail: int, now: datetime) -> int:
        """Queue the content of a mail once more, to the same recipients; return the new mail.

        It is a mail of its own: with a Message-ID and a Date of its own, or the receiver might take it for a copy.
        Raises ``UsageError`` for one that has not been sent or given up.
        """
        entry, people, _attempts, data = self.entry(mail)
        if entry.state not in {State.SENT, State.FAILED, State.EXPIRED, State.CANCELLED} or not data:
            raise UsageError(N_("Mail {id} is still waiting, so it cannot be sent once more."), "", id=mail)
        from vxtray.core.mail.message import new_message_id, renewed  # heavy: Python's email

        message_id = new_message_id(entry.mail_from.rpartition("@")[2])
        again = Outgoing(
            key=f"resend:{mail}:{message_id}",
            kind=entry.kind,
            subject=entry.subject,
            message_id=message_id,
            mail_from=entry.mail_from,
            recipients=tuple(people),
            data=renewed(data, message_id, now.astimezone()),
            resend_of=mail,
        )
        with self._transaction() as db:
            return insert(db, again, now)

    def retry_all(self, now: datetime) -> None:
        """Make every queued mail due now: something that stood in the way was mended."""
        with self._transaction() as db:
            db.execute(
                "UPDATE mails SET next_try_at = ?, waits_since = ? WHERE state = 'queued'", (as_text(now), as_text(now))
            )

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

    def restore(self, was: Entry) -> None:
        """Undo a ``cancel``: the mail stands again as it did, also one that had failed. Raises ``UsageError``."""
        with self._transaction() as db:
            done = db.execute(
                "UPDATE mails SET state = ?, settled_at = ? WHERE id = ? AND state = 'cancelled'",
                (was.state, was.settled_at, was.id),
            ).rowcount
            if not done:
                raise UsageError(N_("Mail {id} is not cancelled any more."), "", id=was.id)

    def release_held(self, now: datetime) -> int:
        """Queue every mail that a pause of an earlier release held; return how many mails."""
        with self._transaction() as db:
            return db.execute(
                "UPDATE mails SET state = 'queued', next_try_at = ?, waits_since = ? WHERE state = 'held'",
                (as_text(now), as_text(now)),
            ).rowcount
