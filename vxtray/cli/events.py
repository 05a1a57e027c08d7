"""``import``, ``parse``, ``events`` and ``report``."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from vxtray.cli.terminal import Terminal
from vxtray.core import texts
from vxtray.core.errors import N_, FileNotWritten, NotConfigured, UsageError
from vxtray.core.events import Category, Severity
from vxtray.core.settings.wellformed import is_address, is_zone
from vxtray.core.store import EventQuery
from vxtray.core.texts import _, format_number, translate

if TYPE_CHECKING:
    from datetime import tzinfo

    from vxtray.app import Host
    from vxtray.core.reports.making import Made
    from vxtray.core.reports.period import Cadence, Period
    from vxtray.core.service import Service

#: Rejected lines are told one by one up to here, then only counted.
_MOST_REASONS = 20


def load(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``import FILE...``: every line once, into the event store."""
    _check_zone(args.tz)
    told = 0

    def rejected(path: str, line: int, reason: str) -> None:
        nonlocal told
        told += 1
        if told <= _MOST_REASONS:
            terminal.note(f"{path}:{line}: {translate(reason, texts.current())}")
        elif told == _MOST_REASONS + 1:
            terminal.note(_("… further lines that could not be read are only counted."))

    paths = [name if name == "-" else terminal.path(name) for name in args.files]
    with host.service() as service:
        result = service.import_files(
            paths,
            format=args.format,
            zone=args.tz,
            alerts=args.alerts,
            progress=_progress(terminal),
            rejected=rejected,
            stdin=terminal.stdin,
        )
        terminal.progress("")
        if args.alerts and not host.running:
            service.send_waiting()
    if not result.read and not result.stopped:
        _tell_empty(terminal)
    if args.json:
        terminal.document(result)
        return 0
    number = {name: format_number(getattr(result, name), texts.current()) for name in _COUNTED}
    terminal.say(
        _(
            "{read} lines read: {stored} stored, {duplicates} known already, {ignored} without a security event,"
            " {rejected} not understood.",
            **number,
        )
    )
    return 0


_COUNTED = ("read", "stored", "duplicates", "ignored", "rejected")


def _progress(terminal: Terminal) -> Callable[[int, int], None] | None:
    if not terminal.interactive:
        return None
    last = 0.0

    def show(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > 0.1 and total > 0:
            last = now
            filled = min(30, done * 30 // total)
            terminal.progress(f"[{'#' * filled}{'.' * (30 - filled)}] {min(100, done * 100 // total)} %")

    return show


def _tell_empty(terminal: Terminal) -> None:
    terminal.note(
        _("There was nothing to read: no line is in it. Check that the log is written there, or name another.")
    )


def _check_zone(name: str) -> None:
    if name and not is_zone(name):
        raise UsageError(N_("“{zone}” is not a time zone."), N_("Write an IANA name such as Europe/Paris."), zone=name)


def parse(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``parse FILE``: one event a line as JSON, with the number of the record's first line."""
    from zoneinfo import ZoneInfo

    from vxtray.core.parsers import Ignored, Rejected
    from vxtray.core.reports.period import machine_zone
    from vxtray.core.sources.importer import parse_file

    _check_zone(args.tz)
    zone: tzinfo = ZoneInfo(args.tz) if args.tz else machine_zone()
    path = args.file if args.file == "-" else terminal.path(args.file)
    line = 0
    for line, outcome in parse_file(path, format=args.format, zone=zone, stdin=terminal.stdin):
        if isinstance(outcome, Rejected):
            terminal.note(f"{line}: {translate(outcome.reason, texts.current())}")
            continue
        told = outcome.event if isinstance(outcome, Ignored) else outcome
        for event in told if isinstance(told, tuple) else (told,) if told else ():
            fields = {"line": line, **msgspec.to_builtins(event)}
            terminal.say(msgspec.json.encode(fields).decode())
    if not line:
        _tell_empty(terminal)
    return 0


def events(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``events``: stored events, newest first."""
    if args.category and args.category not in list(Category):
        raise UsageError(
            N_("“{name}” is not a category."),
            N_("Known are: {known}."),
            name=args.category,
            known=", ".join(Category),
        )
    if args.severity and args.severity not in list(Severity):
        raise UsageError(
            N_("“{name}” is not a severity."),
            N_("Known are: {known}."),
            name=args.severity,
            known=", ".join(Severity),
        )
    query = EventQuery(
        since=args.since,
        until=args.until,
        categories=frozenset({Category(args.category)} if args.category else ()),
        severity=Severity(args.severity) if args.severity else None,
        source=args.source,
        text=args.text,
    )
    with host.service() as service:
        found = service.store().search(query, limit=args.limit)
    if args.json:
        terminal.document(found)
        return 0
    for event in found:
        at = event.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        what = event.rule_name or event.message
        terminal.say(
            f"{at}  {event.severity:8}  {event.category:8}  {event.action:8}  {event.src_ip or '-'} -> "
            f"{event.target or '-'}  {what}"
        )
    if not found:
        terminal.note(_("No stored event matches."))
    return 0


def report(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``report``: build the report of a period; write its files, queue it, print its numbers."""
    from vxtray.core.reports.files import figures

    recipients = tuple(args.to)
    for address in recipients:
        if not is_address(address):
            raise UsageError(N_("“{address}” is not an e-mail address."), address=address)
    failed = False
    with host.service() as service:
        what = _chosen(args, service)
        made = service.make_report(what, args.day)
        if args.out:
            _write(terminal.path(args.out), made, _message(service, made, recipients))
        if args.send:
            subject = service.send_report(made, recipients=recipients)
            terminal.note(_("Queued: {subject}", subject=subject))
            if not host.running:
                service.send_waiting()
                failed = _tell_undelivered(service, subject, terminal)
    if args.json:
        terminal.document(figures(made.report, made.reader))
    elif not args.out and not args.send:
        terminal.say(made.document.text)
    return 1 if failed else 0


def _chosen(args: argparse.Namespace, service: "Service") -> "Cadence | Period":
    from vxtray.core.reports.period import Cadence, custom, report_zone

    days = args.first, args.last
    if args.cadence != "custom":
        if any(days):
            raise UsageError(N_("--from and --until belong to a custom report."))
        return Cadence(args.cadence)
    if None in days or args.day is not None:
        raise UsageError(N_("A custom report needs its first and its last day, by --from and --until."))
    return custom(args.first, args.last, report_zone(service.settings.reports))


def _message(service: "Service", made: "Made", recipients: tuple[str, ...]) -> bytes:
    """Return the report as a mail, nothing where it is not known yet from and to whom."""
    try:
        return service.report_mail(made, recipients)
    except NotConfigured:
        return b""


def _tell_undelivered(service: "Service", subject: str, terminal: Terminal) -> bool:
    """Say what became of the mail just queued; return whether it was refused for good."""
    from vxtray.core.mail.replies import words_of

    entry = next(entry for entry in service.outbox.entries(limit=20) if entry.subject == subject)
    if entry.state == "queued":
        terminal.note(_("It waits in the queue; “vxtray outbox” says why, and “vxtray serve” goes on trying."))
    elif entry.state == "failed":
        found = words_of("", entry.reply)
        terminal.note(found.in_language(texts.current()) if found else _("The mail server refused the mail."))
        terminal.note(_("Server's words: {reply}", reply=entry.reply))
    return entry.state == "failed"


def _write(folder: Path, made: "Made", message: bytes) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in {**made.files(), "message.eml": message}.items():
            if content:
                (folder / name).write_bytes(content)
    except OSError as error:
        raise FileNotWritten(path=folder, reason=error.strerror or str(error)) from error
