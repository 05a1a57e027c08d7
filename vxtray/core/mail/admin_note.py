"""The note that a person copies for the mail administrator: what happened, the facts, what to look at.

Pure, any thread. Plain text; no secret can stand in it, since none is given.
"""

from vxtray.core import texts
from vxtray.core.errors import N_
from vxtray.core.mail.faults import MailError
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.replies import Explanation
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


def _words(found: Explanation | MailError, language: str) -> tuple[str, str]:
    if isinstance(found, MailError):
        return texts.title(found, language), texts.advice(found, language)
    return texts.translate(found.title, language), texts.translate(found.advice, language)
