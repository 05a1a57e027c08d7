"""The test e-mail as window and tray send it: what it proves is put on record, and never hides that it was taken.

Runs on ``vx-task``, which it blocks.
"""

from vxtray.core.credentials import Secret
from vxtray.core.errors import StoreError
from vxtray.core.mail.transport import Cutoff
from vxtray.core.mail.trial import Trial, send_trial
from vxtray.core.service import Service
from vxtray.core.settings.tree import Smtp


def send_and_record(service: Service, smtp: Smtp, secret: Secret | None, language: str, cutoff: Cutoff) -> Trial:
    """Send the test e-mail and remember that it was accepted. Raises ``NotConfigured``, ``MailError``."""
    trial = send_trial(smtp, secret, language, cutoff=cutoff)
    try:
        service.mail_proven(smtp)
    except StoreError as error:
        service.set_trouble("outbox", error)
    return trial
