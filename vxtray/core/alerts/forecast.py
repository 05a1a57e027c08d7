"""What stands beside each switch: how much a rule matched lately, or would have, and in how many mails.

``Forecast`` is made once; any thread may ask. Counting is quick, but the mails of many events take seconds to rehearse:
that is done on ``vx-forecast``, which ends by itself, and whoever asks meanwhile is told what is known.
"""

import logging
import threading
import time
from datetime import datetime, timedelta, tzinfo

import msgspec

from vxtray.core.alerts.accounts import Matched
from vxtray.core.alerts.matching import SWITCHED, matched_counts, with_rules
from vxtray.core.alerts.rules import Rule
from vxtray.core.errors import StoreError
from vxtray.core.settings.tree import Alerts
from vxtray.core.store import EventStore

log = logging.getLogger(__name__)

#: As long as an answer stands while events come, and while none do: the days asked go on too.
_EACH = timedelta(minutes=1)
_EACH_IDLE = timedelta(minutes=10)
#: Counting again is to take no more than this part of the time.
_SHARE = 1 / 20

_STOP_SECONDS = 5.0


class _Asked(msgspec.Struct, frozen=True):
    """What an answer depends on, but for time and events; switches and recipients make no difference."""

    store: str
    settings: Alerts
    zone: str
    days: int


class _Answer(msgspec.Struct, frozen=True):
    asked: _Asked
    at: datetime
    seq: int
    stands: timedelta
    matched: dict[Rule, Matched]


class Forecast:
    """Counts each rule that has a switch as if it alone were on, and remembers the answer for a while."""

    def __init__(self) -> None:
        self._changing = threading.Condition()
        self._answer: _Answer | None = None
        self._worker: threading.Thread | None = None
        self._stop = threading.Event()

    def matched(
        self, store: EventStore, settings: Alerts, zone: tzinfo, now: datetime, *, days: int = 7, wait: float = 20.0
    ) -> dict[Rule, Matched]:
        """Return what each of the four rules matched up to ``now``; {} where it is not known within ``wait`` seconds.

        Where only events have come since, the former answer is given while they are counted.
        """
        plain = msgspec.structs.replace(with_rules(settings, ()), recipients=(), language="auto")
        asked = _Asked(store.uuid, plain, str(zone), days)
        with self._changing:
            if not self._stands(asked, store, now) and self._worker is None and not self._stop.is_set():
                work = lambda: self._count(store, asked, zone, now)  # noqa: E731 - a thread's target
                self._worker = threading.Thread(target=work, name="vx-forecast", daemon=True)
                self._worker.start()
            self._changing.wait_for(lambda: self._worker is None or self._known(asked) is not None, wait)
            known = self._known(asked)
        return dict(known.matched) if known is not None else {}

    def _known(self, asked: _Asked) -> _Answer | None:
        return self._answer if self._answer is not None and self._answer.asked == asked else None

    def _stands(self, asked: _Asked, store: EventStore, now: datetime) -> bool:
        known = self._known(asked)
        if known is None:
            return False
        age = abs(now - known.at)
        return age < (known.stands if store.last_seq() != known.seq else max(known.stands, _EACH_IDLE))

    def close(self) -> None:
        """Stop counting; nothing is counted afterwards."""
        self._stop.set()
        with self._changing:  # or it may have been made and not be started yet
            worker = self._worker
        if worker is not None:
            worker.join(_STOP_SECONDS)

    # --- vx-forecast --------------------------------------------------------------------------------------------------

    def _count(self, store: EventStore, asked: _Asked, zone: tzinfo, now: datetime) -> None:
        began, seq = time.monotonic(), store.last_seq()
        matched: dict[Rule, Matched] | None = None
        try:
            matched = self._counted(store, asked, zone, now)
        except StoreError as error:
            log.warning("what the alert rules matched could not be counted: %s", error)
        finally:
            stands = max(_EACH, timedelta(seconds=(time.monotonic() - began) / _SHARE))
            with self._changing:
                self._worker = None
                if matched is not None:
                    self._answer = _Answer(asked, now, seq, stands, matched)
                self._changing.notify_all()

    def _counted(self, store: EventStore, asked: _Asked, zone: tzinfo, now: datetime) -> dict[Rule, Matched] | None:
        from vxtray.core.alerts.rehearsal import rehearse_stored

        since = now - timedelta(days=asked.days)
        counts = matched_counts(store, asked.settings, since, now)
        rules = [rule for rule in SWITCHED if counts[rule]]
        variants = [with_rules(asked.settings, (rule,)) for rule in rules]
        rehearsals = rehearse_stored(store, variants, zone, since, now, stop=self._stop) if variants else []
        if rehearsals is None:
            return None
        matched = {rule: Matched(events=count) for rule, count in counts.items()}
        for rule, rehearsal in zip(rules, rehearsals, strict=True):
            matched[rule] = Matched(events=counts[rule], mails=rehearsal.made)
        return matched
