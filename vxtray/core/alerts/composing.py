"""From a letter that grouping asks for to a mail as the outbox keeps it. On the thread of the desk."""

import logging
import socket
from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

import msgspec

from vxtray import __version__
from vxtray.core.alerts.conditions import Change
from vxtray.core.alerts.incidents import Entry, Folded, Incident, Kind, Letter, Silence, SourceHistory, Why
from vxtray.core.alerts.rules import Alert
from vxtray.core.errors import StoreError
from vxtray.core.mail.outbox import Outgoing
from vxtray.core.settings.tree import Settings
from vxtray.core.store import EventStore
from vxtray.core.store.committing import LineOf

if TYPE_CHECKING:
    from vxtray.core.mail.render import Document  # heavy: loaded with the first mail

log = logging.getLogger(__name__)

_GOING_ON = {Kind.STARTED, Kind.SUMMARY}


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How alerts are made now: by which settings, in which language and zone."""

    settings: Settings
    language: str
    zone: tzinfo

    @property
    def tellable(self) -> bool:
        """Whether there is a way to send mail, and somebody to read it."""
        settings = self.settings
        return bool(settings.smtp.configured and settings.alert_recipients and settings.store.send)


class Conversation(msgspec.Struct, frozen=True):
    """What the mails of an incident have been so far: the first subject, and the first and last Message-ID."""

    subject: str = ""
    message_ids: tuple[str, ...] = ()


class Composer:
    """Writes the mails of one step. ``lines`` knows the log lines of the events from ``first_seq`` on."""

    def __init__(
        self, manner: Manner, store: EventStore | None = None, lines: LineOf | None = None, first_seq: int = 0
    ) -> None:
        self.manner = manner
        self._store = store
        self._lines = lines
        self._first_seq = first_seq
        self._histories: dict[int, SourceHistory | None] = {}
        self._reasons: dict[int, str] = {}

    def look_up(self, entries: Iterable[Entry], silences: Iterable[Silence]) -> None:
        """Ask the store what it knows of the sources that are told; before the mails are written.

        ``silences`` are those before the step, which may have ended some.
        """
        self._reasons = {silence.id: silence.reason for silence in silences}
        if self._store is None:
            return
        from vxtray.core.alerts.matching import source_history

        for entry in entries:
            if isinstance(entry, Letter) and entry.event is not None:
                try:
                    history = source_history(self._store, entry.event.src_ip, entry.event.at)
                except StoreError as error:  # the mail goes without
                    log.info("the store could not say what a source did before: %s", error)
                    history = None
                self._histories[entry.event.seq] = history

    def mail(self, letter: Letter, folded: Folded, conversation: Conversation, now: datetime, key: str) -> Outgoing:
        """Return the mail. Raises ``NotConfigured``, ``SenderRefused``."""
        document = self._document(letter, folded, conversation)
        return self._posted(document, conversation, now, key, urgent=letter.incident.urgent)

    def _posted(
        self, document: "Document", conversation: Conversation, now: datetime, key: str, *, urgent: bool
    ) -> Outgoing:
        from vxtray.core.mail.posting import mail_of, outgoing

        mail = mail_of(
            document,
            self.manner.settings.smtp,
            self.manner.settings.alert_recipients,
            now,
            in_reply_to=conversation.message_ids[-1] if conversation.message_ids else "",
            references=conversation.message_ids,
        )
        return outgoing(key, "alert", mail, urgent=urgent)

    def condition(self, change: Change, conversation: Conversation, now: datetime, key: str) -> Outgoing:
        """Return the mail that tells a condition. Raises ``NotConfigured``, ``SenderRefused``."""
        from vxtray.core.alerts.condition_mail import condition_document

        general = self.manner.settings.general
        document = condition_document(
            change,
            self.manner.language,
            self.manner.zone,
            host=socket.gethostname(),
            version=__version__,
            defang=general.defang,
            mask_internal=general.mask_internal,
            opened_as=conversation.subject,
        )
        return self._posted(document, conversation, now, key, urgent=False)

    def _held_by(self, incident: Incident) -> str:
        """Return the hours or the reason that held an incident's events."""
        hours = self.manner.settings.alerts.quiet_hours
        if incident.why is Why.QUIET_HOURS:
            return f"{hours.start}\N{EN DASH}{hours.end}"
        return self._reasons.get(incident.silence, "") if incident.why is Why.SILENCE else ""

    @property
    def _summary(self) -> timedelta:
        return timedelta(minutes=max(1, self.manner.settings.alerts.summary_minutes))

    def _document(self, letter: Letter, folded: Folded, conversation: Conversation) -> "Document":
        language, zone, general = self.manner.language, self.manner.zone, self.manner.settings.general
        host = socket.gethostname()
        if letter.event is None:
            from vxtray.core.alerts.digest import digest_document

            return digest_document(
                letter,
                folded,
                language,
                zone,
                quiet=self._held_by(letter.incident),
                opened_as=conversation.subject,
                next_summary=letter.at + self._summary if letter.kind in _GOING_ON else None,
                host=host,
                version=__version__,
                defang=general.defang,
                mask_internal=general.mask_internal,
            )
        from vxtray.core.alerts.document import alert_document

        seq = letter.event.seq
        return alert_document(
            Alert(rule=letter.matched[0], event=letter.event, matched=letter.matched),
            language,
            zone,
            line=self._lines(seq - self._first_seq) if self._lines is not None else "",
            history=self._histories.get(seq),
            host=host,
            version=__version__,
            defang=general.defang,
            mask_internal=general.mask_internal,
        )
