"""``autostart``: the setting and the session's own entry, both at once."""

import argparse
from typing import TYPE_CHECKING

import msgspec

from vxtray.cli.terminal import Terminal
from vxtray.core.autostart import Autostart, Proof, Standing, State
from vxtray.core.texts import N_, _

if TYPE_CHECKING:
    from vxtray.app import OwnHost

_STATES = {
    State.OFF: N_("The session does not start vxtray."),
    State.ON: N_("The session starts vxtray: {place}."),
    State.DISABLED: N_(
        "It was switched off in the settings of your system. That holds; only there can it be switched on."
    ),
    State.MISSING: N_("What the entry starts is not there any more: {program}."),
    State.OTHER: N_("The entry starts another copy: {program}."),
}
_PROOFS = {
    Proof.PENDING: N_("Your next login will show whether it works."),
    Proof.WORKED: N_("It worked at the last login: {moment}."),
    Proof.FAILED: N_("It did not start at your last login, though the entry is there: {place}."),
}


def on(host: "OwnHost", args: argparse.Namespace, terminal: Terminal) -> int:
    """``autostart on``: from the next login on."""
    return _switch(host, args, terminal, on=True)


def off(host: "OwnHost", args: argparse.Namespace, terminal: Terminal) -> int:
    """``autostart off``: the entry goes."""
    return _switch(host, args, terminal, on=False)


def _switch(host: "OwnHost", args: argparse.Namespace, terminal: Terminal, *, on: bool) -> int:
    Autostart(host.profile).switch(on=on)  # first the system: where it refuses, nothing is changed
    host.update({"general.autostart": on})
    args.nudge = "settings"
    return status(host, args, terminal)


def status(host: "OwnHost", args: argparse.Namespace, terminal: Terminal) -> int:
    """``autostart status``: exit status 1 where the system is not as wished."""
    standing, wish = Autostart(host.profile).standing(), host.lenient_settings().general.autostart
    if args.json:
        terminal.document({"wish": wish, **msgspec.to_builtins(standing)})
    else:
        terminal.say(_words(standing))
    as_wished = (standing.state is State.ON and standing.proof is not Proof.FAILED) if wish else _silent(standing)
    return 0 if as_wished else 1


def _silent(standing: Standing) -> bool:
    return standing.state not in (State.ON, State.OTHER)


def _words(standing: Standing) -> str:
    moment = standing.started_at.astimezone().isoformat(sep=" ", timespec="minutes") if standing.started_at else ""
    values = {"place": standing.place, "program": standing.program or "?", "moment": moment}
    texts = [_STATES[standing.state], _PROOFS.get(standing.proof, "")]
    return " ".join(_(text, **values) for text in texts if text)
