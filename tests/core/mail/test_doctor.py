"""The staged check: which steps, in which order, what they tell, and that no mail is sent."""

import base64
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.core.mail import hostile as h
from tests.core.mail.wire import PASSWORD, USER, Inbox, aiosmtpd, settings
from vxtray.core.credentials import Secret
from vxtray.core.errors import KeyringMissing, NotConfigured
from vxtray.core.mail import doctor, reaching
from vxtray.core.mail.doctor import Step, check
from vxtray.core.mail.transcript import Transcript
from vxtray.core.mail.transport import Cutoff
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


# --- what helps where something is wrong -----------------------------------------------------------------------------


def test_a_certificate_that_is_not_believed_is_shown(server_tls: Any) -> None:
    with aiosmtpd(Inbox(), tls_context=server_tls(), require_starttls=True) as inbox:
        *_, failed = check(settings(inbox.port, Security.STARTTLS), None)
    assert (failed.name, failed.ok) == ("tls", False)
    own = failed.chain[0]
    assert own.names == ("localhost", "127.0.0.1")
    assert own.pem.startswith("-----BEGIN CERTIFICATE-----")
    first = failed.facts[0].in_language("en")
    assert first.startswith("Certificate 1: localhost, 127.0.0.1, issued by ")
    assert own.sha256 in first
    assert inbox.taken == []


def test_the_shown_certificate_can_be_trusted_by_itself(server_tls: Any, tmp_path: Path) -> None:
    """Saved as the CA file, exactly this certificate is believed, and no other one of the same authority."""
    with aiosmtpd(Inbox(), tls_context=server_tls(), require_starttls=True) as inbox:
        *_, failed = check(settings(inbox.port, Security.STARTTLS), None)
        pinned = tmp_path / "pinned.pem"
        pinned.write_text(failed.chain[0].pem)
        steps = list(check(settings(inbox.port, Security.STARTTLS, ca_file=str(pinned)), None))
        assert all(step.ok for step in steps)
    with aiosmtpd(Inbox(), tls_context=server_tls(), require_starttls=True) as other:
        *_, failed = check(settings(other.port, Security.STARTTLS, ca_file=str(pinned)), None)
    assert (failed.name, failed.ok) == ("tls", False)


def test_a_wrong_name_leads_to_the_right_one(server_tls: Any, ca_file: str) -> None:
    with aiosmtpd(Inbox(), tls_context=server_tls("localhost"), require_starttls=True) as inbox:
        *_, failed = check(settings(inbox.port, Security.STARTTLS, ca_file=ca_file), None)
    assert failed.name == "tls"
    (remedy,) = failed.remedies
    assert remedy.changes == {"host": "localhost"}
    assert remedy.words.in_language("en") == "Use the server name localhost"


def test_another_port_that_answers_is_named(
    server_tls: Any, ca_file: str, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with aiosmtpd(Inbox(), tls_context=server_tls(), require_starttls=True) as inbox:
        ways = ((inbox.port, Security.STARTTLS), (inbox.port, Security.TLS), (free_port, Security.TLS))
        monkeypatch.setattr(reaching, "WAYS", ways)
        *_, refused = check(settings(free_port, Security.TLS, ca_file=ca_file), None)
        *_, mixed_up = check(settings(inbox.port, Security.TLS, ca_file=ca_file), None)
    assert refused.name == "connect"
    assert [remedy.changes for remedy in refused.remedies] == [{"port": inbox.port, "security": Security.STARTTLS}]
    assert mixed_up.name == "tls"
    assert [remedy.changes for remedy in mixed_up.remedies] == [{"port": inbox.port, "security": Security.STARTTLS}]
    assert mixed_up.remedies[0].words.in_language("en") == f"Use port {inbox.port} with STARTTLS"


def test_what_is_offered_before_and_after_the_encryption(server_tls: Any, ca_file: str, secret: Secret) -> None:
    with aiosmtpd(Inbox(), tls_context=server_tls(), require_starttls=True, auth_required=True) as inbox:
        smtp = settings(inbox.port, Security.STARTTLS, username=USER, ca_file=ca_file)
        steps = {step.name: step for step in check(smtp, secret)}
    assert "STARTTLS" in steps["ehlo"].facts[0].in_language("en")
    assert "AUTH" not in steps["ehlo"].facts[0].in_language("en")
    assert (
        steps["auth"].facts[0].in_language("en") == "LOGIN is tried first, then PLAIN; the server offers LOGIN, PLAIN."
    )


def test_why_another_mechanism_was_taken(secret: Secret) -> None:
    script = h.script(EHLO=b"250-x\r\n250 AUTH LOGIN PLAIN\r\n", AUTH=[b"504 5.5.4 no\r\n", b"235 2.7.0 ok\r\n"])
    with h.hostile(script) as server:
        steps = {step.name: step for step in check(settings(server.port, username=USER), secret)}
    assert steps["auth"].detail.in_language("en") == f"Signed in as {USER} with PLAIN."
    assert steps["auth"].facts[0].in_language("en").startswith("PLAIN was taken because the server refused LOGIN;")


def test_each_recipient_has_its_line() -> None:
    with h.hostile(h.script(RCPT=[b"250 ok\r\n", b"550 5.1.1 who\r\n"])) as server:
        smtp = settings(server.port, recipients=("a@example.org", "b@example.org"))
        *_, failed = check(smtp, None)
    said = [fact.in_language("en") for fact in failed.facts]
    assert said[0] == "a@example.org: accepted."
    assert said[1].startswith("b@example.org: ")
    assert "550 5.1.1 who" in said[1]


@pytest.mark.parametrize("echo", [b"%b", b"base64"])
def test_the_transcript_holds_everything_but_the_sign_in(echo: bytes, secret: Secret) -> None:
    plain = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
    word = PASSWORD.encode() if echo == b"%b" else plain
    script = h.script(EHLO=b"250-x\r\n250 AUTH PLAIN\r\n", AUTH=b"535 5.7.8 not " + word + b"\r\n")
    transcript = Transcript()
    with h.hostile(script) as server:
        steps = list(check(settings(server.port, username=USER), secret, transcript=transcript))
    text = transcript.text()
    for line in ("> EHLO [127.0.0.1]", "< 250 AUTH PLAIN", "> AUTH PLAIN (not recorded)", "< 535 5.7.8 not ***"):
        assert line in text
    for hidden in (PASSWORD, plain.decode(), base64.b64encode(PASSWORD.encode()).decode()):
        assert hidden not in text + repr(steps)


def test_a_server_that_hangs_costs_no_more_than_the_check_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_OVERALL", 1.0)
    with h.hostile(h.script(EHLO=h.hang)) as server:
        began = time.monotonic()
        *_, failed = check(settings(server.port, timeout_seconds=30), None)
        assert time.monotonic() - began < 3
    assert (failed.name, failed.detail.in_language("en")) == ("ehlo", "127.0.0.1 took too long to answer.")


def test_a_check_is_cut_off_within_a_second() -> None:
    cutoff = Cutoff()
    with h.hostile(h.script(EHLO=h.hang)) as server:
        timer = threading.Timer(0.2, cutoff.cut)
        timer.start()
        began = time.monotonic()
        steps = list(check(settings(server.port), None, cutoff=cutoff))
        assert time.monotonic() - began < 1.2
        timer.join()
    assert not steps[-1].ok
