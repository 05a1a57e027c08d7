"""``outbox`` and ``history``: what was sent, what waits and why, and what the program did."""

import argparse
from typing import TYPE_CHECKING

from vxtray.cli.terminal import Terminal
from vxtray.core import texts
from vxtray.core.texts import _, plural

if TYPE_CHECKING:
    from vxtray.app import Host
    from vxtray.core.mail.outbox import Happening


def list_mails(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``outbox list``: the mails, newest first."""
    with host.service() as service:
        entries = service.outbox.entries(limit=500)
    if args.json:
        terminal.document(entries)
        return 0
    for entry in entries:
        terminal.say(f"{entry.id:>5}  {entry.added_at[:19]}  {entry.state:<9}  {entry.subject}")
        if entry.reply and entry.state != "sent":
            say_reply("", entry.reply, terminal)
    if not entries:
        terminal.note(_("The outbox is empty: no mail was queued yet."))
    return 0


def show(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
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
        terminal.say(f"  {address}: {word['state']}")
        say_reply("recipients", word["reply"], terminal)
    for attempt in attempts:
        terminal.say(f"  {str(attempt['at'])[:19]}  {attempt['stage']}: {attempt['outcome']}")
        say_reply(str(attempt["stage"]), str(attempt["reply"]), terminal, str(attempt["mechanism"]))
    return 0


def say_reply(stage: str, reply: str, terminal: Terminal, mechanism: str = "") -> None:
    """Say what a kept reply means, and the server's words beneath; what vxtray itself said stands alone.

    ``mechanism`` is how the sign-in went.
    """
    from vxtray.core.mail.replies import words_of

    if found := words_of(stage, reply, mechanism):
        terminal.say(f"       {found.in_language(texts.current())}")
        terminal.say("       " + _("Server's words: {reply}", reply=reply))
    elif reply:
        terminal.say(f"       {_(reply)}")


def retry(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``outbox retry ID``: try it again now."""
    with host.service() as service:
        service.retry_mail(args.id)
        if not host.running:
            service.send_waiting()
        entry = service.outbox.entry(args.id)[0]
    if args.json:
        terminal.document(entry)
    return 0 if entry.state in {"sent", "queued", "sending"} else 1


def cancel(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``outbox cancel ID``: take it out of the queue."""
    with host.service() as service:
        service.cancel_mail(args.id)
        entry = service.outbox.entry(args.id)[0]
    if args.json:
        terminal.document(entry)
    return 0


def resend(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``outbox resend ID``: queue its content once more, as a mail of its own."""
    with host.service() as service:
        again = service.resend_mail(args.id)
        if not host.running:
            service.send_waiting()
        entry = service.outbox.entry(again)[0]
    if args.json:
        terminal.document(entry)
    else:
        terminal.say(_("Mail {id} is sent once more as mail {again}.", id=args.id, again=again))
    return 0 if entry.state in {"sent", "queued", "sending"} else 1


def export(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``outbox export FILE``: every mail, as CSV for a spreadsheet."""
    from vxtray.core.export import export_mails

    path = terminal.path(args.file)
    with host.service() as service:
        count = export_mails(service.outbox, path)
    if args.json:
        terminal.document({"mails": count})
    else:
        terminal.note(plural("{n} mail was written.", "{n} mails were written.", count))
    return 0


def history(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``history``: settled mails, changed settings, starts and stops, newest first."""
    with host.service() as service:
        found = service.outbox.history(args.since, args.until, args.limit, args.text)
    if args.json:
        terminal.document(found)
        return 0
    for happening in found:
        terminal.say(f"{happening.at[:19]}  {happening.what:<9}  {_in_words(happening)}".rstrip())
    if not found:
        terminal.note(_("Nothing is known of this time."))
    return 0


def _in_words(happening: "Happening") -> str:
    from vxtray.core.mail.happenings import facts, headline

    if happening.what == "mail":
        return "{id}  {state:<9}  {subject}".format(**happening.detail)
    if happening.what == "settings":
        return ", ".join(f"{key}: {change}" for key, change in facts(happening))
    return headline(happening)
