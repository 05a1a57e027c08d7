"""``settings``, ``smtp show/set/import-env`` and ``secret``: work on the files and the keyring of this process.

A running program is nudged afterwards (``args.nudge``), so what was changed holds there at once.
"""

import argparse
import re
from collections.abc import Mapping
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from vxtray.cli.terminal import Terminal
from vxtray.core import texts
from vxtray.core.errors import N_, FileError, FileNotWritten, SettingsInvalid, UsageError
from vxtray.core.settings import keys, portable
from vxtray.core.settings.file import RESET, SettingsFile
from vxtray.core.settings.tree import USUAL_PORT, Security, Settings, Smtp
from vxtray.core.texts import _

if TYPE_CHECKING:
    from vxtray.app import Host, OwnHost
    from vxtray.core.credentials import Account

_SECURITY_WORDS = {
    "starttls": "starttls",
    "tls": "starttls",
    "ssl": "tls",
    "implicit": "tls",
    "none": "none",
    "plain": "none",
}

#: Variables of an env file, as VIGILANCE X names them, and the settings that they become.
_ENV_KEYS = {
    "SMTP_HOST": "smtp.host",
    "SMTP_PORT": "smtp.port",
    "SMTP_SECURITY": "smtp.security",
    "SMTP_FROM_EMAIL": "smtp.from_address",
    "SMTP_USERNAME": "smtp.username",
    "SMTP_RECIPIENTS": "smtp.recipients",
}

#: A quoted value of an env file, and a comment behind it.
_QUOTED = re.compile(r"""(["'])(.*?)\1(?:\s+#.*)?""")


def show(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``settings show``: the whole tree."""
    _print_tree(msgspec.to_builtins(host.settings()), args, terminal)
    return 0


def get(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``settings get KEY``: one value or section."""
    value = keys.value_of(host.settings(), args.key)
    if args.json:
        terminal.document(value)
    elif isinstance(value, dict):
        _print_tree(value, args, terminal, args.key + ".")
    else:
        terminal.say(_text(value))
    return 0


def change(host: "OwnHost", args: argparse.Namespace, terminal: Terminal) -> int:
    """``settings set KEY=VALUE...``: one atomic change."""
    return _change(host, args, terminal, _assignments(args.assignments))


def reset(host: "OwnHost", args: argparse.Namespace, terminal: Terminal) -> int:
    """``settings reset KEY``: a key, or every key of a section, takes its default again."""
    return _change(host, args, terminal, dict.fromkeys(keys.below(args.key), RESET))


def _change(host: "OwnHost", args: argparse.Namespace, terminal: Terminal, changes: Mapping[str, object]) -> int:
    settings = _update(host, changes, args, terminal)
    if args.json:
        terminal.document({key: keys.value_of(settings, key) for key in changes})
    return 0


def _update(
    host: "OwnHost",
    changes: Mapping[str, object],
    args: argparse.Namespace,
    terminal: Terminal,
    nudge: str = "settings",
) -> Settings:
    """Change the file, and say so where it could not be read before."""
    loaded = host.update(changes)
    args.nudge = nudge
    if loaded.trouble is not None:
        terminal.note(texts.title(loaded.trouble))
        kept = _("It is kept as {path}. Your change was made to the last good settings.", path=loaded.kept)
        begun = _(
            "It is kept as {path}. Your change was made to the defaults: no good copy was left.", path=loaded.kept
        )
        terminal.note(kept if loaded.from_good else begun)
    return loaded.settings


def export(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``settings export FILE``: every setting with its value, without secrets."""
    if args.file == "-":
        terminal.say(portable.export_text(host.settings()).rstrip("\n"))
        return 0
    path = terminal.path(args.file)
    portable.export_file(host.settings(), path)
    if args.json:
        terminal.document({"file": str(path)})
    return 0


def take(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``settings import FILE``: the file's settings take the place of all."""
    path = terminal.path(args.file)
    content = terminal.stdin.read() if args.file == "-" and terminal.stdin else portable.read_file(path)
    loaded = SettingsFile(host.profile.settings_file).replace(portable.read_settings(path, content))
    args.nudge = "settings"
    if loaded.kept is not None:
        terminal.note(_("The former settings file could not be read; it is kept as {path}.", path=loaded.kept))
    for key in loaded.unknown:
        terminal.note(_("Left out: nobody knows the setting {key}.", key=key))
    if args.json:
        terminal.document(loaded.settings)
    return 0


def smtp_show(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``smtp show``: the section without secrets, which are not in it."""
    _print_tree(msgspec.to_builtins(host.settings().smtp), args, terminal)
    return 0


def smtp_set(host: "OwnHost", args: argparse.Namespace, terminal: Terminal) -> int:
    """``smtp set KEY=VALUE...``: keys below ``smtp.``; a new security mode brings its usual port along."""
    changes = {_below_smtp(key): value for key, value in _assignments(args.assignments).items()}
    settings = _update(host, _with_usual_port(changes, host.lenient_settings().smtp), args, terminal)
    if args.json:
        terminal.document(msgspec.to_builtins(settings.smtp))
    return 0


def _with_usual_port(changes: dict[str, object], smtp: Smtp) -> dict[str, object]:
    """Let a new security mode bring its usual port along, unless a port is given or an unusual one was chosen."""
    if "smtp.security" not in changes or "smtp.port" in changes or smtp.port != USUAL_PORT[smtp.security]:
        return changes
    return {**changes, "smtp.port": USUAL_PORT[Security(str(keys.convert("smtp.security", changes["smtp.security"])))]}


def _below_smtp(key: str) -> str:
    if key in {"password", "smtp.password"}:
        raise UsageError(
            N_("The password is not a setting: it belongs into the keyring."),
            N_("Use: vxtray secret set smtp-password"),
        )
    return key if key.startswith("smtp.") else f"smtp.{key}"


def smtp_import_env(host: "OwnHost", args: argparse.Namespace, terminal: Terminal) -> int:
    """``smtp import-env FILE``: take over what VIGILANCE X kept in its env file; the password goes to the keyring."""
    from vxtray.core.credentials import Secret, smtp_account

    variables = _variables(_read(terminal.path(args.file)).decode("utf-8-sig", errors="replace"))
    changes: dict[str, object] = {key: variables[name] for name, key in _ENV_KEYS.items() if variables.get(name)}
    password = variables.get("SMTP_PASSWORD", "")
    if not changes and not password:
        raise UsageError(
            N_("{path} holds none of the SMTP_… variables."),
            N_("Expected are lines such as SMTP_HOST=smtp.example.com."),
            path=args.file,
        )
    if "smtp.security" in changes:
        word = str(changes["smtp.security"]).strip().lower()
        if word not in _SECURITY_WORDS:
            allowed, choices = N_("it must be one of {choices}"), ", ".join(_SECURITY_WORDS)
            raise SettingsInvalid(key="SMTP_SECURITY", value=word, allowed=allowed, choices=choices)
        changes["smtp.security"] = _SECURITY_WORDS[word]
    if "<" in str(changes.get("smtp.from_address", "")):
        name, changes["smtp.from_address"] = parseaddr(str(changes["smtp.from_address"]))
        if name:
            changes["smtp.from_name"] = name
    smtp = host.lenient_settings().smtp
    changes = _with_usual_port(changes, smtp)
    if password:  # first the keyring: where it refuses, nothing is changed
        taken = {key.removeprefix("smtp."): keys.convert(key, value) for key, value in changes.items()}
        account = smtp_account(msgspec.structs.replace(smtp, **taken))
        host.credentials.set(account, Secret(password))
        note_secret(host, account.name)
    settings = _update(host, changes, args, terminal, "mail")
    if args.json:
        terminal.document({**msgspec.to_builtins(settings.smtp), "password_stored": bool(password)})
    else:
        terminal.say(_("{n} settings taken over.", n=len(changes)))
        if password:
            terminal.say(_("The password is in the keyring. Delete it from {path} now.", path=args.file))
    return 0


def _variables(text: str) -> dict[str, str]:
    """Return the assignments of an env file: ``NAME=value``, also with ``export`` and quotes; ``#`` is a comment."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if quoted := _QUOTED.fullmatch(value):
            value = quoted[2]
        elif " #" in value:
            value = value[: value.index(" #")].rstrip()
        found[name.strip()] = value
    return found


def secret_set(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``secret set NAME``: standard input into the keyring."""
    from vxtray.core.credentials import Secret, without_line_break

    account = _account(host.settings(), args.name)
    text = without_line_break(terminal.read_secret(_("{name}: ", name=args.name)))
    if not text:
        raise UsageError(N_("Nothing came on standard input."), N_("Pipe the secret in, or type it when asked."))
    if "\0" in text or "\n" in text:
        raise UsageError(N_("A secret is one line."))
    host.credentials.set(account, Secret(text))
    note_secret(host, args.name)
    args.nudge = "mail"
    if args.json:
        terminal.document({"stored": str(account)})
    return 0


def secret_forget(host: "Host", args: argparse.Namespace, terminal: Terminal) -> int:
    """``secret forget NAME``: delete it; exit status 1 where there was none."""
    account = _account(host.settings(), args.name)
    found = host.credentials.forget(account)
    note_secret(host, args.name)
    args.nudge = "mail"
    if args.json:
        terminal.document({"forgotten": found})
    if not found:
        terminal.note(_("No secret was stored for {account}.", account=account))
    return 0 if found else 1


def note_secret(host: "Host", name: str, user: str = "") -> None:
    """Put on record that a pause because of the old secret is over, though no program may run now."""
    from vxtray.core.mail.fingerprint import secret_changed

    try:
        secret_changed(host.profile.state, name, user)
    except OSError as error:
        raise FileNotWritten(path=host.profile.state, reason=error.strerror or str(error)) from error


_SECRETS = (
    *("smtp-password", "oauth-client-secret", "vigilancex-password", "clickhouse-password"),
    "store-clickhouse-password",
)


def _account(settings: Settings, name: str) -> "Account":
    from vxtray.core.credentials import Account, smtp_account

    if name == "smtp-password":
        return smtp_account(settings.smtp)
    if name == "oauth-client-secret":
        from vxtray.core.credentials import client_secret_account
        from vxtray.core.mail.oauth.endpoints import provider_of

        return client_secret_account(settings.smtp, provider_of(settings.smtp.oauth).host)
    if name == "vigilancex-password":
        source = settings.sources.vigilancex
        return Account(name, source.username, source.url)
    if name == "clickhouse-password":
        clickhouse = settings.sources.clickhouse
        return Account(name, clickhouse.username, clickhouse.url)
    if name == "store-clickhouse-password":
        store = settings.store.clickhouse
        return Account(name, store.username, store.url)
    raise UsageError(N_("There is no secret {name}."), N_("Known are {names}."), name=name, names=", ".join(_SECRETS))


def _assignments(words: list[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UsageError(N_("“{word}” is not KEY=VALUE."), word=word)
        found[key.strip()] = value
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(path=path, reason=error.strerror or str(error)) from error


def _print_tree(tree: Mapping[str, object], args: argparse.Namespace, terminal: Terminal, prefix: str = "") -> None:
    if args.json:
        terminal.document(tree)
        return
    for key, value in keys.flatten(tree, prefix):
        terminal.say(f"{key} = {_text(value)}")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(item if isinstance(item, str) else str(msgspec.json.encode(item), "utf-8") for item in value)
    return str(value)
