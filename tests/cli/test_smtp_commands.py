"""``smtp test`` and ``smtp send-test`` for scripts: with ``--json`` there is always the document."""

import pytest

from tests.core.mail import hostile as h
from tests.core.mail.wire import Inbox, aiosmtpd
from vxtray import app
from vxtray.core.credentials import MemoryStore
from vxtray.core.errors import KeyringMissing


class NoKeyring(MemoryStore):
    """A machine without a keyring."""

    def get(self, _account: object) -> None:
        raise KeyringMissing


@pytest.fixture
def set_up(vxtray):
    """Write the mail server's settings."""

    def write(port: int, *more: str) -> None:
        words = ("host=127.0.0.1", f"port={port}", "security=none", "from_address=a@example.com")
        assert vxtray("smtp", "set", *words, "recipients=b@example.com,c@example.com", *more).code == 0

    return write


def test_a_check_without_a_keyring_is_still_a_document(vxtray, set_up, monkeypatch) -> None:
    monkeypatch.setattr(app, "system_store", NoKeyring)
    with h.hostile(h.script()) as server:
        set_up(server.port, "username=anna")
        said = vxtray("smtp", "test", "--json")
    assert (said.code, said.json["ok"]) == (1, False)
    assert [step["name"] for step in said.json["steps"]] == ["resolve", "connect", "greeting", "ehlo", "auth"]
    assert "keyring" in said.json["steps"][-1]["detail"]
    assert said.json["steps"][-1]["advice"]


def test_a_refused_test_mail_is_a_document_and_words(vxtray, set_up) -> None:
    inbox = Inbox(refuse={"b@example.com": "550 5.1.1 unknown b", "c@example.com": "550 5.1.1 unknown c"})
    with aiosmtpd(inbox):
        set_up(inbox.port)
        said = vxtray("smtp", "send-test", "--json")
    assert said.code == 1
    assert (said.json["ok"], said.json["reply"]) == (False, "550 5.1.1 unknown b")
    assert said.json["recipients"]["c@example.com"] == {"ok": False, "reply": "550 5.1.1 unknown c"}
    assert said.json["message_id"].endswith("@example.com>")
    assert "refused every recipient" in said.err


def test_no_way_to_the_server_is_a_document_too(vxtray, set_up, free_port) -> None:
    set_up(free_port)
    said = vxtray("smtp", "send-test", "--json")
    assert (said.code, said.json["ok"], said.json["recipients"]) == (1, False, {})
    assert "127.0.0.1" in said.err


def test_discover_proposes_and_changes_nothing(vxtray, nameserver, smtp_catcher) -> None:
    nameserver.records = {"_submission._tcp.firma.invalid SRV": [f"0 1 {smtp_catcher.port} localhost."]}
    vxtray("smtp", "set", f"ca_file={smtp_catcher.ca_file}")
    said = vxtray("smtp", "discover", "reports@firma.invalid", "--json")
    assert said.code == 0
    (one,) = said.json["proposals"]
    assert one["verified"]
    assert (one["host"], one["port"], one["security"]) == ("localhost", smtp_catcher.port, "starttls")
    assert one["source"] == "the SRV record _submission._tcp.firma.invalid"
    assert vxtray("smtp", "show", "--json").json["host"] == ""


def test_discover_in_words(vxtray, nameserver) -> None:
    nothing = vxtray("smtp", "discover", "reports@firma.invalid")
    assert (nothing.code, "Nothing was found for firma.invalid" in nothing.err) == (1, True)
    assert vxtray("smtp", "discover", "nobody").code == 2
