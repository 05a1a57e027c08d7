"""Many that want a token at once: threads, processes, one that is killed. A refresh token used twice ends all."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from tests.core.mail.oauth.conftest import SignedIn
from tests.peers.desktop import until
from vxtray.core.credentials import Account, MemoryStore, Secret
from vxtray.core.mail.oauth import entries
from vxtray.core.mail.oauth.faults import SignInRefused
from vxtray.core.settings.tree import Smtp

ROOT = Path(__file__).resolve().parents[4]

#: A program of the profile: renews so often, each time as if the mail server had refused the token.
PROGRAM = """
import sys
from pathlib import Path
import msgspec
from tests.core.mail.oauth.test_together import FolderStore
from vxtray.core.mail.oauth.tokens import TokenKeeper
from vxtray.core.settings.tree import Smtp
folder, settings, times = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
smtp = msgspec.json.decode(settings, type=Smtp)
keeper = TokenKeeper(FolderStore(folder / "keyring"), folder)
sys.stdout.write("ready\\n")
sys.stdout.flush()
sys.stdin.readline()
for _ in range(times):
    keeper.renewed(smtp, keeper.access_token(smtp))
keeper.close()
"""


class FolderStore(MemoryStore):
    """A keyring for several processes: a file an entry, replaced as a whole."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _path(self, account: Account) -> Path:
        return self.folder / str(account).replace("/", "_")

    def get(self, account: Account) -> Secret | None:
        try:
            return Secret(self._path(account).read_text())
        except FileNotFoundError:
            return None

    def set(self, account: Account, secret: Secret) -> Secret | None:
        former, new = self.get(account), self._path(account).with_suffix(f".{os.getpid()}.new")
        new.write_text(secret.reveal())
        new.replace(self._path(account))
        return former

    def forget(self, account: Account) -> bool:
        was_there = self._path(account).exists()
        self._path(account).unlink(missing_ok=True)
        return was_there


class CrashingStore(FolderStore):
    """The computer goes off at the moment when a token is to be stored."""

    def set(self, account: Account, secret: Secret) -> Secret | None:
        os._exit(77)


def start(signed_in: SignedIn, times: int, program: str = PROGRAM) -> "subprocess.Popen[str]":
    settings = msgspec.json.encode(signed_in.smtp).decode()
    return subprocess.Popen(
        [sys.executable, "-c", program, str(signed_in.folder), settings, str(times)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def share(signed_in: SignedIn) -> None:
    """Put the sign-in where several processes find it."""
    store = FolderStore(signed_in.folder / "keyring")
    entries.put(store, signed_in.account, Secret(signed_in.stored))
    signed_in.store = store


def test_threads_wait_for_the_one_that_renews(signed_in: SignedIn) -> None:
    keeper, together = signed_in.keeper(), threading.Barrier(8)
    first = keeper.access_token(signed_in.smtp)
    signed_in.server.refresh_seconds = 0.1

    def ask(_number: int) -> Secret:
        together.wait(20)
        return keeper.renewed(signed_in.smtp, first)

    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(ask, range(8)))
    assert len(tokens) == 1
    assert signed_in.server.refreshes() == 2
    assert signed_in.server.reused == 0


def test_two_keepers_of_one_process_take_turns(signed_in: SignedIn) -> None:
    keepers, together = [signed_in.keeper() for _ in range(4)], threading.Barrier(4)

    def ask(number: int) -> str:
        together.wait(20)
        return keepers[number].access_token(signed_in.smtp).reveal()

    with ThreadPoolExecutor(4) as pool:
        tokens = list(pool.map(ask, range(4)))
    assert all(signed_in.server.accepts(token) for token in tokens)
    assert signed_in.server.reused == 0
    assert signed_in.has_sign_in()


def test_processes_take_turns(signed_in: SignedIn) -> None:
    signed_in.server.refresh_length = 1500  # with parts, as Microsoft's
    share(signed_in)
    programs = [start(signed_in, 5) for _ in range(2)]
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
    for program in programs:
        assert program.stdin is not None
        program.stdin.write("go\n")
        program.stdin.flush()
    for program in programs:
        _said, faults = program.communicate(timeout=60)
        assert program.returncode == 0, faults
    assert signed_in.server.reused == 0
    assert signed_in.server.refreshes() >= 2 * 5
    assert signed_in.has_sign_in()


def test_a_process_that_is_killed_keeps_nobody_waiting(signed_in: SignedIn) -> None:
    share(signed_in)
    signed_in.server.token_faults.append("hang")
    program = start(signed_in, 1)
    assert program.stdin is not None
    program.stdin.write("go\n")
    program.stdin.flush()
    until(lambda: signed_in.server.refreshes() == 1, "the renewal that hangs", 30)
    program.send_signal(signal.SIGKILL)
    program.communicate(timeout=20)
    token = signed_in.keeper().access_token(signed_in.smtp)
    assert signed_in.server.accepts(token.reveal())
    assert signed_in.has_sign_in()
    assert signed_in.server.reused == 0


@pytest.mark.parametrize("strict", [True, False])
def test_a_crash_between_replacing_and_storing(signed_in: SignedIn, strict: bool) -> None:
    """What is in the keyring stays. A strict provider ends that sign-in, and this is said; others take it once more."""
    share(signed_in)
    signed_in.server.reuse_ends = strict
    kept = signed_in.stored
    crashed = start(signed_in, 1, PROGRAM.replace("FolderStore", "CrashingStore"))
    crashed.communicate("go\n", timeout=30)
    assert crashed.returncode == 77
    assert signed_in.server.refreshes() == 1
    assert signed_in.stored == kept
    keeper = signed_in.keeper()
    if strict:
        with pytest.raises(SignInRefused, match="has ended"):
            keeper.access_token(signed_in.smtp)
        assert keeper.health(signed_in.smtp).state == "needs-sign-in"
        assert signed_in.stored == kept
    else:
        assert signed_in.server.accepts(keeper.access_token(signed_in.smtp).reveal())
        assert signed_in.has_sign_in()


def test_signing_in_while_a_renewal_is_under_way(signed_in: SignedIn) -> None:
    """The new sign-in is kept, whichever of the two comes first."""
    from tests.core.mail.oauth.test_tokens import granted

    keeper = signed_in.keeper()
    signed_in.server.refresh_seconds = 0.2
    renewing = threading.Thread(target=keeper.access_token, args=(signed_in.smtp,))
    renewing.start()
    until(lambda: signed_in.server.refreshes() == 1, "the renewal")
    new = signed_in.server.grant()
    keeper.store(signed_in.smtp, granted(new))
    renewing.join(20)
    assert signed_in.stored == new
    assert keeper.access_token(signed_in.smtp) == Secret(f"access-of-{new}")


def test_settings_of_another_process_are_the_same() -> None:
    """The program above reads what it is given: settings go through JSON unchanged."""
    smtp = Smtp(username="a@example.com")
    assert msgspec.json.decode(msgspec.json.encode(smtp), type=Smtp) == smtp
