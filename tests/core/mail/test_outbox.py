"""The queue of mails: nothing is lost, nothing is queued twice, and each mail is in exactly one state."""

import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.core.mail.office import unvaried
from vxtray.core import texts
from vxtray.core.errors import StoreBusy, StoreDamaged, StoreError, StoreFull, UsageError
from vxtray.core.mail.outbox import Outbox, Outcome, Outgoing, Parcel, State, Verdict

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
PEOPLE = ("a@example.org", "b@example.org", "c@example.org")


def mail(key: str, kind: str = "report", *, held: bool = False, to: tuple[str, ...] = PEOPLE[:1]) -> Outgoing:
    return Outgoing(
        key=key,
        kind=kind,
        subject=f"Subject {key}",
        message_id=f"<{key}@example.com>",
        mail_from="reports@example.com",
        recipients=to,
        data=f"Subject: {key}\r\n\r\nbytes of {key}\r\n".encode(),
        held=held,
    )


class Server:
    """What delivers in these tests: answers by key, and keeps what it was given."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        self.outcome = outcome
        self.by_subject: dict[str, Outcome] = {}
        self.got: list[Parcel] = []

    def __call__(self, parcel: Parcel) -> Outcome:
        self.got.append(parcel)
        return (
            self.by_subject.get(parcel.subject)
            or self.outcome
            or Outcome(verdict=Verdict.SENT, reply="250 kept", accepted=parcel.recipients)
        )

    @property
    def subjects(self) -> list[str]:
        return [parcel.subject.removeprefix("Subject ") for parcel in self.got]


LATER = Outcome(verdict=Verdict.LATER, stage="connect", reply="nobody answered")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path / "state" / "outbox.db", unvaried)
    yield outbox
    outbox.close()


def send(box: Outbox, server: Callable[[Parcel], Outcome], at: datetime = NOW) -> list[State]:
    return [delivery.state for delivery in box.deliver_due(server, lambda: at)]


def state(box: Outbox, mail: int = 1) -> str:
    return box.entry(mail)[0].state


# --- durable ---------------------------------------------------------------------------------------------------------

ADDS = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from vxtray.core.mail.outbox import Outbox, Outgoing
box = Outbox(Path(sys.argv[1]))
for number in range(3):
    box.add(Outgoing(key=f"k{number}", kind="alert", subject="s", message_id=f"<{number}@x>", mail_from="f@example.com",
                     recipients=("a@example.org",), data=b"bytes %d\\r\\n" % number), datetime.now(UTC))
def stuck(parcel):
    print("sending", parcel.message_id, flush=True)
    sys.stdin.read()
list(box.deliver_due(stuck, lambda: datetime.now(UTC)))
"""


def test_what_was_added_survives_a_kill_with_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    child = subprocess.Popen(
        [sys.executable, "-c", ADDS, str(path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"sending <2@x>\n"
        child.kill()
        assert child.wait(10) == -signal.SIGKILL
    box = Outbox(path)
    assert [entry.state for entry in box.entries()] == ["sending", "queued", "queued"]
    assert send(box, server := Server(), datetime.now(UTC)) == ["sent", "sent"], "the one in hand is left alone"
    assert box.recover() == 1
    assert box.recover() == 0
    assert send(box, server, datetime.now(UTC)) == ["sent"]
    box.close()
    assert {(parcel.message_id, parcel.data) for parcel in server.got} == {
        (f"<{number}@x>", b"bytes %d\r\n" % number) for number in range(3)
    }


def test_the_same_key_is_queued_once_for_ever(box: Outbox) -> None:
    assert box.add(mail("k"), NOW)
    assert not box.add(mail("k"), NOW)
    send(box, server := Server())
    assert not box.add(mail("k"), NOW + 30 * DAY)
    assert box.add_all([mail("k"), mail("l"), mail("l")], NOW) == 1
    send(box, server)
    assert server.subjects == ["k", "l"]


def test_mails_facts_and_period_are_one_transaction(box: Outbox) -> None:
    class Fails(Exception):
        pass

    def mails() -> Iterator[Outgoing]:
        yield mail("k")
        raise Fails

    with pytest.raises(Fails):
        box.add_all(mails(), NOW, facts={"cursor": "9"}, periods={"report:daily:2026-11-22": "queued"})
    assert (box.entries(), box.fact("cursor"), box.settled_periods()) == ([], "", frozenset())
    box.add_all([mail("k")], NOW, facts={"cursor": "9"}, periods={"report:daily:2026-11-22": "queued"})
    assert (len(box.entries()), box.fact("cursor")) == (1, "9")
    assert box.settled_periods() == {"report:daily:2026-11-22"}


def test_only_the_owner_can_read_the_files(box: Outbox) -> None:
    box.add(mail("k"), NOW)
    files = list(box.path.parent.iterdir())
    assert {path.name for path in files} >= {"outbox.db", "outbox.db-wal"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(box.path.parent.stat().st_mode) == 0o700


# --- who got it ------------------------------------------------------------------------------------------------------


def test_each_recipient_has_a_state_of_its_own(box: Outbox) -> None:
    box.add(mail("k", to=PEOPLE), NOW)
    server = Server(Outcome(verdict=Verdict.SENT, reply="250 ok", accepted=PEOPLE[:1], refused={PEOPLE[1]: "550 no"}))
    assert send(box, server) == ["queued", "queued"], "the third is asked again, in vain"
    assert box.entry(1)[1] == {
        PEOPLE[0]: ("sent", "250 ok"),
        PEOPLE[1]: ("failed", "550 no"),
        PEOPLE[2]: ("queued", ""),
    }
    server = Server()
    assert send(box, server, NOW + 2 * MINUTE) == ["sent"]
    assert [parcel.recipients for parcel in server.got] == [PEOPLE[2:]]
    assert [attempt["outcome"] for attempt in box.entry(1)[2]] == ["sent", "sent", "sent"]

    box.retry(1, NOW + DAY)
    send(box, server, NOW + DAY)
    assert server.got[-1].recipients == PEOPLE[1:2], "trying again goes to those who did not get it"
    with pytest.raises(UsageError):
        box.retry(1, NOW + DAY)


def test_nobody_accepted_is_failed(box: Outbox) -> None:
    box.add(mail("k", to=PEOPLE[:2]), NOW)
    refused = dict.fromkeys(PEOPLE[:2], "550 unknown")
    assert send(box, Server(Outcome(verdict=Verdict.FAILED, reply="550 unknown", refused=refused))) == ["failed"]
    assert box.counts() == {"queued": 0, "held": 0, "failed": 1}
    last = box.last_settled()
    assert last is not None
    assert (last.state, last.reply) == ("failed", "550 unknown")


# --- when ------------------------------------------------------------------------------------------------------------


def test_pauses_between_tries_and_the_end_after_three_days(box: Outbox) -> None:
    box.add(mail("k"), NOW)
    pauses, at = [], NOW
    for _ in range(9):
        assert send(box, Server(LATER), at) == ["queued"]
        due = box.next_due()
        assert due is not None
        assert send(box, Server(LATER), due - timedelta(seconds=1)) == [], "not before its time"
        pauses.append((due - at) // MINUTE)
        at = due
    assert pauses == [1, 2, 5, 10, 15, 15, 15, 15, 15]
    while (states := send(box, Server(LATER), at)) == ["queued"]:
        at = box.next_due() or at
    assert states == ["expired"]
    assert 3 * DAY < at - NOW < 3 * DAY + 30 * MINUTE
    assert box.next_due() is None
    assert box.counts()["failed"] == 1

    box.retry(1, at)
    assert send(box, Server(LATER), at) == ["queued"], "tried again by hand, it has three new days"


def test_a_mail_that_lay_for_days_is_not_given_up_at_its_first_try(box: Outbox) -> None:
    box.add(mail("k"), NOW)
    assert send(box, Server(LATER), NOW + 5 * DAY) == ["queued"]
    assert send(box, Server(), NOW + 5 * DAY + MINUTE) == ["sent"]


def test_alerts_leave_before_reports(box: Outbox) -> None:
    for key, kind, minute in (("r1", "report", 0), ("a1", "alert", 1), ("r2", "report", 2), ("a2", "alert", 3)):
        box.add(mail(key, kind), NOW + minute * MINUTE)
    send(box, server := Server(), NOW + 5 * MINUTE)
    assert server.subjects == ["a2", "a1", "r1", "r2"], "the newest alert first, the oldest report first"


def test_a_mail_that_is_refused_for_good_does_not_stop_the_next(box: Outbox) -> None:
    box.add_all([mail("bad"), mail("good")], NOW)
    server = Server()
    server.by_subject["Subject bad"] = Outcome(verdict=Verdict.FAILED, stage="data", reply="554 no")
    assert send(box, server) == ["failed", "sent"]


def test_a_temporary_fault_lets_the_next_one_try(box: Outbox) -> None:
    box.add_all([mail("first"), mail("second")], NOW)
    server = Server()
    server.by_subject["Subject first"] = LATER
    assert send(box, server) == ["queued", "sent"]


@pytest.mark.parametrize(("verdict", "tries"), [(Verdict.ACCOUNT, 1), (Verdict.WAIT, 0)])
def test_a_fault_of_the_account_stops_the_round(box: Outbox, verdict: Verdict, tries: int) -> None:
    box.add_all([mail("first"), mail("second")], NOW)
    assert send(box, server := Server(Outcome(verdict=verdict, reply="535 no"))) == ["queued"]
    assert server.subjects == ["first"]
    entry, _, attempts, _ = box.entry(1)
    assert (entry.tries, len(attempts)) == (tries, tries), "waiting is no attempt"


def test_an_unknown_fault_leaves_the_mail_queued(box: Outbox) -> None:
    box.add(mail("k"), NOW)

    def broken(parcel: Parcel) -> Outcome:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        send(box, broken)
    assert (state(box), box.recover()) == ("queued", 0)


# --- by hand ---------------------------------------------------------------------------------------------------------


def test_cancel_and_retry(box: Outbox) -> None:
    box.add(mail("k"), NOW)
    box.cancel(1, NOW)
    assert state(box) == "cancelled"
    assert send(box, server := Server()) == []
    assert box.last_settled() is None, "what a person cancelled is no mail that was settled"
    with pytest.raises(UsageError):
        box.cancel(1, NOW)
    box.retry(1, NOW)
    assert send(box, server) == ["sent"]
    for act in (box.cancel, box.retry):
        with pytest.raises(UsageError):
            act(1, NOW)
        with pytest.raises(UsageError):
            act(99, NOW)
    with pytest.raises(UsageError):
        box.entry(99)


def test_what_is_being_sent_can_neither_be_cancelled_nor_sent_twice(box: Outbox) -> None:
    box.add(mail("k"), NOW)

    def meanwhile(parcel: Parcel) -> Outcome:
        assert box.counts()["queued"] == 1
        for act in (box.cancel, box.retry):
            with pytest.raises(UsageError):
                act(1, NOW)
        return Outcome(verdict=Verdict.SENT, accepted=parcel.recipients)

    assert send(box, meanwhile) == ["sent"]


def test_held_mails_wait_for_their_release(box: Outbox) -> None:
    box.add_all([mail("held", held=True), mail("held too", held=True)], NOW)
    assert (send(box, Server()), box.next_due()) == ([], None)
    assert box.counts() == {"queued": 0, "held": 2, "failed": 0}
    assert box.release_held(NOW + MINUTE) == 2
    assert send(box, server := Server(), NOW + MINUTE) == ["sent", "sent"]
    assert server.subjects == ["held", "held too"]
    assert box.release_held(NOW) == 0


def test_a_held_mail_can_be_sent_alone(box: Outbox) -> None:
    box.add_all([mail("one", held=True), mail("two", held=True)], NOW)
    box.retry(2, NOW)
    assert send(box, server := Server()) == ["sent"]
    assert server.subjects == ["two"]


def test_mended_makes_everything_due(box: Outbox) -> None:
    box.add_all([mail("one"), mail("two"), mail("held", held=True)], NOW)
    send(box, Server(LATER))
    assert send(box, Server()) == []
    box.retry_all(NOW)
    assert send(box, Server()) == ["sent", "sent"]


# --- a disk that is full, a file that is none ------------------------------------------------------------------------

FILLS_UP = """
import resource, signal, sys
from datetime import datetime, UTC
from pathlib import Path
from vxtray.core.errors import StoreError
from vxtray.core.mail.outbox import Outbox, Outgoing
box = Outbox(Path(sys.argv[1]))
def add(number, size):
    mail = Outgoing(key=f"k{number}", kind="alert", subject="s", message_id=f"<{number}@x>", mail_from="f@example.com",
                    recipients=("a@example.org",), data=b"x" * size)
    return box.add_all([mail], datetime(2026, 11, 23, tzinfo=UTC), facts={"cursor": str(number)})
assert add(1, 1000) == 1
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    add(2, 2_000_000)
except StoreError as error:
    print(error)
print(len(box.entries()), box.fact("cursor"), add(3, 1000), box.fact("cursor"))
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit of file sizes")
def test_a_full_disk_is_told_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    done = subprocess.run(
        [sys.executable, "-c", FILLS_UP, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told, after = done.stdout.splitlines()
    assert str(path) in told
    assert after == "1 1 1 3", "the big one left nothing, its fact did not move, and the next one fits again"
    box = Outbox(path)
    assert [entry.key for entry in box.entries()] == ["k3", "k1"]
    box.close()


def test_a_full_database_rolls_back(box: Outbox) -> None:
    box.add(mail("k"), NOW)
    (pages,) = box._db.execute("PRAGMA page_count").fetchone()
    box._db.execute(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(StoreFull, match=r"The disk is full: .*outbox\.db cannot take new mails"):
        box.add_all([mail(f"big{number}") for number in range(200)], NOW, periods={"report:daily:2026-11-22": "queued"})
    assert ([entry.key for entry in box.entries()], box.settled_periods()) == (["k"], frozenset())
    assert send(box, Server()) == ["sent"]


def test_a_file_that_is_no_outbox_and_a_closed_one(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(b"this is no database, however long it is\n" * 100)
    with pytest.raises(StoreDamaged, match=r"outbox\.db is damaged"):
        Outbox(path)
    assert path.read_bytes().startswith(b"this is no database"), "it is left as it was"
    box = Outbox(tmp_path / "other.db")
    box.close()
    box.close()
    with pytest.raises(StoreError):
        box.entries()


def test_another_process_that_holds_the_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Outbox(tmp_path / "outbox.db")
    box._db.execute("PRAGMA busy_timeout=50")
    other = sqlite3.connect(tmp_path / "outbox.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match="in use by another program"):
        box.add(mail("k"), NOW)
    other.execute("ROLLBACK")
    other.close()
    assert box.add(mail("k"), NOW)
    box.close()


def test_a_file_that_may_only_be_read_is_told_in_two_languages(box: Outbox) -> None:
    box._db.execute("PRAGMA query_only=ON")
    with pytest.raises(StoreError) as caught:
        box.add(mail("k"), NOW)
    assert "it may only be read" in texts.title(caught.value, "en")
    assert "readonly" not in texts.title(caught.value, "fr"), "SQLite's English is not shown"
    box._db.execute("PRAGMA query_only=OFF")


def test_a_mail_that_waits_for_one_shows_why(box: Outbox) -> None:
    box.add(mail("k", to=PEOPLE[:2]), NOW)
    outcome = Outcome(
        verdict=Verdict.SENT, reply="250 kept", accepted=PEOPLE[:1], postponed={PEOPLE[1]: "451 greylisted"}
    )
    (delivery,) = box.deliver_due(lambda _parcel: outcome, lambda: NOW)
    assert delivery.state is State.QUEUED
    entry, people, _attempts, _data = box.entry(1)
    assert entry.reply == "451 greylisted"
    assert people == {PEOPLE[0]: ("sent", "250 kept"), PEOPLE[1]: ("queued", "451 greylisted")}
