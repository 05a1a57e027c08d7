"""The notes that a person copies for an administrator: what happened and what to look at, how to register the app.

Pure, any thread. Plain text; no secret can stand in it, since none is given.
"""

from vxtray.core import texts
from vxtray.core.errors import N_
from vxtray.core.mail.faults import MailError
from vxtray.core.mail.oauth.endpoints import PROVIDERS, REDIRECT_URI_TO_REGISTER
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.replies import Explanation
from vxtray.core.mail.replies.microsoft import CHECKLIST
from vxtray.core.settings.tree import Security, Smtp

_ENCRYPTION = {Security.TLS: "TLS", Security.STARTTLS: "STARTTLS", Security.NONE: N_("none")}


def note_for_admin(found: Explanation | MailError, settings: Smtp, reply: str, language: str) -> str:
    """Return the note in a language. ``reply`` is the server's words, empty where it said nothing."""
    title, advice = _words(found, language)

    def say(text: str, **values: object) -> str:
        return texts.translate(text, language, **values)

    happened = (
        say(N_("What happened: {title}"), title=title),
        say(N_("Server's words: {reply}"), reply=one_line(reply)) if reply else "",
        say(N_("What helps: {advice}"), advice=advice) if advice else "",
    )
    username = settings.username if settings.signs_in else say(N_("no sign-in"))
    facts = (
        say(N_("Server: {host}, port {port}"), host=settings.host, port=settings.port),
        say(N_("Encryption: {encryption}"), encryption=say(_ENCRYPTION[settings.security])),
        say(N_("User name: {username}"), username=username),
        say(N_("Sender: {address}"), address=settings.from_address or "–"),
    )
    asks = [f"{number}. {say(ask)}" for number, ask in enumerate(found.asks, 1)]
    parts = (
        (say(N_("For the administrator of the mail server {host}"), host=settings.host),),
        (say(N_("vxtray sends security alerts and reports by e-mail, and cannot at the moment.")),),
        happened,
        facts,
        (say(N_("Please check:")), *asks) if asks else (),
    )
    return "\n\n".join("\n".join(filter(None, part)) for part in parts if part) + "\n"


def note_to_register(provider: str, settings: Smtp, language: str) -> str:
    """Return what an administrator needs to register the app with a provider (a key of ``PROVIDERS``)."""
    known = PROVIDERS[provider]

    def say(text: str, **values: object) -> str:
        return texts.translate(text, language, **values)

    title = say(known.title)
    steps = registration_steps(provider, settings, language)
    sender = settings.username or settings.from_address
    parts = (
        (say(N_("For the administrator of {provider}"), provider=title),),
        (
            say(
                N_("vxtray sends security alerts and reports by e-mail, and is to sign in with {provider} to do so."),
                provider=title,
            ),
            say(N_("For that it needs an app registration of your own organisation; it has none of its own.")),
            say(N_("User name: {username}"), username=sender) if sender else "",
        ),
        (say(N_("Please register it:")), *(f"{number}. {step}" for number, step in enumerate(steps, 1))),
        (
            say(N_("Redirect URI: {redirect_uri}"), redirect_uri=REDIRECT_URI_TO_REGISTER),
            say(N_("Scopes: {scopes}"), scopes=" ".join(settings.oauth.scopes or known.scopes) or "–"),
            say(N_("Where: {url}"), url=known.registration_url) if known.registration_url else "",
        ),
        (say(N_("Please check, too:")), *(f"– {say(ask)}" for ask in CHECKLIST)) if provider == "microsoft" else (),
        (say(N_("Please send back the client ID, and the tenant ID or client secret where there is one.")),),
    )
    filled = ("\n".join(filter(None, part)) for part in parts if part)
    return "\n\n".join(filled) + "\n"


def registration_steps(provider: str, settings: Smtp, language: str) -> list[str]:
    """Return the steps to register the app with a provider (a key of ``PROVIDERS``), in order."""
    known = PROVIDERS[provider]
    scopes = ", ".join(settings.oauth.scopes or known.scopes) or "–"
    return [
        texts.translate(step, language, redirect_uri=REDIRECT_URI_TO_REGISTER, scopes=scopes)
        for step in known.registration
    ]


def _words(found: Explanation | MailError, language: str) -> tuple[str, str]:
    if isinstance(found, MailError):
        return texts.title(found, language), texts.advice(found, language)
    return texts.translate(found.title, language), texts.translate(found.advice, language)
