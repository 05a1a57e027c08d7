"""Signing in: which mechanism, how often, and that the password never goes where it should not."""

import base64
import socket
from typing import Any

import pytest

from tests.core.mail import hostile as h
from tests.core.mail.wire import (
    DATA,
    PASSWORD,
    SENDER,
    TO,
    USER,
    assert_nothing_told,
    failing,
    settings,
    with_user,
)
from vxtray.core.credentials import Secret
from vxtray.core.mail.faults import (
    AuthError,
    Kind,
    Stage,
)
from vxtray.core.mail.smtp import Session, send
from vxtray.core.settings.tree import Auth


def test_positions_decide_whatever_the_prompts(secret: Secret) -> None:
    for prompts in (
        (b"334 VXNlciBOYW1lAA==\r\n", b"334 UGFzc3dvcmQA\r\n"),
        (b"334 \r\n", b"334\r\n"),
        (b"334 Benutzer?!\r\n", b"334 not base64\r\n"),
        (b"334 VXNlcm5hbWUgYW5kIHBhc3N3b3Jk\r\n", b"334 VXNlcm5hbWU6\r\n"),
    ):
        with h.hostile(h.script(AUTH=h.log_in(*prompts, b"235 yes\r\n"))) as server:
            send(with_user(server.port), secret, SENDER, TO, DATA)
            b64 = base64.b64encode
            assert b64(USER.encode()) + b"\r\n" + b64(PASSWORD.encode()) + b"\r\nMAIL" in server.heard


@pytest.mark.parametrize("prompt", ["Password:", "Mot de passe :", "Kennwort"])
def test_password_prompt_first_gets_nothing(prompt: str, secret: Secret) -> None:
    line = b"334 " + base64.b64encode(prompt.encode()) + b"\r\n"
    with h.hostile(h.script(AUTH=h.log_in(line, b"501 cancelled\r\n"))) as server:
        fault = failing(with_user(server.port), secret)
        assert isinstance(fault, AuthError)
        assert b"AUTH LOGIN\r\n*\r\n" in server.heard
        assert base64.b64encode(PASSWORD.encode()) not in server.heard


@pytest.mark.parametrize("no", [b"500 x", b"502 x", b"503 5.5.1 x", b"504 5.5.4 x", b"535 5.7.4 x"])
def test_next_mechanism_on_the_same_connection(no: bytes, secret: Secret) -> None:
    with h.hostile(h.script(AUTH=[no + b"\r\n", b"235 yes\r\n"])) as server:
        send(with_user(server.port), secret, SENDER, TO, DATA)
        token = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
        assert server.connections == 1
        assert b"AUTH LOGIN\r\nAUTH PLAIN " + token + b"\r\n" in server.heard


@pytest.mark.parametrize(
    ("answers", "connections", "words", "kind"),
    [
        ([b"535 5.7.8 first\r\n", b"535 5.7.8 second\r\n"], 2, "535 5.7.8 first", Kind.ACCOUNT),
        ([b"504 5.5.4 x\r\n", b"535 5.7.8 second\r\n"], 1, "535 5.7.8 second", Kind.ACCOUNT),
        ([b"504 5.5.4 x\r\n", b"504 5.5.4 y\r\n"], 1, "504 5.5.4 y", Kind.ADMIN),
        ([b"535 5.7.8 first\r\n", h.close], 2, "535 5.7.8 first", Kind.ACCOUNT),
        ([h.log_in(b"535 5.7.8 first\r\n"), h.hang], 2, "535 5.7.8 first", Kind.ACCOUNT),
        ([lambda talk: (talk.say(b"535 5.7.8 bye\r\n"), h.close(talk)), h.close], 2, "535 5.7.8 bye", Kind.ACCOUNT),
        ([b"454 4.7.0 later\r\n"], 1, "454 4.7.0 later", Kind.TEMPORARY),
        ([b"421 4.3.2 closing\r\n"], 1, "421 4.3.2 closing", Kind.TEMPORARY),
        ([b"534 5.7.9 Application-specific password required\r\n"], 1, "534 5.7.9", Kind.ACCOUNT),
        ([b"250 nonsense\r\n"], 1, "250 nonsense", Kind.TEMPORARY),
        ([h.close], 1, "", Kind.TEMPORARY),
    ],
)
def test_refusals(answers: list[Any], connections: int, words: str, kind: Kind, secret: Secret) -> None:
    with h.hostile(h.script(AUTH=answers)) as server:
        fault = failing(with_user(server.port, timeout_seconds=1), secret)
        assert fault.step is Stage.AUTH
        assert fault.reply.startswith(words)
        assert fault.kind is kind
        assert server.connections == connections
        assert server.heard.count(b"AUTH") == len(answers)
        assert b"MAIL" not in server.heard


def test_endless_challenges(secret: Secret) -> None:
    with h.hostile(h.script(AUTH=h.log_in(*[b"334 VXNlcg==\r\n"] * 9))) as server:
        fault = failing(with_user(server.port), secret)
        assert "keeps asking" in str(fault)
        assert server.heard.count(b"\r\n*\r\n") == 1


class Patient:
    """A mechanism that never tires of answering."""

    name = "PATIENT"
    initial = b""

    def respond(self, challenge: bytes) -> bytes:
        return challenge


def test_no_mechanism_answers_more_than_three_challenges() -> None:
    with h.hostile(h.script(AUTH=h.log_in(*[b"334 eHk=\r\n"] * 9))) as server:
        with Session(settings(server.port), None) as session, pytest.raises(AuthError, match="keeps asking"):
            session.connection.authenticate(Patient())
        assert server.heard.count(b"eHk=\r\n") == 3
        assert b"AUTH PATIENT =\r\n" in server.heard


def test_long_credentials_take_the_two_step_form() -> None:
    long = Secret("ä" * 1000)
    offers = b"250-x\r\n250 AUTH=PLAIN\r\n"
    with h.hostile(h.script(EHLO=offers, AUTH=h.log_in(b"334 \r\n", b"235 yes\r\n"))) as server:
        send(with_user(server.port), long, SENDER, TO, DATA)
        assert b"AUTH PLAIN\r\n" in server.heard


@pytest.mark.parametrize(
    ("changes", "password", "words"),
    [
        ({}, None, "No password is stored"),
        ({}, "", "No password is stored"),
        ({}, "a\0b", "cannot be sent"),
        ({}, "a\udcffb", "cannot be sent"),
        ({"auth": Auth.OAUTH}, None, "Nobody is signed in for reports@example.com"),
        ({"auth": Auth.OAUTH}, "ya29.broken\1auth=Bearer", "cannot be sent"),
        ({"auth": Auth.OAUTH}, "ya29.of-this-test", "takes no sign-in by OAuth; it offers LOGIN, PLAIN"),
    ],
)
def test_sign_ins_that_never_begin(changes: dict[str, Any], password: str | None, words: str) -> None:
    with h.hostile(h.script()) as server:
        fault = failing(with_user(server.port, **changes), None if password is None else Secret(password))
        assert isinstance(fault, AuthError)
        assert words in str(fault)
        assert b"AUTH" not in server.heard


def test_no_auth_offered(secret: Secret) -> None:
    with h.hostile(h.script(EHLO=b"250 mail.test\r\n")) as server:
        fault = failing(with_user(server.port), secret)
    assert isinstance(fault, AuthError)
    assert "offers no sign-in" in str(fault)


def test_password_never_in_clear_to_another_machine(secret: Secret, monkeypatch: pytest.MonkeyPatch) -> None:
    from vxtray.core.mail.transport import Stream

    with h.hostile(h.script()) as server:
        # A peer elsewhere cannot be had on loopback: only its address is made up.
        honest = Stream.__init__

        def elsewhere(self: Stream, sock: socket.socket) -> None:
            honest(self, sock)
            self.peer_ip = "192.0.2.1"

        monkeypatch.setattr(Stream, "__init__", elsewhere)
        fault = failing(with_user(server.port), secret)
        assert isinstance(fault, AuthError)
        assert "unprotected" in str(fault)
        assert_nothing_told(server)
