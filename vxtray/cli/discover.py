"""``smtp discover``: settings from an e-mail address."""

import argparse
from typing import TYPE_CHECKING

from vxtray.cli.mail import junk_document, say_junk
from vxtray.cli.terminal import Terminal
from vxtray.core import texts
from vxtray.core.texts import _

if TYPE_CHECKING:
    from vxtray.app import Host
    from vxtray.core.mail.discover import Discovery, Proposal
    from vxtray.core.mail.preflight import Junk


def discover(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``smtp discover ADDRESS``: propose settings, each with its source, tried by connecting; changes nothing."""
    from vxtray.core.mail.discover import discover as search
    from vxtray.core.mail.preflight import warnings

    smtp = host.settings().smtp
    found = search(args.address, smtp)
    best = next(iter(found.proposals), None)
    junk = warnings(best.settings(smtp, args.address)) if best is not None else []
    if args.json:
        terminal.document(_document(found, junk))
    else:
        _say(found, junk, terminal)
    return 0 if found.proposals else 1


def _document(found: "Discovery", junk: "list[Junk]") -> dict[str, object]:
    language = texts.current()
    return {
        "address": found.address,
        "domain": found.domain,
        "mx": found.mx,
        "proposals": [
            {
                "host": one.host,
                "port": one.port,
                "security": one.security,
                "username": one.username,
                "sign_in": one.sign_in,
                "provider": one.provider,
                "source": one.source.in_language(language),
                "note": one.note.in_language(language),
                "verified": one.verified,
                "detail": one.detail.in_language(language),
            }
            for one in found.proposals
        ],
        "warnings": junk_document(junk),
        "fault": found.fault.in_language(language),
    }


def _say(found: "Discovery", junk: "list[Junk]", terminal: Terminal) -> None:
    language = texts.current()
    for one in found.proposals:
        _say_proposal(one, terminal)
    if not found.proposals:
        terminal.note(_("Nothing was found for {domain}.", domain=found.domain))
        terminal.note(_("Ask the provider for its SMTP server and port, and enter them by hand."))
    if found.fault.text:
        terminal.note(found.fault.in_language(language))
    say_junk(junk, terminal)
    best = next((one for one in found.proposals if one.verified), None)
    if best is not None:
        terminal.say(_("To take the first one over:"))
        terminal.say(
            f"  vxtray smtp set host={best.host} port={best.port} security={best.security}"
            f" username={best.username} from_address={found.address}"
        )


def _say_proposal(one: "Proposal", terminal: Terminal) -> None:
    language = texts.current()
    name = f"{one.provider}: " if one.provider else ""
    terminal.say(f"{'✓' if one.verified else '✗'} {name}{one.host}:{one.port} {one.security}, {one.username}")
    terminal.say("  " + _("Source: {source}", source=one.source.in_language(language)))
    terminal.say(f"  {one.detail.in_language(language)}")
    if one.note.text:
        terminal.say(f"  {one.note.in_language(language)}")
