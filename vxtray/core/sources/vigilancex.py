"""Events, WAF attacks, bans and critical alerts of a VIGILANCE X server, each once. On the source's own thread.

The server can only be asked again and again, with times of whole seconds; events arrive late there, its ModSecurity
table holds each row many times under changing ids, and a restart of ours falls anywhere. So each question reaches back
behind what was read before, and what has been handed on is known by *marks*: keys that do not change, committed
together with the events and forgotten once no question reaches that far back. Read ``vigilancex_api`` for the
conversation, ``parsers.vigilancex`` for what the records become.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec

from vxtray.core.errors import N_, VxtrayError
from vxtray.core.parsers import jsonvalues, timestamps
from vxtray.core.sources import Batch, Emit, Health
from vxtray.core.sources.vigilancex_api import PathFailed, Unlicensed
from vxtray.core.sources.vigilancex_marks import Marks
from vxtray.core.sources.vigilancex_notices import Notices

_FORMAT = "vigilancex"

#: What is taken in at the first start, without alerts.
FIRST = timedelta(days=7)
#: How far each question reaches back: events wait up to five seconds at the server, and clocks differ.
OVERLAP = timedelta(minutes=10)
#: And at most, where the server's events are seen to arrive later than that.
MOST_OVERLAP = timedelta(hours=3)
#: Critical alerts and WAF requests are asked for from this far back: their times may be off by a time zone.
REACH = timedelta(hours=24)
#: The same request as an event and as a WAF request: the server itself puts those together that are so close.
SAME_REQUEST = timedelta(seconds=30)
_MOST_ATTACKS = 20_000
#: Kinds of marks: which way told of an attack. When a licence ends or begins, the other way has it, too.
_BY_REQUEST, _BY_ALERT = "by-request", "by-alert"

_LEAST_SECONDS = 5
_PAGE = 1000
_MOST_PAGES = 50
_WINDOW = timedelta(hours=6)
_SHORTEST_WINDOW = timedelta(seconds=10)
_ALERTS, _REQUESTS = 100, 2000
#: A path of the licensed part that refused is asked again after so long.
_LATER = timedelta(minutes=30)
#: Seconds before another try at a server that is away.
_PAUSES = (5.0, 15.0, 60.0, 300.0)
_EMIT_PAUSE = 0.2
#: How often what was read is put on record though nothing new came.
_NOTED = timedelta(minutes=10)


class _Stopped(Exception):
    """The source is to end."""


class _Record(msgspec.Struct, frozen=True):
    """Something to hand on: its mark, when it happened, the line for the parser (b"": mark it only), further marks."""

    mark: str
    at: datetime
    line: bytes
    more: tuple[str, ...] = ()


class Asked(Protocol):
    """What holds the events, asked by the paths of the server's interface; see ``Server``."""

    skew: float

    def get(self, path: str, **parameters: str | int) -> Any:
        """Return what a path answers. Raises as ``Server.get``."""

    def close(self) -> None:
        """End the connection."""


class VigilanceXSource:
    """Asks one server, or its tables (``clickhouse``).

    ``identity`` is what the marks are kept under, ``remembered`` gives what is remembered under the keys that begin in
    some way, ``where`` is the address for people.
    """

    def __init__(
        self,
        name: str,
        server: Asked,
        identity: str,
        remembered: Callable[[str], dict[str, int]],
        *,
        where: str = "",
        poll_seconds: int = 30,
        notices: tuple[str, ...] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = name
        self._server = server
        self._remembered = remembered
        self._where = where
        self._poll_seconds = max(poll_seconds, _LEAST_SECONDS)
        self._wanted_notices = notices
        self._clock = clock
        self._marks = Marks(identity)
        self._noted = datetime.min.replace(tzinfo=UTC)
        self._lag = timedelta()
        self._later: dict[str, datetime] = {}
        self._unsure: dict[str, _Record] = {}
        self._bans: dict[str, dict[str, Any]] = {}
        self._notices = Notices((), set())
        self._missing: set[str] = set()
        self._attacks: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._trouble: VxtrayError | None = None
        self._fault = ""

    def health(self) -> Health:
        """Return what is wrong at present, if anything."""
        return Health(fault=self._fault, where=self._where, trouble=self._trouble)

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Ask every ``poll_seconds`` until ``stop`` is set; a server that is away is asked less and less often."""
        failed = 0
        try:
            while not stop.is_set():
                wait = float(self._poll_seconds)
                try:
                    self.poll(emit, stop)
                    failed, self._trouble = 0, None
                except VxtrayError as error:
                    wait = max(wait, _PAUSES[min(failed, len(_PAUSES) - 1)])
                    failed += 1
                    if failed > 1 or not error.transient:  # a server that begins anew is no trouble
                        self._trouble = error
                stop.wait(wait)
        except _Stopped:
            pass
        finally:
            self._server.close()

    def poll(self, emit: Emit, stop: threading.Event) -> None:
        """Ask once for everything that is new. Raises ``VxtrayError`` where the server does not serve at all."""
        self._fault = ""
        self._poll_events(emit, stop)
        self._hand_on(self._licensed("/bans", self._new_bans), emit, stop)
        self._hand_on(self._licensed("/modsec/logs/grouped", self._new_requests), emit, stop)
        if "/modsec/logs/grouped" in self._later:
            self._hand_on(list(self._new_alerts()), emit, stop)
        self._hand_on(self._new_notices(), emit, stop)

    # --- events ------------------------------------------------------------------------------------------------------

    def _poll_events(self, emit: Emit, stop: threading.Event) -> None:
        """Take the events in, window by window up to the server's present."""
        now = self._server_now()
        if not self._marks.began:
            self._take_up(now)
        start = datetime.fromtimestamp(self._marks.read, UTC) if self._marks.read else now - FIRST
        start, window = min(start, now), _WINDOW
        while not stop.is_set():
            end = min(start + window, now)
            latest = end >= now
            found = self._window(start - self._overlap(), None if latest else end, split=window > _SHORTEST_WINDOW)
            if found is None:
                window = max(window / 4, _SHORTEST_WINDOW)
                continue
            self._marks.read = int(end.timestamp())
            if found or not latest or self._clock() - self._noted > _NOTED:
                self._hand_on(found, emit, stop, read=True)
                self._noted = self._clock()
            start, window = end, min(window * 2, _WINDOW)
            if latest:
                return

    def _take_up(self, now: datetime) -> None:
        """Take up what earlier runs left."""
        self._marks.take_up(self._remembered, now)
        self._notices = Notices(self._wanted_notices, set(self._marks.names("notice")))
        self._bans = {name.rpartition("@")[0]: {} for name in self._marks.names("ban")}

    def _overlap(self) -> timedelta:
        return min(OVERLAP + self._lag, MOST_OVERLAP)

    def _server_now(self) -> datetime:
        """Return the server's time; the first question of a run finds out how its clock differs from ours."""
        self._server.get("/status/syslog")
        return self._clock() + timedelta(seconds=self._server.skew)

    def _window(self, start: datetime, end: datetime | None, *, split: bool) -> list[_Record] | None:
        """Return the new events of a time, oldest first; None where there are too many to take at once.

        Pages are counted from the newest, so that what arrives meanwhile moves rows to later pages: some come twice,
        none is missed.
        """
        new: dict[str, _Record] = {}
        parameters: dict[str, str | int] = {"limit": _PAGE, "start_time": _rfc3339(start)}
        if end is not None:
            parameters["end_time"] = _rfc3339(end)
        for page in range(_MOST_PAGES):
            answer = jsonvalues.members(self._server.get("/events", **parameters, offset=page * _PAGE))
            rows = jsonvalues.elements(answer.get("data"))
            for row in map(jsonvalues.members, rows):
                record = self._event(row)
                if record is not None and record.mark not in self._marks:
                    new[record.mark] = record
            more = jsonvalues.members(answer.get("pagination")).get("has_more")
            if not rows or not (more is True or (more is None and len(rows) == _PAGE)):
                return sorted(new.values(), key=lambda one: one.at)
        if split:
            return None
        self._fault = N_("More events came in a few seconds than can be read; some are missing.")
        return sorted(new.values(), key=lambda one: one.at)

    def _event(self, row: dict[str, Any]) -> _Record | None:
        at = _time(row.get("timestamp"))
        identity = row.get("event_id")
        if at is None or not isinstance(identity, str) or not identity:
            return None
        arrived = _time(row.get("ingested_at"))
        if arrived is not None and arrived > at:
            self._lag = max(self._lag, min(arrived - at, MOST_OVERLAP))
        if jsonvalues.words(row.get("log_type"), 32).upper() == "WAF":
            self._note_attack(row, at)
        return _Record(self._marks.of("event", identity), at, _line("event", row))

    def _note_attack(self, row: dict[str, Any], at: datetime) -> None:
        key = _who_and_where(row)
        self._attacks[key] = at.timestamp()
        self._attacks.move_to_end(key)
        while len(self._attacks) > _MOST_ATTACKS:
            self._attacks.popitem(last=False)

    # --- bans, WAF requests and critical alerts -----------------------------------------------------------------------

    def _licensed(self, path: str, read: Callable[[str], Iterator[_Record]]) -> list[_Record]:
        """Return what a path of the licensed part has, nothing for a while where it refuses."""
        now = self._clock()
        if path in self._later and timedelta() <= self._later[path] - now <= _LATER:
            return []
        try:
            found = list(read(path))
        except (Unlicensed, PathFailed) as error:
            self._later[path] = now + _LATER
            if isinstance(error, PathFailed):
                self._fault = N_("The server answers some questions with a fault of its own; the others are read.")
            return []
        self._later.pop(path, None)
        return found

    def _new_bans(self, path: str) -> Iterator[_Record]:
        """Yield bans not told yet, and which of those seen before are over (gone from the list twice running)."""
        rows = jsonvalues.elements(jsonvalues.members(self._server.get(path)).get("data"))
        now = self._clock()
        present: dict[str, dict[str, Any]] = {}
        for row in map(jsonvalues.members, rows):
            address = jsonvalues.words(row.get("ip"), 64)
            at = _time(row.get("last_ban")) or _time(row.get("first_ban"))
            if not address or at is None or _is_over(row, now):
                continue
            present[address] = row
            mark = self._marks.plain("ban", f"{address}@{int(at.timestamp())}")
            if mark not in self._marks:
                yield _Record(mark, at, _line("ban", row))
        gone = {address for address in self._bans if address not in present}
        for address in gone & self._missing:
            for name in self._marks.names("ban"):
                if name.startswith(f"{address}@"):
                    self._marks.drop("ban", name)
            row = {**self._bans.pop(address), "ip": address, "seen_gone": now.isoformat()}
            yield _Record(self._marks.of("unban", address, row["seen_gone"]), now, _line("unban", row))
        self._missing = gone - self._missing
        self._bans = {address: self._bans[address] for address in self._missing} | present

    def _new_requests(self, path: str) -> Iterator[_Record]:
        """Yield the requests that matched rules of the WAF, without those that are among the events."""
        start = self._clock() + timedelta(seconds=self._server.skew) - REACH
        answer = self._server.get(path, limit=_REQUESTS, start_time=_rfc3339(start))
        for row in map(jsonvalues.members, jsonvalues.elements(jsonvalues.members(answer).get("data"))):
            at = _time(row.get("timestamp"))
            identity = jsonvalues.words(row.get("unique_id"), 128)
            if at is None or not identity:
                continue
            mark = self._marks.of("modsec", identity)
            if mark not in self._marks:
                told = self._is_told(row, at, _BY_ALERT)
                yield _Record(mark, at, b"" if told else _line("modsec", row), (self._way(_BY_REQUEST, row, at),))

    def _is_told(self, row: dict[str, Any], at: datetime, way: str) -> bool:
        """Return whether an attack is among the events, or was told in the other way, to the second."""
        seen = self._attacks.get(_who_and_where(row))
        if seen is not None and abs(seen - at.timestamp()) <= SAME_REQUEST.total_seconds():
            return True
        return any(self._way(way, row, at + timedelta(seconds=off)) in self._marks for off in (-1, 0, 1))

    def _way(self, kind: str, row: dict[str, Any], at: datetime) -> str:
        return self._marks.of(kind, *_who_and_where(row), str(int(at.timestamp())))

    def _new_alerts(self) -> Iterator[_Record]:
        """Yield the ModSecurity rows among the critical alerts, where the licensed paths are closed.

        The other rows are events, which ``/events`` gives too, perhaps a moment later: only what was there at the last
        poll already, and is no event still, is such a row.
        """
        answer = self._server.get("/alerts/critical", limit=_ALERTS, period="24h")
        unsure: dict[str, _Record] = {}
        for row in map(jsonvalues.members, jsonvalues.elements(jsonvalues.members(answer).get("data"))):
            at = _time(row.get("timestamp"))
            if at is None or self._marks.of("event", jsonvalues.words(row.get("event_id"), 64)) in self._marks:
                continue
            parts = (jsonvalues.words(row.get(key), 1024) for key in ("src_ip", "hostname", "rule_id", "message"))
            mark = self._marks.of("alert", at.isoformat(), *parts)
            if mark in self._marks:
                continue
            record = _Record(mark, at, _line("alert", row), (self._way(_BY_ALERT, row, at),))
            if self._is_told(row, at, _BY_REQUEST):
                yield msgspec.structs.replace(record, line=b"")
            elif mark in self._unsure:
                yield record
            else:
                unsure[mark] = record
        self._unsure = unsure

    def _new_notices(self) -> list[_Record]:
        """Return what the server says of itself, as far as that is wanted."""
        now = self._clock()
        began, over = self._notices.look(self._server.get, now)
        for mark in over:
            self._marks.drop("notice", mark)
        return [
            _Record(
                self._marks.plain("notice", notice.mark),
                now,
                _line("notice", {"timestamp": now.isoformat(), "kind": notice.kind, "message": notice.message}),
            )
            for notice in began
        ]

    # --- handing on --------------------------------------------------------------------------------------------------

    def _hand_on(self, records: Sequence[_Record], emit: Emit, stop: threading.Event, *, read: bool = False) -> None:
        """Queue records with their marks, those of before the first start without alerts.

        ``read``: with the last of them, how far the events were read.
        """
        records = list({record.mark: record for record in records}.values())  # the server may say a thing twice
        since = max(datetime.fromtimestamp(self._marks.began, UTC), self._clock() - REACH)
        quiet = [record for record in records if record.at < since]
        loud = [record for record in records if record.at >= since]
        parts = [(quiet[at : at + _PAGE], False) for at in range(0, len(quiet), _PAGE)]
        parts += [(loud[at : at + _PAGE], True) for at in range(0, len(loud), _PAGE)]
        if read and not parts:
            parts = [([], False)]
        for at, (part, alerts) in enumerate(parts, 1):
            self._emit(part, emit, stop, read=read and at == len(parts), alerts=alerts)

    def _emit(self, part: Sequence[_Record], emit: Emit, stop: threading.Event, *, read: bool, alerts: bool) -> None:
        now = self._clock()
        marks = {mark: max(int(one.at.timestamp()), 1) for one in part for mark in (one.mark, *one.more)}
        batch = Batch(
            source=self.name,
            lines=tuple(record.line for record in part if record.line),
            received=now,
            position=self._marks.position(marks, now, self._limits(now), read=read),
            alerts=alerts,
            format=_FORMAT,
            zone="UTC",
        )
        while not emit(batch):
            if stop.wait(_EMIT_PAUSE):
                raise _Stopped

    def _limits(self, now: datetime) -> dict[str, int]:
        """Return from when on marks are needed still; that of a ban or a notice is needed as long as that holds."""
        reach = int((now - 2 * REACH).timestamp())
        events = min(self._marks.read, int(now.timestamp())) - 2 * int(MOST_OVERLAP.total_seconds())
        return {"event": events, **dict.fromkeys(("modsec", "alert", "unban", _BY_REQUEST, _BY_ALERT), reach)}


def _is_over(row: dict[str, Any], now: datetime) -> bool:
    """Return whether a ban has ended; a permanent one may come with an end in 1970, which stands for none."""
    ends = _time(row.get("expires_at"))
    return ends is not None and ends.year > 1970 and ends < now and row.get("status") != "permanent"


def _who_and_where(row: dict[str, Any]) -> tuple[str, str]:
    return jsonvalues.words(row.get("src_ip"), 64), jsonvalues.words(row.get("hostname"), 255).lower()


def _time(value: Any) -> datetime | None:
    return timestamps.iso(jsonvalues.words(value, 40), UTC)


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _line(kind: str, row: dict[str, Any]) -> bytes:
    return msgspec.json.encode({kind: row})
