"""The note for the mail administrator: what it says, in both languages, and what it never holds."""

import pytest

from vxtray.core.mail.admin_note import note_for_admin
from vxtray.core.mail.faults import Kind, Stage, TlsError
from vxtray.core.mail.protocol import Reply
from vxtray.core.mail.replies import fault_of, words_of
from vxtray.core.settings.tree import Auth, Security, Smtp

MICROSOFT = Smtp(
    host="smtp.office365.com",
    username="reports@example.com",
    from_address="alerts@example.com",
    recipients=("boss@example.com",),
)
SWITCHED_OFF = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."


def test_the_checklist_for_microsoft_365() -> None:
    found = words_of(Stage.AUTH, SWITCHED_OFF)
    assert found is not None
    assert found.admin_note
    note = note_for_admin(found, MICROSOFT, SWITCHED_OFF, "en")
    assert note.splitlines()[0] == "For the administrator of the mail server smtp.office365.com"
    assert SWITCHED_OFF in note
    for fact in ("port 587", "STARTTLS", "reports@example.com", "alerts@example.com"):
        assert fact in note
    assert "\n1. Authenticated SMTP is allowed for the mailbox" in note
    assert "\n7. " in note
    assert "\n8. " not in note
    assert "boss@example.com" not in note, "who gets the mail is nobody's business here"
    assert "\n\n\n" not in note
    assert note.endswith("\n")


def test_the_fault_itself_gives_the_same_note() -> None:
    fault = fault_of(Reply(535, "5.7.139", (SWITCHED_OFF[4:],)), Stage.AUTH)
    found = words_of(Stage.AUTH, fault.reply)
    assert found is not None
    assert note_for_admin(fault, MICROSOFT, fault.reply, "en") == note_for_admin(found, MICROSOFT, fault.reply, "en")


def test_without_a_reply_and_without_questions() -> None:
    fault = TlsError(
        "The certificate of {host} has expired.", "", step=Stage.TLS, kind=Kind.ADMIN, host="mail.example.com"
    )
    settings = Smtp(host="mail.example.com", port=25, security=Security.NONE, auth=Auth.NONE, username="left over")
    note = note_for_admin(fault, settings, "", "en")
    assert "What happened: The certificate of mail.example.com has expired.\n" in note
    assert "Server's words" not in note
    assert "Please check" not in note
    assert "left over" not in note, "no sign-in is used"
    assert "Encryption: none\n" in note
    assert "Sender: –" in note
    assert "\n\n\n" not in note


@pytest.mark.parametrize("reply", ["550 \x1b[31m{host}\r\nBcc: x\u202e", "x" * 5000])
def test_the_servers_words_stay_one_bounded_line(reply: str) -> None:
    found = words_of(Stage.DATA, "550 5.7.26 no")
    assert found is not None
    note = note_for_admin(found, MICROSOFT, reply, "en")
    (line,) = [line for line in note.splitlines() if line.startswith("Server's words: ")]
    assert line.isprintable()
    assert len(line) < 600
    assert "SPF" in note
