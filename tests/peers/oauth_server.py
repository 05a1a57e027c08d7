"""An OAuth 2.0 server on loopback for the tests: strict about PKCE, redirect and state, with every way to fail.

RFC 6749, 7009, 7636, 8252, 8628, 9207; refresh tokens rotate, and one that is used twice ends its whole family (RFC
9700, section 4.14). The fixture ``oauth_server`` runs one; ``as_browser`` is the ``BROWSER`` that follows redirects.
"""

import base64
import contextlib
import hashlib
import json
import secrets
import shlex
import socket
import ssl
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from vxtray.core.settings.tree import OAuth

ACCOUNT = "reports@example.com"
CLIENT_ID = "11111111-2222-3333-4444-555555555555"
SCOPES = ("https://outlook.office.com/SMTP.Send", "offline_access", "openid", "email", "profile")
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"

#: The value of BROWSER: a program that follows the redirects, as a browser with an approving person does.
BROWSER = f"{shlex.quote(sys.executable)} {shlex.quote(str(Path(__file__).with_name('browser.py')))} %s"


class Refused(Exception):
    """An answer of the token endpoint that is an error (RFC 6749, section 5.2)."""

    def __init__(self, error: str, status: int = 400, **more: object) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, "error_description": f"{error} was said by the tests' server", **more}


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    method: str
    path: str
    params: dict[str, str]


@dataclass
class Family:
    """The refresh tokens that go back to one sign-in; only the newest is good."""

    account: str
    client_id: str
    alive: bool = True


@dataclass
class Access:
    """An access token."""

    account: str
    ends: float


@dataclass
class DeviceCode:
    """A code that waits to be typed; ``account`` is set once it was."""

    user_code: str
    ends: float
    account: str = ""
    denied: bool = False


@dataclass
class Entered:
    """An authorisation request that was checked, and waits for its code to be redeemed."""

    client_id: str
    redirect_uri: str
    challenge: str
    scope: str
    nonce: str
    account: str
    used: bool = False
    family: Family | None = None


class OAuthServer:
    """The server. What a test sets decides how the person and the provider behave.

    ``account`` approves; ``deny`` is the error with which the authorisation is refused instead; ``redirect_params``
    replaces parameters of the redirect (None removes one). ``token_faults`` are used up one by one by the token
    endpoint: ``500``, ``hang``, ``garbage``, ``huge``, ``drip``, ``redirect``, ``reset``, ``lost`` (done, but no
    answer is sent), or any OAuth error value. ``claims`` are put over those of the ID token (None: no ID token at all).
    ``rotate`` and ``reuse_ends`` can be switched off: Google does not rotate, with Microsoft former tokens stay good.
    ``registered`` is the app's redirect URI; any port of this machine behind it is good.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.account = ACCOUNT
        self.client_id = CLIENT_ID
        self.client_secret = ""
        self.registered = "http://localhost"
        self.lifetime: object = 3600
        self.rotate = True
        self.reuse_ends = True
        self.refresh_length = 60
        self.deny = ""
        self.redirect_params: dict[str, str | None] = {}
        self.claims: dict[str, object] | None = {}
        self.answer: dict[str, object] = {}
        self.token_faults: deque[str] = deque()
        self.error_details: dict[str, object] = {}
        self.refresh_seconds = 0.0
        self.device_interval: object = 0
        self.device_lifetime = 600
        self.device_error = ""
        self.slow_down = 0
        self.polled: list[float] = []
        self.reused = 0
        self.asked: list[Asked] = []
        self.issued: list[str] = []
        self.released = threading.Event()
        self._lock = threading.RLock()
        self._sessions: dict[str, dict[str, str]] = {}
        self._codes: dict[str, Entered] = {}
        self._refresh: dict[str, tuple[Family, bool]] = {}
        self._access: dict[str, Access] = {}
        self._devices: dict[str, DeviceCode] = {}
        owner = self

        class Handler(_Handler):
            server_object = owner

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        if tls is not None:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
            self.url = f"https://localhost:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="oauth-server", daemon=True)
        self._thread.start()

    # --- what tests use ----------------------------------------------------------------------------------------------

    @property
    def revoke_url(self) -> str:
        return f"{self.url}/revoke"

    def settings(self, **changes: Any) -> OAuth:
        """Return the settings that lead here."""
        usual: dict[str, Any] = {
            "provider": "custom",
            "client_id": self.client_id,
            "authorize_url": f"{self.url}/authorize",
            "token_url": f"{self.url}/token",
            "device_url": f"{self.url}/device",
            "scopes": SCOPES,
        }
        return OAuth(**usual | changes)

    def accepts(self, access_token: str) -> str:
        """Return whose valid access token this is, empty for none: what a mail server asks."""
        with self._lock:
            found = self._access.get(access_token)
            return found.account if found is not None and time.monotonic() < found.ends else ""

    def expire_access_tokens(self) -> None:
        """End every access token that is out, as in the middle of a burst."""
        with self._lock:
            for one in self._access.values():
                one.ends = 0.0

    def revoke_everything(self) -> None:
        """Do what an administrator or a new password does: no token is good any more."""
        with self._lock:
            for family, _newest in self._refresh.values():
                family.alive = False
            self.expire_access_tokens()

    def grant(self, account: str = "") -> str:
        """Return a refresh token without going through a sign-in."""
        with self._lock:
            return self._new_refresh(Family(account or self.account, self.client_id))

    def is_alive(self, refresh_token: str) -> bool:
        """Return whether this refresh token is the newest of a family that was not revoked."""
        with self._lock:
            family, newest = self._refresh.get(refresh_token, (Family("", "", alive=False), False))
            return family.alive and newest

    def type_code(self, user_code: str, account: str = "", *, deny: bool = False) -> None:
        """Do what the person does with a device code."""
        with self._lock:
            found = next(one for one in self._devices.values() if one.user_code == user_code)
            found.account, found.denied = account or self.account, deny

    def requests(self, path: str) -> list[Asked]:
        """Return the requests to a path, in their order."""
        with self._lock:
            return [one for one in self.asked if one.path == path]

    def refreshes(self) -> int:
        """Return how many refreshes were asked for."""
        return sum(one.params.get("grant_type") == "refresh_token" for one in self.requests("/token"))

    def close(self) -> None:
        self.released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    # --- the endpoints -----------------------------------------------------------------------------------------------

    def authorize(self, params: dict[str, str]) -> str:
        """Check an authorisation request and return the address of the page that asks for consent."""
        if params.get("client_id") != self.client_id:
            raise Refused("unauthorized_client")
        if not self._redirect_allowed(params.get("redirect_uri", "")):
            raise Refused("invalid_request", reason="redirect_uri")
        if params.get("response_type") != "code" or len(params.get("state", "")) < 16:
            raise Refused("invalid_request", reason="response_type or state")
        if params.get("code_challenge_method") != "S256" or len(params.get("code_challenge", "")) != 43:
            raise Refused("invalid_request", reason="PKCE is required")
        session = secrets.token_urlsafe(12)
        with self._lock:
            self._sessions[session] = params
        return f"{self.url}/consent?{urlencode({'session': session})}"

    def consent(self, params: dict[str, str]) -> str:
        """Approve (or refuse) at once and return where the browser goes next."""
        with self._lock:
            request = self._sessions.pop(params.get("session", ""), None)
        if request is None:
            raise Refused("invalid_request", reason="session")
        back: dict[str, str | None] = {"state": request["state"], "iss": self.url}
        if self.deny:
            back |= {"error": self.deny, "error_description": "no <b>way</b>"}
        else:
            back["code"] = self.code_for(request)
        back |= self.redirect_params
        return f"{request['redirect_uri']}?{urlencode({k: v for k, v in back.items() if v is not None})}"

    def code_for(self, request: dict[str, str]) -> str:
        """Return a code for a checked authorisation request."""
        code = self._secret(40)
        with self._lock:
            self._codes[code] = Entered(
                request["client_id"],
                request["redirect_uri"],
                request["code_challenge"],
                request.get("scope", ""),
                request.get("nonce", ""),
                self.account,
            )
        return code

    def token(self, params: dict[str, str]) -> dict[str, object]:
        """Redeem a code, a device code or a refresh token."""
        if params.get("client_id") != self.client_id:
            raise Refused("unauthorized_client")
        if self.client_secret and params.get("client_secret") != self.client_secret:
            raise Refused("invalid_client", 401)
        kind = params.get("grant_type", "")
        with self._lock:
            if kind == "authorization_code":
                return self._redeem_code(params)
            if kind == "refresh_token":
                return self._refreshed(params)
            if kind == DEVICE_GRANT:
                return self._redeem_device(params)
        raise Refused("unsupported_grant_type")

    def device(self, params: dict[str, str]) -> dict[str, object]:
        """Begin a sign-in by code."""
        if params.get("client_id") != self.client_id:
            raise Refused("unauthorized_client")
        if self.device_error:
            raise Refused(self.device_error)
        code, user_code = self._secret(40), f"{secrets.token_hex(2)}-{secrets.token_hex(2)}".upper()
        with self._lock:
            self._devices[code] = DeviceCode(user_code, time.monotonic() + self.device_lifetime)
        page = f"{self.url}/enter"
        answer = {"device_code": code, "user_code": user_code, "verification_uri": page}
        return answer | {"expires_in": self.device_lifetime, "interval": self.device_interval} | self.answer

    def revoke(self, params: dict[str, str]) -> dict[str, object]:
        """End the family of a token."""
        with self._lock:
            if found := self._refresh.get(params.get("token", "")):
                found[0].alive = False
        return {}

    def _redirect_allowed(self, uri: str) -> bool:
        parts, known = urlsplit(uri), urlsplit(self.registered)
        same = (parts.scheme, parts.hostname, parts.path) == (known.scheme, known.hostname, known.path)
        return same and parts.port is not None and not parts.query and not parts.fragment

    def _redeem_code(self, params: dict[str, str]) -> dict[str, object]:
        entered = self._codes.get(params.get("code", ""))
        if entered is None or entered.client_id != params["client_id"]:
            raise Refused("invalid_grant", **self.error_details)
        if entered.used:  # RFC 6749, section 4.1.2: what the first use brought ends, too
            if entered.family is not None:
                entered.family.alive = False
            raise Refused("invalid_grant")
        if entered.redirect_uri != params.get("redirect_uri"):
            raise Refused("invalid_grant", reason="redirect_uri")
        digest = hashlib.sha256(params.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != entered.challenge:
            raise Refused("invalid_grant", reason="code_verifier")
        entered.used = True
        entered.family = Family(entered.account, entered.client_id)
        return self._tokens(entered.family, self._new_refresh(entered.family), entered.scope, entered.nonce)

    def _refreshed(self, params: dict[str, str]) -> dict[str, object]:
        token = params.get("refresh_token", "")
        family, newest = self._refresh.get(token, (None, False))
        if family is None or not family.alive or family.client_id != params["client_id"]:
            raise Refused("invalid_grant", **self.error_details)
        if not newest:
            self.reused += 1
            if self.reuse_ends:
                family.alive = False
                raise Refused("invalid_grant", reason="used twice")
        if self.rotate:
            self._refresh[token] = (family, False)
            token = self._new_refresh(family)
            return self._tokens(family, token, params.get("scope", ""), "")
        answer = self._tokens(family, token, params.get("scope", ""), "")
        del answer["refresh_token"]
        return answer

    def _redeem_device(self, params: dict[str, str]) -> dict[str, object]:
        found = self._devices.get(params.get("device_code", ""))
        if found is None:
            raise Refused("invalid_grant")
        now = time.monotonic()
        self.polled.append(now)
        if now > found.ends:
            raise Refused("expired_token")
        if found.denied:
            raise Refused("access_denied")
        if self.slow_down:
            self.slow_down -= 1
            raise Refused("slow_down")
        if not found.account:
            raise Refused("authorization_pending")
        del self._devices[params["device_code"]]
        family = Family(found.account, params["client_id"])
        return self._tokens(family, self._new_refresh(family), "", "")

    def _tokens(self, family: Family, refresh: str, scope: str, nonce: str) -> dict[str, object]:
        access = self._secret(48)
        seconds = self.lifetime if isinstance(self.lifetime, int) else 3600
        self._access[access] = Access(family.account, time.monotonic() + seconds)
        answer: dict[str, object] = {"token_type": "Bearer", "access_token": access, "refresh_token": refresh}
        answer |= {"expires_in": self.lifetime} if self.lifetime is not None else {}
        answer |= {"scope": scope} if scope else {}
        if self.claims is not None:
            claims = {"iss": self.url, "aud": family.client_id, "email": family.account, "sub": "1"}
            answer["id_token"] = id_token(claims | ({"nonce": nonce} if nonce else {}) | self.claims)
        return answer | self.answer

    def _new_refresh(self, family: Family) -> str:
        token = self._secret(self.refresh_length)
        self._refresh[token] = (family, True)
        return token

    def _secret(self, length: int) -> str:
        """Return a random text and remember it, so that a test can look for it everywhere."""
        text = secrets.token_urlsafe(length)[:length]
        self.issued.append(text)
        return text


def id_token(claims: dict[str, object]) -> str:
    """Return claims as an unsigned JWT: over TLS from the token endpoint, nobody checks the signature."""
    parts = ({"alg": "none"}, {k: v for k, v in claims.items() if v is not None})
    return ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in parts) + "."


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server_object: OAuthServer
    timeout = 30

    def do_GET(self) -> None:
        path, params = self._read(urlsplit(self.path).query)
        pages = {"/authorize": self.server_object.authorize, "/consent": self.server_object.consent}
        if path not in pages:
            self._send(404, b"nothing here", "text/plain")
            return
        try:
            self._send(302, b"", "text/plain", Location=pages[path](params))
        except Refused as no:
            self._send(no.status, json.dumps(no.body).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path, params = self._read(body)
        server = self.server_object
        if path == "/token" and params.get("grant_type") == "refresh_token" and server.refresh_seconds:
            server.released.wait(server.refresh_seconds)
        fault = server.token_faults.popleft() if path == "/token" and server.token_faults else ""
        if fault and self._fail(fault):
            return
        pages = {"/token": server.token, "/device": server.device, "/revoke": server.revoke}
        try:
            if fault and fault != "lost":
                raise Refused(fault, **server.error_details)
            answer = json.dumps(pages[path](params)).encode()
        except Refused as no:
            self._send(no.status, json.dumps(no.body).encode())
            return
        if fault == "lost":
            self._reset()
            return
        self._send(200, answer)

    def _read(self, query: str) -> tuple[str, dict[str, str]]:
        path, params = urlsplit(self.path).path, dict(parse_qsl(query, keep_blank_values=True))
        with self.server_object._lock:
            self.server_object.asked.append(Asked(self.command, path, params))
        return path, params

    def _fail(self, fault: str) -> bool:
        """Do one of the faults that are no OAuth answer; False where it is one."""
        if fault == "hang":
            self.server_object.released.wait(60)
        elif fault == "drip":
            self._drip()
        elif fault == "500":
            self._send(500, b"<html>Internal Server Error</html>", "text/html")
        elif fault == "garbage":
            self._send(200, b"\x00\xff{" + b"[" * 60_000)
        elif fault == "huge":
            self._send(200, b'{"access_token": "' + b"x" * 3_000_000 + b'"}')
        elif fault == "redirect":
            self._send(307, b"", Location=f"{self.server_object.url}/stolen")
        elif fault == "reset":
            self._reset()
        else:
            return False
        return True

    def _drip(self) -> None:
        """Send a header without end, a little at a time."""
        self.close_connection = True
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not self.server_object.released.wait(0.05):
                self.wfile.write(b"x")
        except OSError:
            pass

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _send(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        self.close_connection = True
        try:
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # the other side went away, as it should for some of the faults
            pass

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # reset on purpose
            super().finish()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def oauth_server() -> Iterator[OAuthServer]:
    """Run an OAuth server of the test's own."""
    server = OAuthServer()
    yield server
    server.close()


@pytest.fixture
def as_browser(monkeypatch: pytest.MonkeyPatch) -> str:
    """Have the system's browser be the script that follows redirects."""
    monkeypatch.setenv("BROWSER", BROWSER)
    return BROWSER
