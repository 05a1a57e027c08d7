"""The whole queue waits: for the server, a rate, the network, a person; one mail probes, and a success drains it."""

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from tests.core.mail.office import HOUR, MINUTE, unvaried
from tests.core.mail.test_outbox import NOW, PEOPLE, Server, mail, send
from vxtray.core.errors import VxtrayError
from vxtray.core.mail import backoff
from vxtray.core.mail.faults import AuthError, Kind, Stage
from vxtray.core.mail.hold import Cause
from vxtray.core.mail.outbox import Outbox, Outcome, Parcel, State, Suspicion, Verdict

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
AWAY = Outcome(verdict=Verdict.SERVER, stage="connect", reply="nobody answers", error=VxtrayError("away"))
NO_NETWORK = Outcome(verdict=Verdict.WAIT, error=VxtrayError("no network"), network=True)
REFUSED = Outcome(
    verdict=Verdict.ACCOUNT,
    stage="auth",
    reply="535 no",
    error=AuthError("The password is wrong, {user}.", step=Stage.AUTH, kind=Kind.ACCOUNT, reply="535 no", user="u"),
    fingerprint="f",
)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path / "outbox.db", unvaried)
    yield outbox
    outbox.close()


def reopened(box: Outbox) -> Outbox:
    box.close()
    again = Outbox(box.path, unvaried)
    again.recover()
    return again


def test_one_probes_for_all_and_a_success_drains_the_queue(box: Outbox) -> None:
    box.add_all([mail(f"k{number}") for number in range(50)], NOW)
    away, at, pauses = Server(AWAY), NOW, []
    for _ in range(8):
        assert send(box, away, at) == ["queued"]
        due = box.next_due()
        assert due is not None
        assert send(box, away, due - SECOND) == []
        pauses.append((due - at) // MINUTE)
        at = due
    assert pauses == [1, 2, 5, 10, 15, 15, 15, 15]
    assert len(set(away.subjects)) == 8, "each time another one, so that none stands in the way"
    assert [box.entry(number)[0].tries for number in (1, 8, 9)] == [1, 1, 0], "the others were not tried"
    assert send(box, Server(), at) == ["sent"] * 50
    assert box.hold() is None


def test_the_wait_outlives_the_program(box: Outbox) -> None:
    box.add_all([mail("k"), mail("l")], NOW)
    for minutes in (0, 1, 3):
        send(box, Server(AWAY), NOW + minutes * MINUTE)
    again = reopened(box)
    assert send(again, Server(), NOW + 7 * MINUTE) == []
    assert again.next_due() == NOW + 8 * MINUTE
    hold = again.hold()
    assert hold is not None
    assert (hold.cause, hold.tries, str(hold.error())) == (Cause.SERVER, 3, "away")
    assert send(again, Server(), NOW + 8 * MINUTE) == ["sent", "sent"]
    again.close()


def test_jitter_is_a_tenth_at_most() -> None:
    spans = [backoff.jittered(10 * MINUTE) for _ in range(500)]
    assert 9 * MINUTE <= min(spans) < 9.5 * MINUTE
    assert 10.5 * MINUTE < max(spans) <= 11 * MINUTE


def test_a_mail_that_breaks_the_connection_does_not_stop_the_others(box: Outbox) -> None:
    box.add_all([mail("poison"), mail("a"), mail("b")], NOW)
    server = Server()
    server.by_subject["Subject poison"] = Outcome(verdict=Verdict.SERVER, stage="data", reply="it broke off")
    assert send(box, server) == ["queued"]
    assert send(box, server, NOW + MINUTE) == ["sent", "queued"], "another one probes; then the poison again"
    assert send(box, server, NOW + 2 * MINUTE) == ["sent"]
    assert box.hold() is None
    assert box.next_due() == NOW + 3 * MINUTE


def test_three_mails_in_a_row_postponed_at_data_are_the_server(box: Outbox) -> None:
    box.add_all([mail(f"k{number}") for number in range(9)], NOW)
    postponed = Server(Outcome(verdict=Verdict.LATER, stage="data", reply="451 not now"))
    assert send(box, postponed) == ["queued"] * 3
    assert send(box, postponed, NOW + MINUTE) == ["queued"], "one probes"
    assert [attempt["outcome"] for attempt in box.entry(3)[2]] == ["server"]
    assert send(box, Server(), NOW + 3 * MINUTE) == ["sent"] * 9


def test_a_greylisted_mail_waits_alone(box: Outbox) -> None:
    box.add_all([mail(f"k{number}") for number in range(9)], NOW)
    server = Server()
    server.by_subject["Subject k0"] = Outcome(
        verdict=Verdict.LATER, stage="recipients", reply="450 later", wait=backoff.GREYLISTED
    )
    assert send(box, server) == ["queued", *["sent"] * 8]
    assert box.next_due() == NOW + 5 * MINUTE


def test_a_rate_is_waited_for_as_the_server_said(box: Outbox) -> None:
    box.add_all([mail("k"), mail("l")], NOW)
    rate = Outcome(verdict=Verdict.RATE, stage="data", reply="450 slow down", wait=HOUR, error=VxtrayError("Too fast."))
    assert send(box, Server(rate)) == ["queued"]
    hold = box.hold()
    assert hold is not None
    local = (NOW + HOUR).astimezone()
    assert str(hold.error()) == f"Too fast. Sending resumes at {local:%H:%M}."
    assert send(box, Server(), NOW + HOUR - SECOND) == []
    assert send(box, Server(), NOW + HOUR) == ["sent", "sent"]
    box.add(mail("m"), NOW + DAY)
    send(box, Server(msgspec.structs.replace(rate, wait=90 * DAY)), NOW + DAY)
    assert box.next_due() == NOW + 2 * DAY, "no reply stops the queue for longer than a day"


def test_a_refused_account_is_left_alone_and_that_outlives_the_program(box: Outbox) -> None:
    box.add_all([mail("k"), mail("l")], NOW)
    server = Server(REFUSED)
    assert send(box, server) == ["queued"]
    again = reopened(box)
    for days in range(10):
        assert send(again, server, NOW + days * DAY) == []
    assert again.next_due() is None
    hold = again.hold()
    assert hold is not None
    error = hold.error()
    assert isinstance(error, AuthError)
    assert (str(error), error.reply, error.kind) == ("The password is wrong, u.", "535 no", Kind.ACCOUNT)
    assert (hold.fingerprint, server.subjects) == ("f", ["k"])
    again.lift(NOW + 10 * DAY - SECOND)
    assert send(again, Server(), NOW + 10 * DAY) == ["sent", "sent"]
    assert [one.what for one in reversed(again.history())] == ["paused", "resumed", "mail", "mail"]
    again.close()


def test_a_cause_that_may_heal_is_looked_at_each_half_hour(box: Outbox) -> None:
    box.add(mail("k"), NOW)
    expired = msgspec.structs.replace(REFUSED, stage="tls", heals=True)
    assert send(box, Server(expired)) == ["queued"]
    assert send(box, Server(expired), NOW + 29 * MINUTE) == []
    assert send(box, Server(expired), NOW + 30 * MINUTE) == ["queued"]
    assert send(box, Server(), NOW + HOUR) == ["sent"]


@pytest.mark.parametrize("heals", [True, False])
def test_a_suspicion_parks_the_account_at_the_third_time(box: Outbox, heals: bool) -> None:
    box.add(mail("k"), NOW)
    parked = Suspicion("sign-in", VxtrayError("locked?"), heals)
    away = msgspec.structs.replace(AWAY, suspicion=parked)
    for minutes in (0, 1, 3):
        assert send(box, Server(away), NOW + minutes * MINUTE) == ["queued"]
    hold = box.hold()
    assert hold is not None
    assert (hold.cause, str(hold.error())) == (Cause.ACCOUNT, "locked?")
    assert hold.until == (NOW + 33 * MINUTE if heals else None)


def test_a_suspicion_is_forgotten_when_something_else_comes_between(box: Outbox) -> None:
    box.add(mail("k"), NOW)
    suspect = msgspec.structs.replace(AWAY, suspicion=Suspicion("name", VxtrayError("no such name")))
    at = NOW
    for outcome in (suspect, suspect, AWAY, suspect, suspect):
        assert send(box, Server(outcome), at) == ["queued"]
        at += 20 * MINUTE
    hold = box.hold()
    assert hold is not None
    assert hold.cause is Cause.SERVER


def test_no_network_is_no_attempt(box: Outbox) -> None:
    box.add_all([mail("k"), mail("l")], NOW)
    at, waits = NOW, []
    for _ in range(5):
        assert send(box, Server(NO_NETWORK), at) == ["queued"]
        due = box.next_due()
        assert due is not None
        waits.append((due - at) // SECOND)
        at = due
    assert waits == [15, 30, 60, 60, 60]
    assert (box.entry(1)[0].tries, box.entry(1)[2]) == (0, [])
    box.probe_now(at - 30 * SECOND)
    assert send(box, Server(), at - 30 * SECOND) == ["sent", "sent"], "the network is back before its time"


def test_the_network_goes_while_the_server_is_away(box: Outbox) -> None:
    box.add(mail("k"), NOW)
    for minutes in (0, 1, 3):
        send(box, Server(AWAY), NOW + minutes * MINUTE)
    send(box, Server(NO_NETWORK), NOW + 8 * MINUTE)
    send(box, Server(AWAY), NOW + 9 * MINUTE)
    hold = box.hold()
    assert hold is not None
    assert (hold.cause, hold.tries) == (Cause.SERVER, 4), "what was counted stays counted"


@pytest.mark.parametrize("outcome", [AWAY, NO_NETWORK, msgspec.structs.replace(AWAY, verdict=Verdict.RATE, wait=DAY)])
def test_a_clock_that_is_put_back_lengthens_no_wait(box: Outbox, outcome: Outcome) -> None:
    box.add(mail("k"), NOW)
    send(box, Server(outcome), NOW)
    assert send(box, Server(), NOW - 365 * DAY) == ["sent"]


def test_an_own_pause_and_a_clock_that_is_put_back(box: Outbox) -> None:
    box.add(mail("k"), NOW)
    send(box, Server(Outcome(verdict=Verdict.LATER, stage="data", reply="451")), NOW)
    assert send(box, Server(), NOW + 59 * SECOND) == []
    assert send(box, Server(), NOW - SECOND) == ["sent"]


def test_all_that_waited_in_vain_is_given_up(box: Outbox) -> None:
    box.add_all([mail(f"k{number}") for number in range(5)], NOW)
    at = NOW
    while at < NOW + 3 * DAY:
        send(box, Server(AWAY), at)
        at = box.next_due() or at
    box.add(mail("new"), at)
    (given_up,) = list(box.deliver_due(Server(AWAY), lambda: at + MINUTE))
    assert (given_up.state, given_up.expired) in {(State.EXPIRED, 4), (State.QUEUED, 5)}
    assert box.counts() == {"queued": 1, "held": 0, "failed": 5}


def test_in_doubt_waits_a_quarter_and_the_others_a_minute(box: Outbox) -> None:
    box.add_all([mail("k"), mail("l")], NOW)
    server = Server()
    server.by_subject["Subject k"] = Outcome(verdict=Verdict.DOUBT, stage="data", reply="no answer")
    assert send(box, server) == ["queued"]
    assert send(box, server, NOW + MINUTE) == ["sent"]
    assert send(box, server, NOW + 14 * MINUTE) == []
    assert send(box, Server(), NOW + 15 * MINUTE) == ["sent"]
    assert [attempt["outcome"] for attempt in box.entry(1)[2]] == ["doubt", "sent"]


def test_a_lighter_mail_goes_at_once_with_the_new_bytes(box: Outbox) -> None:
    box.add(mail("k"), NOW)
    lighter = Outcome(
        verdict=Verdict.LIGHTER, stage="sender", reply="552 too large", data=b"Subject: k\r\n\r\nless\r\n"
    )
    answers = iter([lighter, Outcome(verdict=Verdict.SENT, accepted=PEOPLE[:1])])
    got: list[Parcel] = []

    def server(parcel: Parcel) -> Outcome:
        got.append(parcel)
        return next(answers)

    assert send(box, server) == ["queued", "sent"]
    assert got[1].data == box.entry(1)[3] == lighter.data
    assert [attempt["outcome"] for attempt in box.entry(1)[2]] == ["lighter", "sent"]
    assert box.entry(1)[0].tries == 1


def test_a_crash_after_the_final_dot_is_recorded_and_sent_again(box: Outbox) -> None:
    box.add_all([mail("k"), mail("l")], NOW)

    def crashes_past_the_dot(parcel: Parcel) -> Outcome:
        if parcel.subject.endswith("k"):
            box.dot_follows(parcel.id, NOW)
        raise KeyboardInterrupt

    box._settle = lambda *_: None  # type: ignore[method-assign,assignment]  # nothing more is written
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            send(box, crashes_past_the_dot)
    box.close()
    again = Outbox(box.path, unvaried)
    assert again.recover() == 2
    assert [attempt["outcome"] for attempt in again.entry(1)[2]] == ["doubt"]
    assert "second copy is possible" in str(again.entry(1)[2][0]["reply"])
    assert again.entry(2)[2] == [], "before the dot it certainly did not leave"
    server = Server()
    assert send(again, server) == ["sent", "sent"]
    assert server.got[0].data == mail("k").data
    again.close()


def test_a_full_disk_after_the_server_took_the_mail(box: Outbox) -> None:
    """What could not be recorded is recorded as soon as there is room, and the mail is not sent again."""
    box.add_all([mail("k"), mail("l")], NOW)
    server = Server()

    def fills_up(parcel: Parcel) -> Outcome:
        outcome = server(parcel)
        box._db.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
        return outcome

    with pytest.raises(VxtrayError):
        send(box, fills_up)
    box._db.set_authorizer(None)
    assert send(box, server) == ["sent", "sent"]
    assert server.subjects == ["k", "l"]


def test_a_mail_that_cannot_be_read_is_parked(box: Outbox) -> None:
    box.add_all([mail("k"), mail("l")], NOW)
    with box._transaction() as db:
        db.execute("DELETE FROM contents WHERE mail = 1")
    assert send(box, Server()) == ["sent"]
    entry = box.entry(1)[0]
    assert (entry.state, "cannot be read" in entry.reply) == ("failed", True)


def test_a_backlog_does_not_hold_up_an_alert(box: Outbox) -> None:
    box.add_all([mail(f"r{number}") for number in range(1000)], NOW)
    server = Server()
    deliveries = box.deliver_due(server, lambda: NOW)
    for _ in range(3):
        next(deliveries)
    box.add_all([mail("a1", "alert"), msgspec.structs.replace(mail("critical", "alert"), urgent=True)], NOW)
    box.add(mail("a2", "alert"), NOW)
    for _ in range(4):
        next(deliveries)
    assert server.subjects == ["r0", "r1", "r2", "critical", "a2", "a1", "r3"]


def test_the_pace_ends_the_round(box: Outbox) -> None:
    box.add_all([mail("k"), mail("l")], NOW)
    tokens = iter([True, False])
    found = box.deliver_due(Server(), lambda: NOW, lambda: next(tokens))
    assert [one.state for one in found] == ["sent"]


def test_resend_is_a_mail_of_its_own(box: Outbox) -> None:
    data = b"Date: Mon, 23 Nov 2026 07:00:00 +0000\r\nMessage-ID: <k@example.com>\r\nSubject: x\r\n\r\nDate: body\r\n"
    box.add(msgspec.structs.replace(mail("k", to=PEOPLE), data=data), NOW)
    with pytest.raises(VxtrayError):
        box.resend(1, NOW)
    send(box, Server())
    again = box.resend(1, NOW + DAY)
    entry, people, _attempts, content = box.entry(again)
    assert (entry.state, entry.resend_of, tuple(people)) == ("queued", 1, PEOPLE)
    assert entry.message_id != "<k@example.com>"
    assert f"Message-ID: {entry.message_id}".encode() in content
    assert content.partition(b"\r\n\r\n")[2] == b"Date: body\r\n"
    assert b"Date: Tue, 24 Nov 2026" in content
    assert box.resend(1, NOW + DAY) == again + 1, "as often as a person wants it"
