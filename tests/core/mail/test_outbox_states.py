"""Whatever is done to the outbox in whatever order: each mail is in one state, and none is lost or sent twice."""

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from vxtray.core.errors import UsageError
from vxtray.core.mail.outbox import Outbox, Outcome, Outgoing, Parcel, State, Verdict

PEOPLE = ("a@example.org", "b@example.org")
OPEN = {State.QUEUED, State.HELD}
PAUSES = st.sampled_from([timedelta(), timedelta(minutes=1), timedelta(minutes=20), timedelta(days=4)])


class Outboxes(RuleBasedStateMachine):
    """A model of what each recipient has got beside the real thing."""

    mails = Bundle("mails")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="vxtray-outbox-"))
        self.box = Outbox(self.folder / "outbox.db")
        self.now = datetime(2026, 11, 23, tzinfo=UTC)
        self.added: dict[str, Outgoing] = {}
        self.got: dict[str, list[str]] = {}
        self.cancelled: set[str] = set()

    def teardown(self) -> None:
        self.box.close()
        shutil.rmtree(self.folder)

    def id_of(self, key: str) -> int:
        return next(entry.id for entry in self.box.entries() if entry.key == key)

    @rule(
        target=mails,
        key=st.sampled_from("abcdef"),
        kind=st.sampled_from(["alert", "report"]),
        held=st.booleans(),
        people=st.integers(1, 2),
    )
    def add(self, key: str, kind: str, held: bool, people: int) -> object:
        mail = Outgoing(
            key=key,
            kind=kind,
            subject=key,
            message_id=f"<{key}@x>",
            mail_from="f@example.com",
            recipients=PEOPLE[:people],
            data=f"{key} {kind} {people}".encode(),
            held=held,
        )
        new = self.box.add(mail, self.now)
        assert new == (key not in self.added)
        if not new:
            return multiple()
        self.added[key], self.got[key] = mail, []
        return key

    @rule(verdicts=st.lists(st.sampled_from(list(Verdict)), min_size=1, max_size=4), some=st.booleans(), after=PAUSES)
    def deliver(self, verdicts: list[Verdict], some: bool, after: timedelta) -> None:
        self.now += after
        answers = iter(verdicts)

        def server(parcel: Parcel) -> Outcome:
            mail = self.added[parcel.subject]
            assert (parcel.data, parcel.message_id) == (mail.data, mail.message_id)
            assert parcel.recipients, "nobody is left to get it"
            assert parcel.subject not in self.cancelled
            verdict = next(answers, Verdict.WAIT)
            if verdict is not Verdict.SENT:
                return Outcome(verdict=verdict, reply="no")
            accepted = parcel.recipients[:1] if some else parcel.recipients
            self.got[parcel.subject] += accepted
            return Outcome(verdict=verdict, accepted=accepted)

        for _delivery in self.box.deliver_due(server, lambda: self.now):
            pass

    @rule(key=mails)
    def crash_while_sending(self, key: str) -> None:
        with self.box._transaction() as db:
            db.execute("UPDATE mails SET state = 'sending' WHERE key = ? AND state = 'queued'", (key,))
        self.box.close()
        self.box = Outbox(self.folder / "outbox.db")
        self.box.recover()

    @rule(key=mails)
    def cancel(self, key: str) -> None:
        before = self.box.entry(self.id_of(key))[0].state
        try:
            self.box.cancel(self.id_of(key), self.now)
        except UsageError:
            assert before not in OPEN
        else:
            self.cancelled.add(key)

    @rule(key=mails)
    def retry(self, key: str) -> None:
        missing = set(self.added[key].recipients) - set(self.got[key])
        try:
            self.box.retry(self.id_of(key), self.now)
        except UsageError:
            assert not missing, "it can be sent as long as somebody has not got it"
        else:
            assert missing
            self.cancelled.discard(key)

    @rule()
    def release(self) -> None:
        assert self.box.release_held(self.now) >= 0
        assert self.box.counts()["held"] == 0

    @rule(key=consumes(mails))
    def forget_key(self, key: str) -> None:
        """The machine stops acting on this mail; the invariants still hold for it."""

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        entries = {entry.key: entry for entry in self.box.entries()}
        assert entries.keys() == self.added.keys()
        for key, entry in entries.items():
            people = self.added[key].recipients
            assert entry.state in set(State) - {State.SENDING}
            assert len(self.got[key]) == len(set(self.got[key])), "somebody got it twice"
            _, states, _, data = self.box.entry(entry.id)
            assert data == self.added[key].data
            assert {address for address, (state, _) in states.items() if state == "sent"} == set(self.got[key])
            if entry.state == State.SENT:
                assert self.got[key]
            if set(self.got[key]) == set(people):
                assert entry.state == State.SENT
            assert (entry.settled_at == "") == (entry.state in OPEN)
            assert (entry.state == State.CANCELLED) == (key in self.cancelled)


TestOutboxes = Outboxes.TestCase
TestOutboxes.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
