"""The queue behind a sign-in with a provider: an OAuth server on loopback, and mail servers that take its tokens.

The mail servers: aiosmtpd, strict about XOAUTH2 and OAUTHBEARER, and Postfix with Dovecot where they are installed.
"""

import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.core.mail.office import HOUR, MINUTE
from tests.core.mail.wire import PASSWORD
from tests.e2e.test_mail_servers import Office
from tests.peers.browser import browse
from tests.peers.mail_server import INBOX
from tests.peers.mailbox import Mailbox
from tests.peers.oauth_mail import OAuthMail
from tests.peers.oauth_server import ACCOUNT, OAuthServer
from tests.peers.postfix import Postfix
from vxtray.core.mail.faults import AuthError
from vxtray.core.mail.fingerprint import SIGNED_IN, SIGNED_OUT
from vxtray.core.mail.hold import Cause
from vxtray.core.mail.oauth.flow import sign_in
from vxtray.core.mail.replies import words_of
from vxtray.core.mail.transport import Cutoff
from vxtray.core.mail.trial import send_trial
from vxtray.core.notices import TroubleChanged
from vxtray.core.settings.tree import Auth, Smtp

pytestmark = pytest.mark.timeout(60)

ROOT = Path(__file__).resolve().parents[2]
BURST = 100


class SignedIn(Office):
    """A post room whose settings sign in by OAuth; a password is stored too, and never takes the token's place."""

    def enter(self) -> None:
        """Sign in as a person does, and tell the post room as the engine does."""
        granted = sign_in(self.smtp, None, open_browser=lambda url: [browse(url)].clear(), cutoff=Cutoff())
        self.tokens.store(self.smtp, granted)
        self.room.mended(SIGNED_IN, granted.signed_in_as)

    def queue(self, count: int, first: int = 0) -> None:
        self.add(*(f"k{number}" for number in range(first, first + count)), to=(INBOX,))

    def notices(self) -> list[Any]:
        """Return what was told about the mail server, in its order."""
        return [one.error for one in self.told if isinstance(one, TroubleChanged) and one.what == "mail"]

    def close(self) -> None:
        super().close()
        self.tokens.close()


Making = Callable[[Smtp], SignedIn]


@pytest.fixture
def office(tmp_path: Path, request: pytest.FixtureRequest) -> Making:
    """Make a post room that nobody has signed in for yet."""

    def make(smtp: Smtp) -> SignedIn:
        made = SignedIn(tmp_path / "post", smtp)
        request.addfinalizer(made.close)
        return made

    return make


@pytest.fixture
def signed_in(office: Making, oauth_mail: OAuthMail) -> SignedIn:
    """Return a post room that has just been signed in for."""
    one = office(oauth_mail.settings())
    one.enter()
    return one


def keys(contents: list[bytes]) -> list[int]:
    """Return which mails these are, in order."""
    found = [content.split(b"<k")[1].split(b"@")[0] for content in contents]
    return sorted(map(int, found))


def arrived(mail: OAuthMail) -> list[int]:
    return keys([one.content for one in mail.box.mails])


# --- a burst ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wants_again", "count", "connections", "refreshes"),
    [
        pytest.param("", 20, 1, 0, id="counts at the sign-in only"),
        pytest.param("530 5.7.57 Client not authenticated to send mail", BURST, 2, 1, id="530"),
        pytest.param("454 4.7.0 Reauthenticate", 20, 2, 1, id="454"),
        pytest.param("421 4.7.0 Token expired, closing", 20, 2, 1, id="421"),
        pytest.param("hang up", 20, 2, 1, id="hangs up"),
    ],
)
def test_a_token_that_ends_in_the_middle_of_a_burst(
    wants_again: str,
    count: int,
    connections: int,
    refreshes: int,
    signed_in: SignedIn,
    oauth_mail: OAuthMail,
    oauth_server: OAuthServer,
) -> None:
    oauth_mail.wants_again, oauth_mail.expire_after = wants_again, count // 2
    signed_in.queue(count)
    assert signed_in.room.send_waiting() == count
    assert arrived(oauth_mail) == list(range(count))
    assert signed_in.states() == ["sent"] * count
    assert (oauth_mail.connections, oauth_server.refreshes()) == (connections, refreshes)
    assert signed_in.notices() == []


@pytest.mark.parametrize("provider", ["microsoft", "custom"])
def test_real_servers_take_both_mechanisms(
    provider: str, office: Making, postfix_server: Postfix, oauth_server: OAuthServer
) -> None:
    postfix_server.tokens.whose = oauth_server.accepts
    one = office(postfix_server.settings(auth=Auth.OAUTH, oauth=oauth_server.settings()))
    one.enter()
    granted = one.tokens.access_token(one.smtp)
    oauth = msgspec.structs.replace(one.smtp.oauth, provider=provider)
    trial = send_trial(msgspec.structs.replace(one.smtp, oauth=oauth), granted, "en")
    assert trial.ok
    postfix_server.delivered(1)
    oauth_server.expire_access_tokens()
    with pytest.raises(AuthError, match="refused the account that is signed in"):
        send_trial(msgspec.structs.replace(one.smtp, oauth=oauth), granted, "en")


def test_a_token_that_ends_between_two_bursts(
    office: Making, postfix_server: Postfix, oauth_server: OAuthServer
) -> None:
    postfix_server.tokens.whose = oauth_server.accepts
    one = office(postfix_server.settings(auth=Auth.OAUTH, oauth=oauth_server.settings()))
    one.enter()
    one.queue(BURST // 2)
    assert one.room.send_waiting() == BURST // 2
    oauth_server.expire_access_tokens()
    one.clock.now += 2 * MINUTE  # the connection is closed meanwhile; the token seems good for an hour
    one.queue(BURST // 2, first=BURST // 2)
    assert one.room.send_waiting() == BURST // 2
    assert keys(postfix_server.delivered(BURST)) == list(range(BURST))
    assert oauth_server.refreshes() == 1
    assert one.notices() == []


# --- the provider is away --------------------------------------------------------------------------------------------


@pytest.mark.expected_log("cannot be reached|did not answer|cannot sign anybody in")
@pytest.mark.parametrize("fault", ["500", "reset", "garbage", "temporarily_unavailable"])
def test_a_provider_that_is_away_for_an_hour(
    fault: str, signed_in: SignedIn, oauth_mail: OAuthMail, oauth_server: OAuthServer
) -> None:
    one = signed_in
    stored = one.room.send_waiting()
    assert stored == 0
    one.clock.now += 2 * HOUR  # the access token has ended
    oauth_server.token_faults = deque([fault] * 1000)
    one.queue(20)
    began, signed = one.clock(), oauth_mail.accepted()
    while one.clock() - began < HOUR:
        one.room.send_waiting()
        one.clock.now += MINUTE
    hold = one.outbox.hold()
    assert hold is not None
    assert hold.cause is Cause.SERVER
    assert one.states() == ["queued"] * 20
    assert 5 <= sum(len(one.attempts(mail)) for mail in range(1, 21)) <= 12, "one mail probes, ever more seldom"
    assert [error is None for error in one.notices()] == [False], "one notice"
    assert "sign in again" not in one.notices()[0].advice_id.casefold()
    assert one.tokens.health(one.smtp).state == "unreachable"
    assert (oauth_mail.accepted(), oauth_mail.refused()) == (signed, 0)
    oauth_server.token_faults.clear()
    one.clock.now += 20 * MINUTE
    assert one.room.send_waiting() == 20
    assert arrived(oauth_mail) == list(range(20))
    assert one.troubles() == []
    assert oauth_server.reused == 0


@pytest.mark.expected_log("There is no network")
def test_without_a_network_the_provider_is_not_blamed(
    signed_in: SignedIn, oauth_mail: OAuthMail, oauth_server: OAuthServer
) -> None:
    one = signed_in
    one.clock.now += 2 * HOUR
    oauth_server.token_faults, one.route = deque(["reset"] * 1000), False
    one.queue(3)
    for _ in range(30):
        one.room.send_waiting()
        one.clock.now += MINUTE
    hold = one.outbox.hold()
    assert hold is not None
    assert hold.cause is Cause.NETWORK
    oauth_server.token_faults.clear()
    one.route = True
    one.room._network_is_back()
    assert one.room.send_waiting() == 3
    assert arrived(oauth_mail) == [0, 1, 2]


# --- revoked ---------------------------------------------------------------------------------------------------------


@pytest.mark.expected_log("has ended")
def test_a_revoked_sign_in_waits_for_the_person(
    signed_in: SignedIn, oauth_mail: OAuthMail, oauth_server: OAuthServer
) -> None:
    one = signed_in
    one.queue(5)
    assert one.room.send_waiting() == 5
    oauth_server.revoke_everything()
    one.queue(20, first=5)
    one.clock.now += 2 * MINUTE
    for _ in range(10):
        assert one.room.send_waiting() == 0
        one.clock.now += HOUR
    hold = one.outbox.hold()
    assert hold is not None
    assert (hold.cause, hold.until) == (Cause.ACCOUNT, None)
    (error,) = one.notices()
    assert isinstance(error, AuthError)
    assert error.sign_in
    assert str(error) == f"The sign-in for {ACCOUNT} has ended."
    assert one.tokens.health(one.smtp).state == "needs-sign-in"
    assert (oauth_server.refreshes(), oauth_mail.refused()) == (1, 1), "nothing is repeated"
    assert sum(len(one.attempts(mail)) for mail in range(6, 26)) == 1
    kept = one.outbox.hold().error()  # type: ignore[union-attr]  # as a restart would find it
    assert isinstance(kept, AuthError)
    assert (kept.sign_in, str(kept)) == (True, str(error))
    one.enter()
    assert one.room.send_waiting() == 20
    assert arrived(oauth_mail) == list(range(25))
    assert one.troubles() == []
    history = [(one.what, one.detail.get("username")) for one in one.outbox.history() if one.what == "signed_in"]
    assert history == [("signed_in", ACCOUNT)] * 2


@pytest.mark.expected_log("has ended", "Nobody is signed in")
def test_a_sign_in_by_another_process_lets_the_queue_leave(
    signed_in: SignedIn, oauth_mail: OAuthMail, oauth_server: OAuthServer, tmp_path: Path
) -> None:
    from vxtray.core.mail.fingerprint import secret_changed
    from vxtray.core.mail.oauth.tokens import TokenKeeper

    one = signed_in
    oauth_server.revoke_everything()
    one.queue(3)
    assert one.room.send_waiting() == 0
    assert one.troubles() == ["mail"]
    other = TokenKeeper(one.credentials, tmp_path / "post", one.clock, one.clock.awake)
    granted = sign_in(one.smtp, None, open_browser=lambda url: [browse(url)].clear(), cutoff=Cutoff())
    other.store(one.smtp, granted)
    secret_changed(tmp_path / "post", SIGNED_IN, ACCOUNT)  # what the command leaves behind
    assert one.room.send_waiting() == 3, "without a word to this process"
    assert arrived(oauth_mail) == [0, 1, 2]
    other.sign_out(one.smtp)
    secret_changed(tmp_path / "post", SIGNED_OUT, ACCOUNT)
    one.clock.now += 2 * MINUTE
    one.queue(1, first=3)
    assert one.room.send_waiting() == 0, "the token in memory is not used any more"
    assert str(one.notices()[-1]) == f"Nobody is signed in for {ACCOUNT}."
    other.close()


def test_a_sign_in_that_ended_unused_is_told_before_the_next_mail(
    signed_in: SignedIn, oauth_server: OAuthServer
) -> None:
    one = signed_in
    assert one.room._courier.stay_signed_in() is None
    assert oauth_server.refreshes() == 0
    one.clock.now += 8 * 24 * HOUR
    assert one.room._courier.stay_signed_in() is None
    assert oauth_server.refreshes() == 1, "kept alive"
    one.clock.now += 8 * 24 * HOUR
    oauth_server.revoke_everything()
    error = one.room._courier.stay_signed_in()
    assert isinstance(error, AuthError)
    assert error.sign_in


@pytest.mark.expected_log("even after it was renewed")
def test_a_mailbox_that_takes_no_token_of_this_account(
    signed_in: SignedIn, oauth_mail: OAuthMail, oauth_server: OAuthServer
) -> None:
    one = signed_in
    oauth_mail.provider = OAuthServer()  # one that knows none of the tokens
    try:
        one.queue(2)
        for _ in range(5):
            assert one.room.send_waiting() == 0
            one.clock.now += HOUR
        assert (oauth_mail.refused(), oauth_server.refreshes()) == (2, 1), "one renewal, one retry"
        assert one.troubles() == ["mail"]
        (attempt,) = [attempt for mail in (1, 2) for attempt in one.outbox.entry(mail)[2]]
        assert (attempt["stage"], attempt["mechanism"]) == ("auth", "OAUTHBEARER")
        said = words_of("auth", str(attempt["reply"]), str(attempt["mechanism"]))
        assert said is not None
        assert said.title == "Microsoft refused the account that is signed in."
    finally:
        oauth_mail.provider.close()


# --- restart, threads, shared mailbox --------------------------------------------------------------------------------


def test_a_restart_goes_on_with_the_newest_token(
    signed_in: SignedIn, oauth_mail: OAuthMail, oauth_server: OAuthServer, tmp_path: Path
) -> None:
    before = signed_in
    before.queue(3)
    assert before.room.send_waiting() == 3
    for start in range(3):
        before.close()
        again = SignedIn(tmp_path / "post", before.smtp)
        again.credentials._secrets.update(before.credentials._secrets)  # type: ignore[attr-defined]  # a MemoryStore
        again.queue(1, first=3 + start)
        assert again.room.send_waiting() == 1
        before = again
    before.close()
    assert arrived(oauth_mail) == list(range(6))
    assert (oauth_server.refreshes(), oauth_server.reused) == (3, 0)


def test_two_threads_renew_once(signed_in: SignedIn, oauth_mail: OAuthMail, oauth_server: OAuthServer) -> None:
    one = signed_in
    one.clock.now += 2 * HOUR
    oauth_server.refresh_seconds = 0.3
    one.queue(5)
    at_once = threading.Barrier(2)
    said: list[bool] = []

    def test_mail() -> None:
        from vxtray.core.mail.delivery import secret_for

        at_once.wait(10)
        said.append(send_trial(one.smtp, secret_for(one.smtp, one.credentials, one.tokens), "en").ok)

    thread = threading.Thread(target=test_mail, name="test mail")
    thread.start()
    at_once.wait(10)
    assert one.room.send_waiting() == 5
    thread.join()
    assert said == [True]
    assert (oauth_server.refreshes(), oauth_server.reused, oauth_mail.refused()) == (1, 0, 0)
    assert len(oauth_mail.box.mails) == 6


def test_the_account_signs_in_and_the_shared_address_sends(
    office: Making, oauth_mail: OAuthMail, oauth_server: OAuthServer
) -> None:
    one = office(oauth_mail.settings(from_address="soc@example.com"))
    one.enter()
    assert send_trial(one.smtp, one.tokens.access_token(one.smtp), "en").ok
    (mail,) = oauth_mail.box.mails
    assert (mail.sender, mail.message["From"]) == ("soc@example.com", "vxtray <soc@example.com>")
    assert set(oauth_mail.sign_ins) == {("OAUTHBEARER", ACCOUNT, True)}


# --- profiles without OAuth ------------------------------------------------------------------------------------------

WITH_A_PASSWORD = """
import sys
from pathlib import Path
from vxtray.core.credentials import MemoryStore, Secret, smtp_account
from vxtray.core.paths import Profile
from vxtray.core.reports.period import Cadence
from vxtray.core.service import Service
from vxtray.core.settings.tree import Settings, Smtp
from vxtray.core.status import status

folder, port, ca_file, user, password = sys.argv[1:]
smtp = Smtp(host="127.0.0.1", port=int(port), username=user, from_address=user, recipients=(user,), ca_file=ca_file)
store = MemoryStore()
store.set(smtp_account(smtp), Secret(password))
service = Service(Profile.under(Path(folder)), Settings(smtp=smtp), store, lambda _notice: None)
service.start()
service.send_report(Cadence.DAILY)
while not service.outbox.last_settled():
    pass
status(service, running=True, language="en")
service.stop()
heavy = {"authlib", "httpx", "joserfc", "keyring"}
print(*sorted(name for name in sys.modules if name.partition(".")[0] in heavy or ".oauth." in name))
"""


def test_a_password_pays_nothing_for_oauth(smtp_catcher: Mailbox, tmp_path: Path) -> None:
    box = smtp_catcher
    arguments = [str(tmp_path / "profile"), str(box.port), str(box.ca_file), box.user, box.password]
    done = subprocess.run(
        [sys.executable, "-c", WITH_A_PASSWORD, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert len(box.wait(1)) == 1
    assert done.stdout.split() == []


@pytest.mark.expected_log("Nobody is signed in")
def test_a_stored_password_never_takes_the_place_of_a_token(office: Making, oauth_mail: OAuthMail) -> None:
    one = office(oauth_mail.settings())
    one.queue(1)
    assert one.room.send_waiting() == 0
    assert oauth_mail.connections == 0
    assert PASSWORD not in str(one.notices())
