"""The ledger of report periods as it stands on the disk: since when each kind is on, what was sent, what was skipped.

Runs on the ``vx-report`` worker, or in a command. A period is settled in the transaction that queues its mail.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec

from vxtray.core.mail.outbox import Outbox, Outgoing
from vxtray.core.reports.period import Cadence, Period, enabled, named_by
from vxtray.core.settings.tree import Reports
from vxtray.core.store.localtime import utc

_SINCE = "since:{}"
_FIRST = "first-period:{}"
#: Periods that were skipped, and of which no report has told yet.
_UNNAMED = "skipped-untold:{}"

#: What each of the last reports told of them; should it never arrive, another one has to.
_TOLD = "skipped-told:{}"
_MOST_TOLD = 20

QUEUED, SKIPPED = "queued", "skipped"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What ``due_periods`` asks of a ledger, at one moment."""

    since: Mapping[Cadence, datetime]
    first: Mapping[Cadence, date]
    done: frozenset[str]


class PeriodLedger:
    """Reads and writes the ledger. Every method may raise ``StoreError``."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def switch(self, reports: Reports, first_seen: datetime, now: datetime) -> None:
        """Remember since when each report is on, and forget what is off.

        A beginning that lies in the future was written by a clock that was wrong, and is now.
        """
        for cadence in Cadence:
            known = self._outbox.fact(_SINCE.format(cadence))
            if not enabled(cadence, reports):
                if known:
                    self._outbox.add_all([], now, facts={_SINCE.format(cadence): "", _FIRST.format(cadence): ""})
            elif not known:
                self._outbox.set_fact(_SINCE.format(cadence), first_seen.isoformat())
            elif datetime.fromisoformat(known) > now:
                self._outbox.set_fact(_SINCE.format(cadence), now.isoformat())

    def reopen(self, now: datetime, zone: ZoneInfo) -> None:
        """Forget what a clock that ran ahead skipped: what is not over yet has its report when its time comes."""
        skipped = [key for key, became in self._outbox.period_outcomes().items() if became == SKIPPED]
        early = {key for key in skipped if (one := named_by(key, zone)) is not None and utc(one.end) > utc(now)}
        if early:
            self._outbox.reopen_periods(early)
            for cadence in Cadence:
                self._outbox.set_fact(_UNNAMED.format(cadence), _text(set(self.unnamed(cadence)) - early))

    def standing(self) -> Standing:
        """Return what ``due_periods`` asks for."""
        since: dict[Cadence, datetime] = {}
        first: dict[Cadence, date] = {}
        for cadence in Cadence:
            if known := self._outbox.fact(_SINCE.format(cadence)):
                since[cadence] = datetime.fromisoformat(known)
            if begin := self._outbox.fact(_FIRST.format(cadence)):
                first[cadence] = date.fromisoformat(begin)
        return Standing(since=since, first=first, done=self._outbox.settled_periods())

    def unnamed(self, cadence: Cadence) -> list[str]:
        """Return the keys of the skipped periods of which no report has told yet."""
        found: list[str] = msgspec.json.decode(self._outbox.fact(_UNNAMED.format(cadence)) or "[]", type=list[str])
        return found

    def never_arrived(self, period: Period) -> None:
        """Have the next report name a period whose report never arrived, and those that this one named in vain."""
        told = self._told(period.cadence).get(period.key, [])
        untold = _text({*self.unnamed(period.cadence), period.key, *told})
        self._outbox.set_fact(_UNNAMED.format(period.cadence), untold)

    def _told(self, cadence: Cadence) -> dict[str, list[str]]:
        found: dict[str, list[str]] = msgspec.json.decode(
            self._outbox.fact(_TOLD.format(cadence)) or "{}", type=dict[str, list[str]]
        )
        return found

    def send(
        self,
        mail: Outgoing,
        period: Period,
        absent: list[Period],
        standing: Standing,
        now: datetime,
        facts: Mapping[str, str],
    ) -> None:
        """Queue a report that names what was skipped before it, and settle them all, in one transaction."""
        cadence = period.cadence
        names = sorted({*self.unnamed(cadence), *(one.key for one in absent)} - {period.key})
        told = dict([*self._told(cadence).items(), *([(period.key, names)] if names else [])][-_MOST_TOLD:])
        self._outbox.add_all(
            [mail],
            now,
            facts={
                **facts,
                **_begun(cadence, [period, *absent], standing),
                _UNNAMED.format(cadence): "",
                _TOLD.format(cadence): msgspec.json.encode(told).decode() if told else "",
            },
            periods={period.key: QUEUED, **dict.fromkeys((one.key for one in absent), SKIPPED)},
            happened=_happened(cadence, absent),
        )

    def skip(self, cadence: Cadence, absent: list[Period], standing: Standing, now: datetime) -> None:
        """Settle periods whose reports nobody gets; the next report names them."""
        untold = _text({*self.unnamed(cadence), *(one.key for one in absent)})
        self._outbox.add_all(
            [],
            now,
            facts={**_begun(cadence, absent, standing), _UNNAMED.format(cadence): untold},
            periods=dict.fromkeys((one.key for one in absent), SKIPPED),
            happened=_happened(cadence, absent),
        )


def _begun(cadence: Cadence, periods: list[Period], standing: Standing) -> dict[str, str]:
    """Return the fact of the first period that was settled, where it is one of these."""
    first = min(period.first for period in periods)
    return {_FIRST.format(cadence): first.isoformat()} if first < standing.first.get(cadence, date.max) else {}


def _text(keys: Iterable[str]) -> str:
    return msgspec.json.encode(sorted(keys)).decode()


def _happened(cadence: Cadence, absent: list[Period]) -> tuple[str, dict[str, object]] | None:
    if not absent:
        return None
    return "skipped", {"report": str(cadence), "periods": [one.key.rpartition(":")[2] for one in absent]}
