"""Messages out of streams: both framings of RFC 6587, mixed, hostile, and cut anywhere."""

import base64
import itertools
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vxtray.core.parsers import MAX_LINE
from vxtray.core.sources.framing import BadFraming, Deframer


def read(stream: bytes, *cuts: int) -> tuple[list[bytes], bool, int]:
    """Feed a stream in segments; return its messages, whether it was refused, and how many were too long."""
    deframer, found, places = Deframer(), list[bytes](), [0, *sorted(cuts), len(stream)]
    try:
        for start, end in itertools.pairwise(places):
            found += deframer.feed(stream[start:end])
        found += deframer.finish()
    except BadFraming as fault:
        return found + fault.args[0], True, deframer.too_long
    return found, False, deframer.too_long


def counted(message: bytes) -> bytes:
    return b"%d %b" % (len(message), message)


@pytest.mark.parametrize(
    ("stream", "messages"),
    [
        (b"", []),
        (b"<1>a\n<2>b\n", [b"<1>a", b"<2>b"]),
        (b"<1>a\r\n<2>b\0<3>c\n\0\r\n", [b"<1>a", b"<2>b", b"<3>c"]),
        (b"<1>a\n<2>without an end", [b"<1>a", b"<2>without an end"]),
        (b"4 <1>a5 <2>bb", [b"<1>a", b"<2>bb"]),
        (b"8 <1>a\nb\nc4 <2>b", [b"<1>a\nb\nc", b"<2>b"]),  # line feeds belong to the message
        (b"4 <1>a\n 4 <2>b\r\n", [b"<1>a", b"<2>b"]),  # a trailer after it, a blank before the next
        (b"4 <1>a<2>b\n4 <3>c", [b"<1>a", b"<2>b", b"<3>c"]),
        (b"<1>a\n4 <2>b<3>c\n", [b"<1>a", b"<2>b", b"<3>c"]),
        (b"2026-11-23 10:00:00 a\n192.0.2.1 b\n7 c\n", [b"2026-11-23 10:00:00 a", b"192.0.2.1 b", b"7 c"]),
        (b"12345678901 a\n", [b"12345678901 a"]),
        (b"0 a\n", [b"0 a"]),
        (b"  <1>a\n", [b"<1>a"]),
        (b"123", [b"123"]),
        (b"12 <1>cut", []),
    ],
)
def test_both_framings_cut_anywhere(stream: bytes, messages: list[bytes]) -> None:
    for cut in range(len(stream) + 1):
        assert read(stream, cut) == (messages, False, 0)
    assert read(stream, *range(len(stream))) == (messages, False, 0)


@pytest.mark.parametrize(
    ("stream", "messages"),
    [
        (b"9999999 <1>a", []),
        (b"4 <1>a9999999999 <1>a", [b"<1>a"]),
        (b"3 <1>a4 <2>b", [b"<1>"]),  # the count is too small
        (b"4 <1>a\xff\xff", [b"<1>a"]),
        (b"4 <1>a12345678901", [b"<1>a"]),
        (b"4 <1>a012 <2>b", [b"<1>a"]),
    ],
)
def test_an_impossible_count_ends_it(stream: bytes, messages: list[bytes]) -> None:
    for cut in range(len(stream) + 1):
        assert read(stream, cut) == (messages, True, 0)


@pytest.mark.parametrize("size", [MAX_LINE, MAX_LINE + 10, 500_000])
@pytest.mark.parametrize("step", [1 << 20, 60_000, 999])
def test_a_long_message_is_passed_over(size: int, step: int) -> None:
    message = b"<1>" + b"a" * (size - 3)
    long = size > MAX_LINE
    wanted = ([b"<1>a"] + [message] * (not long) + [b"<2>b"], False, int(long))
    for stream in (b"<1>a\n" + message + b"\n<2>b\n", b"4 <1>a" + counted(message) + b"4 <2>b"):
        assert read(stream, *range(0, len(stream), step)) == wanted


MESSAGES = st.binary(min_size=1, max_size=40).map(lambda b: b"<1>" + b.strip(b"\r\n\0 ") + b".")
LINES = st.one_of(
    MESSAGES.map(lambda b: b.replace(b"\n", b"").replace(b"\0", b"")),
    st.from_regex(rb"[0-9]{1,12}[-. :][^\x00\n\r <]{1,12}[.]", fullmatch=True),
)


@given(st.lists(st.tuples(st.booleans(), MESSAGES), max_size=12), st.data())
def test_a_mixed_stream_gives_what_was_sent(sent: list[tuple[bool, bytes]], data: st.DataObject) -> None:
    stream, wanted = b"", list[bytes]()
    for in_lines, message in sent:
        text = message.replace(b"\n", b"").replace(b"\0", b"") if in_lines else message
        stream += text + b"\n" if in_lines else counted(text)
        wanted.append(text)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=20))
    assert read(stream, *cuts) == (wanted, False, 0)


@given(st.lists(LINES, max_size=12), st.data())
def test_lines_may_begin_with_numbers(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"<1>first\n" + b"".join(line + b"\r\n" for line in lines)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=20))
    assert read(stream, *cuts) == ([b"<1>first", *lines], False, 0)


PIECES = [b"<", b"1", b"23 ", b" ", b"\n", b"\0", b"\r", b"a", b"4 <1>a", b"\xff"]


@given(st.lists(st.sampled_from(PIECES), max_size=40))
@example([b"<", b"\n", b" ", b"1", b" ", b"<", b"\n"])
def test_segments_make_no_difference(parts: list[bytes]) -> None:
    stream = b"".join(parts)
    whole = read(stream)
    assert read(stream, *range(len(stream))) == whole
    for cut in range(len(stream)):
        assert read(stream, cut) == whole


@pytest.mark.parametrize("piece", [b"\n", b" ", b"1", b"a\n", b"<1>a", b"1 a", b"1 <\n", b"\n1 <", b"4 <1>a"])
def test_a_hostile_stream_costs_little(piece: bytes) -> None:
    stream = piece * (100_000 // len(piece))
    tracemalloc.start()
    began = time.process_time()
    deframer = Deframer()
    try:
        for at in range(0, len(stream), 65536):
            deframer.feed(stream[at : at + 65536])
    except BadFraming:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert time.process_time() - began < 5  # traced, that is slow; a quadratic one takes minutes
    assert peak < 8_000_000


def test_the_streams_of_others(shared: Path) -> None:
    folders = sorted((shared / "samples" / "syslog").glob("*/streams.b64"))
    assert folders
    for file in folders:
        for stream in map(base64.b64decode, file.read_text().splitlines()):
            messages, refused, _ = read(stream)
            assert read(stream, *range(len(stream))) == (messages, refused, 0)
            assert messages or not stream
            if stream and file.parent.name == "go-syslog-octetcounting":
                assert messages[0] == stream[3:19]
                assert len(messages) + refused == 2
