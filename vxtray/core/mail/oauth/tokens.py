"""Keeps the sign-in alive: the refresh token in the keyring, access tokens in memory, renewed before they end.

Any thread but the GUI's (except ``health``, ``due`` and ``mismatch``, which ask neither the network nor the keyring).
One renewal at a time in a process (threads wait for it) and, by a lock file, among the processes of a profile: a
provider takes a refresh token that is used twice for a stolen one, and ends the whole sign-in (RFC 9700, section 4.14).
A token that the provider replaced is stored and read back before its access token is used, and a stored token is only
ever replaced, never deleted, but by ``sign_out``.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from vxtray.core.credentials import Account, CredentialStore, Secret, client_secret_account, oauth_account
from vxtray.core.errors import N_, CredentialReadOnly, NotConfigured
from vxtray.core.mail.faults import MailError
from vxtray.core.mail.oauth import entries, exchange, faults
from vxtray.core.mail.oauth.endpoints import Provider, provider_of
from vxtray.core.mail.oauth.errand import Errand, Line
from vxtray.core.mail.oauth.exchange import Registration
from vxtray.core.mail.oauth.granted import Granted
from vxtray.core.mail.oauth.health import READ_ONLY, Health, health_of, testing_note, troubled
from vxtray.core.mail.oauth.record import Record, RecordFile
from vxtray.core.mail.transport import Cutoff
from vxtray.core.paths import private_folder
from vxtray.core.settings.tree import OAuth, Smtp

__all__ = ["Health", "TokenKeeper", "client_secret", "set_client_secret"]

#: Before an access token ends it is renewed; a short one after half its life.
_MARGIN_SECONDS = 300.0
#: A sign-in that was not used for so long is renewed without need, at most once in so many seconds.
_DUE_AFTER = timedelta(days=7)
_DUE_PAUSE = 3600.0
_LOCK_SECONDS = 45.0


class _Held(msgspec.Struct, frozen=True):
    """An access token in memory, with its end by both clocks: one stands still in standby, the other may be set."""

    token: Secret
    ends_at: datetime
    ends_on_monotonic: float


class _Unsaved(msgspec.Struct, frozen=True):
    """A replaced refresh token that the keyring did not take, and what stood there when it was granted."""

    former: Secret
    granted: Granted
    held: _Held
    read_only: bool = False


#: Whose access token: another registration or scope is another token.
_Key = tuple[Account, OAuth]


class TokenKeeper:
    """Gives access tokens. One a process; several processes of a profile take turns by a lock file."""

    def __init__(
        self,
        credentials: CredentialStore,
        state_folder: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``state_folder`` takes what is known of the sign-in (no secrets) and the lock file."""
        self._credentials = credentials
        self._folder = state_folder
        self._clock = clock
        self._monotonic = monotonic
        self._records = RecordFile(state_folder / "sign-in.json")
        self._lock = threading.Lock()
        self._held: dict[_Key, _Held] = {}
        self._errands: dict[_Key, Errand[Secret]] = {}
        self._unsaved: dict[Account, _Unsaved] = {}
        self._tried: dict[Account, float] = {}

    # --- access tokens -----------------------------------------------------------------------------------------------

    def access_token(self, smtp: Smtp, cutoff: Cutoff | None = None) -> Secret:
        """Return a token that is valid for some minutes more, renewed where needed.

        Raises ``AuthError`` of ``Kind.ACCOUNT`` where the person must sign in again, a temporary ``MailError`` where
        the provider cannot be reached (or ``cutoff`` ended the wait; the renewal then goes on), ``CredentialError``,
        ``NotConfigured``.
        """
        return self._valid(smtp, None, cutoff)

    def renewed(self, smtp: Smtp, refused: Secret, cutoff: Cutoff | None = None) -> Secret:
        """Return another token than the one the mail server refused; refreshes unless there is a newer one already.

        Raises as ``access_token``.
        """
        return self._valid(smtp, refused, cutoff)

    def _valid(self, smtp: Smtp, refused: Secret | None, cutoff: Cutoff | None) -> Secret:
        provider, account = _whose(smtp)
        key = (account, smtp.oauth)
        with self._lock:
            held = self._held.get(key)
            if held is not None and held.token != refused and self._is_fresh(held):
                return held.token
            errand = self._errands.get(key)
            if errand is None or not errand.running:
                errand = self._errands[key] = Errand(
                    lambda line: self._renew(smtp, provider, key, refused, line), smtp.timeout_seconds
                )
                self._tried[account] = self._monotonic()
        try:
            return errand.result(cutoff.is_cut if cutoff is not None else lambda: False)
        except TimeoutError as fault:
            raise faults.unreachable(provider.host) from fault
        except ConnectionAbortedError as fault:
            raise faults.unreachable(provider.host, title=N_("Renewing the sign-in was interrupted.")) from fault

    def _is_fresh(self, held: _Held) -> bool:
        return self._clock() < held.ends_at and self._monotonic() < held.ends_on_monotonic

    def close(self, seconds: float = 5.0) -> None:
        """Let renewals that are under way end, so that a token the provider replaces is still stored."""
        end = time.monotonic() + seconds
        with self._lock:
            errands = list(self._errands.values())
        for errand in errands:
            errand.wait(max(0.0, end - time.monotonic()))

    # --- a renewal, on its errand's thread ---------------------------------------------------------------------------

    def _renew(self, smtp: Smtp, provider: Provider, key: _Key, refused: Secret | None, line: Line) -> Secret:
        account = key[0]
        with self._turn(provider):
            try:
                granted, held = self._granted(smtp, provider, account, refused, line)
            except MailError as fault:
                self._note(account, provider, fault)
                raise
            with self._lock:
                self._held[key] = held
            self._remember(account, granted)
            return granted.access_token

    def _granted(
        self, smtp: Smtp, provider: Provider, account: Account, refused: Secret | None, line: Line
    ) -> tuple[Granted, _Held]:
        """Refresh with the newest token there is, and store what replaces it. Raises as ``access_token``."""
        stored = entries.get(self._credentials, account)
        unsaved = self._unsaved_for(account, stored)
        if unsaved is not None and not unsaved.read_only:
            self._save(account, unsaved)
            if self._is_fresh(unsaved.held) and unsaved.held.token != refused:
                return unsaved.granted, unsaved.held
            stored, unsaved = unsaved.granted.refresh_token, None
        token = unsaved.granted.refresh_token if unsaved is not None else stored
        if token is None or stored is None:
            raise faults.not_signed_in(smtp.username)
        who = Registration(provider, smtp, client_secret(self._credentials, smtp))
        try:
            granted = exchange.refresh(who, line, token)
        except faults.SignInRefused as fault:
            newer = entries.get(self._credentials, account)
            if fault.error != "invalid_grant" or newer is None or newer == token:
                raise
            stored = token = newer  # another process, or a new systemd credential
            granted = exchange.refresh(who, line, token)
        held = self._holding(granted)
        if granted.refresh_token != token:
            self._save(account, _Unsaved(stored, granted, held))
        return granted, held

    def _unsaved_for(self, account: Account, stored: Secret | None) -> _Unsaved | None:
        """Return the token that could not be stored, unless something newer was stored meanwhile."""
        unsaved = self._unsaved.get(account)
        if unsaved is not None and unsaved.former != stored:
            del self._unsaved[account]
            return None
        return unsaved

    def _save(self, account: Account, unsaved: _Unsaved) -> None:
        """Store a replaced token. Raises ``CredentialError``, and then keeps it in memory for the next attempt."""
        self._unsaved[account] = unsaved
        try:
            entries.put(self._credentials, account, unsaved.granted.refresh_token)
        except CredentialReadOnly:
            self._unsaved[account] = msgspec.structs.replace(unsaved, read_only=True)
        else:
            del self._unsaved[account]

    def _holding(self, granted: Granted) -> _Held:
        seconds = granted.lifetime_seconds - min(_MARGIN_SECONDS, granted.lifetime_seconds / 2)
        return _Held(granted.access_token, self._clock() + timedelta(seconds=seconds), self._monotonic() + seconds)

    def _remember(self, account: Account, granted: Granted) -> None:
        known = self._records.get(account) or Record()
        unsaved = self._unsaved.get(account)
        self._records.put(
            account,
            Record(
                signed_in_as=granted.signed_in_as or known.signed_in_as,
                signed_in_at=known.signed_in_at,
                last_refresh=self._clock(),
                refresh_ends=granted.refresh_ends or known.refresh_ends,
                note=READ_ONLY if unsaved is not None and unsaved.read_only else testing_note(known),
            ),
        )

    def _note(self, account: Account, provider: Provider, fault: MailError) -> None:
        """Put on record what went wrong. Where nobody ever signed in, there is nothing that could be renewed."""
        known = self._records.get(account)
        if known is None and isinstance(fault, faults.NotSignedIn):
            return
        self._records.put(account, troubled(known or Record(), provider, fault, self._clock()))

    @contextlib.contextmanager
    def _turn(self, provider: Provider) -> Iterator[None]:
        """Take turns with other threads and processes. Raises a temporary ``MailError``."""
        from filelock import FileLock, Timeout

        try:
            lock = FileLock(private_folder(self._folder) / "sign-in.lock", timeout=_LOCK_SECONDS, mode=0o600)
            lock.acquire()
        except (Timeout, OSError) as fault:
            title = N_("Another vxtray command is renewing the sign-in with {host}.")
            raise faults.unreachable(provider.host, title=title) from fault
        try:
            yield
        finally:
            lock.release()

    # --- signing in and out ------------------------------------------------------------------------------------------

    def store(self, smtp: Smtp, granted: Granted) -> None:
        """Keep a new sign-in: the refresh token in the keyring, read back.

        Raises ``CredentialError``, ``MailError`` (another process holds the lock), ``NotConfigured``.
        """
        provider, account = _whose(smtp)
        with self._turn(provider):
            entries.put(self._credentials, account, granted.refresh_token)
            self._unsaved.pop(account, None)
            self._forget_access(account)
            with self._lock:
                self._held[account, smtp.oauth] = self._holding(granted)
            now = self._clock()
            record = Record(
                signed_in_as=granted.signed_in_as,
                signed_in_at=now,
                last_refresh=now,
                refresh_ends=granted.refresh_ends,
            )
            self._records.put(account, msgspec.structs.replace(record, note=testing_note(record)))

    def sign_out(self, smtp: Smtp) -> bool:
        """Delete from the keyring, and revoke where the provider can; True when revoked.

        Raises ``CredentialError``, ``MailError`` (another process holds the lock), ``NotConfigured``.
        """
        provider, account = _whose(smtp)
        with self._turn(provider):
            token = entries.get(self._credentials, account)
            entries.forget(self._credentials, account)
            self._unsaved.pop(account, None)
            self._forget_access(account)
            self._records.put(account, None)
            return token is not None and bool(provider.revoke_url) and self._revoke(smtp, provider, token)

    def _revoke(self, smtp: Smtp, provider: Provider, token: Secret) -> bool:
        who = Registration(provider, smtp, client_secret(self._credentials, smtp))
        try:
            Errand(lambda line: exchange.revoke(who, line, token), smtp.timeout_seconds).result()
        except (MailError, TimeoutError):
            return False
        return True

    def forget_access_tokens(self) -> None:
        """Use no token in memory any more: another process of the profile signed in or out."""
        with self._lock:
            self._held.clear()

    def _forget_access(self, account: Account) -> None:
        with self._lock:
            self._held = {key: held for key, held in self._held.items() if key[0] != account}

    @staticmethod
    def mismatch(smtp: Smtp, granted: Granted) -> str:
        """Return the address that signed in where it is not the profile's user name, else ""."""
        address = granted.signed_in_as
        return address if address.casefold() != smtp.username.casefold() else ""

    # --- how it is ---------------------------------------------------------------------------------------------------

    def health(self, smtp: Smtp) -> Health:
        """Return how the sign-in is, from memory and a small file only."""
        try:
            provider, account = _whose(smtp)
        except NotConfigured:
            return Health()
        record = self._records.get(account)
        if record is None:
            return Health()
        with self._lock:
            errand = self._errands.get((account, smtp.oauth))
        return health_of(provider, record, renewing=errand is not None and errand.running)

    def due(self, smtp: Smtp) -> bool:
        """Return whether the sign-in was not used for 7 days, so that ``access_token`` should keep it alive; cheap."""
        try:
            _provider, account = _whose(smtp)
        except NotConfigured:
            return False
        record = self._records.get(account)
        if record is None or record.state == "needs-sign-in":
            return False
        tried = self._tried.get(account)
        if tried is not None and self._monotonic() - tried < _DUE_PAUSE:
            return False
        return record.last_refresh is None or self._clock() - record.last_refresh >= _DUE_AFTER


def _whose(smtp: Smtp) -> tuple[Provider, Account]:
    provider = provider_of(smtp.oauth)
    return provider, oauth_account(smtp, provider.host)


def set_client_secret(credentials: CredentialStore, smtp: Smtp, secret: Secret | None) -> None:
    """Keep the app registration's client secret in the keyring; None forgets it. Raises ``CredentialError``."""
    account = client_secret_account(smtp, provider_of(smtp.oauth).host)
    if secret is None:
        credentials.forget(account)
    else:
        credentials.set(account, secret)


def client_secret(credentials: CredentialStore, smtp: Smtp) -> Secret | None:
    """Return the app registration's client secret, None where there is none. Raises ``CredentialError``."""
    return credentials.get(client_secret_account(smtp, provider_of(smtp.oauth).host))
