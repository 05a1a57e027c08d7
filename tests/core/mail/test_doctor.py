"""The staged check: which steps, in which order, what they tell, and that no mail is sent."""

from typing import Any

import pytest

from tests.core.mail import hostile as h
from tests.core.mail.wire import PASSWORD, USER, Inbox, aiosmtpd, settings
from vxtray.core.credentials import Secret
from vxtray.core.errors import KeyringMissing, NotConfigured
from vxtray.core.mail.doctor import Step, check
from vxtray.core.settings.tree import Security, Smtp


def names(steps: list[Step]) -> list[str]:
    return [step.name for step in steps]


def test_starttls(server_tls: Any, ca_file: str, secret: Secret) -> None:
    with aiosmtpd(Inbox(), tls_context=server_tls(), require_starttls=True, auth_required=True) as inbox:
        smtp = settings(inbox.port, Security.STARTTLS, username=USER, ca_file=ca_file)
        steps = list(check(smtp, secret))
    assert names(steps) == ["resolve", "connect", "greeting", "tls", "ehlo", "auth", "sender", "recipients"]
    assert all(step.ok and step.ms >= 0 and step.title.text for step in steps)
    said = {step.name: step.detail.in_language("en") for step in steps}
    assert said["resolve"] == "Addresses: 127.0.0.1."
    assert said["connect"] == f"Connected to 127.0.0.1, port {inbox.port}."
    assert said["tls"].startswith("TLSv1.3, TLS_AES_")
    assert "localhost, 127.0.0.1" in said["tls"]
    assert "valid until 3000-01-01" in said["tls"]
    assert said["ehlo"].startswith("It offers: AUTH LOGIN PLAIN")
    assert said["auth"] == f"Signed in as {USER} with LOGIN."
    assert said["sender"] == "reports@example.com may send."
    assert said["recipients"] == "Accepted: a@example.org."
    assert steps[2].reply.startswith("220 mail.example.com")
    assert inbox.taken == []
    assert PASSWORD not in repr(steps)


def test_implicit_tls_comes_before_the_greeting(server_tls: Any, ca_file: str) -> None:
    with aiosmtpd(Inbox(), ssl_context=server_tls()) as inbox:
        steps = list(check(settings(inbox.port, Security.TLS, ca_file=ca_file), None, ["x@example.org"]))
    assert names(steps) == ["resolve", "connect", "tls", "greeting", "ehlo", "auth", "sender", "recipients"]
    assert steps[-1].detail.values == {"addresses": "x@example.org"}
    assert steps[5].detail.text == "No sign-in is set up."


def test_nothing_is_sent() -> None:
    with h.hostile(h.script()) as server:
        steps = list(check(settings(server.port), None))
        assert names(steps) == ["resolve", "connect", "greeting", "ehlo", "auth", "sender", "recipients"]
        assert server.heard.endswith(b"RSET\r\nQUIT\r\n")
        assert b"DATA" not in server.heard


@pytest.mark.parametrize(
    ("answers", "last", "words"),
    [
        ({"greeting": b"554 no\r\n"}, "greeting", "turns connections away"),
        ({"EHLO": h.close}, "ehlo", "broke off"),
        ({"AUTH": b"535 5.7.8 wrong\r\n"}, "auth", "user name or the password"),
        ({"MAIL": b"553 not yours\r\n"}, "sender", "sender address"),
        ({"RCPT": [b"250 ok\r\n", b"550 5.1.1 who\r\n"]}, "recipients", "Refused: b@example.org."),
        ({"RCPT": h.close}, "recipients", "broke off"),
    ],
)
def test_stops_at_the_first_failure(answers: Any, last: str, words: str, secret: Secret) -> None:
    with h.hostile(h.script(**answers)) as server:
        smtp = settings(server.port, username=USER, recipients=("a@example.org", "b@example.org"))
        *before, failed = check(smtp, secret)
    assert all(step.ok for step in before)
    assert (failed.ok, failed.name) == (False, last)
    assert words in failed.detail.in_language("en")
    assert failed.advice.in_language("en")
    assert PASSWORD not in repr(failed)


def test_starttls_missing_and_ehlo_refused() -> None:
    with h.hostile(h.script()) as server:
        steps = list(check(settings(server.port, Security.STARTTLS), None))
    assert names(steps) == ["resolve", "connect", "greeting", "tls"]
    assert "does not offer STARTTLS" in steps[-1].detail.in_language("en")
    with h.hostile(h.script(EHLO=b"550 5.7.1 go away\r\n")) as server:
        steps = list(check(settings(server.port, Security.STARTTLS), None))
    assert names(steps) == ["resolve", "connect", "greeting", "ehlo"]
    assert steps[-1].reply == "550 5.7.1 go away"


def test_early_steps(free_port: int) -> None:
    assert names(list(check(settings(25, host="something.invalid"), None))) == ["resolve"]
    assert names(list(check(settings(free_port), None))) == ["resolve", "connect"]


def test_settings_that_are_missing() -> None:
    with pytest.raises(NotConfigured):
        list(check(Smtp(), None))
    with h.hostile(h.script()) as server:
        steps = list(check(settings(server.port, from_address=""), None))
        assert (steps[-1].name, steps[-1].ok) == ("sender", False)
        steps = list(check(settings(server.port, recipients=()), None))
        assert (steps[-1].name, steps[-1].ok) == ("recipients", False)


def test_giving_up_early_closes_the_connection() -> None:
    with h.hostile(h.script()) as server:
        steps = check(settings(server.port), None)
        for _ in range(4):
            next(steps)
        steps.close()  # type: ignore[attr-defined]  # a generator
        assert server.heard.endswith(b"QUIT\r\n")


def test_without_the_keyring_the_steps_before_the_sign_in_still_run() -> None:
    with h.hostile(h.script()) as server:
        steps = list(check(settings(server.port, username=USER), KeyringMissing()))
    assert names(steps) == ["resolve", "connect", "greeting", "ehlo", "auth"]
    assert [step.ok for step in steps] == [True] * 4 + [False]
    assert "no usable keyring" in steps[-1].detail.in_language("en")
    assert steps[-1].advice.text
    assert b"AUTH" not in server.heard
