"""From "it is Monday 08:00" to a mail in the outbox: which reports are due, made and queued, each exactly once.

Runs on the ``vx-report`` worker, or in a command. The period is settled in the same transaction that queues its mail,
so no crash sends a report twice or forgets one.
"""

import contextlib
import ipaddress
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from vxtray.core.errors import StoreError
from vxtray.core.mail import network
from vxtray.core.mail.outbox import Outbox, State
from vxtray.core.reports.absences import AbsenceBook, Why, not_sent, of_hold, since_boot
from vxtray.core.reports.build import Report, build_report, mail_health
from vxtray.core.reports.language import mail_language
from vxtray.core.reports.ledger import PeriodLedger, Standing
from vxtray.core.reports.losses import LossLedger
from vxtray.core.reports.period import (
    Cadence,
    Due,
    Period,
    due_periods,
    last_complete,
    named_by,
    next_occurrence,
    period_containing,
    previous,
    report_zone,
)
from vxtray.core.settings.tree import Reports, Settings
from vxtray.core.store import EventStore

if TYPE_CHECKING:
    from vxtray.core.mail.message import Mail
    from vxtray.core.reports.making import Made
    from vxtray.core.reports.paper import Paper
    from vxtray.core.reports.rendering import Documents

#: A report that leaves later than this after its time says why.
_LATE = timedelta(minutes=15)

#: A report of the past waits so long for a network. Logs come by it, too, so the figures would lack what is on its
#: way; but a mail server may stand in a network that leads nowhere else, and waiting for ever would lose the report.
_NETWORK_PATIENCE = timedelta(minutes=5)
#: From here on after its time a report is one of the past.
_PAST = timedelta(minutes=2)

#: A clock that shows less was not set yet: this program is younger.
_CLOCK_WORKS = datetime(2026, 11, 1, tzinfo=UTC)


def _always() -> bool:
    return True


class ReportDesk:
    """Makes reports from the store and puts them into the outbox."""

    def __init__(
        self,
        outbox: Outbox,
        store: Callable[[], EventStore],
        clock: Callable[[], datetime],
        *,
        default_route: Callable[[], bool] = network.default_route,
        boot_clock: Callable[[], float | None] = since_boot,
        draw: "Callable[[Paper], Documents] | None" = None,
    ) -> None:
        self._outbox = outbox
        self._store = store
        self._clock = clock
        self._default_route = default_route
        self._draw = draw
        self._ledger = PeriodLedger(outbox)
        self._absences = AbsenceBook(outbox, boot_clock)
        self._offline_since: datetime | None = None
        self.losses = LossLedger(outbox, clock)

    def make(self, what: Cadence | Period, settings: Settings, *, day: date | None = None) -> "Made":
        """Build the report of a period; of a cadence's one that holds ``day``, else of its last complete one.

        Raises ``StoreError``.
        """
        from vxtray.core.reports.making import made_of

        if isinstance(what, Period):
            return made_of(self._report(what, settings), settings, self._draw)
        zone = report_zone(settings.reports)
        period = period_containing(what, day, zone) if day else last_complete(what, self._clock(), zone)
        return made_of(self._report(period, settings), settings, self._draw)

    def queue(
        self, what: "Cadence | Made", settings: Settings, *, day: date | None = None, recipients: tuple[str, ...] = ()
    ) -> str:
        """Queue a report that a person asked for, beside any scheduled one, and return its subject.

        One that is made already goes out as it is. Raises ``NotConfigured``, ``StoreError``.
        """
        from vxtray.core.mail.posting import outgoing

        now = self._clock()
        made = self.make(Cadence(what), settings, day=day) if isinstance(what, str) else what
        mail = self.mail(made, settings, recipients)
        self._outbox.add(outgoing(f"asked:{made.report.period.key}:{now.isoformat()}", "report", mail), now)
        return mail.subject

    def mail(self, made: "Made", settings: Settings, recipients: tuple[str, ...] = ()) -> "Mail":
        """Return the message that ``queue`` would put into the outbox. Raises ``NotConfigured``."""
        from vxtray.core.mail.posting import mail_of

        people = recipients or settings.report_recipients
        return mail_of(made.document, settings.smtp, people, self._clock(), made.attached)

    def message(self, made: "Made", settings: Settings, recipients: tuple[str, ...] = ()) -> bytes:
        """Return the bytes of that message. Raises ``NotConfigured``."""
        from vxtray.core.mail.message import compose

        return compose(self.mail(made, settings, recipients))

    def queue_due(self, settings: Settings, saved_at: datetime, go_on: Callable[[], bool] = _always) -> int:
        """Queue every report that is due and settle what was missed; return how many were queued.

        ``saved_at`` is when the settings were last saved: a schedule that was switched on while the program did not
        run counts from then. ``go_on`` is asked before each report. Nothing is made while no mail can leave: a report
        that only lay in the queue would not know what came meanwhile, and with ``catch_up`` "last" not be wanted any
        more. Raises ``StoreError``.
        """
        now, reports = self._clock(), settings.reports
        if now < _CLOCK_WORKS:
            return 0
        zone, first_seen = report_zone(reports), min(now, saved_at)
        self._ledger.switch(reports, first_seen, now)
        self._absences.tick(now, first_seen, _schedules(reports, zone))
        self._ledger.reopen(now, zone)
        standing = self._ledger.standing()
        due, missed = due_periods(reports, standing, now, zone)
        obstacle = self._obstacle(settings, now, past=any(now - item.scheduled_at > _PAST for item in due))
        if obstacle is not None:
            self._absences.note(obstacle, now)
            return 0
        try:
            self._take_up_expired(reports, due, now, zone)
            return self._queue(settings, standing, due, missed, go_on)
        except Exception:
            with contextlib.suppress(StoreError):
                self._absences.note(Why.FAULT, now)
            raise
        finally:
            with contextlib.suppress(StoreError):
                self._absences.passed(self._clock())

    def rest(self) -> None:
        """Keep when the program ended, for the reports that it misses. Raises ``StoreError``."""
        self._absences.rest(self._clock())

    def next_reports(self, settings: Settings) -> dict[Cadence, datetime | None]:
        """Return when the next report of each kind leaves (aware, in the zone of the reports), None where off."""
        zone, now = report_zone(settings.reports), self._clock()
        standing = self._ledger.standing()
        return {cadence: next_occurrence(cadence, settings.reports, now, zone, standing) for cadence in Cadence}

    # --- what is due -------------------------------------------------------------------------------------------------

    def _queue(
        self,
        settings: Settings,
        standing: Standing,
        due: Sequence[Due],
        missed: Sequence[Due],
        go_on: Callable[[], bool],
    ) -> int:
        queued = 0
        for item in due:
            from vxtray.core.mail.posting import outgoing  # only now: each minute nothing is due
            from vxtray.core.reports.making import made_of

            if not go_on():
                return queued
            period, now = item.period, self._clock()
            absent = [one.period for one in missed if one.period.cadence is period.cadence]
            late_reason, remarks = self._remarks(item, absent, settings, now)
            report = self._report(period, settings)
            made = made_of(
                report, settings, self._draw, on_time=not late_reason, late_reason=late_reason, remarks=remarks
            )
            mail = outgoing(period.key, "report", self.mail(made, settings))
            self._ledger.send(mail, period, absent, standing, now, self.losses.told_by(made.report))
            queued += 1
        for cadence in Cadence:
            absent = [one.period for one in missed if one.period.cadence is cadence]
            if absent and not any(item.period.cadence is cadence for item in due):
                self._ledger.skip(cadence, absent, standing, self._clock())
        return queued

    def _remarks(
        self, item: Due, absent: Sequence[Period], settings: Settings, now: datetime
    ) -> tuple[str, tuple[str, ...]]:
        """Return why a report comes late, and which ones before it were not sent, in the reader's words."""
        from vxtray.core.mail.render import Reader

        period = item.period
        reader = Reader(language=mail_language(settings.reports.language, settings), zone=period.zone)
        late = now - item.scheduled_at > _LATE
        reason = self._absences.reason(period.cadence, item.scheduled_at, reader) if late else ""
        skipped = {one.key: one for one in absent}
        for key in self._ledger.unnamed(period.cadence):
            if (one := named_by(key, period.zone)) is not None and key != period.key:
                skipped[key] = one
        return reason, (not_sent(list(skipped.values()), reader),) if skipped else ()

    def _obstacle(self, settings: Settings, now: datetime, *, past: bool) -> Why | None:
        """Return what keeps mail from leaving now, None where nothing is known to."""
        if not settings.smtp.configured or not settings.report_recipients or not settings.store.send:
            return Why.UNREADY
        hold = self._outbox.hold()
        # Once its time is over a mail of the queue tries whether it still holds; a report must not be the one.
        if hold is not None and (hold.in_force(now) or self._outbox.counts()["queued"]):
            return of_hold(hold)
        if _is_here(settings.smtp.host) or self._default_route():
            self._offline_since = None
            return None
        if self._offline_since is None or now < self._offline_since:
            self._offline_since = now
        return Why.NETWORK if past and now - self._offline_since < _NETWORK_PATIENCE else None

    def _take_up_expired(self, reports: Reports, due: Sequence[Due], now: datetime, zone: ZoneInfo) -> None:
        """Send again what was given up because the mail server was away too long, or let a newer report stand for it.

        A person's own wishes, and what was given up for another reason, stay as they are.
        """
        for entry in self._outbox.search(states={State.EXPIRED}, limit=1000):
            period = named_by(entry.key, zone)
            if period is None or not self._absences.mail_was_away(datetime.fromisoformat(entry.settled_at)):
                continue
            if reports.catch_up == "last" and _has_newer(period, due):
                self._ledger.never_arrived(period)  # first: a crash then does it once more
                self._outbox.cancel(entry.id, now)
            else:
                self._outbox.retry(entry.id, now)

    # --- making ------------------------------------------------------------------------------------------------------

    def _report(self, period: Period, settings: Settings) -> Report:
        store = self._store()
        by_day = period.cadence is not Cadence.DAILY
        silent = timedelta(minutes=settings.sources.silent_minutes)
        summary = store.summarize(period.start, period.end, by_day=by_day, silent=silent, now=self._clock())
        before = previous(period)
        totals = store.totals(before.start, before.end)
        return build_report(
            period,
            summary,
            totals,
            made_at=self._clock(),
            gaps=self.losses.gaps(),
            set_aside=self.losses.stores(),
            mail=mail_health(self._outbox.settled(period.start, period.end)),
        )


def _schedules(reports: Reports, zone: ZoneInfo) -> dict[str, str]:
    """Return each schedule as a text that is another one when it was changed."""
    kinds = {Cadence.DAILY: reports.daily, Cadence.WEEKLY: reports.weekly, Cadence.MONTHLY: reports.monthly}
    return {str(cadence): f"{msgspec.json.encode(kind).decode()} {zone.key}" for cadence, kind in kinds.items()}


def _has_newer(period: Period, due: Sequence[Due]) -> bool:
    return any(item.period.cadence is period.cadence and item.period.first > period.first for item in due)


def _is_here(host: str) -> bool:
    """Return whether a mail server stands on this very computer, so that no network is needed."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host.lower() == "localhost"
