"""What a VIGILANCE X server says of itself, as events: its settings page promises mails about this and sends none.

An update that waits, a data leak found, high load, a disk that fills up, a licence that ends, syslog that fell silent,
bans that wait for somebody's consent. Each is told when it begins, and again only after it was over (or is worse); what
was told is known by marks, as in ``vigilancex``. Whoever switches one on wants to be alerted, so each is critical.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from vxtray.core.parsers import timestamps
from vxtray.core.parsers.jsonvalues import members, words
from vxtray.core.sources.vigilancex_api import PathFailed, Unlicensed

#: How often the server is asked about itself.
EVERY = timedelta(minutes=5)

#: Percent from which the disk, the processor or the memory are told, and below which that is over.
_DISK, _DISK_OVER = (90, 95, 99), 85
_LOAD, _LOAD_OVER = 90, 75
#: A load is told when so many looks in a row found it.
_LOOKS = 3
#: Seconds without a line, at the server.
_SILENT_SECONDS = 900
#: Days before the licence ends.
_LICENCE_DAYS = (30, 7, 1)

Get = Callable[[str], Any]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something to tell: ``mark`` is its key among the notices, ``message`` plain English, as a log line's."""

    kind: str
    mark: str
    message: str


class Notices:
    """Asks what is ``wanted``; ``told`` are the marks of what was told and holds still."""

    def __init__(self, wanted: tuple[str, ...], told: set[str]) -> None:
        self._wanted = wanted
        self.told = told
        self._busy = 0
        self._due: datetime | None = None

    def look(self, get: Get, now: datetime) -> tuple[list[Notice], list[str]]:
        """Return what began, and the marks of what is over; nothing before it is time again.

        ``get`` asks a path and raises as ``Server.get``. A question that the server does not answer is left out.
        """
        if not self._wanted or (self._due is not None and timedelta() < self._due - now <= EVERY):
            return [], []
        self._due = now + EVERY
        began: list[Notice] = []
        over: list[str] = []
        for kind in self._wanted:
            try:
                found = {notice.mark: notice for notice in _LOOKS_AT[kind](self, get, now)}
            except (Unlicensed, PathFailed):
                continue
            began += [notice for mark, notice in found.items() if mark not in self.told and notice.message]
            over += [mark for mark in self.told if mark.startswith(f"{kind}:") and mark not in found]
        self.told = (self.told - set(over)) | {notice.mark for notice in began}
        return began, over

    # --- one look each: what holds now. A notice without a message keeps its mark, and is not told -------------------

    def update(self, get: Get, _now: datetime) -> Iterator[Notice]:
        """A newer version of the server."""
        said = members(get("/system/version"))
        latest = words(said.get("latest"), 40)
        if said.get("update_available") is True and latest:
            yield _notice("update", latest, f"VIGILANCE X {latest} is available for the server.")

    def leak(self, get: Get, _now: datetime) -> Iterator[Notice]:
        """More leaks known than before: the marks are the numbers."""
        total = _leaks(members(get("/vigimail/stats")))
        if total:
            yield self._worse("leak", total, f"Data leaks of watched e-mail domains: {total} are known now.")

    def load(self, get: Get, _now: datetime) -> Iterator[Notice]:
        """Processor or memory, for some looks."""
        said = members(get("/system/stats"))
        high = {part: _percent(said, part) for part in ("cpu", "memory")}
        worst = max(high.values())
        self._busy = self._busy + 1 if worst >= _LOAD else 0
        if self._busy >= _LOOKS:
            names = " and ".join(f"{part} {round(share)} %" for part, share in high.items() if share >= _LOAD)
            yield _notice("load", "high", f"The VIGILANCE X server is under high load: {names}.")
        elif worst >= _LOAD_OVER:
            yield from self._still("load:high")

    def disk(self, get: Get, _now: datetime) -> Iterator[Notice]:
        """The disk, by steps."""
        share = _percent(members(get("/system/stats")), "disk")
        step = max((limit for limit in _DISK if share >= limit), default=0)
        if share >= _DISK_OVER:
            yield self._worse("disk", step, f"The disk of the VIGILANCE X server is {round(share)} % full.")

    def license(self, get: Get, _now: datetime) -> Iterator[Notice]:
        """The licence, by the days that are left of it."""
        said = members(get("/license/status"))
        ends, left = words(said.get("expires_at"), 40), said.get("days_remaining")
        day = _day(ends)
        if said.get("licensed") is False:
            status = words(said.get("status"), 40) or "invalid"
            yield _notice(
                "license", f"{day}:{status}", f"The licence of the VIGILANCE X server is not valid: {status}."
            )
        elif isinstance(left, int) and not isinstance(left, bool):
            step = sum(left <= days for days in _LICENCE_DAYS)
            if step:
                yield self._worse(f"license:{day}", step, f"The licence of the VIGILANCE X server ends in {left} days.")

    def syslog(self, get: Get, _now: datetime) -> Iterator[Notice]:
        """No line from the firewall at the server."""
        said = members(get("/status/syslog"))
        silent = said.get("seconds_since_last")
        if said.get("is_receiving") is False and isinstance(silent, int | float) and silent > _SILENT_SECONDS:
            minutes = round(silent / 60)
            yield _notice("syslog", "silent", f"The VIGILANCE X server has had no syslog line for {minutes} minutes.")

    def bans(self, get: Get, _now: datetime) -> Iterator[Notice]:
        """Bans that wait for consent."""
        waiting = members(get("/pending-bans/stats")).get("total_pending")
        if isinstance(waiting, int) and not isinstance(waiting, bool) and waiting > 0:
            yield _notice("bans", "waiting", f"Bans that wait for approval at the VIGILANCE X server: {waiting}.")

    def _still(self, mark: str) -> Iterator[Notice]:
        """Keep what was told, between the limit and the one below which it is over."""
        if mark in self.told:
            yield Notice(kind=mark.partition(":")[0], mark=mark, message="")

    def _worse(self, name: str, step: int, message: str) -> Notice:
        """Return a notice where the step is higher than the one that was told, else what keeps that one."""
        start = f"{name}:"
        steps = (mark.removeprefix(start) for mark in self.told if mark.startswith(start))
        known = max((int(text) for text in steps if text.isdecimal()), default=0)
        kind = name.partition(":")[0]
        if step > known:
            return Notice(kind=kind, mark=f"{name}:{step}", message=message)
        return Notice(kind=kind, mark=f"{name}:{known}", message="")


_LOOKS_AT: Mapping[str, Callable[[Notices, Get, datetime], Iterator[Notice]]] = {
    "update": Notices.update,
    "leak": Notices.leak,
    "load": Notices.load,
    "disk": Notices.disk,
    "license": Notices.license,
    "syslog": Notices.syslog,
    "bans": Notices.bans,
}


def _notice(kind: str, state: str, message: str) -> Notice:
    return Notice(kind=kind, mark=f"{kind}:{state}", message=message)


def _percent(said: dict[str, Any], part: str) -> float:
    value = members(said.get(part)).get("usage_percent")
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100
    return float(value) if usable and isinstance(value, int | float) else 0.0


def _leaks(said: dict[str, Any]) -> int:
    """Return the largest counter whose name speaks of leaks; the interface is not documented further."""
    stats = {**members(said.get("stats")), **members(said.get("data")), **said}
    counts = (value for key, value in stats.items() if "leak" in key.lower() and isinstance(value, int))
    return max((value for value in counts if not isinstance(value, bool) and value >= 0), default=0)


def _day(text: str) -> str:
    at = timestamps.iso(text, UTC)
    return f"{at:%Y-%m-%d}" if at else ""
