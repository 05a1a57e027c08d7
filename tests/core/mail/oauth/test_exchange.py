"""The requests themselves: whose certificate is believed, through which proxy, and how long one may last."""

import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.mail.oauth.conftest import profile_for
from tests.peers.desktop import until
from tests.peers.oauth_server import OAuthServer
from vxtray.core import credentials
from vxtray.core.credentials import Secret
from vxtray.core.mail.faults import Kind, MailError, TlsError
from vxtray.core.mail.oauth import exchange, faults
from vxtray.core.mail.oauth.endpoints import provider_of
from vxtray.core.mail.oauth.errand import Errand, Line
from vxtray.core.mail.oauth.exchange import Registration
from vxtray.core.mail.oauth.faults import SignInUnreachable
from vxtray.core.mail.oauth.granted import Granted
from vxtray.core.settings.tree import OAuth, Smtp
from vxtray.core.texts import advice, title


@pytest.fixture
def protected(server_tls: Callable[..., ssl.SSLContext]) -> Iterator[OAuthServer]:
    """Run a server with a certificate of the tests' authority."""
    server = OAuthServer(server_tls("localhost"))
    yield server
    server.close()


def renewal(smtp: Smtp, token: str) -> Errand[Granted]:
    who = Registration(provider_of(smtp.oauth), smtp)
    return Errand(lambda line: exchange.refresh(who, line, Secret(token)), smtp.timeout_seconds)


def test_the_ca_file_of_the_mail_settings_counts_here_too(protected: OAuthServer, ca_file: str) -> None:
    granted = renewal(profile_for(protected, ca_file=ca_file), protected.grant()).result()
    assert protected.accepts(granted.access_token.reveal())


def test_an_unknown_certificate_gets_nothing(protected: OAuthServer) -> None:
    with pytest.raises(SignInUnreachable, match="cannot be protected") as caught:
        renewal(profile_for(protected), protected.grant()).result()
    assert isinstance(caught.value.__cause__, ssl.SSLError)
    assert protected.asked == []


def test_a_certificate_for_another_name_gets_nothing(server_tls: Callable[..., ssl.SSLContext], ca_file: str) -> None:
    server = OAuthServer(server_tls("other.example"))
    try:
        with pytest.raises(SignInUnreachable, match="cannot be protected"):
            renewal(profile_for(server, ca_file=ca_file), server.grant()).result()
        assert server.asked == []
    finally:
        server.close()


def test_a_missing_ca_file_is_told(protected: OAuthServer) -> None:
    with pytest.raises(TlsError, match="cannot be used"):
        renewal(profile_for(protected, ca_file="/nowhere/ca.pem"), protected.grant()).result()


def test_a_drip_over_tls_is_cut(protected: OAuthServer, ca_file: str) -> None:
    protected.token_faults.append("drip")
    with pytest.raises(SignInUnreachable):
        renewal(profile_for(protected, ca_file=ca_file, timeout_seconds=1), protected.grant()).result()


def test_one_that_was_left_can_be_cut_at_once(protected: OAuthServer, ca_file: str) -> None:
    protected.token_faults.append("hang")
    errand = renewal(profile_for(protected, ca_file=ca_file, timeout_seconds=60), protected.grant())
    until(lambda: protected.refreshes() == 1, "the request")
    with pytest.raises(ConnectionAbortedError):
        errand.result(lambda: True, abandon=True)
    assert errand.wait(20), "its thread has ended"


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({"https_proxy": "http://proxy.example:3128"}, "https://id.example/token", "http://proxy.example:3128"),
        ({"https_proxy": "proxy.example:3128"}, "https://id.example/token", "http://proxy.example:3128"),
        ({"https_proxy": "http://p:1", "no_proxy": "id.example"}, "https://id.example/token", None),
        ({"https_proxy": "http://p:1", "http_proxy": "http://p:1"}, "http://localhost:8/token", None),
        ({"http_proxy": "http://p:1"}, "https://id.example/token", None),
        ({}, "https://id.example/token", None),
    ],
)
def test_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, proxy: str | None
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert exchange._proxy(url) == proxy


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("access_token", "refresh_token", "token_type", "expires_in", "scope", "id_token", "refresh_token_expires_in")


@contextlib.contextmanager
def nothing_remembered() -> Iterator[None]:
    """Forget made-up tokens again: short words among them would be taken out of other tests' texts."""
    before = dict(credentials._revealed)
    try:
        yield
    finally:
        credentials._revealed.clear()
        credentials._revealed.update(before)


@given(st.dictionaries(st.sampled_from(NAMES), JSON))
@example({"access_token": "a", "refresh_token": "r", "expires_in": float("nan")})
@example({"access_token": "a", "refresh_token": "r", "expires_in": "1e400"})
@example({"access_token": "a", "refresh_token": "r", "id_token": "a.eyJhdWQiOiAx.b"})
def test_whatever_a_provider_answers_is_a_sign_in_or_a_fault(answer: dict[str, object]) -> None:
    smtp = Smtp(username="u@example.com", oauth=OAuth(provider="google", client_id="c"))
    who = Registration(provider_of(smtp.oauth), smtp)
    for former in (None, Secret("the-f0rmer-one")):
        with contextlib.suppress(MailError), nothing_remembered(), exchange._strictly(who):
            granted = exchange._granted(who, answer, nonce="n", former=former)
            assert granted.access_token.reveal().isascii()
            assert 1 <= granted.lifetime_seconds <= 86400


@given(st.dictionaries(st.sampled_from(["error", "error_description", "correlation_id"]), JSON), st.booleans())
@example({"error": "invalid_grant", "error_description": "AADSTS" + "9" * 3000}, True)
def test_whatever_error_a_provider_names_has_words(answer: dict[str, object], refresh: bool) -> None:
    fault = faults.from_answer(answer, "id.example", "u@example.com", refresh=refresh)
    for language in ("en", "fr"):
        assert "{" not in title(fault, language) + advice(fault, language)
    assert all(detail.isprintable() and len(detail) < 100 for detail in fault.details)
    assert fault.kind in {Kind.ACCOUNT, Kind.TEMPORARY}


def test_several_wait_for_one_errand() -> None:
    done = threading.Event()

    def work(_line: Line) -> float:
        done.wait(20)
        return time.monotonic()

    errand = Errand(work, 10)
    answers: list[float] = []
    threads = [threading.Thread(target=lambda: answers.append(errand.result())) for _ in range(4)]
    for thread in threads:
        thread.start()
    done.set()
    for thread in threads:
        thread.join(20)
    assert len(answers) == 4
    assert len(set(answers)) == 1
    assert not errand.running
