"""A profile that signs in with the tests' server, and stores that fail on purpose."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.peers.oauth_server import ACCOUNT, OAuthServer
from vxtray.core.credentials import MemoryStore, Secret, oauth_account
from vxtray.core.mail.oauth import entries
from vxtray.core.mail.oauth.endpoints import provider_of
from vxtray.core.mail.oauth.tokens import TokenKeeper
from vxtray.core.mail.transport import Cutoff
from vxtray.core.settings.tree import Auth, Smtp


def profile_for(server: OAuthServer, **changes: Any) -> Smtp:
    """Return mail settings that sign in with this server."""
    usual: dict[str, Any] = {
        "host": "localhost",
        "auth": Auth.OAUTH,
        "username": ACCOUNT,
        "from_address": ACCOUNT,
        "timeout_seconds": 10,
        "oauth": server.settings(),
    }
    return Smtp(**usual | changes)


@pytest.fixture
def smtp(oauth_server: OAuthServer) -> Smtp:
    return profile_for(oauth_server)


@pytest.fixture
def cutoff() -> Cutoff:
    return Cutoff()


class SignedIn:
    """A profile with a stored sign-in; ``keeper()`` is a program that starts."""

    def __init__(self, server: OAuthServer, smtp: Smtp, folder: Path) -> None:
        self.server, self.smtp, self.folder = server, smtp, folder
        self.store: Any = MemoryStore()
        self.account = oauth_account(smtp, provider_of(smtp.oauth).host)
        entries.put(self.store, self.account, Secret(server.grant()))

    def keeper(self, **options: Any) -> TokenKeeper:
        return TokenKeeper(self.store, self.folder, **options)

    @property
    def stored(self) -> str:
        """What the keyring holds now, empty for nothing."""
        kept = entries.get(self.store, self.account)
        return kept.reveal() if kept is not None else ""

    def has_sign_in(self) -> bool:
        """Return whether what is stored still works."""
        return self.server.is_alive(self.stored)


@pytest.fixture
def signed_in(oauth_server: OAuthServer, smtp: Smtp, tmp_path: Path) -> SignedIn:
    return SignedIn(oauth_server, smtp, tmp_path / "state")


@pytest.fixture
def made_for(oauth_server: OAuthServer, tmp_path: Path) -> Callable[..., SignedIn]:
    """Make a profile with other settings."""
    return lambda **changes: SignedIn(oauth_server, profile_for(oauth_server, **changes), tmp_path / "state")
