"""From stored events to alert mails in the outbox, each event once.

Runs on the thread that stored the events. The alert cursor (store uuid, seq) moves in the same transaction that queues
the mails, so a crash between storing and alerting neither loses an alert nor repeats one.
"""

import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, tzinfo
from itertools import islice

import msgspec

from vxtray import __version__
from vxtray.core.alerts.rules import Alert, Rule, alerts_for
from vxtray.core.events import SecurityEvent
from vxtray.core.mail.outbox import Outbox, Outgoing
from vxtray.core.settings.tree import Settings
from vxtray.core.store import EventStore

_CURSOR = "alert-cursor"
_PAUSE = "alerts-paused"
_CHUNK = 1000


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Alert mails are held until a moment; critical ones too where ``everything``."""

    until: datetime
    everything: bool = False


class AlertDesk:
    """Turns new events into alerts by the rules in force."""

    def __init__(self, outbox: Outbox, clock: Callable[[], datetime]) -> None:
        self._outbox = outbox
        self._clock = clock
        self._guard = threading.RLock()  # between looking at cursor or pause and acting on it, neither may change

    def begin(self, store: EventStore) -> None:
        """Bind the cursor to a store just opened.

        In a store that the cursor does not know, alerts begin now; so they do where the cursor lies beyond the last
        event, since the engine may drop the cut-off end of its log and give those numbers again.
        """
        cursor, last = self._cursor(store), store.last_seq()
        if cursor is None or cursor > last:
            self._outbox.set_fact(_CURSOR, f"{store.uuid}:{last}")

    def catch_up(self, store: EventStore, settings: Settings, language: str, zone: tzinfo) -> int:
        """Look at every event behind the cursor and queue its alert; return how many mails were new.

        ``begin`` came before. Raises ``StoreError``.
        """
        queued = 0
        with self._guard:
            events = store.alertable(self._cursor(store) or 0)
            while chunk := list(islice(events, _CHUNK)):
                mails = self._mails(alerts_for(chunk, settings.alerts), store.uuid, settings, language, zone)
                queued += self._outbox.add_all(mails, self._clock(), facts={_CURSOR: f"{store.uuid}:{chunk[-1].seq}"})
        return queued

    def look_at(
        self,
        store: EventStore,
        first_seq: int,
        events: Sequence[SecurityEvent],
        *,
        alerts: bool,
        settings: Settings,
        language: str,
        zone: tzinfo,
    ) -> int:
        """Queue the alerts of events just stored, without reading them again; return how many mails were new.

        Where the cursor is not right before them, everything behind it is looked at (``catch_up``).
        """
        if not events:
            return 0
        with self._guard:
            if self._cursor(store) != first_seq - 1:
                return self.catch_up(store, settings, language, zone)
            found = alerts_for(events, settings.alerts, first_seq=first_seq) if alerts else []
            mails = self._mails(found, store.uuid, settings, language, zone)
            last = first_seq + len(events) - 1
            return self._outbox.add_all(mails, self._clock(), facts={_CURSOR: f"{store.uuid}:{last}"})

    def _cursor(self, store: EventStore) -> int | None:
        uuid, _, seq = self._outbox.fact(_CURSOR).rpartition(":")
        return int(seq) if uuid == store.uuid else None

    def _mails(
        self, alerts: Iterable[Alert], uuid: str, settings: Settings, language: str, zone: tzinfo
    ) -> list[Outgoing]:
        if not settings.smtp.configured or not settings.alert_recipients or not settings.store.send:
            return []  # nobody to tell yet; the events themselves are stored and appear in the reports
        from vxtray.core.alerts.document import alert_document
        from vxtray.core.mail.posting import mail_of, outgoing

        pause, now, mails = self.pause(), self._clock(), []
        for alert in alerts:
            document = alert_document(
                alert,
                language,
                zone,
                host=socket.gethostname(),
                version=__version__,
                defang=settings.general.defang,
                mask_internal=settings.general.mask_internal,
            )
            mail = mail_of(document, settings.smtp, settings.alert_recipients, now)
            held = pause is not None and (pause.everything or alert.rule is not Rule.CRITICAL)
            urgent = alert.rule is Rule.CRITICAL
            mails.append(outgoing(alert.key(uuid), "alert", mail, held=held, urgent=urgent))
        return mails

    def pause(self) -> Pause | None:
        """Return the pause in force; quick, since the window asks for it while alerts are being made."""
        fact = self._outbox.fact(_PAUSE)
        pause = msgspec.json.decode(fact, type=Pause) if fact else None
        return pause if pause is not None and pause.until > self._clock() else None

    def end_pause(self) -> None:
        """Release what a pause held once it is over; asked at each tick."""
        with self._guard:
            if self._outbox.fact(_PAUSE) and self.pause() is None:
                self.resume()

    def hold(self, pause: Pause) -> None:
        """Hold alert mails from now on."""
        with self._guard:
            self._outbox.set_fact(_PAUSE, msgspec.json.encode(pause).decode())

    def resume(self) -> int:
        """End the pause and queue what it held; return how many mails."""
        with self._guard:
            return self._outbox.release_held(self._clock(), forget=_PAUSE)
