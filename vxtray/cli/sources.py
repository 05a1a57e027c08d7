"""``sources test`` and ``sources take-over``: the servers that events are read from.

In this process: a server is asked with the account that the settings name, and the running program is nudged where
something changed.
"""

import argparse
from typing import TYPE_CHECKING

import msgspec

from vxtray.cli.settings import note_secret
from vxtray.cli.terminal import Terminal
from vxtray.core.errors import N_, NotConfigured, VxtrayError
from vxtray.core.texts import _, plural

if TYPE_CHECKING:
    from vxtray.app import Host, OwnHost
    from vxtray.core.settings.tree import Settings
    from vxtray.core.sources.server_trial import Trial
    from vxtray.core.sources.vigilancex_takeover import TakeOver

#: Seconds by which a server's clock may differ without a word.
_SKEW_SECONDS = 60


def test(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``sources test WHICH``: connect, sign in, and ask for what is read later; stores nothing."""
    settings = host.settings()
    _require_address(args.which, settings)
    try:
        trial = _tried(host, settings, args.which)
    except VxtrayError as error:
        if args.json:
            terminal.document({"ok": False, "says": [str(error)], "clock_ahead_seconds": None})
        return terminal.fail(error)
    if args.json:
        terminal.document({"ok": True, "says": list(trial.words), "clock_ahead_seconds": round(trial.skew, 1)})
        return 0
    for text in trial.words:
        terminal.say(_(text))
    if abs(trial.skew) > _SKEW_SECONDS:
        terminal.say(_("Its clock differs from this machine’s by {n} s; that is allowed for.", n=round(trial.skew)))
    return 0


def _tried(host: "Host", settings: "Settings", which: str) -> "Trial":
    from vxtray.core.sources import clickhouse, server_trial, vigilancex_api

    if which == "vigilancex":
        server = settings.sources.vigilancex
        return server_trial.try_vigilancex(server, host.credentials.get(vigilancex_api.account_of(server)))
    tables = settings.sources.clickhouse
    return server_trial.try_clickhouse(tables, host.credentials.get(clickhouse.account_of(tables)))


def take_over(host: "OwnHost", args: argparse.Namespace, terminal: Terminal) -> int:
    """``sources take-over``: the mail server, reports and alerts as they are set at the VIGILANCE X server.

    With ``--dry-run`` they are only shown. The password goes into the keyring, and is never shown.
    """
    from vxtray.core.sources.vigilancex_api import Server, account_of
    from vxtray.core.sources.vigilancex_takeover import ask

    settings = host.lenient_settings()
    _require_address("vigilancex", settings)
    source = settings.sources.vigilancex
    server = Server(source, lambda: host.credentials.get(account_of(source)))
    try:
        taken = ask(server).against(settings)
    finally:
        server.close()
    if not args.dry_run:
        _apply(host, args, taken)
    if args.json:
        terminal.document(
            {
                "changed": msgspec.to_builtins(taken.changes),
                "password": taken.password is not None,
                "left_out": list(taken.left_out),
                "dry_run": args.dry_run,
            }
        )
    else:
        _say(taken, terminal, dry_run=args.dry_run)
    return 0


def _apply(host: "OwnHost", args: argparse.Namespace, taken: "TakeOver") -> None:
    """Change everything; first the keyring: where it refuses, nothing is changed."""
    account = taken.account(host.lenient_settings().smtp)
    if account is not None and taken.password is not None:
        host.credentials.set(account, taken.password)
        note_secret(host, account.name)
    host.update(taken.changes)
    args.nudge = "mail"


def _say(taken: "TakeOver", terminal: Terminal, *, dry_run: bool) -> None:
    for key, value in taken.changes.items():
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else msgspec.to_builtins(value)
        terminal.say(f"{key} = {str(shown).lower() if isinstance(shown, bool) else shown}")
    if taken.left_out:
        terminal.note(_("Not taken over, as it is not allowed here: {names}", names=", ".join(taken.left_out)))
    n = len(taken.changes)
    if dry_run:
        terminal.say(
            plural(
                "{n} setting would be taken over; nothing was changed.",
                "{n} settings would be taken over; nothing was changed.",
                n,
            )
        )
        return
    terminal.say(_("{n} settings taken over.", n=n))
    if taken.password is not None:
        terminal.say(_("The password is in the keyring."))


def _require_address(which: str, settings: "Settings") -> None:
    source = settings.sources.vigilancex if which == "vigilancex" else settings.sources.clickhouse
    if not source.url:
        raise NotConfigured(
            N_("No address is set for this server."),
            N_("First set it: vxtray settings set sources.{which}.url=https://… sources.{which}.username=…"),
            which=which,
        )
