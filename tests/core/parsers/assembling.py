"""Records of a log that is there as a whole, as they are read from a stream."""

from collections.abc import Iterable, Iterator

from vxtray.core.parsers.records import Assembled, Assembler


def assemble(lines: Iterable[tuple[int, str]]) -> Iterator[Assembled]:
    """Yield the records of numbered lines."""
    assembler = Assembler()
    for number, text in lines:
        yield from assembler.feed(number, text)
    yield from assembler.finish()
