"""The words of the command line, and which function answers each. No logic of its own.

A command's module is imported when the command is called, so that ``settings get`` does not pay for the engine.
"""

import argparse
import importlib
import os
import re
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from vxtray.core.errors import N_, UsageError
from vxtray.core.paths import Profile
from vxtray.core.texts import _

if TYPE_CHECKING:
    from vxtray.app import Host
    from vxtray.cli.terminal import Terminal

Command = Callable[["Host", argparse.Namespace, "Terminal"], int]
Start = Callable[[Profile, argparse.Namespace, "Terminal"], int]

_HELP = N_("“{program} --help” shows how to write it.")
_UNLISTED = frozenset({"reload"})

#: What argparse says, in our own words and both languages.
_COMPLAINTS = (
    (r"arguments are required: (.+)", N_("This is missing: {what}.")),
    (r"unrecognized arguments: (.+)", N_("This does not belong here: {what}.")),
    (r"argument ([^:]+): expected .*argument", N_("A value is missing after {what}.")),
    (r"argument [^:]+: invalid \w+ value: '(.*)'", N_("“{what}” is not a number that fits here.")),
    (r"argument [^:]+: (.+)", N_("{what}.")),
)

_START: dict[str, Any] = {"call": "program:window", "place": "program", "json": False}

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class _Help(argparse.HelpFormatter):
    """Says argparse's own words in the reader's language."""

    def add_usage(self, usage: str | None, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, _("usage: ") if prefix is None else prefix)


class _Parser(argparse.ArgumentParser):
    """Raises instead of leaving the process: a command may run inside the program."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, add_help=False, formatter_class=_Help)
        self._positionals.title, self._optionals.title = _("arguments"), _("options")
        self.add_argument("-h", "--help", action="help", help=_("show this help"))

    def error(self, message: str) -> NoReturn:
        for pattern, text in _COMPLAINTS:
            if found := re.search(pattern, message):
                raise UsageError(text, _HELP, what=found[1], program=self.prog)
        raise UsageError(N_("This is not understood: {what}."), _HELP, what=message, program=self.prog)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = ", ".join(str(choice) for choice in action.choices if choice not in _UNLISTED)
            raise UsageError(
                N_("“{what}” is not known here. Known are: {known}."), _HELP, what=value, known=known, program=self.prog
            )


def build() -> argparse.ArgumentParser:
    """Return the parser of every command; ``args.call`` names the function, ``args.place`` where it runs."""
    parser = _Parser(prog="vxtray", description=_("Security reports and alerts by e-mail."), allow_abbrev=False)
    parser.add_argument("--profile-dir", metavar="DIR", help=_("keep settings, state, stores and logs under DIR"))
    parser.add_argument("--log-level", choices=LEVELS, type=str.upper, help=_("how much the log says"))
    parser.add_argument("--lang", choices=("fr", "en"), help=_("language of the answers"))
    parser.add_argument("--version", action="store_true", help=_("version and source revision"))
    parser.add_argument("--hidden", action="store_true", help=_("start in the tray, without the window"))
    parser.add_argument("--at-login", action="store_true", help=argparse.SUPPRESS)  # what the session starts says it
    parser.set_defaults(**_START)
    verbs = parser.add_subparsers(title=_("commands"), metavar=_("COMMAND"), parser_class=_Parser)
    _add_program(verbs)
    _add_events(verbs)
    _add_mail(verbs)
    _add_alerts(verbs)
    _add_settings(verbs)
    return parser


def _verb(verbs: Any, name: str, call: str, help: str, place: str = "own") -> argparse.ArgumentParser:  # noqa: A002
    """Add a verb. ``place``: own (this process), engine (the running program where there is one), program."""
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=help, description=help, allow_abbrev=False)
    verb.set_defaults(call=call, place=place)
    # Left out where it is not given: a default here would undo the one of "outbox --json list".
    verb.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=_("print one JSON document"))
    return verb


def _group(verbs: Any, name: str, help: str) -> Any:  # noqa: A002 - argparse's own word
    group = verbs.add_parser(name, help=help, description=help, allow_abbrev=False)
    return group.add_subparsers(title=_("commands"), metavar=_("COMMAND"), required=True, parser_class=_Parser)


def _add_program(verbs: Any) -> None:
    _verb(verbs, "serve", "program:serve", _("run without a window until stopped"), "program")
    demo = _verb(verbs, "demo", "program:demo", _("show everything on made events, with a built-in mailbox"), "program")
    demo.add_argument("--out", metavar="DIR", help=_("write the received mails and a picture of the window here"))
    demo.add_argument("--no-window", action="store_true", help=_("do not open the window"))
    _verb(verbs, "status", "program:status", _("health at a glance"), "engine")
    autostart = _group(verbs, "autostart", _("start with the session"))
    for name, help_text in (
        ("on", _("let the session start vxtray in the tray")),
        ("off", _("take that back")),
        ("status", _("what is wished, what the system has, and whether it worked")),
    ):
        _verb(autostart, name, f"autostart:{name}", help_text)
    help_file = _verb(verbs, "support", "support:support", _("a file for whoever helps, safe to send"), "engine")
    help_file.add_argument("file", nargs="?", metavar="FILE", help=_("a ZIP file"))
    help_file.add_argument("--show", action="store_true", help=_("only show what would be in it"))
    help_file.add_argument("--addresses", action="store_true", help=_("with names, addresses and paths"))
    _verb(verbs, "show", "program:show", _("raise the window"), "running")
    _verb(verbs, "quit", "program:quit_program", _("stop the program"), "running")
    reload = verbs.add_parser("reload", allow_abbrev=False)  # not listed: how commands tell the running program
    reload.add_argument("--mail-mended", action="store_true")
    reload.set_defaults(call="program:reload", place="running")


def _add_events(verbs: Any) -> None:
    formats = ("auto", "sophos", "fail2ban", "modsecurity", "suricata", "crowdsec", "cef")
    load = _verb(verbs, "import", "events:load", _("read log files into the event store"), "engine")
    load.add_argument("files", nargs="+", metavar="FILE", help=_("a log file, also compressed; - for standard input"))
    parse = _verb(verbs, "parse", "events:parse", _("parse only; one event a line, as JSON"))
    parse.add_argument("file", metavar="FILE")
    for verb in (load, parse):
        verb.add_argument("--format", choices=formats, default="auto")
        verb.add_argument("--tz", metavar="ZONE", default="", help=_("zone of times that name none"))
    load.add_argument("--alerts", action="store_true", help=_("let old lines raise alerts"))
    events = _verb(verbs, "events", "events:events", _("stored events, newest first"), "engine")
    events.add_argument("--since", metavar="T", type=_moment)
    events.add_argument("--until", metavar="T", type=_moment)
    events.add_argument("--category", metavar="C")
    events.add_argument("--severity", metavar="S", help=_("at least this one: info, low, medium, high or critical"))
    events.add_argument("--source", metavar="ADDR", default="", help=_("an address, a network, or how one begins"))
    events.add_argument("--text", metavar="TEXT", default="", help=_("stands in a rule, message, target or user"))
    events.add_argument("--limit", metavar="N", type=_count, default=100)
    report = _verb(verbs, "report", "events:report", _("build the report of a period"), "engine")
    report.add_argument("cadence", choices=("daily", "weekly", "monthly", "custom"))
    report.add_argument("--for", dest="day", metavar="DATE", type=_day, help=_("a day in the period"))
    report.add_argument("--from", dest="first", metavar="DATE", type=_day, help=_("first day of a custom period"))
    report.add_argument("--until", dest="last", metavar="DATE", type=_day, help=_("its last day"))
    report.add_argument("--out", metavar="DIR", help=_("write the report's files here"))
    report.add_argument("--send", action="store_true", help=_("queue it as a mail"))
    report.add_argument("--to", metavar="ADDR", action="append", default=[])


def _add_mail(verbs: Any) -> None:
    smtp = _group(verbs, "smtp", _("the mail server"))
    _verb(smtp, "show", "settings:smtp_show", _("what is saved, without secrets"))
    change = _verb(smtp, "set", "settings:smtp_set", _("change it"))
    change.add_argument("assignments", nargs="+", metavar="KEY=VALUE")
    take = _verb(smtp, "import-env", "settings:smtp_import_env", _("take it from an env file, once"))
    take.add_argument("file", metavar="FILE")
    check = _verb(smtp, "test", "mail:check", _("check the connection step by step; sends nothing"))
    check.add_argument("--transcript", action="store_true", help=_("show what was said, without secrets"))
    test = _verb(smtp, "send-test", "mail:send_test", _("send a test e-mail now"))
    test.add_argument("--to", metavar="ADDR", nargs="+", action="extend", default=[])
    enter = _verb(smtp, "sign-in", "sign_in:sign_in", _("sign in with the provider, in the browser"))
    enter.add_argument("provider", choices=("microsoft", "outlook", "google", "custom"))
    enter.add_argument("--device-code", action="store_true", help=_("without a browser here: enter a code elsewhere"))
    _verb(smtp, "sign-out", "sign_in:sign_out", _("end the sign-in with the provider"))
    search = _verb(smtp, "discover", "discover:discover", _("propose settings for an e-mail address"))
    search.add_argument("address", metavar="ADDRESS")
    outbox = verbs.add_parser("outbox", help=_("queued, sent and failed mails"), allow_abbrev=False)
    outbox.add_argument("--json", action="store_true")
    outbox.set_defaults(call="outbox:list_mails", place="engine")
    actions = outbox.add_subparsers(metavar=_("COMMAND"), parser_class=_Parser)
    _verb(actions, "list", "outbox:list_mails", _("list them"), "engine")
    for name, help_text in (
        ("show", _("show one, with its attempts")),
        ("retry", _("try one again now")),
        ("resend", _("send one once more, as a mail of its own")),
        ("cancel", _("take one out of the queue")),
    ):
        _verb(actions, name, f"outbox:{name}", help_text, "engine").add_argument("id", type=_mail, metavar="ID")
    file = _verb(actions, "export", "outbox:export", _("write them to a CSV file"), "engine")
    file.add_argument("file", metavar="FILE")
    _add_sources(verbs)
    _add_store(verbs)
    history = _verb(verbs, "history", "outbox:history", _("mails, changed settings, starts and stops"), "engine")
    history.add_argument("--since", metavar="T", type=_moment)
    history.add_argument("--until", metavar="T", type=_moment)
    history.add_argument("--text", metavar="TEXT", default="", help=_("only what holds this text"))
    history.add_argument("--limit", metavar="N", type=_count, default=200)


def _add_sources(verbs: Any) -> None:
    sources = _group(verbs, "sources", _("the servers that events are read from"))
    ask = _verb(sources, "test", "sources:test", _("ask one for what would be read; stores nothing"))
    ask.add_argument("which", choices=("vigilancex", "clickhouse"))
    take = _verb(sources, "take-over", "sources:take_over", _("take mail server, reports and alerts of VIGILANCE X"))
    take.add_argument("--dry-run", action="store_true", help=_("only show what would change"))


def _add_store(verbs: Any) -> None:
    store = _group(verbs, "store", _("where events are kept"))
    _verb(store, "status", "store:status", _("which engine, what waits for the server, and who else uses it"), "engine")
    _verb(store, "test", "store:test", _("check the ClickHouse server step by step; makes missing tables"))
    make = _verb(store, "sql", "store:sql", _("print what makes the tables, for an administrator"))
    make.add_argument("--cluster", metavar="NAME", help=_("on all servers of this cluster"))


def _add_alerts(verbs: Any) -> None:
    alerts = _group(verbs, "alerts", _("alert mails"))
    pause = _verb(alerts, "pause", "alerts:pause", _("hold alert mails for a while"), "engine")
    pause.add_argument("duration", metavar="DURATION", nargs="?", help=_("such as 30m, 8h, 2d"))
    pause.add_argument("--until", metavar="TIME", type=_moment, help=_("hold them until this time"))
    pause.add_argument("--all", action="store_true", help=_("hold critical ones too"))
    _verb(alerts, "resume", "alerts:resume", _("end the pause"), "engine")
    silence = _verb(alerts, "silence", "alerts:silence", _("hold the mails about one rule or source"), "engine")
    silence.add_argument("what", metavar="RULE|ADDRESS|CIDR", help=_("a rule, an address or a network"))
    silence.add_argument("duration", metavar="DURATION", help=_("such as 30m, 8h, 2d"))
    silence.add_argument("--reason", metavar="TEXT", required=True, help=_("why, for those who ask later"))
    _verb(alerts, "silences", "alerts:silences", _("list what is silenced"), "engine")
    end = _verb(alerts, "unsilence", "alerts:unsilence", _("end a silence"), "engine")
    end.add_argument("id", type=_mail, metavar="ID")
    note = _verb(alerts, "acknowledge", "alerts:acknowledge", _("take note of an incident, or of all"), "engine")
    note.add_argument("id", type=_mail, metavar="ID", nargs="?")
    shown = _verb(alerts, "list", "alerts:list_alerts", _("storms now, and the mails with what they folded"), "engine")
    shown.add_argument("--limit", metavar="N", type=_count, default=50)
    rehearsal = _verb(
        alerts, "rehearse", "alerts:rehearse", _("what the rules would have mailed for stored events"), "engine"
    )
    rehearsal.add_argument("--since", metavar="T", type=_moment)
    rehearsal.add_argument("--until", metavar="T", type=_moment)


def _add_settings(verbs: Any) -> None:
    secret = _group(verbs, "secret", _("passwords, in the keyring"))
    for name, help_text in (
        ("set", _("read one from standard input into the keyring")),
        ("forget", _("delete one from the keyring")),
    ):
        _verb(secret, name, f"settings:secret_{name}", help_text).add_argument("name", metavar="NAME")
    settings = _group(verbs, "settings", _("every setting"))
    _verb(settings, "show", "settings:show", _("show them all"))
    _verb(settings, "get", "settings:get", _("show one")).add_argument("key", metavar="KEY")
    change = _verb(settings, "set", "settings:change", _("change some, in one step"))
    change.add_argument("assignments", nargs="+", metavar="KEY=VALUE")
    _verb(settings, "reset", "settings:reset", _("take the default again")).add_argument("key", metavar="KEY")
    _verb(settings, "export", "settings:export", _("write them to a file")).add_argument("file", metavar="FILE")
    _verb(settings, "import", "settings:take", _("take them from a file")).add_argument("file", metavar="FILE")


def _moment(text: str) -> Any:
    from vxtray.cli.times import moment

    return moment(text)


def _day(text: str) -> date:
    from vxtray.cli.times import day

    return day(text)


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1_000_000:
        raise ValueError
    return number


def _mail(text: str) -> int:
    number = int(text)
    if not 0 <= number < 1 << 63:  # what SQLite takes
        raise ValueError
    return number


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return what the words mean. Raises ``UsageError``; ``--help`` prints and raises ``SystemExit``."""
    return _plain_start(argv) or build().parse_args(list(argv))


def _plain_start(argv: Sequence[str]) -> argparse.Namespace | None:
    """Return what a start of the program means as a session or a starter writes it, None for other words.

    The icon is not to wait for thirty parsers to be made, nor for argparse to make one.
    """
    words, folder = list(argv), None
    if "--profile-dir" in words[:-1]:
        place = words.index("--profile-dir")
        _option, folder = words[place : place + 2]
        del words[place : place + 2]
    if (folder or "").startswith("-") or not {*words} <= {"--hidden", "--at-login"}:
        return None
    switches = {"hidden": "--hidden" in words, "at_login": "--at-login" in words}
    return argparse.Namespace(**_START, **switches, profile_dir=folder, log_level=None, lang=None, version=False)


def function(name: str) -> Command:
    """Return the function that answers a command, such as ``settings:get``."""
    found: Command = _named(name)
    return found


def start(name: str) -> Start:
    """Return the function that becomes the program (``place`` is ``program``)."""
    found: Start = _named(name)
    return found


def _named(name: str) -> Any:
    module, _separator, attribute = name.partition(":")
    return getattr(importlib.import_module(f"vxtray.cli.{module}"), attribute)


def profile_folder(args: argparse.Namespace) -> Path | None:
    """Return the folder of ``--profile-dir``, None for the platform's own."""
    return Path(os.path.abspath(args.profile_dir)) if args.profile_dir else None  # noqa: PTH100 - may not exist yet
