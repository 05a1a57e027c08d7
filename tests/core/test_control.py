"""The control socket: only the key opens it, and no caller can block another, or the end."""

import contextlib
import json
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, answer_challenge, deliver_challenge
from pathlib import Path

import pytest

from vxtray.core import control
from vxtray.core.control import Answer, Call, ControlServer, call_running
from vxtray.core.errors import ControlError
from vxtray.core.paths import Profile, private_folder

CALL = Call(argv=["hello"], cwd="/", language="en")


def echo(call: Call, say: Callable[[Answer], None]) -> int:
    say(Answer(out=" ".join(call.argv)))
    say(Answer(err=f"{call.cwd} {call.language} {call.stdin}"))
    return len(call.argv)


@contextlib.contextmanager
def serving(profile: Profile, handler: control.Handler = echo) -> Iterator[ControlServer]:
    server = ControlServer(profile, handler)
    server.start()
    try:
        yield server
    finally:
        server.stop()
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("vx-control")]
    assert left == [], "stop() leaves no thread"
    assert not Path(profile.control_address).exists()


def answers(profile: Profile, call: Call = CALL) -> list[Answer]:
    found = call_running(profile, call)
    assert found is not None
    return list(found)


def opened(profile: Profile):
    """Return a connection that has shown the key."""
    connection = Client(profile.control_address)
    key = profile.control_key.read_bytes()
    answer_challenge(connection, key)
    deliver_challenge(connection, key)
    return connection


def test_a_command_goes_in_and_its_answers_come_back(profile) -> None:
    call = Call(argv=["import", "journal d'été.log", "\udcff.log"], cwd="/tmp/é", language="fr", stdin="/tmp/x")
    with serving(profile):
        assert answers(profile, call) == [
            Answer(out="import journal d'été.log \udcff.log"),
            Answer(err="/tmp/é fr /tmp/x"),
            Answer(exit=3),
        ]


def test_nobody_runs(profile) -> None:
    assert call_running(profile, CALL) is None
    profile.state.mkdir(parents=True)
    profile.control_key.write_bytes(b"left over")
    assert call_running(profile, CALL) is None


def test_only_the_owner_can_enter(profile) -> None:
    mask = os.umask(0o022)
    try:
        with serving(profile):
            address = Path(profile.control_address)
            assert stat.S_ISSOCK(address.stat().st_mode)
            assert stat.S_IMODE(address.parent.stat().st_mode) == 0o700
            assert stat.S_IMODE(profile.control_key.stat().st_mode) == 0o600
            assert stat.S_IMODE(profile.state.stat().st_mode) == 0o700
            assert stat.S_IMODE(profile.config.stat().st_mode) == 0o700
            assert len(profile.control_key.read_bytes()) == 32
    finally:
        os.umask(mask)


def test_the_key_is_new_at_each_start(profile) -> None:
    keys = []
    for _ in range(2):
        with serving(profile):
            keys.append(profile.control_key.read_bytes())
    assert keys[0] != keys[1]


def test_a_command_that_meets_a_start_uses_the_new_key(profile, monkeypatch) -> None:
    with serving(profile) as server, contextlib.ExitStack() as stack:

        def meets_a_start(address: str) -> object:
            monkeypatch.undo()
            server.stop()
            stack.enter_context(serving(profile))
            return Client(address)

        monkeypatch.setattr(control, "Client", meets_a_start)
        assert answers(profile)[-1] == Answer(exit=1)


def test_a_wrong_key_is_refused(profile) -> None:
    called: list[Call] = []
    with serving(profile, lambda call, say: called.append(call) or 0):
        connection = Client(profile.control_address)
        with pytest.raises(AuthenticationError):
            answer_challenge(connection, b"wrong")
        connection.close()
        profile.control_key.write_bytes(b"wrong")
        with pytest.raises(ControlError, match="did not answer"):
            answers(profile)
    assert called == []


def test_a_server_without_the_key_is_not_believed(profile) -> None:
    """Whoever took the socket's place gets no command."""
    with serving(profile) as server:
        server._key = b"another program"
        with pytest.raises(ControlError):
            answers(profile)


def test_who_says_nothing_blocks_nobody_and_not_the_end(profile) -> None:
    with serving(profile):
        silent = [Client(profile.control_address) for _ in range(3)]
        half = Client(profile.control_address)
        answer_challenge(half, profile.control_key.read_bytes())
        assert answers(profile)[-1] == Answer(exit=1)
    for connection in (*silent, half):
        connection.close()


def test_silence_ends_by_itself(profile, monkeypatch) -> None:
    monkeypatch.setattr(control, "_GREETING_SECONDS", 1)
    with serving(profile):
        connection = Client(profile.control_address)
        connection.recv_bytes()  # the challenge
        assert connection.poll(5)
        with pytest.raises(EOFError):
            connection.recv_bytes()
        connection.close()


def test_a_caller_that_vanishes(profile) -> None:
    entered, gone, failed = threading.Event(), threading.Event(), threading.Event()

    def handler(call: Call, say: Callable[[Answer], None]) -> int:
        entered.set()
        gone.wait(10)
        try:
            for _ in range(1000):
                say(Answer(out="x" * 10_000))
        except OSError:
            failed.set()
            raise
        return 0

    with serving(profile, handler):
        connection = opened(profile)
        connection.send_bytes(json.dumps({"argv": [], "cwd": "/", "language": "en"}).encode())
        assert entered.wait(10)
        connection.close()
        gone.set()
        assert failed.wait(10)
        with socket.socket(socket.AF_UNIX) as rude:
            rude.connect(profile.control_address)
        entered.clear()
        assert len(answers(profile)) == 1001


def test_eight_callers_at_once_and_no_more(profile) -> None:
    entered, leave = threading.Semaphore(0), threading.Event()

    def handler(call: Call, say: Callable[[Answer], None]) -> int:
        entered.release()
        leave.wait(20)
        return 0

    ends: list[int | None] = []
    with serving(profile, handler):
        threads = [threading.Thread(target=lambda: ends.append(answers(profile)[-1].exit)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert entered.acquire(timeout=10)
        with pytest.raises(ControlError):
            answers(profile)
        leave.set()
        for thread in threads:
            thread.join(10)
        assert ends == [0] * 8
        assert answers(profile) == [Answer(exit=0)], "their places are free again"


@pytest.mark.parametrize(
    "garbage",
    [b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"argv": "status"}', b'{"argv": [1], "cwd": "/", "language": "en"}',
     b"[" * 100_000, b'{"argv": [], "cwd": "/"}', b"\x80\x04pickle"],
)  # fmt: skip
def test_garbage_is_refused(profile, garbage) -> None:
    with serving(profile):
        connection = opened(profile)
        connection.send_bytes(garbage)
        with pytest.raises(EOFError):
            connection.recv_bytes()
        connection.close()
        assert answers(profile)[-1] == Answer(exit=1)


def test_a_huge_message_is_refused_unread(profile) -> None:
    with serving(profile):
        connection = opened(profile)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send_bytes(b"x" * ((1 << 20) + 1))
        with pytest.raises((EOFError, ConnectionResetError)):
            connection.recv_bytes()
        connection.close()
        assert answers(profile)[-1] == Answer(exit=1)


def test_what_a_crash_left_is_taken_over(profile) -> None:
    address = Path(profile.control_address)
    private_folder(address.parent)  # the one that all profiles share, where the path would be too long for a socket
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(address))
    profile.state.mkdir(parents=True)
    profile.control_key.write_bytes(b"of the crashed one")
    assert call_running(profile, CALL) is None, "nobody answers there"
    with serving(profile):
        assert answers(profile)[-1] == Answer(exit=1)


def test_stop_twice_and_without_start(profile) -> None:
    ControlServer(profile, echo).stop()
    server = ControlServer(profile, echo)
    server.start()
    server.stop()
    server.stop()


def test_a_deep_profile_folder_has_a_socket_too(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    profile = Profile.under(tmp_path / ("deep" * 30))
    assert call_running(profile, CALL) is None
    with serving(profile):
        folder = Path(profile.control_address).parent
        assert folder.parent == tmp_path
        assert (folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode)) == (os.getuid(), 0o700)
        assert answers(profile)[-1] == Answer(exit=1)
    assert not folder.exists()
    profile.control_place.write_text(str(tmp_path / "vxtray-of-a-crash" / "control.sock"))
    (tmp_path / "vxtray-of-a-crash").mkdir()
    with serving(profile):
        assert not (tmp_path / "vxtray-of-a-crash").exists()
        assert answers(profile)[-1] == Answer(exit=1)
