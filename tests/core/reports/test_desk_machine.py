"""Whatever clock, network, mail server, settings and restarts do: each period has one report, or one that names it.

Some minutes of it: ``pytest -m slow tests/core/reports/test_desk_machine.py``.
"""

import re
import shutil
import tempfile
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.core.engine import DAY, HOUR, NOWHERE, Clock, opened, settings, text_of
from tests.core.mail.office import unvaried
from tests.core.reports.office import Quiet
from vxtray.core.errors import VxtrayError
from vxtray.core.mail.outbox import Outbox, Outcome, Parcel, Verdict
from vxtray.core.reports.desk import ReportDesk
from vxtray.core.reports.period import Cadence, named_by
from vxtray.core.reports.rendering import undrawn
from vxtray.core.settings.tree import Daily, Monthly, Reports, Settings, Weekday, Weekly
from vxtray.core.store import EventStore

UTC_ZONE = ZoneInfo("UTC")
MINUTE = timedelta(minutes=1)
BEGIN = datetime(2026, 11, 23, 12, tzinfo=UTC)
LONGEST = 100 * DAY  # of an example, or it would make thousands of reports

ZONES = ("Europe/Paris", "America/New_York", "Pacific/Kiritimati", "Pacific/Auckland", "America/Havana")
TIMES = st.sampled_from(["00:00", "00:30", "02:30", "08:00", "18:15", "23:59"])
SCHEDULES = st.builds(
    lambda zone, at, weekday, day: Reports(
        zone=zone,
        language="en",
        daily=Daily(enabled=True, time=at),
        weekly=Weekly(enabled=True, time=at, weekday=weekday),
        monthly=Monthly(enabled=True, time=at, day=day),
    ),
    st.sampled_from(ZONES),
    TIMES,
    st.sampled_from(list(Weekday)),
    st.sampled_from([1, 15, 29, 31, "last"]),
)
SPANS = st.one_of(
    st.sampled_from([MINUTE, 20 * MINUTE, HOUR, 7 * HOUR, DAY, 4 * DAY, 60 * DAY]),
    st.integers(1, 60 * 24).map(lambda minutes: minutes * MINUTE),
    st.integers(1, 60).map(lambda days: days * DAY),
)
STEPS = st.one_of(st.sampled_from([MINUTE, HOUR, DAY]), st.integers(1, 3 * 24 * 60).map(lambda n: n * MINUTE))

_NOT_SENT = re.compile(
    r"\d+ earlier reports? (?:was|were) not sent, for a newer one was due already: (.*?)\. (?:It|They)"
)


class Reporting(RuleBasedStateMachine):
    """A computer, its clock, the network, a mail server and a person around the desk."""

    catch_up = "all"

    @initialize(chosen=SCHEDULES)
    def begin(self, chosen: Reports) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vxtray-machine-"))
        self.clock, self.set_by, self.lived = Clock(BEGIN), 0.0, timedelta()
        self.network, self.server = True, True
        self.mailbox: list[tuple[str, EmailMessage]] = []
        self.chosen = self._settings(chosen)
        self.outbox = Outbox(self.folder / "outbox.db", unvaried)
        self._start()
        self._tick()

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            try:
                self._all_is_well()
            finally:
                self.outbox.close()
                shutil.rmtree(self.folder)

    # --- what happens ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.lived < LONGEST)
    @rule(span=SPANS)
    def time_goes_by(self, span: timedelta) -> None:
        self.lived += span
        step = max(span / 40, min(span, 20 * MINUTE))
        end = self.clock.now + span
        while self.clock.now < end:
            self.clock.now = min(self.clock.now + step, end)
            self._tick()

    @precondition(lambda self: self.lived < LONGEST)
    @rule(span=SPANS, restarts=st.booleans(), comes_back=st.booleans())
    def sleep(self, span: timedelta, restarts: bool, comes_back: bool) -> None:
        """Asleep, or switched off; when it awakes, the network may not be there yet."""
        self.lived += span
        self.clock.now += span
        self.network = comes_back
        if restarts:
            self.restart()
        self._tick()

    @rule(step=STEPS, back=st.booleans())
    def clock_is_set(self, step: timedelta, back: bool) -> None:
        step = -step if back else step
        self.clock.now += step
        self.set_by += step.total_seconds()
        self._tick()

    @rule()
    def restart(self) -> None:
        self.outbox.close()
        self.outbox = Outbox(self.folder / "outbox.db", unvaried)
        self.outbox.recover()
        self._start()
        self._tick()

    @rule(chosen=SCHEDULES)
    def schedule_is_changed(self, chosen: Reports) -> None:
        self.chosen = self._settings(chosen)
        self._tick()

    @rule(zone=st.sampled_from(ZONES))
    def zone_is_changed(self, zone: str) -> None:
        self.chosen = self._settings(msgspec.structs.replace(self.chosen.reports, zone=zone))
        self._tick()

    @rule(there=st.booleans())
    def network_goes_or_comes(self, there: bool) -> None:
        self.network = there

    @rule(there=st.booleans())
    def mail_server_goes_or_comes(self, there: bool) -> None:
        self.server = there

    # --- what the program does ---------------------------------------------------------------------------------------

    def _settings(self, chosen: Reports) -> Settings:
        return settings(NOWHERE, reports=msgspec.structs.replace(chosen, catch_up=self.catch_up))

    def _start(self) -> None:
        self.desk = ReportDesk(
            self.outbox,
            self._store,
            self.clock,
            default_route=lambda: self.network,
            boot_clock=self._boot_clock,
            draw=undrawn,
        )

    def _store(self) -> EventStore:
        return Quiet()  # type: ignore[return-value]  # what reports ask of a store

    def _boot_clock(self) -> float:
        return self.clock().timestamp() - self.set_by

    def _tick(self) -> None:
        self.desk.queue_due(self.chosen, BEGIN)
        for _delivery in self.outbox.deliver_due(self._deliver, self.clock):
            pass

    def _deliver(self, parcel: Parcel) -> Outcome:
        if not self.network:
            return Outcome(verdict=Verdict.WAIT, network=True, error=VxtrayError("no network"))
        if not self.server:
            return Outcome(verdict=Verdict.SERVER, stage="connect", error=VxtrayError("away"))
        key = self.outbox.entry(parcel.id)[0].key
        self.mailbox.append((key, opened(parcel.data)))
        return Outcome(verdict=Verdict.SENT, stage="data", accepted=parcel.recipients)

    # --- what must hold ----------------------------------------------------------------------------------------------

    def _all_is_well(self) -> None:
        self.network = self.server = True
        for _ in range(8):  # past every pause of the queue
            self.clock.now += 25 * MINUTE
            self._tick()
        sent = [key for key, _mail in self.mailbox]
        assert len(sent) == len(set(sent)), "one report for each period"
        named = {key for key, mail in self.mailbox for key in self._named(key, mail)}
        if self.catch_up == "all":
            assert not named
        for cadence in Cadence:
            told = {self._first(key) for key in {*sent, *named} if f":{cadence}:" in key}
            assert _without_a_gap(cadence, told), f"{cadence}: {sorted(told)}"
        self._ledger_agrees(set(sent), named)

    def _ledger_agrees(self, sent: set[str], named: set[str]) -> None:
        outcomes = self.outbox.period_outcomes()
        waiting = {key for cadence in Cadence for key in self.desk._ledger.unnamed(cadence)}
        assert sent <= outcomes.keys()
        for key, became in outcomes.items():
            assert key in (sent if became == "queued" and key not in waiting | named else named | waiting)
        for cadence, moment in self.desk.next_reports(self.chosen).items():
            assert moment is not None, cadence
            assert moment > self.clock()
        assert self.outbox.counts() == {"queued": 0, "held": 0, "failed": 0}

    @staticmethod
    def _first(key: str) -> date:
        period = named_by(key, UTC_ZONE)
        assert period is not None
        return period.first

    @staticmethod
    def _named(key: str, mail: EmailMessage) -> list[str]:
        """Return the keys of the periods that a mail says were not sent."""
        found = _NOT_SENT.search(" ".join(text_of(mail).split()))
        if not found:
            return []
        cadence = Cadence(key.split(":")[1])
        keys = []
        for part in found[1].split(", "):
            first, _to, last = part.partition(" to ")
            day, end = _day(first), _day(last or first)
            while day <= end:
                keys.append(
                    f"report:{cadence}:{day:%Y-%m}" if cadence is Cadence.MONTHLY else f"report:{cadence}:{day}"
                )
                day = _following(cadence, day)
        return keys


class CatchingUpLast(Reporting):
    catch_up = "last"


def _day(words: str) -> date:
    return datetime.strptime(words if words[0].isdigit() else f"1 {words}", "%d %B %Y").replace(tzinfo=UTC).date()


def _following(cadence: Cadence, day: date) -> date:
    if cadence is Cadence.MONTHLY:
        return (day + 31 * DAY).replace(day=1)
    return day + (7 * DAY if cadence is Cadence.WEEKLY else DAY)


def _without_a_gap(cadence: Cadence, days: set[date]) -> bool:
    day = min(days, default=None)
    for expected in sorted(days):
        if day != expected:
            return False
        day = _following(cadence, expected)
    return True


@pytest.mark.parametrize("machine", [Reporting, CatchingUpLast])
def test_any_life(machine: type[Reporting]) -> None:
    run_state_machine_as_test(machine, settings=hypothesis_settings(max_examples=6, stateful_step_count=12))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("machine", [Reporting, CatchingUpLast])
def test_many_lives(machine: type[Reporting]) -> None:
    run_state_machine_as_test(machine, settings=hypothesis_settings(max_examples=30, stateful_step_count=20))
