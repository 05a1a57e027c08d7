"""The test e-mail: sent at once, with the server's own word for each recipient."""

import email
import email.policy
from email.message import EmailMessage
from typing import Any

import msgspec
import pytest

from tests.core.mail.wire import USER, Inbox, aiosmtpd, settings
from tests.peers.mailbox import Mailbox
from vxtray.core.credentials import Secret
from vxtray.core.errors import NotConfigured
from vxtray.core.mail.faults import AuthError, RecipientsRefused
from vxtray.core.mail.trial import send_trial
from vxtray.core.settings.tree import Security, Smtp

PEOPLE = ("a@example.org", "b@example.org")


def opened(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


@pytest.mark.parametrize("language", ["en", "fr"])
def test_it_arrives_and_the_servers_word_comes_back(smtp_catcher: Mailbox, language: str) -> None:
    smtp = Smtp(
        host=smtp_catcher.host,
        port=smtp_catcher.port,
        username=smtp_catcher.user,
        from_address="reports@example.com",
        from_name="Üwe, “Reports”",
        recipients=PEOPLE,
        ca_file=str(smtp_catcher.ca_file),
    )
    trial = send_trial(smtp, Secret(smtp_catcher.password), language)
    (got,) = smtp_catcher.wait(1)
    message = got.message
    assert (got.sender, got.recipients) == ("reports@example.com", PEOPLE)
    assert (trial.ok, trial.reply, trial.message_id) == (True, "250 2.0.0 kept", message["Message-ID"])
    assert {address: word.ok for address, word in trial.recipients.items()} == dict.fromkeys(PEOPLE, True)
    sender = message["From"].addresses[0]
    assert (sender.display_name, sender.addr_spec) == ("Üwe, “Reports”", "reports@example.com")
    assert [address.addr_spec for address in message["To"].addresses] == list(PEOPLE)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime.tzinfo is not None
    assert {part.get_content_type() for part in message.walk() if not part.is_multipart()} >= {
        "text/plain",
        "text/html",
    }
    assert smtp_catcher.password not in got.content.decode("ascii")
    assert msgspec.json.encode(trial)


def test_it_goes_to_whom_the_person_names(smtp_catcher: Mailbox) -> None:
    smtp = Smtp(
        host=smtp_catcher.host,
        port=smtp_catcher.port,
        username=smtp_catcher.user,
        from_address="reports@example.com",
        ca_file=str(smtp_catcher.ca_file),
    )
    secret = Secret(smtp_catcher.password)
    assert send_trial(smtp, secret, "en", ("else@example.org",)).ok
    assert [mail.recipients for mail in smtp_catcher.wait(1)] == [("else@example.org",)]
    with pytest.raises(NotConfigured):
        send_trial(smtp, secret, "en")


@pytest.mark.parametrize("missing", ["host", "from_address", "recipients"])
def test_what_is_missing_is_told_before_anything_is_sent(missing: str) -> None:
    inbox = Inbox()
    with aiosmtpd(inbox):
        with pytest.raises(NotConfigured):
            send_trial(
                msgspec.structs.replace(settings(inbox.port), **{missing: type(getattr(Smtp(), missing))()}), None, "en"
            )
        assert inbox.connections == 0


def test_one_refused_recipient_is_told_and_the_other_has_it() -> None:
    inbox = Inbox(refuse={PEOPLE[1]: "550 5.1.1 nobody here by that name"})
    with aiosmtpd(inbox):
        trial = send_trial(settings(inbox.port, recipients=PEOPLE), None, "en")
    assert not trial.ok
    assert {address: (word.ok, word.reply[:3]) for address, word in trial.recipients.items()} == {
        PEOPLE[0]: (True, "250"),
        PEOPLE[1]: (False, "550"),
    }
    ((_, people, content),) = inbox.taken
    assert people == PEOPLE[:1]
    assert opened(content)["Message-ID"] == trial.message_id


def test_refusals_are_raised(server_tls: Any, ca_file: str) -> None:
    inbox = Inbox(refuse=dict.fromkeys(PEOPLE, "550 5.1.1 unknown"))
    with aiosmtpd(inbox), pytest.raises(RecipientsRefused):
        send_trial(settings(inbox.port, recipients=PEOPLE), None, "en")
    with aiosmtpd(inbox, tls_context=server_tls(), auth_required=True), pytest.raises(AuthError):
        send_trial(
            settings(inbox.port, Security.STARTTLS, username=USER, ca_file=ca_file, recipients=PEOPLE),
            Secret("wrong"),
            "en",
        )
    assert inbox.taken == []
