"""Signing in through the browser, against a server that is strict about PKCE, redirect and state."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.core.mail.oauth.conftest import profile_for
from tests.peers import browser
from tests.peers.desktop import until
from tests.peers.oauth_server import ACCOUNT, OAuthServer, id_token
from vxtray.core.credentials import Secret
from vxtray.core.errors import NotConfigured
from vxtray.core.mail.faults import Kind
from vxtray.core.mail.oauth import exchange
from vxtray.core.mail.oauth.endpoints import provider_of
from vxtray.core.mail.oauth.errand import Errand
from vxtray.core.mail.oauth.exchange import Registration
from vxtray.core.mail.oauth.faults import SignInCancelled, SignInRefused, SignInUnreachable
from vxtray.core.mail.oauth.flow import BrowserMissing, sign_in, system_browser
from vxtray.core.mail.oauth.granted import Granted
from vxtray.core.mail.oauth.tokens import TokenKeeper
from vxtray.core.mail.transport import Cutoff
from vxtray.core.settings.tree import OAuth, Smtp


def browse(url: str) -> None:
    """Be a browser, and a person who approves."""
    browser.browse(url)


def params_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def come_back(url: str, **params: str) -> None:
    """Be a browser that comes back at once, with these parameters."""
    browser.browse(f"{params_of(url)['redirect_uri']}/?{urlencode(params)}")


def attempt(smtp: Smtp, open_browser: Callable[[str], None] = browse, **options: object) -> Granted:
    usual = {"limit_seconds": 30, "cutoff": Cutoff()}
    return sign_in(smtp, None, open_browser=open_browser, **usual | options)  # type: ignore[arg-type]


# --- the way it should go --------------------------------------------------------------------------------------------


def test_the_system_browser_signs_in(
    oauth_server: OAuthServer, smtp: Smtp, as_browser: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PAGE", str(tmp_path / "page"))
    granted = sign_in(smtp, None, cutoff=Cutoff())
    assert oauth_server.accepts(granted.access_token.reveal()) == ACCOUNT
    assert oauth_server.is_alive(granted.refresh_token.reveal())
    assert granted.signed_in_as == ACCOUNT
    assert granted.lifetime_seconds == 3600
    until((tmp_path / "page").exists, "the closing page")
    assert (tmp_path / "page").read_text("utf-8").startswith("200 ")


def test_the_request_is_what_the_standards_ask_for(oauth_server: OAuthServer, smtp: Smtp) -> None:
    seen: list[str] = []
    attempt(smtp, on_url=seen.append)
    asked = oauth_server.requests("/authorize")[0].params
    assert params_of(seen[0]) == asked
    assert asked["login_hint"] == smtp.username
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"].startswith("http://localhost:")
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 32
    redeemed = oauth_server.requests("/token")[0].params
    assert len(redeemed["code_verifier"]) >= 43
    assert redeemed["code_verifier"] not in seen[0]
    assert "client_secret" not in redeemed
    attempt(smtp)
    again = oauth_server.requests("/authorize")[1].params
    assert not {asked[name] for name in ("state", "nonce", "code_challenge")} & set(again.values()), "fresh each time"


def test_a_client_secret_goes_in_the_body(oauth_server: OAuthServer, smtp: Smtp) -> None:
    oauth_server.client_secret = "s3cret~value"
    assert sign_in(smtp, Secret("s3cret~value"), open_browser=browse, cutoff=Cutoff()).signed_in_as == ACCOUNT
    with pytest.raises(SignInRefused) as caught:
        sign_in(smtp, Secret("the-f0rmer-s3cret"), open_browser=browse, cutoff=Cutoff())
    assert caught.value.error == "invalid_client"
    assert not caught.value.sign_in, "signing in again does not help"
    assert "s3cret" not in "".join(asked.path for asked in oauth_server.asked)


def test_a_browser_command_may_last_as_long_as_it_likes(oauth_server: OAuthServer, smtp: Smtp) -> None:
    closed = threading.Event()

    def blocking(url: str) -> None:
        browser.browse(url)
        closed.wait(60)

    try:
        assert attempt(smtp, blocking).signed_in_as == ACCOUNT
    finally:
        closed.set()


def test_by_hand_where_no_browser_comes_up(smtp: Smtp) -> None:
    def none(_url: str) -> None:
        raise BrowserMissing

    with pytest.raises(BrowserMissing):
        attempt(smtp, none)
    hands: list[threading.Thread] = []

    def by_hand(url: str) -> None:
        hands.append(threading.Thread(target=browse, args=(url,)))
        hands[0].start()

    assert attempt(smtp, none, on_url=by_hand).signed_in_as == ACCOUNT
    hands[0].join(10)


def test_browser_is_read_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("one", "two"):
        script = f"import sys; open({str(tmp_path / name)!r}, 'w').write(sys.argv[1])"
        monkeypatch.setenv("BROWSER", f'/nonexistent/browser{os.pathsep}{sys.executable} -c "{script}" %s')
        system_browser("http://localhost:1/?a=b&c=d e")
        assert (tmp_path / name).read_text() == "http://localhost:1/?a=b&c=d e"


# --- attacks ---------------------------------------------------------------------------------------------------------


def test_a_wrong_state_ends_the_sign_in(oauth_server: OAuthServer, smtp: Smtp) -> None:
    with pytest.raises(SignInRefused, match="does not belong to this sign-in"):
        attempt(smtp, lambda url: come_back(url, code="a-st0len-code", state="guessed"))
    assert oauth_server.requests("/token") == [], "the code was not redeemed"


def test_a_code_that_was_issued_for_another_sign_in_is_refused(oauth_server: OAuthServer, smtp: Smtp) -> None:
    """Code injection: the attacker's own code, with our state; it was made for another PKCE challenge."""
    foreign = {"client_id": smtp.oauth.client_id, "redirect_uri": "", "code_challenge": "x" * 43}

    def inject(url: str) -> None:
        asked = params_of(url)
        code = oauth_server.code_for(foreign | {"redirect_uri": asked["redirect_uri"]})
        come_back(url, code=code, state=asked["state"])

    with pytest.raises(SignInRefused) as caught:
        attempt(smtp, inject)
    assert caught.value.error == "invalid_grant"


def test_a_code_made_for_our_challenge_is_told_by_the_nonce(oauth_server: OAuthServer, smtp: Smtp) -> None:
    """The attacker saw our address (a command line) and signed in with it himself, but for another nonce."""

    def inject(url: str) -> None:
        asked = params_of(url)
        come_back(url, code=oauth_server.code_for(asked | {"nonce": "of-another"}), state=asked["state"])

    with pytest.raises(SignInRefused, match="does not belong to this sign-in"):
        attempt(smtp, inject)


def test_a_code_is_good_once(oauth_server: OAuthServer, smtp: Smtp) -> None:
    granted = attempt(smtp)
    asked = oauth_server.requests("/token")[0].params
    who = Registration(provider_of(smtp.oauth), smtp)
    again = Errand(
        lambda line: exchange.redeem_code(
            who, line, code=asked["code"], verifier=asked["code_verifier"], redirect_uri=asked["redirect_uri"], nonce=""
        ),
        10,
    )
    with pytest.raises(SignInRefused):
        again.result()
    assert not oauth_server.is_alive(granted.refresh_token.reveal()), "the server is as strict as it should be"


@pytest.mark.parametrize("issuer", ["https://evil.example", "http://127.0.0.1:1", "x"])
def test_an_answer_of_another_issuer_is_refused(oauth_server: OAuthServer, smtp: Smtp, issuer: str) -> None:
    oauth_server.redirect_params = {"iss": issuer}
    with pytest.raises(SignInRefused, match="does not belong"):
        attempt(smtp)
    assert oauth_server.requests("/token") == []


def test_an_answer_without_issuer_is_taken(oauth_server: OAuthServer, smtp: Smtp) -> None:
    oauth_server.redirect_params = {"iss": None}
    assert attempt(smtp).signed_in_as == ACCOUNT


@pytest.mark.parametrize(
    "claims",
    [{"aud": "another-app"}, {"aud": ["a", "b"]}, {"iss": "https://evil.example"}, {"nonce": None}, {"iss": None}],
)
def test_an_id_token_of_another_sign_in_is_refused(
    oauth_server: OAuthServer, smtp: Smtp, claims: dict[str, object]
) -> None:
    oauth_server.claims = claims
    with pytest.raises(SignInRefused, match="does not belong"):
        attempt(smtp)


@pytest.mark.parametrize("token", ["x", "a.b.c", "..", "", id_token({}) * 2, "." + "W" * 40000 + "."])
def test_an_id_token_that_is_none_is_refused(oauth_server: OAuthServer, smtp: Smtp, token: str) -> None:
    oauth_server.answer = {"id_token": token}
    with pytest.raises(SignInRefused):
        attempt(smtp)


# --- who signed in ---------------------------------------------------------------------------------------------------


def test_a_wrong_account_is_told(oauth_server: OAuthServer, smtp: Smtp) -> None:
    oauth_server.account = "admin@example.com"
    granted = attempt(smtp)
    assert TokenKeeper.mismatch(smtp, granted) == "admin@example.com"


@pytest.mark.parametrize(
    ("claims", "address"),
    [
        ({"email": "Reports@Example.com"}, "Reports@Example.com"),
        ({"email": None, "preferred_username": ACCOUNT}, ACCOUNT),
        ({"email": "alias@example.com", "upn": ACCOUNT}, ACCOUNT),
        ({"email": None, "upn": "other@example.com"}, "other@example.com"),
        ({"email": "no address\n<script>", "preferred_username": 7}, ""),
        ({"email": None}, ""),
    ],
)
def test_the_address_that_signed_in(
    oauth_server: OAuthServer, smtp: Smtp, claims: dict[str, object], address: str
) -> None:
    oauth_server.claims = claims
    granted = attempt(smtp)
    assert granted.signed_in_as == address
    expected = "" if address.casefold() in {"", ACCOUNT} else address
    assert TokenKeeper.mismatch(smtp, granted) == expected


def test_a_provider_that_names_nobody(oauth_server: OAuthServer, smtp: Smtp) -> None:
    oauth_server.claims = None
    granted = attempt(smtp)
    assert (granted.signed_in_as, TokenKeeper.mismatch(smtp, granted)) == ("", "")


# --- the person or the provider says no ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "words", "kind", "again", "asks"),
    [
        ("access_denied", "Access was not allowed", Kind.ACCOUNT, True, True),
        ("consent_required", "permission to send mail", Kind.ACCOUNT, True, True),
        ("interaction_required", "to sign in again", Kind.ACCOUNT, True, True),
        ("unauthorized_client", "does not allow this sign-in", Kind.ACCOUNT, False, False),
        ("invalid_request", "did not understand", Kind.ACCOUNT, False, False),
        ("invalid_scope", "does not know what was asked for", Kind.ACCOUNT, False, False),
        ("odd_error", "refused the sign-in: odd_error", Kind.ACCOUNT, False, False),
        ("temporarily_unavailable", "cannot sign anybody in", Kind.TEMPORARY, False, False),
        ("<b>Bad</b>", "did not answer as a sign-in server", Kind.TEMPORARY, False, False),
    ],
)
def test_each_refusal_has_its_own_words(
    oauth_server: OAuthServer, smtp: Smtp, error: str, words: str, kind: Kind, again: bool, asks: bool
) -> None:
    oauth_server.deny = error
    with pytest.raises((SignInRefused, SignInUnreachable)) as caught:
        attempt(smtp)
    fault = caught.value
    assert words in str(fault)
    assert fault.advice_id
    assert (fault.kind, fault.sign_in, bool(fault.asks)) == (kind, again, asks)
    assert "<b>" not in str(fault) + repr(fault.values) + repr(fault.details)


def test_microsofts_numbers_are_details_only(oauth_server: OAuthServer, smtp: Smtp) -> None:
    correlation = "12345678-1234-1234-1234-123456789abc"
    oauth_server.token_faults.append("invalid_grant")
    oauth_server.error_details = {
        "error_description": "AADSTS70008: The code has expired. Trace ID: x",
        "correlation_id": correlation,
        "error_codes": [70008],
    }
    with pytest.raises(SignInRefused) as caught:
        attempt(smtp)
    assert caught.value.details == (
        "invalid_grant",
        "AADSTS70008",
        f"correlation id {correlation}",
        "https://login.microsoftonline.com/error?code=70008",
    )
    assert "70008" not in str(caught.value)
    assert "Trace" not in str(caught.value.details)


def test_a_permission_that_was_unticked_is_missed(oauth_server: OAuthServer, smtp: Smtp) -> None:
    provider = provider_of(OAuth(provider="google", client_id="c"))
    who = Registration(provider, smtp)
    for scopes, missed in (("openid email", True), ("openid https://mail.google.com/", False), ("", False)):
        token = {"access_token": "a", "refresh_token": "r", "scope": scopes}
        if missed:
            with pytest.raises(SignInRefused) as caught:
                exchange._granted(who, token)
            assert caught.value.error == "consent_required"
        else:
            assert exchange._granted(who, token).refresh_token == Secret("r")


def test_a_sign_in_that_would_not_last_is_refused(oauth_server: OAuthServer, smtp: Smtp) -> None:
    oauth_server.answer = {"refresh_token": None}
    with pytest.raises(SignInRefused, match="no lasting sign-in"):
        attempt(smtp)


def test_nobody_signs_in(smtp: Smtp) -> None:
    with pytest.raises(SignInRefused, match="Nobody signed in in time") as caught:
        attempt(smtp, lambda _url: None, limit_seconds=0.1)
    assert caught.value.values["redirect_uri"] == "http://localhost"


def test_the_person_cancels(oauth_server: OAuthServer, smtp: Smtp) -> None:
    for stage in ("browser", "token"):
        cutoff = Cutoff()
        oauth_server.token_faults.extend(["hang"] * (stage == "token"))

        def cut_later(url: str, stage: str = stage, cutoff: Cutoff = cutoff) -> None:
            if stage == "token":
                browser.browse(url)
                until(lambda: bool(oauth_server.requests("/token")), "the request that hangs")
            cutoff.cut()

        with pytest.raises(SignInCancelled):
            sign_in(smtp, None, open_browser=cut_later, cutoff=cutoff)


@pytest.mark.parametrize("fault", ["500", "garbage", "huge", "redirect", "reset", "drip", "temporarily_unavailable"])
def test_a_provider_that_is_not_well(oauth_server: OAuthServer, fault: str) -> None:
    oauth_server.token_faults.append(fault)
    with pytest.raises(SignInUnreachable) as caught:
        attempt(profile_for(oauth_server, timeout_seconds=1))
    assert caught.value.kind is Kind.TEMPORARY
    assert not [asked for asked in oauth_server.asked if asked.path == "/stolen"], "no redirect is followed"


@pytest.mark.parametrize(
    "answer",
    [
        {"access_token": None},
        {"access_token": "two words"},
        {"access_token": "line\r\nbreak"},
        {"access_token": ["list"]},
        {"refresh_token": "é"},
        {"token_type": "mac"},
        {"expires_in": "soon"},
        {"expires_in": []},
        {"expires_in": 1e999},
    ],
)
def test_an_answer_that_makes_no_sense(oauth_server: OAuthServer, smtp: Smtp, answer: dict[str, object]) -> None:
    oauth_server.answer = answer
    with pytest.raises(SignInUnreachable, match="did not answer as a sign-in server does"):
        attempt(smtp)


@pytest.mark.parametrize(
    ("said", "seconds"), [("3600", 3600), (None, 3600), (0, 1), (-5, 1), (10**12, 86400), (59.9, 59)]
)
def test_lifetimes_within_reason(oauth_server: OAuthServer, smtp: Smtp, said: object, seconds: int) -> None:
    oauth_server.answer = {"expires_in": said}
    assert attempt(smtp).lifetime_seconds == seconds


def test_what_is_not_set_is_named_before_anything_happens(smtp: Smtp) -> None:
    opened: list[str] = []
    for oauth in (OAuth(), OAuth(provider="google")):
        with pytest.raises(NotConfigured):
            attempt(Smtp(username="u@example.com", oauth=oauth), opened.append)
    assert opened == []


def test_the_script_that_is_a_browser_reaches_this_machine_only() -> None:
    done = subprocess.run(
        [sys.executable, browser.__file__, "http://mail.example/"], capture_output=True, check=False, timeout=30
    )
    assert done.returncode != 0
    assert b"not on this machine" in done.stderr
