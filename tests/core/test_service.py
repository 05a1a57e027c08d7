"""The engine with its threads, against a real mail server: what is due leaves, faults are told, nothing is lost."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest

from tests.core.engine import (
    DAY,
    HOUR,
    MONDAY,
    NOWHERE,
    PEOPLE,
    Engine,
    event,
    keyring_for,
    settings,
    smtp_of,
    text_of,
)
from tests.core.mail import hostile as h
from tests.peers.desktop import until
from tests.peers.mailbox import Mailbox
from vxtray.core import postroom
from vxtray.core.credentials import Secret, smtp_account
from vxtray.core.errors import NotConfigured, StoreError, UsageError
from vxtray.core.events import Severity
from vxtray.core.mail.faults import AuthError
from vxtray.core.notices import EventsStored, MailSettled, QueueChanged, TroubleChanged
from vxtray.core.paths import Profile
from vxtray.core.reports.period import Cadence
from vxtray.core.service import Service
from vxtray.core.settings.tree import Alerts, Reports, Security, Settings, Smtp
from vxtray.core.status import status
from vxtray.core.store.embedded import EmbeddedStore

QUIET = settings(reports=Reports(zone="Europe/Paris"))
LINE = (
    'device_name="SFW" timestamp="2026-11-22T{hour:02}:00:00+0100" device_model="XGS2100" log_id="075000617071"'
    ' log_type="WAF" log_component="Web Application Firewall" log_version=1 severity="Information" user_name="-"'
    ' server="shop.example.com" src_ip="203.0.113.{host}" src_country="CHN" dst_ip="172.16.16.20"'
    ' protocol="HTTP/1.1" url="/" query_string="" method="GET" http_status="403" reason="WAF Anomaly"'
    ' extra="Inbound Anomaly Score Exceeded (Total Score: {score}, SQLi=55, XSS=): Last Matched Message: SQL Injection'
    ' Attack Detected via libinjection" user_agent="curl/8.5.0" fw_rule_id="79"\n'
)


def line(host: int, score: int = 55, hour: int = 10) -> str:
    """Return a blocked web attack; from a score of 20 on it is critical."""
    return LINE.format(hour=hour, host=host, score=score)


Making = Callable[..., Engine]


@pytest.fixture
def engine(profile: Profile, smtp_catcher: Mailbox) -> Iterator[Making]:
    """Make engines; they end before the mail server does."""
    made: list[Engine] = []

    def make(chosen: Settings = QUIET, password: str = "") -> Engine:
        made.append(Engine(profile, chosen, keyring_for(chosen.smtp, password) if password else None))
        return made[-1]

    yield make
    for one in made:
        one.service.stop()


def subjects(box: Mailbox) -> list[str]:
    return [mail.message["Subject"] for mail in box.mails]


# --- alerts over crashes ---------------------------------------------------------------------------------------------


def test_an_alert_that_a_crash_left_behind_is_sent_at_the_next_start(
    engine: Making, smtp_catcher: Mailbox, profile: Profile
) -> None:
    one = engine(settings(smtp_of(smtp_catcher), reports=Reports()), smtp_catcher.password)
    one.service.store().append([event(MONDAY)])
    one.restart()
    one.service.start()
    (mail,) = smtp_catcher.wait(1)
    assert "shop.example.com" in text_of(mail.message)
    one.restart()
    one.tick()
    assert one.service.send_waiting() == 0
    assert len(one.mails("alert")) == 1


def test_old_lines_do_not_alert_even_when_the_next_start_looks(engine: Making, tmp_path: Path) -> None:
    one = engine()
    log = tmp_path / "old.log"
    log.write_text(line(1) + line(2))
    assert one.service.import_files([log]).stored == 2
    one.restart()
    one.tick()
    log.write_text(line(1) + line(2) + line(3))
    result = one.service.import_files([log], alerts=True)
    assert (result.stored, result.duplicates) == (1, 2)
    assert ["203.0.113.3" in text_of(mail) for mail in one.mails()] == [True]
    assert [(notice.events, notice.alerts) for notice in one.told(EventsStored)] == [(2, 0), (1, 1)]  # type: ignore[attr-defined]


def test_pause_and_resume(engine: Making, tmp_path: Path) -> None:
    log = tmp_path / "new.log"
    log.write_text(line(1, score=15) + line(2, score=55))
    one = engine(settings(reports=Reports(), alerts=Alerts(waf_blocked=True, minimum_severity=Severity.HIGH)))
    assert one.service.pause_alerts(8 * HOUR) == one.clock() + 8 * HOUR
    one.service.import_files([log], alerts=True)
    assert one.service.outbox.counts() == {"queued": 1, "held": 0, "failed": 0}
    assert one.service.alerts.held() == 1
    assert one.service.paused_until() == one.clock() + 8 * HOUR
    one.clock.now += 8 * HOUR
    one.tick()
    assert one.service.outbox.counts() == {"queued": 2, "held": 0, "failed": 0}
    assert one.service.alerts.held() == 0
    assert one.service.paused_until() is None
    one.service.pause_alerts(HOUR, everything=True)
    assert one.service.resume_alerts() == 0


# --- reports ---------------------------------------------------------------------------------------------------------


def test_a_report_that_is_due_leaves_by_itself(engine: Making, smtp_catcher: Mailbox) -> None:
    one = engine(settings(smtp_of(smtp_catcher)), smtp_catcher.password)
    one.clock.at(7)
    one.tick()
    one.clock.at(8)
    one.service.start()
    (mail,) = smtp_catcher.wait(1)
    assert mail.recipients == PEOPLE
    until(lambda: bool(one.told(MailSettled)), "the notice of the mail")
    (settled,) = one.told(MailSettled)
    assert isinstance(settled, MailSettled)
    assert (settled.kind, settled.state, settled.subject) == ("report", "sent", mail.message["Subject"])
    one.restart()
    one.service.start()
    one.service.apply(msgspec.structs.replace(one.service.settings, version=1))
    one.restart()
    one.tick()
    assert len(one.mails()) == 1


def test_settings_that_arrive_set_the_waiting_mail_free(engine: Making, smtp_catcher: Mailbox) -> None:
    chosen = settings()
    one = engine(msgspec.structs.replace(chosen, smtp=Smtp()))
    one.clock.at(8)
    one.service.start()
    one.service.apply(msgspec.structs.replace(chosen, smtp=Smtp()))
    one.clock.at(9)
    smtp = smtp_of(smtp_catcher)
    one.credentials.set(smtp_account(smtp), Secret(smtp_catcher.password))
    one.service.apply(msgspec.structs.replace(chosen, smtp=smtp))
    (mail,) = smtp_catcher.wait(1)
    assert "report" in mail.message["Subject"].lower()


def test_asking_for_a_report_needs_a_server(engine: Making) -> None:
    one = engine(Settings())
    with pytest.raises(NotConfigured):
        one.service.send_report(Cadence.DAILY)
    with pytest.raises(NotConfigured):
        one.service.send_report(Cadence.DAILY, recipients=("a@example.org",))
    assert one.service.make_report(Cadence.DAILY).report.empty
    assert one.service.outbox.counts()["queued"] == 0


# --- faults of the mail ----------------------------------------------------------------------------------------------


@pytest.mark.expected_log("mail: The mail server refused the user name or the password")
def test_a_wrong_password_is_told_once_and_mended(engine: Making, smtp_catcher: Mailbox) -> None:
    smtp = smtp_of(smtp_catcher)
    one = engine(settings(smtp, reports=Reports()), "not the password")
    for _ in range(3):
        one.service.send_report(Cadence.DAILY)
        one.clock.now += timedelta(minutes=1)
    one.service.start()
    until(lambda: bool(one.service.troubles()), "the trouble")
    (trouble,) = one.service.troubles()
    assert trouble.what == "mail"
    assert isinstance(trouble.error, AuthError)
    assert smtp_catcher.mails == []
    assert one.service.outbox.counts()["queued"] == 3

    one.credentials.set(smtp_account(smtp), Secret(smtp_catcher.password))
    one.service.mail_mended()
    smtp_catcher.wait(3)
    until(lambda: len(one.told(MailSettled)) == 4, "the notices")
    assert one.service.troubles() == []
    told = [notice.error for notice in one.told(TroubleChanged)]  # type: ignore[attr-defined]
    assert [error is None for error in told] == [False, True]
    counts = [notice for notice in one.told(QueueChanged) if isinstance(notice, QueueChanged)]
    assert counts[-1].queued == 0


@pytest.mark.expected_log("mail: ")
def test_a_command_tries_once_what_is_due(engine: Making, free_port: int) -> None:
    one = engine(settings(msgspec.structs.replace(NOWHERE, host="127.0.0.1", port=free_port)))
    one.service.send_report(Cadence.DAILY)
    assert one.service.send_waiting() == 0
    assert one.service.outbox.counts()["queued"] == 1
    assert one.service.send_waiting() == 0, "its next try is in a minute"
    assert len(one.told(MailSettled)) == 1


def test_mails_in_hand_at_a_crash_are_sent_by_the_next_command(engine: Making, smtp_catcher: Mailbox) -> None:
    one = engine(settings(smtp_of(smtp_catcher)), smtp_catcher.password)
    one.service.send_report(Cadence.DAILY)
    before = one.mails()[0]["Message-ID"]
    with one.service.outbox._transaction() as db:
        db.execute("UPDATE mails SET state = 'sending'")
    one.restart()
    assert one.service.send_waiting() == 1
    assert [mail.message["Message-ID"] for mail in smtp_catcher.mails] == [before]


def test_retry_and_cancel(engine: Making, smtp_catcher: Mailbox) -> None:
    one = engine(settings(smtp_of(smtp_catcher)), smtp_catcher.password)
    one.service.send_report(Cadence.DAILY)
    one.service.cancel_mail(1)
    assert one.service.send_waiting() == 0
    one.service.retry_mail(1)
    assert one.service.send_waiting() == 1
    for act in (one.service.retry_mail, one.service.cancel_mail):
        with pytest.raises(UsageError):
            act(1)


def test_a_mail_was_accepted_with_these_settings(engine: Making, smtp_catcher: Mailbox) -> None:
    smtp = smtp_of(smtp_catcher)
    one = engine(settings(smtp), smtp_catcher.password)
    assert one.service.proven_at() is None
    one.service.mail_proven(msgspec.structs.replace(smtp, port=1))
    assert one.service.proven_at() is None, "that was another server"
    one.service.mail_proven(smtp)
    assert one.service.proven_at() == one.clock()
    one.clock.now += HOUR
    one.service.send_report(Cadence.DAILY)
    one.service.send_waiting()
    assert one.service.proven_at() == one.clock()


# --- ending ----------------------------------------------------------------------------------------------------------


def test_stop_finishes_the_mail_in_hand(engine: Making, profile: Profile) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow(talk: h.Talk) -> None:
        inside.set()
        go_on.wait(10)
        h.take_mail()(talk)

    with h.hostile(h.script(DATA=slow)) as server:
        smtp = msgspec.structs.replace(NOWHERE, host="127.0.0.1", port=server.port, security=Security.NONE)
        one = engine(settings(smtp, reports=Reports()))
        one.service.send_report(Cadence.DAILY)
        one.service.send_report(Cadence.WEEKLY)
        one.service.start()
        assert inside.wait(10)
        stopper = threading.Thread(target=one.service.stop)
        stopper.start()
        go_on.set()
        stopper.join(10)
        assert server.connections == 1
    one.restart()
    assert [entry.state for entry in one.service.outbox.entries()] == ["queued", "sent"]


def test_stop_does_not_wait_for_a_server_that_hangs(engine: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postroom, "_STOP_SECONDS", 0.3)
    inside = threading.Event()

    def hang(talk: h.Talk) -> None:
        inside.set()
        h.hang(talk)

    with h.hostile(h.script(greeting=hang)) as server:
        smtp = msgspec.structs.replace(NOWHERE, host="127.0.0.1", port=server.port, security=Security.NONE)
        one = engine(settings(smtp, reports=Reports()))
        one.service.send_report(Cadence.DAILY)
        one.service.start()
        assert inside.wait(10)
        began = time.monotonic()
        one.service.stop()
        assert time.monotonic() - began < 3
        told = len(one.notices)
    sender = next((t for t in threading.enumerate() if t.name == "vx-outbox"), None)
    if sender is not None:
        sender.join(10)
    assert len(one.notices) == told, "after stop nothing is told any more"
    one.restart()
    assert one.service.outbox.counts()["queued"] == 1


def test_stop_without_start_and_twice(engine: Making) -> None:
    one = engine()
    one.service.stop()
    one.service.stop()


def test_start_and_stop_over_and_over_leave_no_thread(engine: Making) -> None:
    before = set(threading.enumerate())
    one = engine(Settings())
    for _ in range(5):
        one.service.start()
        one.restart()
    assert set(threading.enumerate()) == before


# --- faults of the stores --------------------------------------------------------------------------------------------


@pytest.mark.expected_log("set-aside: The event store was damaged")
def test_a_damaged_event_store_is_told_and_the_program_goes_on(
    engine: Making, smtp_catcher: Mailbox, profile: Profile, tmp_path: Path
) -> None:
    profile.events_file.parent.mkdir(parents=True)
    profile.events_file.write_bytes(b"this was an event store once " * 1000)
    one = engine(settings(smtp_of(smtp_catcher)), smtp_catcher.password)
    one.clock.at(7)
    one.tick()
    (trouble,) = one.service.troubles()
    assert trouble.what == "set-aside"
    assert "set aside as" in str(trouble.error)
    assert [path.name for path in profile.state.glob("events.damaged-*")]
    one.clock.at(8)
    one.service.start()
    smtp_catcher.wait(1)
    log = tmp_path / "new.log"
    log.write_text(line(1))
    one.service.import_files([log], alerts=True)
    assert "203.0.113.1" in text_of(smtp_catcher.wait(2)[1].message)


@pytest.mark.expected_log("set-aside: The event store was damaged")
def test_a_store_set_aside_stays_told_until_it_is_dismissed(engine: Making, profile: Profile) -> None:
    profile.events_file.parent.mkdir(parents=True)
    profile.events_file.write_bytes(b"this was an event store once " * 1000)
    one = engine(settings())
    one.tick()
    one.service._intake._commit([event(one.clock())], None, alerts=False)
    assert [trouble.what for trouble in one.service.troubles()] == ["set-aside"], "good commits do not take it away"
    (told,) = status(one.restart(), running=False, language="en")["trouble"][:1]  # type: ignore[index]  # a list
    assert str(next(profile.state.glob("events.damaged-*"))) in told["what"], "nor does a restart"
    one.service.dismiss_set_aside()
    assert not one.service.troubles()
    one.restart()
    one.tick()
    assert not one.service.troubles()
    text = " ".join(one.service.make_report(Cadence.DAILY, date(2020, 1, 1)).document.text.split())
    assert "the event store was damaged, and a new one was begun" in text


@pytest.mark.expected_log("reports: The event store .* is in use by another program")
def test_an_event_store_in_use_is_told_until_it_is_free(
    engine: Making, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = engine()
    one.service.store()
    one.restart(settings())
    with Holding(profile.events_file):
        one.clock.at(7)
        one.tick()
        one.clock.at(8)
        one.tick()
        (trouble,) = one.service.troubles()
        assert (trouble.what, trouble.since) == ("reports", MONDAY + 7 * HOUR)
        assert isinstance(trouble.error, StoreError)
    one.tick()
    assert one.service.troubles() == []
    assert len(one.mails("report")) == 1


class Holding:
    """Keeps the event store open in another process."""

    CODE = """
import sys
from pathlib import Path
from vxtray.core.status import status
from vxtray.core.store.embedded import EmbeddedStore
store = EmbeddedStore(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
store.close()
"""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.CODE, str(self.path)],
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"open\n"

    def __exit__(self, *_exception: object) -> None:
        self.process.communicate(timeout=20)


def fill(one: Engine) -> None:
    for _ in range(50):
        one.service.send_report(Cadence.WEEKLY)


@pytest.mark.expected_log("outbox: .*(disk is full|cannot be used)")
def test_a_full_disk_is_told_and_mended(engine: Making, smtp_catcher: Mailbox) -> None:
    one = engine(settings(smtp_of(smtp_catcher), reports=Reports()), smtp_catcher.password)
    one.service.send_report(Cadence.DAILY)
    database = one.service.outbox._db
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreError, match="full"):
        fill(one)
    one.service.set_trouble("outbox", StoreError(path=one.service.outbox.path, reason="database or disk is full"))
    assert [trouble.what for trouble in one.service.troubles()] == ["outbox"]
    database.execute("PRAGMA max_page_count=1000000")
    one.service.start()
    smtp_catcher.wait(1)
    until(lambda: not one.service.troubles(), "the end of the trouble")


@pytest.mark.expected_log("[xy]: a cannot be used")
def test_troubles_are_told_when_they_change(engine: Making) -> None:
    one = engine()
    first = StoreError(path="a", reason="b")
    one.service.set_trouble("x", first)
    one.clock.now += HOUR
    one.service.set_trouble("x", StoreError(path="a", reason="b"))
    one.service.set_trouble("x", StoreError(path="a", reason="c"))
    one.service.set_trouble("y", first)
    assert [(trouble.what, trouble.since) for trouble in one.service.troubles()] == [
        ("x", MONDAY),
        ("y", MONDAY + HOUR),
    ]
    for what in ("x", "y", "y", "never"):
        one.service.set_trouble(what, None)
    assert len(one.told(TroubleChanged)) == 5


def test_the_outbox_of_another_program_is_a_store_error(profile: Profile) -> None:
    profile.outbox_file.mkdir(parents=True)
    with pytest.raises(StoreError):
        Service(profile, Settings(), keyring_for(NOWHERE_WITH_USER, "x"), print)


NOWHERE_WITH_USER = msgspec.structs.replace(NOWHERE, username="u")


def test_events_of_a_moment(engine: Making) -> None:
    one = engine()
    one.service.store().append([event(MONDAY), event(MONDAY + HOUR), event(MONDAY + DAY)], alerts=False)
    found = one.service.store().events(since=MONDAY + HOUR, until=MONDAY + DAY)
    assert [each.seq for each in found] == [2]
    assert isinstance(one.service.store(), EmbeddedStore)
