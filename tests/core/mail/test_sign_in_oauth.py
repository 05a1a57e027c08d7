"""Signing in with an access token: the two mechanisms on the wire, one renewal and one retry, and whose fault it is."""

import base64
import json
import socket
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.core.mail import hostile as h
from tests.core.mail.wire import DATA, SENDER, TO, USER, assert_nothing_told, settings, with_user
from vxtray.core.credentials import Secret
from vxtray.core.errors import fill
from vxtray.core.mail.auth import OAuthBearer, Token, XOAuth2, choose
from vxtray.core.mail.doctor import check
from vxtray.core.mail.faults import AuthError, ConnectError, Kind, MailError, Stage
from vxtray.core.mail.protocol import Capabilities
from vxtray.core.mail.smtp import Session, send
from vxtray.core.settings.tree import Auth, OAuth, Smtp

OLD, NEW = "ya29.old-" + "o" * 60, "ya29.new-" + "n" * 60
LONG = "eyJ0eXAi." + "t" * 1500
YES, NO = b"235 2.7.0 welcome\r\n", b"535 5.7.8 no\r\n"
BOTH = b"250-mail.test\r\n250 AUTH LOGIN PLAIN XOAUTH2 OAUTHBEARER\r\n"


def denial(status: str = "401") -> bytes:
    said = json.dumps({"status": status, "schemes": "bearer", "scope": "https://mail.google.com/"})
    return b"334 " + base64.b64encode(said.encode()) + b"\r\n"


DENIED = denial()


def with_oauth(port: int, provider: str = "microsoft", **changes: Any) -> Smtp:
    oauth = OAuth(provider=provider, client_id="id")  # type: ignore[arg-type]  # one of them
    return msgspec.structs.replace(with_user(port), auth=Auth.OAUTH, oauth=oauth, **changes)


def x(token: str) -> bytes:
    return base64.b64encode(f"user={USER}\1auth=Bearer {token}\1\1".encode())


def bearer(token: str, port: int, user: str = USER) -> bytes:
    return base64.b64encode(f"n,a={user},\1host=127.0.0.1\1port={port}\1auth=Bearer {token}\1\1".encode())


class Renewing:
    """A token that can be renewed, and how often it was."""

    def __init__(self, *answers: str | MailError) -> None:
        self.answers = list(answers)
        self.refused: list[Secret] = []
        self.token = Token(Secret(OLD), self.renew)

    def renew(self, refused: Secret) -> Secret:
        self.refused.append(refused)
        answer = self.answers.pop(0)
        if isinstance(answer, MailError):
            raise answer
        return Secret(answer)


def failing(smtp: Smtp, token: Secret) -> MailError:
    with pytest.raises(MailError) as caught:
        send(smtp, token, SENDER, TO, DATA)
    fault = caught.value
    words = [str(fault), repr(fault), fault.reply, repr(fault.values), fill(fault.advice_id, fault.values)]
    for form in (OLD, NEW, x(OLD).decode(), x(NEW).decode()):
        assert not [text for text in words if form in text]
    assert "{" not in str(fault)
    assert "password" not in fault.advice_id
    return fault


# --- which mechanism -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "offered", "proven", "first"),
    [
        ("microsoft", ("LOGIN", "OAUTHBEARER", "XOAUTH2"), "", "XOAUTH2"),
        ("outlook", ("XOAUTH2", "OAUTHBEARER"), "", "XOAUTH2"),
        ("google", ("OAUTHBEARER", "XOAUTH2", "PLAIN"), "", "XOAUTH2"),
        ("custom", ("XOAUTH2", "OAUTHBEARER"), "", "OAUTHBEARER"),
        ("custom", ("XOAUTH2", "PLAIN"), "", "XOAUTH2"),
        ("microsoft", ("OAUTHBEARER",), "", "OAUTHBEARER"),
        ("custom", ("XOAUTH2", "OAUTHBEARER"), "XOAUTH2", "XOAUTH2"),
        ("google", ("XOAUTH2", "OAUTHBEARER"), "OAUTHBEARER", "OAUTHBEARER"),
    ],
)
def test_which_mechanism_begins(provider: str, offered: tuple[str, ...], proven: str, first: str) -> None:
    chosen = choose(Capabilities(auth=offered), with_oauth(25, provider), proven)
    assert chosen[0] == first
    assert set(chosen) == {"XOAUTH2", "OAUTHBEARER"} & set(offered), "a token is never sent as a password"


@pytest.mark.parametrize(
    ("offers", "words"), [(b"250 AUTH PLAIN LOGIN\r\n", "takes no sign-in by OAuth"), (b"250 x\r\n", "no sign-in here")]
)
def test_a_server_without_oauth_is_told_nothing(offers: bytes, words: str) -> None:
    with h.hostile(h.script(EHLO=b"250-mail.test\r\n" + offers)) as server:
        fault = failing(with_oauth(server.port), Renewing().token)
        assert isinstance(fault, AuthError)
        assert words in str(fault)
        assert_nothing_told(server)


# --- on the wire -----------------------------------------------------------------------------------------------------


def test_the_standard_names_server_and_port() -> None:
    with h.hostile(h.script(EHLO=BOTH, AUTH=YES)) as server:
        with Session(with_oauth(server.port, "custom"), Renewing().token) as session:
            assert session.mechanism == "OAUTHBEARER"
        assert b"AUTH OAUTHBEARER " + bearer(OLD, server.port) + b"\r\nQUIT" in server.heard


def test_signs_of_the_header_are_escaped_in_the_user_name() -> None:
    response = OAuthBearer("a=b,c@example.com", Secret("t"), "mail.example.com", 587).initial
    assert response == b"n,a=a=3Db=2Cc@example.com,\1host=mail.example.com\1port=587\1auth=Bearer t\1\1"


def test_a_refusal_of_the_standard_is_answered_with_one_byte() -> None:
    with h.hostile(h.script(EHLO=BOTH, AUTH=h.log_in(DENIED, NO))) as server:
        fault = failing(with_oauth(server.port, "custom"), Secret(OLD))
        assert fault.reply == "535 5.7.8 no"
        assert bearer(OLD, server.port) + b"\r\nAQ==\r\n" in server.heard


def test_a_long_token_waits_for_the_challenge() -> None:
    for mechanism in (XOAuth2(USER, Secret(LONG)), OAuthBearer(USER, Secret(LONG), "mail.test", 25)):
        with h.hostile(h.script(AUTH=h.log_in(b"334 \r\n", YES))) as server:
            with Session(settings(server.port), None) as session:
                assert session.connection.authenticate(mechanism).code == 235
            assert mechanism.initial is not None
            wanted = f"AUTH {mechanism.name}\r\n".encode() + base64.b64encode(mechanism.initial) + b"\r\nQUIT"
            assert wanted in server.heard


@pytest.mark.parametrize("no", [b"504 5.7.4 x", b"535 5.7.4 x", b"503 5.5.1 x"])
def test_a_mechanism_that_is_not_done_after_all(no: bytes) -> None:
    with h.hostile(h.script(EHLO=BOTH, AUTH=[no + b"\r\n", YES])) as server:
        renewing = Renewing()
        send(with_oauth(server.port), renewing.token, SENDER, TO, DATA)
        assert b"AUTH XOAUTH2 " + x(OLD) in server.heard
        assert b"AUTH OAUTHBEARER " + bearer(OLD, server.port) in server.heard
        assert renewing.refused == []
        assert server.connections == 1


# --- one renewal, one retry ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "connections"),
    [
        pytest.param([h.log_in(DENIED, NO), YES], 1, id="challenge and reply"),
        pytest.param([NO, YES], 1, id="reply alone"),
        pytest.param([h.log_in(denial("invalid_token"), b"535 5.7.3 unsuccessful\r\n"), YES], 1, id="535 5.7.3"),
        pytest.param([lambda talk: (h.log_in(DENIED, NO)(talk), h.close(talk)), YES], 2, id="and leaves"),
        pytest.param([h.log_in(DENIED, b"421 4.7.0 bye\r\n"), YES], 2, id="421"),
        pytest.param([lambda talk: (h.log_in(DENIED, b"")(talk), h.close(talk)), YES], 2, id="leaves without a word"),
    ],
)  # fmt: skip
def test_a_refused_token_is_renewed_once(answers: list[Any], connections: int) -> None:
    with h.hostile(h.script(EHLO=BOTH, AUTH=answers)) as server:
        renewing = Renewing(NEW)
        send(with_oauth(server.port, timeout_seconds=2), renewing.token, SENDER, TO, DATA)
        assert renewing.refused == [Secret(OLD)]
        assert server.heard.count(x(OLD)) == 1
        assert server.heard.count(x(NEW)) == 1
        assert server.connections == connections
        assert b"hello" in server.mail


@pytest.mark.parametrize("answer", [h.log_in(DENIED, NO), NO, b"535 5.7.3 Authentication unsuccessful\r\n"])
def test_a_second_refusal_needs_a_person(answer: Any) -> None:
    with h.hostile(h.script(EHLO=BOTH, AUTH=[answer, answer])) as server:
        renewing = Renewing(NEW)
        fault = failing(with_oauth(server.port), renewing.token)
        assert isinstance(fault, AuthError)
        assert (fault.kind, fault.sign_in) == (Kind.ACCOUNT, True)
        assert str(fault) == f"127.0.0.1 refused the sign-in of {USER}, even after it was renewed."
        assert "sign in again" in fault.advice_id.casefold()
        assert len(renewing.refused) == 1
        assert server.heard.count(b"AUTH XOAUTH2") == 2
        assert b"MAIL" not in server.heard


def test_a_server_that_always_hangs_up_on_a_token_needs_a_person() -> None:
    leaves = lambda talk: (h.log_in(DENIED, b"")(talk), h.close(talk))  # noqa: E731 - as above
    with h.hostile(h.script(EHLO=BOTH, AUTH=[leaves, leaves])) as server:
        fault = failing(with_oauth(server.port), Renewing(NEW).token)
        assert (fault.step, fault.kind, fault.transient) == (Stage.AUTH, Kind.ACCOUNT, False)
        assert server.connections == 2


@pytest.mark.parametrize(
    ("kind", "transient"), [(Kind.ACCOUNT, False), (Kind.TEMPORARY, True)], ids=["sign in again", "not reachable"]
)
def test_what_the_provider_says_to_the_renewal_is_told(kind: Kind, transient: bool) -> None:
    said = AuthError(
        "The sign-in of {username} has ended.", "Sign in again.", step=Stage.AUTH, kind=kind, username="a@b"
    )
    with h.hostile(h.script(EHLO=BOTH, AUTH=h.log_in(DENIED, NO))) as server:
        fault = failing(with_oauth(server.port), Renewing(said).token)
        assert fault is said
        assert fault.transient is transient
        assert server.heard.count(b"AUTH XOAUTH2") == 1


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            b"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.\r\n",
            Kind.ADMIN,
            "your sign-in is right",
        ),
        (
            b"535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated\r\n",
            Kind.ADMIN,
            "policy",
        ),
        (b"454 4.7.0 Too many login attempts, please try again later.\r\n", Kind.TEMPORARY, "wait before the next"),
        (b"454 4.7.0 Temporary authentication failure\r\n", Kind.TEMPORARY, "cannot check sign-ins"),
        (h.log_in(denial("insufficient_scope"), NO), Kind.ACCOUNT, "does not include the right to send"),
        (h.log_in(denial("403"), NO), Kind.ACCOUNT, "does not include the right to send"),
    ],
)
def test_what_a_new_token_does_not_mend_is_not_renewed(answer: Any, kind: Kind, words: str) -> None:
    with h.hostile(h.script(EHLO=BOTH, AUTH=answer)) as server:
        renewing = Renewing()
        fault = failing(with_oauth(server.port), renewing.token)
        assert fault.kind is kind
        assert words in str(fault)
        assert renewing.refused == []
        assert server.heard.count(b"AUTH XOAUTH2") == 1


def test_a_token_that_breaks_the_line_never_leaves() -> None:
    for token in ("a\1auth=Bearer b", "a\0b", "a\udcff"):
        with h.hostile(h.script(EHLO=BOTH)) as server:
            fault = failing(with_oauth(server.port), Token(Secret(token), Secret))
            assert "cannot be sent" in str(fault)
            assert_nothing_told(server)


def test_a_user_name_is_needed() -> None:
    with h.hostile(h.script(EHLO=BOTH)) as server:
        fault = failing(with_oauth(server.port, username=""), Secret(OLD))
        assert "Nobody is signed in yet" in str(fault)
        assert b"MAIL" not in server.heard, "without the sign-in nothing is sent"


def test_a_token_never_in_clear_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    from vxtray.core.mail.transport import Stream

    honest: Callable[[Stream, socket.socket], None] = Stream.__init__

    def elsewhere(self: Stream, sock: socket.socket) -> None:
        honest(self, sock)
        self.peer_ip = "192.0.2.1"  # cannot be had on loopback: only the address is made up

    with h.hostile(h.script(EHLO=BOTH)) as server:
        monkeypatch.setattr(Stream, "__init__", elsewhere)
        fault = failing(with_oauth(server.port), Renewing().token)
        assert "unprotected" in str(fault)
        assert_nothing_told(server)


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "said", "words", "asks"),
    [
        ("MAIL", b"554 5.2.252 SendAsDenied; a@x not allowed to send as b@x\r\n", "may not send", True),
        ("MAIL", b"530 5.7.57 Client not authenticated to send mail\r\n", "wants a sign-in", False),
        ("MAIL", b"550 5.7.60 SMTP; Client does not have permissions to send as this sender\r\n", "may not send", True),
    ],
)  # fmt: skip
def test_refusals_after_the_sign_in(verb: str, said: bytes, words: str, asks: bool) -> None:
    with h.hostile(h.script(EHLO=BOTH, AUTH=YES, **{verb: said})) as server:
        fault = failing(with_oauth(server.port), Renewing().token)
        assert words in str(fault)
        assert bool(fault.asks) is asks
        assert fault.reply.startswith(said[:7].decode())


def test_the_check_tells_who_is_missing_at_the_sign_in() -> None:
    missing = AuthError("The sign-in has ended.", "Sign in again.", step=Stage.AUTH, kind=Kind.ACCOUNT)
    with h.hostile(h.script(EHLO=BOTH)) as server:
        steps = list(check(with_oauth(server.port), missing))
        assert [str(step.name) for step in steps] == ["resolve", "connect", "greeting", "ehlo", "auth"]
        assert steps[-1].detail.text == "The sign-in has ended."
        assert b"AUTH" not in server.heard


def test_the_check_renews_too() -> None:
    with h.hostile(h.script(EHLO=BOTH, AUTH=[h.log_in(DENIED, NO), YES])) as server:
        steps = list(check(with_oauth(server.port), Renewing(NEW).token))
        assert all(step.ok for step in steps)
        assert steps[4].detail.values["mechanism"] == "XOAUTH2"
        assert steps[4].facts[0].text.startswith("{mechanism} was taken; the server offers")


def test_a_provider_that_is_away_is_no_account_trouble() -> None:
    away = ConnectError("It cannot be reached.", step=Stage.AUTH, kind=Kind.TEMPORARY)
    with h.hostile(h.script(EHLO=BOTH, AUTH=NO)) as server:
        assert failing(with_oauth(server.port), Renewing(away).token).transient
