"""A01 to A24 of the catalogue: signing in."""

import base64
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.core.mail import hostile as h
from tests.core.mail.catalogue.case import (
    Case,
    Ends,
    World,
    assert_nothing_left,
    assert_parked,
    assert_silent_about_secrets,
    forms,
    in_clear,
    numbered,
    offers,
    over_starttls,
    run,
)
from tests.core.mail.office import HOUR, MINUTE, Post
from tests.core.mail.wire import PASSWORD, STARTTLS, USER, settings, with_user
from vxtray.core.credentials import Account, MemoryStore, Secret, smtp_account
from vxtray.core.errors import KeyringLocked, KeyringMissing, SettingsInvalid, VxtrayError
from vxtray.core.mail import doctor
from vxtray.core.mail.auth import XOAuth2
from vxtray.core.mail.faults import AuthError, ConnectError, MessageRefused, ProtocolError, SenderRefused
from vxtray.core.mail.hold import Cause
from vxtray.core.mail.protocol import Reply
from vxtray.core.mail.smtp import Session
from vxtray.core.mail.transcript import Transcript
from vxtray.core.settings.tree import Auth, check_value

YES = b"235 2.7.0 welcome\r\n"
NO = b"535 5.7.8 no\r\n"
PROMPTS = (h.PROMPT_USER, h.PROMPT_PASSWORD)
LOGIN_ONLY = b"250-mail.test\r\n250 AUTH LOGIN\r\n"
_WRONG = "refused the user name or the password"


def b64(text: str) -> bytes:
    return base64.b64encode(text.encode())


def prompt(text: str) -> bytes:
    return b"334 " + b64(text) + b"\r\n"


def signed_in(*lines: bytes, ehlo: bytes = LOGIN_ONLY) -> Case:
    """These answers to AUTH and what follows lead to a mail."""
    return Case(serve=in_clear(EHLO=ehlo, AUTH=h.log_in(*lines)), ends=Ends.OK)


def refused(*answers: Any, says: str = "", advises: str = "", ehlo: bytes = LOGIN_ONLY, **changes: Any) -> Case:
    """Each AUTH gets one of these answers."""
    serve = in_clear(EHLO=ehlo, AUTH=list(answers))
    usual = Case(serve=serve, ends=Ends.PARK, fault=AuthError, says=says, advises=advises, stage="auth")
    return replace(usual, **changes)


def offering(line: bytes, says: str, advises: str, **changes: Any) -> Case:
    ehlo = b"250-mail.test\r\n250 " + line + b"\r\n"
    return replace(refused(says=says, advises=advises, ehlo=ehlo, ends=Ends.SEC), **changes)


def then_close(line: bytes) -> Callable[[h.Talk], None]:
    def answer(talk: h.Talk) -> None:
        talk.say(line)
        raise h.Gone

    return answer


def after_password(answer: h.Answer) -> Callable[[h.Talk], None]:
    """Ask for user name and password, then do this."""

    def exchange(talk: h.Talk) -> None:
        h.log_in(*PROMPTS, b"")(talk)
        answer(talk) if callable(answer) else talk.say(answer)

    return exchange


_IN_CLEAR = offers(before=b"250-mail.test\r\n250-AUTH LOGIN PLAIN\r\n250 STARTTLS\r\n", after=b"250 mail.test\r\n")
_SILENT_END: dict[str, Any] = {"ends": Ends.RETRY, "fault": ConnectError, "says": "broke off"}
_NOT_OURS = "offers only sign-ins that vxtray does not have"
_MICROSOFT = b"535 5.7.139 Authentication unsuccessful, basic authentication is disabled. [X.PROD.OUTLOOK.COM]\r\n"
_NO_BASIC = b"550 5.7.30 Basic authentication is not supported for Client Submission.\r\n"
_NO_PASSWORDS = "no longer accepts a password from programs"

CASES = [
    (
        "A01",
        Case(
            serve=over_starttls(EHLO=_IN_CLEAR),
            ends=Ends.SEC,
            fault=AuthError,
            says="offers no sign-in here, but a user name is set",
            stage="auth",
            security=STARTTLS,
        ),
    ),
    ("A02", signed_in(*PROMPTS, YES, ehlo=b"250-mail.test\r\n250-AUTH=LOGIN PLAIN\r\n250 AUTH LOGIN\r\n")),
    ("A02 old form only", signed_in(*PROMPTS, YES, ehlo=b"250-mail.test\r\n250 AUTH=LOGIN\r\n")),
    ("A03", signed_in(*PROMPTS, YES)),
    ("A04 NUL", signed_in(prompt("User Name\0"), prompt("Password\0"), YES)),
    ("A04 short", signed_in(prompt("Username"), prompt("Password"), YES)),
    ("A04 localized", signed_in(prompt("Benutzername:"), prompt("Kennwort:"), YES)),
    ("A04 empty", signed_in(b"334 \r\n", b"334\r\n", YES)),
    ("A04 not base64", signed_in(b"334 Who are you?\r\n", b"334 and prove it!\r\n", YES)),
    ("A04 a third", refused(h.log_in(*PROMPTS, prompt("Username:"), NO), says="keeps asking")),
    (
        "A05",
        refused(
            h.log_in(prompt("Password:"), b"501 5.7.0 cancelled\r\n"),
            says="asked for the password where the user name belongs; nothing was sent",
        ),
    ),
    ("A06 504", Case(serve=in_clear(AUTH=[b"504 5.5.4 no LOGIN\r\n", YES]), ends=Ends.OK)),
    ("A06 502", Case(serve=in_clear(AUTH=[b"502 5.5.1 no LOGIN\r\n", YES]), ends=Ends.OK)),
    ("A06 5.7.4", Case(serve=in_clear(AUTH=[b"535 5.7.4 no LOGIN\r\n", YES]), ends=Ends.OK)),
    ("A06 535", Case(serve=in_clear(AUTH=[after_password(NO), YES]), ends=Ends.OK)),
    ("A07", refused(after_password(NO), NO, ehlo=h.OFFERS, says=_WRONG, connections=2)),
    ("A08", refused(after_password(then_close(NO)), says=_WRONG, advises="Enter the password again")),
    ("A08 both", refused(then_close(NO), then_close(NO), ehlo=h.OFFERS, says=_WRONG)),
    ("A09", refused(after_password(h.close), **_SILENT_END)),
    (
        "A09 three times",
        refused(
            *[after_password(h.close)] * 3,
            says="ends the connection at each sign-in, without a word",
            advises="enter the password again",
            tries=3,
            connections=3,
        ),
    ),
    (
        "A10",
        refused(
            after_password(b"454 4.7.0 Temporary authentication failure\r\n"),
            ends=Ends.RETRY,
            says="cannot check sign-ins right now",
            advises="the password was not refused",
            wait=15 * MINUTE,
        ),
    ),
    ("A11 432", refused(b"432 4.7.12 A password transition is needed\r\n", says="change or renew the password first")),
    ("A11 534", refused(b"534 5.7.9 Application-specific password required\r\n", says="needs an app password")),
    ("A11 538", refused(b"538 5.7.11 Encryption required\r\n", says="wants an encrypted connection for the sign-in")),
    (
        "A12",
        Case(
            serve=in_clear(MAIL=b"530 5.7.0 Authentication required\r\n"),
            ends=Ends.PARK,
            fault=SenderRefused,
            says="wants a sign-in before it takes mail",
            advises="Set the user name and the password",
            stage="sender",
            signs_in=False,
        ),
    ),
    ("A13 535 5.7.139", refused(_MICROSOFT, says=_NO_PASSWORDS)),
    ("A13 550 5.7.30", refused(_NO_BASIC, says=_NO_PASSWORDS)),
    (
        "A13 at the end",
        Case(
            serve=in_clear(DATA=h.take_mail(_NO_BASIC)), ends=Ends.PARK, fault=MessageRefused, says=_NO_PASSWORDS
        ),
    ),
    ("A17", refused(h.log_in(*[prompt("User")] * 9), says="keeps asking during the sign-in")),
    (
        "A18",
        refused(
            after_password(YES + b"250 2.1.0 ok\r\n"),
            ends=Ends.RETRY,
            fault=ProtocolError,
            says="does not follow the rules of SMTP: it spoke out of turn",
            stage="sender",
        ),
    ),
    (
        "A19",
        refused(
            b"503 5.5.1 already authenticated\r\n",
            b"503 5.5.1 already authenticated\r\n",
            ehlo=h.OFFERS,
            says="takes no sign-in on this port",
        ),
    ),
    ("A20 GSSAPI, NTLM", offering(b"AUTH GSSAPI NTLM", f"{_NOT_OURS}: GSSAPI, NTLM.", "allow LOGIN or PLAIN")),
    ("A20 CRAM-MD5", offering(b"AUTH CRAM-MD5", f"{_NOT_OURS}: CRAM-MD5.", "allow LOGIN or PLAIN over TLS")),
    ("A20 SCRAM", offering(b"AUTH SCRAM-SHA-256", f"{_NOT_OURS}: SCRAM-SHA-256.", "allow LOGIN or PLAIN over TLS")),
    (
        "A21 NUL",
        Case(
            serve=in_clear(),
            ends=Ends.SEC,
            fault=AuthError,
            says="holds a character that cannot be sent",
            password="pass\0word",
        ),
    ),
    (
        "A22",
        Case(
            serve=in_clear(EHLO=b"250-mail.test\r\n250 AUTH XOAUTH2 LOGIN PLAIN\r\n"),
            ends=Ends.SEC,
            fault=AuthError,
            says="Nobody is signed in for reports@example.com",
            changes={"auth": Auth.OAUTH},
        ),
    ),
]  # fmt: skip


@numbered(CASES)
def test_sign_in(case: Case, world: World, post: Callable[..., Post], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="vxtray")
    _one, server = run(case, world, post)
    if case.ends is not Ends.OK:
        assert server.mail == b"" or case.fault is MessageRefused
    for form in forms(case.password):
        assert form.decode() not in caplog.text


@pytest.mark.parametrize("number", ["A02", "A03"])
def test_login_gives_user_and_password_when_asked(number: str, world: World, post: Callable[..., Post]) -> None:
    _one, server = run(dict(CASES)[number], world, post)
    dialogue = b"AUTH LOGIN\r\n" + b64(USER) + b"\r\n" + b64(PASSWORD) + b"\r\nMAIL FROM"
    assert dialogue in server.heard
    assert server.heard.count(b"AUTH") == 1


def test_a04_a_third_question_is_broken_off(world: World, post: Callable[..., Post]) -> None:
    _one, server = run(dict(CASES)["A04 a third"], world, post)
    assert b64(PASSWORD) + b"\r\n*\r\n" in server.heard


def test_a05_a_wrong_order_gets_nothing(world: World, post: Callable[..., Post]) -> None:
    _one, server = run(dict(CASES)["A05"], world, post)
    assert b"AUTH LOGIN\r\n*\r\n" in server.heard
    assert not [form for form in forms(PASSWORD) if form in server.heard]


@pytest.mark.parametrize(("number", "connections"), [("A06 504", 1), ("A06 502", 1), ("A06 5.7.4", 1), ("A06 535", 2)])
def test_the_next_mechanism(number: str, connections: int, world: World, post: Callable[..., Post]) -> None:
    _one, server = run(dict(CASES)[number], world, post)
    assert server.connections == connections
    assert (server.heard.count(b"AUTH LOGIN\r\n"), server.heard.count(b"AUTH PLAIN ")) == (1, 1)


def test_a06_what_worked_is_remembered_until_the_settings_change(world: World, post: Callable[..., Post]) -> None:
    answers: list[h.Answer] = [after_password(NO), YES, YES, after_password(NO), YES]
    with h.hostile(h.script(AUTH=answers)) as server:
        one = post(with_user(server.port))
        for key, logins, plains in (("a", 1, 1), ("b", 1, 2)):
            one.add(key)
            assert one.send() == [(key, "sent")]
            assert (server.heard.count(b"AUTH LOGIN\r\n"), server.heard.count(b"AUTH PLAIN ")) == (logins, plains)
        one.mended()
        one.add("c")
        assert one.send() == [("c", "sent")]
        assert (server.heard.count(b"AUTH LOGIN\r\n"), server.heard.count(b"AUTH PLAIN ")) == (2, 3)


def test_a06_what_no_longer_works_falls_back_once(world: World, post: Callable[..., Post]) -> None:
    """PLAIN worked, then the server drops it: LOGIN on the same connection, and no PLAIN after that."""
    answers: list[h.Answer] = [b"504 5.5.4 no\r\n", YES, b"504 5.5.4 no PLAIN\r\n", after_password(NO)]
    with h.hostile(h.script(AUTH=answers)) as server:
        one = post(with_user(server.port))
        one.add("a")
        assert one.send() == [("a", "sent")]
        one.add("b")
        assert one.send() == [("b", "queued")]
        assert (server.heard.count(b"AUTH LOGIN\r\n"), server.heard.count(b"AUTH PLAIN ")) == (2, 2)
        assert server.connections == 2
        assert _WRONG in str(one.fault)


def test_a07_a_wrong_password_is_never_tried_again_by_itself(world: World, post: Callable[..., Post]) -> None:
    with h.hostile(h.script(AUTH=[after_password(NO), NO])) as server:
        one = post(with_user(server.port))
        one.add("k", "l")
        assert_parked(one)
        for _ in range(100):
            one.clock.now += HOUR
            assert one.send() == []
        assert (server.connections, server.heard.count(b"AUTH")) == (2, 2)


def test_a07_a_proven_mechanism_that_is_refused_is_one_try(world: World, post: Callable[..., Post]) -> None:
    with h.hostile(h.script(AUTH=[after_password(NO), YES, NO])) as server:
        one = post(with_user(server.port))
        one.add("a")
        assert one.send() == [("a", "sent")]
        one.add("b")
        assert one.send() == [("b", "queued")]
        assert server.heard.count(b"AUTH") == 3
        assert isinstance(one.fault, AuthError)


def test_a13_the_way_out_is_told(world: World, post: Callable[..., Post]) -> None:
    for number in ("A13 535 5.7.139", "A13 550 5.7.30"):
        one, _server = run(dict(CASES)[number], world, post)
        assert isinstance(one.fault, AuthError)
        assert one.fault.sign_in


# --- XOAUTH2: the dialogue --------------------------------------------------------------------------------------------

TOKEN = "ya29." + "t" * 100
LONG = "eyJ0eXAi." + "t" * 1500
DENIED = json.dumps({"status": "401", "schemes": "bearer", "scope": "https://mail.google.com/"}).encode()


def response(token: str) -> bytes:
    return base64.b64encode(f"user={USER}\1auth=Bearer {token}\1\1".encode())


def with_token(server: h.Hostile, token: str = TOKEN) -> tuple[Reply, XOAuth2]:
    mechanism = XOAuth2(USER, Secret(token))
    with Session(settings(server.port), None) as session:
        return session.connection.authenticate(mechanism), mechanism


def test_a14_a_refused_token_is_not_sent_again() -> None:
    challenge = b"334 " + base64.b64encode(DENIED) + b"\r\n"
    with h.hostile(h.script(AUTH=h.log_in(challenge, NO))) as server:
        reply, mechanism = with_token(server)
        assert (reply.code, mechanism.status) == (535, "401")
        assert b"AUTH XOAUTH2 " + response(TOKEN) + b"\r\n\r\nQUIT" in server.heard
        assert server.heard.count(response(TOKEN)) == 1


@pytest.mark.parametrize(
    "challenge",
    [
        pytest.param(b"not base64 at all!", id="A15 not base64"),
        pytest.param(base64.b64encode(b"{not json"), id="A15 not JSON"),
        pytest.param(base64.b64encode(b"[" * 2000), id="A15 deep JSON"),
        pytest.param(base64.b64encode(b'{"status": ["400"]}'), id="A15 no text"),
        pytest.param(base64.b64encode(b"[1, 2]"), id="A15 no object"),
    ],
)
def test_unreadable_refusals(challenge: bytes) -> None:
    with h.hostile(h.script(AUTH=h.log_in(b"334 " + challenge + b"\r\n", NO))) as server:
        reply, mechanism = with_token(server)
        assert (reply.code, mechanism.status) == (535, "")
        assert b"\r\n\r\n" in server.heard


def test_a15_only_a_bounded_status_is_shown() -> None:
    said = json.dumps({"status": "<b>400</b>\x1b[31m" + "x" * 500, "error": "<script>"}).encode()
    with h.hostile(h.script(AUTH=h.log_in(b"334 " + base64.b64encode(said) + b"\r\n", NO))) as server:
        _reply, mechanism = with_token(server)
        assert len(mechanism.status) == 20
        assert mechanism.status.isprintable()


def test_a15_a_megabyte_ends_the_connection() -> None:
    flood = b"334 " + base64.b64encode(b'{"status": "' + b"4" * 2**20 + b'"}') + b"\r\n"
    with h.hostile(h.script(AUTH=h.log_in(flood, NO))) as server, pytest.raises(ProtocolError, match="too long"):
        with_token(server)


def test_a16_a_long_token_takes_two_steps() -> None:
    with h.hostile(h.script(AUTH=h.log_in(b"334 \r\n", YES))) as server:
        reply, _mechanism = with_token(server, LONG)
        assert reply.code == 235
        assert b"AUTH XOAUTH2\r\n" + response(LONG) + b"\r\n" in server.heard


@pytest.mark.parametrize("no", [b"500 5.5.2 what\r\n", b"501 5.5.4 initial response required\r\n"])
def test_a16_a_server_that_wants_one_step_gets_it_once(no: bytes) -> None:
    with h.hostile(h.script(AUTH=[no, YES])) as server:
        assert with_token(server, LONG)[0].code == 235
        assert b"AUTH XOAUTH2\r\nAUTH XOAUTH2 " + response(LONG) + b"\r\n" in server.heard
    with h.hostile(h.script(AUTH=[no, no])) as server:
        assert with_token(server, LONG)[0].code == int(no[:3])
        assert server.heard.count(b"AUTH XOAUTH2") == 2


def test_a17_no_end_of_challenges_to_a_token() -> None:
    with h.hostile(h.script(AUTH=h.log_in(*[b"334 \r\n"] * 9))) as server:
        with pytest.raises(AuthError, match="keeps asking"):
            with_token(server)
        assert b"\r\n*\r\n" in server.heard


# --- characters, keyrings, records -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", [b"LOGIN", b"PLAIN"])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("grüße@exämple.com", id="A21 umlauts"),
        pytest.param("\U0001f511\U0001f469‍\U0001f469", id="A21 emoji"),
        pytest.param(" two  blanks ", id="A21 blanks"),
        pytest.param("\"quoted\" 'and' \\ : % {x}", id="A21 quotes"),
        pytest.param("ä" * 1000, id="A21 long"),
    ],
)
def test_any_characters(text: str, mechanism: bytes, world: World, post: Callable[..., Post]) -> None:
    ehlo = b"250-mail.test\r\n250 AUTH " + mechanism + b"\r\n"
    plain = base64.b64encode(f"\0{text}\0{text}".encode())
    two_steps = mechanism == b"PLAIN" and len(plain) > 490
    dialogue = h.log_in(*PROMPTS, YES) if mechanism == b"LOGIN" else h.log_in(*[b"334 \r\n"] * two_steps, YES)
    case = Case(serve=in_clear(EHLO=ehlo, AUTH=dialogue), ends=Ends.OK, password=text, changes={"username": text})
    _one, server = run(case, world, post)
    expected = b64(text) + b"\r\n" + b64(text) if mechanism == b"LOGIN" else plain
    assert expected + b"\r\nMAIL" in server.heard


def test_a21_nul_is_refused_at_entry() -> None:
    with pytest.raises(SettingsInvalid):
        check_value("smtp.username", "user\0name")


def test_a22_no_password_in_place_of_a_token(world: World, post: Callable[..., Post]) -> None:
    """A password is stored, and nobody is signed in: the password does not take the token's place."""
    _one, server = run(dict(CASES)["A22"], world, post)
    assert_nothing_left(server)


class Closed(MemoryStore):
    """A keyring that gives nothing until it is opened."""

    def __init__(self, fault: VxtrayError) -> None:
        super().__init__()
        self.fault: VxtrayError | None = fault

    def get(self, account: Account) -> Secret | None:
        if self.fault is not None:
            raise self.fault
        return super().get(account)


@pytest.mark.parametrize(
    ("fault", "cause", "opens_within"),
    [
        pytest.param(KeyringLocked(), Cause.BLOCKED, MINUTE, id="A23 locked"),
        pytest.param(KeyringMissing(), Cause.ACCOUNT, 30 * MINUTE, id="A23 absent"),
    ],
)
def test_keyring(fault: VxtrayError, cause: Cause, opens_within: timedelta, post: Callable[..., Post]) -> None:
    with h.hostile(h.script()) as server:
        smtp = with_user(server.port)
        one, keyring = post(smtp), Closed(fault)
        keyring.set(smtp_account(smtp), Secret(PASSWORD))
        one.use(keyring)
        one.add("k")
        assert one.send() == [("k", "queued")]
        hold = one.outbox.hold()
        assert hold is not None
        assert (hold.cause, type(one.fault)) == (cause, type(fault))
        assert one.send() == []
        assert server.connections == 0
        keyring.fault = None
        one.clock.now += opens_within
        assert one.send() == [("k", "sent")]
        assert one.fault is None


@pytest.mark.parametrize("mechanism", [b"LOGIN", b"PLAIN"], ids=["A24 LOGIN", "A24 PLAIN"])
def test_nothing_of_a_sign_in_is_recorded(
    mechanism: bytes, post: Callable[..., Post], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ehlo = b"250-mail.test\r\n250 AUTH " + mechanism + b"\r\n"
    echo = b"535 5.7.8 no: " + b64(PASSWORD) + b" " + PASSWORD.encode() + b"\r\n"  # a server that repeats it
    lines = [*PROMPTS, echo] if mechanism == b"LOGIN" else [echo]
    transcript = Transcript()
    with h.hostile(h.script(EHLO=ehlo, AUTH=h.log_in(*lines))) as server:
        smtp = with_user(server.port)
        *_, failed = doctor.check(smtp, Secret(PASSWORD), transcript=transcript)
        one = post(smtp)
        one.add("k")
        one.send()
    assert f"> AUTH {mechanism.decode()}" in transcript.text()
    assert "(not recorded)" in transcript.text()
    assert_silent_about_secrets(one, PASSWORD)
    for form in forms(PASSWORD):
        assert form.decode() not in transcript.text() + caplog.text + repr(failed)
