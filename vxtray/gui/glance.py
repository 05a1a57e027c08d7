"""How everything stands, as the tray, its menu and the overview show it.

GUI thread only; what alerts and mails there are is asked on ``vx-read``, and pages take it from here: what the window's
thread asked of the file of mails itself could wait there for a thread that is short of time.
Whatever the engine tells is shown 150 ms later at the latest, and looked at again every half a minute.
"""

import math
import textwrap
import time
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from vxtray.core import texts
from vxtray.core.alerts.incidents import Incident, Shape
from vxtray.core.alerts.wording import whereabouts
from vxtray.core.errors import VxtrayError
from vxtray.core.events import Severity
from vxtray.core.mail.faults import ConnectError, Kind
from vxtray.core.mail.outbox import Entry
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import Reader
from vxtray.core.mail.verdicts import NO_NETWORK
from vxtray.core.notices import AlertsRaised, EventsStored
from vxtray.core.reports.period import Cadence, machine_zone
from vxtray.core.settings.tree import Smtp
from vxtray.core.texts import N_, _, plural
from vxtray.core.troubles import Trouble
from vxtray.gui.context import Context
from vxtray.gui.following import follow
from vxtray.gui.icons import TrayState
from vxtray.gui.steady import Sight, Steady

if TYPE_CHECKING:
    from vxtray.core.postroom import Waiting
    from vxtray.core.service import Service

#: Events may be stored fifty times a second; what is told meanwhile is shown at once.
_NEWS_MS = 150
_REFRESH_MS = 30_000
_AGAIN_MS = 1_000

#: More than the mails of a day, by the usual cap.
_LETTERS = 500

#: Characters, in a menu, of what was critical, of that with its place, and of a subject.
_TITLE, _PLACE, _SUBJECT = 36, 60, 40

#: Troubles that want a look while everything goes on: the first word of ``Trouble.what``.
_MINOR = frozenset({"silent", "disk", "set-aside", "salvaged", "control", "folder"})

_CADENCES = {Cadence.DAILY: N_("daily"), Cadence.WEEKLY: N_("weekly"), Cadence.MONTHLY: N_("monthly")}


class AlertsNow(msgspec.Struct, frozen=True):
    """What is known of alerts: how many wait for a person, storms that go on, how many events are held.

    ``mails_today`` were made since midnight on this machine's clock, and told ``events_today``.
    """

    unacknowledged: int = 0
    storms: tuple[Incident, ...] = ()
    held: int = 0
    last_critical: Incident | None = None
    mails_today: int = 0
    events_today: int = 0


class MailNow(msgspec.Struct, frozen=True):
    """What is known of mail: the reports to come, the mail that was settled last, how many wait and were given up.

    ``proven_at`` is when the server of ``smtp`` last accepted one; ``waiting`` is why those that wait do.
    """

    next_reports: dict[Cadence, datetime] = {}  # without those that are off
    last: Entry | None = None
    queued: int = 0
    held: int = 0
    failed: int = 0
    proven_at: datetime | None = None
    waiting: "Waiting | None" = None
    smtp: Smtp | None = None


class _Known(msgspec.Struct, frozen=True):
    alerts: AlertsNow
    mail: MailNow


def _ask(service: "Service") -> _Known:
    alerts, outbox = service.alerts, service.outbox
    storms = tuple(one for one in alerts.open_incidents() if one.shape in {Shape.STORM, Shape.WIDE})
    midnight = service.clock().astimezone(machine_zone()).replace(hour=0, minute=0, second=0, microsecond=0)
    today = [letter for letter in alerts.letters(_LETTERS) if letter.at >= midnight]
    counts, smtp = outbox.counts(), service.settings.smtp
    return _Known(
        AlertsNow(
            alerts.unacknowledged(),
            storms,
            alerts.held(),
            alerts.last_critical(),
            len(today),
            sum(letter.events for letter in today),
        ),
        MailNow(
            {cadence: moment for cadence, moment in service.next_reports().items() if moment is not None},
            outbox.last_settled(),
            counts["queued"],
            counts["held"],
            counts["failed"],
            service.proven_at(),
            service.mail_waiting() if counts["queued"] else None,
            smtp,
        ),
    )


class Glance(QObject):
    """The state: ``shape`` and ``words`` for the tray; ``alerts`` and ``mail`` as last known, once ``asked``.

    ``beneath`` is what is wrong with vxtray itself while alerts come first, else "".

    Signals: ``changed()`` when any of it may have.
    """

    changed = Signal()

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.shape, self.words, self.beneath = TrayState.OFFLINE, "", ""
        self.alerts, self.mail, self.asked = AlertsNow(), MailNow(), False
        self._trying = 0
        self._unnoted = 0  # alerts that made no incident, since no mail can tell them
        self.steady = Steady()
        self._stale = True
        self._looking = False
        self._stopped = False
        self._soon = QTimer(self, singleShot=True, interval=_NEWS_MS)
        self._soon.timeout.connect(self._look)
        self._settling = QTimer(self, singleShot=True)
        self._settling.timeout.connect(self.refresh)
        self._refreshing = QTimer(self, interval=_REFRESH_MS)
        self._refreshing.timeout.connect(self.look_again)
        self._refreshing.start()
        context.bridge.noticed.connect(self._noticed)
        follow(self, context.model, lambda _change: self.look_again())
        self.refresh()
        self._soon.start(0)

    @Slot(object)
    def _noticed(self, notice: object) -> None:
        match notice:
            case AlertsRaised(severity=severity, count=count):
                self._stale = True
                if severity.rank >= Severity.HIGH.rank and not self._context.service.settings.ready:
                    self._unnoted += count
            case EventsStored():
                pass  # what matters of them is told by itself
            case _:
                self._stale = True
        if not self._soon.isActive() and not self._stopped:
            self._soon.start(_NEWS_MS)

    @Slot()
    def look_again(self) -> None:
        """Ask for everything anew."""
        self._stale = True
        self._look()

    @Slot()
    def _look(self) -> None:
        self.refresh()
        if not self._stale or self._looking:
            return
        self._stale, self._looking = False, True
        service = self._context.service

        def done(known: _Known) -> None:
            self._looking = False
            self.alerts = msgspec.structs.replace(
                known.alerts, unacknowledged=known.alerts.unacknowledged + self._unnoted
            )
            self.mail, self.asked = known.mail, True
            self._look()  # it may have become stale meanwhile

        def failed(_error: Exception) -> None:
            self._looking = False  # what is wrong with the store stands on the overview
            if not self.asked:  # the first answer must not be missing for half a minute
                self._stale = True
                self._soon.start(_AGAIN_MS)

        self._context.bridge.run(lambda: _ask(service), done, failed, owner=self, quick=True)

    def stop(self) -> None:
        """Look no more: the engine ends."""
        for timer in (self._soon, self._settling, self._refreshing):
            timer.stop()
        self._stopped = True

    def took_note(self) -> int:
        """Take note of the alerts that made no incident, and return how many there were."""
        noted, self._unnoted = self._unnoted, 0
        return noted

    def try_out(self, *, begins: bool) -> None:
        """A mail that a person sends by hand is on its way, or its outcome is known."""
        self._trying += 1 if begins else -1
        self.look_again()

    @property
    def proven_at(self) -> datetime | None:
        """When a mail was last accepted with the server and user in force, None where that is not known."""
        return self.mail.proven_at if self.mail.smtp == self._context.service.settings.smtp else None

    @Slot()
    def refresh(self) -> None:
        """Take the state of the engine over; alerts and mail stay as last known."""
        try:
            sight = self._sight()
        except VxtrayError as error:  # the disk, at this moment; the next look is soon
            sight = Sight(TrayState.ERROR, texts.title(error))
        sight, again = self.steady.see(sight, time.monotonic())
        if again is None and sight.shape is TrayState.SENDING:
            again = 1.0  # nothing tells that it is over where nothing left
        if again is not None:
            self._settling.start(math.ceil(again * 1000))
        self.shape, self.words, self.beneath = sight.shape, sight.words, ""
        if left := self.alerts.unacknowledged:
            if sight.shape in {TrayState.ERROR, TrayState.OFFLINE}:
                self.beneath = sight.words
            self.shape = TrayState.ALERT
            self.words = plural("{n} alert waits for you", "{n} alerts wait for you", left)
        self.changed.emit()

    def _sight(self) -> Sight:
        """Return what is so at this moment, the worst first."""
        service = self._context.service
        troubles = service.troubles()
        serious = [trouble for trouble in troubles if trouble.what.partition(":")[0] not in _MINOR]
        offline = next((trouble for trouble in serious if _unreachable(trouble)), None)
        if worst := [one for one in serious if offline is None or one.what.partition(":")[0] != "mail"]:
            return Sight(TrayState.ERROR, texts.title(worst[0].error))
        if not service.settings.ready:
            return Sight(TrayState.ATTENTION, _("The mail server is not set up yet"))
        if offline is not None:
            return Sight(TrayState.OFFLINE, _offline_words(offline, service.clock()))
        if (until := service.paused_until()) is not None:
            return Sight(
                TrayState.PAUSED,
                _("Alert mails are held until {time}", time=short_moment(until, service.clock())),
            )
        if self._trying or service.sending:
            return Sight(TrayState.SENDING, _("Sending mail"))
        if troubles:
            return Sight(TrayState.ATTENTION, texts.title(troubles[0].error))
        if not self.asked:
            return Sight(TrayState.OK, _("Starting…"))
        if self.proven_at is None:
            return Sight(TrayState.OK, _("Set up, but not tried yet"))
        return Sight(TrayState.OK, _("Everything is working"))

    # --- lines -------------------------------------------------------------------------------------------------------

    def last_critical_words(self) -> str:
        """Return Last critical: SQL injection on shop.example.com (10:42); "" where there was none."""
        incident = self.alerts.last_critical
        if incident is None:
            return ""
        reader = Reader(language=texts.current(), zone=machine_zone())
        target = incident.key.target if incident.key is not None else ""
        title = _brief(incident.title, _TITLE)
        what = whereabouts(title, target if target not in incident.title else "", "", reader)
        when = short_moment(incident.last_at, self._context.service.clock())
        return _("Last critical: {what} ({when})", what=one_line(what, _PLACE), when=when)

    def next_report_words(self) -> str:
        """Return Next report: 24 Nov 08:00 (daily); "" while it is not known yet."""
        coming = self.mail.next_reports
        if not self.asked:
            return ""
        if not coming:
            return _("Next report: none is switched on")
        first = min(coming.values())
        kinds = ", ".join(_(_CADENCES[cadence]) for cadence, moment in coming.items() if moment == first)
        return _("Next report: {when} ({kind})", when=short_moment(first, self._context.service.clock()), kind=kinds)

    def last_mail_words(self) -> str:
        """Return Last mail: sent 2 min ago (Daily security report)."""
        last = self.mail.last
        if last is None:
            return _("Last mail: none yet")
        now = self._context.service.clock()
        when = texts.format_ago(datetime.fromisoformat(last.settled_at), now, texts.current())
        subject = _brief(last.subject.removeprefix("[vxtray] "), _SUBJECT)
        if last.state == "sent":
            return _("Last mail: sent {when} ({subject})", subject=subject, when=when)
        return _("Last mail: not sent, {when} ({subject})", subject=subject, when=when)

    def queue_words(self) -> str:
        """Return Queue: 2 mails wait, 1 not delivered."""
        waiting = plural("{n} mail waits", "{n} mails wait", self.mail.queued) if self.mail.queued else ""
        failed = plural("{n} not delivered", "{n} not delivered", self.mail.failed) if self.mail.failed else ""
        words = ", ".join(filter(None, (waiting, failed)))
        return _("Queue: {what}", what=words) if words else _("Queue: nothing waits")


def _brief(text: str, most: int) -> str:
    """Return so many characters at most, in whole words where that leaves something."""
    words = textwrap.shorten(one_line(text, 10 * most), most, placeholder="…")
    return words if words != "…" else one_line(text, most)


def _unreachable(trouble: Trouble) -> bool:
    """Return whether mail cannot leave for now, and will by itself as soon as the way is free again."""
    error = trouble.error
    return trouble.what == "mail" and isinstance(error, ConnectError) and error.kind is Kind.TEMPORARY


def _offline_words(trouble: Trouble, now: datetime) -> str:
    since = short_moment(trouble.since, now)
    if trouble.error.title_id == NO_NETWORK.title_id:
        return _("No network since {time}", time=since)
    return _("The mail server cannot be reached since {time}", time=since)


def short_moment(moment: datetime, now: datetime) -> str:
    """Return the time of today, and the day with it on other days, on this machine's clock."""
    local, language = moment.astimezone(), texts.current()
    clock = texts.format_time(local, language)
    if local.date() == now.astimezone().date():
        return clock
    return f"{texts.format_date(local.date(), language, 'd MMM')} {clock}"
