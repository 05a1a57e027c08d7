"""What is refused before or beside the server's word: addresses that cannot travel, and a mail that nobody may have.

Pure, any thread.
"""

from vxtray.core.errors import N_
from vxtray.core.mail.faults import Kind, RecipientResult, RecipientsRefused, Stage


def nobody_accepted(results: dict[str, RecipientResult]) -> RecipientsRefused:
    """Return the fault for a mail that no recipient may have; temporary when one of them may work later."""
    refused = list(results.values())
    telling = next((one for one in refused if one.kind is Kind.TEMPORARY), refused[0] if refused else None)
    fault = RecipientsRefused(
        telling.title if telling and len(refused) == 1 else "",
        telling.advice if telling else N_("Enter at least one recipient."),
        step=Stage.RECIPIENTS,
        kind=(telling.kind if telling else None) or Kind.PERMANENT,
        reply=telling.reply if telling else "",
        scope=telling.scope if telling else None,
        wait=telling.wait if telling else None,
    )
    fault.recipients = results
    return fault


def refused_here(title: str, advice: str) -> RecipientResult:
    """Return the result for a recipient that no server is asked about."""
    return RecipientResult(ok=False, reply=title, title=title, advice=advice, kind=Kind.PERMANENT)
