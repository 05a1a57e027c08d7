"""Talks to a VIGILANCE X server: sign-in, bounded answers, and what each refusal means. On its source's thread.

The server speaks JSON over HTTP under ``/api/v1``; a session lasts 24 hours and cannot be renewed, so it is begun anew
(``POST /auth/login``). Some paths need the server's licence and answer 402 without one. Nothing it says is trusted:
answers are bounded, redirects are not followed, and the password goes to the configured address only.
"""

import ipaddress
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from vxtray.core.credentials import Account, Secret, conceal
from vxtray.core.errors import N_, SourceError
from vxtray.core.mail.certificates import client_context
from vxtray.core.parsers import jsonvalues
from vxtray.core.settings.tree import VigilanceX

if TYPE_CHECKING:
    import httpx

NAME = "VIGILANCE X"

#: Seconds for a connection and for an answer; a search over many days takes the server a while.
_CONNECT, _ANSWER = 10.0, 60.0
_LARGEST = 32 * 1024 * 1024
_TOKEN = 8192
#: Sign-ins are limited to five a minute by the server's front.
_SIGN_IN_PAUSE = 15.0
#: A session is begun anew before it ends.
_EARLY_SECONDS = 300


class ServerAway(SourceError):
    """The server cannot be reached, or has a fault of its own; it is tried again. Values: source, reason."""

    title = N_("{source} cannot be reached: {reason}.")
    advice = N_("vxtray tries again by itself; check the address if it stays.")
    transient = True


class Unlicensed(SourceError):
    """The path needs a licence that the server does not have."""

    title = N_("{source} needs a licence for this.")


class PathFailed(SourceError):
    """The server answers this path with a fault of its own, while others may work. Values: source, reason."""

    title = N_("{source} has a fault of its own: {reason}.")
    transient = True


def account_of(settings: VigilanceX) -> Account:
    """Return whose password it is."""
    return Account("vigilancex-password", settings.username, settings.url)


def base_of(settings: VigilanceX) -> str:
    """Return the address of the interface, with ``/api/v1``. Raises ``SourceError`` for one that cannot be used.

    Without protection only an address of this machine is taken: the password would be read on the way.
    """
    parts = address_of(settings.url, NAME)
    path = parts.path.rstrip("/").removesuffix("/api/v1").rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}/api/v1"


def address_of(url: str, server: str) -> SplitResult:
    """Return the parts of a server's address, https where it names no scheme. Raises as ``base_of``."""
    text = url.strip()
    parts = urlsplit(text if "://" in text else f"https://{text}")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise SourceError(
            N_("The address of {server} cannot be used."),
            N_("Enter it as in a browser, such as https://server.example.com, without a user name."),
            server=server,
        )
    if parts.scheme == "http" and not _is_here(parts.hostname):
        raise SourceError(
            N_("The password would travel unprotected to {host}, so it was not sent."),
            N_("Use https://, and enter the server’s certificate as “Own CA” if it made it itself."),
            host=parts.hostname,
        )
    return parts


def reason_of(error: Exception) -> str:
    """Return the reason in one line: the system's own where there is one, without the layers that were around it."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    said = str((isinstance(cause, OSError) and cause.strerror) or cause or error)
    return " ".join(said.split())[:200] or type(error).__name__


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Server:
    """One server; a sign-in is made when it is needed. Not shared between threads; ``close`` ends it."""

    def __init__(self, settings: VigilanceX, password: Callable[[], Secret | None]) -> None:
        """``password`` is asked at each sign-in, and may raise ``CredentialError``. Raises as ``base_of``."""
        self._settings = settings
        self._password = password
        self._base = base_of(settings)
        self._client: httpx.Client | None = None
        self._token: Secret | None = None
        self._until = 0.0
        self._signed_in_at = 0.0
        #: How far the server's clock is before ours, in seconds, by its last answer.
        self.skew = 0.0

    def close(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def now(self) -> datetime:
        """Return what time it is there (UTC)."""
        return datetime.fromtimestamp(time.time() + self.skew, UTC)

    def get(self, path: str, **parameters: str | int) -> Any:
        """Return the decoded answer of a path that needs a sign-in.

        Raises ``ServerAway``, ``Unlicensed``, ``PathFailed``, ``SourceError`` where the account is refused, and
        ``CredentialError``.
        """
        if self._token is None or time.time() > self._until:
            self._sign_in()
        status, body = self._ask("GET", path, parameters=parameters)
        if status == 401:  # its secret changed, or it began anew
            self._sign_in()
            status, body = self._ask("GET", path, parameters=parameters)
        if status == 401:
            raise self._refused()
        if status == 402:
            raise Unlicensed(source=NAME)
        if status >= 500 or status in {404, 501}:
            raise PathFailed(source=NAME, reason=f"{path}: HTTP {status}")
        if status == 429:
            raise ServerAway(source=NAME, reason=N_("it asked for fewer questions"))
        if status != 200:
            raise PathFailed(source=NAME, reason=f"{path}: HTTP {status}")
        found = jsonvalues.load(body)
        if found is None:
            raise PathFailed(source=NAME, reason=f"{path}: no JSON")
        return found

    def _sign_in(self) -> None:
        wait = self._signed_in_at + _SIGN_IN_PAUSE - time.monotonic()
        if self._signed_in_at and wait > 0:
            raise ServerAway(source=NAME, reason=N_("the sign-in did not last"))
        self._token = None
        password = self._password()
        if password is None or not self._settings.username:
            raise SourceError(
                N_("No password is stored for {username} at the VIGILANCE X server."),
                N_("Enter it on the page “Sources”, or with: vxtray secret set vigilancex-password"),
                username=self._settings.username or "?",
            )
        account = {"username": self._settings.username, "password": password.reveal()}
        status, body = self._ask("POST", "/auth/login", json=account)
        self._signed_in_at = time.monotonic()
        if status in {400, 401, 403}:
            raise self._refused()
        said = jsonvalues.members(jsonvalues.load(body)) if status == 200 else {}
        token = said.get("token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or len(token) > _TOKEN:
            raise ServerAway(source=NAME, reason=f"/auth/login: HTTP {status}")
        conceal(token)
        self._token = Secret(token)
        ends = said.get("expires_at")
        known = isinstance(ends, int) and not isinstance(ends, bool)
        lasts = ends - self.now().timestamp() - _EARLY_SECONDS if known and isinstance(ends, int) else 3600.0
        self._until = time.time() + min(max(lasts, 60.0), 86_400.0)

    def _refused(self) -> SourceError:
        self._token = None
        return SourceError(
            N_("The VIGILANCE X server does not accept the account {username}."),
            N_("Check user name and password on the page “Sources”; the account must be active there."),
            username=self._settings.username,
        )

    def _ask(
        self, method: str, path: str, *, parameters: dict[str, str | int] | None = None, json: object = None
    ) -> tuple[int, str]:
        """Return status and body. Raises ``ServerAway``."""
        import httpx

        client = self._connected()
        headers = {"Authorization": f"Bearer {self._token.reveal()}"} if self._token else {}
        try:
            with client.stream(method, self._base + path, params=parameters, json=json, headers=headers) as answer:
                self._note_clock(answer.headers.get("date", ""))
                data = bytearray()
                for piece in answer.iter_bytes():
                    data += piece
                    if len(data) > _LARGEST:
                        raise PathFailed(source=NAME, reason=f"{path}: the answer is too large")
                return answer.status_code, data.decode("utf-8", "replace")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            self.close()
            raise ServerAway(source=NAME, reason=reason_of(error)) from error

    def _connected(self) -> "httpx.Client":
        import httpx

        if self._client is None:
            self._client = httpx.Client(
                verify=client_context(self._settings.ca_file),
                timeout=httpx.Timeout(_ANSWER, connect=_CONNECT),
                trust_env=False,
                follow_redirects=False,
                headers={"Accept": "application/json"},
            )
        return self._client

    def _note_clock(self, date: str) -> None:
        try:
            self.skew = parsedate_to_datetime(date).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return
