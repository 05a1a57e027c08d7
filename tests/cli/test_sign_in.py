"""``smtp sign-in`` and ``smtp sign-out`` with a provider on loopback; the browser is a script that follows it."""

import json
import threading

import pytest

from tests.peers.desktop import until
from tests.peers.oauth_server import ACCOUNT, OAuthServer
from vxtray.core.credentials import MemoryStore, oauth_account
from vxtray.core.settings.file import SettingsFile
from vxtray.core.settings.tree import Auth, Smtp

pytestmark = pytest.mark.usefixtures("as_browser")

OTHER = "anna@example.com"


def refresh_token(memory: MemoryStore, server: OAuthServer, username: str = ACCOUNT) -> str:
    """Return what the keyring holds for the sign-in, empty for nothing."""
    smtp = Smtp(username=username, oauth=server.settings())
    found = memory.get(oauth_account(smtp, server.url.partition("//")[2]))
    return found.reveal() if found is not None else ""


@pytest.fixture
def registered(vxtray, oauth_server):
    """Enter the app registration."""
    oauth = oauth_server.settings()
    urls = (
        f"oauth.{name}={getattr(oauth, name)}" for name in ("authorize_url", "token_url", "device_url", "client_id")
    )
    assert vxtray("smtp", "set", *urls, f"oauth.scopes={','.join(oauth.scopes)}", "host=127.0.0.1").code == 0


@pytest.fixture
def saved(profile):
    """Return the settings of the mail server as they are in the file."""
    return lambda: SettingsFile(profile.settings_file).read().settings.smtp


@pytest.mark.usefixtures("registered")
def test_a_sign_in_brings_its_settings_along(vxtray, memory, oauth_server, saved) -> None:
    before = saved()
    assert (before.auth, before.oauth.provider, before.username) == (Auth.AUTO, "", "")
    said = vxtray("smtp", "sign-in", "custom", "--json")
    assert said.code == 0, said.err
    assert said.json["signed_in_as"] == said.json["username"] == ACCOUNT
    assert said.json["changed"] == {
        "smtp.auth": "oauth",
        "smtp.oauth.provider": "custom",
        "smtp.username": ACCOUNT,
        "smtp.from_address": ACCOUNT,
    }
    after = saved()
    assert (after.auth, after.oauth.provider, after.username, after.from_address) == (
        *(Auth.OAUTH, "custom"),
        *(ACCOUNT, ACCOUNT),
    )
    assert oauth_server.is_alive(refresh_token(memory, oauth_server))
    assert f"{oauth_server.url}/authorize?" in said.err, "to open it by hand"
    assert not [text for text in oauth_server.issued if text in said.out + said.err]


@pytest.mark.usefixtures("registered", "memory")
def test_what_is_set_stays(vxtray, saved) -> None:
    vxtray("smtp", "set", f"username={ACCOUNT.upper()}", "from_address=soc@example.com", "port=2525")
    said = vxtray("smtp", "sign-in", "custom")
    assert (said.code, said.out) == (
        0,
        f"Signed in as {ACCOUNT.upper()}. Mails leave with this sign-in from now on.\n",
    )
    after = saved()
    assert (after.username, after.from_address, after.port) == (ACCOUNT.upper(), "soc@example.com", 2525)


@pytest.mark.usefixtures("registered")
def test_another_account_changes_nothing(vxtray, memory, oauth_server, saved) -> None:
    vxtray("smtp", "set", f"username={ACCOUNT}")
    before = saved()
    oauth_server.account = OTHER
    said = vxtray("smtp", "sign-in", "custom", "--json")
    assert (said.code, said.out) == (2, "")
    assert f"{OTHER} signed in, but the user name is {ACCOUNT}" in said.err
    assert f"vxtray smtp set username={OTHER}" in said.err
    assert saved() == before
    assert refresh_token(memory, oauth_server) == refresh_token(memory, oauth_server, OTHER) == ""


@pytest.mark.usefixtures("registered")
def test_a_provider_that_names_nobody_needs_a_user_name(vxtray, memory, oauth_server, saved) -> None:
    oauth_server.claims = None
    assert vxtray("smtp", "sign-in", "custom").code == 3
    assert saved().auth is Auth.AUTO
    vxtray("smtp", "set", f"username={ACCOUNT}")
    said = vxtray("smtp", "sign-in", "custom")
    assert said.code == 0
    assert "does not say which account" in said.err
    assert refresh_token(memory, oauth_server)


@pytest.mark.usefixtures("registered")
def test_a_person_who_says_no_changes_nothing(vxtray, memory, oauth_server, saved) -> None:
    vxtray("smtp", "set", f"username={ACCOUNT}")
    oauth_server.deny = "access_denied"
    said = vxtray("smtp", "sign-in", "custom")
    assert said.code == 1
    assert "Access was not allowed" in said.err
    assert saved().auth is Auth.AUTO
    assert refresh_token(memory, oauth_server) == ""


def test_without_a_registration_nothing_is_opened(vxtray, oauth_server) -> None:
    said = vxtray("smtp", "sign-in", "microsoft")
    assert said.code == 3
    assert "client id" in said.err
    assert vxtray("smtp", "sign-in", "yahoo").code == 2
    assert oauth_server.asked == []


@pytest.mark.usefixtures("registered", "memory")
def test_by_a_code(vxtray, oauth_server, saved) -> None:
    def person() -> None:
        until(lambda: bool(oauth_server._devices), "a code was asked for", 20)
        with oauth_server._lock:
            (device,) = oauth_server._devices.values()
        oauth_server.type_code(device.user_code)

    thread = threading.Thread(target=person, name="person")
    thread.start()
    said = vxtray("smtp", "sign-in", "custom", "--device-code", "--json")
    thread.join()
    assert said.code == 0, said.err
    assert f"Open {oauth_server.url}/enter on any device and enter the code " in said.err
    assert json.loads(said.out)["signed_in_as"] == ACCOUNT
    assert saved().auth is Auth.OAUTH


@pytest.mark.usefixtures("registered")
def test_a_client_secret_comes_from_the_keyring(vxtray, memory, oauth_server) -> None:
    oauth_server.client_secret = "s3cret-of-the-app"
    said = vxtray("smtp", "sign-in", "custom")
    assert said.code == 1
    assert "does not accept the app registration" in said.err
    assert "Details: invalid_client" in said.err
    vxtray("smtp", "set", "oauth.provider=custom")
    assert vxtray("secret", "set", "oauth-client-secret", stdin=b"s3cret-of-the-app\n").code == 0
    assert vxtray("smtp", "sign-in", "custom").code == 0
    assert refresh_token(memory, oauth_server)
    shown = vxtray("settings", "show", "--json")
    assert "s3cret" not in shown.out


@pytest.mark.usefixtures("registered")
def test_status_tells_of_it(vxtray, memory, oauth_server) -> None:
    assert vxtray("status").json["sign_in"] is None
    vxtray("smtp", "sign-in", "custom")
    told = vxtray("status").json["sign_in"]
    assert (told["state"], told["signed_in_as"], told["provider"]) == ("ok", ACCOUNT, "custom")
    assert told["signed_in_at"] == told["last_refresh"] != None  # noqa: E711 - both, and not null
    out = vxtray("smtp", "sign-out", "--json")
    assert out.json == {"ok": True, "username": ACCOUNT, "revoked": False}
    assert refresh_token(memory, oauth_server) == ""
    assert vxtray("status").json["sign_in"]["state"] == "signed-out"
    vxtray("smtp", "set", "recipients=a@example.org")
    said = vxtray("smtp", "send-test")
    assert said.code == 1
    assert f"Nobody is signed in for {ACCOUNT}" in said.err


def test_nobody_signs_out_who_did_not_sign_in(vxtray) -> None:
    said = vxtray("smtp", "sign-out")
    assert said.code == 1
    assert "Nobody is signed in by OAuth here" in said.err
