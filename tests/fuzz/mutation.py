"""Lines made odd, reproducibly: mutations that know what logs are made of (fields, quotes, brackets)."""

import itertools
import random
from collections.abc import Callable, Sequence

from tests.fuzz.material import TOKENS, own_lines, own_records, sample_lines
from vxtray.core.parsers import MAX_LINE
from vxtray.core.parsers.records import MAX_RECORD

_SEPARATORS = (b" ", b'" ', b",", b"|", b"=", b":", b"[", b"\\", b'"')
_NESTS = ((b"[", b"]"), (b'{"a":', b"}"), (b"(", b")"), (b"[{", b"}]"), (b'"', b'"'), (b"\\", b""))
#: One line in so many grows to thousands of characters, up to a little more than the limit.
_RARELY = 500


class Mutator:
    """Makes lines and streams of lines from a seed; the same seed makes the same."""

    def __init__(self, seed: int, *, samples: bool = True) -> None:
        self._random = random.Random(seed)
        self._seeds = own_lines() * 20 + (sample_lines() if samples else [])
        self._records = own_records()
        self._ways: Sequence[Callable[[bytes], bytes]] = (
            self._flip,
            self._delete,
            self._repeat,
            self._insert,
            self._insert,
            self._splice,
            self._swap_fields,
            self._drop_field,
            self._renumber,
            self._cut,
            self._case,
        )

    def stream(self, count: int) -> list[bytes]:
        """Return about ``count`` lines, of which some are records of several lines."""
        lines: list[bytes] = []
        while len(lines) < count:
            if self._random.random() < 0.02:
                lines += self._mix(self.record().split(b"\n"))
            else:
                lines.append(self.line())
        return lines

    def line(self) -> bytes:
        """Return one line; it may hold a line feed."""
        choose = self._random.random
        line = self._random.choice(self._seeds)
        if choose() < 0.05:
            return line
        line = self.mutate(line)
        while choose() < 0.4:
            line = self.mutate(line)
        return self._grow(line, MAX_LINE + 2) if choose() * _RARELY < 1 else line

    def record(self) -> bytes:
        """Return a record of several lines."""
        record = self._random.choice(self._records)
        while self._random.random() < 0.5:
            record = self.mutate(record)
        return self._grow(record, MAX_RECORD + 2) if self._random.random() * _RARELY < 1 else record

    def mutate(self, line: bytes) -> bytes:
        """Change one thing."""
        return self._random.choice(self._ways)(line)

    def segments(self, stream: bytes) -> list[bytes]:
        """Cut a stream into segments as a network may."""
        count = min(len(stream), self._random.randrange(1, 40))
        places = [0, *sorted(self._random.randrange(len(stream) + 1) for _ in range(count)), len(stream)]
        return [stream[a:b] for a, b in itertools.pairwise(places)]

    def frames(self, lines: Sequence[bytes]) -> bytes:
        """Put lines into one stream, in both framings, with a fault now and then."""
        parts = []
        counted = self._random.random() < 0.5
        for line in lines:
            if self._random.random() < 0.05:
                counted = not counted
            parts.append(
                b"%d %b" % (len(line), line) if counted else line + self._random.choice((b"\n", b"\r\n", b"\0"))
            )
        stream = b"".join(parts)
        return self.mutate(stream) if self._random.random() < 0.3 else stream

    # --- one change each ----------------------------------------------------------------------------------------------

    def _span(self, line: bytes) -> tuple[int, int]:
        start = self._random.randrange(len(line) + 1)
        return start, min(len(line), start + self._random.choice((1, 1, 2, 4, 9, 30, 200)))

    def _flip(self, line: bytes) -> bytes:
        if not line:
            return self._random.randbytes(self._random.randrange(40))
        changed = bytearray(line)
        for _ in range(self._random.choice((1, 1, 2, 8))):
            changed[self._random.randrange(len(changed))] ^= 1 << self._random.randrange(8)
        return bytes(changed)

    def _delete(self, line: bytes) -> bytes:
        start, end = self._span(line)
        return line[:start] + line[end:]

    def _repeat(self, line: bytes) -> bytes:
        start, end = self._span(line)
        return line[:start] + line[start:end] * self._random.choice((2, 3, 9)) + line[end:]

    def _insert(self, line: bytes) -> bytes:
        start = self._random.randrange(len(line) + 1)
        over = self._random.choice((0, 0, 1, 5))
        return line[:start] + self._random.choice(TOKENS) + line[start + over :]

    def _splice(self, line: bytes) -> bytes:
        other = self._random.choice(self._seeds)
        return line[: self._random.randrange(len(line) + 1)] + other[self._random.randrange(len(other) + 1) :]

    def _fields(self, line: bytes) -> tuple[bytes, list[bytes]]:
        separator = self._random.choice(_SEPARATORS)
        return separator, line.split(separator)

    def _swap_fields(self, line: bytes) -> bytes:
        separator, fields = self._fields(line)
        a, b = self._random.randrange(len(fields)), self._random.randrange(len(fields))
        fields[a], fields[b] = fields[b], fields[a]
        return separator.join(fields)

    def _drop_field(self, line: bytes) -> bytes:
        separator, fields = self._fields(line)
        del fields[self._random.randrange(len(fields))]
        return separator.join(fields)

    def _renumber(self, line: bytes) -> bytes:
        digits = [at for at, code in enumerate(line) if 0x30 <= code <= 0x39]
        if not digits:
            return self._insert(line)
        changed = bytearray(line)
        for _ in range(self._random.choice((1, 2, 5))):
            changed[self._random.choice(digits)] = 0x30 + self._random.randrange(10)
        return bytes(changed)

    def _cut(self, line: bytes) -> bytes:
        return line[: self._random.randrange(len(line) + 1)]

    def _case(self, line: bytes) -> bytes:
        start, end = self._span(line)
        return line[:start] + line[start:end].swapcase() + line[end:]

    def _grow(self, line: bytes, limit: int) -> bytes:
        """Make a line as long as may be: a piece of it, a token, or brackets, again and again."""
        room = max(0, self._random.choice((limit // 8, limit // 2, limit - 4, limit)) - len(line))
        at = self._random.randrange(len(line) + 1)
        way = self._random.randrange(4)
        if way == 0:
            opening, closing = self._random.choice(_NESTS)
            depth = room // (len(opening) + len(closing))
            return line[:at] + opening * depth + closing * depth + line[at:]
        if way == 1:
            piece = self._random.choice(TOKENS)
        elif way == 2:
            piece = b"".join(self._random.choices(TOKENS, k=3))
        else:
            start, end = self._span(line)
            piece = line[start:end] or b"a"
        return line[:at] + piece * (room // len(piece)) + line[at:]

    def _mix(self, lines: list[bytes]) -> list[bytes]:
        """Put other lines, or those of another record, between those of a record, or lose some."""
        way = self._random.random()
        if way < 0.2:
            del lines[self._random.randrange(len(lines))]
        elif way < 0.5:
            others = self.record().split(b"\n") if way < 0.35 else [self.line() for _ in range(3)]
            for other in others:
                lines.insert(self._random.randrange(len(lines) + 1), other)
        return lines
