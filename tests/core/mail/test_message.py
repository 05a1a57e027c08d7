"""What a composed mail looks like to others: the standard library reads it back as the oracle."""

import email
import email.policy
import re
from datetime import datetime, timedelta, timezone
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxtray.core.mail.faults import SenderRefused
from vxtray.core.mail.message import Attachment, Image, Mail, attachment_name, compose, new_message_id
from vxtray.core.mail.plaintext import body_text, one_line
from vxtray.core.mail.protocol import wire_fault

MAIL = Mail(
    subject="Daily report",
    text="Bonjour, déjà vu.\n.\n..\nFrom here\n",
    html="<p>Bonjour</p>",
    from_address="reports@example.com",
    from_name="vxtray",
    recipients=("a@example.org", "b@example.org"),
    message_id="<0123@example.com>",
    date=datetime(2026, 11, 22, 8, 0, tzinfo=timezone(timedelta(hours=1))),
)
HEADERS = [
    "Date", "Message-ID", "From", "To", "Subject", "Auto-Submitted", "X-Auto-Response-Suppress",
    "MIME-Version", "Content-Type",
]  # fmt: skip


def read(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def shown_sender(data: bytes) -> list[tuple[str, str]]:
    """Return what a mail program shows: addresses first, then RFC 2047, where blanks between encoded words vanish."""
    field = str(email.message_from_bytes(data, policy=email.policy.compat32)["From"])
    return [(str(make_header(decode_header(name))), address) for name, address in getaddresses([field])]


def composed(**changes: Any) -> EmailMessage:
    return read(compose(msgspec.structs.replace(MAIL, **changes)))


#: Everything a log field may hold, lone surrogates included.
anything = st.text(alphabet=st.characters(exclude_categories=()), max_size=300)


def test_headers() -> None:
    message = composed()
    assert sorted(message.keys()) == sorted(HEADERS)
    assert message["Date"].datetime == MAIL.date
    assert message["Message-ID"] == "<0123@example.com>"
    assert [a.addr_spec for a in message["To"].addresses] == ["a@example.org", "b@example.org"]
    assert message["From"].addresses[0].display_name == "vxtray"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["MIME-Version"] == "1.0"


@given(subject=anything, name=anything, text=anything, html=anything)
def test_no_text_forges_anything(subject: str, name: str, text: str, html: str) -> None:
    data = compose(msgspec.structs.replace(MAIL, subject=subject, from_name=name, text=text, html=html))
    assert not wire_fault(data)
    head = data.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78
    message = read(data)
    allowed = {header.lower() for header in HEADERS} | {"content-transfer-encoding"}
    assert {key.lower() for key, _ in message.items()} <= allowed
    assert len(message.keys()) == len(set(message.keys()))
    assert [a.addr_spec for a in message["From"].addresses] == ["reports@example.com"]
    assert shown_sender(data) == [(one_line(name, 100), "reports@example.com")]
    assert message["Subject"] == one_line(subject, 200)
    body = message.get_body(("plain",))
    assert body is not None
    wanted = re.sub(r"\r\n|\r", "\n", body_text(text))
    assert re.sub(r"\r\n|\r", "\n", body.get_content()).rstrip("\n") == wanted.rstrip("\n")


@pytest.mark.parametrize(
    "name",
    [
        "x" * 40 + ", é <a@b.c>, " + "y" * 60,
        "=?utf-8?q?evil=40y=2C?= <u@x>",
        "boss@example.com, other@example.com",
        'Müller, "Bob"',
        "évil@x.org, a",
        "vxtray (alerts)",
        "a. b.",
    ],
)
def test_names_never_become_addresses(name: str) -> None:
    data = compose(msgspec.structs.replace(MAIL, from_name=name))
    assert shown_sender(data) == [(one_line(name, 100), "reports@example.com")]


def test_text_that_looks_encoded_stays_text() -> None:
    assert composed(subject="=?utf-8?q?x?= hello")["Subject"] == "=?utf-8?q?x?= hello"


@pytest.mark.parametrize(
    "mark", ["\r\n", "\n", "\r", "\0", "\x0b", "\x0c", "\x85", "\u2028", "\u202e", "\u2066", "\x1b"]
)
def test_marks_become_blanks(mark: str) -> None:
    assert composed(subject=f"a{mark}Bcc: evil@example.net")["Subject"] == "a Bcc: evil@example.net"
    assert composed(from_name=f"a{mark}b")["From"].addresses[0].display_name == "a b"


def test_long_subject_is_capped_and_folded() -> None:
    for subject in ("x" * 3000, "é" * 3000, "é" + " y" * 200, "😀" * 3000, "word " * 600, "\u05d0" * 3000):
        data = compose(msgspec.structs.replace(MAIL, subject=subject))
        assert len(read(data)["Subject"]) <= 200
        assert max(map(len, data.split(b"\r\n"))) <= 78


def test_structure_with_everything() -> None:
    message = composed(
        images=(Image("chart1", "image/png", b"\x89PNG\r\n\x1a\n"),),
        attachments=(
            Attachment("../../rapport été.pdf", "application/pdf", b"%PDF\n\r"),
            Attachment("events.csv", "text/csv", "a;b\né;=1\n".encode()),
        ),
    )
    assert message.get_content_type() == "multipart/mixed"
    alternative, pdf, csv = message.iter_parts()
    assert alternative.get_content_type() == "multipart/alternative"
    plain, related = alternative.iter_parts()
    assert plain.get_content_type() == "text/plain"
    assert related.get_content_type() == "multipart/related"
    html, image = related.iter_parts()
    assert html.get_content_type() == "text/html"
    assert image["Content-ID"] == "<chart1>"
    assert image.get_content() == b"\x89PNG\r\n\x1a\n"
    assert (pdf.get_filename(), pdf.get_content()) == ("rapport ete.pdf", b"%PDF\n\r")
    assert csv.get_filename() == "events.csv"
    assert csv.get_payload(decode=True) == "a;b\né;=1\n".encode()


def test_simple_structures() -> None:
    assert [part.get_content_type() for part in composed().iter_parts()] == ["text/plain", "text/html"]
    assert composed(html="").get_content_type() == "text/plain"


def test_many_recipients_are_folded() -> None:
    people = tuple(f"person{n}@example.org" for n in range(500))
    data = compose(msgspec.structs.replace(MAIL, recipients=people))
    assert max(map(len, data.split(b"\r\n"))) <= 78
    assert len(read(data)["To"].addresses) == 500


def test_international_domains() -> None:
    message = composed(from_address="r@münchen.example", recipients=("jürgen@example.com", "a@bücher.example"))
    assert message["From"].addresses[0].addr_spec == "r@xn--mnchen-3ya.example"
    assert [a.addr_spec for a in message["To"].addresses] == ["a@xn--bcher-kva.example"]
    assert composed(recipients=("jürgen@example.com",))["To"] == "undisclosed-recipients:;"


@pytest.mark.parametrize("address", ["jürgen@example.com", "a@b\r\nBcc: c@d", "", "a@b> SIZE=1"])
def test_sender_that_no_header_can_carry(address: str) -> None:
    with pytest.raises(SenderRefused):
        composed(from_address=address)


def test_programming_errors() -> None:
    for changes in (
        {"date": datetime(2026, 1, 1)},  # noqa: DTZ001 - the point of the test
        {"message_id": "<a@b>\r\nBcc: c@d"},
        {"images": (Image('x"', "image/png", b""),)},
        {"attachments": (Attachment("x", "text/plain\r\nX: y", b""),)},
    ):
        with pytest.raises(ValueError, match=r".*"):
            composed(**changes)


def test_message_ids() -> None:
    ids = {new_message_id("Bücher.example") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"<[0-9a-f]{32}@xn--bcher-kva\.example>", one) for one in ids)


@given(anything)
def test_attachment_names(name: str) -> None:
    safe = attachment_name(name)
    assert re.fullmatch(r"[A-Za-z0-9_()+-]([A-Za-z0-9 ._()+-]{0,98}[A-Za-z0-9_()+-])?", safe)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\report.pdf", "report.pdf"),
        ("CON.txt", "_CON.txt"),
        ("com1", "_com1"),
        ("report\u202efdp.exe", "reportfdp.exe"),
        ("...", "attachment"),
        ("", "attachment"),
        ("x.", "x"),
        ("a\r\nb.csv", "a_b.csv"),
        ("y" * 300 + ".pdf", "y" * 96 + ".pdf"),
    ],
)
def test_attachment_name(name: str, safe: str) -> None:
    assert attachment_name(name) == safe


# --- conversations ----------------------------------------------------------------------------------------------------

_IDS = tuple(f"<{number:032x}@mail-{'x' * 40}.example.com>" for number in range(60))


def test_an_answer_names_the_mails_before_it() -> None:
    message = composed(in_reply_to=_IDS[2], references=_IDS[:3], topic="Überfall: =?utf-8?q?x?=")
    assert sorted(message.keys()) == sorted([*HEADERS, "In-Reply-To", "References", "Thread-Topic"])
    assert message["In-Reply-To"] == _IDS[2]
    assert message["References"].split() == list(_IDS[:3])
    assert message["Thread-Topic"] == "Überfall: =?utf-8?q?x?="
    assert composed(in_reply_to=_IDS[0])["References"] is None


def test_a_long_conversation_keeps_its_first_and_its_last_mails() -> None:
    data = compose(msgspec.structs.replace(MAIL, in_reply_to=_IDS[-1], references=_IDS))
    assert max(map(len, data.split(b"\r\n"))) < 200
    named = read(data)["References"].split()
    assert named == [_IDS[0], *_IDS[-19:]]


@given(topic=anything)
def test_no_topic_forges_anything(topic: str) -> None:
    data = compose(msgspec.structs.replace(MAIL, topic=topic))
    assert not wire_fault(data)
    head = data.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78
    message = read(data)
    assert set(message.keys()) - {"Thread-Topic"} == set(HEADERS)
    assert (message["Thread-Topic"] or "") == one_line(topic, 200)


@pytest.mark.parametrize(
    "identifier",
    [
        "x",
        "<a@b>\r\nBcc: x@y",
        "<a b@c>",
        "<a@b> <c@d>",
        "<é@b>",
        "<a@b",
        f"<{'a' * 400}@b>",
        "<@b>",
        "\n<a@b>",
        "<a@b>\n",
    ],
)
def test_what_is_no_message_id_is_refused(identifier: str) -> None:
    for field in ({"in_reply_to": identifier}, {"references": (_IDS[0], identifier)}):
        with pytest.raises(ValueError, match="not a Message-ID"):
            compose(msgspec.structs.replace(MAIL, **field))  # type: ignore[arg-type]


# --- what no one sees, and what runs over its line --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("vx\u200btr\u00aday\U000e0041", "vxtray"),
        ("e\u0301 e\u0323\u0302 \u05d1\u05bc\u05b8\u0591", "e\u0301 e\u0323\u0302 \u05d1\u05bc\u05b8\u0591"),
        ("Z" + "\u0351\u036b\u0343" * 30, "Z\u0351\u036b\u0343"),
        ("\u0e01" + "\u0e47" * 100 + "x", "\u0e01\u0e47\u0e47\u0e47x"),
        ("👩\u200d👧 ok", "👩\u200d👧 ok"),
        ("« déjà »", "« déjà »"),
    ],
)
def test_marks_and_invisible_signs_are_bounded(text: str, shown: str) -> None:
    assert one_line(text, 100) == shown
    assert one_line(shown, 100) == shown
