"""The providers one can sign in with, as data: endpoints, scopes, how long a sign-in lasts, how to register the app.

Pure, any thread. The client id is always the organisation's own registration; vxtray has none and borrows none.

Sources: learn.microsoft.com/exchange/client-developer/legacy-protocols ("Authenticate an IMAP, POP or SMTP connection
using OAuth"), learn.microsoft.com/entra/identity-platform (reply-url, refresh-tokens, v2-oauth2-device-code),
developers.google.com/identity/protocols/oauth2/native-app, developers.google.com/workspace/gmail/imap/xoauth2-protocol.
"""

import re
from urllib.parse import urlsplit

import msgspec

from vxtray.core.errors import N_, NotConfigured
from vxtray.core.mail import providers
from vxtray.core.mail.providers import Server
from vxtray.core.settings.tree import OAuth

#: To enter in the registration. Entra and Google allow any port of this machine behind it (RFC 8252, section 7.3).
REDIRECT_URI_TO_REGISTER = "http://localhost"

#: Without these a provider names nobody: they bring the ID token with the address that signed in.
_IDENTITY = ("openid", "email", "profile")


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how to sign in. URLs are complete; one that a provider does not have is empty.

    ``scopes`` are asked for; ``mail_scope`` ends the one without which no mail can be sent (empty: not known).
    ``extra`` are further parameters of the authorisation request. ``scopes_again``: they are sent at a refresh, too.
    ``issuers`` are the origins that may issue (RFC 9207, ID token) besides those of the endpoints.
    ``servers`` are the provider's mail servers. ``lasts_days`` is how long a sign-in lasts unused (0: not known), and
    ``lasts`` says so (message id). ``registration`` are the steps to register the app (message ids with
    ``{redirect_uri}`` and ``{scopes}``), ``registration_url`` where; ``device_note`` warns of the sign-in by code.
    """

    key: str
    title: str
    authorize_url: str
    token_url: str
    device_url: str = ""
    revoke_url: str = ""
    scopes: tuple[str, ...] = ()
    mail_scope: str = ""
    extra: tuple[tuple[str, str], ...] = ()
    scopes_again: bool = False
    issuers: tuple[str, ...] = ()
    servers: tuple[Server, ...] = ()
    lasts_days: int = 0
    lasts: str = ""
    registration: tuple[str, ...] = ()
    registration_url: str = ""
    device_note: str = ""

    @property
    def host(self) -> str:
        """Return the host (and an unusual port) that issues tokens: keyring entries are bound to it."""
        return urlsplit(self.token_url).netloc.lower()


_ENTRA = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0"
_ENTRA_ISSUERS = ("https://login.microsoftonline.com", "https://sts.windows.net")
_MICROSOFT_SCOPES = ("https://outlook.office.com/SMTP.Send", "offline_access", *_IDENTITY)
_ENTRA_URL = "https://entra.microsoft.com/#view/Microsoft_AAD_RegisteredApps/ApplicationsListBlade"

_NEW_REGISTRATION = N_("Open the Microsoft Entra admin center, “App registrations”, and choose “New registration”.")
_PUBLIC_REDIRECT = N_(
    "Under “Redirect URI” choose “Public client/native (mobile & desktop)” and enter {redirect_uri}, then register."
)
_SMTP_PERMISSION = N_(
    "Under “API permissions” add “Microsoft Graph”, “Delegated permissions”, “SMTP.Send”. Asked for will be: {scopes}."
)
_PUBLIC_FLOWS = N_(
    "Only to sign in by code on a computer without a browser: under “Authentication” allow “public client flows”."
)

_MICROSOFT = Provider(
    key="microsoft",
    title="Microsoft 365",
    authorize_url=f"{_ENTRA}/authorize",
    token_url=f"{_ENTRA}/token",
    device_url=f"{_ENTRA}/devicecode",
    scopes=_MICROSOFT_SCOPES,
    mail_scope="SMTP.Send",
    scopes_again=True,
    issuers=_ENTRA_ISSUERS,
    servers=providers.MICROSOFT_365.servers,
    lasts_days=90,
    lasts=N_("A sign-in with Microsoft lasts 90 days and is renewed each time it is used."),
    registration=(
        _NEW_REGISTRATION,
        N_("Name it “vxtray” and choose “Accounts in this organizational directory only”."),
        _PUBLIC_REDIRECT,
        N_("Copy “Application (client) ID” and “Directory (tenant) ID” into the fields here."),
        _SMTP_PERMISSION,
        N_("Choose “Grant admin consent”, unless the people of your organisation may consent themselves."),
        N_(
            "In the Microsoft 365 admin center allow the mailbox to send: Users, the user, “Mail”,"
            " “Manage email apps”, “Authenticated SMTP”. Without it signing in succeeds and sending is refused."
        ),
        _PUBLIC_FLOWS,
    ),
    registration_url=_ENTRA_URL,
    device_note=N_("Many organisations block the sign-in by code on purpose; Microsoft advises them to."),
)
_OUTLOOK = msgspec.structs.replace(
    _MICROSOFT,
    key="outlook",
    title="Outlook.com",
    servers=providers.OUTLOOK_COM.servers,
    registration=(
        _NEW_REGISTRATION,
        N_("Name it “vxtray” and choose “Personal Microsoft accounts only”."),
        _PUBLIC_REDIRECT,
        N_("Copy “Application (client) ID” into the field here; no tenant is needed."),
        _SMTP_PERMISSION,
        _PUBLIC_FLOWS,
    ),
    device_note="",
)
_GOOGLE = Provider(
    key="google",
    title="Google",
    authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
    token_url="https://oauth2.googleapis.com/token",  # noqa: S106 - an address
    revoke_url="https://oauth2.googleapis.com/revoke",
    scopes=("https://mail.google.com/", *_IDENTITY),
    mail_scope="https://mail.google.com/",
    # Google gives a refresh token only to who asks for offline access, and a second one only with a new consent.
    extra=(("access_type", "offline"), ("prompt", "consent")),
    issuers=("https://accounts.google.com",),
    servers=providers.GOOGLE.servers,
    lasts_days=180,
    lasts=N_(
        "A sign-in with Google lasts until it is revoked, the password changes, or it was not used for six months;"
        " with an app in testing it lasts only 7 days."
    ),
    registration=(
        N_("Open the Google Cloud console, make a project “vxtray” and enable the Gmail API in it."),
        N_(
            "In “Google Auth Platform”, “Audience”, choose “Internal” (Google Workspace). With “External”, publish the"
            " app: while it is in testing, every sign-in ends after 7 days."
        ),
        N_("Under “Data access” add the scopes {scopes}."),
        N_("Under “Clients” create a client of the type “Desktop app”; it needs no redirect URI."),
        N_("Copy “Client ID” and “Client secret” into the fields here."),
    ),
    registration_url="https://console.cloud.google.com/auth/clients",
)
_CUSTOM = Provider(
    key="custom",
    title=N_("Another provider"),
    authorize_url="",
    token_url="",  # nosec B106 - empty
    registration=(
        N_("Register vxtray with the provider as a public (native) application with PKCE."),
        N_("Enter {redirect_uri} as its redirect URI; any port behind it must be allowed."),
        N_("Copy the client id, the addresses and the scopes that the provider names into the fields here."),
    ),
)

#: By the key of the settings; tenants are still open and custom is empty. For the guide and the list in the window.
PROVIDERS: dict[str, Provider] = {one.key: one for one in (_MICROSOFT, _OUTLOOK, _GOOGLE, _CUSTOM)}

_TENANT = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,252}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def provider_of(oauth: OAuth) -> Provider:
    """Return the chosen provider with everything filled in. Raises ``NotConfigured``, naming what is missing."""
    known = PROVIDERS.get(oauth.provider)
    if known is None:
        raise NotConfigured(
            N_("No provider is chosen to sign in with."),
            N_("Choose Microsoft 365, Outlook.com, Google or another provider (smtp.oauth.provider)."),
        )
    if not oauth.client_id:
        raise NotConfigured(
            N_("The client id of the app registration is missing."),
            N_("Register vxtray with the provider as the guide says, and enter the client id (smtp.oauth.client_id)."),
        )
    if known.key == "custom":
        return _custom(oauth)
    tenant = "consumers" if known.key == "outlook" else oauth.tenant or "organizations"
    if not _TENANT.fullmatch(tenant):
        raise NotConfigured(
            N_("The tenant is neither a directory id nor a domain."),
            N_("Copy “Directory (tenant) ID” from the app registration (smtp.oauth.tenant)."),
        )
    return msgspec.structs.replace(
        known,
        authorize_url=known.authorize_url.replace("{tenant}", tenant),
        token_url=known.token_url.replace("{tenant}", tenant),
        device_url=known.device_url.replace("{tenant}", tenant),
        scopes=oauth.scopes or known.scopes,
    )


def _custom(oauth: OAuth) -> Provider:
    required = {"smtp.oauth.token_url": oauth.token_url}
    if not oauth.device_url:
        required["smtp.oauth.authorize_url"] = oauth.authorize_url
    for key, url in required.items():
        if not url:
            raise NotConfigured(
                N_("An address of the provider is missing: {key}."), N_("Enter what the provider names."), key=key
            )
    for url in filter(None, (oauth.authorize_url, oauth.token_url, oauth.device_url)):
        if not is_safe(url):
            raise NotConfigured(
                N_("An address of the provider is not protected."),
                N_("The addresses must begin with https:// (http:// only for this machine)."),
            )
    return msgspec.structs.replace(
        _CUSTOM,
        title=urlsplit(oauth.authorize_url or oauth.token_url).hostname or _CUSTOM.title,
        authorize_url=oauth.authorize_url,
        token_url=oauth.token_url,
        device_url=oauth.device_url,
        scopes=oauth.scopes,
    )


def is_safe(url: str) -> bool:
    """Return whether secrets may be sent there: HTTPS, or HTTP to this machine; without user name and fragment."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        return False
    if not url.isprintable() or " " in url or parts.username is not None or parts.fragment or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def origin(url: str) -> str:
    """Return scheme, host and port of an address as text, the usual ports left out; empty for none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{parts.hostname}" + (f":{port}" if port not in {None, usual} else "")


def issued_by(provider: Provider, issuer: str) -> bool:
    """Return whether an issuer (``iss``) belongs to the provider. Compared by origin: Entra's path holds the tenant."""
    allowed = {origin(provider.authorize_url), origin(provider.token_url), *provider.issuers}
    return bool(issuer) and origin(issuer) in allowed
