"""Secrets of any length in a keyring whose entries hold 1,280 characters, as Windows' do. Microsoft's are longer.

A short secret is one entry. A long one is cut into parts, which are written first; then the entry itself, which names
them ("vxtray-parts:a:2:SHA-256"); then the former parts go. So the entry always leads to one whole secret, the old or
the new, wherever a crash or a locked keyring stops it. The parts have two sets of names, a and b, used in turn: what a
crash left behind is overwritten by the next but one. Any thread but the GUI's.
"""

import contextlib
import hashlib
import logging

import msgspec

from vxtray.core.credentials import LONGEST_SECRET, Account, CredentialStore, Secret
from vxtray.core.errors import N_, CredentialError, KeyringRefused

_log = logging.getLogger(__name__)

#: Characters of one part; tokens are ASCII, so as many UTF-16 units.
_PART = 1000
_MOST_PARTS = 64
_MARK = "vxtray-parts"


class _Manifest(msgspec.Struct, frozen=True):
    """What the entry of a long secret says."""

    names: str
    count: int
    digest: str

    def __str__(self) -> str:
        return f"{_MARK}:{self.names}:{self.count}:{self.digest}"


def get(store: CredentialStore, account: Account) -> Secret | None:
    """Return a secret, None where there is none, or where parts of it are gone. Raises ``CredentialError``."""
    for _reading in range(2):  # another process may have replaced it meanwhile
        entry = store.get(account)
        manifest = _manifest(entry)
        if manifest is None:
            return entry
        parts = [store.get(_part(account, manifest.names, number)) for number in range(1, manifest.count + 1)]
        whole = "".join(part.reveal() for part in parts if part is not None)
        if None not in parts and _digest(whole) == manifest.digest:
            return Secret(whole)
    _log.warning("the stored secret %s is incomplete", account.name)
    return None


def put(store: CredentialStore, account: Account, secret: Secret) -> None:
    """Store a secret and read it back. Raises ``CredentialError``; then the former one is still there."""
    text = secret.reveal()
    former = _manifest(store.get(account))
    names, count = "b" if former is not None and former.names == "a" else "a", 0
    if len(text.encode("utf-16-le")) // 2 <= LONGEST_SECRET and not text.startswith(f"{_MARK}:"):
        store.set(account, secret)
    else:
        count = _put_parts(store, account, text, names)
    if get(store, account) != secret:
        raise KeyringRefused(reason=N_("it did not keep what was stored"))
    if former is not None:
        _forget_parts(store, account, former.names, 0, former.count)
    if count:
        _forget_parts(store, account, names, count, 0)


def forget(store: CredentialStore, account: Account) -> bool:
    """Delete a secret with its parts; False where there was none. Raises ``CredentialError``."""
    was_there = store.forget(account)
    if was_there:
        for names in ("a", "b"):
            _forget_parts(store, account, names, 0, 0)
    return was_there


def _put_parts(store: CredentialStore, account: Account, text: str, names: str) -> int:
    """Write the parts, then the entry that names them; return their number."""
    pieces = [text[start : start + _PART] for start in range(0, len(text), _PART)]
    if len(pieces) > _MOST_PARTS:
        raise KeyringRefused(reason=N_("the secret is longer than a keyring entry can be"))
    for number, piece in enumerate(pieces, 1):
        store.set(_part(account, names, number), Secret(piece))
    store.set(account, Secret(str(_Manifest(names, len(pieces), _digest(text)))))
    return len(pieces)


def _forget_parts(store: CredentialStore, account: Account, names: str, after: int, known: int) -> None:
    """Delete the parts beyond a number, ``known`` of them and what follows without a gap.

    Nothing leads to them any more, so a keyring that refuses keeps something useless.
    """
    with contextlib.suppress(CredentialError):
        for number in range(after + 1, _MOST_PARTS + 1):
            if not store.forget(_part(account, names, number)) and number > known:
                return


def _part(account: Account, names: str, number: int) -> Account:
    return Account(f"{account.name}.{names}{number}", account.user, account.host)


def _manifest(entry: Secret | None) -> _Manifest | None:
    words = entry.reveal().split(":") if entry is not None else []
    if len(words) != 4 or words[0] != _MARK or not words[2].isdecimal() or not 0 < int(words[2][:3]) <= _MOST_PARTS:
        return None
    return _Manifest(words[1], int(words[2]), words[3])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
