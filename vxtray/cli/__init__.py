"""The command line: parse, call, print. The contract stands in the README; ``parser`` lists every command.

Where a command runs, its ``place`` in ``parser`` says: ``own`` always in this process (settings, secrets, tests of the
mail server; a running program is nudged to read the change), ``engine`` in the running program where there is one, over
the control socket, which runs the same function and streams the answer back, else here; ``running`` only there;
``program`` becomes the program. Runs on the main thread, in the running program on a thread of the control socket.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vxtray.cli.parser import function, parse, profile_folder, start
from vxtray.cli.terminal import Terminal, own_terminal
from vxtray.core import texts
from vxtray.core.errors import N_, ControlError, ProgramBusy, VxtrayError
from vxtray.core.paths import Profile
from vxtray.core.standin import in_use

if TYPE_CHECKING:
    import argparse

    from vxtray.app import Host, OwnHost
    from vxtray.core.control import Answer, Call, Handler

#: How long a command waits for another process that holds the profile, and how often it asks whether that answers.
_PATIENCE_SECONDS = 30.0
_ASK_SECONDS = 0.5


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0 done, 1 failed, 2 wrong usage, 3 not configured yet."""
    _no_core_file()
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


def _no_core_file() -> None:
    """Have the system write no image of this process's memory, in which secrets stand, where it crashes."""
    if sys.platform != "win32":
        import resource

        with contextlib.suppress(OSError, ValueError):  # what may not be lowered
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


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
    from vxtray.core.settings.glimpse import glimpse

    if (seen := glimpse(profile.settings_file)) is not None:
        return texts.resolve(seen.language)
    from vxtray.core.settings.file import SettingsFile  # which knows the last good ones of a broken file

    return texts.resolve(SettingsFile(profile.settings_file).read_or_last_good().settings.general.language)


def _run(words: list[str], args: "argparse.Namespace", profile: Profile, terminal: Terminal) -> int:
    if args.place == "program":
        return start(args.call)(profile, args, terminal)
    host = _own_host(in_use(profile), args)
    if args.place in {"engine", "running"}:
        with contextlib.ExitStack() as stack:
            return _with_engine(words, args, host, terminal, stack)
    status = function(args.call)(host, args, terminal)
    if args.place == "own" and getattr(args, "nudge", None):
        _nudge(in_use(host.profile), mail_mended=args.nudge == "mail")
    return status


def _with_engine(
    words: list[str], args: "argparse.Namespace", host: "OwnHost", terminal: Terminal, stack: contextlib.ExitStack
) -> int:
    """Run a command in the running program, else here. ``stack`` keeps what was read from standard input.

    A program that is just starting holds the profile before it answers, so both are tried in turn.
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    host.patience = _ASK_SECONDS
    while True:
        status = _forwarded(words, args, in_use(host.profile), terminal, stack)
        if status is not None:
            return status
        if args.place == "running":
            raise ControlError(N_("vxtray is not running."), N_("Start it: vxtray, or vxtray serve."))
        try:
            return function(args.call)(host, args, terminal)
        except ProgramBusy:
            if time.monotonic() > until:
                raise


def _own_host(profile: Profile, args: "argparse.Namespace") -> "OwnHost":
    from vxtray.app import OwnHost
    from vxtray.core.journal import log_to_terminal

    if args.log_level:
        log_to_terminal(args.log_level)
    return OwnHost(profile)


def _forwarded(
    words: list[str], args: "argparse.Namespace", profile: Profile, terminal: Terminal, stack: contextlib.ExitStack
) -> int | None:
    """Let the running program answer and return its exit status; None where none runs."""
    if not profile.control_key.exists():
        return None
    from vxtray.core.control import Call, call_running

    stdin = _spooled(args, terminal, stack)
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


def _spooled(args: "argparse.Namespace", terminal: Terminal, stack: contextlib.ExitStack) -> str:
    """Keep standard input in a file, for the running program or, where none answers, for this process."""
    if "-" not in getattr(args, "files", ()) or terminal.stdin is None:
        return ""
    import shutil
    import tempfile

    file = stack.enter_context(tempfile.NamedTemporaryFile(prefix="vxtray-stdin-"))  # noqa: SIM115 - closed by the stack
    shutil.copyfileobj(terminal.stdin, file)
    file.flush()
    terminal.stdin = stack.enter_context(Path(file.name).open("rb"))  # noqa: SIM115 - closed by the stack
    return file.name


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
            except ConnectionError:
                raise  # the caller has gone: nobody is left to be told
            except Exception as error:
                import logging

                logging.getLogger(__name__).exception("a command met an unknown fault")
                return terminal.fail(VxtrayError(N_("An unknown fault: {reason}"), reason=repr(error)))

    return handle
