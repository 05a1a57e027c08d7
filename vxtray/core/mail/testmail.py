"""The test e-mail: says what its arrival proves, and by which settings it was sent.

Pure apart from reading the templates, any thread. It holds no secret.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from types import MappingProxyType

from vxtray.core.errors import N_
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import SUBJECT_LIMIT, Document, Reader, render
from vxtray.core.settings.tree import Security, Smtp

_ENCRYPTION: Mapping[Security, str] = MappingProxyType(
    {
        Security.STARTTLS: N_("✓ STARTTLS, certificate checked"),
        Security.TLS: N_("✓ TLS from the start, certificate checked"),
        Security.NONE: N_("▲ none: others on the way can read and change the mails"),
    }
)


def proof_document(
    smtp: Smtp,
    language: str,
    zone: tzinfo,
    *,
    sent_at: datetime,
    recipients: Sequence[str] = (),
    host: str = "",
    version: str = "",
) -> Document:
    """Write the test mail for the settings it is sent by; without ``recipients`` it goes to those of ``smtp``."""
    reader = Reader(language=language, zone=zone)
    say = reader.translate
    server = f"{smtp.host}:{smtp.port}"
    moment = reader.moment(sent_at)
    sentences = [
        say(N_("vxtray can send e-mail: {server} took this mail and it reached you."), server=server),
        say(N_("Reports and alerts that you switch on leave the same way.")),
    ]
    facts = (
        (N_("Mail server"), server),
        (N_("Encryption"), say(_ENCRYPTION[smtp.security])),
        (N_("Signed in as"), smtp.username if smtp.signs_in else say(N_("no sign-in"))),
        (N_("Sender"), smtp.from_address),
        (N_("Recipients"), ", ".join(recipients or smtp.recipients)),
    )
    rendered = render(
        "test",
        language,
        {
            "kicker": " · ".join(filter(None, ("vxtray", one_line(host, 60)))),
            "preheader": sentences[0],
            "heading": say(N_("✓ The test e-mail has arrived")),
            "subheading": moment[:1].upper() + moment[1:],
            "sentences": sentences,
            "facts": [(say(label), one_line(value, 1000)) for label, value in facts],
            "footer": [reader.signature(host, version)],
        },
    )
    subject = say(N_("Test e-mail from {host}"), host=one_line(host, 60)) if host else say(N_("Test e-mail"))
    return Document(subject=one_line(f"[vxtray] {subject}", SUBJECT_LIMIT), html=rendered.html, text=rendered.text)
