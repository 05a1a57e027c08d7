"""The command line: parse, call, print. The contract stands in the README; ``parser`` lists every command.

A command runs in this process, or is forwarded over the control socket to the running program, which runs the same
function and streams the answer back.
"""

import contextlib
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vxtray.cli.parser import function, parse, profile_folder
from vxtray.cli.terminal import Terminal, own_terminal
from vxtray.core import texts
from vxtray.core.errors import N_, ControlError, VxtrayError
from vxtray.core.paths import Profile

if TYPE_CHECKING:
    import argparse

    from vxtray.app import Host
    from vxtray.core.control import Answer, Call, Handler


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0 done, 1 failed, 2 wrong usage, 3 not configured yet."""
    words = list(sys.argv[1:] if argv is None else argv)
    terminal = own_terminal()
    texts.use(_language_of(words))
    try:
        args = parse(words)
        if args.version:
            from vxtray.core.revision import version_line

            terminal.say(version_line())
            return 0
        folder = profile_folder(args)
        profile = Profile.under(folder) if folder else Profile.default()
        if not args.lang:
            texts.use(_saved_language(profile))
        return _run(words, args, profile, terminal)
    except VxtrayError as error:
        return terminal.fail(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            sys.stderr.close()
        return 1


def _language_of(words: Sequence[str]) -> str:
    """Return the language of ``--lang`` before anything is parsed, so that even a usage error speaks it."""
    for position, word in enumerate(words):
        wanted = word.partition("=")[2] if word.startswith("--lang=") else ""
        if word == "--lang" and position + 1 < len(words):
            wanted = words[position + 1]
        if wanted in texts.LANGUAGES:
            return wanted
    return texts.system_language()


def _saved_language(profile: Profile) -> str:
    from vxtray.core.settings.file import SettingsFile

    return texts.resolve(SettingsFile(profile.settings_file).read_or_last_good().settings.general.language)


def _run(words: list[str], args: "argparse.Namespace", profile: Profile, terminal: Terminal) -> int:
    if args.place == "program":
        return function(args.call)(_own_host(profile, args), args, terminal)
    if args.place in {"engine", "running"}:
        status = _forwarded(words, args, profile, terminal)
        if status is not None:
            return status
        if args.place == "running":
            raise ControlError(N_("vxtray is not running."), N_("Start it: vxtray, or vxtray serve."))
    host = _own_host(profile, args)
    status = function(args.call)(host, args, terminal)
    if args.place == "own" and getattr(args, "nudge", None):
        _nudge(profile, mail_mended=args.nudge == "mail")
    return status


def _own_host(profile: Profile, args: "argparse.Namespace") -> "Host":
    from vxtray.app import OwnHost, log_to_terminal

    if args.log_level and args.place != "program":
        log_to_terminal(args.log_level)
    return OwnHost(profile)


def _forwarded(words: list[str], args: "argparse.Namespace", profile: Profile, terminal: Terminal) -> int | None:
    """Let the running program answer and return its exit status; None where none runs."""
    if not profile.control_key.exists():
        return None
    from vxtray.core.control import Call, call_running

    with _spooled(args, terminal) as stdin:
        call = Call(argv=words, cwd=str(terminal.cwd), language=texts.current(), stdin=stdin)
        answers = call_running(profile, call)
        if answers is None:
            return None
        for answer in answers:
            if answer.out:
                terminal.say(answer.out.removesuffix("\n"))
            if answer.err:
                terminal.note(answer.err.removesuffix("\n"))
            if answer.exit is not None:
                return answer.exit
    raise ControlError(reason=N_("the connection ended too early"))


@contextlib.contextmanager
def _spooled(args: "argparse.Namespace", terminal: Terminal) -> "contextlib.Iterator[str]":  # type: ignore[name-defined]
    """Keep standard input in a file for the running program, where the command reads it."""
    if "-" not in getattr(args, "files", ()) or terminal.stdin is None:
        yield ""
        return
    import shutil

    with tempfile.NamedTemporaryFile(prefix="vxtray-stdin-") as file:  # mode 0600
        shutil.copyfileobj(terminal.stdin, file)
        file.flush()
        yield file.name


def _nudge(profile: Profile, *, mail_mended: bool) -> None:
    """Tell the running program that settings or secrets changed; the change itself is done."""
    if not profile.control_key.exists():
        return
    from vxtray.core.control import Call, call_running

    words = ["reload", "--mail-mended"] if mail_mended else ["reload"]
    with contextlib.suppress(ControlError):  # it looks at the file every two seconds anyway
        for _answer in call_running(profile, Call(argv=words, cwd="/", language="en")) or ():
            pass


def handler(host: "Host") -> "Handler":
    """Return what the control socket calls: the same commands, inside the running program."""
    from vxtray.core.control import Answer

    def handle(call: "Call", say: "Callable[[Answer], None]") -> int:
        with contextlib.ExitStack() as stack:
            stack.enter_context(texts.speaking(call.language if call.language in texts.LANGUAGES else "en"))
            stdin = stack.enter_context(Path(call.stdin).open("rb")) if call.stdin else None
            terminal = Terminal(
                lambda text: say(Answer(out=text)), lambda text: say(Answer(err=text)), cwd=Path(call.cwd), stdin=stdin
            )
            try:
                args = parse(call.argv)
                if args.place not in {"engine", "running"}:
                    raise ControlError(reason=N_("this command does not run inside the program"))
                return function(args.call)(host, args, terminal)
            except VxtrayError as error:
                return terminal.fail(error)
            except Exception as error:
                import logging

                logging.getLogger(__name__).exception("a command met an unknown fault")
                return terminal.fail(VxtrayError(N_("An unknown fault: {reason}"), reason=repr(error)))

    return handle
