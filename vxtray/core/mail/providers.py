"""What is known of mail providers: their submission servers, whom they serve, and what they are particular about.

Pure data, any thread. Each entry names its source: the provider's own page, or Mozilla's list of providers (ISPDB).
"""

from enum import StrEnum

import msgspec

from vxtray.core.errors import N_
from vxtray.core.settings.tree import Security


class SignIn(StrEnum):
    """How a provider wants programs to sign in."""

    PASSWORD = "password"  # noqa: S105 - a word of the field
    APP_PASSWORD = "app-password"  # noqa: S105 - a word of the field
    OAUTH = "oauth"


class Server(msgspec.Struct, frozen=True):
    """A submission server."""

    host: str
    port: int
    security: Security


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A provider. ``domains`` are its own addresses, ``mx`` the ends of the names that take mail for its customers.

    ``local_part``: the user name is what stands before the @, else the whole address. ``spf``: what a domain's SPF
    record includes when it sends through this provider. ``note`` is a message id, told with the proposal.
    """

    name: str
    servers: tuple[Server, ...]
    source: str
    domains: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()
    spf: tuple[str, ...] = ()
    sign_in: SignIn = SignIn.PASSWORD
    local_part: bool = False
    note: str = ""


def _tls(host: str) -> Server:
    return Server(host, 465, Security.TLS)


def _starttls(host: str) -> Server:
    return Server(host, 587, Security.STARTTLS)


_APP_PASSWORD = N_("Create an app password in the security settings of the account; the usual password is refused.")
_SWITCHED_ON = N_("Sending from other programs must be switched on in the settings of the webmail.")

MICROSOFT_365 = Provider(
    name="Microsoft 365",
    servers=(_starttls("smtp.office365.com"),),
    source="learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/authenticated-client-smtp-submission",
    mx=("mail.protection.outlook.com", "mx.microsoft"),
    spf=("spf.protection.outlook.com",),
    sign_in=SignIn.OAUTH,
    note=N_("Microsoft switches passwords off here at the end of December 2026; after that, signing in is needed."),
)
OUTLOOK_COM = Provider(
    name="Outlook.com",
    servers=(_starttls("smtp-mail.outlook.com"),),
    source="support.microsoft.com/office/pop-imap-and-smtp-settings-for-outlook-com",
    domains=(
        *("outlook.com", "outlook.fr", "hotmail.com", "hotmail.fr", "live.com", "live.fr", "msn.com"),
        *("hotmail.co.uk", "live.co.uk", "outlook.de", "hotmail.de", "outlook.es", "hotmail.es", "outlook.it"),
        *("hotmail.it", "outlook.be", "live.be", "hotmail.be", "passport.com"),
    ),
    mx=("olc.protection.outlook.com",),
    sign_in=SignIn.OAUTH,
    note=N_("Outlook.com takes no passwords from programs any more: signing in is needed."),
)
GOOGLE = Provider(
    name="Google",
    servers=(_tls("smtp.gmail.com"), _starttls("smtp.gmail.com")),
    source="support.google.com/a/answer/176600",
    domains=("gmail.com", "googlemail.com"),
    mx=("google.com", "googlemail.com"),
    spf=("_spf.google.com",),
    sign_in=SignIn.APP_PASSWORD,
    note=_APP_PASSWORD,
)

#: In the order in which they are asked; Outlook.com before Microsoft 365, whose MX names have a common end.
PROVIDERS: tuple[Provider, ...] = (
    OUTLOOK_COM,
    MICROSOFT_365,
    GOOGLE,
    Provider(
        name="Yahoo",
        servers=(_tls("smtp.mail.yahoo.com"), _starttls("smtp.mail.yahoo.com")),
        source="help.yahoo.com/kb/SLN4724.html",
        domains=("yahoo.com", "yahoo.fr", "yahoo.co.uk", "yahoo.de", "yahoo.es", "yahoo.it", "ymail.com"),
        mx=("yahoodns.net",),
        sign_in=SignIn.APP_PASSWORD,
        note=_APP_PASSWORD,
    ),
    Provider(
        name="iCloud Mail",
        servers=(_starttls("smtp.mail.me.com"),),
        source="support.apple.com/102525",
        domains=("icloud.com", "me.com", "mac.com"),
        mx=("mail.icloud.com",),
        spf=("icloud.com",),
        sign_in=SignIn.APP_PASSWORD,
        note=_APP_PASSWORD,
    ),
    Provider(
        name="Orange",
        servers=(_tls("smtp.orange.fr"),),
        source="ISPDB orange.fr; assistance.orange.fr",
        domains=("orange.fr", "wanadoo.fr"),
        mx=("smtp-in.orange.fr",),
        note=_SWITCHED_ON,
    ),
    Provider(
        name="Free",
        servers=(_tls("smtp.free.fr"), _starttls("smtp.free.fr")),
        source="ISPDB free.fr; assistance.free.fr/articles/609",
        domains=("free.fr",),
        mx=("mx1.free.fr", "mx2.free.fr"),
        local_part=True,
        note=N_("Authenticated SMTP must be switched on once in the Free subscriber area."),
    ),
    Provider(
        name="SFR",
        servers=(_tls("smtp.sfr.fr"), _starttls("smtp.sfr.fr")),
        source="assistance.sfr.fr (serveurs de messagerie)",
        domains=("sfr.fr", "neuf.fr", "cegetel.net", "club-internet.fr", "numericable.fr", "noos.fr"),
        mx=("mx.sfr.fr",),
    ),
    Provider(
        name="Bouygues Telecom",
        servers=(_starttls("smtp.bbox.fr"),),
        source="assistance.bouyguestelecom.fr (serveurs Bbox)",
        domains=("bbox.fr",),
    ),
    Provider(
        name="La Poste",
        servers=(_tls("smtp.laposte.net"), _starttls("smtp.laposte.net")),
        source="aide.laposte.net (paramètres SMTP)",
        domains=("laposte.net",),
        note=_SWITCHED_ON,
    ),
    Provider(
        name="OVHcloud",
        servers=(_tls("smtp.mail.ovh.net"), _tls("ssl0.ovh.net"), _starttls("ssl0.ovh.net")),
        source="help.ovhcloud.com (MX Plan)",
        mx=("mail.ovh.net", "mail.ovh.ca", "ovh.net"),
        spf=("mx.ovh.com",),
        note=N_("For Email Pro and Exchange, take the server that the OVHcloud control panel shows."),
    ),
    Provider(
        name="Gandi",
        servers=(_tls("mail.gandi.net"), _starttls("mail.gandi.net")),
        source="docs.gandi.net/en/gandimail/standard_email_settings",
        mx=("mail.gandi.net",),
        spf=("_mailcust.gandi.net",),
    ),
    Provider(
        name="IONOS",
        servers=(_tls("smtp.ionos.fr"), _starttls("smtp.ionos.fr")),
        source="ionos.fr/assistance (serveurs de messagerie)",
        mx=("ionos.fr", "1and1.fr"),
        spf=("_spf-eu.ionos.com",),
    ),
    Provider(
        name="IONOS",
        servers=(_tls("smtp.ionos.com"), _starttls("smtp.ionos.com")),
        source="ionos.com/help (mail server data)",
        mx=("ionos.com", "1and1.com"),
        spf=("_spf-us.ionos.com",),
    ),
    Provider(
        name="IONOS",
        servers=(_tls("smtp.ionos.de"), _starttls("smtp.ionos.de")),
        source="ionos.de/hilfe; ISPDB 1und1.de",
        domains=("online.de", "onlinehome.de"),
        mx=("ionos.de", "kundenserver.de", "schlund.de"),
        spf=("_spf-eu.ionos.com",),
    ),
    Provider(
        name="Infomaniak",
        servers=(_tls("mail.infomaniak.com"), _starttls("mail.infomaniak.com")),
        source="infomaniak.com/support/faq/2023",
        domains=("ik.me", "etik.com", "ikmail.com"),
        mx=("infomaniak.ch",),
        spf=("spf.infomaniak.ch",),
    ),
    Provider(
        name="Proton Mail Bridge",
        servers=(Server("127.0.0.1", 1025, Security.STARTTLS),),
        source="proton.me/support/smtp-submission; proton.me/support/bridge",
        domains=("proton.me", "protonmail.com", "protonmail.ch", "pm.me"),
        mx=("protonmail.ch",),
        spf=("_spf.protonmail.ch",),
        note=N_("Install Proton Mail Bridge on this computer, and enter the password and certificate that it shows."),
    ),
    Provider(
        name="Fastmail",
        servers=(_tls("smtp.fastmail.com"), _starttls("smtp.fastmail.com")),
        source="fastmail.help (server names and ports); ISPDB messagingengine.com",
        domains=("fastmail.com", "fastmail.fm"),
        mx=("messagingengine.com",),
        spf=("spf.messagingengine.com",),
        sign_in=SignIn.APP_PASSWORD,
        note=_APP_PASSWORD,
    ),
    Provider(
        name="GMX",
        servers=(_tls("mail.gmx.net"), _starttls("mail.gmx.net")),
        source="ISPDB gmx.net; hilfe.gmx.net",
        domains=("gmx.net", "gmx.de", "gmx.at", "gmx.ch", "gmx.eu"),
        mx=("gmx.net",),
        note=_SWITCHED_ON,
    ),
    Provider(
        name="GMX",
        servers=(_tls("mail.gmx.com"), _starttls("mail.gmx.com")),
        source="ISPDB gmx.com",
        domains=("gmx.com", "gmx.fr", "gmx.us", "gmx.co.uk"),
        note=_SWITCHED_ON,
    ),
    Provider(
        name="mailbox.org",
        servers=(_tls("smtp.mailbox.org"), _starttls("smtp.mailbox.org")),
        source="ISPDB mailbox.org",
        domains=("mailbox.org",),
        mx=("mailbox.org",),
        spf=("mailbox.org",),
    ),
    Provider(
        name="Posteo",
        servers=(_tls("posteo.de"), _starttls("posteo.de")),
        source="ISPDB posteo.de",
        domains=("posteo.de", "posteo.net", "posteo.eu", "posteo.fr"),
    ),
    Provider(
        name="Zoho Mail",
        servers=(_tls("smtppro.zoho.eu"), _starttls("smtppro.zoho.eu")),
        source="zoho.com/mail/help/zoho-smtp.html",
        mx=("zoho.eu",),
        spf=("zohomail.eu", "zoho.eu"),
    ),
    Provider(
        name="Zoho Mail",
        servers=(_tls("smtppro.zoho.com"), _starttls("smtppro.zoho.com")),
        source="zoho.com/mail/help/zoho-smtp.html",
        mx=("zoho.com",),
        spf=("zohomail.com", "zoho.com"),
    ),
)


def is_within(name: str, ends: tuple[str, ...]) -> bool:
    """Return True where a host name is one of these, or below one of them; case and a final dot do not count."""
    name = name.rstrip(".").lower()
    return any(name == end or name.endswith(f".{end}") for end in ends)


def by_domain(domain: str) -> Provider | None:
    """Return the provider whose own domain this is."""
    domain = domain.rstrip(".").lower()
    return next((provider for provider in PROVIDERS if domain in provider.domains), None)


def by_mx(names: tuple[str, ...]) -> Provider | None:
    """Return the provider that takes a domain's mail; the most preferred name that is known decides."""
    for name in names:
        for provider in PROVIDERS:
            if is_within(name, provider.mx):
                return provider
    return None


def by_server(host: str) -> Provider | None:
    """Return the provider that a submission server belongs to."""
    host = host.rstrip(".").lower()
    for provider in PROVIDERS:
        if any(host == server.host for server in provider.servers):
            return provider
    return None
