"""The door for commands: a local socket over which a command line reaches the running program.

Only the same person can open it (a folder of mode 0700, and a key from a file of mode 0600 is asked for). Messages are
JSON, never pickles. ``vx-control`` accepts; each caller is answered on a ``vx-control-…`` thread of its own, so that a
caller who says nothing blocks nobody.
"""

import contextlib
import errno
import json
import logging
import os
import secrets
import socket
import struct
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener, answer_challenge, deliver_challenge
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from vxtray.core.errors import ControlError
from vxtray.core.paths import SOCKET_PATH, Profile, private_folder
from vxtray.core.supervision import Workers

log = logging.getLogger(__name__)

T = TypeVar("T")

_MOST_CALLERS = 8
_GREETING_SECONDS = 5
_LONGEST_MESSAGE = 1 << 20


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A command as it was typed: words, working folder, language, and a file that holds its standard input."""

    argv: list[str]
    cwd: str
    language: str
    stdin: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece of the answer: text for standard output or error, and at the end the exit status."""

    out: str = ""
    err: str = ""
    exit: int | None = None


#: Runs a command; what it says goes through the callable, and it returns the exit status.
Handler = Callable[[Call, Callable[[Answer], None]], int]


class ControlServer:
    """Listens for commands until ``stop``. Raises ``OSError`` from ``start`` where the socket cannot be made."""

    def __init__(self, profile: Profile, handler: Handler, workers: Workers | None = None) -> None:
        self._workers = workers or Workers(lambda _what, _error: None)
        self._profile = profile
        self._address = profile.control_address
        self._key_file = profile.control_key
        self._handler = handler
        self._stopping = threading.Event()
        self._callers = threading.BoundedSemaphore(_MOST_CALLERS)
        self._threads: list[threading.Thread] = []
        self._greeting: set[Connection[bytes, bytes]] = set()
        self._listener: Listener | None = None

    def start(self) -> None:
        """Make the key and the socket and begin to listen. The caller holds the profile's lock, so a socket that
        is still there was left by a crash.
        """
        self._key = _new_key(self._key_file)
        if sys.platform != "win32":
            self._address = _socket_place(self._profile)
        self._listener = Listener(self._address, backlog=_MOST_CALLERS)
        self._worker = self._workers.begin("vx-control", self._accept, self._stopping)

    def stop(self) -> None:
        """Take no more calls, and let the running commands finish, for at most two seconds each."""
        if self._listener is None:
            return
        self._stopping.set()
        with contextlib.suppress(OSError, EOFError):
            Client(self._address).close()  # closing a listener does not wake its accept()
        self._worker.join(2)
        for connection in tuple(self._greeting):
            _hang_up(connection)
        for thread in self._threads:
            thread.join(2)
        self._listener.close()
        self._listener = None
        _forget_place(self._profile)

    def _accept(self) -> None:
        listener = self._listener
        while listener is not None and not self._stopping.is_set():
            try:
                connection = listener.accept()
            except OSError as error:
                if not self._stopping.is_set():
                    log.warning("control: cannot accept: %s", error)
                    self._stopping.wait(0.5)
                continue
            if self._stopping.is_set() or not self._callers.acquire(blocking=False):
                connection.close()
                continue
            thread = threading.Thread(
                target=self._serve, args=(connection,), name=f"vx-control-{connection.fileno()}", daemon=True
            )
            self._threads = [t for t in self._threads if t.is_alive()]
            try:
                thread.start()
            except RuntimeError:  # the system has no thread left
                connection.close()
                self._callers.release()
                raise
            self._threads.append(thread)

    def _serve(self, connection: "Connection[bytes, bytes]") -> None:
        try:
            call = self._greeted(connection)

            def say(answer: Answer) -> None:
                connection.send_bytes(_encoded(answer))

            say(Answer(exit=self._handler(call, say)))
        except (OSError, EOFError, AuthenticationError, msgspec.MsgspecError) as error:
            log.info("control: a caller left or was refused: %s", type(error).__name__)
        finally:
            connection.close()
            self._callers.release()

    def _greeted(self, connection: "Connection[bytes, bytes]") -> Call:
        """Return what a caller asks for who knows the key; ``stop`` does not wait for one who is still silent."""
        self._greeting.add(connection)
        try:
            _limit_silence(connection, _GREETING_SECONDS)
            if self._stopping.is_set():
                raise EOFError
            deliver_challenge(connection, self._key)
            answer_challenge(connection, self._key)
            call = _decoded(connection.recv_bytes(_LONGEST_MESSAGE), Call)
            _limit_silence(connection, 0)
        finally:
            self._greeting.discard(connection)
        return call


def _encoded(message: Call | Answer) -> bytes:
    """Return JSON in ASCII: a file name that is no UTF-8 holds lone surrogates, which no UTF-8 can carry."""
    return json.dumps(msgspec.to_builtins(message)).encode("ascii")


def _decoded(content: bytes, kind: type[T]) -> T:
    """Return a message. Raises ``msgspec.DecodeError``."""
    try:
        raw = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise msgspec.DecodeError("this is not JSON") from error
    return msgspec.convert(raw, kind)


def _hang_up(connection: Any) -> None:
    """End the waits on a connection that another thread reads; that thread closes it."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)


def _limit_silence(connection: Any, seconds: int) -> None:
    """Let reads and writes of a caller who says nothing fail after some seconds (0: never); see socket(7)."""
    if sys.platform == "win32":
        return
    with socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            duplicate.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, 0))


def _socket_place(profile: Profile) -> str:
    """Return the path of the socket to come, in a folder that is ours alone. Raises ``OSError``.

    Where the usual path would be too long, it is a new folder with a name that nobody could guess: one of a known name
    in a folder for all could be made by somebody else before.
    """
    _forget_place(profile)
    usual = Path(profile.control_address)
    if len(os.fsencode(usual)) > SOCKET_PATH:
        path = Path(tempfile.mkdtemp(prefix="vxtray-")) / "control.sock"
        profile.control_place.write_text(str(path), "utf-8")
        return str(path)
    if private_folder(usual.parent).stat().st_uid != os.getuid():
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(usual.parent))
    usual.unlink(missing_ok=True)
    return str(usual)


def _forget_place(profile: Profile) -> None:
    """Take away the folder that ``_socket_place`` made, maybe for a program that crashed."""
    with contextlib.suppress(OSError):
        path = Path(profile.control_place.read_text("utf-8"))
        profile.control_place.unlink()
        path.unlink(missing_ok=True)
        path.parent.rmdir()


def _new_key(path: Path) -> bytes:
    private_folder(path.parent)
    key = secrets.token_bytes(32)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)
    return key


def call_running(profile: Profile, call: Call) -> Iterator[Answer] | None:
    """Hand a command to the running program and yield its answers; None where no program runs.

    Raises ``ControlError`` where one runs but does not answer as it should.
    """
    with contextlib.ExitStack() as undo:
        try:
            if sys.platform != "win32" and not Path(profile.control_address).exists():
                return None
            connection = undo.enter_context(Client(profile.control_address))
            # Only now: a program that is just starting makes its key before it can be reached, and not long before.
            key = profile.control_key.read_bytes()
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise ControlError(reason=error.strerror or str(error)) from error
        undo.pop_all()
    return _converse(connection, key, call)


def _converse(connection: Any, key: bytes, call: Call) -> Iterator[Answer]:
    with contextlib.closing(connection):
        try:
            answer_challenge(connection, key)
            deliver_challenge(connection, key)
            connection.send_bytes(_encoded(call))
            while True:
                answer = _decoded(connection.recv_bytes(), Answer)
                yield answer
                if answer.exit is not None:
                    return
        except (OSError, EOFError, AuthenticationError, msgspec.MsgspecError) as error:
            raise ControlError(reason=str(error) or type(error).__name__) from error
