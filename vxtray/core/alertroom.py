"""The alert room: raises alerts for events just stored, keeps their times, and tells what became of them.

Any thread may call. ``vx-alerts`` (``_loop``) makes what is due even if no event comes: summaries, the end of a storm,
what was held. Pauses and silences are in force when the method returns, and survive a restart.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from vxtray.core.alerts import register
from vxtray.core.alerts.accounts import Matched, Rehearsal, Rehearsed, Told
from vxtray.core.alerts.composing import Manner
from vxtray.core.alerts.conditions import Change
from vxtray.core.alerts.desk import AlertDesk
from vxtray.core.alerts.forecast import Forecast
from vxtray.core.alerts.incidents import Folded, Incident, Pause, Silence
from vxtray.core.alerts.rules import Alert, Rule
from vxtray.core.alerts.steps import Made
from vxtray.core.alerts.tallying import said
from vxtray.core.errors import N_, UsageError, VxtrayError
from vxtray.core.events import SecurityEvent, Severity
from vxtray.core.mail.outbox import Outbox
from vxtray.core.mail.plaintext import one_line
from vxtray.core.notices import AlertsRaised, IncidentsChanged, Publish
from vxtray.core.reports.language import mail_language
from vxtray.core.reports.period import report_zone
from vxtray.core.settings.tree import Alerts, Settings
from vxtray.core.store import EventStore
from vxtray.core.store.committing import LineOf
from vxtray.core.supervision import Worker, Workers

__all__ = ["AlertRoom", "Folded", "Matched", "Pause", "Rehearsal", "Rehearsed", "Told"]

log = logging.getLogger(__name__)

_LONGEST_SLEEP = 30.0  # a clock that was set delays nothing for longer
_LEAST_SLEEP = 0.2
_STOP_SECONDS = 10.0
_TITLE = 120

#: An incident that is over is worth a look for so long.
_RECENT = timedelta(days=1)
_CLEAN_EVERY = timedelta(days=1)


class AlertRoom:
    """All about alerts, behind one handle: ``service.alerts``."""

    def __init__(
        self,
        outbox: Outbox,
        store: Callable[[], EventStore],
        settings: Callable[[], Settings],
        put: Callable[[str, VxtrayError | None], None],
        publish: Publish,
        clock: Callable[[], datetime],
        workers: Workers | None = None,
        *,
        queue_changed: Callable[[], None],
    ) -> None:
        """Take up what was remembered; ``put`` is told of trouble. Raises ``StoreError``."""
        self._workers = workers or Workers(put)
        self._outbox = outbox
        self._store = store
        self._settings = settings
        self._put = put
        self._publish = publish
        self._clock = clock
        self._queue_changed = queue_changed
        self._desk = AlertDesk(outbox, clock)
        self._forecast = Forecast()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._worker: Worker | None = None
        self._cleaned: datetime | None = None
        self._last_told: tuple[int, int, int] | None = None

    # --- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to look at the clock. Faults after this are told as trouble, never raised."""
        self._worker = self._workers.begin("vx-alerts", self._loop, self._stopping)

    def stop(self) -> None:
        """End the thread; what it has in hand is finished."""
        self._stopping.set()
        self._wake.set()
        self._forecast.close()
        if self._worker is not None:
            self._worker.join(_STOP_SECONDS)
            self._worker = None

    def _loop(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                self.watch(self._clock())
                self._put("alert-times", None)
            except VxtrayError as error:
                self._put("alert-times", error)
            except Exception as error:
                log.exception("alerts met an unknown fault")
                self._put("alert-times", VxtrayError(N_("Alerts could not be raised: {reason}."), reason=error))
            due = self._desk.next_due
            left = (due - self._clock()).total_seconds() if due is not None else _LONGEST_SLEEP
            self._wake.wait(min(max(left, _LEAST_SLEEP), _LONGEST_SLEEP))

    # --- events ------------------------------------------------------------------------------------------------------

    def begin(self, store: EventStore) -> None:
        """Bind the cursor to a store just opened. Raises ``StoreError``."""
        self._desk.begin(store)

    def committed(
        self, first_seq: int, events: Sequence[SecurityEvent], *, alerts: bool, lines: LineOf | None = None
    ) -> int:
        """Raise the alerts of events just stored; return how many mails were made. Raises ``StoreError``.

        ``lines`` knows the log lines of the events.
        """
        manner = self._manner()
        return self._after(self._desk.look_at(self._store(), first_seq, events, manner, alerts=alerts, lines=lines))

    def catch_up(self) -> int:
        """Raise the alerts of what is stored and was not looked at; return how many mails. Raises ``StoreError``."""
        return self._after(self._desk.catch_up(self._store(), self._manner()))

    def catch_up_others(self) -> int:
        """Raise the alerts of what other programs on the same store stored; otherwise as ``catch_up``."""
        return self._after(self._desk.catch_up_others(self._store(), self._manner()))

    def conditions_changed(self, changes: list[Change], facts: Mapping[str, str]) -> None:
        """Tell by mail what changed with conditions, and keep facts with it. Raises ``StoreError``."""
        self._after(self._desk.tell(changes, facts, self._manner()))

    def watch(self, now: datetime) -> None:
        """Make what is due; called at each tick, too. Raises ``StoreError``."""
        made = self._desk.due(self._manner())
        if self._desk.release_held():
            self._queue_changed()
        if self._cleaned is None or abs(now - self._cleaned) > _CLEAN_EVERY:
            self._desk.forget_old()
            self._cleaned = now
        self._after(made)
        self._tell()

    def _manner(self) -> Manner:
        settings = self._settings()
        language = mail_language(settings.alerts.language, settings)
        return Manner(settings=settings, language=language, zone=report_zone(settings.reports))

    def _after(self, made: Made) -> int:
        """Tell the outside what came of a step; return how many mails."""
        if made.alerts:
            self._publish(_raised(made.alerts, self._clock()))
        if made.mails:
            self._queue_changed()
        if made.changed:
            self._tell()
            self._wake.set()  # something may be due earlier than before
        return made.mails

    def _tell(self) -> None:
        numbers = len(self._desk.open_incidents()), self.unacknowledged(), self._desk.held()
        if numbers != self._last_told:
            self._last_told = numbers
            known, unacknowledged, held = numbers
            self._publish(IncidentsChanged(at=self._clock(), open=known, unacknowledged=unacknowledged, held=held))

    # --- by hand -----------------------------------------------------------------------------------------------------

    def pause(self, until: datetime, *, everything: bool = False) -> Pause:
        """Hold alert mails until a moment (aware), critical ones too where ``everything``. Raises ``StoreError``."""
        pause = Pause(until=until, everything=everything)
        self._after(self._desk.pause(pause, self._manner()))
        self._queue_changed()
        return pause

    def resume(self) -> int:
        """End the pause; return how many events the mails tell that leave now. Raises ``StoreError``."""
        made, told = self._desk.resume(self._manner())
        self._desk.release_held()
        self._after(made)
        self._queue_changed()
        return told

    def paused(self) -> Pause | None:
        """Return the pause in force, None where there is none; quick."""
        return self._desk.paused()

    def silence(self, *, rule: Rule | None = None, network: str = "", until: datetime, reason: str = "") -> Silence:
        """Hold the mails of a rule, of a source (address or CIDR network), or of a rule of one source.

        The same again replaces it. Raises ``UsageError`` where neither is given, the network is none, or ``until`` is
        over; ``StoreError``.
        """
        now = self._clock()
        if until <= now:
            raise UsageError(N_("This moment is over: {until}."), "", until=until.isoformat())
        wanted = Silence(id=0, until=until, made_at=now, rule=rule, network=network, reason=reason)
        try:
            silence, made = self._desk.silence(wanted, self._manner())
        except ValueError as error:
            raise UsageError(
                N_("“{network}” is no address and no network."),
                N_("Give a rule, or an address such as 203.0.113.7, or a network such as 203.0.113.0/24."),
                network=one_line(network, _TITLE),
            ) from error
        self._after(made)
        return silence

    def end_silence(self, silence: int) -> int:
        """End a silence; return how many events are told now. Raises ``UsageError`` if unknown, ``StoreError``."""
        known = next((one for one in self._desk.silences() if one.id == silence), None)
        if known is None:
            raise UsageError(N_("There is no silence {id}."), "", id=silence)
        made, told = self._desk.end_silence(known, self._manner())
        self._after(made)
        return told

    def silences(self) -> list[Silence]:
        """Return the silences in force, newest first; quick."""
        return self._desk.silences()

    def acknowledge(self, incident: int | None = None) -> int:
        """Take note of an incident, or of all: no more summaries of it; return of how many. Raises ``StoreError``."""
        made, known = self._desk.acknowledge(incident, self._manner())
        self._after(made)
        return known

    # --- what is known -----------------------------------------------------------------------------------------------

    def open_incidents(self) -> list[Incident]:
        """Return the incidents that are open, newest first; quick."""
        return self._desk.open_incidents()

    def incidents(self, limit: int = 200) -> list[Incident]:
        """Return incidents, newest first. Raises ``StoreError``."""
        with self._outbox.looking() as db:
            return register.newest(db, limit)

    def letters(self, limit: int = 200) -> list[Told]:
        """Return the alert mails that were made, newest first. Raises ``StoreError``."""
        with self._outbox.looking() as db:
            return register.letters(db, limit)

    def folded(self, incident: int, letter: int | None = None) -> Folded | None:
        """Return what a mail (its ``number``) tells, or an incident in all; None where there is nothing.

        Letter 0 is what was not told yet. Raises ``StoreError``.
        """
        with self._outbox.looking() as db:
            return register.folded(db, incident, letter)

    def held(self) -> int:
        """Return how many matched events wait for a digest; quick."""
        return self._desk.held()

    def last_critical(self) -> Incident | None:
        """Return the newest incident of severity critical, None where there is none. Raises ``StoreError``."""
        with self._outbox.looking() as db:
            return next(iter(register.newest(db, 1, severity=Severity.CRITICAL)), None)

    def unacknowledged(self) -> int:
        """Return how many incidents of severity high and above, open or of the last day, nobody acknowledged."""
        with self._outbox.looking() as db:
            return register.unacknowledged(db, self._clock() - _RECENT)

    def matched(self, days: int = 7) -> dict[Rule, Matched]:
        """Return for each of the four rules what it matched, or would have, in the last days; {} is not known yet.

        Each is counted as if it alone were switched on, with the rest of the settings as they are. It may take seconds;
        what was counted in the last minute is known at once.
        """
        manner, now = self._manner(), self._clock()
        return self._forecast.matched(self._store(), manner.settings.alerts, manner.zone, now, days=days)

    def rehearse(
        self,
        since: datetime,
        until: datetime,
        settings: Alerts | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
        stop: threading.Event | None = None,
    ) -> Rehearsal:
        """Return what rules (those in force where None) would have made of stored events. Raises ``StoreError``."""
        from vxtray.core.alerts.rehearsal import rehearse_stored

        manner = self._manner()
        recipients = (settings.recipients if settings else ()) or manner.settings.alert_recipients
        made = rehearse_stored(
            self._store(),
            [settings or manner.settings.alerts],
            manner.zone,
            since,
            until,
            recipients=recipients,
            progress=progress,
            stop=stop or self._stopping,
        )
        return made[0] if made else Rehearsal(since=since, until=until, recipients=recipients)


def _raised(alerts: Sequence[Alert], now: datetime) -> AlertsRaised:
    gravest = max(alerts, key=lambda alert: alert.event.severity.rank)
    event = gravest.event
    return AlertsRaised(
        at=now,
        count=len(alerts),
        critical=sum(alert.rule is Rule.CRITICAL for alert in alerts),
        title=one_line(said(event), _TITLE),
        source=one_line(event.src_ip, _TITLE),
        severity=event.severity,
        seq=max(event.seq, 0),  # another program's events have none here
        rules=tuple(dict.fromkeys(rule for alert in alerts for rule in alert.matched)),
        event=event,
    )
