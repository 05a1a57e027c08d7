"""How everything stands, as the tray, its menu and the overview show it.

GUI thread only; what alerts there are is asked on ``vx-read``.
Whatever the engine tells is shown 150 ms later at the latest, and looked at again every half a minute.
"""

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from vxtray.core import texts
from vxtray.core.alerts.incidents import Incident, Shape
from vxtray.core.alerts.wording import whereabouts
from vxtray.core.errors import VxtrayError
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import Reader
from vxtray.core.notices import AlertsRaised, IncidentsChanged
from vxtray.core.reports.period import machine_zone
from vxtray.core.status import State, state_of
from vxtray.core.texts import N_, _, plural
from vxtray.gui.bindings import follow
from vxtray.gui.context import Context
from vxtray.gui.icons import TrayState

if TYPE_CHECKING:
    from vxtray.core.service import Service

#: Events may be stored fifty times a second; what is told meanwhile is shown at once.
_NEWS_MS = 150
_REFRESH_MS = 30_000

#: More than the mails of a day, by the usual cap.
_LETTERS = 500

#: Characters of what was critical, in a menu.
_TITLE = 70

_LOOK = {
    State.WORKING: (TrayState.OK, N_("Everything is working")),
    State.SENDING: (TrayState.SENDING, N_("Sending mail")),
    State.PAUSED: (TrayState.PAUSED, N_("Alert mails are held")),
    State.TROUBLE: (TrayState.ERROR, N_("Something needs a look")),
    State.NOT_CONFIGURED: (TrayState.ATTENTION, N_("The mail server is not set up yet")),
    State.STOPPED: (TrayState.OFFLINE, N_("Stopped")),
}


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


def _alerts_of(service: "Service") -> AlertsNow:
    alerts = service.alerts
    storms = tuple(one for one in alerts.open_incidents() if one.shape in {Shape.STORM, Shape.WIDE})
    midnight = service.clock().astimezone(machine_zone()).replace(hour=0, minute=0, second=0, microsecond=0)
    today = [letter for letter in alerts.letters(_LETTERS) if letter.at >= midnight]
    return AlertsNow(
        alerts.unacknowledged(),
        storms,
        alerts.held(),
        alerts.last_critical(),
        len(today),
        sum(letter.events for letter in today),
    )


class Glance(QObject):
    """The state: ``shape`` and ``words`` for the tray, ``alerts`` as last known.

    Signals: ``changed()`` when any of it may have.
    """

    changed = Signal()

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.shape, self.words = TrayState.OFFLINE, ""
        self.alerts = AlertsNow()
        self._stale = True
        self._looking = False
        self._soon = QTimer(self, singleShot=True, interval=_NEWS_MS)
        self._soon.timeout.connect(self._look)
        self._refreshing = QTimer(self, interval=_REFRESH_MS)
        self._refreshing.timeout.connect(self.look_again)
        self._refreshing.start()
        context.bridge.noticed.connect(self._noticed)
        follow(self, context.model, lambda _change: self.refresh())
        self.refresh()
        self._soon.start(0)

    @Slot(object)
    def _noticed(self, notice: object) -> None:
        self._stale = self._stale or isinstance(notice, AlertsRaised | IncidentsChanged)
        if not self._soon.isActive():
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

        def done(alerts: AlertsNow) -> None:
            self._looking = False
            self.alerts = alerts
            self._look()  # it may have become stale meanwhile

        def failed(_error: Exception) -> None:
            self._looking = False  # what is wrong with the store stands on the overview

        self._context.bridge.run(lambda: _alerts_of(service), done, failed, owner=self, quick=True)

    @Slot()
    def refresh(self) -> None:
        """Take the state of the engine over; alerts stay as last known."""
        try:
            self.shape, self.words = self._state()
        except VxtrayError as error:  # the disk, at this moment; the next look is soon
            self.shape, self.words = TrayState.ERROR, texts.title(error)
        if left := self.alerts.unacknowledged:
            self.shape = TrayState.ALERT
            self.words = plural("{n} alert waits for you", "{n} alerts wait for you", left)
        self.changed.emit()

    def _state(self) -> tuple[TrayState, str]:
        service = self._context.service
        shape, text = _LOOK[state_of(service)]
        if troubles := service.troubles():
            return shape, texts.title(troubles[0].error)
        if shape is TrayState.OK and service.proven_at() is None:
            return shape, _("Set up, but not tried yet")
        return shape, _(text)

    def last_critical_words(self) -> str:
        """Return Last critical: SQL injection on shop.example.com (10:42); "" where there was none."""
        incident = self.alerts.last_critical
        if incident is None:
            return ""
        reader = Reader(language=texts.current(), zone=machine_zone())
        target = incident.key.target if incident.key is not None else ""
        what = whereabouts(incident.title, target if target not in incident.title else "", "", reader)
        when = short_moment(incident.last_at, self._context.service.clock())
        return _("Last critical: {what} ({when})", what=one_line(what, _TITLE), when=when)


def short_moment(moment: datetime, now: datetime) -> str:
    """Return the time of today, and the day with it on other days, on this machine's clock."""
    local, language = moment.astimezone(), texts.current()
    time = texts.format_time(local, language)
    if local.date() == now.astimezone().date():
        return time
    return f"{texts.format_date(local.date(), language, 'd MMM')} {time}"
