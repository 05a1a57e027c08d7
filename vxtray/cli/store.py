"""``store test``, ``store sql`` and ``store status``: the server that keeps the events.

``test`` and ``sql`` run in this process, with the account that the settings name; ``status`` where the store is open.
"""

import argparse
from typing import TYPE_CHECKING

import msgspec

from vxtray.cli.terminal import Terminal
from vxtray.core import texts
from vxtray.core.errors import N_, NotConfigured, UsageError
from vxtray.core.settings.wellformed import is_identifier
from vxtray.core.texts import _

if TYPE_CHECKING:
    from vxtray.app import Host
    from vxtray.core.settings.tree import Settings
    from vxtray.core.storeserver import StoreServer


def test(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``store test``: step by step from the network to the right to write; makes the tables that are not there."""
    settings = host.settings()
    if not settings.store.clickhouse.url:
        raise NotConfigured(
            N_("No address of a ClickHouse server is set."),
            N_("Enter it: vxtray settings set store.clickhouse.url=https://clickhouse.example.com:8443"),
        )
    steps, good = [], True
    for step in _server(host, settings).examine():
        good = step.error is None
        said = texts.title(step.error) if step.error else _(step.words, **step.values)
        steps.append({"step": step.name, "ok": good, "says": said})
        if not args.json:
            terminal.say(f"{'✓' if good else '✗'} {_(step.name)}: {said}")
            if step.error is not None and (advice := texts.advice(step.error)):
                terminal.say(f"  {advice}")
    if args.json:
        terminal.document({"ok": good, "steps": steps})
    return 0 if good else 1


def sql(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``store sql``: what makes the tables, for an administrator; with ``--cluster`` on all servers of one."""
    settings = host.settings()
    if args.cluster is not None:
        if not is_identifier(args.cluster):
            raise UsageError(N_("“{word}” is not a name of letters, digits and _."), word=args.cluster)
        named = msgspec.structs.replace(settings.store.clickhouse, cluster=args.cluster)
        store = msgspec.structs.replace(settings.store, clickhouse=named)
        settings = msgspec.structs.replace(settings, store=store)
    statements = _server(host, settings).sql()
    if args.json:
        terminal.document({"statements": statements})
    else:
        terminal.say(";\n\n".join(statements) + ";")
    return 0


def status(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``store status``: which engine, what waits, and which programs keep their events there; exit 1 in trouble."""
    from vxtray.core.status import store_status

    with host.look() as (service, _fault):
        document = store_status(service, texts.current())
        good = not document["error"]
    if args.json:
        terminal.document(document)
        return 0 if good else 1
    for name, value in document.items():
        if name == "programs":
            for program in value:
                says = _("it sends mail") if program["sends"] else _("it sends no mail")
                terminal.say(f"program = {program['host']} ({says})")
        elif value not in {None, ""}:
            terminal.say(f"{name} = {str(value).lower() if isinstance(value, bool) else value}")
    return 0 if good else 1


def _server(host: "Host", settings: "Settings") -> "StoreServer":
    from vxtray.core.storeserver import StoreServer, account_of

    named = settings.store.clickhouse
    return StoreServer(named, lambda: host.credentials.get(account_of(named)), lambda: settings.store.retention_days)
