"""After a full run the password is nowhere but in the keyring (or where systemd put it): everything is searched."""

import base64
import json
import subprocess
import sys
import urllib.parse
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.e2e.loglines import waf
from tests.e2e.test_serve import yesterday
from tests.e2e.vxtray_process import ROOT, Vxtray, credentials_of
from tests.peers.desktop import SecretService
from tests.peers.mailbox import PASSWORD, USER, Mailbox


def needles(password: str, user: str) -> set[bytes]:
    """Return every form in which a password could be written down, at least eight bytes each."""
    forms = {
        password.encode(),
        password.encode("utf-16-le"),
        password.encode("utf-16-be"),
        password.encode().hex().encode(),
    }
    forms |= {urllib.parse.quote(password).encode(), urllib.parse.quote_plus(password).encode()}
    forms |= {json.dumps(password)[1:-1].encode(), repr(password)[1:-1].encode()}
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + password.encode())
        forms.add(encoded[4 if shift else 0 : -4])  # without what depends on its neighbours
    forms.add(base64.b64encode(f"\0{user}\0{password}".encode()))
    return forms


def found_in(folders: Iterable[Path], said: str, password: str = PASSWORD, user: str = USER) -> list[str]:
    """Return where a form of the password stands."""
    wanted = needles(password, user)
    hits = ["what the commands said"] if any(form in said.encode() for form in wanted) else []
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and any(form in path.read_bytes() for form in wanted):
                hits.append(str(path))
            if any(form in str(path).encode() for form in wanted):
                hits.append(f"the name {path}")
    return hits


@pytest.mark.parametrize("form", sorted(needles(PASSWORD, USER)))
def test_the_search_finds_what_it_looks_for(form: bytes, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"x" * 100_000 + form + b"y")
    assert found_in([tmp_path], "") == [str(tmp_path / "deep" / "file")]


def test_the_search_finds_the_password_as_smtp_writes_it(tmp_path: Path) -> None:
    for line in (f"\0{USER}\0{PASSWORD}", PASSWORD, f"{USER}:{PASSWORD}"):
        assert found_in([], "AUTH " + base64.b64encode(line.encode()).decode()) == ["what the commands said"]
    assert found_in([tmp_path], "nothing") == []


def run_everything(vxtray: Vxtray, box: Mailbox, log: Path) -> None:
    """Every command that uses the password, on its own and through the running program; each fault too."""
    vxtray.run("--log-level", "DEBUG", "smtp", "test", "--json")
    vxtray.run("--log-level", "DEBUG", "smtp", "send-test", "--json")
    vxtray.run("--log-level", "DEBUG", "import", "--alerts", log)
    vxtray.run("--log-level", "DEBUG", "report", "daily", "--send")
    box.wait(3)
    vxtray.run("smtp", "set", f"ca_file={ROOT / 'LICENSE'}")
    vxtray.run("--log-level", "DEBUG", "smtp", "send-test", status=1)
    vxtray.run("smtp", "set", f"ca_file={box.ca_file}")
    with vxtray.serve("--log-level", "DEBUG") as process:
        vxtray.run("report", "weekly", "--send")
        vxtray.run("smtp", "send-test")
        box.wait(5)
        vxtray.run("settings", "export", vxtray.profile / "exported.toml")
        for words in (["settings", "show"], ["smtp", "show", "--json"], ["outbox", "--json"], ["outbox", "show", 1]):
            vxtray.run(*words)
        vxtray.run("quit")
        assert process.wait(30) == 0
    vxtray.run("status", status=1)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "sfw.log"
    path.write_text(waf(yesterday(), "203.0.113.99", 55) + "\n")
    return path


def test_a_password_from_systemd_is_written_nowhere(
    smtp_catcher: Mailbox, tmp_path: Path, isolation: Path, log: Path
) -> None:
    folder = credentials_of(tmp_path / "credentials", smtp_catcher)
    vxtray = Vxtray(tmp_path / "profile", CREDENTIALS_DIRECTORY=folder, TMPDIR=str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    vxtray.set_up(smtp_catcher)
    vxtray.run("secret", "set", "smtp-password", stdin="another", status=1)
    run_everything(vxtray, smtp_catcher, log)
    assert (vxtray.profile / "logs" / "vxtray.log").stat().st_size > 0
    assert (vxtray.profile / "state" / "outbox.db").stat().st_size > 0
    assert found_in([vxtray.profile, isolation.parent, tmp_path / "tmp"], vxtray.said) == []
    assert found_in([tmp_path / "credentials"], "") == [str(tmp_path / "credentials" / "smtp-password")]


#: Runs beside the keyring, in its session; prints what the commands said.
BESIDE_THE_KEYRING = """
import json, sys
from pathlib import Path
from tests.e2e.test_secrets import run_everything
from tests.e2e.vxtray_process import Vxtray
from tests.peers.mailbox import Mailbox

profile, port, ca_file, log, password = json.load(sys.stdin)

class Box(Mailbox):
    def wait(self, count, seconds=10):
        pass  # the mail server is in the test's own process

box = Box("127.0.0.1", port, Path(ca_file))
vxtray = Vxtray(Path(profile))
vxtray.set_up(box)
vxtray.run("smtp", "send-test", status=1)
vxtray.run("secret", "set", "smtp-password", stdin=password + "\\n")
run_everything(vxtray, box, Path(log))
import keyring
accounts = ["smtp-password:reports@example.com@127.0.0.1", "smtp-password:reports@example.com@localhost"]
found = [keyring.get_password("vxtray", account) == password for account in accounts]
forgotten = [vxtray.json("secret", "forget", "smtp-password", status=status) for status in (0, 1)]
left = keyring.get_password("vxtray", accounts[0])
json.dump({"said": vxtray.said, "found": found, "forgotten": forgotten, "left": left}, sys.stdout)
"""


def test_a_password_in_a_real_keyring_is_written_nowhere_else(
    smtp_catcher: Mailbox, secret_service: SecretService, tmp_path: Path, isolation: Path, log: Path
) -> None:
    profile = tmp_path / "profile"
    given = [str(profile), smtp_catcher.port, str(smtp_catcher.ca_file), str(log), smtp_catcher.password]
    (tmp_path / "tmp").mkdir()
    done = secret_service.run(
        [sys.executable, "-c", BESIDE_THE_KEYRING],
        stdin=json.dumps(given),
        env={"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "tmp")},
        seconds=100,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["found"] == [True, False], "in the keyring, and bound to user and host"
    assert result["forgotten"] == [{"forgotten": True}, {"forgotten": False}]
    assert result["left"] is None
    assert len(smtp_catcher.mails) == 5
    folders = [profile, isolation.parent, secret_service.home, tmp_path / "tmp"]
    assert found_in(folders, result["said"] + done.stderr) == []
    assert "smtp-password" not in (profile / "settings.toml").read_text()


def test_a_password_never_stands_in_a_process_list(smtp_catcher: Mailbox, tmp_path: Path) -> None:
    """It comes by standard input only; as an argument it is refused."""
    vxtray = Vxtray(tmp_path / "profile")
    vxtray.set_up(smtp_catcher)
    vxtray.run("smtp", "set", f"password={PASSWORD}", status=2)
    vxtray.run("secret", "set", "smtp-password", PASSWORD, status=2)
    settings = (tmp_path / "profile" / "settings.toml").read_bytes()
    assert PASSWORD.encode() not in settings
    assert subprocess.list2cmdline(vxtray.command).count(PASSWORD) == 0
