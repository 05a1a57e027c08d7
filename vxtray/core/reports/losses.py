"""What is missing from the figures of reports: event stores that were set aside, and lines that could not be taken.

Any thread. Kept as facts beside the mails, so that neither a crash nor a restart forgets it.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from vxtray.core.errors import N_, StoreError
from vxtray.core.mail.outbox import Outbox
from vxtray.core.reports.build import Gap, Report, SetAside

_GAPS = "lost-lines"
_STORES = "stores-set-aside"
_TOLD = "stores-set-aside-told"

#: Losses of one source that lie no further apart are one stretch.
_TOGETHER = timedelta(minutes=5)
#: Beyond this number the oldest stretches become one.
_MOST_GAPS = 100
_MOST_STORES = 20
#: No report is made of an older period, and no event is kept for longer unless somebody says so.
_KEPT = timedelta(days=400)


class LossLedger:
    """Remembers losses, and which of the stores set aside a person knows of.

    Every method may raise ``StoreError``.
    """

    def __init__(self, outbox: Outbox, clock: Callable[[], datetime]) -> None:
        self._outbox = outbox
        self._clock = clock
        self._guard = threading.Lock()  # between reading a fact and writing it, nobody else may
        self._looked: datetime | None = None
        self._unsaved: list[Gap] = []

    # --- lines -------------------------------------------------------------------------------------------------------

    def lost(self, lines: Mapping[str, int]) -> None:
        """Note how many lines each source has lost since the last call; to be called often."""
        with self._guard:
            now = self._clock()
            since, self._looked = self._looked or now, now
            self._unsaved += [
                Gap(start=min(since, now), end=now + timedelta(seconds=1), source=source, lines=count)
                for source, count in lines.items()
                if count
            ]
            if self._unsaved:
                gaps = [gap for gap in self._gaps() if now - gap.end < _KEPT]
                self._outbox.set_fact(_GAPS, _text(_merged([*gaps, *self._unsaved])))
                self._unsaved.clear()  # only now: the disk may have refused

    def gaps(self) -> tuple[Gap, ...]:
        """Return the stretches in which lines were lost, oldest first."""
        with self._guard:
            return self._gaps()

    def _gaps(self) -> tuple[Gap, ...]:
        return msgspec.json.decode(self._outbox.fact(_GAPS) or "[]", type=tuple[Gap, ...])

    # --- stores ------------------------------------------------------------------------------------------------------

    def look_beside(self, store: Path) -> None:
        """Note every damaged store that lies beside this one; also one that a crash kept from being noted."""
        with self._guard:
            known = self._stores()
            paths = {one.path for one in known}
            new = [one for one in _damaged(store, self._clock()) if one.path not in paths]
            if new:
                found = sorted([*known, *new], key=lambda one: one.at)[-_MOST_STORES:]
                self._outbox.set_fact(_STORES, _text(found))

    def stores(self) -> tuple[SetAside, ...]:
        """Return the stores that were set aside, oldest first."""
        with self._guard:
            return self._stores()

    def untold(self) -> tuple[SetAside, ...]:
        """Return those of which nobody took note: no report told of them, and the file still lies there."""
        with self._guard:
            told = self._told()
            return tuple(one for one in self._stores() if one.path not in told and Path(one.path).exists())

    def trouble(self) -> StoreError | None:
        """Return what to tell of the last one of those, None where there is none."""
        if not (untold := self.untold()):
            return None
        return StoreError(
            N_("The event store was damaged. It was set aside as {path}, and a new one was begun."),
            N_("Import your log files again to fill it. The next report tells it, too; so you may dismiss this."),
            path=untold[-1].path,
        )

    def dismiss(self) -> None:
        """Take note of all of them; the reports still tell what is missing."""
        with self._guard:
            self._outbox.set_fact(_TOLD, _text([one.path for one in self._stores()]))

    def told_by(self, report: Report) -> dict[str, str]:
        """Return the facts that say that a report told of what it tells, to be kept together with its mail."""
        if not report.set_aside:
            return {}
        with self._guard:
            return {_TOLD: _text(sorted(self._told().union(one.path for one in report.set_aside)))}

    def _stores(self) -> tuple[SetAside, ...]:
        return msgspec.json.decode(self._outbox.fact(_STORES) or "[]", type=tuple[SetAside, ...])

    def _told(self) -> frozenset[str]:
        return msgspec.json.decode(self._outbox.fact(_TOLD) or "[]", type=frozenset[str])


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _merged(gaps: list[Gap]) -> list[Gap]:
    """Join what lies close together, and of too many stretches the oldest of a source."""
    found: list[Gap] = []
    for gap in sorted(gaps, key=lambda one: one.start):
        last = next((one for one in reversed(found) if one.source == gap.source), None)
        if last is not None and gap.start - last.end <= _TOGETHER:
            found[found.index(last)] = _joined(last, gap)
        else:
            found.append(gap)
    while len(found) > _MOST_GAPS:
        oldest = found[0]
        following = next((one for one in found[1:] if one.source == oldest.source), found[1])
        found.remove(following)
        found[found.index(oldest)] = _joined(oldest, following)
    return found


def _joined(first: Gap, second: Gap) -> Gap:
    end = max(first.end, second.end)
    return Gap(start=first.start, end=end, source=first.source, lines=first.lines + second.lines)


def _damaged(store: Path, now: datetime) -> list[SetAside]:
    """Return the damaged stores beside a store, as ``open_store`` names them; a log without its store is a part."""
    found = []
    for path in sorted(store.parent.glob(f"{store.stem}.damaged-*{store.suffix}*")):
        is_log = path.suffix == ".wal"
        if path.name.endswith((store.suffix, f"{store.suffix}.wal")) and not (is_log and path.with_suffix("").exists()):
            found.append(SetAside(at=_moment(path, now), path=str(path), partly=is_log))
    return found


def _moment(path: Path, now: datetime) -> datetime:
    """Return when a store was set aside, by its name; never later than now."""
    stamp = path.name.partition(".damaged-")[2][:16]
    try:
        return min(datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC), now)
    except ValueError:
        return now
