"""The bare program, ``serve``, ``demo``, ``status``, ``show`` and ``quit``."""

import argparse
import time
from typing import TYPE_CHECKING

from vxtray.cli.terminal import Terminal
from vxtray.core import texts
from vxtray.core.errors import N_, ControlError, ProgramBusy, VxtrayError
from vxtray.core.standin import in_use
from vxtray.core.texts import _

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxtray.app import Host
    from vxtray.core.control import Answer
    from vxtray.core.paths import Profile

_LEVEL = "INFO"

#: How long a start waits for what holds the profile to answer or to end, and how often it asks.
_PATIENCE_SECONDS = 10.0
_ASK_SECONDS = 0.1


def window(profile: "Profile", args: argparse.Namespace, terminal: Terminal) -> int:
    """Start the desktop program, or raise the window of the one that runs; what prevents it is shown on the screen."""
    try:
        return _start_or_raise(profile, args, terminal)
    except VxtrayError as error:
        if not terminal.interactive:  # from a menu or at login
            from vxtray.desktop import tell_no_start

            tell_no_start(error)
        raise


def _start_or_raise(profile: "Profile", args: argparse.Namespace, terminal: Terminal) -> int:
    from vxtray import desktop
    from vxtray.cli import handler

    until = time.monotonic() + _PATIENCE_SECONDS
    while True:  # one that is just starting holds the profile some time before it answers
        try:
            return desktop.run_window(
                profile, handler, hidden=args.hidden, at_login=args.at_login, level=args.log_level or _LEVEL
            )
        except ProgramBusy:
            if (status := _raise_other(in_use(profile), args, terminal)) is not None:
                return status
            if time.monotonic() > until:
                raise
            time.sleep(_ASK_SECONDS)


def _raise_other(profile: "Profile", args: argparse.Namespace, terminal: Terminal) -> int | None:
    """Raise the window of the program that holds the profile; None where it does not answer, or is no program."""
    from vxtray.core.control import Call, call_running
    from vxtray.desktop import note_login

    # A session that restores its programs may have started one already; at login no window may come up.
    words = ["reload"] if args.at_login else ["show"]
    answers = call_running(profile, Call(argv=words, cwd="/", language=texts.current()))
    if answers is None:
        return None
    if args.at_login:
        note_login(profile)
    return _told(answers, terminal)


def _told(answers: "Iterator[Answer]", terminal: Terminal) -> int:
    for answer in answers:
        if answer.err:
            terminal.note(answer.err.rstrip("\n"))
        if answer.exit is not None:
            return answer.exit
    return 1


def serve(profile: "Profile", args: argparse.Namespace, terminal: Terminal) -> int:
    """``serve``: the engine without a window, until SIGTERM or SIGINT."""
    from vxtray import app
    from vxtray.cli import handler

    return app.serve(profile, handler, args.log_level or _LEVEL)


def demo(profile: "Profile", args: argparse.Namespace, terminal: Terminal) -> int:
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
