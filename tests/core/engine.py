"""An engine under a test's own clock, events to feed it, and mails read back from its outbox."""

import email
import email.policy
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from zoneinfo import ZoneInfo

from tests.peers.mailbox import Mailbox
from vxtray.core.alerts.conditions import Disk
from vxtray.core.credentials import CredentialStore, MemoryStore, Secret, smtp_account
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.mail.outbox import Outbox
from vxtray.core.notices import Notice
from vxtray.core.paths import Profile
from vxtray.core.service import Service
from vxtray.core.settings.tree import Alerts, Daily, Reports, Settings, Smtp

PARIS = ZoneInfo("Europe/Paris")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 11, 23, tzinfo=PARIS)
PEOPLE = ("a@example.org", "b@example.org")


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime = MONDAY) -> None:
        self.now = now.astimezone(UTC)

    def __call__(self) -> datetime:
        return self.now

    def at(self, hours: float, minutes: float = 0, *, days: int = 0) -> datetime:
        """Go to a local time, counted from Monday, 23 November 2026."""
        wall = (MONDAY + timedelta(days=days)).replace(tzinfo=None) + timedelta(hours=hours, minutes=minutes)
        self.now = wall.replace(tzinfo=PARIS).astimezone(UTC)
        return self.now


NOWHERE = Smtp(host="mail.invalid", from_address="reports@example.com", recipients=PEOPLE)


def smtp_of(box: Mailbox) -> Smtp:
    """Return the settings that lead to a mailbox."""
    return Smtp(
        host=box.host,
        port=box.port,
        username=box.user,
        from_address="reports@example.com",
        recipients=PEOPLE,
        ca_file=str(box.ca_file),
        timeout_seconds=5,
    )


def settings(smtp: Smtp = NOWHERE, *, reports: Reports | None = None, alerts: Alerts | None = None) -> Settings:
    """Return settings in the zone of Paris, in English."""
    daily = Reports(zone="Europe/Paris", language="en", daily=Daily(enabled=True))
    return Settings(smtp=smtp, reports=reports or daily, alerts=alerts or Alerts(language="en"))


def keyring_for(smtp: Smtp, password: str) -> MemoryStore:
    """Return a store that holds this server's password."""
    store = MemoryStore()
    store.set(smtp_account(smtp), Secret(password))
    return store


def event(at: datetime, severity: Severity = Severity.CRITICAL, **fields: object) -> SecurityEvent:
    """Return an event; by default one that raises an alert."""
    values: dict[str, object] = {
        "source": "sophos",
        "category": Category.WAF,
        "action": Action.BLOCKED,
        "src_ip": "203.0.113.77",
        "target_host": "shop.example.com",
        "rule_name": "SQL injection",
        "message": "SQL Injection Attack Detected",
    }
    return SecurityEvent(at=at, severity=severity, **{**values, **fields})  # type: ignore[arg-type]  # by name


class Engine:
    """A service with all that a test looks at; ``restart`` is what the next start of the program does."""

    def __init__(self, profile: Profile, chosen: Settings, credentials: CredentialStore | None = None) -> None:
        self.profile = profile
        self.clock = Clock()
        self.saved_at = MONDAY
        self.credentials = credentials or MemoryStore()
        self.notices: list[Notice] = []
        self._ticking = threading.Lock()
        self.service = self._new(chosen)

    def _new(self, chosen: Settings) -> Service:
        service = Service(
            self.profile,
            chosen,
            self.credentials,
            self.notices.append,
            saved_at=self._saved,
            clock=self.clock,
        )
        tick = service._tick
        service._tick = lambda: self._alone(tick)  # type: ignore[method-assign]  # what the scheduler will call
        service._reports._default_route = lambda: True  # or reports would wait for the network of this computer
        service._watch.disk = lambda folder: Disk(path=str(folder), free=1 << 40, total=1 << 40)  # nor on its disk
        return service

    def _saved(self) -> float:
        return self.saved_at.timestamp()

    def restart(self, chosen: Settings | None = None) -> Service:
        """Stop and begin again, without the threads."""
        self.service.stop()
        self.service = self._new(chosen or self.service.settings)
        return self.service

    def _alone(self, tick: Callable[[], None]) -> None:
        with self._ticking:  # the scheduler of a started engine ticks too, when settings change; never two at once
            tick()

    def tick(self) -> None:
        """Do what the scheduler does every half minute."""
        self.service._tick()

    def told(self, kind: type[Notice]) -> list[Notice]:
        """Return the notices of a kind."""
        return [notice for notice in self.notices if isinstance(notice, kind)]

    def mails(self, kind: str = "") -> list[EmailMessage]:
        """Return the queued and settled mails, oldest first, as their readers see them."""
        return mails_in(self.service.outbox, kind)


def mails_in(outbox: Outbox, kind: str = "") -> list[EmailMessage]:
    """Return the mails of an outbox, oldest first."""
    found = [entry for entry in reversed(outbox.entries()) if kind in ("", entry.kind)]
    return [opened(outbox.entry(entry.id)[3]) for entry in found]


def opened(content: bytes) -> EmailMessage:
    """Return a message as its reader sees it."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(message: EmailMessage) -> str:
    """Return the plain text of a mail."""
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")  # as mail programs show it
