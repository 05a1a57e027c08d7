"""The sans-I/O core: replies in any segmentation and within bounds, capabilities, commands, dot-stuffing."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxtray.core.mail.protocol import (
    Malformed,
    Reply,
    ReplyParser,
    address_literal,
    ascii_host,
    capabilities,
    command,
    dot_stuffed,
    wire_address,
    wire_fault,
)


def parse(data: bytes) -> list[Reply]:
    parser = ReplyParser()
    parser.feed(data)
    replies = []
    while reply := parser.next_reply():
        replies.append(reply)
    return replies


@given(st.lists(st.integers(1, 20), min_size=1))
def test_replies_do_not_depend_on_segments(cuts: list[int]) -> None:
    data = b"220 mail.test\r\n250-one\r\n250-two\r\n250 three\r\n535-5.7.8 no\n535 5.7.8 sorry\n"
    parser, replies, rest = ReplyParser(), [], data
    for cut in cuts * len(data):
        parser.feed(rest[:cut])
        rest = rest[cut:]
        while reply := parser.next_reply():
            replies.append(reply)
    assert replies == parse(data)
    assert [reply.code for reply in replies] == [220, 250, 535]
    assert replies[1].lines == ("one", "two", "three")
    assert replies[2].enhanced == "5.7.8"
    assert not parser.pending


@given(st.binary(max_size=300))
def test_any_bytes_are_a_reply_or_malformed(data: bytes) -> None:
    replies = []
    with contextlib.suppress(Malformed):
        replies = parse(data)
    assert all(200 <= reply.code <= 599 and len(reply.words) <= 500 for reply in replies)


@pytest.mark.parametrize(
    "data",
    [
        b"250-one\r\n\r\n250 two\r\n",  # a blank line shifts every later answer
        b"250-one\r\n550 two\r\n",  # codes differ
        b"250 one\rtwo\r\n",  # CR without LF
        b"HTTP/1.1 400 Bad Request\r\n",
        b"+OK POP3\r\n",
        b"190 too low\r\n",
        b"600 too high\r\n",
        b"25 short\r\n",
        b"250_one\r\n",
        b"x" * 5000,
        b"250-" + b"x" * 5000 + b"\r\n",
        b"250-x\r\n" * 129,
        (b"250-" + b"x" * 4000 + b"\r\n") * 17,
        b"\xb2\xb5\xb0 digits of another script\r\n",
        "２５０ full width\r\n".encode(),
    ],
)
def test_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse(data)


def test_longest_allowed_reply() -> None:
    (reply,) = parse(b"220-x\r\n" * 127 + b"220 end\r\n")
    assert len(reply.lines) == 128


def test_bare_code_and_incomplete() -> None:
    assert parse(b"250\r\n")[0].words == "250"
    parser = ReplyParser()
    parser.feed(b"250-one\r\n")
    assert parser.next_reply() is None
    assert parser.pending


def test_words_are_plain_and_bounded() -> None:
    (reply,) = parse(b"550 \x1b[31mred\x00 \xe2\x80\xaeevil " + b"y" * 3000 + b"\r\n")
    assert reply.words.startswith("550 [31mred evil yyy")
    assert reply.words.isprintable()
    assert len(reply.words) == 500


def offered(*lines: str) -> Reply:
    return Reply(250, "", ("mail.test", *lines))


def test_capabilities() -> None:
    found = capabilities(
        offered("auth login PLAIN", "AUTH=LOGIN XOAUTH2", "StartTLS", "SIZE 1000 ", "8bitmime", "", "SMTPUTF8")
    )
    assert found.auth == ("LOGIN", "PLAIN", "XOAUTH2")
    assert found.starttls
    assert found.size == 1000
    assert found.eight_bit_mime
    assert found.smtputf8


@pytest.mark.parametrize("line", ["XSTARTTLS", "START TLS", "STARTTLS=1", "AUTH STARTTLS"])
def test_only_the_exact_keyword_counts(line: str) -> None:
    assert not capabilities(offered(line)).starttls


def test_first_line_is_the_servers_name() -> None:
    assert not capabilities(Reply(250, "", ("STARTTLS",))).starttls


@pytest.mark.parametrize(
    ("line", "size"), [("SIZE", 0), ("SIZE 0", 0), ("SIZE abc", 0), ("SIZE -5", 0), ("SIZE ٣", 0), ("SIZE 35", 35)]
)
def test_size(line: str, size: int) -> None:
    assert capabilities(offered(line)).size == size
    assert capabilities(offered("SIZE " + "9" * 40)).size > 10**15


@pytest.mark.parametrize("text", ["A\r\nB", "A\nB", "A\0B", "A\rB", "x" * 511])
def test_command_is_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="not one command line"):
        command(text)


@pytest.mark.parametrize(
    ("address", "wire"),
    [
        ("Name@EXAMPLE.com", "Name@example.com"),
        ("name@münchen.example", "name@xn--mnchen-3ya.example"),
        ("name@straße.example", "name@xn--strae-oqa.example"),  # IDNA 2003 would name another domain
        ("name@192.0.2.1", "name@[192.0.2.1]"),
        ("o'neil+x@example.com", "o'neil+x@example.com"),
    ],
)
def test_wire_address(address: str, wire: str) -> None:
    assert wire_address(address) == wire


@pytest.mark.parametrize(
    "address", ["", "a@b> NOTIFY=NEVER", "a b@example.com", "a@b\r\n", "a@@b", "<a@b>", "a@b,c@d", "a\0@b", "a@-b-"]
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        wire_address(address)


def test_local_part_needs_smtputf8() -> None:
    with pytest.raises(UnicodeEncodeError):
        wire_address("jürgen@example.com")


def test_hosts() -> None:
    assert ascii_host(" Mail.EXAMPLE.com. ") == "mail.example.com"
    assert ascii_host("bücher.example") == "xn--bcher-kva.example"
    with pytest.raises(UnicodeError):
        ascii_host("ü" * 300)
    assert address_literal("127.0.0.1") == "[127.0.0.1]"
    assert address_literal("fe80::1%eth0") == "[IPv6:fe80::1]"


@given(st.lists(st.text(alphabet=".ax ", max_size=5)))
def test_dot_stuffing_is_undone_by_the_receiver(lines: list[str]) -> None:
    data = "".join(line + "\r\n" for line in lines).encode()
    wire = dot_stuffed(data) + b".\r\n"
    received, _, rest = (b"\r\n" + wire).partition(b"\r\n.\r\n")
    assert rest == b""
    undone = (received + b"\r\n").removeprefix(b"\r\n").replace(b"\r\n..", b"\r\n.")
    undone = undone[1:] if undone.startswith(b"..") else undone
    assert undone == data


@pytest.mark.parametrize(
    "data",
    [
        b"a\nb\r\n",
        b"a\rb\r\n",
        b"a\r\n.\n\r\n",
        b"a\0\r\n",
        b"a",
        b"x" * 999 + b"\r\n",
        "é\r\n".encode(),
        b"a\r\r\n",
        b"",
    ],
)
def test_wire_fault(data: bytes) -> None:
    assert wire_fault(data)
    assert not wire_fault(b"x" * 998 + b"\r\n.\r\n")
