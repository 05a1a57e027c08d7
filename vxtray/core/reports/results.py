"""What became of the scheduled reports: the last of each kind, and those left out since the one before it.

Reads the ledger and the mails; any thread.
"""

from zoneinfo import ZoneInfo

import msgspec

from vxtray.core.mail.outbox import Entry, Outbox
from vxtray.core.reports.ledger import SKIPPED
from vxtray.core.reports.period import Cadence, Period, named_by


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The last report of a kind that was queued, with its mail (None where the outbox has forgotten it).

    ``refused`` of its recipients did not get it; ``stage`` is where its last try ended. ``skipped`` are the periods
    right before and after ``period`` that have no report, newest first; ``period`` is None where there are only such.
    """

    period: Period | None
    mail: Entry | None = None
    people: tuple[str, ...] = ()
    refused: int = 0
    stage: str = ""
    skipped: tuple[Period, ...] = ()


def last_results(outbox: Outbox, zone: ZoneInfo) -> dict[Cadence, Result | None]:
    """Return the last result of each kind, None where none was due yet. Raises ``StoreError``."""
    known: dict[Cadence, list[tuple[Period, bool]]] = {cadence: [] for cadence in Cadence}
    for key, became in outbox.period_outcomes().items():
        if (period := named_by(key, zone)) is not None:
            known[period.cadence].append((period, became == SKIPPED))
    return {cadence: _last(outbox, found) for cadence, found in known.items()}


def _last(outbox: Outbox, found: list[tuple[Period, bool]]) -> Result | None:
    found.sort(key=lambda one: one[0].first, reverse=True)
    sent: Period | None = None
    skipped: list[Period] = []
    for period, left_out in found:
        if left_out:
            skipped.append(period)
        elif sent is not None:
            break
        else:
            sent = period
    if sent is None:
        return Result(period=None, skipped=tuple(skipped)) if skipped else None
    if (mail := outbox.mail_of_key(sent.key)) is None:
        return Result(period=sent, skipped=tuple(skipped))
    _entry, people, attempts, _data = outbox.entry(mail.id)
    return Result(
        period=sent,
        mail=mail,
        people=tuple(people),
        refused=sum(state == "failed" for state, _reply in people.values()),
        stage=str(attempts[-1]["stage"]) if attempts else "",
        skipped=tuple(skipped),
    )
