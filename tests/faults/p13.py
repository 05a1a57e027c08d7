"""P13: a tap in the wire between program and server sees no byte of a credential that is not protected by TLS."""

import base64
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import trustme

from tests.core.mail import hostile as h
from tests.core.mail.catalogue.case import World, forms, offers, over_starttls, over_tls, upgrade
from tests.core.mail.office import Post
from tests.core.mail.wire import DATA, PASSWORD, SENDER, TO, USER, settings
from tests.faults.promises import Measured, Run, promise
from vxtray.core.credentials import Secret
from vxtray.core.mail.faults import MailError
from vxtray.core.mail.smtp import send
from vxtray.core.settings.tree import Auth, OAuth, Security, Smtp

TOKEN = "canary-access-token-7f3b9"


class Tap:
    """Hands on what goes between a client and a server, byte by byte, and keeps all of it."""

    def __init__(self, port: int) -> None:
        self.seen = bytearray()
        self._server = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._sockets: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept, name="tap")]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._server))
            self._sockets += [near, far]
            for source, target in ((near, far), (far, near)):
                thread = threading.Thread(target=self._hand_on, args=(source, target), name="tap")
                self._threads.append(thread)
                thread.start()

    def _hand_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self.seen += data
                target.sendall(data)
        except OSError:
            pass
        finally:
            for one in (source, target):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def stop(self) -> None:
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(10)


def _weak(**options: object) -> Callable[[World], ssl.SSLContext]:
    """Return a context whose certificate must not be believed."""

    def made(world: World) -> ssl.SSLContext:
        authority = trustme.CA() if options.get("unknown") else world.authority
        names = ("other.example.net",) if options.get("other") else ("localhost", "127.0.0.1")
        late = datetime.now(UTC) - timedelta(days=30)
        more = {"not_before": late - timedelta(days=5), "not_after": late} if options.get("expired") else {}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names, **more).configure_cert(context)
        return context

    return made


_BOTH = b"250-mail.test\r\n250-AUTH LOGIN PLAIN XOAUTH2\r\n250 STARTTLS\r\n"
_NO_TLS = b"250-mail.test\r\n250 AUTH LOGIN PLAIN XOAUTH2\r\n"
_SIGN_INS = _NO_TLS  # within TLS it is no fault to offer no more of it
_TLS_FIRST = offers(after=_SIGN_INS)
_YES = b"235 2.7.0 welcome\r\n"

#: Servers and men in the middle that would like to have the password, and how they are asked.
WIRES: dict[str, tuple[Security, Callable[[World], Callable[[h.Talk], None]]]] = {
    "STARTTLS taken away": (Security.STARTTLS, lambda _w: h.script(EHLO=_NO_TLS)),
    "STARTTLS misspelt": (Security.STARTTLS, lambda _w: h.script(EHLO=_NO_TLS + b"250 XSTARTTLS\r\n")),
    "STARTTLS refused": (Security.STARTTLS, lambda _w: h.script(EHLO=_BOTH, STARTTLS=b"502 no\r\n")),
    "STARTTLS later": (Security.STARTTLS, lambda _w: h.script(EHLO=_BOTH, STARTTLS=b"454 later\r\n")),
    "STARTTLS answered by 250": (Security.STARTTLS, lambda _w: h.script(EHLO=_BOTH, STARTTLS=b"250 ok\r\n")),
    "a reply beside the 220": (
        Security.STARTTLS,
        lambda w: h.script(EHLO=_BOTH, STARTTLS=upgrade(w.tls(), b"220 go\r\n250 AUTH PLAIN\r\n")),
    ),
    "220 and no TLS": (Security.STARTTLS, lambda _w: h.script(EHLO=_BOTH, STARTTLS=b"220 go\r\n")),
    "already signed in": (Security.STARTTLS, lambda _w: h.script(greeting=b"220 x\r\n235 2.7.0 welcome\r\n")),
    "unknown authority": (Security.STARTTLS, over_starttls(_weak(unknown=True), EHLO=_TLS_FIRST)),
    "another name": (Security.STARTTLS, over_starttls(_weak(other=True), EHLO=_TLS_FIRST)),
    "expired": (Security.STARTTLS, over_starttls(_weak(expired=True), EHLO=_TLS_FIRST)),
    "TLS: unknown authority": (Security.TLS, over_tls(_weak(unknown=True), EHLO=_SIGN_INS)),
    "TLS: another name": (Security.TLS, over_tls(_weak(other=True), EHLO=_SIGN_INS)),
    "TLS: expired": (Security.TLS, over_tls(_weak(expired=True), EHLO=_SIGN_INS)),
    "TLS: spoken to in plain": (Security.TLS, lambda _w: h.script(greeting=b"220 x\r\n")),
    "good STARTTLS": (Security.STARTTLS, over_starttls(EHLO=_TLS_FIRST, AUTH=_YES)),
    "good TLS": (Security.TLS, over_tls(EHLO=_SIGN_INS, AUTH=_YES)),
}  # fmt: skip


@promise(
    "P13", "credentials on the wire", "0 bytes of one on a channel that is not verified and encrypted, in any case"
)
def p13(run: Run) -> Measured:
    rounds, seen, leaks, sent, done = run.amount(1, 25), 0, list[str](), 0, 0
    asks = (_by_password, _by_token)
    with run.room() as folder:
        world = World(folder, trustme.CA())
        while done < rounds and (not done or not run.over()):
            for name, (security, serve) in WIRES.items():
                for ask in asks:
                    wire, heard, accepted = _tapped(run, world, security, serve, ask)
                    seen += len(wire)
                    # Who is not who it should be must not hear them within TLS either.
                    told = wire if name.startswith("good") else wire + heard
                    leaks += [f"{name}: {form!r}" for form in _credentials() if form in told]
                    sent += accepted
            done += 1
        for ask in asks:
            plain, _heard, _accepted = _tapped(run, world, Security.NONE, lambda _w: h.script(EHLO=_NO_TLS), ask)
            assert any(form in plain for form in _credentials()), "the tap sees what is not protected"
    assert leaks or sent == 4 * done, "the good ones take the mail"
    words = (
        f"{len(leaks)} of {len(WIRES)} wires with a password or an access token on them, or heard by a false server,"
        f" {seen:,} bytes looked through;"
        " the tap finds both where nothing protects them"
    )
    return Measured(
        words, count=len(WIRES) * len(asks) * done, unit="sign-ins", ok=not leaks, detail={"leaks": leaks[:50]}
    )


def _credentials() -> list[bytes]:
    by_token = f"user={USER}\1auth=Bearer {TOKEN}\1\1".encode()
    whole = [*forms(PASSWORD), *forms(USER), TOKEN.encode(), base64.b64encode(by_token)]
    return [form for form in whole if len(form) > 5]


@contextmanager
def _tap(port: int) -> Iterator[Tap]:
    tap = Tap(port)
    try:
        yield tap
    finally:
        tap.stop()


def _tapped(
    run: Run,
    world: World,
    security: Security,
    serve: Callable[[World], Callable[[h.Talk], None]],
    ask: Callable[[Path, Smtp], bool],
) -> tuple[bytes, bytes, bool]:
    """Return all bytes of a delivery, what the server heard of it, and whether it took the mail."""
    with run.room("post") as folder, h.hostile(serve(world)) as server, _tap(server.port) as tap:
        smtp = settings(tap.port, security, username=USER, ca_file=world.ca_file, timeout_seconds=3 if run.full else 1)
        accepted = ask(folder, smtp)
        return bytes(tap.seen), bytes(server.heard), accepted


def _by_password(folder: Path, smtp: Smtp) -> bool:
    post = Post(folder, smtp, PASSWORD)
    post.add("k")
    ((_key, state),) = post.send()
    post.close()
    return state == "sent"


def _by_token(_folder: Path, smtp: Smtp) -> bool:
    oauth = OAuth(provider="microsoft", client_id="id")
    try:
        send(msgspec.structs.replace(smtp, auth=Auth.OAUTH, oauth=oauth), Secret(TOKEN), SENDER, TO, DATA)
    except MailError:
        return False
    return True
