"""Where one syslog message ends and the next begins, on TCP and TLS. Pure, for any thread.

RFC 6587 knows two framings, and a stream may change between them with every message: octet counting (``17 <34>...``,
the only one of RFC 5425) and a trailing line feed (sometimes NUL, or CR and line feed). A digit in front tells the
first; what else begins a line, such as ``2026-11-23 ...`` or ``192.0.2.1 ...``, has no blank right behind the digits.
"""

import re

from vxtray.core.events import MAX_LINE

#: A message with a larger count is not waited for: the stream is no syslog, or it wants to fill the memory.
_MAX_COUNT = 1024 * 1024
#: Blanks in front of the count come from Cisco ASA. The count itself has no leading zero.
_COUNT = re.compile(rb" {0,8}([1-9][0-9]{0,9}) ")
_PART_OF_COUNT = re.compile(rb" {0,8}(?:[1-9][0-9]{0,9})?")
_PRIORITY = re.compile(rb" {0,8}<")
_TRAILERS = b"\r\n\0"
_LINE_END = re.compile(rb"[\n\0]")
_BLANKS = re.compile(rb"[\r ]*")
#: A line as it is sent, with what may follow it.
_LONGEST = MAX_LINE + 2


class BadFraming(Exception):
    """The stream cannot be understood any further: an impossible count, or no message where one must begin."""


class Deframer:
    """Cuts one connection's stream into messages, however it was split into segments; memory stays below 64 KiB.

    ``too_long`` counts the messages of more than 64 KiB, which are passed over.
    """

    def __init__(self) -> None:
        self.too_long = 0
        self._counts = False  # the first message had a count
        self._lines = False  # the first message was a line
        self._held = b""  # the beginning of a frame of which the kind is not known yet
        self._part = bytearray()  # of the present message
        self._missing = 0  # bytes that the present count still wants
        self._in_line = False
        self._discard = False
        self._one_by_one = False  # this segment holds both framings

    @property
    def partial(self) -> bool:
        """True within a message."""
        return bool(self._held or self._missing or self._in_line)

    def feed(self, data: bytes) -> list[bytes]:
        """Take what came and return the messages that are complete now, without their trailers.

        Raises ``BadFraming``, whose ``args[0]`` are the messages before the fault; nothing may be fed after it.
        """
        found: list[bytes] = []
        if self._held:
            data, self._held = self._held + data, b""
        self._one_by_one = False
        at = 0
        try:
            while at < len(data):
                if self._missing:
                    at = self._counted(data, at, found)
                elif self._in_line:
                    at = self._line(data, at, found)
                else:
                    at = self._boundary(data, at, found)
        except BadFraming:
            raise BadFraming(found) from None
        return found

    def finish(self) -> list[bytes]:
        """Return the last line of a stream that ended well: it needs no line feed then. A cut count gives nothing."""
        found: list[bytes] = []
        if self._in_line or not self._counts:
            self._part += self._held
            self._complete(found)
        self._held, self._in_line = b"", False
        return found

    def _boundary(self, data: bytes, at: int, found: list[bytes]) -> int:
        """Find out what begins at ``at``; return from where to go on."""
        while at < len(data) and data[at] in _TRAILERS:
            at += 1
        if self._lines and not self._one_by_one and (end := self._whole_lines(data, at, found)):
            return end
        count = _COUNT.match(data, at)
        if count is None:
            return self._no_count(data, at)
        if self._lines:
            if count.end() == len(data):
                self._held = data[at:]
                return len(data)
            if data[count.end()] != 0x3C:  # "<": otherwise a line that begins with a number
                self._in_line = True
                return at
        else:
            self._counts = True
        self._missing = int(count[1])
        if self._missing > _MAX_COUNT:
            raise BadFraming
        if self._missing > MAX_LINE:
            self._discard = True
            self.too_long += 1
        return count.end()

    def _no_count(self, data: bytes, at: int) -> int:
        partial = _PART_OF_COUNT.match(data, at)
        if partial and partial.end() == len(data):
            self._held = data[at:]
            return len(data)
        if self._counts and not _PRIORITY.match(data, at):
            raise BadFraming
        self._lines = not self._counts
        self._in_line = True
        return at

    def _whole_lines(self, data: bytes, at: int, found: list[bytes]) -> int:
        """Take all complete lines at once, which is most of what comes; 0 where one may be a counted message."""
        end = max(data.rfind(b"\n"), data.rfind(b"\0")) + 1
        if end <= at:
            return 0
        lines = [line.lstrip(b"\r ") for line in data[at : end - 1].replace(b"\0", b"\n").split(b"\n")]
        if any(line[:1].isdigit() and _COUNT.match(line) for line in lines):
            self._one_by_one = True
            return 0
        for line in lines:
            if len(line) > _LONGEST:
                self.too_long += 1
            elif line := line.rstrip(b"\r "):
                found.append(line)
        return end

    def _counted(self, data: bytes, at: int, found: list[bytes]) -> int:
        taken = data[at : at + self._missing]
        self._missing -= len(taken)
        if not self._discard:
            self._part += taken
        if not self._missing:
            self._complete(found)
        return at + len(taken)

    def _line(self, data: bytes, at: int, found: list[bytes]) -> int:
        end = _LINE_END.search(data, at)
        stop = end.start() if end else len(data)
        if not self._discard:
            if not self._part:
                at = _BLANKS.match(data, at, stop).end()  # type: ignore[union-attr]  # matches always
            self._part += data[at:stop]
            if len(self._part) > _LONGEST:
                self.too_long += 1
                self._discard = True
                self._part.clear()
        if end is None:
            return stop
        self._in_line = False
        self._complete(found)
        return end.end()

    def _complete(self, found: list[bytes]) -> None:
        message = bytes(self._part).strip(b"\r\n\0 ")
        if message and not self._discard:
            found.append(message)
        self._part.clear()
        self._discard = False
