"""The engine: owns the background threads and the stores, and does what window, tray and commands ask for.

Every public method may be called from any thread and blocks for as long as its work takes; the window calls them
through ``Bridge.run``. ``start`` adds the threads: ``vx-outbox`` sends what is due, APScheduler's worker asks which
reports are due. Without ``start`` the same object serves one command that found no program running.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from vxtray.core.alertroom import AlertRoom
from vxtray.core.credentials import CredentialStore
from vxtray.core.diary import Diary
from vxtray.core.errors import NotConfigured, StoreError, VxtrayError
from vxtray.core.events import SecurityEvent
from vxtray.core.health import SourceHealth
from vxtray.core.importing import Importing
from vxtray.core.intake import Intake
from vxtray.core.mail.keeping import Keeper
from vxtray.core.mail.outbox import Entry, Outbox
from vxtray.core.notices import EventsStored, Publish
from vxtray.core.paths import Profile
from vxtray.core.postroom import PostRoom, Waiting
from vxtray.core.reports.desk import ReportDesk
from vxtray.core.reports.period import Cadence, Period, machine_zone
from vxtray.core.schedule import Schedule
from vxtray.core.settings.tree import Settings, Smtp
from vxtray.core.store import EventStore
from vxtray.core.store.committing import LineOf
from vxtray.core.storeroom import StoreRoom
from vxtray.core.supervision import Workers
from vxtray.core.troubles import Trouble, TroubleBoard
from vxtray.core.watching import Watch

if TYPE_CHECKING:
    from vxtray.core.mail.oauth.tokens import TokenKeeper
    from vxtray.core.reports.making import Made
    from vxtray.core.sources import Wanted
    from vxtray.core.sources.importer import ImportResult  # heavy, with all parsers: loaded with the first file

log = logging.getLogger(__name__)

#: How often, while events are stored, it is looked whether lines were lost.
_COUNT_SECONDS = 2.0


def utc_now() -> datetime:
    """Return the wall clock, aware."""
    return datetime.now(UTC)


class Service:
    """All that works in the background, behind one handle."""

    def __init__(
        self,
        profile: Profile,
        settings: Settings,
        credentials: CredentialStore,
        publish: Publish,
        *,
        saved_at: Callable[[], float] | None = None,
        keeper: Keeper | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Open the outbox. The caller holds the profile's lock, and may have a ``keeper``. Raises ``StoreError``."""
        self.profile = profile
        self.settings = settings
        self.credentials = credentials
        self._keeper = keeper or Keeper(credentials, profile.state, clock)
        self.clock = clock
        self.outbox = Outbox(profile.outbox_file)
        if found := self.outbox.recover():  # the profile's lock is held, so nobody else is sending them
            log.info("%d mails were being sent when vxtray last ended; they are sent again", found)
        self._publish = publish
        self._saved_at = saved_at or (lambda: clock().timestamp())
        self._board = TroubleBoard(publish, clock)
        self.workers = Workers(self._board.put)
        self.room = StoreRoom(
            profile, lambda: self.settings, credentials, self.outbox, self._store_opened, self._board.put
        )
        self._post = PostRoom(
            self.outbox, settings.smtp, credentials, self._board, publish, clock, self.workers, keeper=self._keeper
        )
        self._diary = Diary(self.outbox, clock)
        self.alerts = AlertRoom(
            self.outbox,
            self.store,
            lambda: self.settings,
            self._board.put,
            publish,
            clock,
            self.workers,
            queue_changed=self._post.queue_changed,
        )
        self._reports = ReportDesk(self.outbox, self.store, clock)
        self._intake = Intake(
            self.room,
            self._committed,
            self._board.put,
            lambda: machine_zone().key,
            clock,
            self.workers,
            self.room.steady,
        )
        self._stopping = threading.Event()
        self._importing = Importing(self.room, self._committed, self._stored, self._stopping, self.room.steady)
        self._schedule: Schedule | None = None
        self._watch = Watch(self.outbox, self._board, self._folders, self.sources, self._wanted_names, clock)
        self._counting = threading.Lock()
        self._counted = 0.0

    # --- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to send and to watch the clock. Faults after this are told as notices, never raised."""
        self._diary.started(self.settings)
        self.room.start()
        self._post.start()
        self._schedule = Schedule(self._tick, self.workers)
        self._schedule.start()
        self.alerts.start()
        self._intake.start(self._forget_removed)
        self._intake.run(self._wanted_sources())

    def apply(self, settings: Settings) -> None:
        """Take over new settings at once. Never raises: what the disk refuses is told on the board."""
        mail_changed = settings.smtp != self.settings.smtp
        sources_changed = settings.sources != self.settings.sources
        self.settings = settings
        self._diary.settings(settings)
        if mail_changed:
            self._post.apply(settings.smtp)
        if sources_changed and self._schedule is not None:
            self._intake.run(self._wanted_sources())
        if self._schedule is not None:
            self._schedule.wake()

    def stop(self) -> None:
        """End the threads (the mail in hand is finished) and close the stores; at most ten seconds."""
        self._stopping.set()
        self._post.end()
        self.alerts.stop()
        if self._schedule is not None:
            self._schedule.stop()
            self._intake.stop()
            with contextlib.suppress(StoreError):  # a full disk, which was told
                self._note_lost(at_once=True)
                self._reports.rest()
        self._post.stop()
        self._keeper.close()
        self.room.close()
        if self._schedule is not None:
            self._diary.stopped()
            self._schedule = None
        self.outbox.close()

    def time_leapt(self) -> None:
        """The computer slept, or its clock was set: look at once for what is due."""
        self._post.look_again()
        if self._schedule is not None:
            self._schedule.wake()

    def cut_off(self) -> None:
        """While ``stop`` waits for the mail server: give the mail in hand up, it stays in the queue."""
        self._post.cut_off()

    # --- events ------------------------------------------------------------------------------------------------------

    def store(self) -> EventStore:
        """Return the event store, opened on first use; a damaged one is set aside and told. Raises ``StoreError``."""
        return self.room()

    def _store_opened(self, store: EventStore, file: Path) -> None:
        self.alerts.begin(store)
        self._reports.losses.look_beside(file)
        self.watch_set_aside()

    def watch_set_aside(self) -> None:
        """Tell of a damaged store that was set aside, until a person or a report took note. Raises ``StoreError``."""
        self._board.put("set-aside", self._reports.losses.trouble())

    def dismiss_set_aside(self) -> None:
        """Take note of the damaged stores that were set aside. Raises ``StoreError``."""
        self._reports.losses.dismiss()
        self.watch_set_aside()

    def _note_lost(self, *, at_once: bool) -> None:
        """Keep in mind which lines were lost, for the reports; while events are stored, every few seconds."""
        with self._counting:
            if at_once or time.monotonic() - self._counted > _COUNT_SECONDS:
                self._counted = time.monotonic()
                self._reports.losses.lost(self._intake.lost())

    def import_files(
        self,
        paths: Sequence[str | Path],
        *,
        format: str = "auto",  # noqa: A002 - the option's name
        zone: str = "",
        alerts: bool = False,
        progress: Callable[[int, int], None] | None = None,
        rejected: Callable[[str, int, str], None] | None = None,
        stdin: BinaryIO | None = None,
    ) -> "ImportResult":
        """Read log files into the store, each line once. Raises ``LogFileError``, ``StoreError``."""
        return self._importing.run(
            paths,
            self.settings.reports,
            format=format,
            zone=zone,
            alerts=alerts,
            progress=progress,
            rejected=rejected,
            stdin=stdin,
        )

    def _committed(
        self, first_seq: int, events: list[SecurityEvent], alerts: bool, lines: LineOf | None = None
    ) -> None:
        """Raise the alerts of events just stored; runs on ``vx-store``. Raises ``StoreError``."""
        queued = self.alerts.committed(first_seq, events, alerts=alerts, lines=lines)
        self._stored(len(events), queued)
        self._note_lost(at_once=False)

    def _stored(self, events: int, alerts: int = 0) -> None:
        if events:
            self._publish(EventsStored(at=self.clock(), events=events, alerts=alerts))

    def _wanted_sources(self) -> "list[Wanted]":
        from vxtray.core.sources.choice import wanted_sources

        return wanted_sources(
            self.settings.sources,
            lambda key: self.store().position(key),
            lambda prefix: self.store().positions(prefix),
            self.credentials.get,
        )

    def _forget_removed(self) -> None:
        """Forget since when files were followed that the settings, changed meanwhile, name no more."""
        if self.room.file.exists():
            from vxtray.core.sources.known import FOLLOWING

            self.store().forget(FOLLOWING, [source.marker for source in self._wanted_sources()])

    def _wanted_names(self) -> list[str]:
        return [source.name for source in self._wanted_sources()]

    def _folders(self) -> tuple[Path, Path]:
        """Return where mails and events are written."""
        return self.profile.state, self.room.file.resolve().parent

    def sources(self) -> list[SourceHealth]:
        """Return what is known of each source that runs."""
        return self._intake.health()

    def pause_alerts(self, duration: timedelta, *, everything: bool = False) -> datetime:
        """Hold alert mails for a while and return until when; what is held is told afterwards."""
        return self.alerts.pause(self.clock() + duration, everything=everything).until

    def resume_alerts(self) -> int:
        """End the pause and return how many held events are told now."""
        return self.alerts.resume()

    def paused_until(self) -> datetime | None:
        """Return until when alerts are held, None where they are not."""
        pause = self.alerts.paused()
        return pause.until if pause else None

    # --- reports -----------------------------------------------------------------------------------------------------

    def make_report(self, what: Cadence | Period, day: date | None = None) -> "Made":
        """Build a report without sending it. Raises ``StoreError``."""
        return self._reports.make(what, self.settings, day=day)

    def report_mail(self, made: "Made", recipients: tuple[str, ...] = ()) -> bytes:
        """Return the message as it would be sent. Raises ``NotConfigured``."""
        return self._reports.message(made, self.settings, recipients)

    def send_report(self, what: "Cadence | Made", day: date | None = None, recipients: tuple[str, ...] = ()) -> str:
        """Queue a report now and return its subject. Raises ``NotConfigured``, ``StoreError``."""
        if not self.settings.smtp.configured or not (recipients or self.settings.report_recipients):
            raise NotConfigured
        subject = self._reports.queue(what, self.settings, day=day, recipients=recipients)
        self._post.queue_changed()
        return subject

    def next_reports(self) -> dict[Cadence, datetime | None]:
        """Return when the next report of each kind leaves."""
        return self._reports.next_reports(self.settings)

    def _tick(self) -> None:
        """Ask what is due; runs on the scheduler's worker, which must survive any fault."""
        self._board.attempt("reports", self.room.renew, self._look_after, self._queue_due, self._keep_store)
        self._post.wake()

    def _look_after(self) -> None:
        self._watch.look(self.settings, self.alerts.conditions_changed)
        self.alerts.watch(self.clock())
        self._post.watch_undelivered()
        self._intake.look_after()
        self._note_lost(at_once=True)
        self.watch_set_aside()

    def _queue_due(self) -> None:
        saved_at = datetime.fromtimestamp(self._saved_at(), UTC)
        with self.room.awaited():
            if self._reports.queue_due(self.settings, saved_at, lambda: not self._stopping.is_set()):
                self._post.queue_changed()

    def _keep_store(self) -> None:
        if self.room.may_hold_events:
            with self.room.steady():
                self.alerts.catch_up()  # what a crash left between storing and alerting
            self.room.watch()
            with self.room.awaited(), self.room.steady():
                self.alerts.catch_up_others()
            with self.room.awaited():
                self.room.keep_within(self.clock())

    # --- mail --------------------------------------------------------------------------------------------------------

    @property
    def sending(self) -> bool:
        """True while mails are being handed to the server."""
        return self._post.sending

    def send_waiting(self) -> int:
        """Try every mail that is due, on this thread; return how many were accepted. Raises ``StoreError``."""
        return self._post.send_waiting()

    def mail_mended(self, secret: str = "", user: str = "") -> None:
        """Try the mail server again now: ``secret`` (of ``user``) was changed, or a person wants it.

        Raises ``StoreError``.
        """
        self._post.mended(secret, user)

    @property
    def tokens(self) -> "TokenKeeper":
        """The process's one keeper of access tokens."""
        return self._keeper()

    def sign_out(self, smtp: Smtp) -> bool:
        """End a sign-in; True where the provider was told. Raises ``CredentialError``, ``MailError``."""
        return self._post.sign_out(smtp)

    def mail_proven(self, smtp: Smtp) -> None:
        """Remember that a test e-mail was accepted with these settings. Raises ``StoreError``."""
        self._post.proven(smtp)

    def proven_at(self) -> datetime | None:
        """Return when a mail was last accepted with the server and user in force, None where that is not known."""
        return self._post.proven_at()

    def retry_mail(self, mail: int) -> None:
        """Try a mail again now. Raises ``UsageError``."""
        self._post.retry(mail)

    def resend_mail(self, mail: int) -> int:
        """Queue the content of a settled mail once more, as a mail of its own; return it. Raises ``UsageError``."""
        return self._post.resend(mail)

    def mail_waiting(self) -> Waiting | None:
        """Return why queued mails do not leave now, None where nothing keeps them. Raises ``StoreError``."""
        return self._post.waiting()

    def cancel_mail(self, mail: int) -> None:
        """Take a mail out of the queue, or take note that it was not delivered. Raises ``UsageError``."""
        self._post.cancel(mail)

    def restore_mail(self, was: Entry) -> None:
        """Undo ``cancel_mail``: ``was`` is the mail as it stood before. Raises ``UsageError``."""
        self._post.restore(was)

    def dismiss_undelivered(self) -> None:
        """Take note of every mail that was not delivered."""
        self._post.dismiss_undelivered()

    def watch_undelivered(self) -> None:
        """Look whether mails were given up or cannot leave, and tell of them."""
        self._post.watch_undelivered()
        self._post.review_hold()

    # --- trouble -----------------------------------------------------------------------------------------------------

    def troubles(self) -> list[Trouble]:
        """Return what needs attention, oldest first."""
        return self._board.troubles()

    def set_trouble(self, what: str, error: VxtrayError | None) -> None:
        """Say from outside that something needs attention (the settings file), or no longer."""
        self._board.put(what, error)
