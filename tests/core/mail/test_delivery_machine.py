"""Whatever the server, the network, the clock, a crash or a person does: no mail is lost, none waits for nothing.

Three minutes of it: ``pytest -m slow tests/core/mail/test_delivery_machine.py``.
"""

import contextlib
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.core.mail.office import unvaried
from vxtray.core.errors import UsageError, VxtrayError
from vxtray.core.mail.hold import Cause
from vxtray.core.mail.outbox import Outbox, Outcome, Outgoing, Parcel, State, Suspicion, Verdict
from vxtray.core.mail.statefile import as_text

PEOPLE = ("a@example.org", "b@example.org", "c@example.org")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
OPEN = {State.QUEUED, State.HELD}

#: What a server, or the way to it, does with one mail.
WEATHER = st.sampled_from(
    ["fine", "partly", "grey", "spam", "postponed", "broken", "away", "slow", "refused", "expired", "doubt", "closed"]
)
GOES_ON = st.sampled_from(
    [timedelta(), timedelta(seconds=20), MINUTE, 5 * MINUTE, 16 * MINUTE, timedelta(hours=7), 4 * DAY]
)


class Stopped(BaseException):
    """The program ends here."""


class Mailing(RuleBasedStateMachine):
    """A server, a network and a person around the outbox; ``got`` counts what each recipient really received."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vxtray-machine-"))
        self.box = Outbox(self.folder / "outbox.db", unvaried)
        self.now = datetime(2026, 11, 23, tzinfo=UTC)
        self.added: dict[str, Outgoing] = {}
        self.got: dict[tuple[str, str], int] = {}
        self.doubts: dict[str, int] = {}
        self.weather: list[str] = []
        self.network = True
        self.dies = ""
        self.mended = True

    def teardown(self) -> None:
        if hasattr(self, "box"):
            self.box.close()
            shutil.rmtree(self.folder)

    # --- the world ---------------------------------------------------------------------------------------------------

    def server(self, parcel: Parcel) -> Outcome:
        hold = self.box.hold()
        assert hold is None or hold.cause is not Cause.ACCOUNT or hold.until is not None, "a sign-in while paused"
        assert parcel.recipients
        self.tried += 1
        if not self.network:
            return Outcome(verdict=Verdict.WAIT, network=True, error=VxtrayError("no network"))
        weather = self.weather.pop(0) if self.weather else "fine"
        if weather in {"fine", "partly", "doubt"}:
            return self.take(parcel, weather)
        return {
            "grey": Outcome(
                verdict=Verdict.LATER,
                stage="recipients",
                postponed=dict.fromkeys(parcel.recipients, "450 grey"),
                wait=5 * MINUTE,
            ),
            "spam": Outcome(verdict=Verdict.FAILED, stage="data", refused=dict.fromkeys(parcel.recipients, "554 spam")),
            "postponed": Outcome(verdict=Verdict.LATER, stage="data", reply="451"),
            "broken": Outcome(verdict=Verdict.SERVER, stage="data", error=VxtrayError("broken")),
            "away": Outcome(verdict=Verdict.SERVER, stage="connect", error=VxtrayError("away")),
            "slow": Outcome(verdict=Verdict.RATE, wait=timedelta(hours=6), error=VxtrayError("slow")),
            "refused": Outcome(verdict=Verdict.ACCOUNT, stage="auth", error=VxtrayError("refused")),
            "expired": Outcome(verdict=Verdict.ACCOUNT, stage="tls", error=VxtrayError("expired"), heals=True),
            "closed": Outcome(
                verdict=Verdict.SERVER,
                stage="auth",
                error=VxtrayError("closed"),
                suspicion=Suspicion("sign-in", VxtrayError("locked"), heals=False),
            ),
        }[weather]

    def take(self, parcel: Parcel, weather: str) -> Outcome:
        if self.dies == "before":
            raise Stopped
        self.box.dot_follows(parcel.id, self.now)
        people = parcel.recipients[:1] if weather == "partly" else parcel.recipients
        for person in people:
            self.got[parcel.subject, person] = self.got.get((parcel.subject, person), 0) + 1
        if self.dies or weather == "doubt":
            self.doubts[parcel.subject] = self.doubts.get(parcel.subject, 0) + 1
        if self.dies:
            raise Stopped
        if weather == "doubt":
            return Outcome(verdict=Verdict.DOUBT, stage="data", error=VxtrayError("doubt"))
        return Outcome(verdict=Verdict.SENT, stage="data", reply="250", accepted=people)

    # --- what happens ------------------------------------------------------------------------------------------------

    @rule(key=st.sampled_from("abcdefgh"), kind=st.sampled_from(["alert", "report"]), people=st.integers(1, 3))
    def add(self, key: str, kind: str, people: int) -> None:
        data = f"Subject: {key}\r\n\r\n{kind}\r\n".encode()
        mail = Outgoing(
            key=key,
            kind=kind,
            subject=key,
            message_id=f"<{key}@x>",
            mail_from="f@x",
            recipients=PEOPLE[:people],
            data=data,
        )
        assert self.box.add(mail, self.now) == (key not in self.added)
        self.added.setdefault(key, mail)

    @rule(weather=st.lists(WEATHER, max_size=6), after=GOES_ON)
    def deliver(self, weather: list[str], after: timedelta) -> None:
        self.now += after
        self.weather, self.tried = list(weather), 0
        before = self.box.hold()
        away = before is not None
        waits = before is not None and before.in_force(self.now)
        for delivery in self.box.deliver_due(self.server, lambda: self.now):
            if away and delivery.outcome.verdict in {Verdict.SERVER, Verdict.RATE, Verdict.ACCOUNT, Verdict.WAIT}:
                assert self.tried == 1, "more than one probe while the server is away"
            away = self.box.hold() is not None
        assert not (waits and self.tried), "it was not time to try"

    @rule(when=st.sampled_from(["before", "after"]), after=GOES_ON)
    def crash(self, when: str, after: timedelta) -> None:
        """The program ends before or after a final dot, without another word to the disk."""
        self.now += after
        self.weather, self.tried, self.dies = [], 0, when
        settle, self.box._settle = self.box._settle, lambda *_: None  # type: ignore[method-assign,assignment]
        try:
            for _delivery in self.box.deliver_due(self.server, lambda: self.now):
                break
        except Stopped:
            pass
        self.box._settle = settle  # type: ignore[method-assign]
        self.dies = ""
        self.box.close()
        self.box = Outbox(self.folder / "outbox.db", unvaried)
        self.box.recover()

    @rule(back=st.sampled_from([MINUTE, timedelta(hours=2), 400 * DAY]))
    def put_the_clock_back(self, back: timedelta) -> None:
        self.now -= back

    @rule(on=st.booleans())
    def plug(self, on: bool) -> None:
        self.network = on

    @rule()
    def mend(self) -> None:
        self.box.lift(self.now)
        self.box.retry_all(self.now)

    @rule(key=st.sampled_from("abcdefgh"), act=st.sampled_from(["retry", "cancel"]))
    def by_hand(self, key: str, act: str) -> None:
        for entry in self.box.entries():
            if entry.key == key:
                with contextlib.suppress(UsageError):
                    getattr(self.box, act)(entry.id, self.now)

    @rule()
    def all_is_well_again(self) -> None:
        """Whatever was: with network, server and account in order, everything that waits leaves within a day."""
        self.network, self.weather = True, []
        hold = self.box.hold()
        if hold is not None and hold.until is None:
            self.box.lift(self.now)
        for _ in range(200):
            self.tried = 0
            for _delivery in self.box.deliver_due(self.server, lambda: self.now):
                pass
            if not self.box.counts()["queued"]:
                return
            self.now += 15 * MINUTE
        raise AssertionError("something still waits after two days")

    def due(self) -> set[int]:
        now = as_text(self.now)
        with self.box._reading() as db:
            rows = db.execute("SELECT id FROM mails WHERE next_try_at <= ? OR waits_since > ?", (now, now))
            return {row[0] for row in rows}

    # --- what always holds -------------------------------------------------------------------------------------------

    @invariant()
    def every_mail_is_accounted_for(self) -> None:
        if not hasattr(self, "box"):
            return
        entries = {entry.key: entry for entry in self.box.entries()}
        assert entries.keys() == self.added.keys(), "lost, or there twice"
        hold = self.box.hold()
        for key, entry in entries.items():
            mail = self.added[key]
            _, people, attempts, data = self.box.entry(entry.id)
            assert (data, entry.message_id, tuple(people)) == (mail.data, mail.message_id, mail.recipients)
            assert entry.state in set(State) - {State.SENDING}
            for person, (state, _reply) in people.items():
                copies = self.got.get((key, person), 0)
                assert copies <= 1 + self.doubts.get(key, 0), "a second copy without a doubt"
                assert state != "sent" or copies, "recorded as sent, and it was not"
            if entry.state == State.SENT:
                assert any(state == "sent" for state, _reply in people.values())
            if entry.state == State.QUEUED and entry.id not in self.due():
                assert attempts or hold is not None, "it waits without a reason"
            assert sum(attempt["outcome"] == "doubt" for attempt in attempts) == self.doubts.get(key, 0)


TestMailing = Mailing.TestCase
TestMailing.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_for_a_long_time() -> None:
    run_state_machine_as_test(Mailing, settings=settings(max_examples=250, stateful_step_count=50, deadline=None))
