"""``alerts``: pause, silence and acknowledge alert mails, list what they folded, rehearse the rules."""

import argparse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from vxtray.cli.terminal import Terminal
from vxtray.cli.times import duration
from vxtray.core import texts
from vxtray.core.alerts.incidents import Incident, Kind, Shape, Silence, Why
from vxtray.core.alerts.rules import Rule
from vxtray.core.errors import N_, UsageError
from vxtray.core.mail.plaintext import one_line
from vxtray.core.settings.wellformed import is_network
from vxtray.core.texts import _, plural

if TYPE_CHECKING:
    from vxtray.app import Host
    from vxtray.core.alertroom import Folded, Rehearsal, Rehearsed, Told

#: What a rehearsal looks at where nothing is said.
_REHEARSED = timedelta(days=7)

_TITLE = 80
_NAMED = 3

KINDS: dict[Kind, str] = {
    Kind.FIRST: N_("at once"),
    Kind.STARTED: N_("storm began"),
    Kind.SUMMARY: N_("storm goes on"),
    Kind.OVER: N_("storm over"),
    Kind.MORE: N_("a few more"),
    Kind.DIGEST: N_("was held"),
}
SHAPES: dict[Shape, str] = {
    Shape.GROUP: N_("group"),
    Shape.STORM: N_("storm"),
    Shape.WIDE: N_("wide storm"),
    Shape.HELD: N_("held"),
}
HELD_BY: dict[Why, str] = {
    Why.QUIET_HOURS: N_("quiet hours"),
    Why.PAUSE: N_("pause"),
    Why.SILENCE: N_("silence"),
    Why.CAP: N_("cap of mails an hour"),
}


# --- pause ------------------------------------------------------------------------------------------------------------


def pause(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``alerts pause DURATION`` or ``--until TIME``: hold alert mails for a while."""
    if (args.duration is None) is (args.until is None):
        raise UsageError(N_("Say how long (30m, 8h, 2d) or --until when, one of both."))
    span = duration(args.duration) if args.duration is not None else None
    with host.service() as service:
        until = service.clock() + span if span is not None else _future(args.until, service.clock())
        service.alerts.pause(until, everything=args.all)
    if args.json:
        terminal.document({"paused_until": until.isoformat(), "all": args.all})
    else:
        terminal.say(_("Alert mails are held until {time}; they are sent then.", time=_moment(until)))
    return 0


def resume(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``alerts resume``: end the pause."""
    with host.service() as service:
        released = service.alerts.resume()
        if not host.running:
            service.send_waiting()
    _say_released(released, args, terminal)
    return 0


def _say_released(released: int, args: argparse.Namespace, terminal: Terminal) -> None:
    if args.json:
        terminal.document({"released": released})
    else:
        terminal.say(plural("{n} held event is told now.", "{n} held events are told now.", released))


def _future(moment: datetime, now: datetime) -> datetime:
    if moment <= now:
        raise UsageError(
            N_("{time} is over already."),
            N_("Write a time to come, such as {day}T08:00."),
            time=moment.isoformat(timespec="minutes"),
            day=(now + timedelta(days=1)).date(),
        )
    return moment.astimezone(UTC)


# --- silences ---------------------------------------------------------------------------------------------------------


def silence(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``alerts silence RULE|ADDRESS|CIDR DURATION --reason TEXT``: hold the mails about one rule or source."""
    rule = Rule(args.what) if args.what in list(Rule) else None
    if rule is None and not is_network(args.what):
        raise UsageError(
            N_("“{name}” is neither a rule nor an address or network."),
            N_("The rules are: {known}."),
            name=one_line(args.what, _TITLE),
            known=", ".join(Rule),
        )
    span = duration(args.duration)
    with host.service() as service:
        made = service.alerts.silence(
            rule=rule,
            network="" if rule is not None else args.what,
            until=service.clock() + span,
            reason=one_line(args.reason),
        )
    if args.json:
        terminal.document(made)
    else:
        terminal.say(
            _(
                "Mails about {what} are held until {time}, then told together. To end it before: vxtray alerts"
                " unsilence {id}",
                what=args.what,
                time=_moment(made.until),
                id=made.id,
            )
        )
    return 0


def silences(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``alerts silences``: those in force."""
    with host.service() as service:
        found = service.alerts.silences()
    if args.json:
        terminal.document(found)
        return 0
    for one in found:
        terminal.say(_silence_line(one))
    if not found:
        terminal.note(_("Nothing is silenced."))
    return 0


def _silence_line(one: Silence) -> str:
    what = " ".join(filter(None, (str(one.rule or ""), one.network)))
    return f"{one.id:>5}  {_moment(one.until)}  {what:<20}  {one_line(one.reason)}"


def unsilence(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``alerts unsilence ID``: end a silence, and tell what it held."""
    with host.service() as service:
        released = service.alerts.end_silence(args.id)
        if not host.running:
            service.send_waiting()
    _say_released(released, args, terminal)
    return 0


# --- incidents --------------------------------------------------------------------------------------------------------


def acknowledge(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``alerts acknowledge [ID]``: no more summaries of an incident, or of all."""
    with host.service() as service:
        count = service.alerts.acknowledge(args.id)
    if args.id is not None and not count:
        raise UsageError(N_("There is no incident {id} to take note of."), "", id=args.id)
    if args.json:
        terminal.document({"acknowledged": count})
    else:
        terminal.say(plural("{n} incident is acknowledged.", "{n} incidents are acknowledged.", count))
    return 0


def list_alerts(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``alerts list``: what goes on now, and the alert mails with what each folded, newest first."""
    with host.service() as service:
        room = service.alerts
        paused, held, current, known = room.paused(), room.held(), room.open_incidents(), room.silences()
        mails = [(mail, room.folded(mail.incident, mail.number)) for mail in room.letters(args.limit)]
        incidents = room.incidents(args.limit) if args.json else []
    if args.json:
        told = [{**msgspec.to_builtins(mail), "folded": msgspec.to_builtins(folded)} for mail, folded in mails]
        paused_until = paused.until.isoformat() if paused is not None else None
        terminal.document(
            {
                "paused_until": paused_until,
                "all": paused is not None and paused.everything,
                "held": held,
                "silences": known,
                "open": current,
                "incidents": incidents,
                "mails": told,
            }
        )
        return 0
    if paused is not None:
        terminal.say(_("Alert mails are held until {time}.", time=_moment(paused.until)))
    if held:
        terminal.say(plural("{n} event waits for a later mail.", "{n} events wait for a later mail.", held))
    for one in current:
        terminal.say(_incident_line(one))
    for mail, folded in mails:
        _say_mail(mail, folded, terminal)
    if not current and not mails:
        terminal.note(_("No alert mail was made yet."))
    return 0


def _incident_line(one: Incident) -> str:
    why = f" ({_(HELD_BY[one.why])})" if one.why is not None else ""
    events = plural("{n} event", "{n} events", one.events)
    untold = _(", {n} not told yet", n=texts.format_number(one.untold, texts.current())) if one.untold else ""
    return f"{one.id:>5}  {_short(one.opened_at)}  {_(SHAPES[one.shape])}{why}: {_named(one.title)}  {events}{untold}"


def _say_mail(mail: "Told", folded: "Folded | None", terminal: Terminal) -> None:
    terminal.say(f"{mail.mail:>5}  {_short(mail.at)}  {_(KINDS[mail.kind]):<13}  {mail.state:<9}  {mail.subject}")
    if folded is None or folded.events < 2:
        return
    top = ", ".join(f"{one_line(row.name, 60) or '-'} ({row.events})" for row in folded.top_sources[:_NAMED])
    terminal.say(
        "       "
        + plural(
            "{n} event from {sources}, {first} to {last}: {top}",
            "{n} events from {sources}, {first} to {last}: {top}",
            folded.events,
            sources=plural("{n} source", "{n} sources", folded.sources),
            first=_short(folded.first_at),
            last=_short(folded.last_at),
            top=top,
        )
    )


# --- rehearsal --------------------------------------------------------------------------------------------------------


def rehearse(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``alerts rehearse``: what the rules in force would have mailed for stored events; sends nothing."""
    from vxtray.core.alerts.rehearsal import reason

    with host.service() as service:
        until = args.until or service.clock()
        since = args.since or until - _REHEARSED
        if since >= until:
            raise UsageError(N_("The time to rehearse ends before it begins."))
        found, rules = service.alerts.rehearse(since, until), service.settings.alerts
    why = [reason(mail, rules).in_language(texts.current()) for mail in found.mails]
    if args.json:
        terminal.document(
            [
                {**msgspec.to_builtins(mail), "to": found.recipients, "reason": because}
                for mail, because in zip(found.mails, why, strict=True)
            ]
        )
        _say_more(found, terminal)
        return 0
    for mail, because in zip(found.mails, why, strict=True):
        events = texts.format_number(mail.events, texts.current())
        rule = mail.rule or "-"
        terminal.say(f"{_short(mail.at)}  {_(KINDS[mail.kind]):<13}  {rule:<12}  {events:>9}  {_whereabouts(mail)}")
        terminal.say("       " + because)
    _say_more(found, terminal)
    _say_totals(found, terminal)
    return 0


def _say_more(found: "Rehearsal", terminal: Terminal) -> None:
    """Say how many mails are counted, but not listed."""
    if more := found.made - len(found.mails):
        terminal.note(_("… {n} more mails.", n=texts.format_number(more, texts.current())))


def _whereabouts(mail: "Rehearsed") -> str:
    """Return what the mail would have told, with the source and target that its events share."""
    if not (mail.source or mail.target):
        return _named(mail.title)
    source, target = (one_line(place, _TITLE) or "-" for place in (mail.source, mail.target))
    return f"{_named(mail.title)}  {source} -> {target}"


def _say_totals(found: "Rehearsal", terminal: Terminal) -> None:
    number = {name: texts.format_number(getattr(found, name), texts.current()) for name in _COUNTED}
    terminal.say(
        _(
            "{events} events from {since} to {until}, {matched} of them match a rule: {at_once} with a mail of their"
            " own, {folded} folded into groups and storms, {held} held and told later, {untold} not told by then.",
            since=_moment(found.since),
            until=_moment(found.until),
            **number,
        )
    )
    to = ", ".join(found.recipients) or _("nobody: no recipient is set")
    terminal.say(plural("{n} mail in all, to {to}.", "{n} mails in all, to {to}.", found.made, to=to))


_COUNTED = ("events", "matched", "at_once", "folded", "held", "untold")


# --- words ------------------------------------------------------------------------------------------------------------


def _named(title: str) -> str:
    return one_line(title, _TITLE) or "-"


def _moment(at: datetime) -> str:
    from vxtray.core.reports.period import machine_zone

    return texts.format_datetime(at, texts.current(), machine_zone())


def _short(at: datetime) -> str:
    """Return 2026-11-21 08:12:09 on this machine's clock, as ``events`` says it."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
