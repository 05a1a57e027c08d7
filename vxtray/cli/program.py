"""The bare program, ``serve``, ``demo``, ``status``, ``show`` and ``quit``."""

import argparse
import logging
from typing import TYPE_CHECKING

from vxtray.cli.terminal import Terminal
from vxtray.core import texts
from vxtray.core.errors import N_, ControlError
from vxtray.core.texts import _

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxtray.app import Host
    from vxtray.core.control import Answer

_LEVEL = "INFO"


def window(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """Start the desktop program, or raise the window of the one that runs."""
    from vxtray.core.control import Call, call_running

    if args.at_login:
        _note_login(host)
    # A session that restores its programs may have started one already; at login no window may come up.
    words = ["reload"] if args.at_login else ["show"]
    answers = call_running(host.profile, Call(argv=words, cwd="/", language=texts.current()))
    if answers is not None:
        return _told(answers, terminal)
    from vxtray import app
    from vxtray.cli import handler

    return app.run_window(host.profile, handler, hidden=args.hidden, level=args.log_level or _LEVEL)


def _note_login(host: "Host") -> None:
    """Note that the session's entry works; the program starts in any case."""
    from vxtray.core.autostart import Autostart, AutostartFailed

    try:
        Autostart(host.profile).note_login()
    except AutostartFailed as error:
        logging.getLogger(__name__).warning("the start with the session cannot be noted: %s", error)


def _told(answers: "Iterator[Answer]", terminal: Terminal) -> int:
    for answer in answers:
        if answer.err:
            terminal.note(answer.err.rstrip("\n"))
        if answer.exit is not None:
            return answer.exit
    return 1


def serve(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``serve``: the engine without a window, until SIGTERM or SIGINT."""
    from vxtray import app
    from vxtray.cli import handler

    return app.serve(host.profile, handler, args.log_level or _LEVEL)


def demo(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``demo``: everything on made events, with a mailbox of its own, in a temporary profile."""
    from vxtray.cli import handler
    from vxtray.demo import run_demo

    out = terminal.path(args.out) if args.out else None
    return run_demo(out, with_window=not args.no_window, as_json=args.json, terminal=terminal, handler=handler)


def status(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``status``: health at a glance; always JSON. Exit 0 well, 1 trouble, 3 not configured."""
    from vxtray.core.status import status as examine

    with host.look() as (service, fault):
        document = examine(service, running=host.running, language=texts.current())
    if fault is not None:
        told = {"what": texts.title(fault), "since": None, "advice": texts.advice(fault)}
        document = {**document, "ok": False, "trouble": [told, *document["trouble"]]}  # type: ignore[misc]  # a list
    terminal.document(document)
    if fault is not None:
        return 1
    if document["state"] == "not_configured":
        return 3
    return 0 if document["ok"] else 1


def show(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``show``: raise the window."""
    if host.show():
        return 0
    raise ControlError(N_("vxtray runs without a window here."), N_("Stop it and start vxtray to see the window."))


def quit_program(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``quit``: stop the program."""
    host.quit()
    terminal.note(_("vxtray ends."))
    return 0


def reload(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """Take over changed settings and secrets; what other commands call, not people."""
    host.reload(mail_mended=args.mail_mended)
    return 0
