"""Signing in through the system browser: authorisation code with PKCE and a redirect to this machine.

RFC 6749 section 4.1, RFC 7636, RFC 8252, RFC 9207. On the caller's thread, for at most ``limit_seconds``; the browser
command runs on a daemon thread ``vx-browser``, for it may last as long as the browser.

Other programs of this machine can reach the listener, and see the address (with ``state``) on the browser's command
line. Without the verifier they cannot redeem our code; one of their own is refused for its PKCE challenge, and one that
they had made for our challenge names another account than the profile's, which ``TokenKeeper.mismatch`` tells.
"""

import os
import secrets
import threading
from collections.abc import Callable
from typing import TypeVar

from vxtray.core.credentials import Secret, conceal
from vxtray.core.errors import N_, NotConfigured, VxtrayError
from vxtray.core.mail.oauth import exchange, faults
from vxtray.core.mail.oauth.endpoints import issued_by, provider_of
from vxtray.core.mail.oauth.errand import Errand, Line
from vxtray.core.mail.oauth.exchange import Registration
from vxtray.core.mail.oauth.granted import Granted
from vxtray.core.mail.oauth.loopback import Callback, Listener
from vxtray.core.mail.transport import Cutoff
from vxtray.core.settings.tree import Smtp

__all__ = ["LIMIT_SECONDS", "BrowserMissing", "Granted", "sign_in", "system_browser"]

LIMIT_SECONDS = 300

T = TypeVar("T")


class BrowserMissing(VxtrayError):
    """No browser could be opened."""

    title = N_("No browser could be opened on this computer.")
    advice = N_("Open the address yourself, or sign in by code where the provider allows it.")


def system_browser(url: str) -> None:
    """Open an address in the browser that ``BROWSER`` names, else the system's. Raises ``BrowserMissing``.

    Some commands last as long as the browser. ``BROWSER`` is read each time; webbrowser reads it once.
    """
    import shlex
    import webbrowser

    for command in filter(None, os.environ.get("BROWSER", "").split(os.pathsep)):
        words = shlex.split(command)
        browser = webbrowser.GenericBrowser(words if "%s" in command else [*words, "%s"])
        if browser.open(url):
            return
    if not webbrowser.open(url):
        raise BrowserMissing


def sign_in(
    smtp: Smtp,
    client_secret: Secret | None,
    *,
    open_browser: Callable[[str], None] = system_browser,
    on_url: Callable[[str], None] | None = None,
    cutoff: Cutoff,
    limit_seconds: float = LIMIT_SECONDS,
) -> Granted:
    """Have the person sign in and return what the provider grants; nothing is stored.

    ``on_url`` is told the address, so that it can be opened by hand where no browser comes up; without it that is
    ``BrowserMissing``. Raises ``MailError`` (``SignInRefused`` where the provider or the person said no),
    ``NotConfigured``; after ``cutoff.cut()`` ``SignInCancelled``.
    """
    provider = provider_of(smtp.oauth)
    if not provider.authorize_url:
        raise NotConfigured(
            N_("An address of the provider is missing: {key}."),
            N_("Enter what the provider names."),
            key="smtp.oauth.authorize_url",
        )
    who = Registration(provider, smtp, client_secret)
    state, nonce, verifier = (secrets.token_urlsafe(size) for size in (32, 24, 64))
    conceal(verifier)
    with _listener(state, who) as listener:
        redirect_uri = listener.redirect_uri
        url = exchange.authorization_url(who, redirect_uri=redirect_uri, state=state, verifier=verifier, nonce=nonce)
        if on_url is not None:
            on_url(url)
        browser = _Browser(open_browser, url, needed=on_url is None)
        callback = _wait(listener, who, limit_seconds, lambda: cutoff.is_cut() or browser.failed)
        if callback is None:
            raise BrowserMissing if browser.failed and not cutoff.is_cut() else faults.cancelled()
    code = _code_in(callback, who)

    def redeem(line: Line) -> Granted:
        return exchange.redeem_code(who, line, code=code, verifier=verifier, redirect_uri=redirect_uri, nonce=nonce)

    return await_answer(Errand(redeem, smtp.timeout_seconds), who, cutoff)


def await_answer(errand: Errand[T], who: Registration, cutoff: Cutoff) -> T:
    """Return what an errand of a sign-in brings. Raises ``MailError``, once cut off ``SignInCancelled``."""
    try:
        return errand.result(cutoff.is_cut, abandon=True)
    except TimeoutError as fault:
        raise faults.unreachable(who.provider.host) from fault
    except ConnectionAbortedError as fault:
        raise faults.cancelled() from fault


def _listener(state: str, who: Registration) -> Listener:
    try:
        return Listener(state)
    except OSError as fault:
        raise faults.refused(
            N_("vxtray cannot wait for the browser: no port is free on this computer."),
            N_("End programs that hold many connections, or restart the computer; then sign in again."),
            who.provider.host,
            who.smtp.username,
        ) from fault


def _wait(listener: Listener, who: Registration, seconds: float, is_cut: Callable[[], bool]) -> Callback | None:
    """Return the redirect, None where the wait was cut. Raises ``SignInRefused`` when nobody signed in in time."""
    try:
        return listener.wait(seconds, is_cut)
    except ConnectionAbortedError:
        return None
    except TimeoutError as fault:
        raise faults.refused(
            N_("Nobody signed in in time."),
            N_(
                "Sign in again. If the browser showed an error about the redirect address, enter {redirect_uri} in the"
                " app registration."
            ),
            who.provider.host,
            who.smtp.username,
        ) from fault


def _code_in(callback: Callback, who: Registration) -> str:
    """Return the code of a redirect that answers this sign-in. Raises ``MailError``."""
    host, username, params = who.provider.host, who.smtp.username, callback.params
    issuer = params.get("iss", "")
    if not callback.state_matches or (issuer and not issued_by(who.provider, issuer)):
        raise faults.foreign(host, username)
    if "error" in params:
        raise faults.from_answer(params, host, username, refresh=False)
    if not params.get("code"):
        raise faults.foreign(host, username)
    return params["code"]


class _Browser:
    """Opens the browser on a thread of its own; ``failed`` where that is the end of the sign-in."""

    def __init__(self, open_browser: Callable[[str], None], url: str, *, needed: bool) -> None:
        self._open, self._url, self._needed = open_browser, url, needed
        self.failed = False
        threading.Thread(target=self._run, name="vx-browser", daemon=True).start()

    def _run(self) -> None:
        try:
            self._open(self._url)
        except Exception:  # noqa: BLE001 - whatever opens it; the words of the fault could hold the address
            self.failed = self._needed
