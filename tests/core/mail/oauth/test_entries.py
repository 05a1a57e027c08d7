"""Secrets that are longer than a keyring's entry, and what is left wherever the writing stops."""

import secrets
import sys
import textwrap
from collections.abc import Set as AbstractSet
from pathlib import Path

import pytest

from tests.peers.desktop import SecretService
from vxtray.core.credentials import LONGEST_SECRET, Account, MemoryStore, Secret, SystemCredentials
from vxtray.core.errors import CredentialReadOnly, KeyringLocked, KeyringRefused
from vxtray.core.mail.oauth import entries

ROOT = Path(__file__).resolve().parents[4]
ACCOUNT = Account("oauth-token", "reports@example.com", "login.example")


class WindowsStore(MemoryStore):
    """Takes 1,280 UTF-16 units an entry, as Windows does; stops working after ``calls`` changes."""

    def __init__(self, calls: int = 1_000_000) -> None:
        super().__init__()
        self.calls = calls

    def set(self, account: Account, secret: Secret) -> Secret | None:
        self._count()
        if len(secret.reveal().encode("utf-16-le")) // 2 > LONGEST_SECRET:
            raise KeyringRefused(reason="too long")
        return super().set(account, secret)

    def forget(self, account: Account) -> bool:
        self._count()
        return super().forget(account)

    def _count(self) -> None:
        self.calls -= 1
        if self.calls < 0:
            raise KeyringLocked

    @property
    def names(self) -> AbstractSet[str]:
        return {account.name for account in self._secrets}


def token(length: int) -> Secret:
    return Secret(secrets.token_urlsafe(length)[:length])


@pytest.mark.parametrize("length", [1, 999, 1000, 1280, 1281, 2000, 2001, 5000])
def test_any_length_comes_back(length: int) -> None:
    store, secret = WindowsStore(), token(length)
    entries.put(store, ACCOUNT, secret)
    assert entries.get(store, ACCOUNT) == secret
    assert entries.forget(store, ACCOUNT)
    assert store.names == set()
    assert entries.get(store, ACCOUNT) is None
    assert not entries.forget(store, ACCOUNT)


def test_nothing_is_left_of_the_former() -> None:
    store = WindowsStore()
    for length in (5000, 3000, 100, 4000, 1280, 1281):
        entries.put(store, ACCOUNT, secret := token(length))
        assert entries.get(store, ACCOUNT) == secret
        parts = -(-length // 1000) if length > LONGEST_SECRET else 0
        assert len(store.names) == 1 + parts


@pytest.mark.parametrize("lengths", [(3000, 2500), (100, 2500), (2500, 100), (2500, 2500)])
def test_wherever_it_stops_the_former_or_the_new_one_is_there(lengths: tuple[int, int]) -> None:
    former, new = (token(length) for length in lengths)
    outcomes = set()
    for calls in range(20):
        store = WindowsStore()
        entries.put(store, ACCOUNT, former)
        store.calls = calls
        try:
            entries.put(store, ACCOUNT, new)
            stored = True
        except KeyringLocked:
            stored = False
        store.calls = 1_000_000
        kept = entries.get(store, ACCOUNT)
        assert kept == (new if stored else former) or (not stored and kept == new)
        outcomes.add(kept)
        entries.put(store, ACCOUNT, third := token(4000))  # what a crash left over is in nobody's way
        assert entries.get(store, ACCOUNT) == third
        entries.forget(store, ACCOUNT)
        assert store.names == set()
    assert outcomes == {former, new}


@pytest.mark.expected_log("incomplete")
def test_a_missing_or_foreign_part_is_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    store, secret = WindowsStore(), token(2500)
    entries.put(store, ACCOUNT, secret)
    part = Account("oauth-token.a2", ACCOUNT.user, ACCOUNT.host)
    store.set(part, Secret("exch4nged-part"))
    assert entries.get(store, ACCOUNT) is None
    store.forget(part)
    assert entries.get(store, ACCOUNT) is None
    assert secret.reveal()[:20] not in caplog.text


def test_what_is_replaced_while_it_is_read_is_read_again() -> None:
    class Replaced(WindowsStore):
        def get(self, account: Account) -> Secret | None:
            if account.name == "oauth-token.a2" and ACCOUNT in self._secrets:
                pending, self.pending = self.pending, None
                if pending is not None:
                    entries.put(self, ACCOUNT, pending)
            return super().get(account)

        pending: Secret | None = None

    store, former, new = Replaced(), token(2500), token(2500)
    entries.put(store, ACCOUNT, former)
    store.pending = new
    assert entries.get(store, ACCOUNT) == new


@pytest.mark.parametrize(
    "entry", ["vxtray-parts:a:0:x", "vxtray-parts:a:999999:x", "vxtray-parts:a:²:x", "a:b:c:d", ":::"]
)
def test_what_only_looks_like_a_list_of_parts_is_the_secret_itself(entry: str) -> None:
    store = WindowsStore()
    store.set(ACCOUNT, Secret(entry))
    assert entries.get(store, ACCOUNT) == Secret(entry)


def test_a_secret_may_look_like_a_list_of_parts() -> None:
    store, secret = WindowsStore(), Secret("vxtray-parts:a:2:0000")
    entries.put(store, ACCOUNT, secret)
    assert entries.get(store, ACCOUNT) == secret


def test_without_bounds_is_refused() -> None:
    with pytest.raises(KeyringRefused):
        entries.put(WindowsStore(), ACCOUNT, token(100_000))


def test_a_store_that_only_pretends_is_found_out() -> None:
    class Forgetful(MemoryStore):
        def set(self, account: Account, secret: Secret) -> Secret | None:
            return None

    with pytest.raises(KeyringRefused):
        entries.put(Forgetful(), ACCOUNT, token(100))


@pytest.mark.parametrize("length", [100, 3000])
def test_a_systemd_credential_is_read_and_never_changed(tmp_path: Path, length: int) -> None:
    behind = WindowsStore()
    store = SystemCredentials(tmp_path, behind)
    given = token(length)
    (tmp_path / "oauth-token").write_text(given.reveal() + "\n")
    assert entries.get(store, ACCOUNT) == given
    with pytest.raises(CredentialReadOnly):
        entries.put(store, ACCOUNT, token(length))
    assert behind.names == set()
    assert entries.get(store, ACCOUNT) == given


def test_a_real_keyring_keeps_a_long_one(secret_service: SecretService) -> None:
    code = """
        import sys
        from vxtray.core.credentials import Account, KeyringStore, Secret
        from vxtray.core.mail.oauth import entries
        store, account = KeyringStore(30), Account("oauth-token", "u@example.com", "login.example")
        first, second = Secret("f" * 4000), Secret("s" * 1500)
        entries.put(store, account, first)
        assert entries.get(store, account) == first
        entries.put(store, account, second)
        assert entries.get(KeyringStore(30), account) == second
        assert store.get(Account("oauth-token.a1", "u@example.com", "login.example")) is None
        assert entries.forget(store, account) and entries.get(store, account) is None
        sys.stdout.write("kept")
    """
    done = secret_service.run([sys.executable, "-c", textwrap.dedent(code)], env={"PYTHONPATH": str(ROOT)})
    assert done.stdout == "kept", done.stderr
    assert not secret_service.contains("f" * 100)
