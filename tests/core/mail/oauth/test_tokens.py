"""Access tokens that are renewed in time, and a stored sign-in that survives whatever goes wrong."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.core.mail.oauth.conftest import SignedIn, profile_for
from tests.peers.desktop import until
from tests.peers.oauth_server import ACCOUNT, OAuthServer
from vxtray.core.credentials import Account, MemoryStore, Secret, SystemCredentials, oauth_account
from vxtray.core.errors import CredentialReadOnly, KeyringLocked, KeyringRefused, NotConfigured
from vxtray.core.mail.faults import AuthError, Kind, MailError
from vxtray.core.mail.oauth import exchange
from vxtray.core.mail.oauth.endpoints import provider_of
from vxtray.core.mail.oauth.errand import Errand
from vxtray.core.mail.oauth.exchange import Registration
from vxtray.core.mail.oauth.faults import NotSignedIn, SignInRefused, SignInUnreachable
from vxtray.core.mail.oauth.granted import Granted
from vxtray.core.mail.oauth.health import Health
from vxtray.core.mail.oauth.record import Record, RecordFile
from vxtray.core.mail.oauth.tokens import TokenKeeper, client_secret, set_client_secret
from vxtray.core.mail.transport import Cutoff
from vxtray.core.settings.tree import OAuth, Smtp

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Clocks:
    """The two clocks of a computer: ``wall`` may be set, ``steady`` stands still in standby."""

    def __init__(self) -> None:
        self.wall, self.steady = NOW, 1000.0

    def options(self) -> dict[str, Any]:
        return {"clock": lambda: self.wall, "monotonic": lambda: self.steady}

    def work(self, **duration: float) -> None:
        """Time passes while the computer is awake."""
        self.wall += timedelta(**duration)
        self.steady += timedelta(**duration).total_seconds()

    def sleep(self, **duration: float) -> None:
        """Time passes in standby."""
        self.wall += timedelta(**duration)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


class WatchedStore(MemoryStore):
    """Tells what is stored, and fails while ``locked``."""

    def __init__(self) -> None:
        super().__init__()
        self.locked = False
        self.on_set: Callable[[], None] = lambda: None

    def set(self, account: Account, secret: Secret) -> Secret | None:
        self.on_set()
        if self.locked:
            raise KeyringLocked
        return super().set(account, secret)


def granted(refresh: str, **changes: Any) -> Granted:
    usual: dict[str, Any] = {
        "refresh_token": Secret(refresh),
        "access_token": Secret("access-of-" + refresh),
        "expires_at": NOW + timedelta(hours=1),
        "lifetime_seconds": 3600,
        "signed_in_as": ACCOUNT,
    }
    return Granted(**usual | changes)


# --- when tokens are renewed -----------------------------------------------------------------------------------------


def test_one_token_serves_until_shortly_before_its_end(signed_in: SignedIn, clocks: Clocks) -> None:
    keeper = signed_in.keeper(**clocks.options())
    first = keeper.access_token(signed_in.smtp)
    assert signed_in.server.accepts(first.reveal()) == ACCOUNT
    clocks.work(minutes=54)
    assert keeper.access_token(signed_in.smtp) == first
    clocks.work(minutes=2)
    second = keeper.access_token(signed_in.smtp)
    assert second != first
    assert signed_in.server.refreshes() == 2
    assert signed_in.has_sign_in()


@pytest.mark.parametrize("change", ["standby", "clock set back, then worked on", "clock set ahead"])
def test_neither_standby_nor_a_clock_that_is_set_hides_the_end(
    signed_in: SignedIn, clocks: Clocks, change: str
) -> None:
    keeper = signed_in.keeper(**clocks.options())
    first = keeper.access_token(signed_in.smtp)
    if change == "standby":
        clocks.sleep(hours=2)
    elif change == "clock set ahead":
        clocks.wall += timedelta(days=400)
    else:
        clocks.wall -= timedelta(days=1)
        clocks.work(hours=2)
    assert keeper.access_token(signed_in.smtp) != first


def test_a_short_lived_token_is_used_for_half_its_life(
    oauth_server: OAuthServer, signed_in: SignedIn, clocks: Clocks
) -> None:
    oauth_server.lifetime = 60
    keeper = signed_in.keeper(**clocks.options())
    first = keeper.access_token(signed_in.smtp)
    clocks.work(seconds=29)
    assert keeper.access_token(signed_in.smtp) == first
    clocks.work(seconds=2)
    assert keeper.access_token(signed_in.smtp) != first


def test_a_refused_token_is_renewed_once_for_all(signed_in: SignedIn) -> None:
    keeper = signed_in.keeper()
    first = keeper.access_token(signed_in.smtp)
    signed_in.server.expire_access_tokens()
    second = keeper.renewed(signed_in.smtp, first)
    assert signed_in.server.accepts(second.reveal()) == ACCOUNT
    assert keeper.renewed(signed_in.smtp, first) == second, "a newer one was there already"
    assert keeper.access_token(signed_in.smtp) == second
    assert signed_in.server.refreshes() == 2


def test_another_registration_is_another_token(signed_in: SignedIn) -> None:
    keeper = signed_in.keeper()
    first = keeper.access_token(signed_in.smtp)
    changed = msgspec.structs.replace(
        signed_in.smtp, oauth=msgspec.structs.replace(signed_in.smtp.oauth, scopes=("openid",))
    )
    assert keeper.access_token(changed) != first


def test_a_provider_that_does_not_replace_refresh_tokens(signed_in: SignedIn) -> None:
    signed_in.server.rotate = False
    kept = signed_in.stored
    keeper = signed_in.keeper()
    keeper.renewed(signed_in.smtp, keeper.access_token(signed_in.smtp))
    assert signed_in.stored == kept
    assert signed_in.has_sign_in()


# --- what is stored, and when ----------------------------------------------------------------------------------------


def test_a_replaced_token_is_stored_before_the_new_access_token_is_used(signed_in: SignedIn) -> None:
    """Nobody has the access token at the moment when its refresh token is written."""
    store = WatchedStore()
    MemoryStore.set(store, signed_in.account, Secret(signed_in.stored))
    signed_in.store = store
    keeper, seen = signed_in.keeper(), []
    store.on_set = lambda: seen.append(dict(keeper._held))
    token = keeper.access_token(signed_in.smtp)
    assert seen == [{}]
    assert signed_in.has_sign_in()
    assert signed_in.server.accepts(token.reveal()) == ACCOUNT


def test_a_keyring_that_locks_in_between_loses_nothing(signed_in: SignedIn) -> None:
    store = WatchedStore()
    MemoryStore.set(store, signed_in.account, Secret(signed_in.stored))
    signed_in.store = store
    keeper = signed_in.keeper()
    store.locked = True
    for _attempt in range(3):
        with pytest.raises(KeyringLocked):
            keeper.access_token(signed_in.smtp)
    assert signed_in.server.refreshes() == 1, "the replaced token waits in memory; nothing is asked for again"
    store.locked = False
    token = keeper.access_token(signed_in.smtp)
    assert signed_in.server.accepts(token.reveal()) == ACCOUNT
    assert signed_in.server.refreshes() == 1
    assert signed_in.has_sign_in()
    assert signed_in.server.reused == 0


def test_a_keyring_that_only_pretends_is_found_out(signed_in: SignedIn) -> None:
    class Forgetful(WatchedStore):
        def set(self, account: Account, secret: Secret) -> Secret | None:
            return None

    store = Forgetful()
    MemoryStore.set(store, signed_in.account, Secret(signed_in.stored))
    signed_in.store = store
    with pytest.raises(KeyringRefused):
        signed_in.keeper().access_token(signed_in.smtp)


def test_a_sign_in_made_meanwhile_wins_over_what_could_not_be_stored(signed_in: SignedIn) -> None:
    store = WatchedStore()
    MemoryStore.set(store, signed_in.account, Secret(signed_in.stored))
    signed_in.store = store
    keeper = signed_in.keeper()
    store.locked = True
    with pytest.raises(KeyringLocked):
        keeper.access_token(signed_in.smtp)
    store.locked = False
    another_process = Secret(signed_in.server.grant())
    store.set(signed_in.account, another_process)
    keeper.access_token(signed_in.smtp)
    assert signed_in.server.requests("/token")[-1].params["refresh_token"] == another_process.reveal()
    assert signed_in.has_sign_in()


def test_a_long_token_is_split_and_renewed(oauth_server: OAuthServer, signed_in: SignedIn) -> None:
    oauth_server.refresh_length = 2600
    keeper = signed_in.keeper()
    for _turn in range(4):
        keeper.renewed(signed_in.smtp, keeper.access_token(signed_in.smtp))
        assert len(signed_in.stored) == 2600
        assert signed_in.has_sign_in()
    assert len(signed_in.store._secrets) == 4


def test_a_restart_goes_on_with_what_is_stored(signed_in: SignedIn) -> None:
    for _start in range(3):
        token = signed_in.keeper().access_token(signed_in.smtp)
        assert signed_in.server.accepts(token.reveal()) == ACCOUNT
    assert signed_in.server.reused == 0
    assert signed_in.has_sign_in()


def test_a_systemd_credential_is_renewed_in_memory_and_that_is_said(signed_in: SignedIn, tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "oauth-token").write_text(signed_in.stored + "\n")
    behind = MemoryStore()
    signed_in.store = SystemCredentials(folder, behind)
    keeper = signed_in.keeper()
    token = keeper.access_token(signed_in.smtp)
    token = keeper.renewed(signed_in.smtp, token)
    token = keeper.renewed(signed_in.smtp, token)
    assert signed_in.server.accepts(token.reveal()) == ACCOUNT
    assert signed_in.server.reused == 0
    assert behind._secrets == {}
    health = keeper.health(signed_in.smtp)
    assert (health.state, "systemd" in health.note) == ("ok", True)
    (folder / "oauth-token").write_text(fresh := signed_in.server.grant())
    keeper.renewed(signed_in.smtp, token)
    assert signed_in.server.requests("/token")[-1].params["refresh_token"] == fresh, "a new credential is taken"


# --- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        *("500", "garbage", "huge", "redirect", "reset", "drip", "hang"),
        *("temporarily_unavailable", "server_error", "invalid_request", "invalid_scope", "made_up_error"),
    ],
)
def test_a_passing_fault_keeps_the_sign_in(oauth_server: OAuthServer, made_for: Any, fault: str) -> None:
    signed_in = made_for(timeout_seconds=1)
    kept = signed_in.stored
    keeper = signed_in.keeper()
    oauth_server.token_faults.append(fault)
    with pytest.raises(SignInUnreachable) as caught:
        keeper.access_token(signed_in.smtp)
    assert caught.value.kind is Kind.TEMPORARY
    assert caught.value.transient
    assert signed_in.stored == kept
    assert keeper.health(signed_in.smtp).state == "unreachable"
    oauth_server.released.set()
    keeper.access_token(signed_in.smtp)
    health = keeper.health(signed_in.smtp)
    assert (health.state, health.fault.text, health.details) == ("ok", "", ())
    assert signed_in.has_sign_in()


def test_a_provider_that_is_gone(signed_in: SignedIn, free_port: int) -> None:
    oauth = signed_in.server.settings(token_url=f"http://127.0.0.1:{free_port}/token")
    smtp = profile_for(signed_in.server, oauth=oauth)
    signed_in.store.set(oauth_account(smtp, provider_of(oauth).host), Secret("a-token-of-theirs"))
    with pytest.raises(SignInUnreachable, match="cannot be reached") as caught:
        signed_in.keeper().access_token(smtp)
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


def test_plain_http_to_another_machine_gets_nothing(signed_in: SignedIn) -> None:
    smtp = profile_for(signed_in.server, oauth=signed_in.server.settings(token_url="http://id.example/token"))
    with pytest.raises(NotConfigured, match="not protected"):
        signed_in.keeper().access_token(smtp)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        *[(name, True) for name in ("invalid_grant", "interaction_required", "consent_required")],
        *[(name, False) for name in ("unauthorized_client", "invalid_client")],
    ],
)
def test_account_trouble_is_told_and_the_token_stays(signed_in: SignedIn, error: str, again: bool) -> None:
    kept = signed_in.stored
    keeper = signed_in.keeper()
    signed_in.server.token_faults.append(error)
    with pytest.raises(AuthError) as caught:
        keeper.access_token(signed_in.smtp)
    assert caught.value.kind is Kind.ACCOUNT
    assert caught.value.sign_in is again
    assert signed_in.stored == kept
    health = keeper.health(signed_in.smtp)
    assert health.state == "needs-sign-in"
    assert health.fault.in_language("en") == str(caught.value)
    assert health.remedy.text
    assert health.details == (error,)
    assert not keeper.due(signed_in.smtp)


def test_revoked_then_signed_in_again(signed_in: SignedIn) -> None:
    keeper = signed_in.keeper()
    token = keeper.access_token(signed_in.smtp)
    signed_in.server.revoke_everything()
    with pytest.raises(SignInRefused, match="has ended"):
        keeper.renewed(signed_in.smtp, token)
    keeper.store(signed_in.smtp, granted(signed_in.server.grant()))
    assert keeper.health(signed_in.smtp).state == "ok"
    assert keeper.access_token(signed_in.smtp).reveal().startswith("access-of-")
    assert signed_in.has_sign_in()


def test_a_token_that_another_process_replaced_is_read_again(signed_in: SignedIn) -> None:
    """The one that was read is refused: what the keyring holds by then is tried before anybody must sign in."""
    newer = Secret(signed_in.server.grant())

    class Replaced(MemoryStore):
        reads = 0

        def get(self, account: Account) -> Secret | None:
            if account.name == "oauth-token":
                self.reads += 1
                return Secret("an-old-one") if self.reads == 1 else super().get(account)
            return super().get(account)

    store = Replaced()
    MemoryStore.set(store, signed_in.account, newer)
    signed_in.store = store
    token = signed_in.keeper().access_token(signed_in.smtp)
    assert signed_in.server.accepts(token.reveal()) == ACCOUNT
    assert signed_in.has_sign_in()


def test_nobody_signed_in(signed_in: SignedIn) -> None:
    signed_in.store.forget(signed_in.account)
    keeper = signed_in.keeper()
    with pytest.raises(NotSignedIn, match=f"Nobody is signed in for {ACCOUNT}"):
        keeper.access_token(signed_in.smtp)
    assert keeper.health(signed_in.smtp) == Health()
    assert signed_in.server.asked == []


def test_the_token_goes_only_to_the_host_that_issued_it(signed_in: SignedIn, free_port: int) -> None:
    oauth = signed_in.server.settings(token_url=f"http://localhost:{free_port}/token")
    with pytest.raises(NotSignedIn):
        signed_in.keeper().access_token(profile_for(signed_in.server, oauth=oauth))


def test_who_cannot_wait_leaves_and_the_renewal_goes_on(signed_in: SignedIn) -> None:
    signed_in.server.refresh_seconds = 60
    keeper, cutoff = signed_in.keeper(), Cutoff()

    def leave() -> None:
        until(lambda: signed_in.server.refreshes() == 1, "the request")
        cutoff.cut()

    leaving = threading.Thread(target=leave)
    leaving.start()
    with pytest.raises(SignInUnreachable, match="interrupted"):
        keeper.access_token(signed_in.smtp, cutoff)
    leaving.join(20)
    signed_in.server.released.set()
    keeper.close(10)
    assert signed_in.has_sign_in(), "the token that the provider replaced was stored all the same"
    assert signed_in.server.refreshes() == 1


def test_a_client_secret_is_kept_and_sent(signed_in: SignedIn) -> None:
    set_client_secret(signed_in.store, signed_in.smtp, Secret("the-app-s3cret"))
    signed_in.server.client_secret = "the-app-s3cret"
    assert client_secret(signed_in.store, signed_in.smtp) == Secret("the-app-s3cret")
    assert signed_in.keeper().access_token(signed_in.smtp)
    set_client_secret(signed_in.store, signed_in.smtp, None)
    assert client_secret(signed_in.store, signed_in.smtp) is None


# --- signing out -----------------------------------------------------------------------------------------------------


def test_signing_out_forgets_everything(signed_in: SignedIn) -> None:
    keeper = signed_in.keeper()
    keeper.store(signed_in.smtp, granted(signed_in.server.grant()))
    assert keeper.sign_out(signed_in.smtp) is False, "this provider has no address to revoke at"
    assert signed_in.store._secrets == {}
    assert keeper.health(signed_in.smtp) == Health()
    with pytest.raises(NotSignedIn):
        keeper.access_token(signed_in.smtp)


@pytest.mark.parametrize("well", [True, False])
def test_signing_out_revokes_where_the_provider_can(signed_in: SignedIn, well: bool, free_port: int) -> None:
    smtp = signed_in.smtp
    url = signed_in.server.revoke_url if well else f"http://127.0.0.1:{free_port}/revoke"
    provider = msgspec.structs.replace(provider_of(smtp.oauth), revoke_url=url)
    token = Secret(signed_in.stored)
    assert signed_in.keeper()._revoke(smtp, provider, token) is well
    assert signed_in.has_sign_in() is not well


def test_a_systemd_credential_cannot_be_signed_out(signed_in: SignedIn, tmp_path: Path) -> None:
    (tmp_path / "oauth-token").write_text(signed_in.stored)
    signed_in.store = SystemCredentials(tmp_path, MemoryStore())
    keeper = signed_in.keeper()
    keeper.access_token(signed_in.smtp)
    with pytest.raises(CredentialReadOnly):
        keeper.sign_out(signed_in.smtp)
    assert keeper.health(signed_in.smtp).state == "ok"


def test_what_another_process_did_is_heeded_at_once(signed_in: SignedIn) -> None:
    keeper, another = signed_in.keeper(), signed_in.keeper()
    keeper.access_token(signed_in.smtp)
    another.sign_out(signed_in.smtp)
    keeper.forget_access_tokens()
    with pytest.raises(NotSignedIn):
        keeper.access_token(signed_in.smtp)


def test_a_new_registration_is_asked_with_the_scopes_again_only_where_needed(signed_in: SignedIn) -> None:
    provider = provider_of(signed_in.smtp.oauth)
    token = Secret(signed_in.stored)
    for again in (False, True):
        who = Registration(msgspec.structs.replace(provider, scopes_again=again), signed_in.smtp)
        token = Errand(lambda line, who=who, token=token: exchange.refresh(who, line, token), 10).result().refresh_token
        asked = signed_in.server.requests("/token")[-1].params
        assert ("scope" in asked) is again


# --- how it is -------------------------------------------------------------------------------------------------------


def google() -> Smtp:
    return Smtp(username=ACCOUNT, oauth=OAuth(provider="google", client_id="c"))


def test_the_health_of_a_sign_in(signed_in: SignedIn, clocks: Clocks) -> None:
    keeper = signed_in.keeper(**clocks.options())
    keeper.store(signed_in.smtp, granted(signed_in.server.grant()))
    clocks.work(days=1)
    keeper.access_token(signed_in.smtp)
    expected = Health(state="ok", signed_in_as=ACCOUNT, signed_in_at=NOW, last_refresh=NOW + timedelta(days=1))
    assert keeper.health(signed_in.smtp) == expected
    assert signed_in.keeper().health(signed_in.smtp) == expected, "another program of the profile says the same"
    assert keeper.health(msgspec.structs.replace(signed_in.smtp, username="other@example.com")) == Health()
    assert keeper.health(Smtp()) == Health()


def test_the_expected_end(tmp_path: Path, clocks: Clocks) -> None:
    keeper = TokenKeeper(MemoryStore(), tmp_path, **clocks.options())
    microsoft = Smtp(username=ACCOUNT, oauth=OAuth(provider="microsoft", client_id="c"))
    keeper.store(microsoft, granted("r"))
    assert keeper.health(microsoft).expected_end == NOW + timedelta(days=90)
    keeper.store(google(), granted("r"))
    assert keeper.health(google()).expected_end == NOW + timedelta(days=180)
    assert keeper.health(google()).note == ""
    keeper.store(google(), granted("r", refresh_ends=NOW + timedelta(days=7)))
    assert keeper.health(google()).expected_end == NOW + timedelta(days=7)
    assert "testing" in keeper.health(google()).note


@pytest.mark.parametrize(("days", "noted"), [(2, False), (7, True), (7.2, True), (30, False)])
def test_the_trap_of_googles_apps_in_testing(tmp_path: Path, clocks: Clocks, days: float, noted: bool) -> None:
    keeper = TokenKeeper(MemoryStore(), tmp_path, **clocks.options())
    keeper.store(google(), granted("r"))
    clocks.work(days=days)
    refused = faults_invalid_grant()
    keeper._note(oauth_account(google(), "oauth2.googleapis.com"), provider_of(google().oauth), refused)
    health = keeper.health(google())
    assert health.state == "needs-sign-in"
    assert ("testing" in health.note) is noted


def faults_invalid_grant() -> MailError:
    from vxtray.core.mail.oauth import faults

    return faults.from_answer({"error": "invalid_grant"}, "oauth2.googleapis.com", ACCOUNT, refresh=True)


def test_renewing_is_seen(signed_in: SignedIn) -> None:
    keeper = signed_in.keeper()
    keeper.store(signed_in.smtp, granted(signed_in.server.grant(), lifetime_seconds=1))
    signed_in.server.refresh_seconds = 60
    asking = threading.Thread(target=keeper.renewed, args=(signed_in.smtp, Secret("access-of-x")))
    keeper._held.clear()
    asking.start()
    try:
        until(lambda: keeper.health(signed_in.smtp).state == "renewing", "the renewal")
    finally:
        signed_in.server.released.set()
        asking.join(20)
    assert keeper.health(signed_in.smtp).state == "ok"


def test_a_sign_in_that_is_not_used_is_due_after_a_week(signed_in: SignedIn, clocks: Clocks) -> None:
    keeper = signed_in.keeper(**clocks.options())
    assert not keeper.due(signed_in.smtp), "nothing is known of it"
    assert not keeper.due(Smtp())
    keeper.store(signed_in.smtp, granted(signed_in.server.grant()))
    clocks.work(days=6, hours=23)
    assert not keeper.due(signed_in.smtp)
    clocks.work(hours=1)
    assert keeper.due(signed_in.smtp)
    signed_in.server.token_faults.append("500")
    with pytest.raises(SignInUnreachable):
        keeper.access_token(signed_in.smtp)
    assert not keeper.due(signed_in.smtp), "not at once again"
    clocks.work(hours=1)
    assert keeper.due(signed_in.smtp)
    keeper.access_token(signed_in.smtp)
    clocks.work(hours=1)
    assert not keeper.due(signed_in.smtp)


# --- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"a": 1}', b"\xff\x00", b'{"a": {"state": "odd"}}', b"[" * 100000]
)
def test_a_damaged_file_is_as_good_as_none(signed_in: SignedIn, content: bytes) -> None:
    signed_in.folder.mkdir()
    (signed_in.folder / "sign-in.json").write_bytes(content)
    keeper = signed_in.keeper()
    assert keeper.health(signed_in.smtp) == Health()
    keeper.access_token(signed_in.smtp)
    assert keeper.health(signed_in.smtp).state == "ok"


@pytest.mark.expected_log("cannot be saved")
def test_a_disk_that_refuses_does_not_stop_the_mail(signed_in: SignedIn) -> None:
    (signed_in.folder / "sign-in.json").mkdir(parents=True)
    token = signed_in.keeper().access_token(signed_in.smtp)
    assert signed_in.server.accepts(token.reveal()) == ACCOUNT
    assert signed_in.has_sign_in()


def test_records_of_several_accounts_stand_side_by_side(tmp_path: Path) -> None:
    file, other = RecordFile(tmp_path / "sign-in.json"), RecordFile(tmp_path / "sign-in.json")
    one, two = Account("oauth-token", "a@example.com", "h"), Account("oauth-token", "b@example.com", "h")
    file.put(one, Record(signed_in_as="a@example.com"))
    other.put(two, Record(signed_in_as="b@example.com"))
    assert file.get(one) is not None
    assert file.get(two) == Record(signed_in_as="b@example.com")
    file.put(one, None)
    assert other.get(one) is None
    assert other.get(two) is not None
    assert (tmp_path / "sign-in.json").stat().st_mode & 0o777 == 0o600
