"""A known, odd password through success, refusal, a server that repeats it, and kills: it is written down nowhere."""

import base64
import contextlib
import json
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.core.mail.hostile import OFFERS, PROMPT_PASSWORD, PROMPT_USER, Talk, hang, hostile
from tests.e2e.test_secrets import found_in
from tests.e2e.vxtray_process import SECONDS, Vxtray
from tests.peers.desktop import until

USER = "reports@example.com"
PASSWORD = "Pä§s {0} %20&<b>\"'\\ +/=~ é:🔑 0x41 zzz"
OTHER = "another, wrong: pässword {1} %41"


class Echo:
    """A server that repeats what it was told in each of its answers, as text and as base64.

    ``accepts`` the sign-in or not; ``then`` is what it does instead of answering a verb.
    """

    def __init__(self, *, accepts: bool, then: dict[bytes, Callable[[Talk], None]] | None = None) -> None:
        self.accepts = accepts
        self.then = then or {}
        self.told = "nothing yet"
        self.sign_ins = 0

    def __call__(self, talk: Talk) -> None:
        talk.say(b"220 mail.test ESMTP\r\n")
        while line := talk.line():
            verb = line.split(b" ")[0]
            if verb in self.then:
                self.then[verb](talk)
            elif verb == b"EHLO":
                talk.say(OFFERS)
            elif verb == b"AUTH":
                self.sign_in(talk, line)
            elif verb == b"DATA":
                talk.say(b"354 go on\r\n")
                talk.until(b"\r\n.\r\n")
                talk.say(self.echo("250 2.0.0"))
            else:
                talk.say(self.echo("221" if verb == b"QUIT" else "250 2.0.0"))

    def sign_in(self, talk: Talk, line: bytes) -> None:
        self.sign_ins += 1
        if line.startswith(b"AUTH PLAIN"):
            encoded = line.split(b" ")[2]
        else:
            talk.say(PROMPT_USER)
            talk.line()
            talk.say(PROMPT_PASSWORD)
            encoded = talk.line()
        self.told = f"{encoded.decode()} {base64.b64decode(encoded).decode().replace(chr(0), ' ')}"
        talk.say(self.echo("235 2.7.0" if self.accepts else "535 5.7.8"))

    def echo(self, words: str) -> bytes:
        code, _, rest = words.partition(" ")
        return f"{code}-{rest} I heard {self.told}\r\n{code} {rest} that is {self.told}\r\n".encode()


class Searched:
    """A profile, and everything in which the password could stand."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.credentials = folder / "credentials"
        self.credentials.mkdir(mode=0o700)
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.home = home
        self.give(PASSWORD)
        self.vxtray = Vxtray(
            folder / "profile", CREDENTIALS_DIRECTORY=str(self.credentials), TMPDIR=str(self.temporary)
        )

    def give(self, password: str) -> None:
        (self.credentials / "smtp-password").write_text(password + "\n", encoding="utf-8")

    def set_up(self, port: int) -> None:
        self.vxtray.run(
            *("smtp", "set", "host=127.0.0.1", f"port={port}", "security=none", f"username={USER}"),
            *(f"from_address={USER}", "recipients=a@example.org", "timeout_seconds=5"),
        )

    def commands(self, *, status: int) -> list[Any]:
        """Run everything that talks to the server or shows what it said; return the documents."""
        run, document = self.vxtray.run, self.vxtray.json
        found = [document("smtp", "test", status=status)]
        run("--log-level", "DEBUG", "smtp", "test", "--transcript", status=status)
        found.append(document("smtp", "send-test", status=status))
        return found

    def shown(self) -> None:
        """Show everything that is kept."""
        self.vxtray.json("history")
        self.vxtray.json("settings", "show")
        self.vxtray.json("smtp", "show")
        for mail in self.vxtray.json("outbox"):
            self.vxtray.run("outbox", "show", mail["id"])
            self.vxtray.json("outbox", "show", mail["id"])

    def assert_clean(self, *passwords: str) -> None:
        """Search files, the database with its WAL and everything that was said."""
        folders = [self.vxtray.profile, self.home, self.temporary]
        for password in passwords or (PASSWORD,):
            assert found_in(folders, self.vxtray.said, password, USER) == []
        assert all(log.stat().st_size > 0 for log in self.vxtray.profile.rglob("vxtray.log"))
        (outbox,) = self.vxtray.profile.rglob("outbox.db")
        with sqlite3.connect(outbox) as db:
            rows = [str(row) for table in ("mails", "attempts", "facts", "history") for row in _rows(db, table)]
        db.close()
        assert rows
        assert not [row for row in rows for password in (PASSWORD, OTHER) if password in row]

    @contextlib.contextmanager
    def killed(self, number: int, when: Callable[[], bool]) -> Iterator[None]:
        """Serve until something happened, and end it by a signal."""
        with self.vxtray.serve("--log-level", "DEBUG") as process:
            yield
            until(when, "it is where it shall be killed", SECONDS)
            process.send_signal(number)
            process.wait(SECONDS)


def _rows(db: sqlite3.Connection, table: str) -> list[Any]:
    return db.execute(f"SELECT * FROM {table}").fetchall()


@pytest.fixture
def searched(tmp_path: Path, isolation: Path) -> Searched:
    return Searched(tmp_path, isolation.parent)


def test_a_server_that_repeats_the_password(searched: Searched) -> None:
    with hostile(echo := Echo(accepts=True)) as server:
        searched.set_up(server.port)
        checked, sent = searched.commands(status=0)
        assert "I heard" in sent["reply"], "the words of the server are told"
        assert any("I heard" in line for line in checked["transcript"])
        with searched.vxtray.serve("--log-level", "DEBUG"):
            searched.vxtray.run("report", "weekly", "--send")
            until(lambda: _sent(searched), "sent", SECONDS)
            searched.vxtray.run("status", status=0)
            searched.shown()
        assert echo.told.split(" ")[0].encode() in server.heard, "it really was told the password"
    searched.assert_clean()


@pytest.mark.parametrize(
    "words",
    [b"250 2.0.0 first\r\n250 2.0.0 second %s\r\n", b"421 4.7.0 bye %s\r\n", b"250-2.0.0 x\r\n550 %s\r\n", b"%s\r\n"],
    ids=["out of turn", "leaving", "two codes", "no reply"],
)
def test_a_server_that_repeats_the_password_where_no_answer_belongs(searched: Searched, words: bytes) -> None:
    def repeat(talk: Talk) -> None:
        talk.say(words % echo.told.encode())
        hang(talk)

    echo = Echo(accepts=True, then={b"MAIL": repeat})
    with hostile(echo) as server:
        searched.set_up(server.port)
        searched.commands(status=1)
        searched.vxtray.run("--log-level", "DEBUG", "report", "weekly", "--send")
        searched.shown()
    searched.assert_clean()


def _sent(searched: Searched) -> bool:
    return "sent" in [mail["state"] for mail in searched.vxtray.json("outbox")]


def test_a_server_that_repeats_the_wrong_password(searched: Searched) -> None:
    searched.give(OTHER)
    with hostile(echo := Echo(accepts=False)) as server:
        searched.set_up(server.port)
        checked, _sent_test = searched.commands(status=1)
        assert checked["steps"][-1]["ok"] is False
        before = echo.sign_ins
        with searched.vxtray.serve("--log-level", "DEBUG"):
            searched.vxtray.run("report", "weekly", "--send")
            until(lambda: any("password" in what for what in _troubles(searched)), "it is told", SECONDS)
            searched.shown()
        assert echo.sign_ins <= before + 2, "one LOGIN and one PLAIN at most"
    searched.assert_clean(OTHER)


def _troubles(searched: Searched) -> list[str]:
    return [trouble["what"] for trouble in json.loads(searched.vxtray.run("status", status=1))["trouble"]]


@pytest.mark.parametrize(("number", "verb"), [(signal.SIGKILL, b"AUTH"), (signal.SIGABRT, b"MAIL")])
def test_a_crash_in_the_middle_of_it(searched: Searched, number: int, verb: bytes) -> None:
    def at_sign_in(talk: Talk) -> None:
        talk.say(PROMPT_USER)
        talk.line()
        talk.say(PROMPT_PASSWORD)
        hang(talk)

    stops = at_sign_in if verb == b"AUTH" else hang
    encoded = base64.b64encode(PASSWORD.encode())
    with hostile(Echo(accepts=True, then={verb: stops})) as server:
        searched.set_up(server.port)
        with searched.killed(number, lambda: encoded in server.heard and (verb == b"AUTH" or b"MAIL" in server.heard)):
            searched.vxtray.run("report", "weekly", "--send")
    with hostile(Echo(accepts=True)) as server:
        searched.set_up(server.port)
        with searched.vxtray.serve():
            until(lambda: _sent(searched), "the mail leaves after the crash", SECONDS)
            searched.shown()
    searched.assert_clean()


def test_what_is_searched_would_be_found(searched: Searched) -> None:
    """The counter-proof: one file with the password as LOGIN sends it."""
    searched.vxtray.profile.mkdir()
    (searched.vxtray.profile / "trace").write_bytes(b"AUTH LOGIN\r\n" + base64.b64encode(PASSWORD.encode()))
    assert found_in([searched.vxtray.profile], "", PASSWORD, USER) == [str(searched.vxtray.profile / "trace")]
