"""Reports that could not leave at their time: when they are made after all, what they say of it, and what they name."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from tests.core.engine import DAY, HOUR, MONDAY, NOWHERE, mails_in, text_of
from tests.core.reports.office import OFF, ON, Office
from vxtray.core.errors import StoreError, VxtrayError
from vxtray.core.mail.outbox import Outcome, State, Verdict
from vxtray.core.reports.desk import ReportDesk
from vxtray.core.reports.period import Cadence
from vxtray.core.reports.rendering import undrawn
from vxtray.core.settings.tree import Daily, Monthly, Settings, Smtp, Weekly

MINUTE = timedelta(minutes=1)
ALL = msgspec.structs.replace(ON, reports=msgspec.structs.replace(ON.reports, catch_up="all"))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    one = Office(tmp_path)
    yield one
    one.close()


def words(office: Office, number: int = -1) -> str:
    return " ".join(text_of(mails_in(office.outbox)[number]).split())


def changed(chosen: Settings, **reports: object) -> Settings:
    return msgspec.structs.replace(chosen, reports=msgspec.structs.replace(chosen.reports, **reports))


def pass_time(office: Office, span: timedelta, chosen: Settings = ON, step: timedelta = 2 * MINUTE) -> list[str]:
    """Let the program tick; return the keys of what it queued."""
    queued, end = [], office.clock.now + span
    while office.clock.now < end:
        office.clock.now = min(office.clock.now + step, end)
        queued += office.due(chosen)
    return queued


def deliver(office: Office, outcome: Outcome | None = None) -> None:
    """Let the mail server say the same to every mail that is due."""
    for _ in office.outbox.deliver_due(
        lambda parcel: outcome or Outcome(verdict=Verdict.SENT, stage="data", accepted=parcel.recipients), office.clock
    ):
        pass


AWAY = Outcome(verdict=Verdict.SERVER, stage="connect", error=VxtrayError("away"))


# --- why it is late ---------------------------------------------------------------------------------------------------


def test_the_computer_was_asleep(office: Office) -> None:
    office.clock.at(7)
    office.due()
    office.clock.at(9, 14)
    assert office.due() == ["report:daily:2026-11-22"]
    assert "Sent late: this computer was asleep from 23 November 2026, 07:00 to 09:14." in words(office)


def test_the_clock_was_set_forward(office: Office) -> None:
    office.clock.at(7)
    office.due()
    office.clock.at(9, 14)
    office.set_by = (2 * HOUR).total_seconds()
    office.due()
    assert "Sent late: the clock of this computer was set forward from 23 November 2026, 07:00 to" in words(office)


def test_a_clock_that_nobody_can_check_was_asleep(office: Office) -> None:
    office.desk = ReportDesk(
        office.outbox, office._store, office.clock, default_route=lambda: True, boot_clock=lambda: None, draw=undrawn
    )
    office.clock.at(7)
    office.due()
    office.clock.at(10)
    office.due()
    assert "Sent late: this computer was asleep" in words(office)


def test_the_program_was_off_and_says_so_after_the_end_of_a_day(office: Office) -> None:
    office.clock.at(18, 1)
    office.due()
    office.clock.at(18, 2)
    office.desk.rest()
    office.restart()
    office.clock.at(9, 14, days=1)
    assert office.due() == ["report:daily:2026-11-23"]
    assert "Sent late: vxtray was not running from 23 November 2026, 18:02 to 24 November 2026, 09:14." in words(office)


def test_in_the_language_of_the_mail(office: Office) -> None:
    office.clock.at(7)
    office.due()
    office.clock.at(9, 14, days=1)
    office.due(changed(ON, language="fr"))
    said = words(office)
    assert "Sent late" not in said
    assert "earlier report" not in said


def test_the_mail_server_was_away(office: Office) -> None:
    """What it missed is not piled up in the queue: when it is back, the newest is made, and names the others."""
    office.clock.at(7, 50)
    office.due()
    office.clock.at(8)
    assert office.due() == ["report:daily:2026-11-22"], "nobody knows yet"
    deliver(office, AWAY)
    while office.clock.now < MONDAY + 2 * DAY + 9 * HOUR:
        assert pass_time(office, 20 * MINUTE) == []
        deliver(office, AWAY)
    office.clock.now += 20 * MINUTE
    deliver(office)
    assert pass_time(office, 2 * MINUTE) == ["report:daily:2026-11-24"]
    said = words(office)
    assert "Sent late: the mail server took no mail from 23 November 2026, 08:0" in said
    assert "1 earlier report was not sent, for a newer one was due already: 23 November 2026. It can" in said
    (noted,) = [line for line in office.outbox.history() if line.what == "skipped"]
    assert noted.detail == {"report": "daily", "periods": ["2026-11-23"]}


@pytest.mark.parametrize("chosen", [ON, ALL])
def test_what_was_given_up_while_the_server_was_away(office: Office, chosen: Settings) -> None:
    office.clock.at(7, 50)
    office.due(chosen)
    office.clock.at(8)
    office.due(chosen)
    while office.clock.now < MONDAY + 3 * DAY + 10 * HOUR:
        deliver(office, AWAY)
        pass_time(office, 20 * MINUTE, chosen)
    for _ in range(3):
        office.clock.now += 20 * MINUTE
        deliver(office)
        office.due(chosen)
    deliver(office)
    sent = sorted(entry.key for entry in office.outbox.search(states=[State.SENT]))
    days = [f"report:daily:2026-11-{day}" for day in range(22, 26)]
    assert office.outbox.counts() == {"queued": 0, "held": 0, "failed": 0}
    assert sent == (days if chosen is ALL else days[-1:])
    assert ("3 earlier reports were not sent" in words(office)) is (chosen is ON)


def test_no_network(office: Office) -> None:
    """After a sleep it waits a little: the logs come by the network, too."""
    office.clock.at(7)
    office.due()
    office.network = False
    office.clock.at(9)
    assert office.due() == []
    assert pass_time(office, 3 * MINUTE) == []
    office.network = True
    assert pass_time(office, MINUTE) == ["report:daily:2026-11-22"]
    assert "Sent late: this computer was asleep from 23 November 2026, 07:00 to 09:00." in words(office)


def test_a_network_that_leads_nowhere_else_is_not_waited_for_long(office: Office) -> None:
    office.clock.at(7)
    office.due()
    office.network = False
    office.clock.at(9)
    assert office.due() == []
    assert pass_time(office, 6 * MINUTE) == ["report:daily:2026-11-22"]
    office.clock.at(7, 58, days=1)
    office.due()
    office.clock.at(8, days=1)
    assert office.due() == ["report:daily:2026-11-23"], "and at its time it is not waited for at all"


def test_a_mail_server_on_this_computer_needs_no_network(office: Office) -> None:
    office.network = False
    for number, host in enumerate(("localhost", "127.0.0.1", "::1")):
        office.clock.at(7, days=number)
        office.due()
        office.clock.at(9, days=number)
        here = msgspec.structs.replace(ON, smtp=msgspec.structs.replace(NOWHERE, host=host))
        assert len(office.due(here)) == 1


def test_nothing_was_set_up(office: Office) -> None:
    office.clock.at(7)
    bare = msgspec.structs.replace(ON, smtp=Smtp())
    office.due(bare)
    pass_time(office, 3 * HOUR, bare)
    assert pass_time(office, MINUTE) == ["report:daily:2026-11-22"]
    assert "Sent late: vxtray was not set up to send reports from" in words(office)


def test_the_store_was_broken(office: Office) -> None:
    office.clock.at(7, 58)
    office.due()
    office.fault = StoreError(path="x", reason="y")
    for _ in range(20):
        office.clock.now += 2 * MINUTE
        if office.clock.now >= MONDAY + 8 * HOUR:
            with pytest.raises(StoreError):
                office.due()
        else:
            office.due()
    office.fault = None
    assert pass_time(office, MINUTE) == ["report:daily:2026-11-22"]
    assert "Sent late: the report could not be made from 23 November 2026, 07:58 to 08:38." in words(office)


def test_its_time_was_changed(office: Office) -> None:
    later = changed(ON, daily=Daily(enabled=True, time="23:00"))
    office.clock.at(7)
    office.due(later)
    pass_time(office, 3 * HOUR, later)
    office.clock.now += MINUTE
    assert office.due(ON) == ["report:daily:2026-11-22"]
    assert "Sent late: its time was changed in the settings at 23 November 2026, 10:01." in words(office)


# --- what is counted --------------------------------------------------------------------------------------------------


def test_every_kind_names_its_own(office: Office) -> None:
    chosen = changed(ON, weekly=Weekly(enabled=True), monthly=Monthly(enabled=True))
    office.due(chosen)
    office.clock.at(9, days=70)
    assert len(office.due(chosen)) == 3
    said = [words(office, number) for number in range(3)]
    for text, count, periods in zip(
        said,
        (70, 10, 2),
        (
            "22 November 2026 to 30 January 2027.",
            "16 November 2026 to 24 January 2027",
            "November 2026, December 2026",
        ),
        strict=True,
    ):
        assert f"{count} earlier reports were not sent, for a newer one was due already: {periods}" in text


def test_the_first_report_stays_the_first(office: Office) -> None:
    """A later time of day does not bring back what was over when it was switched on."""
    office.clock.at(12)
    office.due(ALL, saved_at=office.clock())
    office.clock.at(8, days=1)
    assert office.due(ALL) == ["report:daily:2026-11-23"]
    later = changed(ALL, daily=Daily(enabled=True, time="23:00"))
    assert pass_time(office, DAY, later, HOUR) == [], "22 November was over before"
    assert office.desk.next_reports(later)[Cadence.DAILY] == MONDAY + 2 * DAY + 23 * HOUR
    assert pass_time(office, DAY, later, HOUR) == ["report:daily:2026-11-24"]


@pytest.mark.parametrize("chosen", [ON, ALL])
def test_a_clock_that_ran_ahead(office: Office, chosen: Settings) -> None:
    """What it skipped has its report when its time has really come; what it sent stays sent."""
    office.clock.at(7)
    office.due(chosen)
    office.clock.at(9, days=30)
    ahead = office.due(chosen)
    office.clock.at(7, 30)
    assert office.due(chosen) == []
    back = pass_time(office, 31 * DAY, chosen, HOUR)
    assert len(set(ahead + back)) == len(ahead + back)
    days = {f"report:daily:{(MONDAY + number * DAY).date()}" for number in range(-1, 30)}
    named = set() if chosen is ALL else {"report:daily:2026-11-22"}  # by the one that left ahead of time
    assert {*ahead, *back} == days - named


def test_a_clock_that_was_not_set_yet(office: Office) -> None:
    office.clock.now = MONDAY.replace(year=1970)
    assert office.due() == []
    office.clock.at(7)
    assert office.due(saved_at=office.clock()) == []
    office.clock.at(8)
    assert office.due(saved_at=office.clock()) == ["report:daily:2026-11-22"]


def test_it_was_switched_on_by_a_clock_that_ran_ahead(office: Office) -> None:
    office.clock.at(9, days=300)
    office.due(ON, saved_at=office.clock())
    office.clock.at(7)
    assert office.due() == []
    office.clock.at(8)
    assert office.due() == ["report:daily:2026-11-22"]


def test_the_program_ends_between_two_reports(office: Office) -> None:
    office.due(ALL)
    office.clock.at(9, days=4)
    asked = iter([True, True, False])
    assert office.desk.queue_due(ALL, MONDAY, lambda: next(asked)) == 2
    assert office.due(ALL) == [f"report:daily:2026-11-{day}" for day in (24, 25, 26)]
    assert office.due(OFF) == []


def test_a_fact_that_cannot_be_read_is_begun_anew(office: Office) -> None:
    office.outbox.set_fact("absences", "{broken")
    office.clock.at(8)
    assert office.due() == ["report:daily:2026-11-22"]
