"""``smtp test`` and ``smtp send-test``."""

import argparse
from typing import TYPE_CHECKING

from vxtray.cli.outbox import say_reply
from vxtray.cli.terminal import Terminal
from vxtray.core import texts
from vxtray.core.errors import N_, CredentialError, NotConfigured, UsageError, VxtrayError
from vxtray.core.settings.tree import Smtp
from vxtray.core.settings.wellformed import is_address
from vxtray.core.texts import _

if TYPE_CHECKING:
    from vxtray.app import Host
    from vxtray.core.credentials import Secret
    from vxtray.core.mail.doctor import Step
    from vxtray.core.mail.preflight import Junk


def _configured(host: "Host") -> Smtp:
    smtp = host.settings().smtp
    if not smtp.host:
        raise NotConfigured
    return smtp


def check(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``smtp test``: every step up to the recipients; sends nothing."""
    from concurrent.futures import ThreadPoolExecutor

    from vxtray.core.mail.delivery import secret_for
    from vxtray.core.mail.doctor import check as examine
    from vxtray.core.mail.faults import MailError
    from vxtray.core.mail.preflight import warnings
    from vxtray.core.mail.transcript import Transcript

    smtp = _configured(host)
    secret: Secret | VxtrayError | None
    try:
        secret = secret_for(smtp, host.credentials, host.tokens)
    except (CredentialError, MailError) as error:
        secret = error  # told where it is needed; what comes before may be wrong too
    steps, transcript = [], Transcript()
    with ThreadPoolExecutor(1, thread_name_prefix="vx-preflight") as beside:
        junk = beside.submit(warnings, smtp)
        for step in examine(smtp, secret, transcript=transcript):
            steps.append(step)
            if not args.json:
                _say_step(step, terminal)
    good = all(step.ok for step in steps)
    if args.json:
        terminal.document(
            {
                "ok": good,
                "steps": [_document_of(step) for step in steps],
                "warnings": junk_document(junk.result()),
                "transcript": transcript.text().splitlines(),
            }
        )
        return 0 if good else 1
    say_junk(junk.result(), terminal)
    if args.transcript:
        terminal.say(transcript.text())
    return 0 if good else 1


def _document_of(step: "Step") -> dict[str, object]:
    language = texts.current()
    return {
        "name": str(step.name),
        "ok": step.ok,
        "ms": step.ms,
        "detail": step.detail.in_language(language),
        "advice": step.advice.in_language(language),
        "reply": step.reply,
        "facts": [fact.in_language(language) for fact in step.facts],
        "remedies": [
            {"what": remedy.words.in_language(language), "set": {f"smtp.{k}": v for k, v in remedy.changes.items()}}
            for remedy in step.remedies
        ],
    }


def _say_step(step: "Step", terminal: Terminal) -> None:
    said = _document_of(step)
    terminal.say(f"{'✓' if step.ok else '✗'} {said['name']:<11} {step.ms:>8} ms  {said['detail']}")
    language = texts.current()
    for line in (*step.facts, *([step.advice] if step.advice.text else [])):
        terminal.say(f"  {line.in_language(language)}")
    if step.reply and not step.ok:
        terminal.say("  " + _("Server's words: {reply}", reply=step.reply))
    for remedy in step.remedies:
        changes = " ".join(f"{key}={value}" for key, value in remedy.changes.items())
        terminal.say(f"  → {remedy.words.in_language(language)}: vxtray smtp set {changes}")


def junk_document(junk: "list[Junk]") -> list[dict[str, str]]:
    """Return what makes mail look like junk, for scripts."""
    language = texts.current()
    return [
        {"about": one.about, "what": one.title.in_language(language), "advice": one.advice.in_language(language)}
        for one in junk
    ]


def say_junk(junk: "list[Junk]", terminal: Terminal) -> None:
    """Say what makes mail look like junk."""
    language = texts.current()
    for one in junk:
        terminal.say(f"▲ {one.title.in_language(language)}")
        terminal.say(f"  {one.advice.in_language(language)}")


def send_test(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``smtp send-test``: send the test mail now and wait for the server's word."""
    from vxtray.core.mail.delivery import secret_for
    from vxtray.core.mail.faults import MailError
    from vxtray.core.mail.trial import Trial, send_trial, words_of

    for address in args.to:
        if not is_address(address):
            raise UsageError(N_("“{address}” is not an e-mail address."), address=address)
    smtp = _configured(host)
    try:
        secret = secret_for(smtp, host.credentials, host.tokens)
        trial = send_trial(smtp, secret, texts.current(), recipients=tuple(args.to))
    except (MailError, CredentialError) as error:
        if args.json:
            reply, message_id = getattr(error, "reply", ""), getattr(error, "message_id", "")
            words = words_of(getattr(error, "recipients", {}))
            terminal.document(Trial(ok=False, reply=reply, message_id=message_id, recipients=words))
        return terminal.fail(error)
    args.nudge = "mail"  # what stood in the way is gone
    if args.json:
        terminal.document(trial)
    else:
        for address, word in trial.recipients.items():
            terminal.say(f"{'✓' if word.ok else '✗'} {address}")
            say_reply("recipients", word.reply, terminal)
        terminal.say(_("The server took the mail: {reply}", reply=trial.reply))
    return 0 if trial.ok else 1
