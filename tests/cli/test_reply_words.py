"""A server's refusal is explained wherever a command shows one, with the server's words beside it."""

from collections.abc import Iterator

import pytest

from tests.core.mail.wire import Inbox, aiosmtpd

UNKNOWN = "550 5.1.1 <gone@example.com>: Recipient address rejected: User unknown"
MEANING = "The mail server does not know this recipient. Check how the address is written."
WORDS = f"Server's words: {UNKNOWN}"


@pytest.fixture
def choosy(vxtray, memory) -> Iterator[Inbox]:
    """A server that does not know one of the recipients."""
    with aiosmtpd(Inbox(refuse={"gone@example.com": UNKNOWN})) as inbox:
        server = ("host=127.0.0.1", f"port={inbox.port}", "security=none", "auth=none", "from_address=r@example.com")
        assert vxtray("smtp", "set", *server, "recipients=gone@example.com").code == 0
        yield inbox


@pytest.mark.expected_log("User unknown", "could not be delivered")
def test_the_outbox_explains_why_a_mail_failed(vxtray, choosy: Inbox) -> None:
    said = vxtray("report", "daily", "--for", "2026-01-05", "--send")
    assert said.code == 1
    assert MEANING in said.err
    assert WORDS in said.err

    listed = vxtray("outbox", "list").out
    assert f"       {MEANING}\n       {WORDS}\n" in listed

    (entry,) = vxtray("outbox", "list", "--json").json
    assert entry["reply"] == UNKNOWN
    shown = vxtray("outbox", "show", str(entry["id"])).out
    assert shown.count(MEANING) == 2, "for the recipient and for the attempt"
    assert shown.count(WORDS) == 2


def test_a_test_mail_explains_who_was_refused(vxtray, choosy: Inbox) -> None:
    said = vxtray("smtp", "send-test", "--to", "a@example.com", "gone@example.com")
    assert said.code == 1
    assert "✓ a@example.com\n       250 2.1.5 ok\n" in said.out
    assert f"✗ gone@example.com\n       {MEANING}\n       {WORDS}\n" in said.out


@pytest.mark.expected_log("refuses connections")
def test_what_vxtray_itself_says_of_a_mail_stands_alone(vxtray, choosy: Inbox, free_port: int) -> None:
    vxtray("smtp", "set", f"port={free_port}")
    assert vxtray("report", "daily", "--for", "2026-01-05", "--send").code == 0
    listed = vxtray("outbox", "list").out
    assert "refuses connections" in listed
    assert "Server's words" not in listed
