"""Recorded answers of real servers and what a person is told."""

import pytest

from vxtray.core.mail.faults import AuthError, Kind, MessageRefused, ProtocolError, Stage
from vxtray.core.mail.protocol import Reply, ReplyParser
from vxtray.core.mail.replies import explain, fault_of

AUTH, SENDER, TO, DATA, HELLO, HI = (
    Stage.AUTH,
    Stage.SENDER,
    Stage.RECIPIENTS,
    Stage.DATA,
    Stage.EHLO,
    Stage.GREETING,
)

RECORDED = [
    (
        AUTH,
        ("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit "
        "https://aka.ms/smtp_auth_disabled for more information. [AS9PR06CA0484.eurprd06.prod.outlook.com]"),
        "switched off",
        Kind.ADMIN,
    ),
    (AUTH, "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.", "no longer", Kind.ACCOUNT),
    (
        AUTH,
        ("535 5.7.139 Authentication unsuccessful, user credentials were incorrect. did not meet the criteria to be "
        "authenticated successfully. Contact your administrator."),
        "policy",
        Kind.ADMIN,
    ),
    (AUTH, "535 5.7.3 Authentication unsuccessful", "user name or the password", Kind.ACCOUNT),
    (
        DATA,
        "550 5.7.30 Basic authentication is not supported for Client Submission.",
        "no longer accepts a password",
        Kind.ACCOUNT,
    ),
    (SENDER, "530 5.7.57 Client not authenticated to send mail.", "wants a sign-in", Kind.ACCOUNT),
    (
        DATA,
        "554 5.2.252 SendAsDenied; reports@example.com not allowed to send as boss@example.com; STOREDRV",
        "may not send",
        Kind.ADMIN,
    ),
    (DATA, "550 5.7.60 SMTP; Client does not have permissions to send as this sender", "may not send", Kind.ADMIN),
    (DATA, "430 4.2.0 STOREDRV; mailbox logon failure; MapiExceptionLogonFailed", "into the mailbox", Kind.ADMIN),
    (SENDER, "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/c", "slowly", Kind.TEMPORARY),
    (SENDER, "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", "slowly", Kind.TEMPORARY),
    (DATA, "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", "limit", Kind.TEMPORARY),
    (DATA, "554 5.2.2 mailbox full", "full", Kind.ACCOUNT),
    (DATA, "550 5.1.8 Access denied, bad outbound sender AS(42004)", "blocked this sender", Kind.ADMIN),
    (TO, "550 5.7.64 TenantAttribution; Relay Access Denied", "public address", Kind.ADMIN),
    (
        AUTH,
        ("535-5.7.8 Username and Password not accepted. For more information, go to\n"
        "535 5.7.8  https://support.google.com/mail/?p=BadCredentials 5b1f17b1804b1 - gsmtp"),
        "Google refused",
        Kind.ACCOUNT,
    ),
    (
        AUTH,
        ("534-5.7.9 Application-specific password required. For more information, go to\n"
        "534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor ffacd0b85a97d - gsmtp"),
        "app password",
        Kind.ACCOUNT,
    ),
    (AUTH, "534-5.7.14 <https://accounts.google.com/signin/continue>\n534 5.7.14 Please log in via your web browser",
     "suspicious", Kind.ACCOUNT),
    (AUTH, "454 4.7.0 Too many login attempts, please try again later.", "slowly", Kind.TEMPORARY),
    (SENDER, "530 5.7.0 Must issue a STARTTLS command first.", "STARTTLS first", Kind.ACCOUNT),
    (SENDER, "530 5.5.1 Authentication Required.", "wants a sign-in", Kind.ACCOUNT),
    (DATA, "550 5.4.5 Daily user sending limit exceeded.", "daily limit", Kind.TEMPORARY),
    (SENDER, "552 5.3.4 Message size exceeds fixed limit", "too large", Kind.PERMANENT),
    (DATA, "552 5.2.3 Your message exceeded Google's message size limits.", "too large", Kind.PERMANENT),
    (HI, "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "block list",
     Kind.ADMIN),
    (TO, "554 5.7.1 <[192.0.2.1]>: Helo command rejected: Access denied", "name by which", Kind.ADMIN),
    (TO, "454 4.7.1 <x@example.org>: Relay access denied", "right now", Kind.TEMPORARY),
    (TO, "554 5.7.1 <x@example.org>: Relay access denied", "pass mail on", Kind.ACCOUNT),
    (TO, "450 4.2.0 <x@example.org>: Recipient address rejected: Greylisted", "greylisting", Kind.TEMPORARY),
    (TO, "550 5.1.1 <x@example.org>: Recipient address rejected: User unknown", "not know", Kind.PERMANENT),
    (TO, "452 4.5.3 Too many recipients", "too many recipients", Kind.TEMPORARY),
    (AUTH, "535 5.7.8 Error: authentication failed: (reason unavailable)", "user name or the password", Kind.ACCOUNT),
    (AUTH, "432 4.7.12 A password transition is needed", "change or renew", Kind.ACCOUNT),
    (AUTH, "538 5.7.11 Encryption required for requested authentication mechanism", "encrypted", Kind.ACCOUNT),
    (DATA, "451 4.3.0 Error: queue file write error", "right now", Kind.TEMPORARY),
    (SENDER, "553 5.7.1 <a@b>: Sender address rejected: not owned by user x", "sender address", Kind.ACCOUNT),
    (HELLO, "550 go away", "greets", Kind.ADMIN),
]  # fmt: skip


@pytest.mark.parametrize(("step", "said", "words", "kind"), RECORDED, ids=[row[1][:40] for row in RECORDED])
def test_recorded(step: Stage, said: str, words: str, kind: Kind) -> None:
    parser = ReplyParser()
    parser.feed(said.encode() + b"\n")
    reply = parser.next_reply()
    assert reply is not None
    found = explain(reply.code, reply.enhanced, reply.words, step)
    assert words in found.title
    assert found.kind is kind
    assert found.advice
    fault = fault_of(reply, step)
    assert fault.step is step
    assert fault.kind is kind
    assert fault.transient is (kind is Kind.TEMPORARY)
    assert fault.reply == reply.words


def test_enhanced_code_decides_over_the_basic_one() -> None:
    assert explain(450, "5.1.0", "450 5.1.0 never", Stage.DATA).kind is Kind.PERMANENT
    assert explain(550, "4.3.0", "550 4.3.0 later", Stage.DATA).kind is Kind.TEMPORARY


def test_classes_follow_the_step() -> None:
    assert isinstance(fault_of(Reply(535, "", ("no",)), Stage.AUTH), AuthError)
    assert isinstance(fault_of(Reply(554, "", ("no",)), Stage.DATA), MessageRefused)
    assert isinstance(fault_of(Reply(354, "", ("what",)), Stage.SENDER), ProtocolError)
