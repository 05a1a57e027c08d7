"""A mail server on loopback that does what a test tells it, and remembers every byte that it was told."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator

Answer = bytes | Callable[["Talk"], None]


class Gone(Exception):
    """The client closed the connection."""


class Talk:
    """One connection on the server's side."""

    def __init__(self, server: "Hostile", sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self._buffer = b""

    def say(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except OSError as fault:
            raise Gone from fault

    def hear(self, most: int = 65536) -> bytes:
        try:
            data = self.sock.recv(most)
        except OSError as fault:
            raise Gone from fault
        if not data:
            raise Gone
        self.server.heard += data
        return data

    def line(self) -> bytes:
        return self.until(b"\r\n")

    def until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            self._buffer += self.hear()
        line, _, self._buffer = self._buffer.partition(end)
        return line

    def upgrade(self, context: ssl.SSLContext) -> None:
        try:
            self.sock = context.wrap_socket(self.sock, server_side=True)
        except OSError as fault:
            raise Gone from fault


class Hostile:
    """Listens on a free port of loopback; each connection runs the script in a thread of its own.

    ``window`` bounds how many octets of a client's the system takes before the script reads them.
    """

    def __init__(self, script: Callable[[Talk], None], host: str = "127.0.0.1", window: int = 0) -> None:
        self._script = script
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        if window:  # inherited by what is accepted
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.port = int(self._listener.getsockname()[1])
        self.heard = bytearray()
        self.mail = b""
        self.mails: list[bytes] = []
        self.connections = 0
        #: Set when the test is over: what hangs wakes up.
        self.over = threading.Event()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="hostile")]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,), name="hostile")
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        talk = Talk(self, sock)
        with contextlib.suppress(Gone):
            self._script(talk)
        talk.sock.close()
        sock.close()

    def stop(self) -> None:
        self.over.set()
        # Closing alone does not wake a thread that waits in accept or recv.
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(10)


@contextlib.contextmanager
def hostile(script: Callable[[Talk], None], host: str = "127.0.0.1", window: int = 0) -> Iterator[Hostile]:
    """Run a server with this script."""
    server = Hostile(script, host, window)
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def full_backlog(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Listen where the system takes no connection any more and says nothing, as behind a filter; return the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket(family))
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(3):
            taken = sockets.enter_context(socket.socket(family))
            taken.setblocking(False)
            taken.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


# --- what a server may do instead of answering -----------------------------------------------------------------------


def close(talk: Talk) -> None:
    raise Gone


def hang(talk: Talk) -> None:
    """Say nothing for as long as the client stays."""
    while True:
        talk.hear()


def reset(talk: Talk) -> None:
    """Leave without the farewell of TCP."""
    talk.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Gone


def endless(line: bytes) -> Callable[[Talk], None]:
    def flood(talk: Talk) -> None:
        while not talk.server.over.is_set():
            talk.say(line * 100)

    return flood


def drip(text: bytes, seconds: float) -> Callable[[Talk], None]:
    """Send a byte at a time."""

    def trickle(talk: Talk) -> None:
        for byte in text:
            talk.say(bytes([byte]))
            if talk.server.over.wait(seconds):
                return

    return trickle


def take_mail(reply: Answer = b"250 2.0.0 taken\r\n", go_on: bytes = b"354 go on\r\n") -> Callable[[Talk], None]:
    """Answer DATA, read the mail, answer it."""

    def take(talk: Talk) -> None:
        talk.say(go_on)
        talk.server.mail = talk.until(b"\r\n.\r\n") + b"\r\n"
        talk.server.mails.append(talk.server.mail)
        _answer(talk, reply)

    return take


def log_in(*replies: bytes) -> Callable[[Talk], None]:
    """Answer AUTH and each line of the client after it; further answers count as lines of the exchange."""

    def exchange(talk: Talk) -> None:
        for position, reply in enumerate(replies):
            talk.say(reply)
            if position < len(replies) - 1:
                talk.line()

    return exchange


def _answer(talk: Talk, answer: Answer) -> None:
    if callable(answer):
        answer(talk)
    else:
        talk.say(answer)


OFFERS = b"250-mail.test\r\n250-AUTH LOGIN PLAIN\r\n250 SIZE 1000000\r\n"
PROMPT_USER = b"334 VXNlcm5hbWU6\r\n"
PROMPT_PASSWORD = b"334 UGFzc3dvcmQ6\r\n"

POLITE: dict[str, Answer] = {
    "greeting": b"220 mail.test ESMTP\r\n",
    "EHLO": OFFERS,
    "AUTH": log_in(PROMPT_USER, PROMPT_PASSWORD, b"235 2.7.0 welcome\r\n"),
    "MAIL": b"250 2.1.0 ok\r\n",
    "RCPT": b"250 2.1.5 ok\r\n",
    "DATA": take_mail(),
    "RSET": b"250 2.0.0 ok\r\n",
}


def script(**answers: Answer | list[Answer]) -> Callable[[Talk], None]:
    """Return a polite server, except for these answers by verb; a list holds one for each time the verb comes."""
    queues = {verb: list(answer) for verb, answer in answers.items() if isinstance(answer, list)}

    def serve(talk: Talk) -> None:
        _answer(talk, _next("greeting"))
        while True:
            line = talk.line()
            verb = line.split(b" ")[0].decode("ascii", "replace").upper()
            if verb == "QUIT" and verb not in answers:
                talk.say(b"221 2.0.0 bye\r\n")
                return
            _answer(talk, _next(verb))

    def _next(verb: str) -> Answer:
        if verb in queues:
            return queues[verb].pop(0)
        answer = answers.get(verb, POLITE.get(verb, b"500 5.5.1 unknown\r\n"))
        assert not isinstance(answer, list)
        return answer

    return serve
