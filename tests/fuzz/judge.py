"""What must hold of every line, however odd: an answer, soon, with clean texts, and nothing that grows."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

from vxtray.core.events import SecurityEvent
from vxtray.core.parsers import FORMATS, Ignored, Outcome, Rejected, parse, sophos, syslog
from vxtray.core.parsers.fields import printable
from vxtray.core.parsers.keyvalue import scan
from vxtray.core.parsers.records import MAX_OPEN, MAX_RECORD, Assembled, Assembler
from vxtray.core.sources.framing import BadFraming, Deframer

#: Seconds of processor time that a line or record may take.
LIMIT = 0.05
#: Bytes by which the process may grow once it is warm.
GROWTH = 50 * 1024 * 1024

_ZONE = ZoneInfo("Europe/Paris")
_TEXTS = ("src_ip", "country", "dst_ip", "target_host", "target_url", "user", "rule_id", "rule_name", "message")
_LONGEST = 2048


class Fault(Exception):
    """A promise that was not kept; ``data`` is what it was not kept for."""

    def __init__(self, what: str, data: bytes) -> None:
        super().__init__(what)
        self.data = data


class Judge:
    """Feeds lines to the parsers and keeps count: each is an event (or several), ignored, or rejected with a reason."""

    def __init__(self, *, timed: bool = True) -> None:
        self.counts: Counter[str] = Counter()
        self.slowest = 0.0
        #: Lines that took a millisecond of processor time and more.
        self.over_a_millisecond = 0
        self.slowest_line = b""
        self._timed = timed

    @property
    def total(self) -> int:
        """Lines and records that were judged."""
        return self.counts.total()

    def line(self, data: bytes, log_format: str = "auto") -> None:
        """Judge one line or record. Raises ``Fault``."""
        text = data.decode("utf-8", "replace")
        began = time.thread_time()
        try:
            outcome = parse(text, format=log_format, zone=_ZONE)
        except Exception as error:
            raise Fault(f"{type(error).__name__}: {error}", data) from error
        took = time.thread_time() - began
        self.over_a_millisecond += took >= 0.001
        if took > self.slowest:
            self._slow(took, text, log_format, data)
        self.counts[_kind(outcome, data)] += 1
        if isinstance(outcome, SecurityEvent) and outcome.source == "sophos":
            _check_layout(printable(text).strip(), data)

    def _slow(self, took: float, text: str, log_format: str, data: bytes) -> None:
        """Measure anew what took longer than any other: the machine may have been busy."""
        for _ in range(3 if self._timed and took > LIMIT else 0):
            began = time.thread_time()
            parse(text, format=log_format, zone=_ZONE)
            took = min(took, time.thread_time() - began)
        if took > self.slowest:
            self.slowest, self.slowest_line = took, data
        if self._timed and took > LIMIT:
            raise Fault(f"a line took {took * 1000:.0f} ms", data)

    def stream(self, lines: Sequence[bytes]) -> None:
        """Judge lines that follow each other in a file, put together to records. Raises ``Fault``."""
        assembler = Assembler()
        whole = b"\n".join(lines)
        end = 0
        settled = [0]
        for number, line in enumerate(whole.split(b"\n"), 1):
            end += len(line) + 1
            self._records(assembler.feed(number, line.decode("utf-8", "replace"), end), settled, whole)
            if assembler.pending > MAX_OPEN * MAX_RECORD:
                raise Fault("the records that are open hold too much", whole)
        self._records(assembler.finish(), settled, whole)
        if not assembler.idle or assembler.pending:
            raise Fault("something is held back after the end", whole)

    def _records(self, records: Sequence[Assembled], settled: list[int], whole: bytes) -> None:
        for record in records:
            if record.settled and record.end < settled[-1]:
                raise Fault("what was settled comes again", whole)
            if record.settled:
                settled[-1] = record.end
            if len(record.text) > MAX_RECORD and ("\n" in record.text or record.cut):
                raise Fault("a record is longer than it may be", whole)
            self.line(record.text.encode("utf-8", "replace"))

    def framing(self, stream: bytes, segments: Sequence[bytes]) -> None:
        """Judge that a stream gives the same messages in whatever segments it comes. Raises ``Fault``."""
        try:
            if _messages(segments) != _messages([stream]):
                raise Fault("segments change the messages of a stream", stream)
        except Fault:
            raise
        except Exception as error:
            raise Fault(f"{type(error).__name__}: {error}", stream) from error


def _messages(segments: Sequence[bytes]) -> tuple[list[bytes], bool, int]:
    deframer, found = Deframer(), list[bytes]()
    try:
        for segment in segments:
            found += deframer.feed(segment)
        return found + deframer.finish(), False, deframer.too_long
    except BadFraming as fault:
        return found + fault.args[0], True, deframer.too_long


def _kind(outcome: Outcome, data: bytes) -> str:
    """Return what a line is counted as. Raises ``Fault`` where it is nothing that can be counted, or not clean."""
    if isinstance(outcome, Rejected):
        if not outcome.reason:
            raise Fault("a rejection without a reason", data)
        return "rejected"
    if isinstance(outcome, Ignored):
        if outcome.event:
            _check(outcome.event, data)
        return "ignored"
    for event in outcome if isinstance(outcome, tuple) else (outcome,):
        _check(event, data)
    return "event"


def _check_layout(text: str, data: bytes) -> None:
    """A layout that was learnt reads what ``scan`` does; lines of the WAF with a backslash are always scanned."""
    body = syslog.body(text)
    if "\\" in body and 'log_type="WAF"' in text:
        return
    at = body.find("log_id=") + 7
    quickly = sophos._LAYOUTS.read(body, body[at : at + 7])
    if quickly is not None:
        pairs = scan(body)
        if any(pairs.get(key, "") != quickly.get(key, "") for key in sophos._LAYOUTS._wanted):
            raise Fault("a layout reads something else", data)


def _check(event: SecurityEvent, data: bytes) -> None:
    if event.at.tzinfo is not UTC or event.source not in FORMATS:
        raise Fault("an event without time or source", data)
    if not (0 <= event.src_port <= 65535 and 0 <= event.dst_port <= 65535):
        raise Fault("a port that is none", data)
    for name in _TEXTS:
        text = getattr(event, name)
        if len(text) > _LONGEST or not text.isprintable():
            raise Fault(f"{name} is too long or not printable", data)


def resident() -> int:
    """Return the bytes of memory that this process holds, 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    except (OSError, ValueError, IndexError):
        return 0


def say(words: str) -> None:
    """Print a line at once."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()
