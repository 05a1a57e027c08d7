"""The table of replies: what real servers say, and what a person is told."""

import string
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.quick import assert_quick
from vxtray.core.mail.faults import (
    AuthError,
    Kind,
    MailError,
    MessageRefused,
    ProtocolError,
    Scope,
    SenderRefused,
    Stage,
)
from vxtray.core.mail.protocol import Reply, ReplyParser
from vxtray.core.mail.replies import (
    TABLE,
    Explanation,
    causes,
    deciding_row,
    explain,
    fault_of,
    result_of,
    signed_in,
    words_of,
)
from vxtray.core.mail.replies.waits import LONGEST, named_wait

_RECORDED = Path(__file__).with_name("recorded_replies.txt")


def recorded() -> list[tuple[Stage, Kind, Scope, timedelta | None, str, str]]:
    """Return the rows of the file: stage, kind, scope, wait, title, reply as it comes over the wire."""
    rows = []
    for line in _RECORDED.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            stage, kind, scope, wait, title, said = line.split(" | ", 5)
            seconds = None if wait == "-" else timedelta(seconds=int(wait.removesuffix(" s")))
            rows.append((Stage(stage), Kind(kind), Scope(scope), seconds, title, said.replace("\\n", "\r\n")))
    return rows


RECORDED = recorded()


def reply_of(said: str) -> Reply:
    """Return the reply as the connection would hand it on."""
    parser = ReplyParser()
    parser.feed(said.encode() + b"\r\n")
    reply = parser.next_reply()
    assert reply is not None
    assert not parser.pending
    return reply


def meaning(said: str, stage: Stage) -> Explanation:
    """Return what a reply means."""
    reply = reply_of(said)
    return explain(reply.code, reply.enhanced, reply.words, stage)


@pytest.mark.parametrize(
    ("stage", "kind", "scope", "wait", "title", "said"), RECORDED, ids=[f"{row[0]}: {row[5][:60]}" for row in RECORDED]
)
def test_recorded(stage: Stage, kind: Kind, scope: Scope, wait: timedelta | None, title: str, said: str) -> None:
    found = meaning(said, stage)
    assert (found.kind, found.scope, found.wait, found.title) == (kind, scope, wait, title)
    assert found.advice
    assert found.admin_note or kind is not Kind.ADMIN

    reply = reply_of(said)
    fault = fault_of(reply, stage)
    assert (fault.step, fault.kind, fault.scope, fault.wait) == (stage, kind, scope, wait)
    assert (fault.title_id, fault.advice_id, fault.reply) == (title, found.advice, reply.words)
    assert (fault.sign_in, fault.asks, fault.admin_note) == (found.sign_in, found.asks, found.admin_note)
    assert fault.transient is (kind is Kind.TEMPORARY)

    assert words_of(stage, reply.words) == found, "as kept in the outbox"
    assert words_of(stage, said) == found, "as it came over the wire"
    assert meaning(said.upper(), stage).title == title
    assert meaning(said.lower(), stage).title == title


def test_every_row_decides_about_a_recorded_reply() -> None:
    replies = [(stage, reply_of(said)) for stage, *_rest, said in RECORDED]
    deciding = [deciding_row(reply.code, reply.enhanced, reply.words, stage) for stage, reply in replies]
    for position, row in enumerate(TABLE):
        assert any(one is row for one in deciding), f"row {position}: {row.codes} {row.enhanced} {row.says}"


def test_titles_and_advice_read_well() -> None:
    for means in {row.means for row in TABLE}:
        assert means.title[0].isupper()
        assert means.title.endswith(".")
        assert means.advice.endswith(".")
        assert not set(means.title) & set(string.digits), "no code numbers in the first line"
        assert "{" not in means.title + means.advice, "these have no values"


def test_phrases_are_in_lower_case_on_one_line() -> None:
    for row in TABLE:
        for phrase in row.says + row.and_says:
            assert phrase == " ".join(phrase.casefold().split()), phrase


def test_the_enhanced_code_decides_over_the_basic_one() -> None:
    assert explain(450, "5.1.0", "450 5.1.0 never", Stage.DATA).kind is Kind.PERMANENT
    assert explain(550, "4.3.0", "550 4.3.0 later", Stage.DATA).kind is Kind.TEMPORARY
    password = explain(432, "4.7.12", "432 4.7.12 No", Stage.AUTH)
    connections = explain(432, "4.3.2", "432 4.3.2 No", Stage.AUTH)
    assert (password.kind, connections.kind) == (Kind.ACCOUNT, Kind.TEMPORARY)


def test_a_temporary_reply_stays_temporary() -> None:
    """The first digit stands: a person who must act is told so, and vxtray tries again all the same."""
    lasting = meaning("554 5.7.1 <x@example.org>: Relay access denied", Stage.RECIPIENTS)
    temporary = meaning("454 4.7.1 <x@example.org>: Relay access denied", Stage.RECIPIENTS)
    assert (lasting.title, lasting.kind) == (temporary.title, Kind.ACCOUNT)
    assert temporary.kind is Kind.TEMPORARY


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize(("code", "temporary"), [(451, True), (559, False)])
def test_an_unknown_reply_is_told_by_its_step_and_its_first_digit(stage: Stage, code: int, *, temporary: bool) -> None:
    fault = fault_of(Reply(code, "", ("Qu'est-ce ?",)), stage)
    assert deciding_row(code, "", fault.reply, stage) is None
    assert fault.step is stage
    assert (fault.kind is Kind.TEMPORARY) is temporary
    assert fault.reply == f"{code} Qu'est-ce ?"
    assert fault.title_id
    assert fault.advice_id


def test_classes_follow_the_step() -> None:
    assert isinstance(fault_of(Reply(535, "", ("no",)), Stage.AUTH), AuthError)
    assert isinstance(fault_of(Reply(554, "", ("no",)), Stage.DATA), MessageRefused)
    assert isinstance(fault_of(Reply(550, "", ("no",)), Stage.SENDER), SenderRefused)
    assert isinstance(fault_of(Reply(354, "", ("what",)), Stage.SENDER), ProtocolError)


def test_a_mail_too_large_at_mail_from_is_about_the_mail() -> None:
    fault = fault_of(reply_of("552 5.3.4 Message size exceeds fixed limit"), Stage.SENDER)
    assert isinstance(fault, MessageRefused)
    assert (fault.step, fault.scope) == (Stage.SENDER, Scope.MAIL)


def test_only_a_reply_to_a_recipient_is_about_a_recipient() -> None:
    said = "450 4.2.1 The user you are trying to contact is receiving mail too quickly."
    assert meaning(said, Stage.RECIPIENTS).scope is Scope.RECIPIENT
    assert meaning(said, Stage.DATA).scope is Scope.MAIL


def test_the_result_for_a_recipient() -> None:
    assert result_of(reply_of("250 2.1.5 ok")).ok
    said = "450 4.2.0 <x@example.org>: Recipient address rejected: Greylisted"
    refused, found = result_of(reply_of(said)), meaning(said, Stage.RECIPIENTS)
    assert not refused.ok
    assert (refused.title, refused.advice, refused.reply) == (found.title, found.advice, said)
    assert (refused.kind, refused.scope, refused.wait) == (found.kind, Scope.RECIPIENT, timedelta(minutes=5))


def test_where_signing_in_with_the_provider_helps() -> None:
    helps = [
        "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
        "535 5.7.3 Authentication unsuccessful",
        "550 5.7.30 Basic authentication is not supported for Client Submission.",
        "535 5.7.8 Username and Password not accepted. - gsmtp",
        "534 5.7.9 Application-specific password required. - gsmtp",
    ]
    assert all(fault_of(reply_of(said), Stage.AUTH).sign_in for said in helps)
    # the switch also stops sign-ins by OAuth
    said = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."
    assert not fault_of(reply_of(said), Stage.AUTH).sign_in
    assert not fault_of(reply_of("535 Incorrect authentication data"), Stage.AUTH).sign_in


def test_an_address_in_the_reply_decides_nothing() -> None:
    said = "550 5.1.1 <spamhaus.blacklist@relay.example>: Recipient address rejected: User unknown"
    assert meaning(said, Stage.RECIPIENTS).title == "The mail server does not know this recipient."


def test_lines_are_joined_and_their_codes_left_out() -> None:
    reply = reply_of("550-5.7.26 Your email has been blocked because the\r\n550 5.7.26 sender is unauthenticated.")
    assert reply.words == "550 5.7.26 Your email has been blocked because the sender is unauthenticated."
    found = explain(550, "5.7.26", "550 5.7.26 the 5.7.26  sender is 5.7.26 unauthenticated", Stage.DATA)
    assert "vouch" in found.title


# --- kept replies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kept",
    ["", "The name smtp.example.com could not be looked up.", "250 2.0.0 kept", "354 go ahead", "4500 no", "\n550 no"],
)
def test_what_is_no_refusal_is_not_explained(kept: str) -> None:
    assert words_of(Stage.DATA, kept) is None


@pytest.mark.parametrize(
    ("said", "stage"),
    [
        ("552 5.3.4 Message size exceeds fixed limit", Stage.DATA),
        ("550 5.1.1 <x@example.org>: Recipient address rejected: User unknown", Stage.RECIPIENTS),
        ("535 5.7.8 Error: authentication failed", Stage.AUTH),
        ("421 Too many concurrent SMTP connections", Stage.GREETING),
        ("503 5.5.1 Error: authentication not enabled", Stage.AUTH),
        ("553 5.7.1 <a@example.com>: Sender address rejected: not owned by user x", Stage.SENDER),
        ("550", Stage.DATA),
        ("503 No", Stage.DATA),
    ],
)
def test_a_kept_reply_without_its_step(said: str, stage: Stage) -> None:
    assert words_of("", said) == words_of(stage, said)


# --- waits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("please try again in 300 seconds", 300),
        ("greylisted for 300 seconds", 300),
        ("retry after 30 s", 30),
        ("retry-after: 120", 120),
        ("try again in 5 minutes.", 300),
        ("please wait 2 hours", 7200),
        ("try again in 1h", 3600),
        ("delayed for 3 min", 180),
        ("veuillez réessayer dans 10 minutes", 600),
        ("veuillez patienter 45 secondes", 45),
        ("bitte erneut versuchen in 5 stunden", 18000),
        ("try again in 999999 hours", LONGEST.total_seconds()),
        ("try again in 0 s", 0),
    ],
)
def test_a_named_wait(text: str, seconds: float) -> None:
    assert named_wait(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "try again later",
        "try again later, closing connection. 5b1f17b1804b1-4a1 - gsmtp",
        "please try again later. 12 smtp",
        "retry 10.0.0.1 s",
        "again and again\n5 seconds",
        "in 5 minutes",
    ],
)
def test_no_named_wait(text: str) -> None:
    assert named_wait(text) is None


def test_the_servers_wait_replaces_that_of_the_table() -> None:
    assert meaning("450 4.2.0 Greylisted, try again in 90 s", Stage.RECIPIENTS).wait == timedelta(seconds=90)
    assert meaning("550 5.1.1 User unknown, try again in 90 s", Stage.RECIPIENTS).wait is None, "nothing to wait for"
    assert meaning("451 Try again in 2 hours", Stage.DATA).wait == timedelta(hours=2), "also where no row knows it"


# --- hostile texts ---------------------------------------------------------------------------------------------------

_LONG = 65536


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "again ",
        "again 1",
        "again 123456 ",
        "retry after ",
        "<",
        "<a@",
        "5.7.8 ",
        "helo ",
        "(#5.1.1",
        " ",
        "\n",
        "spf",
    ],
)
def test_a_long_text_takes_no_time(unit: str) -> None:
    text = (unit * (_LONG // len(unit) + 1))[:_LONG]

    def read() -> None:
        named_wait(text)
        for stage in (Stage.AUTH, Stage.RECIPIENTS, Stage.DATA):
            explain(550, "5.7.8", text, stage)
            words_of(stage, f"550 5.7.8 {text}")

    assert_quick(read, 0.5)


@given(
    st.integers(400, 599), st.sampled_from(["", "4.7.0", "5.7.1", "5.999.999"]), st.text(), st.sampled_from(list(Stage))
)
def test_anything_is_explained(code: int, enhanced: str, text: str, stage: Stage) -> None:
    found = explain(code, enhanced, text, stage)
    assert found.title
    assert found.advice
    assert found.wait is None or timedelta() <= found.wait <= LONGEST
    fault = fault_of(Reply(code, enhanced, (text,)), stage)
    assert isinstance(fault, MailError)
    assert len(fault.reply) <= 500
    assert fault.reply.splitlines() == [fault.reply]
    assert words_of(stage, fault.reply) is not None


def test_nobody_who_signed_in_by_oauth_is_told_of_a_password() -> None:
    instead = dict(signed_in.INSTEAD)
    stolen = {causes.ACCOUNT_BLOCKED, causes.SENDER_BLOCKED}  # then a new password belongs to the cure
    for row in TABLE:
        told = instead.get(row.means, row.means)
        about_signing_in = not row.stages or Stage.AUTH in row.stages
        if about_signing_in and told.scope is Scope.ACCOUNT and told.kind is not Kind.TEMPORARY:
            assert "password" not in told.title + told.advice or told in stolen or "Bridge" in told.title, told
    for means in instead.values():
        assert means.title[0].isupper()
        assert (means.title[-1], means.advice[-1]) == (".", ".")
        assert "{" not in means.title + means.advice


@pytest.mark.parametrize(
    ("said", "with_password", "by_oauth"),
    [
        ("535 5.7.3 Authentication unsuccessful", "Microsoft refused the user name", "Microsoft refused the account"),
        ("535 5.7.8 Username and Password not accepted. - gsmtp", "Google refused the sign-in", "Google refused the"),
        ("535 5.7.139 SmtpClientAuthentication is disabled", "your password may", "your sign-in is right"),
        ("535 Incorrect authentication data", "refused the user name", "refused the account that is"),
        ("535 whatever", "refused the user name or the password", "refused the account that is signed in"),
        ("599 whatever", "refused the sign-in", "refused the account that is signed in"),
    ],
)  # fmt: skip
def test_the_same_words_after_a_sign_in_by_oauth(said: str, with_password: str, by_oauth: str) -> None:
    reply = reply_of(said)
    assert with_password in str(fault_of(reply, Stage.AUTH))
    fault = fault_of(reply, Stage.AUTH, oauth=True)
    assert by_oauth in str(fault)
    for mechanism, title in (("XOAUTH2", by_oauth), ("OAUTHBEARER", by_oauth), ("LOGIN", with_password)):
        kept = words_of(Stage.AUTH, reply.words, mechanism)
        assert kept is not None
        assert title in kept.title, "as kept in the outbox"
