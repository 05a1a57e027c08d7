"""``smtp sign-in`` and ``smtp sign-out``: signing in with Microsoft, Google or another OAuth 2.0 provider.

In this process, for the browser belongs to the person's session; a running program is nudged and sends what waited.
"""

import argparse
from typing import TYPE_CHECKING

import msgspec

from vxtray.cli.settings import note_secret
from vxtray.cli.terminal import Terminal
from vxtray.core import texts
from vxtray.core.errors import N_, NotConfigured, UsageError, VxtrayError
from vxtray.core.settings.tree import Auth, Smtp
from vxtray.core.texts import _

if TYPE_CHECKING:
    from vxtray.app import OwnHost
    from vxtray.core.credentials import Secret
    from vxtray.core.mail.oauth.device import Code
    from vxtray.core.mail.oauth.flow import Granted


class WrongAccount(UsageError):
    """Another account signed in than the one that is set. Values: signed_in, username."""

    title = N_("{signed_in} signed in, but the user name is {username}. Nothing was kept.")
    advice = N_("Sign in with the other account, or first set this one: vxtray smtp set username={signed_in}")


def sign_in(host: "OwnHost", args: argparse.Namespace, terminal: Terminal) -> int:
    """``smtp sign-in PROVIDER``: in the system browser, or by a code with ``--device-code``."""
    from vxtray.core.mail.faults import MailError
    from vxtray.core.mail.fingerprint import SIGNED_IN
    from vxtray.core.mail.oauth.endpoints import provider_of
    from vxtray.core.mail.oauth.tokens import TokenKeeper, client_secret

    before = host.lenient_settings().smtp
    oauth = msgspec.structs.replace(before.oauth, provider=args.provider)
    smtp = msgspec.structs.replace(before, auth=Auth.OAUTH, oauth=oauth)
    provider = provider_of(oauth)
    terminal.note(_("Signing in with {provider}.", provider=_(provider.title)))
    secret = client_secret(host.credentials, smtp)
    try:
        granted = _by_code(smtp, secret, terminal) if args.device_code else _in_browser(smtp, secret, terminal)
    except MailError as error:
        for line in getattr(error, "details", ()):
            terminal.note(_("Details: {details}", details=line))
        raise
    if smtp.username and (other := TokenKeeper.mismatch(smtp, granted)):
        raise WrongAccount(signed_in=other, username=smtp.username)
    changes = _changes(before, smtp, granted)
    wanted = {key.removeprefix("smtp."): value for key, value in changes.items() if not key.startswith("smtp.oauth.")}
    host.tokens.store(msgspec.structs.replace(smtp, **wanted), granted)  # first the keyring: it may refuse
    username = str(changes.get("smtp.username", smtp.username))
    note_secret(host, SIGNED_IN, granted.signed_in_as or username)
    host.update(changes)
    args.nudge = "mail"
    if args.json:
        terminal.document(
            {
                "ok": True,
                "provider": args.provider,
                "username": username,
                "signed_in_as": granted.signed_in_as,
                "changed": msgspec.to_builtins(changes),
            }
        )
        return 0
    terminal.say(_("Signed in as {username}. Mails leave with this sign-in from now on.", username=username))
    if not granted.signed_in_as:
        terminal.note(_("The provider does not say which account signed in: make sure that it was this one."))
    return 0


def _changes(before: Smtp, smtp: Smtp, granted: "Granted") -> dict[str, object]:
    """Return the settings that a sign-in brings along: the way to sign in, and what was still empty."""
    from vxtray.core.mail.oauth.endpoints import provider_of

    changes: dict[str, object] = {"smtp.auth": Auth.OAUTH, "smtp.oauth.provider": smtp.oauth.provider}
    username = before.username or granted.signed_in_as
    if not username:
        raise NotConfigured(
            N_("The provider does not say which account signed in, and no user name is set. Nothing was kept."),
            N_("First set it: vxtray smtp set username=…"),
        )
    if not before.username:
        changes["smtp.username"] = username
    if not before.from_address:
        changes["smtp.from_address"] = username
    servers = provider_of(smtp.oauth).servers
    if not before.host and servers:
        server = servers[0]
        changes |= {"smtp.host": server.host, "smtp.port": server.port, "smtp.security": server.security}
    return changes


def _in_browser(smtp: Smtp, secret: "Secret | None", terminal: Terminal) -> "Granted":
    from vxtray.core.mail.oauth.flow import sign_in as flow
    from vxtray.core.mail.transport import Cutoff

    def told(url: str) -> None:
        terminal.note(_("The browser opens this address; if it does not, open it yourself on this computer:"))
        terminal.note(url)

    return flow(smtp, secret, on_url=told, cutoff=Cutoff())


def _by_code(smtp: Smtp, secret: "Secret | None", terminal: Terminal) -> "Granted":
    from vxtray.core.mail.oauth.device import sign_in_with_code
    from vxtray.core.mail.transport import Cutoff

    def told(code: "Code") -> None:
        until = texts.format_datetime(code.expires_at, texts.current())
        terminal.note(_("Open {url} on any device and enter the code {code}.", url=code.url, code=code.user_code))
        terminal.note(_("The code is valid until {time}.", time=until))

    return sign_in_with_code(smtp, secret, on_code=told, cutoff=Cutoff())


def sign_out(host: "OwnHost", args: argparse.Namespace, terminal: Terminal) -> int:
    """``smtp sign-out``: end the sign-in; with OAuth as the way to sign in, mails then wait."""
    from vxtray.core.mail.fingerprint import SIGNED_OUT

    smtp = host.lenient_settings().smtp
    if smtp.auth is not Auth.OAUTH:
        raise VxtrayError(N_("Nobody is signed in by OAuth here."), N_("“vxtray smtp show” says how mails are sent."))
    revoked = host.tokens.sign_out(smtp)
    note_secret(host, SIGNED_OUT, smtp.username)
    args.nudge = "mail"
    if args.json:
        terminal.document({"ok": True, "username": smtp.username, "revoked": revoked})
        return 0
    terminal.say(_("{username} is signed out; mails wait until somebody signs in.", username=smtp.username))
    if not revoked:
        terminal.note(_("The provider cannot be told; you may remove vxtray's access in the account itself."))
    return 0
