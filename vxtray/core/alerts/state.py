"""What grouping remembers between two calls, and how it counts mails and time.

Pure data, one thread at a time; encodes to JSON and back.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

import msgspec

from vxtray.core.alerts.incidents import Incident, Pause, Silence, Why
from vxtray.core.alerts.quiet import quiet_until
from vxtray.core.settings.tree import Alerts
from vxtray.core.store.localtime import utc

#: So many beginnings of incidents of a class within ``group_seconds``, and the next one is told as one wide storm.
MOST_OPENINGS = 3
#: A clock that goes back by less is taken to stand still: two threads may read it in one order and ask in another.
_JITTER = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
#: With ``group_seconds`` 0: the wide rule still needs a span.
_SHORTEST_WINDOW = timedelta(seconds=60)


class Gate(NamedTuple):
    """What holds the mails of a class now, and until when."""

    why: Why
    until: datetime


class Terms(NamedTuple):
    """What holds during one call: the moment, and what the settings mean at that moment."""

    now: datetime
    window: timedelta
    each_alone: bool
    summary: timedelta
    cap: int
    gates: Mapping[bool, Gate | None]

    def share(self, *, urgent: bool) -> int:
        """Return how many mails an hour a class may make; a quarter of the cap is kept for the urgent ones."""
        return self.cap if urgent else self.cap - self.cap // 4


class Flow(msgspec.Struct, kw_only=True):
    """The mails made of one class: those of the last hour, and when the last few incidents were told to begin."""

    mails: list[datetime] = []
    openings: list[datetime] = []


class State(msgspec.Struct, kw_only=True):
    """All that grouping remembers.

    ``open`` are the incidents that are not closed, by number; ``told_at`` when each was last told. ``at`` is the last
    moment that grouping was asked at. Only ``Grouping`` changes it.
    """

    open: dict[int, Incident] = {}
    told_at: dict[int, datetime] = {}
    next_incident: int = 1
    next_silence: int = 1
    normal: Flow = msgspec.field(default_factory=Flow)
    urgent: Flow = msgspec.field(default_factory=Flow)
    silences: list[Silence] = []
    pause: Pause | None = None
    at: datetime | None = None

    def flow(self, *, urgent: bool) -> Flow:
        """Return the mails of a class."""
        return self.urgent if urgent else self.normal

    def advance(self, now: datetime) -> datetime:
        """Go to a moment, forget what it ended, and return it as it is to be reckoned with.

        Where the clock was set back, all that is remembered goes back with it, as if no time had passed: nothing waits
        for a moment that lies in a future which the clock had only by mistake.
        """
        now = utc(now)
        if self.at is not None and now < self.at:
            if self.at - now < _JITTER:
                now = self.at
            else:
                self._go_back(self.at - now, now)
        self.at = now
        for flow in (self.normal, self.urgent):
            flow.mails = [at for at in flow.mails if at > now - _HOUR]
        self.silences = [silence for silence in self.silences if silence.until > now]
        if self.pause is not None and self.pause.until <= now:
            self.pause = None
        return now

    def _go_back(self, step: timedelta, now: datetime) -> None:
        replace = msgspec.structs.replace
        for flow in (self.normal, self.urgent):
            flow.mails = [at - step for at in flow.mails]
            flow.openings = [at - step for at in flow.openings]
        self.told_at = {incident: at - step for incident, at in self.told_at.items()}
        for incident in self.open.values():
            incident.last_at -= step
            incident.opened_at = min(incident.opened_at, now)
        self.silences = [replace(silence, until=silence.until - step) for silence in self.silences]
        if self.pause is not None:
            self.pause = replace(self.pause, until=self.pause.until - step)

    def terms(self, now: datetime, settings: Alerts, zone: tzinfo) -> Terms:
        """Return what holds at a moment that ``advance`` returned."""
        quiet, pause = quiet_until(now, settings, zone), self.pause
        normal = Gate(Why.QUIET_HOURS, quiet) if quiet else None
        urgent = None
        if pause is not None:
            normal = Gate(Why.PAUSE, pause.until)
            urgent = normal if pause.everything else None
        seconds = settings.group_seconds
        return Terms(
            now=now,
            window=timedelta(seconds=seconds) if seconds > 0 else _SHORTEST_WINDOW,
            each_alone=seconds <= 0,
            summary=timedelta(minutes=max(1, settings.summary_minutes)),
            cap=max(1, settings.max_mails_per_hour),
            gates={False: normal, True: urgent},
        )

    def has_room(self, terms: Terms, *, urgent: bool) -> bool:
        """True where the cap allows one more mail of a class now."""
        made = len(self.normal.mails) + len(self.urgent.mails)
        return made < terms.cap and len(self.flow(urgent=urgent).mails) < terms.share(urgent=urgent)

    def room_at(self, terms: Terms, *, urgent: bool) -> datetime:
        """Return when the cap allows the next mail of a class, if none is made before."""
        own, every = self.flow(urgent=urgent).mails, sorted(self.normal.mails + self.urgent.mails)
        full = [
            mails[len(mails) - limit] + _HOUR
            for mails, limit in ((own, terms.share(urgent=urgent)), (every, terms.cap))
            if len(mails) >= limit
        ]
        return max(full, default=terms.now)

    def count_mail(self, at: datetime, *, urgent: bool, opening: bool = False) -> None:
        """Count a mail; ``opening`` is one that tells that an incident began."""
        flow = self.flow(urgent=urgent)
        flow.mails.append(at)
        if opening:
            flow.openings = [*flow.openings, at][-MOST_OPENINGS:]

    def opens_much(self, terms: Terms, *, urgent: bool) -> bool:
        """True where so many incidents of a class were told to begin lately that the next is to be a wide one."""
        recent = [at for at in self.flow(urgent=urgent).openings if at > terms.now - terms.window]
        return len(recent) >= MOST_OPENINGS
