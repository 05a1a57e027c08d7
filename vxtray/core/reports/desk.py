"""From "it is Monday 08:00" to a mail in the outbox: which reports are due, made and queued, each exactly once.

Runs on the ``vx-report`` worker, or in a command. The period is settled in the same transaction that queues its mail,
so no crash sends a report twice or forgets one.
"""

import socket
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta

import msgspec

from vxtray import __version__
from vxtray.core import texts
from vxtray.core.errors import N_
from vxtray.core.mail.message import Mail
from vxtray.core.mail.outbox import Outbox
from vxtray.core.mail.posting import mail_of, outgoing
from vxtray.core.mail.render import Document
from vxtray.core.reports.build import Report, build_report
from vxtray.core.reports.document import report_document
from vxtray.core.reports.period import (
    Cadence,
    Period,
    due_periods,
    enabled,
    last_complete,
    next_occurrence,
    period_containing,
    previous,
    report_zone,
)
from vxtray.core.settings.tree import Settings
from vxtray.core.store import EventStore, Totals

#: A report that leaves later than this after its time says why.
_LATE = timedelta(minutes=15)
_WHY_LATE = N_("at the time set, vxtray was not running or not set up, or this computer was asleep or offline")


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A report with its words."""

    report: Report
    document: Document


class _Ledger(msgspec.Struct, frozen=True):
    since: Mapping[Cadence, datetime]
    done: frozenset[str]


class ReportDesk:
    """Makes reports from the store and puts them into the outbox."""

    def __init__(self, outbox: Outbox, store: Callable[[], EventStore], clock: Callable[[], datetime]) -> None:
        self._outbox = outbox
        self._store = store
        self._clock = clock

    def make(self, cadence: Cadence, settings: Settings, *, day: date | None = None) -> Made:
        """Build the report of the period that holds ``day``, else of the last complete one. Raises ``StoreError``."""
        zone = report_zone(settings.reports)
        period = period_containing(cadence, day, zone) if day else last_complete(cadence, self._clock(), zone)
        return self._made(period, settings)

    def queue(
        self, cadence: Cadence, settings: Settings, *, day: date | None = None, recipients: tuple[str, ...] = ()
    ) -> str:
        """Queue a report that a person asked for, beside any scheduled one, and return its subject.

        Raises ``NotConfigured``, ``StoreError``.
        """
        now = self._clock()
        made = self.make(cadence, settings, day=day)
        mail = self.mail(made, settings, recipients)
        self._outbox.add(outgoing(f"asked:{made.report.period.key}:{now.isoformat()}", "report", mail), now)
        return mail.subject

    def mail(self, made: Made, settings: Settings, recipients: tuple[str, ...] = ()) -> Mail:
        """Return the message that ``queue`` would put into the outbox. Raises ``NotConfigured``."""
        return mail_of(made.document, settings.smtp, recipients or settings.report_recipients, self._clock())

    def queue_due(self, settings: Settings, saved_at: datetime) -> int:
        """Queue every report that is due and settle what was missed; return how many were queued.

        ``saved_at`` is when the settings were last saved: a schedule that was switched on while the program did not
        run counts from then.
        """
        now = self._clock()
        since = self._since(settings, min(now, saved_at))
        if not settings.smtp.configured or not settings.report_recipients or not settings.store.send:
            return 0
        ledger = _Ledger(since, self._outbox.settled_periods())
        due, missed = due_periods(settings.reports, ledger, now, report_zone(settings.reports))
        for item in missed:
            self._outbox.settle_period(item.period.key, "skipped", now)
        for item in due:
            late = _WHY_LATE if now - item.scheduled_at > _LATE else ""
            mail = self.mail(self._made(item.period, settings, late), settings)
            key = item.period.key
            self._outbox.add_all([outgoing(key, "report", mail)], now, period=(key, "queued"))
        return len(due)

    def next_reports(self, settings: Settings) -> dict[Cadence, datetime | None]:
        """Return when the next report of each kind leaves (aware, in the zone of the reports), None where off."""
        done, zone, now = self._outbox.settled_periods(), report_zone(settings.reports), self._clock()
        return {cadence: next_occurrence(cadence, settings.reports, now, zone, done=done) for cadence in Cadence}

    def _made(self, period: Period, settings: Settings, late_reason: str = "") -> Made:
        store = self._store()
        by_day = period.cadence is not Cadence.DAILY
        summary = store.summarize(period.start, period.end, by_day=by_day)
        before = previous(period)
        totals: Totals = store.summarize(before.start, before.end, by_day=by_day).totals
        report = build_report(period, summary, totals, made_at=self._clock())
        document = report_document(
            report,
            mail_language(settings.reports.language, settings),
            late_reason=late_reason,
            host=socket.gethostname(),
            version=__version__,
            defang=settings.general.defang,
            mask_internal=settings.general.mask_internal,
        )
        return Made(report=report, document=document)

    def _since(self, settings: Settings, first_seen: datetime) -> dict[Cadence, datetime]:
        """Return since when each report is switched on, remembering what is new and forgetting what is off."""
        known: dict[Cadence, datetime] = {}
        for cadence in Cadence:
            fact = self._outbox.fact(f"since:{cadence}")
            if not enabled(cadence, settings.reports):
                if fact:
                    self._outbox.set_fact(f"since:{cadence}", "")
                continue
            if not fact:
                fact = first_seen.isoformat()
                self._outbox.set_fact(f"since:{cadence}", fact)
            known[cadence] = datetime.fromisoformat(fact)
        return known


def mail_language(wanted: str, settings: Settings) -> str:
    """Return the language of a mail: its own setting, else the program's."""
    return texts.resolve(wanted if wanted != "auto" else settings.general.language)
