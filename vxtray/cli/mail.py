"""``smtp test`` and ``smtp send-test``, ``outbox`` and ``alerts``."""

import argparse
from typing import TYPE_CHECKING

from vxtray.cli.terminal import Terminal
from vxtray.cli.times import duration
from vxtray.core import texts
from vxtray.core.errors import N_, CredentialError, NotConfigured, UsageError
from vxtray.core.settings.tree import Smtp, is_address
from vxtray.core.texts import _, plural

if TYPE_CHECKING:
    from vxtray.app import Host
    from vxtray.core.credentials import Secret


def _configured(host: "Host") -> Smtp:
    smtp = host.settings().smtp
    if not smtp.host:
        raise NotConfigured
    return smtp


def check(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``smtp test``: every step up to the recipients; sends nothing."""
    from vxtray.core.mail.delivery import secret_for
    from vxtray.core.mail.doctor import check as examine

    smtp = _configured(host)
    secret: Secret | CredentialError | None
    try:
        secret = secret_for(smtp, host.credentials)
    except CredentialError as error:
        secret = error  # told where it is needed; what comes before may be wrong too
    language, steps, good = texts.current(), [], True
    for step in examine(smtp, secret):
        good = good and step.ok
        said = {
            "name": str(step.name),
            "ok": step.ok,
            "ms": step.ms,
            "detail": step.detail.in_language(language),
            "advice": step.advice.in_language(language),
            "reply": step.reply,
        }
        steps.append(said)
        if not args.json:
            mark = "✓" if step.ok else "✗"
            terminal.say(f"{mark} {said['name']:<11} {said['ms']:>8} ms  {said['detail']}")
            if said["advice"]:
                terminal.say(f"  {said['advice']}")
            if step.reply and not step.ok:
                terminal.say("  " + _("Server's words: {reply}", reply=step.reply))
    if args.json:
        terminal.document({"ok": good, "steps": steps})
    return 0 if good else 1


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
        secret = secret_for(smtp, host.credentials)
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
            terminal.say(f"{'✓' if word.ok else '✗'} {address}  {word.reply}")
        terminal.say(_("The server took the mail: {reply}", reply=trial.reply))
    return 0 if trial.ok else 1


def outbox_list(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``outbox list``: the mails, newest first."""
    with host.service() as service:
        entries = service.outbox.entries(limit=500)
    if args.json:
        terminal.document(entries)
        return 0
    for entry in entries:
        terminal.say(f"{entry.id:>5}  {entry.added_at[:19]}  {entry.state:<9}  {entry.subject}")
        if entry.reply and entry.state != "sent":
            terminal.say(f"       {entry.reply}")
    if not entries:
        terminal.note(_("The outbox is empty: no mail was queued yet."))
    return 0


def outbox_show(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``outbox show ID``: one mail with its recipients, attempts and the message."""
    with host.service() as service:
        entry, people, attempts, data = service.outbox.entry(args.id)
    recipients = {address: {"state": state, "reply": reply} for address, (state, reply) in people.items()}
    if args.json:
        message = data.decode("ascii", errors="replace")
        terminal.document({"mail": entry, "recipients": recipients, "attempts": attempts, "message": message})
        return 0
    terminal.say(f"{entry.subject}\n{entry.message_id}  {entry.state}")
    for address, word in recipients.items():
        terminal.say(f"  {address}: {word['state']}  {word['reply']}")
    for attempt in attempts:
        terminal.say(f"  {str(attempt['at'])[:19]}  {attempt['stage']}: {attempt['outcome']}  {attempt['reply']}")
    return 0


def outbox_retry(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``outbox retry ID``: try it again now."""
    with host.service() as service:
        service.retry_mail(args.id)
        if not host.running:
            service.send_waiting()
        entry = service.outbox.entry(args.id)[0]
    if args.json:
        terminal.document(entry)
    return 0 if entry.state in {"sent", "queued", "sending"} else 1


def outbox_cancel(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``outbox cancel ID``: take it out of the queue."""
    with host.service() as service:
        service.cancel_mail(args.id)
        entry = service.outbox.entry(args.id)[0]
    if args.json:
        terminal.document(entry)
    return 0


def pause(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``alerts pause DURATION``: hold alert mails for a while."""
    from vxtray.core.reports.period import machine_zone

    span = duration(args.duration)
    with host.service() as service:
        until = service.pause_alerts(span, everything=args.all)
    if args.json:
        terminal.document({"paused_until": until.isoformat(), "all": args.all})
    else:
        shown = texts.format_datetime(until, texts.current(), machine_zone())
        terminal.say(_("Alert mails are held until {time}; they are sent then.", time=shown))
    return 0


def resume(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``alerts resume``: end the pause."""
    with host.service() as service:
        released = service.resume_alerts()
        if not host.running:
            service.send_waiting()
    if args.json:
        terminal.document({"released": released})
    else:
        terminal.say(plural("{n} held mail leaves now.", "{n} held mails leave now.", released))
    return 0
