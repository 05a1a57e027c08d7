"""A mail without its largest attachment is the same mail, and says what is missing."""

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from vxtray.core.mail.lighter import lighter
from vxtray.core.mail.message import Attachment, Image, Mail, compose
from vxtray.core.mail.protocol import require_wire_safe

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
PAGE = '<!DOCTYPE html>\n<html lang="{}">\n<body class="x">\n<p>Bonjour & <img src="cid:chart"></p></body></html>'


def composed(*sizes: int, language: str = "fr", html: bool = True, name: str = "file{}.bin") -> bytes:
    mail = Mail(
        subject="Rapport quotidien – été " + "x" * 150,
        text="Bonjour\n.\nfin\n",
        html=PAGE.format(language) if html else "",
        from_address="reports@example.com",
        from_name="Équipe, sécurité",
        recipients=tuple(f"person{number}@example.org" for number in range(10)),
        message_id="<k@example.com>",
        date=NOW,
        images=(Image("chart", "image/png", b"png" * 50),) if html else (),
        attachments=tuple(
            Attachment(name.format(number), "application/octet-stream", bytes(size))
            for number, size in enumerate(sizes)
        ),
    )
    return compose(mail)


def read(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def own_headers(data: bytes) -> bytes:
    return data.partition(b"MIME-Version:")[0].partition(b"Content-Type:")[0]


@pytest.mark.parametrize("html", [True, False])
def test_the_largest_goes_first_and_the_rest_stays(html: bool) -> None:
    data = composed(100, 5000, 300, html=html)
    for gone, left in (("file1.bin", 2), ("file2.bin", 1), ("file0.bin", 0)):
        less = lighter(data, "fr")
        assert less is not None
        assert less[1] == gone
        assert len(less[0]) < len(data) + 600
        data = less[0]
        require_wire_safe(data)
        message = read(data)
        assert len(list(message.iter_attachments())) == left
        assert f"La pièce jointe {gone}" in body(message, "plain") or gone in body(message, "plain")
        assert body(message, "plain").replace("\r\n", "\n").endswith("Bonjour\n.\nfin\n")
        if html:
            assert gone in body(message, "html")
            assert body(message, "html").index(gone) > body(message, "html").index("<body")
            assert [part.get_content_type() for part in message.walk()].count("image/png") == 1
    assert lighter(data) is None


def test_headers_stay_byte_by_byte() -> None:
    data = composed(100, 200)
    less = lighter(data)
    assert less is not None
    assert own_headers(less[0]) == own_headers(data)
    head = less[0].partition(b"\r\n\r\n")[0]
    assert (head.count(b"MIME-Version:"), head.count(b"Content-Type: multipart/mixed")) == (1, 1)


def test_the_name_is_harmless_and_the_language_known() -> None:
    less = lighter(composed(10, name="<b>{}.pdf", language="xx"), "en")
    assert less is not None
    message = read(less[0])
    assert "<b>" not in body(message, "html")
    assert "was left out" in body(message, "plain")
