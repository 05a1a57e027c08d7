"""Reports that are due go into the outbox exactly once, whatever happens to the program and the clock."""

import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.core.engine import DAY, HOUR, MONDAY, NOWHERE, event, mails_in, settings, text_of
from tests.core.reports.office import OFF, ON, Office
from vxtray.core.errors import NotConfigured, StoreError
from vxtray.core.events import Severity
from vxtray.core.reports.language import mail_language
from vxtray.core.reports.period import Cadence
from vxtray.core.settings.tree import Daily, General, Monthly, Reports, Settings, Smtp, Weekly

LATE = "Sent late: vxtray was not running from"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    one = Office(tmp_path)
    yield one
    one.close()


def test_a_report_leaves_at_its_time_once(office: Office) -> None:
    office.clock.at(7, 59)
    assert office.due() == []
    office.clock.at(8)
    assert office.due() == ["report:daily:2026-11-22"]
    assert office.due() == []
    office.restart()
    assert office.due() == [], "nor after a restart"
    office.clock.at(8, days=1)
    assert office.due() == ["report:daily:2026-11-23"]


def test_its_numbers_are_those_of_the_period(office: Office) -> None:
    sunday = MONDAY - DAY
    office.events.append([event(sunday), event(sunday + 23 * HOUR, Severity.LOW), event(MONDAY)])
    office.clock.at(8)
    office.due()
    (mail,) = mails_in(office.outbox)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert [address.addr_spec for address in mail["To"].addresses] == list(NOWHERE.recipients)
    assert mail["Date"].datetime == office.clock()
    made = office.desk.make(Cadence.DAILY, ON)
    assert made.report.totals.events == 2
    assert made.document.subject == mail["Subject"]
    assert LATE not in text_of(mail)


def test_all_three_at_once(office: Office) -> None:
    reports = Reports(
        zone="Europe/Paris",
        daily=Daily(enabled=True),
        weekly=Weekly(enabled=True),
        monthly=Monthly(enabled=True, day=23),
    )
    chosen = settings(reports=reports)
    office.clock.at(8)
    assert sorted(office.due(chosen)) == [
        "report:daily:2026-11-22",
        "report:monthly:2026-10",
        "report:weekly:2026-11-16",
    ]
    assert office.due(chosen) == []


@pytest.mark.parametrize(("minutes", "late"), [(0, False), (15, False), (16, True), (600, True)])
def test_a_late_report_says_why(office: Office, minutes: int, late: bool) -> None:
    office.due()
    office.clock.at(8, minutes)
    office.restart()
    assert len(office.due()) == 1
    assert (LATE in text_of(mails_in(office.outbox)[0])) is late


@pytest.mark.parametrize("catch_up", ["last", "all"])
def test_after_days_of_sleep(office: Office, catch_up: str) -> None:
    chosen = msgspec.structs.replace(ON, reports=msgspec.structs.replace(ON.reports, catch_up=catch_up))
    office.clock.at(7)
    office.due(chosen)
    office.clock.at(9, days=4)
    keys = [f"report:daily:2026-11-{day}" for day in range(22, 27)]
    assert office.due(chosen) == (keys[-1:] if catch_up == "last" else keys)
    assert office.outbox.settled_periods() == set(keys), "what was skipped is settled too"
    assert office.due(chosen) == []
    everything = msgspec.structs.replace(ON, reports=msgspec.structs.replace(ON.reports, catch_up="all"))
    assert office.due(everything) == [], "and does not come back by another setting"


def test_switching_on_does_not_send_the_past(office: Office) -> None:
    office.clock.at(12)
    assert office.due(OFF) == []
    assert office.due(ON, saved_at=office.clock()) == []
    office.clock.at(8, days=1)
    assert office.due(ON, saved_at=MONDAY + 12 * HOUR) == ["report:daily:2026-11-23"]


def test_switched_on_while_the_program_was_stopped(office: Office) -> None:
    """It counts from when the settings were saved, so the first report is not lost."""
    office.clock.at(12)
    assert office.due(ON, saved_at=MONDAY + 7 * HOUR) == ["report:daily:2026-11-22"]
    assert f"{LATE} 23 November 2026, 07:00 to 12:00." in text_of(mails_in(office.outbox)[0])


def test_a_save_in_the_future_is_now(office: Office) -> None:
    office.clock.at(7)
    assert office.due(ON, saved_at=MONDAY + 30 * DAY) == []
    office.clock.at(8)
    assert office.due(ON, saved_at=MONDAY + 30 * DAY) == ["report:daily:2026-11-22"]


def test_later_saves_do_not_move_the_beginning(office: Office) -> None:
    office.clock.at(7)
    office.due(ON, saved_at=office.clock())
    office.clock.at(9)
    assert office.due(ON, saved_at=office.clock()) == ["report:daily:2026-11-22"]


def test_off_and_on_again_forgets_what_was_missed(office: Office) -> None:
    office.clock.at(7)
    office.due(ON)
    office.due(OFF)
    office.clock.at(9, days=3)
    assert office.due(ON, saved_at=office.clock()) == []
    office.clock.at(8, days=4)
    assert office.due(ON) == ["report:daily:2026-11-26"]


@pytest.mark.parametrize(
    "unready",
    [
        settings(Smtp()),
        settings(msgspec.structs.replace(NOWHERE, recipients=())),
        msgspec.structs.replace(ON, store=msgspec.structs.replace(ON.store, send=False)),
    ],
    ids=["nothing set", "no recipients", "another program sends"],
)
def test_what_cannot_be_sent_yet_is_sent_once_it_can(office: Office, unready: Settings) -> None:
    office.clock.at(7)
    assert office.due(unready) == []
    office.clock.at(9)
    assert office.due(unready) == []
    assert office.outbox.settled_periods() == frozenset()
    office.clock.at(12)
    assert office.due(ON, saved_at=office.clock()) == ["report:daily:2026-11-22"]
    assert office.due(ON) == []


def test_a_fault_of_the_store_loses_no_report(office: Office) -> None:
    office.clock.at(8)
    office.fault = StoreError(path="events.duckdb", reason="the disk is gone")
    for _ in range(3):
        with pytest.raises(StoreError):
            office.desk.queue_due(ON, MONDAY)
    assert office.outbox.settled_periods() == frozenset()
    office.fault = None
    assert office.due() == ["report:daily:2026-11-22"]


def test_recipients_and_language_of_the_reports(office: Office) -> None:
    reports = msgspec.structs.replace(ON.reports, recipients=("boss@example.org",), language="fr")
    office.clock.at(8)
    office.due(settings(reports=reports))
    (mail,) = mails_in(office.outbox)
    assert [address.addr_spec for address in mail["To"].addresses] == ["boss@example.org"]
    french = office.desk.make(Cadence.DAILY, settings(reports=reports)).document
    assert mail["Subject"] == french.subject
    general = msgspec.structs.replace(ON, general=General(language="fr"))
    assert (mail_language("auto", general), mail_language("en", general)) == ("fr", "en")


def test_asked_for_by_a_person_is_beside_the_schedule(office: Office) -> None:
    office.clock.at(7)
    office.due()
    office.clock.at(7, 30)
    subject = office.desk.queue(Cadence.DAILY, ON)
    office.clock.at(7, 31)
    office.desk.queue(Cadence.DAILY, ON, day=(MONDAY - 3 * DAY).date(), recipients=("me@example.org",))
    office.clock.at(8)
    assert office.due() == ["report:daily:2026-11-22"]
    mails = mails_in(office.outbox)
    assert [mail["Subject"] for mail in mails][::2] == [subject, subject]
    assert mails[1]["To"].addresses[0].addr_spec == "me@example.org"
    with pytest.raises(NotConfigured):
        office.desk.queue(Cadence.DAILY, settings(Smtp()))


def test_next_reports(office: Office) -> None:
    office.clock.at(7)
    assert office.desk.next_reports(ON) == {
        Cadence.DAILY: MONDAY + 8 * HOUR,
        Cadence.WEEKLY: None,
        Cadence.MONTHLY: None,
    }
    office.clock.at(8)
    office.due()
    assert office.desk.next_reports(ON)[Cadence.DAILY] == MONDAY + DAY + 8 * HOUR


def test_a_clock_that_goes_back_sends_nothing_again(office: Office) -> None:
    office.clock.at(8, 1)
    assert len(office.due()) == 1
    office.clock.at(7, 59)
    assert office.due() == []
    office.clock.at(8)
    assert office.due() == []


@hypothesis_settings(max_examples=25)
@given(
    steps=st.lists(
        st.tuples(st.integers(1, 60 * 60), st.booleans(), st.sampled_from(["on", "on", "on", "unready", "broken"])),
        min_size=5,
        max_size=40,
    ),
    catch_up=st.sampled_from(["last", "all"]),
)
def test_any_life_of_the_program(steps: list[tuple[int, bool, str]], catch_up: str) -> None:
    """Ticks, sleeps, restarts and faults in any order: each day has at most one report, and the last one its own."""
    chosen = msgspec.structs.replace(ON, reports=msgspec.structs.replace(ON.reports, catch_up=catch_up))
    with tempfile.TemporaryDirectory() as folder:
        office = Office(Path(folder))
        office.due(chosen)
        for minutes, restarts, state in steps:
            office.clock.now += timedelta(minutes=minutes)
            if restarts:
                office.restart()
            office.fault = StoreError(path="x", reason="y") if state == "broken" else None
            if state == "unready":
                assert office.due(msgspec.structs.replace(chosen, smtp=Smtp())) == []
            elif state == "broken":
                try:
                    office.desk.queue_due(chosen, MONDAY)
                except StoreError:
                    continue
            else:
                office.due(chosen)
        office.fault = None
        office.due(chosen)
        keys = [entry.key for entry in office.outbox.entries(1000)]
        days, moment = [], MONDAY + 8 * HOUR
        while moment <= office.clock():
            days.append(f"report:daily:{moment.date() - DAY}")
            moment += DAY  # wall time of one zone
        office.close()
    assert len(keys) == len(set(keys))
    if catch_up == "all":
        assert set(keys) == set(days)
    else:
        assert set(keys) <= set(days)
        assert not days or days[-1] in keys
