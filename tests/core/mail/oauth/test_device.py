"""Signing in by a code that is typed elsewhere (RFC 8628)."""

import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tests.core.mail.oauth.conftest import profile_for
from tests.peers.desktop import until
from tests.peers.oauth_server import ACCOUNT, DEVICE_GRANT, OAuthServer
from vxtray.core.errors import NotConfigured
from vxtray.core.mail.oauth.device import Code, sign_in_with_code
from vxtray.core.mail.oauth.faults import SignInCancelled, SignInRefused, SignInUnreachable
from vxtray.core.mail.oauth.granted import Granted
from vxtray.core.mail.transport import Cutoff
from vxtray.core.settings.tree import OAuth, Smtp


class Person:
    """Types the code once vxtray has asked so often."""

    def __init__(self, server: OAuthServer, *, after: int = 1, deny: bool = False) -> None:
        self.server, self.after, self.deny = server, after, deny
        self.code: Code | None = None
        self.thread: threading.Thread | None = None

    def __call__(self, code: Code) -> None:
        self.code = code
        self.thread = threading.Thread(target=self._type)
        self.thread.start()

    def _type(self) -> None:
        until(lambda: self.polls() >= self.after, "the questions")
        assert self.code is not None
        self.server.type_code(self.code.user_code, deny=self.deny)

    def polls(self) -> int:
        return sum(asked.params.get("grant_type") == DEVICE_GRANT for asked in self.server.requests("/token"))


def attempt(smtp: Smtp, person: Person, slower: float = 0.01) -> Granted:
    try:
        return sign_in_with_code(smtp, None, on_code=person, cutoff=Cutoff(), slower=slower)
    finally:
        if person.thread is not None:
            person.thread.join(10)


def test_a_code_that_is_typed_signs_in(oauth_server: OAuthServer, smtp: Smtp) -> None:
    person = Person(oauth_server, after=2)
    granted = attempt(smtp, person)
    assert person.code is not None
    assert person.code.url == f"{oauth_server.url}/enter"
    assert timedelta(0) < person.code.expires_at - datetime.now(UTC) <= timedelta(seconds=600)
    assert granted.signed_in_as == ACCOUNT
    assert oauth_server.accepts(granted.access_token.reveal()) == ACCOUNT
    assert "device_code" not in oauth_server.requests("/device")[0].params


def test_it_slows_down_when_asked(oauth_server: OAuthServer, smtp: Smtp) -> None:
    oauth_server.slow_down = 2
    assert attempt(smtp, Person(oauth_server, after=3), slower=0.1).signed_in_as == ACCOUNT
    times = oauth_server.polled
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses[0] >= 0.1
    assert min(pauses[1:]) >= 0.2, "each slow_down adds to the pause, for good"


def test_the_person_says_no(oauth_server: OAuthServer, smtp: Smtp) -> None:
    with pytest.raises(SignInRefused, match="Access was not allowed"):
        attempt(smtp, Person(oauth_server, deny=True))


def test_the_code_is_not_typed_in_time(oauth_server: OAuthServer, smtp: Smtp) -> None:
    oauth_server.device_lifetime = 1
    with pytest.raises(SignInRefused, match="not entered in time"):
        sign_in_with_code(smtp, None, on_code=lambda _code: None, cutoff=Cutoff())


def test_the_server_says_that_it_is_too_late(oauth_server: OAuthServer, smtp: Smtp) -> None:
    oauth_server.token_faults.append("expired_token")
    with pytest.raises(SignInRefused, match="not entered in time"):
        sign_in_with_code(smtp, None, on_code=lambda _code: None, cutoff=Cutoff())


def test_a_provider_that_stumbles_is_asked_again(oauth_server: OAuthServer, smtp: Smtp) -> None:
    oauth_server.token_faults.append("reset")
    assert attempt(smtp, Person(oauth_server, after=1)).signed_in_as == ACCOUNT


def test_the_person_cancels(oauth_server: OAuthServer, smtp: Smtp) -> None:
    cutoff = Cutoff()
    with pytest.raises(SignInCancelled):
        sign_in_with_code(smtp, None, on_code=lambda _code: cutoff.cut(), cutoff=cutoff)


def test_an_organisation_that_blocks_codes(oauth_server: OAuthServer, smtp: Smtp) -> None:
    oauth_server.device_error = "unauthorized_client"
    with pytest.raises(SignInRefused, match="does not allow this sign-in"):
        attempt(smtp, Person(oauth_server))


@pytest.mark.parametrize(
    "answer",
    [
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri": "http://evil.example/"},
        {"verification_uri": "https://" + "x" * 300},
        {"user_code": 7},
        {"device_code": None},
        {"expires_in": -1},
        {"expires_in": "never"},
        {"interval": -1},
    ],
)
def test_an_answer_that_must_not_be_shown(oauth_server: OAuthServer, smtp: Smtp, answer: dict[str, object]) -> None:
    oauth_server.answer = answer

    def shown(_code: Code) -> None:
        pytest.fail("it was shown")

    with pytest.raises(SignInUnreachable):
        sign_in_with_code(smtp, None, on_code=shown, cutoff=Cutoff())


def test_what_is_shown_is_one_short_line(oauth_server: OAuthServer, smtp: Smtp) -> None:
    oauth_server.answer = {"user_code": "A\x1b[31m\nB" + "C" * 500, "expires_in": "600", "interval": "0"}
    cutoff, shown = Cutoff(), []
    with pytest.raises(SignInCancelled):
        sign_in_with_code(smtp, None, on_code=lambda code: (shown.append(code), cutoff.cut()), cutoff=cutoff)
    assert shown[0].user_code.isprintable()
    assert len(shown[0].user_code) <= 40


def test_providers_without_codes(oauth_server: OAuthServer) -> None:
    for oauth in (OAuth(provider="google", client_id="c"), oauth_server.settings(device_url="")):
        with pytest.raises(NotConfigured, match="no sign-in by code"):
            sign_in_with_code(profile_for(oauth_server, oauth=oauth), None, on_code=print, cutoff=Cutoff())
