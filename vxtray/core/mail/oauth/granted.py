"""What signing in brings, whichever way it went. Pure data, any thread."""

from datetime import datetime

import msgspec

from vxtray.core.credentials import Secret


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a sign-in. Times are UTC.

    ``signed_in_as`` is the address that the provider names, empty where it names none; ``scopes`` what it allowed,
    empty where it does not say. ``refresh_ends`` is when the provider itself says that the sign-in ends (Google's apps
    in testing: after 7 days), None as a rule.
    """

    refresh_token: Secret
    access_token: Secret
    expires_at: datetime
    lifetime_seconds: int
    signed_in_as: str = ""
    scopes: tuple[str, ...] = ()
    refresh_ends: datetime | None = None
