"""No token, code, verifier or client secret in a log, an error, a file or an address; nothing heavy at the start."""

import logging
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.core.mail.oauth.conftest import SignedIn, profile_for
from tests.peers import browser
from tests.peers.oauth_server import OAuthServer
from vxtray.core import credentials
from vxtray.core.credentials import KeyringStore, MemoryStore, Secret, redact
from vxtray.core.errors import VxtrayError
from vxtray.core.mail.admin_note import note_for_admin
from vxtray.core.mail.faults import MailError
from vxtray.core.mail.oauth.device import sign_in_with_code
from vxtray.core.mail.oauth.flow import sign_in
from vxtray.core.mail.oauth.tokens import TokenKeeper, set_client_secret
from vxtray.core.mail.transport import Cutoff
from vxtray.core.settings.tree import Smtp

ROOT = Path(__file__).resolve().parents[4]
CLIENT_SECRET = "the-app~s3cret.value"

TOKEN_FAULTS = ["", "500", "garbage", "huge", "redirect", "reset", "lost", "invalid_grant", "temporarily_unavailable"]


def secrets_of(server: OAuthServer) -> set[str]:
    """Return everything secret that went over the wire."""
    names = ("code", "code_verifier", "refresh_token", "device_code", "client_secret")
    sent = {asked.params[name] for asked in server.asked for name in names if asked.params.get(name)}
    return sent | set(server.issued) | {CLIENT_SECRET}


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """Return everything that any library logged, down to debug."""
    with caplog.at_level(logging.DEBUG):
        yield lambda: "\n".join(f"{record.getMessage()} {record.args}" for record in caplog.records)


def words_of(fault: BaseException, smtp: Smtp) -> str:
    """Return everything that a fault could show."""
    shown = [str(fault), repr(fault), "".join(traceback.format_exception(fault))]
    seen: BaseException | None = fault
    while seen is not None:
        shown += [repr(seen), repr(seen.args), repr(vars(seen))]
        seen = seen.__cause__ or seen.__context__
    if isinstance(fault, VxtrayError):
        shown.append(repr(fault.values))
    if isinstance(fault, MailError):
        shown.append(note_for_admin(fault, smtp, fault.reply, "en"))
    return "\n".join(shown)


def expect_none(secret: set[str], *texts: str) -> None:
    for text in texts:
        found = [one for one in secret if len(one) > 3 and one in text]
        assert not found, f"{len(found)} secrets are shown in: {redact(text)[:2000]}"


@pytest.mark.parametrize("fault", TOKEN_FAULTS)
@pytest.mark.parametrize("way", ["browser", "code", "renewal"])
def test_nothing_secret_is_said(
    oauth_server: OAuthServer, tmp_path: Path, said: Callable[[], str], way: str, fault: str
) -> None:
    oauth_server.client_secret = CLIENT_SECRET
    smtp, store, urls = profile_for(oauth_server), MemoryStore(), []
    keeper = TokenKeeper(store, tmp_path)
    set_client_secret(store, smtp, Secret(CLIENT_SECRET))
    if way == "renewal":
        keeper.store(smtp, sign_in(smtp, Secret(CLIENT_SECRET), open_browser=browser.browse, cutoff=Cutoff()))
    oauth_server.token_faults.extend([fault] if fault else [])
    words, seconds = "", Cutoff()
    try:
        if way == "renewal":
            keeper.renewed(smtp, keeper.access_token(smtp))
        elif way == "browser":
            granted = sign_in(
                smtp, Secret(CLIENT_SECRET), open_browser=browser.browse, on_url=urls.append, cutoff=seconds
            )
            keeper.store(smtp, granted)
            words = repr(granted) + str(granted)
        else:
            granted = sign_in_with_code(
                smtp,
                Secret(CLIENT_SECRET),
                on_code=lambda code: oauth_server.type_code(code.user_code),
                cutoff=seconds,
                slower=0.01,
            )
            words = repr(granted)
    except MailError as caught:
        words = words_of(caught, smtp)
        assert fault
    files = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    asked = "\n".join(asked.path for asked in oauth_server.asked)
    expect_none(secrets_of(oauth_server), words, files, said(), repr(keeper.health(smtp)), asked, *urls)
    assert len(secrets_of(oauth_server)) >= 2, "there was something to find"


def test_what_was_used_is_cleaned_from_reports(signed_in: SignedIn) -> None:
    signed_in.keeper().access_token(signed_in.smtp)
    assert len(signed_in.server.issued) == 3, "the first refresh token, the access token, the second refresh token"
    for one in signed_in.server.issued:
        assert redact(f"before {one} after") == "before *** after"


def test_a_provider_that_echoes_a_token_does_not_get_it_shown(signed_in: SignedIn) -> None:
    keeper = signed_in.keeper()
    signed_in.server.token_faults.append("invalid_grant")
    signed_in.server.error_details = {
        "error_description": f"AADSTS70000: {signed_in.stored}",
        "correlation_id": signed_in.stored,
        "error_uri": signed_in.stored,
    }
    with pytest.raises(MailError) as caught:
        keeper.access_token(signed_in.smtp)
    kept = (signed_in.folder / "sign-in.json").read_text()
    expect_none({signed_in.stored}, words_of(caught.value, signed_in.smtp), kept)
    assert "AADSTS70000" in kept


def test_months_of_tokens_are_not_looked_for_in_each_line() -> None:
    before = Secret("the-p4ssword-in-use")
    for number in range(2000):
        Secret(f"t0ken-of-the-hour-{number:05}").reveal()
        before.reveal()
    assert redact(f"{before.reveal()} t0ken-of-the-hour-01999") == "*** ***"
    assert len(credentials._revealed) <= credentials._MOST_REVEALED


def test_importing_costs_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from vxtray.core.mail.oauth import claims, device, endpoints, entries, errand, exchange, faults, flow\n"
        "from vxtray.core.mail.oauth import granted, health, loopback, record, tokens\n"
        "heavy = {'authlib', 'httpx', 'httpcore', 'joserfc', 'keyring', 'truststore', 'webbrowser', 'filelock'}\n"
        "sys.exit(' '.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")


def test_asking_for_health_needs_neither_network_nor_keyring(oauth_server: OAuthServer, tmp_path: Path) -> None:
    keeper = TokenKeeper(KeyringStore(), tmp_path)
    smtp = profile_for(oauth_server)
    assert keeper.health(smtp).state == "signed-out"
    assert not keeper.due(smtp)
    assert oauth_server.asked == []
