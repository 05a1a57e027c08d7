"""What was lost is remembered over restarts, told by the next report of each kind, and told apart from what was not."""

import resource
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.core.engine import DAY, HOUR, MONDAY, Clock, event, mails_in, settings, text_of
from vxtray.core.errors import StoreError
from vxtray.core.mail.outbox import Outbox
from vxtray.core.reports.desk import ReportDesk
from vxtray.core.reports.losses import LossLedger
from vxtray.core.reports.period import Cadence
from vxtray.core.reports.rendering import undrawn
from vxtray.core.settings.tree import Daily, Monthly, Reports, Weekly
from vxtray.core.store.embedded import EmbeddedStore

EVERYTHING = settings(
    reports=Reports(
        zone="Europe/Paris",
        language="en",
        daily=Daily(enabled=True),
        weekly=Weekly(enabled=True),
        monthly=Monthly(enabled=True),
    )
)


class Office:
    """A ledger over an outbox that can be opened again, and the desk that makes reports of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.events_file = folder / "events.duckdb"
        self.events = EmbeddedStore(self.events_file)
        self._open()

    def _open(self) -> None:
        self.outbox = Outbox(self.folder / "outbox.db")
        self.desk = ReportDesk(self.outbox, lambda: self.events, self.clock, draw=undrawn)
        self.ledger = self.desk.losses

    def restart(self) -> LossLedger:
        self.outbox.close()
        self._open()
        return self.ledger

    def damaged(self, at: datetime, ending: str = ".duckdb") -> Path:
        """Leave what ``open_store`` leaves of a damaged store, and look."""
        path = self.folder / f"events.damaged-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}{ending}"
        path.write_bytes(b"damaged")
        self.ledger.look_beside(self.events_file)
        return path

    def due(self) -> dict[str, str]:
        """Queue what is due; return the new reports' texts on one line each, by their keys."""
        before = {entry.key for entry in self.outbox.entries(1000)}
        self.desk.queue_due(EVERYTHING, MONDAY)
        entries = reversed(self.outbox.entries(1000))
        texts = zip(entries, mails_in(self.outbox), strict=True)
        return {one.key: " ".join(text_of(mail).split()) for one, mail in texts if one.key not in before}

    def close(self) -> None:
        self.events.close()
        self.outbox.close()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    one = Office(tmp_path)
    yield one
    one.close()


# --- stores that were set aside ---------------------------------------------------------------------------------------


def test_each_kind_of_report_tells_of_a_store_set_aside_once(office: Office) -> None:
    office.clock.at(10)
    office.due()
    path = office.damaged(office.clock())
    assert [one.path for one in office.restart().untold()] == [str(path)]
    told: list[str] = []
    for day in range(1, 40):
        office.clock.at(8, days=day)
        if day % 7 == 3:
            office.restart()
        told += [key for key, text in office.due().items() if "the event store was damaged, and a new one" in text]
    assert told == ["report:daily:2026-11-23", "report:weekly:2026-11-23", "report:monthly:2026-11"]


def test_the_report_names_day_and_file(office: Office) -> None:
    office.clock.at(10)
    office.due()
    path = office.damaged(office.clock())
    office.clock.at(8, days=1)
    (text,) = office.due().values()
    assert "On 23 Nov 2026, 10:00 (Europe/Paris) the event store was damaged" in text
    assert "Events before that are missing from these figures" in text
    assert str(path).replace("/", "") in text.replace(" ", "").replace("/", ""), "a long path may be broken at a line"


def test_it_is_open_until_a_report_told_it(office: Office) -> None:
    office.clock.at(10)
    office.due()
    office.damaged(office.clock())
    office.desk.make(Cadence.DAILY, EVERYTHING, day=MONDAY.date())
    assert office.ledger.untold(), "a report that nobody got tells nobody"
    office.clock.at(8, days=1)
    office.due()
    assert not office.ledger.untold()
    assert not office.restart().untold()


def test_it_is_open_until_it_is_dismissed(office: Office) -> None:
    office.damaged(office.clock())
    office.ledger.dismiss()
    assert not office.ledger.untold()
    office.restart().look_beside(office.events_file)
    assert not office.ledger.untold()
    assert office.ledger.stores(), "the reports tell it all the same"
    other = office.damaged(office.clock() - 2 * HOUR)
    assert [one.path for one in office.ledger.untold()] == [str(other)]


def test_who_took_the_file_away_knows_of_it(office: Office) -> None:
    path = office.damaged(office.clock())
    assert office.ledger.untold()
    path.unlink()
    assert not office.ledger.untold()
    assert [one.path for one in office.ledger.stores()] == [str(path)]


def test_a_log_alone_is_a_part_and_a_log_beside_its_store_is_nothing_more(office: Office) -> None:
    at = office.clock() - 3 * HOUR
    log = office.damaged(at, ".duckdb.wal")
    assert [(one.path, one.partly, one.at) for one in office.ledger.stores()] == [(str(log), True, at)]
    whole = office.damaged(at + HOUR)
    office.damaged(at + HOUR, ".duckdb.wal")
    assert [(one.path, one.partly) for one in office.ledger.stores()] == [(str(log), True), (str(whole), False)]


def test_what_only_looks_like_it_is_left_alone(office: Office) -> None:
    for name in ("events.v1.duckdb", "events.damaged-x.txt", "other.damaged-20261122T000000Z.duckdb"):
        (office.folder / name).touch()
    strange = office.folder / "events.damaged-some-day.duckdb"
    strange.touch()
    office.ledger.look_beside(office.events_file)
    assert [(one.path, one.at) for one in office.ledger.stores()] == [(str(strange), office.clock())]


# --- lines that were lost ---------------------------------------------------------------------------------------------


def test_lost_lines_are_told_with_time_count_and_source(office: Office) -> None:
    office.clock.at(10)
    office.due()
    office.events.append([event(office.clock())])
    office.ledger.lost({"syslog udp": 0})
    office.clock.at(10, 1)
    office.ledger.lost({"syslog udp": 1200, "syslog tcp": 0})
    office.clock.at(10, 4)
    office.ledger.lost({"syslog udp": 4})
    office.clock.at(12)
    office.ledger.lost({"syslog udp": 0})
    office.restart()
    office.clock.at(8, days=1)
    (text,) = office.due().values()
    assert (
        "Events from 23 Nov 2026, 10:00 (Europe/Paris) to 23 Nov 2026, 10:04 (Europe/Paris) were lost: 1,204 lines"
        " from syslog udp could not be taken in time." in text
    )
    office.clock.at(8, days=2)
    (text,) = office.due().values()
    assert "were lost" not in text


def test_stretches_are_kept_apart_by_source_and_time(office: Office) -> None:
    for minute, lines in ((0, {}), (1, {"a": 1, "b": 2}), (2, {"a": 1}), (30, {}), (31, {"a": 5})):
        office.clock.at(0, minute)
        office.ledger.lost(lines)
    minutes = [
        (gap.source, (gap.start - MONDAY) / timedelta(minutes=1), int((gap.end - MONDAY).total_seconds() // 60))
        for gap in office.restart().gaps()
    ]
    assert sorted(minutes) == [("a", 0, 2), ("a", 30, 31), ("b", 0, 1)]
    assert sorted(gap.lines for gap in office.ledger.gaps()) == [2, 2, 5]


def test_what_is_remembered_is_bounded_and_keeps_the_sum(office: Office) -> None:
    for hour in range(150):
        office.clock.at(hour, 59)
        office.ledger.lost({})
        office.clock.at(hour + 1)
        office.ledger.lost({"a": 1, "b": 1})
    gaps = office.ledger.gaps()
    assert len(gaps) == 100
    assert sum(gap.lines for gap in gaps) == 300
    office.clock.now += 500 * DAY
    office.ledger.lost({"a": 1})
    assert [gap.lines for gap in office.ledger.gaps()] == [1], "no report is made of times so long ago"


def test_what_a_full_disk_refused_is_noted_later(office: Office) -> None:
    office.ledger.lost({})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(StoreError):
            office.ledger.lost({"a": 3})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    office.clock.at(0, 1)
    office.ledger.lost({})
    assert [gap.lines for gap in office.restart().gaps()] == [3]
