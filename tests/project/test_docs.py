"""Every command that the documents show is run here, in their order, on a home that is thrown away.

Where a command names a server, one on loopback stands in for it: it is entered in the settings just before, as
``_Ground.ready`` says. What cannot be run by a test is in ``NOT_RUN``, with the reason. French needs no run of its own:
``test_guide.py`` holds that its code blocks are the same.
"""

import gzip
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.core.sources.test_vigilancex_takeover import SAID
from tests.e2e.loglines import waf
from tests.peers import clickhouse, vigilancex
from tests.peers.clickhouse import clickhouse_server
from tests.peers.mailbox import PASSWORD, USER, Mailbox
from tests.peers.nameserver import NameServer
from tests.peers.oauth_server import OAuthServer
from tests.peers.vigilancex import vigilancex_server
from tests.project.documents import commands, inline_code
from vxtray import app, cli
from vxtray.cli.parser import build
from vxtray.core.credentials import MemoryStore
from vxtray.core.errors import UsageError
from vxtray.core.mail.outbox import Outbox, Outcome, Outgoing, Verdict
from vxtray.core.paths import Profile
from vxtray.core.service import utc_now

ROOT = Path(__file__).resolve().parents[2]
GUIDE = sorted((ROOT / "resources" / "docs" / "en").glob("*.md"))
OTHERS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "packaging").rglob("*.md"))]

#: By how a command begins: why no test can run it. Commands of vxtray among them are parsed, scripts looked at.
NOT_RUN = {
    "sudo apt": "installs packages of the system",
    "sudo systemctl": "needs systemd, and changes the machine",
    "systemctl": "needs systemd of a session",
    "sudo loginctl": "changes the machine",
    "sudo usermod": "changes an account of the machine",
    "sudo install": "writes a file of root's",
    "journalctl": "needs systemd",
    "gnome-extensions": "needs GNOME",
    "pip uninstall": "would take away what is tested",
    "sh packaging/": "a script that runs for minutes; its syntax is checked, and a test of its own runs it",
    ".venv/bin/": "a tool of the checkout that the gate itself runs",
    "vxtray": "the window; tests/gui runs it",
    "vxtray --hidden": "the window; tests/gui runs it",
    "vxtray serve": "runs until it is stopped; tests/cli/test_serve.py runs it",
    "vxtray --log-level DEBUG serve": "as above",
    "vxtray smtp sign-in microsoft --device-code": "waits for a code; tests/cli/test_sign_in.py enters it",
    "vxtray demo": "takes a while; tests/e2e/test_demo.py runs it",
    "docker": "needs Docker",
    "clickhouse": "needs a ClickHouse server of its own",
    "sudo": "needs another account, and rights of the machine",
}
#: Begin so, and take several seconds each: run with ``-m slow``.
SLOW = ("report", "sources test clickhouse", "alerts rehearse", "store test")

#: What a command may say besides 0, as the documents tell it.
ALSO_RIGHT = {
    "status": {1, 3},
    "show": {1},  # nothing runs here that could be shown
    "quit": {1},
    "secret forget": {1},  # what was never stored
    "smtp sign-out": {1},
    "autostart status": {1},
}


def begins(words: list[str], start: str) -> bool:
    return " ".join(words).startswith(start)


def reason_not_to_run(words: list[str]) -> str:
    """Return why a command is not run, empty where it is."""
    line = " ".join(words)
    exact = {"vxtray", "vxtray --hidden"}
    return next(
        (why for start, why in NOT_RUN.items() if (line == start if start in exact else line.startswith(start))), ""
    )


def own(words: list[str]) -> list[str] | None:
    """Return the arguments of vxtray, whoever runs it on whichever profile; None for another program."""
    if words[:4] == ["sudo", "-u", "vxtray", "vxtray"]:
        words = words[3:]
    if words[0] != "vxtray":
        return None
    return words[3:] if words[1:2] == ["--profile-dir"] else words[1:]


class _Ground:
    """A home with all that the commands of a document speak of."""

    def __init__(self, folder: Path, store: MemoryStore, box: Mailbox, server: str, oauth: OAuthServer) -> None:
        self.folder, self.store, self.box = folder, store, box
        self.vigilance, self.oauth, self.tables = server, oauth, ""
        now = datetime.now(UTC)
        lines = "".join(f"{waf(now, f'192.0.2.{n}', 25)}\n" for n in range(1, 6))
        (folder / "firewall.log").write_text(lines)
        (folder / "old.log").write_text(lines.replace("192.0.2.", "198.51.100."))
        (folder / "firewall.log.gz").write_bytes(gzip.compress(lines.replace("192.0.2.", "203.0.113.").encode()))
        (folder / "vigilance.env").write_text("SMTP_HOST=localhost\nSMTP_PORT=587\nSMTP_FROM_EMAIL=a@example.com\n")
        self._mails()

    def run(self, words: list[str], stdin: bytes = b"") -> tuple[int, str]:
        """Run vxtray in this process; return the exit status and what it said."""
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _each in range(2)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            patch.chdir(self.folder)
            try:
                code = cli.main(words)
            except SystemExit as ended:  # --help
                code = int(ended.code or 0)
        return code, "".join(s.buffer.getvalue().decode() for s in streams)  # type: ignore[attr-defined]

    def settle(self, *changes: str) -> None:
        code, said = self.run(["settings", "set", *changes])
        assert code == 0, said

    def ready(self, words: list[str]) -> list[str]:
        """Put the peer of loopback in the place of the server that a document names; return what is run then."""
        line = " ".join(words)
        steps: dict[tuple[str, ...], Callable[[list[str]], list[str] | None]] = {
            ("smtp test", "smtp send-test", "smtp discover"): self._mail_server,
            ("smtp sign-in",): self._provider,
            ("secret set oauth-client-secret", "secret forget oauth-client-secret"): self._client,
            ("secret set smtp-password", "secret forget smtp-password"): self._account,
            ("sources test vigilancex", "sources take-over"): lambda _words: self._server(
                "sources.vigilancex", "vigilancex-password", self.vigilance, vigilancex.USER, vigilancex.PASSWORD
            ),
            ("sources test clickhouse",): lambda _words: self._server(
                "sources.clickhouse", "clickhouse-password", self.tables, clickhouse.USER, clickhouse.PASSWORD
            ),
            ("store test",): lambda _words: self._server(
                "store.clickhouse", "store-clickhouse-password", self.tables, clickhouse.USER, clickhouse.PASSWORD
            ),
            ("store status",): lambda _words: self.settle("store.engine=embedded"),
            ("outbox cancel",): lambda words: [*words[:-1], str(self._waiting())],
            ("secret forget",): lambda _words: self.settle(
                "sources.vigilancex.username=x", "sources.clickhouse.username=x"
            ),
        }
        step = next((step for starts, step in steps.items() if line.startswith(starts)), None)
        return (step(words) if step else None) or words

    def _mail_server(self, words: list[str]) -> list[str]:
        self.settle(
            *("smtp.host=127.0.0.1", f"smtp.port={self.box.port}", f"smtp.ca_file={self.box.ca_file}"),
            *(f"smtp.username={USER}", "smtp.security=starttls", "smtp.auth=password"),
            *("smtp.from_address=a@example.com", "smtp.recipients=b@example.com"),
        )
        assert self.run(["secret", "set", "smtp-password"], PASSWORD.encode())[0] == 0
        near = "discover" in words  # names below .invalid may be looked up
        return [word.replace("@example.com", "@firma.invalid") if near else word for word in words]

    def _provider(self, words: list[str]) -> list[str]:
        self.settle(*self._registration(), "smtp.username=")
        return ["custom" if word == "microsoft" else word for word in words]

    def _client(self, _words: list[str]) -> None:
        self.settle(*self._registration(), "smtp.oauth.provider=custom")

    def _account(self, _words: list[str]) -> None:
        self.settle("smtp.host=127.0.0.1", f"smtp.username={USER}")

    def _registration(self) -> list[str]:
        oauth = self.oauth.settings()
        named = ("authorize_url", "token_url", "device_url", "client_id")
        found = [f"smtp.oauth.{name}={getattr(oauth, name)}" for name in named]
        return [*found, f"smtp.oauth.scopes={','.join(oauth.scopes)}", "smtp.host=127.0.0.1"]

    def _server(self, section: str, secret: str, url: str, user: str, password: str) -> None:
        self.settle(f"{section}.url={url}", f"{section}.username={user}")
        assert self.run(["secret", "set", secret], password.encode())[0] == 0

    def _waiting(self) -> int:
        box = Outbox(Profile.default().outbox_file)
        box.add(_mail("waiting"), utc_now())
        found = max(mail.id for mail in box.entries())
        box.close()
        return found

    def _mails(self) -> None:
        """Have mail 1 sent, but not to all: so it can be shown, tried again and sent once more."""
        box = Outbox(Profile.default().outbox_file)
        box.add(_mail("a"), utc_now())
        no = {"b@example.org": "550 5.1.1 no such user"}
        sent = Outcome(verdict=Verdict.SENT, reply="250 kept", accepted=("a@example.org",), refused=no)
        list(box.deliver_due(lambda _parcel: sent, utc_now))
        box.close()


def _mail(key: str) -> Outgoing:
    return Outgoing(
        key=key,
        kind="report",
        subject="Report",
        message_id=f"<{key}@x>",
        mail_from="f@example.com",
        recipients=("a@example.org", "b@example.org"),
        data=b"Date: x\r\nMessage-ID: <y@x>\r\nSubject: x\r\n\r\nbody\r\n",
    )


@pytest.fixture
def ground(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    smtp_catcher: Mailbox,
    oauth_server: OAuthServer,
    as_browser: str,
    nameserver: NameServer,
) -> Iterator[_Ground]:
    assert str(Profile.default().config).startswith(os.environ["HOME"])
    assert Path(os.environ["HOME"]).is_relative_to(tmp_path.parents[1]), "not the person's own"
    store = MemoryStore()
    monkeypatch.setattr(app, "system_store", lambda: store)
    nameserver.records = {"_submission._tcp.firma.invalid SRV": [f"0 1 {smtp_catcher.port} localhost."]}
    folder = tmp_path / "work"
    folder.mkdir()
    with vigilancex_server() as server:
        server.said["/notifications/settings"] = SAID
        yield _Ground(folder, store, smtp_catcher, server.url, oauth_server)


def run_all(ground: _Ground, document: Path, wanted: Callable[[list[str]], bool]) -> list[str]:
    """Run the commands of a document that are wanted, and return what went wrong."""
    wrong = []
    for words in commands(document.read_text("utf-8")):
        line = " ".join(words)
        mine = own(words)
        if reason_not_to_run(words) and (mine is None or words[0] != "sudo"):
            continue
        if mine is None:
            if wanted(words) and (said := _run_other(words, ground.folder)):
                wrong.append(f"{line}: {said}")
            continue
        if reason_not_to_run(["vxtray", *mine]) or not wanted(mine):
            continue
        ready = ground.ready(mine)
        code, said = ground.run(ready, b"a secret\n")
        right = {0, *next((codes for start, codes in ALSO_RIGHT.items() if begins(mine, start)), set())}
        if code not in right:
            wrong.append(f"{line}: {code} {said}")
    return wrong


def _run_other(words: list[str], folder: Path) -> str:
    """Run a command of the system in a shell, in the test's home; return what it complained of."""
    if shutil.which(words[0]) is None:
        return "" if words[0] == "logger" else f"there is no program {words[0]}"
    line = " ".join(f'"{word}"' if " " in word or "$" in word else word for word in words)
    done = subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return "" if done.returncode == 0 else done.stderr


def is_slow(words: list[str]) -> bool:
    return any(begins(words, start) for start in SLOW)


def documents_with(wanted: Callable[[list[str]], bool]) -> list[Any]:
    """Return the documents that show a command of vxtray, or of the system, which is run and wanted."""
    found = []
    for path in (*GUIDE, *OTHERS):
        lines = commands(path.read_text("utf-8"))
        if any(wanted(own(words) or words) for words in lines if not reason_not_to_run(words) or words[0] == "sudo"):
            found.append(pytest.param(path, id=path.relative_to(ROOT).as_posix()))
    return found


def test_every_command_is_known_to_the_program_or_named_with_a_reason() -> None:
    shown = [words for path in (*GUIDE, *OTHERS) for words in commands(path.read_text("utf-8"))]
    assert len(shown) > 100
    parser = build()
    for words in shown:
        mine = own(words)
        if mine is not None and mine not in (["--help"], ["--version"]):
            parser.parse_args(mine)
        elif begins(words, "sh packaging/"):
            assert subprocess.run(["sh", "-n", str(ROOT / words[1])], check=False).returncode == 0, words
        else:
            assert mine is not None or reason_not_to_run(words) or shutil.which(words[0]), words


@pytest.mark.expected_log(r"WARNING|ERROR")
@pytest.mark.parametrize("document", documents_with(lambda words: not is_slow(words)))
def test_every_command_does_what_it_says(ground: _Ground, document: Path) -> None:
    assert run_all(ground, document, lambda words: not is_slow(words)) == []


@pytest.mark.slow
@pytest.mark.expected_log(r"WARNING|ERROR")
@pytest.mark.parametrize("document", documents_with(is_slow))
def test_every_slow_command_does_what_it_says(ground: _Ground, document: Path, tmp_path: Path) -> None:
    ground.settle("smtp.host=127.0.0.1", "smtp.from_address=a@example.com", "smtp.recipients=b@example.com")
    with clickhouse_server(tmp_path / "engine") as peer:
        peer.run(clickhouse.TABLES)
        ground.tables = peer.url
        assert run_all(ground, document, is_slow) == []


def test_commands_amid_the_text_are_understood() -> None:
    shown = {code for path in (*GUIDE, ROOT / "README.md") for code in inline_code(path.read_text("utf-8"))}
    parser = build()
    for code in shown:
        if code.startswith("vxtray ") and "--help" not in code:
            try:
                parser.parse_args(code.split()[1:])
            except UsageError as error:
                pytest.fail(f"{code}: {error}")


def test_the_recipes_name_files_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = set(re.findall(r"`((?:vxtray|tests|packaging|resources)/[\w./-]+)`", text))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
