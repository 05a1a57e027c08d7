"""The requests to a provider: redeem a code, refresh, ask for a device code, revoke. Authlib words them, httpx asks.

On the thread of an errand. HTTPS with the system's certificates (and the CA file of the mail settings), no redirect
followed, answers of 64 KiB at most, proxies as the environment says. Authlib's client is used without its own transport
(``authlib.integrations.httpx_client``), which wants httpx2 and would load a JOSE library that is not needed here.
"""

import contextlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from vxtray.core.credentials import Secret, conceal
from vxtray.core.errors import N_
from vxtray.core.mail.certificates import client_context
from vxtray.core.mail.oauth import faults
from vxtray.core.mail.oauth.claims import ForeignToken, address_in, claims_of
from vxtray.core.mail.oauth.endpoints import Provider, is_safe
from vxtray.core.mail.oauth.errand import Line
from vxtray.core.mail.oauth.granted import Granted
from vxtray.core.settings.tree import Smtp

if TYPE_CHECKING:
    import httpx
    from authlib.oauth2.client import OAuth2Client

_LARGEST = 65536
#: Seconds that an access token lasts where the provider does not say; a refused one is renewed anyway.
_USUAL_LIFETIME = 3600
_LONGEST_LIFETIME = 86400
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/x-www-form-urlencoded",
}
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class Registration(msgspec.Struct, frozen=True):
    """Who asks whom: the provider, the mail settings and the app's client secret, if it has one."""

    provider: Provider
    smtp: Smtp
    client_secret: Secret | None = None


class _Answer:
    """An answer in the shape that Authlib reads."""

    def __init__(self, status: int, content: bytes) -> None:
        self.status_code = status
        self.content = content

    def json(self) -> Any:
        return _decoded(self.content)

    def raise_for_status(self) -> None:
        raise ValueError("no JSON object")


def _decoded(content: bytes) -> dict[str, Any]:
    """Return a JSON object. Raises ``ValueError`` for anything else."""
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise ValueError("no JSON object") from fault


class _Session:
    """What Authlib posts with."""

    def __init__(self, registration: Registration, line: Line, *, refresh: bool) -> None:
        self._who = registration
        self._line = line
        self._refresh = refresh

    def post(
        self,
        url: str,
        data: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        auth: Any = None,
    ) -> _Answer:
        """Send a form and return the answer, unless it is an error. Raises ``MailError``."""
        from urllib.parse import urlencode

        sent = {**(headers or {}), **_HEADERS}
        body = urlencode(data)
        if auth is not None:
            url, sent, body = auth.prepare("POST", url, sent, body)
        status, content = self._bytes(url, sent, body.encode())
        try:
            said = _decoded(content)
        except ValueError:
            said = {}
        if status == 200 and "error" not in said:
            return _Answer(status, content)
        raise self._fault(status, said)

    def _fault(self, status: int, said: dict[str, Any]) -> Exception:
        host, username = self._who.provider.host, self._who.smtp.username
        if status >= 500 or status == 429:  # whatever the words say: the provider is not well, or wants a pause
            said = {"error": "temporarily_unavailable"}
        return faults.from_answer(said, host, username, refresh=self._refresh)

    def _bytes(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        import httpx

        host = self._who.provider.host
        if not is_safe(url):
            raise faults.unreachable(host, title=N_("The address of {host} is not protected; nothing was sent."))
        context = client_context(self._who.smtp.ca_file)
        reason: BaseException
        try:
            with (
                self._line,
                httpx.Client(
                    verify=context,
                    timeout=self._line.seconds,
                    trust_env=False,
                    proxy=_proxy(url),
                    follow_redirects=False,
                ) as client,
                client.stream(
                    "POST", url, content=body, headers=headers, extensions={"trace": self._line.trace}
                ) as got,
            ):
                content = _bounded(got)
                if content is not None:
                    return got.status_code, content
                raise faults.unreachable(host, title=faults.NOT_OAUTH)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as fault:
            reason = fault
        # Not inside the clause: httpx's exceptions hold the request, and with it the tokens.
        raise _explained(host, reason) from _system_fault(reason)


def _bounded(answer: "httpx.Response") -> bytes | None:
    """Return the content, None where it is too long or packed (which we did not ask for)."""
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        return None
    data = bytearray()
    for piece in answer.iter_raw():
        data += piece
        if len(data) > _LARGEST:
            return None
    return bytes(data)


def _proxy(url: str) -> str | None:
    """Return the proxy that the environment (or Windows, or macOS) names for an address."""
    from urllib.parse import urlsplit
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or parts.hostname in {None, "localhost", "127.0.0.1", "::1"} or proxy_bypass(parts.hostname or ""):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _system_fault(fault: BaseException) -> OSError | None:
    """Return the fault of the system behind one of httpx's."""
    seen = 0
    cause: BaseException | None = fault
    while cause is not None and seen < 10:
        if isinstance(cause, OSError):
            return cause
        cause, seen = cause.__cause__ or cause.__context__, seen + 1
    return None


def _explained(host: str, fault: BaseException) -> Exception:
    import ssl

    if isinstance(_system_fault(fault), ssl.SSLError):
        return faults.unreachable(host, title=N_("The connection to {host} cannot be protected; nothing was sent."))
    return faults.unreachable(host)


def _client(who: Registration, line: Line | None, *, refresh: bool = False) -> "OAuth2Client":
    """Return Authlib's client; without a line it can only word what goes into an address."""
    from authlib.oauth2.client import OAuth2Client

    secret = who.client_secret.reveal() if who.client_secret is not None else None
    again = who.provider.scopes_again or not refresh
    return OAuth2Client(
        _Session(who, line, refresh=refresh) if line is not None else None,
        client_id=who.smtp.oauth.client_id,
        client_secret=secret,
        token_endpoint_auth_method="client_secret_post" if secret else "none",
        revocation_endpoint_auth_method="client_secret_post" if secret else "none",
        scope=" ".join(who.provider.scopes) if again else None,
        code_challenge_method="S256",
    )


def authorization_url(who: Registration, *, redirect_uri: str, state: str, verifier: str, nonce: str) -> str:
    """Return the address to open in the browser."""
    extra = dict(who.provider.extra)
    if "openid" in who.provider.scopes:
        extra["nonce"] = nonce
    if who.smtp.username:
        extra["login_hint"] = who.smtp.username
    client = _client(who, None)
    url, _state = client.create_authorization_url(
        who.provider.authorize_url, state=state, code_verifier=verifier, redirect_uri=redirect_uri, **extra
    )
    return str(url)


def redeem_code(who: Registration, line: Line, *, code: str, verifier: str, redirect_uri: str, nonce: str) -> Granted:
    """Return what an authorisation code brings. Raises ``MailError``."""
    client = _client(who, line)
    with _strictly(who):
        token = client.fetch_token(
            who.provider.token_url,
            grant_type="authorization_code",
            code=code,
            code_verifier=verifier,
            redirect_uri=redirect_uri,
        )
        return _granted(who, token, nonce=nonce if "openid" in who.provider.scopes else "")


def redeem_device(who: Registration, line: Line, device_code: str) -> Granted:
    """Return what a device code brings. Raises ``MailError``, whose ``error`` says where it is still to be typed."""
    client = _client(who, line)
    with _strictly(who):
        token = client.fetch_token(who.provider.token_url, grant_type=DEVICE_GRANT, device_code=device_code)
        return _granted(who, token)


def refresh(who: Registration, line: Line, token: Secret) -> Granted:
    """Return a new access token, and the refresh token to keep from now on. Raises ``MailError``."""
    client = _client(who, line, refresh=True)
    with _strictly(who):
        answer = client.refresh_token(who.provider.token_url, refresh_token=token.reveal())
        return _granted(who, answer, former=token)


def revoke(who: Registration, line: Line, token: Secret) -> None:
    """Have the provider end a sign-in (RFC 7009). Raises ``MailError``."""
    client = _client(who, line)
    client.revoke_token(who.provider.revoke_url, token=token.reveal(), token_type_hint="refresh_token")  # noqa: S106


def begin_device(who: Registration, line: Line) -> dict[str, Any]:
    """Return the answer of the device endpoint (RFC 8628, section 3.2). Raises ``MailError``."""
    session = _Session(who, line, refresh=False)
    form = {"client_id": who.smtp.oauth.client_id, "scope": " ".join(who.provider.scopes)}
    with _strictly(who):
        return dict(session.post(who.provider.device_url, form).json())


@contextlib.contextmanager
def _strictly(who: Registration) -> Iterator[None]:
    """Turn what Authlib or the reading of an answer raises into the fault of a provider that answers nonsense."""
    try:
        yield
    except ForeignToken as fault:
        raise faults.foreign(who.provider.host, who.smtp.username) from fault
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        raise faults.unreachable(who.provider.host, title=faults.NOT_OAUTH) from None


def _granted(who: Registration, token: Mapping[str, Any], *, nonce: str = "", former: Secret | None = None) -> Granted:
    """Check an answer of the token endpoint (RFC 6749, section 5.1). Raises ``ValueError``, ``MailError``."""
    access = _token_text(token["access_token"])
    given = token.get("refresh_token") or None
    new = Secret(_token_text(given)) if given is not None else former
    if str(token.get("token_type", "Bearer")).lower() != "bearer":
        raise ValueError("not a bearer token")
    if new is None:
        raise faults.refused(
            N_("{host} gave no lasting sign-in."),
            N_("Check that the scopes include offline access (offline_access), then sign in again."),
            who.provider.host,
            who.smtp.username,
        )
    conceal(access)
    conceal(new.reveal())
    scopes = tuple(str(token.get("scope") or "").split())
    if former is None:
        _require_mail_scope(who, scopes)
    lifetime = _seconds(token.get("expires_in"), _USUAL_LIFETIME)
    now = datetime.now(UTC)
    ends = token.get("refresh_token_expires_in")  # Google's, for apps in testing
    return Granted(
        refresh_token=new,
        access_token=Secret(access),
        expires_at=now + timedelta(seconds=lifetime),
        lifetime_seconds=lifetime,
        signed_in_as=_address(who, token, nonce),
        scopes=scopes,
        refresh_ends=now + timedelta(seconds=_seconds(ends, 0, 10**9)) if ends else None,
    )


def _address(who: Registration, token: Mapping[str, Any], nonce: str) -> str:
    id_token = token.get("id_token")
    if not isinstance(id_token, str):
        return ""
    return address_in(claims_of(id_token, who.provider, who.smtp.oauth.client_id, nonce), who.smtp.username)


def _require_mail_scope(who: Registration, scopes: tuple[str, ...]) -> None:
    """Google lets the person untick single permissions."""
    wanted = who.provider.mail_scope.casefold()
    if wanted and scopes and not any(scope.casefold().endswith(wanted) for scope in scopes):
        raise faults.from_answer({"error": "consent_required"}, who.provider.host, who.smtp.username, refresh=False)


def _token_text(value: object) -> str:
    """Return a token: printable ASCII without blanks (RFC 6749, appendix A). Raises ``ValueError``."""
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("no token")
    return value


def _seconds(value: object, otherwise: int, longest: int = _LONGEST_LIFETIME) -> int:
    """Return a number of seconds, which some providers send as text, within reason. Raises ``ValueError``."""
    if value is None:
        return otherwise
    with contextlib.suppress(TypeError, OverflowError):
        return max(1, min(int(float(value)), longest))  # type: ignore[arg-type]
    raise ValueError("no number of seconds")
