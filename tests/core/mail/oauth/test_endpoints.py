"""The providers as data, and what must be set before one can sign in."""

from urllib.parse import urlsplit

import pytest

from vxtray.core.errors import NotConfigured
from vxtray.core.mail.oauth.endpoints import PROVIDERS, REDIRECT_URI_TO_REGISTER, is_safe, issued_by, provider_of
from vxtray.core.settings.tree import OAuth
from vxtray.core.texts import translate

CUSTOM = OAuth(provider="custom", client_id="c", authorize_url="https://id.example/a", token_url="https://id.example/t")


def test_microsoft_365_asks_the_directory_of_the_organisation() -> None:
    provider = provider_of(OAuth(provider="microsoft", client_id="c", tenant="contoso.example"))
    assert provider.authorize_url == "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/authorize"
    assert provider.token_url == "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token"
    assert provider.device_url == "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/devicecode"
    assert {"https://outlook.office.com/SMTP.Send", "offline_access", "openid"} <= set(provider.scopes)
    assert provider.host == "login.microsoftonline.com"
    assert "/organizations/" in provider_of(OAuth(provider="microsoft", client_id="c")).token_url


def test_outlook_com_asks_for_personal_accounts_whatever_the_tenant_says() -> None:
    provider = provider_of(OAuth(provider="outlook", client_id="c", tenant="left-over"))
    assert "/consumers/" in provider.authorize_url
    assert provider.servers[0].host == "smtp-mail.outlook.com"


def test_google_asks_for_a_lasting_sign_in_and_has_no_codes() -> None:
    provider = provider_of(OAuth(provider="google", client_id="c"))
    assert dict(provider.extra) == {"access_type": "offline", "prompt": "consent"}
    assert "https://mail.google.com/" in provider.scopes
    assert provider.revoke_url
    assert not provider.device_url


@pytest.mark.parametrize(
    ("oauth", "said"),
    [
        (OAuth(), "No provider"),
        (OAuth(provider="google"), "client id"),
        (OAuth(provider="custom", client_id="c"), "smtp.oauth.token_url"),
        (OAuth(provider="custom", client_id="c", token_url="https://id.example/t"), "smtp.oauth.authorize_url"),
        (OAuth(provider="microsoft", client_id="c", tenant="../common?x="), "tenant"),
        (
            OAuth(provider="custom", client_id="c", token_url="http://id.example/t", authorize_url="https://x/"),
            "protect",
        ),
    ],
)
def test_what_is_missing_is_named(oauth: OAuth, said: str) -> None:
    with pytest.raises(NotConfigured) as caught:
        provider_of(oauth)
    assert said in str(caught.value)
    assert caught.value.advice_id


def test_a_provider_that_only_takes_codes_needs_no_browser_address() -> None:
    oauth = OAuth(provider="custom", client_id="c", token_url="https://id.example/t", device_url="https://id.example/d")
    assert provider_of(oauth).device_url == "https://id.example/d"


@pytest.mark.parametrize("url", ["https://id.example/t", "http://localhost:8/t", "http://127.0.0.1/t", "http://[::1]/"])
def test_secrets_go_over_https_or_stay_on_this_machine(url: str) -> None:
    assert is_safe(url)


@pytest.mark.parametrize(
    "url",
    [
        *("http://id.example/t", "http://localhost.example/", "http://127.0.0.1@id.example/", "ftp://localhost/"),
        *("https://user:word@id.example/", "https:///nowhere", "https://id.example/#x", "https://id.example/a b", ""),
        *("https://id.example:99999/", "https://[::1/", "javascript:alert(1)", "https://id.example/\n"),
    ],
)
def test_other_addresses_get_nothing(url: str) -> None:
    assert not is_safe(url)


def test_an_issuer_is_compared_as_a_whole_origin() -> None:
    provider = provider_of(CUSTOM)
    assert issued_by(provider, "https://id.example/tenant/v2.0")
    for other in ("https://id.example.evil.test", "http://id.example", "https://id.example:444", "", "id.example"):
        assert not issued_by(provider, other)
    microsoft = provider_of(OAuth(provider="microsoft", client_id="c", tenant="t"))
    assert issued_by(microsoft, "https://login.microsoftonline.com/00000000-0000/v2.0")


@pytest.mark.parametrize("key", PROVIDERS)
def test_the_guide_is_complete_in_both_languages(key: str) -> None:
    provider = PROVIDERS[key]
    steps = [*provider.registration, *filter(None, (provider.lasts, provider.device_note))]
    assert len(provider.registration) >= 3
    for step in steps:
        english = translate(step, "en", redirect_uri=REDIRECT_URI_TO_REGISTER, scopes="a b")
        assert "{" not in english
        assert translate(step, "fr") != step
    assert urlsplit(provider.registration_url).scheme in {"https", ""}
    assert any(
        REDIRECT_URI_TO_REGISTER in translate(s, "en", redirect_uri=REDIRECT_URI_TO_REGISTER) for s in steps
    ) == (
        key != "google"  # whose desktop clients have it built in
    )
