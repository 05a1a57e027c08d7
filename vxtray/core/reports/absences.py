"""Why a report could not leave at its time: when the program, the network or the mail server was away.

Runs on the ``vx-report`` worker. What it knows stands as one fact beside the mails, so that a restart does not forget
it; it may lag some minutes behind after a power cut.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from vxtray.core.errors import N_
from vxtray.core.mail.hold import Cause, Hold
from vxtray.core.mail.outbox import Outbox
from vxtray.core.reports.period import Cadence, Period

if TYPE_CHECKING:
    from vxtray.core.mail.render import Reader

_FACT = "absences"

#: Ticks further apart than this were kept from coming. Many times a tick: a month's report may take its time.
_GAP = timedelta(minutes=5)
#: So seldom the disk is touched for nothing but the passing of time.
_SAVED_EVERY = timedelta(minutes=5)
_NAMED_ONE_BY_ONE = 2
_DAY = "d MMMM yyyy"
#: More stretches than this are of no use: the oldest go.
_MOST = 200


class Why(StrEnum):
    """What kept the reports from leaving."""

    OFF = "off"
    ASLEEP = "asleep"
    CLOCK = "clock"
    NETWORK = "network"
    MAIL = "mail"
    BLOCKED = "blocked"
    UNREADY = "unready"
    FAULT = "fault"


class Absence(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch, both ends aware, in which no report could leave."""

    why: Why
    start: datetime
    end: datetime


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """``schedules`` holds, for each cadence, its settings as text and since when they are these."""

    ticked: datetime | None = None
    absences: tuple[Absence, ...] = ()
    schedules: dict[str, tuple[str, datetime]] = {}


_REASONS: Mapping[Why, str] = MappingProxyType(
    {
        Why.OFF: N_("vxtray was not running from {start} to {end}"),
        Why.ASLEEP: N_("this computer was asleep from {start} to {end}"),
        Why.CLOCK: N_("the clock of this computer was set forward from {start} to {end}"),
        Why.NETWORK: N_("there was no network from {start} to {end}"),
        Why.MAIL: N_("the mail server took no mail from {start} to {end}"),
        Why.BLOCKED: N_("no mail could leave this computer from {start} to {end}"),
        Why.UNREADY: N_("vxtray was not set up to send reports from {start} to {end}"),
        Why.FAULT: N_("the report could not be made from {start} to {end}"),
    }
)
_CHANGED = N_("its time was changed in the settings at {moment}")
_UNKNOWN = N_("it could not be sent at its time")


def of_hold(hold: Hold) -> Why:
    """Return what it means for the reports that the queue waits."""
    if hold.cause is Cause.NETWORK:
        return Why.NETWORK
    return Why.BLOCKED if hold.cause is Cause.BLOCKED else Why.MAIL


def since_boot() -> float | None:
    """Return the seconds since this computer was started, sleep included; None where that cannot be told apart."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)  # Linux
    return None if clock is None else time.clock_gettime(clock)


class AbsenceBook:
    """Learns from the ticks when no report could leave. Every method may raise ``StoreError``."""

    def __init__(self, outbox: Outbox, boot_clock: Callable[[], float | None] = since_boot) -> None:
        self._outbox = outbox
        self._boot_clock = boot_clock
        self._known: _Known | None = None
        self._saved: datetime | None = None
        self._booted: float | None = None
        self._before: datetime | None = None

    def tick(self, now: datetime, first_seen: datetime, schedules: Mapping[str, str]) -> None:
        """Note that the program runs now, with these schedules; ``first_seen`` is its beginning, if it has no other."""
        awakened, known = self._known is None, self._read()
        last = known.ticked or first_seen
        self._before = min(last, now)
        booted, self._booted = self._booted, self._boot_clock()
        if now - last > _GAP or (awakened and now > last):
            self._add(Absence(why=Why.OFF if awakened else self._gap(booted, now - last), start=last, end=now))
            self._before = now
        if {name: text for name, (text, _at) in known.schedules.items()} != schedules:
            changed = {
                name: kept if (kept := known.schedules.get(name)) is not None and kept[0] == text else (text, now)
                for name, text in schedules.items()
            }
            self._known = msgspec.structs.replace(self._read(), schedules=changed)
            self._saved = None
        self.passed(now)

    def passed(self, now: datetime) -> None:
        """Note that the program still runs: what it did since the tick may have taken long."""
        self._known = msgspec.structs.replace(self._read(), ticked=now)
        if self._saved is None or not timedelta() <= now - self._saved < _SAVED_EVERY:
            self._outbox.set_fact(_FACT, msgspec.json.encode(self._known).decode(), durable=False)
            self._saved = now

    def note(self, why: Why, now: datetime) -> None:
        """Note that no report can leave since the tick before this one, or longer, and why."""
        known, start = self._read(), self._before or now
        last = known.absences[-1] if known.absences else None
        if last is not None and last.why is why and last.start <= start <= last.end + _GAP:
            grown = msgspec.structs.replace(last, end=max(last.end, now))
            self._known = msgspec.structs.replace(known, absences=(*known.absences[:-1], grown))
        else:
            self._add(Absence(why=why, start=start, end=now))
        self.passed(now)

    def rest(self, now: datetime) -> None:
        """Keep what is known, as the program ends."""
        if self._known is not None:
            self._saved = None
            self.passed(now)

    def reason(self, cadence: Cadence, scheduled_at: datetime, reader: "Reader") -> str:
        """Return, in the reader's words, why the report of a time comes late."""
        known = self._read()
        found = [one for one in known.absences if one.start <= scheduled_at <= one.end]
        if found:
            closest = min(found, key=lambda one: one.end - one.start)
            return reader.translate(_REASONS[closest.why], **_span(closest, reader))
        _text, changed_at = known.schedules.get(cadence, ("", scheduled_at))
        if changed_at > scheduled_at:
            return reader.translate(_CHANGED, moment=_moment(changed_at, reader))
        return reader.translate(_UNKNOWN)

    def mail_was_away(self, moment: datetime) -> bool:
        """Return whether mail could not leave at a moment, for the server's or the network's fault."""
        away = {Why.MAIL, Why.NETWORK, Why.BLOCKED}
        return any(one.why in away and one.start <= moment <= one.end + _GAP for one in self._read().absences)

    def _gap(self, booted: float | None, gap: timedelta) -> Why:
        """Tell sleep from a clock that was set: only in the one has the time really passed."""
        if booted is None or self._booted is None:
            return Why.ASLEEP
        return Why.ASLEEP if timedelta(seconds=self._booted - booted) > gap / 2 else Why.CLOCK

    def _add(self, absence: Absence) -> None:
        known = self._read()
        self._known = msgspec.structs.replace(known, absences=(*known.absences, absence)[-_MOST:])
        self._saved = None

    def _read(self) -> _Known:
        if self._known is None:
            try:
                self._known = msgspec.json.decode(self._outbox.fact(_FACT) or "{}", type=_Known)
            except msgspec.MsgspecError:
                self._known = _Known()
        return self._known


def not_sent(periods: Sequence[Period], reader: "Reader") -> str:
    """Return a sentence that names the skipped periods of one cadence."""
    told = sorted(periods, key=lambda period: period.first)
    runs: list[list[Period]] = []
    for period in told:
        if runs and runs[-1][-1].end == period.start:
            runs[-1].append(period)
        else:
            runs.append([period])
    named = ", ".join(_run(run, reader) for run in runs)
    return reader.translate_plural(
        "{n} earlier report was not sent, for a newer one was due already: {periods}. It can still be made.",
        "{n} earlier reports were not sent, for a newer one was due already: {periods}. They can still be made.",
        len(told),
        periods=named,
    )


def _run(run: list[Period], reader: "Reader") -> str:
    """Name periods in a row: months and a few days one by one, else the first and the last day."""
    if run[0].cadence is Cadence.MONTHLY:
        return ", ".join(reader.day(period.first, "LLLL yyyy") for period in run)
    if run[0].cadence is Cadence.DAILY and len(run) <= _NAMED_ONE_BY_ONE:
        return ", ".join(reader.day(period.first, _DAY) for period in run)
    last = (run[-1].end - timedelta(days=1)).date()
    return reader.translate(N_("{first} to {last}"), first=reader.day(run[0].first, _DAY), last=reader.day(last, _DAY))


def _span(absence: Absence, reader: "Reader") -> dict[str, str]:
    start, end = absence.start.astimezone(reader.zone), absence.end.astimezone(reader.zone)
    return {
        "start": _moment(start, reader),
        "end": f"{end:%H:%M}" if end.date() == start.date() else _moment(end, reader),
    }


def _moment(moment: datetime, reader: "Reader") -> str:
    local = moment.astimezone(reader.zone)
    return f"{reader.day(local.date(), _DAY)}, {local:%H:%M}"
