"""``support``: a file for whoever helps, safe to send."""

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vxtray.cli.terminal import Terminal
from vxtray.core.errors import StoreError, UsageError, VxtrayError
from vxtray.core.texts import N_, _

if TYPE_CHECKING:
    from vxtray.app import Host
    from vxtray.core.support import Bundle


def support(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``support FILE``, or ``support --show``: what would be in it, without a file."""
    from vxtray.core.support import write

    if not args.file and not args.show:
        raise UsageError(N_("Name the file to write, or look at it first with --show."))
    bundle = _gathered(host, addresses=args.addresses)
    if args.show:
        if args.json:
            terminal.document(bundle.members)
        else:
            terminal.say(bundle.text)
        return 0
    path = terminal.path(args.file)
    write(bundle, path)
    sizes = {name: len(text.encode("utf-8", "backslashreplace")) for name, text in bundle.members.items()}
    if args.json:
        terminal.document({"file": str(path), "members": sizes})
        return 0
    terminal.say(str(path))
    terminal.note(_("In it: {names}. Look into it before you send it.", names=", ".join(sizes)))
    return 0


def _gathered(host: "Host", *, addresses: bool) -> "Bundle":
    from vxtray.core.settings.file import SettingsFile
    from vxtray.core.support import gather

    profile, now = host.profile, datetime.now(UTC)
    loaded = SettingsFile(profile.settings_file).read_or_last_good()
    fault: VxtrayError | None = loaded.trouble
    try:
        with host.look() as (service, trouble):
            return gather(
                profile,
                service,
                loaded.settings,
                now,
                running=host.running,
                fault=trouble or fault,
                addresses=addresses,
            )
    except StoreError as error:  # which is what the file shall tell of
        return gather(profile, None, loaded.settings, now, running=False, fault=error, addresses=addresses)
