"""An outbox and a courier as the engine joins them, under a clock that the test moves."""

import functools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.core.mail.wire import PASSWORD
from vxtray.core.credentials import CredentialStore, MemoryStore, Secret, smtp_account
from vxtray.core.errors import VxtrayError
from vxtray.core.mail.connection import Limits
from vxtray.core.mail.delivery import Courier
from vxtray.core.mail.fingerprint import fingerprint
from vxtray.core.mail.message import Attachment, Mail
from vxtray.core.mail.outbox import Outbox, Outgoing
from vxtray.core.mail.posting import outgoing
from vxtray.core.settings.tree import Smtp

PEOPLE = ("a@example.org", "b@example.org", "c@example.org")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Clock:
    """Stands still until it is moved; ``awake`` counts the seconds that the computer did not sleep."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
        self.slept = 0.0

    def __call__(self) -> datetime:
        return self.now

    def awake(self) -> float:
        return self.now.timestamp() - self.slept

    def sleep(self, span: timedelta) -> None:
        """Go on without the monotonic clock, as a suspend does."""
        self.now += span
        self.slept += span.total_seconds()


def unvaried(span: timedelta) -> timedelta:
    """No jitter."""
    return span


@functools.lru_cache(maxsize=8)
def _queued(key: str, kind: str, mail: Mail) -> Outgoing:
    """Compose a mail; large ones take a while, and many tests send the same."""
    return outgoing(key, kind, mail)


class Post:
    """What a test looks at: the outbox, its clock, and what ``send`` did."""

    def __init__(
        self, folder: Path, smtp: Smtp, password: str = PASSWORD, limits: Callable[[Smtp], Limits] = Limits.of
    ) -> None:
        self.folder = folder
        self.smtp = smtp
        self.limits = limits
        self.clock = Clock()
        self.route = True
        self.credentials: CredentialStore = MemoryStore()
        self.outbox = Outbox(folder / "outbox.db", unvaried)
        if smtp.username:
            self.credentials.set(smtp_account(smtp), Secret(password))
        self.courier = self._hired(Courier)

    def _hired(self, kind: Callable[..., Courier]) -> Courier:
        return kind(
            self.smtp,
            self.credentials,
            self.clock,
            dot_follows=self.outbox.dot_follows,
            fingerprint=lambda smtp: fingerprint(smtp, self.folder),
            monotonic=self.clock.awake,
            default_route=lambda: self.route,
            limits=self.limits,
        )

    def renew(self, smtp: Smtp) -> None:
        """Take another courier, with these settings and with all the time of the world."""
        self.courier.rest(now=True)
        self.smtp, self.limits = smtp, Limits.of
        self.courier = self._hired(Courier)

    def use(self, keyring: CredentialStore) -> None:
        """Keep the secrets elsewhere."""
        self.credentials = keyring
        self.courier = self._hired(Courier)

    def add(
        self,
        *keys: str,
        to: tuple[str, ...] = PEOPLE[:1],
        kind: str = "report",
        attachments: tuple[Attachment, ...] = (),
        html: str = "",
    ) -> None:
        """Queue mails."""
        for key in keys:
            mail = Mail(
                subject=f"Subject {key}",
                text="Good morning\n",
                html=html,
                from_address="reports@example.com",
                from_name="vxtray",
                recipients=to,
                message_id=f"<{key}@example.com>",
                date=self.clock(),
                attachments=attachments,
            )
            self.add_mail(key, mail, kind)

    def add_mail(self, key: str, mail: Mail, kind: str = "report") -> None:
        """Queue a mail of the test's own."""
        self.outbox.add(_queued(key, kind, mail), self.clock())

    @property
    def ready(self) -> bool:
        """False while the queue waits."""
        hold = self.outbox.hold()
        return hold is None or not hold.in_force(self.clock())

    @property
    def fault(self) -> VxtrayError | None:
        """What the queue waits for."""
        hold = self.outbox.hold()
        return hold.error() if hold is not None else None

    def mended(self, smtp: Smtp | None = None) -> None:
        """Do what the post room does when settings or secrets changed."""
        self.courier.mended(smtp or self.smtp)
        self.outbox.lift(self.clock())
        self.outbox.retry_all(self.clock())

    def send(self, *, keep: bool = False) -> list[tuple[str, str]]:
        """Try what is due; return key and state of each attempt. ``keep`` leaves the connection open."""
        try:
            return [
                (delivery.parcel.message_id.split("@")[0].strip("<"), delivery.state)
                for delivery in self.outbox.deliver_due(self.courier.deliver, self.clock, self._may_send)
            ]
        finally:
            if not keep:
                self.courier.rest(now=True)

    def _may_send(self) -> bool:
        return self.courier.seconds_to_next() == 0

    def attempts(self, mail: int = 1) -> list[str]:
        """Return what became of each attempt."""
        return [str(attempt["outcome"]) for attempt in self.outbox.entry(mail)[2]]

    def close(self) -> None:
        self.courier.rest(now=True)
        self.outbox.close()
