"""The test e-mail says what it proves, and no secret."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from vxtray.core.mail.testmail import proof_document
from vxtray.core.settings.tree import Auth, Security, Smtp

AT = datetime(2026, 11, 21, 7, 12, 9, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
SMTP = Smtp(
    host="smtp.example.com",
    username="robot",
    from_address="reports@example.com",
    recipients=("soc@example.com", "boss@example.com"),
)


def test_it_names_server_user_encryption_and_time() -> None:
    mail = proof_document(SMTP, "en", PARIS, sent_at=AT, host="soc-1", version="1.0")
    assert mail.subject == "[vxtray] Test e-mail from soc-1"
    for part in (mail.html, mail.text):
        said = " ".join(part.split())
        for words in (
            "smtp.example.com:587",
            "STARTTLS",
            "robot",
            "reports@example.com",
            "soc@example.com, boss@example.com",
            "Saturday 21 November 2026, 08:12:09 (Europe/Paris)",
            "vxtray can send e-mail",
            "Sent by vxtray 1.0 on soc-1.",
        ):
            assert words in said


def test_recipients_given_replace_those_of_the_settings() -> None:
    mail = proof_document(SMTP, "en", PARIS, sent_at=AT, recipients=["me@example.com"])
    assert mail.subject == "[vxtray] Test e-mail"
    assert "me@example.com" in mail.text
    assert "boss@example.com" not in mail.text + mail.html


@pytest.mark.parametrize(
    ("security", "words"),
    [(Security.STARTTLS, "✓ STARTTLS"), (Security.TLS, "✓ TLS from the start"), (Security.NONE, "▲ none")],
)
def test_encryption_is_told_by_shape_and_word(security: Security, words: str) -> None:
    smtp = Smtp(
        host="mail", port=2525, security=security, auth=Auth.NONE, username="ignored", from_address="a@b.example"
    )
    mail = proof_document(smtp, "en", PARIS, sent_at=AT)
    assert words in mail.text
    assert words in mail.html
    assert "no sign-in" in mail.text
    assert "ignored" not in mail.text


def test_in_french() -> None:
    mail = proof_document(SMTP, "fr", PARIS, sent_at=AT, host="soc-1")
    assert mail.subject == "[vxtray] E-mail de test envoyé depuis soc-1"
    assert "✓ L’e-mail de test est arrivé" in mail.text
    assert '<html lang="fr">' in mail.html
    assert "Samedi 21 novembre 2026, 08:12:09 (Europe/Paris)" in mail.html
