"""The process's one keeper of access tokens, made when it is first asked for: a password never pays for OAuth.

Any thread.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from vxtray.core.credentials import CredentialStore

if TYPE_CHECKING:
    from vxtray.core.mail.oauth.tokens import TokenKeeper


class Keeper:
    """Call it for the keeper."""

    def __init__(
        self,
        credentials: CredentialStore,
        state_folder: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """As ``TokenKeeper``."""
        self._credentials = credentials
        self._folder = state_folder
        self._clock = clock
        self._guard = threading.Lock()
        self._made: TokenKeeper | None = None

    def __call__(self) -> "TokenKeeper":
        """Return the keeper."""
        with self._guard:
            if self._made is None:
                from vxtray.core.mail.oauth.tokens import TokenKeeper

                self._made = TokenKeeper(self._credentials, self._folder, self._clock)
            return self._made

    def close(self) -> None:
        """Let what it has under way end."""
        if self._made is not None:
            self._made.close()
