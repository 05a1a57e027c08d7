"""Lines put together to records where one spans several: ModSecurity's native audit log, and JSON over many lines.

Any thread; an ``Assembler`` belongs to one stream of lines. Everything else passes line by line, and memory is bounded.

A native record begins with ``--b-A--`` and ends with ``--b-Z--``. Processes that share the file may write between each
other's sections, so several can be open. Within a section that repeats what a visitor sent (the bodies) only the
record's own boundary counts: it is random so that nobody can forge a record in the body of a request. Bodies are not
kept.

Of JSON the objects are records, also those within an array, whatever the layout.
"""

import re

import msgspec

from vxtray.core.parsers.modsecurity_audit import BOUNDARY

#: Characters kept of a record; more makes it ``cut``.
MAX_RECORD = 256 * 1024
#: Lines kept of a record, and characters read for it (for all that overlap), also those that are not kept.
MAX_LINES = 10_000
MAX_READ = 1024 * 1024
#: Native records open at once.
MAX_OPEN = 16

#: Sections with text of a visitor or of the site, and those that an event is made of.
_BODIES = frozenset("CEI")
_KEPT = frozenset("ABFHZ")

#: A string (also one that is not closed, to its end) or a bracket.
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[{}\[\]]')
#: How a line within a JSON object may begin.
_JSON_LINE = re.compile(r'\s*(?:["{}\[\],:\d-]|true\b|false\b|null\b|\Z)')
#: The beginning, the end, or a comma of an array of objects.
_ARRAY = re.compile(r"\[(?:\s*+\{.*)?|\]\s*+,?|,|\[\s*+\]", re.DOTALL)


class Assembled(msgspec.Struct, frozen=True):
    """A record: the number of its first line, the offset behind it as it was fed, its text with line feeds.

    ``whole`` is false where the end is missing; ``cut`` says that it was too long and the text holds the beginning.
    ``settled`` is false while parts of the records that follow lie before ``end``: reading may not start again there.
    """

    line: int
    end: int
    text: str
    whole: bool = True
    cut: bool = False
    settled: bool = True


class _Part:
    """A record that is being put together."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.end = 0
        self.lines: list[str] = []
        self.count = 0
        self.size = 0
        self.kept = 0
        self.section = "A"
        self.whole = False
        self.cut = False

    def add(self, text: str, end: int, *, keep: bool = True) -> None:
        self.end = end
        self.size += len(text) + 1
        if keep:
            self.count += 1
        if keep and not self.cut:
            self.kept += len(text) + 1
            self.cut = self.kept > MAX_RECORD
            if not self.cut:
                self.lines.append(text)

    @property
    def full(self) -> bool:
        return self.size > MAX_READ or self.count > MAX_LINES

    def done(self, *, settled: bool = True) -> Assembled:
        return Assembled(self.line, self.end, "\n".join(self.lines), self.whole, self.cut, settled)


def opens(text: str) -> bool:
    """Return whether a line may begin (or be of) a record of several lines; quick, and true for too many."""
    return text.startswith(("--", "{", "[", " ", "]", "\t", "}"))


def spans_lines(text: str) -> bool:
    """Return whether the beginning of a log shows records of several lines."""
    assembler = Assembler()
    for number, line in enumerate(text.split("\n")[:20], 1):
        assembler.feed(number, line.rstrip("\r"), 0)
        if not assembler.idle:
            return True
    return False


class Assembler:
    """Takes the lines of one stream in their order and gives the records that they make."""

    def __init__(self) -> None:
        self._open: dict[str, _Part] = {}
        self._current: _Part | None = None
        self._done: list[_Part] = []
        self._read = 0
        self._json: _Part | None = None
        self._depth = 0
        #: Records were given away that are not settled.
        self._owes = False

    @property
    def idle(self) -> bool:
        """True between records."""
        return not self._open and self._json is None

    @property
    def pending(self) -> int:
        """Characters held back."""
        parts = [*self._open.values(), *self._done, *([self._json] if self._json else [])]
        return sum(part.kept for part in parts)

    def feed(self, line: int, text: str, end: int = 0) -> list[Assembled]:
        """Take a line without its line end, its number and the offset behind it; return the records that it ends."""
        if self._json is not None:
            return self._feed_json(line, text, end)
        if self._open or text.startswith("--"):
            return self._feed_native(line, text, end)
        bare = text.strip()
        if bare.startswith("{") or _ARRAY.fullmatch(bare):
            return self._begin_json(line, text, end)
        return [Assembled(line, end, text)]

    def finish(self) -> list[Assembled]:
        """Return what is left at the end of the stream: records without an end, and those held back with them.

        Where only unfinished records are left, none is settled: it may be there whole the next time.
        """
        left = [*self._done, *self._open.values(), *([self._json] if self._json else [])]
        given_up = self._owes or any(part.whole for part in left)
        left.sort(key=lambda part: part.line)
        self._open, self._current, self._done, self._json, self._owes = {}, None, [], None, False
        self._read = 0
        end = max((part.end for part in left), default=0)
        records = [part.done(settled=False) for part in left]
        if given_up and records:
            records[-1] = msgspec.structs.replace(records[-1], end=end, settled=True)
        return records

    # --- ModSecurity's native audit log -------------------------------------------------------------------------------

    def _feed_native(self, line: int, text: str, end: int) -> list[Assembled]:
        boundary = BOUNDARY.fullmatch(text) if text.startswith("--") else None
        part = self._current
        if boundary and not self._is_foreign(boundary[1]):
            part = self._switch(boundary[1], boundary[2], line)
            part.add(text, end)
            if boundary[2] == "Z":
                return self._close(boundary[1])
        elif part is None:
            return [Assembled(line, end, text)]
        else:
            part.add(text, end, keep=part.section in _KEPT)
        self._read += len(text) + 1
        if len(self._open) > MAX_OPEN:
            self._done.append(self._open.pop(next(iter(self._open))))
        return self._give_up() if self._read > MAX_READ or part.count > MAX_LINES else []

    def _is_foreign(self, name: str) -> bool:
        """Return whether a boundary stands within another record's body, where it means nothing."""
        part = self._current
        return part is not None and part.section in _BODIES and self._open.get(name) is not part

    def _switch(self, name: str, section: str, line: int) -> _Part:
        part = self._open.get(name)
        if part is None:
            part = self._open[name] = _Part(line)
        part.section = section
        self._current = part
        return part

    def _close(self, name: str) -> list[Assembled]:
        part = self._open.pop(name)
        part.whole = True
        self._done.append(part)
        self._current = next(reversed(self._open.values()), None)
        return [] if self._open else self._release()

    def _give_up(self) -> list[Assembled]:
        """Let go of what is open: something that ended in the middle stands in the way of the rest."""
        self._done += self._open.values()
        self._open, self._current = {}, None
        return self._release()

    def _release(self) -> list[Assembled]:
        parts = sorted(self._done, key=lambda part: part.line)
        self._done, self._read = [], 0
        end = max(part.end for part in parts)
        records = [part.done(settled=False) for part in parts]
        records[-1] = msgspec.structs.replace(records[-1], end=end, settled=True)
        return records

    # --- JSON ---------------------------------------------------------------------------------------------------------

    def _begin_json(self, line: int, text: str, end: int) -> list[Assembled]:
        """Take a line that begins with an object or an array, outside of any."""
        bare = text.strip()
        if bare.startswith("{") and bare.endswith("}"):
            return [Assembled(line, end, text)]
        if bare.startswith("{") and not bare.endswith(("{", "[", ",", "]")):
            # An object that is continued ends its line so, unless a line was cut off.
            return [Assembled(line, end, text)]
        return self._scan(line, text, end)

    def _feed_json(self, line: int, text: str, end: int) -> list[Assembled]:
        part = self._json
        fresh = text.startswith('{"') and text.endswith("}")
        if part is not None and (fresh or part.full or not _JSON_LINE.match(text)):
            # Another object at the margin, or no JSON at all: the one that is open was cut off.
            self._json, self._depth = None, 0
            self._owes = False
            return [part.done(), *self.feed(line, text, end)]
        return self._scan(line, text, end)

    def _scan(self, line: int, text: str, end: int) -> list[Assembled]:
        """Follow the brackets of a line; strings do not count, and cannot span lines."""
        records: list[Assembled] = []
        start = 0
        for token in _JSON_TOKEN.finditer(text):
            sign = token[0]
            if self._json is None:
                if sign == "{":
                    self._json, self._depth, start = _Part(line), 1, token.start()
            elif sign in "{[":
                self._depth += 1
            elif sign in "}]":
                self._depth -= 1
                if self._depth == 0:
                    self._json.add(text[start : token.end()], end)
                    self._json.whole = True
                    records.append(self._json.done(settled=False))
                    self._json, start = None, token.end()
        if self._json is not None:
            self._json.add(text[start:], end)
            self._owes = self._owes or bool(records)
        elif records:
            records[-1] = msgspec.structs.replace(records[-1], settled=True)
            self._owes = False
        else:
            records.append(Assembled(line, end, ""))
        return records
