"""Waits for the browser's one redirect on http://localhost:PORT (RFC 8252, section 7.3).

On the caller's thread, which serves all connections itself: browsers connect ahead, ask for icons, and may be slow. It
listens on 127.0.0.1 and ::1 only. What a request says is compared and handed on, never echoed, never logged.
"""

import base64
import contextlib
import hashlib
import hmac
import html
import selectors
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from vxtray.core.credentials import conceal
from vxtray.core.errors import N_
from vxtray.core.mail.transport import Deadline
from vxtray.core.texts import LANGUAGES, translate

#: Octets of a whole request; browsers send the cookies of every program that was ever on localhost.
_LARGEST_HEAD = 65536
_LONGEST_TARGET = 16384
_MOST_CONNECTIONS = 64
#: Seconds that one connection may take for its request, and for reading our answer.
_PATIENCE = 10.0
_FAREWELL = 2.0
_ATTEMPTS = 20


class Callback(msgspec.Struct, frozen=True):
    """What the redirect brought. ``state_matches`` is False for one that is not ours; each name came once."""

    params: dict[str, str]
    state_matches: bool


class BadRequest(ValueError):
    """A request that is none of ours; the first argument is the status to answer with."""

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return int(self.args[0])


def query_of(head: bytes, hosts: frozenset[str]) -> dict[str, str]:
    """Return the parameters of a redirect from a request's head (RFC 9112), for one of these Host values.

    Raises ``BadRequest``: 404 for anything that is not the redirect (an icon, the bare page), 405 for another method,
    400 for what is malformed, names a parameter twice, or is for another host (DNS rebinding).
    """
    try:
        line, *fields = head.decode("ascii").split("\r\n")
    except UnicodeDecodeError as fault:
        raise BadRequest(400) from fault
    method, _, rest = line.partition(" ")
    target, _, version = rest.partition(" ")
    if version not in {"HTTP/1.1", "HTTP/1.0"} or not target.startswith("/") or len(target) > _LONGEST_TARGET:
        raise BadRequest(400)
    named = [
        value.strip().lower() for name, _, value in (one.partition(":") for one in fields) if name.lower() == "host"
    ]
    if len(named) != 1 or named[0] not in hosts:
        raise BadRequest(400)
    path, _, query = target.partition("?")
    if path != "/":
        raise BadRequest(404)
    if method != "GET":
        raise BadRequest(405)
    return _once(query)


def _once(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=50, errors="replace")
    except ValueError as fault:
        raise BadRequest(400) from fault
    params = dict(pairs)
    if not params.keys() & {"code", "error", "state"}:
        raise BadRequest(404)
    if len(params) != len(pairs):  # RFC 6749, section 3.1: none may be there twice
        raise BadRequest(400)
    return params


class Listener:
    """Listens from the moment it is made; ``redirect_uri`` is what the provider is told. A context manager."""

    def __init__(self, state: str) -> None:
        """``state`` is what the redirect must bring back. Raises ``OSError`` where no port can be had."""
        self._state = state
        self._sockets = _listening()
        self.port = int(self._sockets[0].getsockname()[1])
        self._hosts = frozenset(f"{name}:{self.port}" for name in ("localhost", "127.0.0.1", "[::1]"))
        self._selector = selectors.DefaultSelector()
        self._open: dict[socket.socket, _Connection] = {}
        self._callback: Callback | None = None
        for one in self._sockets:
            self._selector.register(one, selectors.EVENT_READ, partial(self._accept, one))

    @property
    def redirect_uri(self) -> str:
        """Return the address to send the browser back to."""
        return f"http://localhost:{self.port}"

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_fault: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening, and end what is open."""
        for connection in list(self._open.values()):
            self._drop(connection)
        self._close_listeners()
        self._selector.close()

    def wait(self, seconds: float, is_cut: Callable[[], bool] = lambda: False) -> Callback:
        """Return the first redirect; whatever comes after it is refused.

        Raises ``TimeoutError`` after so many seconds, ``ConnectionAbortedError`` once ``is_cut``.
        """
        deadline = Deadline(seconds, is_cut)
        while self._callback is None:
            self._turn(deadline.slice())
        self._close_listeners()
        with contextlib.suppress(TimeoutError, ConnectionAbortedError):
            farewell = Deadline(_FAREWELL, is_cut)
            while any(one.answer is not None for one in self._open.values()):
                self._turn(farewell.slice())
        return self._callback

    def _turn(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            key.data()
        now = time.monotonic()
        for connection in [one for one in self._open.values() if one.end < now]:
            self._drop(connection)

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            raw, _peer = listening.accept()
            raw.setblocking(False)
            if len(self._open) >= _MOST_CONNECTIONS:  # the oldest: one that says nothing keeps nobody out
                self._drop(next(iter(self._open.values())))
            connection = self._open[raw] = _Connection(raw)
            self._selector.register(raw, selectors.EVENT_READ, partial(self._serve, connection))

    def _serve(self, connection: "_Connection") -> None:
        try:
            if connection.answer is None:
                self._read(connection)
            elif connection.answer:
                sent = connection.raw.send(connection.answer)
                connection.answer = connection.answer[sent:]
                if not connection.answer:  # the other side closes first, so that no reset overtakes the page
                    connection.raw.shutdown(socket.SHUT_WR)
                    self._listen_for(connection, selectors.EVENT_READ)
            elif not connection.raw.recv(_LARGEST_HEAD):
                self._drop(connection)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(connection)

    def _read(self, connection: "_Connection") -> None:
        piece = connection.raw.recv(_LARGEST_HEAD)
        if not piece:
            self._drop(connection)
            return
        connection.said += piece
        head, complete, _ = bytes(connection.said).partition(b"\r\n\r\n")
        if not complete and len(head) <= _LARGEST_HEAD:
            return
        connection.said.clear()
        connection.answer = self._answer(head) if complete and len(head) <= _LARGEST_HEAD else _page(400)
        connection.end = time.monotonic() + _FAREWELL
        self._listen_for(connection, selectors.EVENT_WRITE)

    def _listen_for(self, connection: "_Connection", events: int) -> None:
        self._selector.modify(connection.raw, events, partial(self._serve, connection))

    def _answer(self, head: bytes) -> bytes:
        try:
            params = query_of(head, self._hosts)
        except BadRequest as bad:
            return _page(bad.status)
        if self._callback is not None:
            return _page(410)
        conceal(params.get("code", ""))
        matches = hmac.compare_digest(params.get("state", "").encode(), self._state.encode())
        self._callback = Callback(params, matches)
        return _page(200 if matches and params.get("code") and "error" not in params else 403)

    def _drop(self, connection: "_Connection") -> None:
        self._open.pop(connection.raw, None)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.raw)
        connection.raw.close()

    def _close_listeners(self) -> None:
        for one in self._sockets:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(one)
            one.close()
        self._sockets = []


class _Connection:
    """One that the browser opened. ``answer`` is None until the request is whole, then what is still to be sent."""

    def __init__(self, raw: socket.socket) -> None:
        self.raw = raw
        self.said = bytearray()
        self.answer: bytes | None = None
        self.end = time.monotonic() + _PATIENCE


def _listening() -> list[socket.socket]:
    """Return sockets on one free port of 127.0.0.1 and, where this machine has it, ::1."""
    for _attempt in range(_ATTEMPTS):
        first = _bound(socket.AF_INET, "127.0.0.1", 0)
        port = int(first.getsockname()[1])
        try:
            return [first, _bound(socket.AF_INET6, "::1", port)]
        except OSError as fault:
            if _is_taken(fault):  # by somebody who would get the redirect of a browser that prefers IPv6
                first.close()
                continue
            return [first]
    raise OSError("no port is free on both 127.0.0.1 and ::1")


def _is_taken(fault: OSError) -> bool:
    import errno

    return fault.errno in {errno.EADDRINUSE, errno.EACCES, 10013, 10048}  # the last two are Windows' numbers


def _bound(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    raw = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if sys.platform == "win32":  # there, another program could otherwise share the port
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        raw.bind((address, port))
        raw.listen(_MOST_CONNECTIONS)
        raw.setblocking(False)
    except BaseException:
        raw.close()
        raise
    return raw


# --- the page --------------------------------------------------------------------------------------------------------

_TITLE = N_("Signing in to vxtray")
_SAID: dict[int, tuple[str, str]] = {
    200: (_TITLE, N_("The sign-in has reached vxtray. You can close this page and return to the program.")),
    403: (_TITLE, N_("The sign-in did not succeed; vxtray says why. You can close this page.")),
    410: (_TITLE, N_("This sign-in is over. To sign in once more, begin again in vxtray.")),
}
_OTHERWISE = (_TITLE, N_("There is nothing here."))
_REASONS = {200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 410: "Gone"}
_STYLE = (
    "body{font:1.1rem/1.6 system-ui,sans-serif;max-width:34rem;margin:16vh auto;padding:0 1.5rem;color:#1c2733;"
    "background:#fff}h1{font-size:1.35rem;font-weight:600}section+section{margin-top:2.5rem;padding-top:1rem;"
    "border-top:1px solid #ccd5de}@media(prefers-color-scheme:dark){body{color:#e6ebf0;background:#161c22}"
    "section+section{border-color:#3a4550}}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def _page(status: int) -> bytes:
    """Return a whole answer, in both languages, made of nothing but our own words."""
    title, text = _SAID.get(status, _OTHERWISE)
    sections = "".join(
        f'<section lang="{one}"><h1>{html.escape(translate(title, one))}</h1>'
        f"<p>{html.escape(translate(text, one))}</p></section>"
        for one in LANGUAGES
    )
    body = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>vxtray</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{sections}</body></html>"
    ).encode()
    fields: dict[str, Any] = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Length": len(body),
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
    }
    if status == 405:
        fields["Allow"] = "GET"
    head = f"HTTP/1.1 {status} {_REASONS[status]}\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in fields.items()
    )
    return head.encode("ascii") + b"\r\n" + body
