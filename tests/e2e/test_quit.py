"""The end of the program while a mail server hangs: quick, quiet, and no mail lost or sent twice."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.mail.hostile import Answer, hang, hostile, script, take_mail
from tests.e2e.vxtray_process import SECONDS, Vxtray
from tests.peers.desktop import until

#: What the server does, and how its last words before that show that the delivery has come so far.
HANGS: list[tuple[str, dict[str, Answer]]] = [
    ("connections", {"greeting": hang}),
    ("EHLO", {"EHLO": hang}),
    ("MAIL", {"MAIL": hang}),
    ("DATA", {"DATA": hang}),
]


def serve(vxtray: Vxtray, errors: Path) -> "subprocess.Popen[bytes]":
    """Start ``serve`` with its standard error in a file of its own."""
    with errors.open("wb") as stderr:
        return subprocess.Popen(
            [*vxtray.command, "serve"],
            env=vxtray.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )


def quit_in(vxtray: Vxtray, process: "subprocess.Popen[bytes]") -> float:
    """Ask the program to end and return how many seconds it took."""
    vxtray.run("quit")
    began = time.monotonic()
    assert process.wait(SECONDS) == 0
    return time.monotonic() - began


def set_up(vxtray: Vxtray, port: int) -> None:
    plain = ("host=127.0.0.1", f"port={port}", "security=none", "auth=none", "timeout_seconds=30")
    vxtray.run("smtp", "set", *plain, "from_address=reports@example.com", "recipients=a@example.org")


@pytest.fixture
def vxtray(tmp_path: Path) -> Vxtray:
    return Vxtray(tmp_path / "profile", without_qt=True, TZ="UTC")


def sending(vxtray: Vxtray, reached: Callable[[], bool]) -> None:
    """Queue a mail and wait until the server hangs over it."""
    vxtray.run("report", "daily", "--send")
    until(reached, "the server is reached")


@pytest.mark.parametrize(("verb", "answers"), HANGS, ids=[verb for verb, _answers in HANGS])
def test_a_server_that_hangs_before_the_final_dot(
    vxtray: Vxtray, tmp_path: Path, verb: str, answers: dict[str, Answer]
) -> None:
    errors = tmp_path / "stderr"
    with hostile(script(**answers)) as server:
        set_up(vxtray, server.port)
        process = serve(vxtray, errors)
        try:
            until(lambda: '"running": true' in _status(vxtray), "the program answers")
            sending(vxtray, lambda: server.connections > 0 and (verb == "connections" or verb.encode() in server.heard))
            assert quit_in(vxtray, process) < 2
        finally:
            process.kill()
            process.wait()
    assert errors.read_bytes() == b""
    (entry,) = vxtray.json("outbox")
    assert (entry["state"], entry["tries"]) == ("queued", 0)
    with hostile(script()) as good:
        vxtray.run("smtp", "set", f"port={good.port}")
        with vxtray.serve():
            until(lambda: vxtray.json("outbox")[0]["state"] == "sent", "the mail is sent")
        assert good.connections == 1
        assert good.mail


def test_a_mail_past_its_final_dot_gets_its_answer(vxtray: Vxtray, tmp_path: Path) -> None:
    errors = tmp_path / "stderr"

    def slowly(talk: object) -> None:
        time.sleep(1.5)
        talk.say(b"250 2.0.0 taken\r\n")  # type: ignore[attr-defined]  # hostile's Talk

    with hostile(script(DATA=take_mail(slowly))) as server:
        set_up(vxtray, server.port)
        process = serve(vxtray, errors)
        try:
            until(lambda: '"running": true' in _status(vxtray), "the program answers")
            sending(vxtray, lambda: bool(server.mail))
            assert quit_in(vxtray, process) < 4
        finally:
            process.kill()
            process.wait()
    assert errors.read_bytes() == b""
    assert vxtray.json("outbox")[0]["state"] == "sent"


def _status(vxtray: Vxtray) -> str:
    done = subprocess.run([*vxtray.command, "status"], env=vxtray.env, capture_output=True, text=True, check=False)
    return done.stdout
