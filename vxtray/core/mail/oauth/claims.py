"""What the ID token says about who signed in (OpenID Connect Core 1.0).

Pure, any thread. It came from the token endpoint over TLS, so its signature need not be checked (section 3.1.3.7,
step 6), but whom it is for and which sign-in it answers is. ``exp`` is not compared: a wrong clock must not prevent it.
"""

import base64
import hmac
from collections.abc import Mapping
from typing import Any

import msgspec

from vxtray.core.mail.oauth.endpoints import Provider, issued_by
from vxtray.core.mail.plaintext import one_line
from vxtray.core.settings.wellformed import is_address

#: In the order of preference; providers differ in which they give.
_ADDRESSES = ("preferred_username", "email", "upn")


class ForeignToken(ValueError):
    """The ID token is none, or belongs to another app, provider or sign-in."""


def claims_of(token: str, provider: Provider, client_id: str, nonce: str) -> dict[str, Any]:
    """Return the checked claims; an empty ``nonce`` is not compared. Raises ``ForeignToken``."""
    parts = token.split(".")
    try:
        payload = base64.b64decode(parts[1] + "=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True)
        claims = msgspec.json.decode(payload, type=dict[str, Any])
    except (IndexError, ValueError, RecursionError) as fault:
        raise ForeignToken("no ID token") from fault
    audience = claims.get("aud")
    if audience != client_id and (not isinstance(audience, list) or client_id not in audience):
        raise ForeignToken("for another app")
    if not isinstance(issuer := claims.get("iss"), str) or not issued_by(provider, _with_scheme(issuer)):
        raise ForeignToken("from another provider")
    if nonce and not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise ForeignToken("of another sign-in")
    return claims


def _with_scheme(issuer: str) -> str:
    """Google's issuer may lack the scheme (developers.google.com/identity/openid-connect)."""
    return issuer if "://" in issuer else f"https://{issuer}"


def address_in(claims: Mapping[str, Any], expected: str) -> str:
    """Return the address that signed in: the expected one where any claim names it, else the first; "" without one."""
    named = [one_line(value, 320) for name in _ADDRESSES if isinstance(value := claims.get(name), str)]
    addresses = [address for address in named if is_address(address)]
    same = [address for address in addresses if address.casefold() == expected.casefold()]
    return next(iter(same or addresses), "")
