"""The first page: is everything all right, what was sent last, what comes next."""

import textwrap
from collections.abc import Callable
from datetime import datetime

from PySide6.QtCore import QTimer, Signal, Slot

from vxtray.core import texts
from vxtray.core.mail.plaintext import one_line
from vxtray.core.reports.period import Cadence
from vxtray.core.status import State, state_of
from vxtray.core.texts import N_, _, plural
from vxtray.core.troubles import Trouble
from vxtray.gui.actions import Actions
from vxtray.gui.bindings import follow
from vxtray.gui.context import Context
from vxtray.gui.glance import short_moment
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Banner, Card, EmptyState, Figure, Kind, Page, Tiles, button, plain_label

_REFRESH_MS = 15_000

#: Events may be stored fifty times a second; what is told meanwhile is shown at once.
_NEWS_MS = 150
_SUBJECT = 60

_CADENCES = {Cadence.DAILY: N_("Daily"), Cadence.WEEKLY: N_("Weekly"), Cadence.MONTHLY: N_("Monthly")}

#: The page that mends a trouble.
_MENDED_BY = {
    "mail": "mail_server",
    "settings": "help",
    "store": "help",
    "reports": "reports",
    "source": "sources",
    "silent": "sources",
    "undelivered": "lost",
    "disk": "help",
}

#: Storms shown one by one.
_STORMS = 3


class OverviewPage(Page):
    """State in words, next report, last mail, queue, and what needs a look.

    Signals: ``page_wanted(key)`` where a button leads elsewhere.
    """

    page_wanted = Signal(str)

    def __init__(self, context: Context, actions: Actions, in_tray: Callable[[], bool]) -> None:
        """``in_tray`` says whether there is an icon in a tray; where not, its menu is a button here."""
        report = button(_("Send a report now"))
        report.setMenu(actions.report_menu(report))
        test = button(_("Send test e-mail"))
        test.clicked.connect(actions.send_test.trigger)
        self._menu = button(_("Menu"))
        self._menu.setMenu(actions.program_menu(self._menu))
        super().__init__(_("Overview"), "", (test, report, self._menu))
        self._in_tray = in_tray
        self._context = context
        self._glance = actions.glance
        self._buttons = (test, report)
        self._empty = EmptyState(
            "mail",
            _("Set up your mail server first"),
            _(
                "vxtray then sends a security report every day, week or month, and tells you at once when"
                " something matters."
            ),
            _("Set up the mail server"),
        )
        self._empty.activated.connect(lambda: self.page_wanted.emit("edit_smtp"))
        self._next = Figure(_("Next report"))
        self._last = Figure(_("Last mail"))
        self._queue = Figure(_("Mail queue"))
        self._alerts = Figure(_("Alerts today"))
        self._figures = Tiles((self._next, self._last, self._queue, self._alerts))
        self._banners: list[Banner] = []
        self._dismissals = {
            "set-aside": context.service.dismiss_set_aside,
        }
        self._trouble_card = Card(_("Needs a look"))
        self._events = Card(_("Events"))
        self._events.add(
            plain_label(
                _("Reports and alerts are made from the events of your firewall. Import its log files here."), "muted"
            )
        )
        load = button(_("Import log files…"))
        load.clicked.connect(actions.import_files.trigger)
        self._events.add(load)
        for part in (self._empty, self._figures, self._trouble_card, self._events):
            self.add(part)
        self.add_stretch()
        self.keep_fresh(self.refresh, _REFRESH_MS)
        self._soon = QTimer(self, singleShot=True, interval=_NEWS_MS)
        self._soon.timeout.connect(self._look)
        context.bridge.noticed.connect(self._noticed)
        follow(self, context.model, lambda _change: self.refresh())
        self._glance.changed.connect(self._look)
        self.refresh()

    @Slot(object)
    def _noticed(self, _notice: object) -> None:
        if self.isVisible() and not self._soon.isActive():
            self._soon.start()

    @Slot()
    def _look(self) -> None:
        if self.isVisible():
            self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Say how things stand now."""
        service = self._context.service
        configured = service.settings.ready
        self._empty.setVisible(not configured)
        self._figures.setVisible(configured)
        self._events.setVisible(configured)
        for one in self._buttons:
            one.setVisible(configured)
        self._menu.setVisible(not self._in_tray())
        self.set_words(*self._headline(service.troubles()))
        self._show_figures()
        self._show_troubles(service.troubles())

    def _headline(self, troubles: list[Trouble]) -> tuple[str, str]:
        state = state_of(self._context.service)
        if state is State.NOT_CONFIGURED:
            return _("Welcome to vxtray"), _("Nothing is sent yet.")
        if left := self._glance.alerts.unacknowledged:
            return plural("{n} alert waits for you", "{n} alerts wait for you", left), (
                self._glance.last_critical_words() or _("Look at them, then acknowledge them.")
            )
        if state is State.PAUSED:
            until = self._context.service.paused_until()
            shown = texts.format_time(until.astimezone(), texts.current()) if until else ""
            return _("Alert mails are held until {time}", time=shown), _("They are counted and sent then.")
        if troubles:
            since = texts.format_time(troubles[0].since.astimezone(), texts.current())
            if troubles[0].what == "mail":
                return _("Mail has not worked since {time}", time=since), texts.title(troubles[0].error)
            return _("Something needs a look since {time}", time=since), texts.title(troubles[0].error)
        server = self._context.model.current.smtp.host
        if (proven := self._context.service.proven_at()) is None:
            return _("Set up, but not tried yet"), _(
                "Send a test e-mail to be sure that {server} takes it.", server=server
            )
        when = texts.format_ago(proven, self._now(), texts.current())
        return _("Everything is working"), _("Last mail accepted {when} by {server}", when=when, server=server)

    def _now(self) -> datetime:
        return self._context.service.clock()

    def _show_figures(self) -> None:
        service, language = self._context.service, texts.current()
        coming = {cadence: moment for cadence, moment in service.next_reports().items() if moment is not None}
        if coming:
            first = min(coming.values())
            names = [_(_CADENCES[cadence]) for cadence, moment in coming.items() if moment == first]
            people = len(service.settings.report_recipients)
            to = plural("to {n} person", "to {n} people", people)
            self._next.show_figure(_("Next report"), _short(first, self._now(), language), f"{', '.join(names)}, {to}")
        else:
            self._next.show_figure(_("Next report"), _("None"), _("No report is switched on."))
        last = service.outbox.last_settled()
        if last is None:
            self._last.show_figure(_("Last mail"), "–", _("Nothing was sent yet."))
        else:
            outcome = _("Sent") if last.state == "sent" else _("Not sent")
            when = texts.format_ago(datetime.fromisoformat(last.settled_at), self._now(), language)
            self._last.show_figure(_("Last mail"), outcome, f"{_brief(last.subject)}\n{when}")
        counts = service.outbox.counts()
        held = plural("{n} held", "{n} held", counts["held"])
        failed = plural("{n} not delivered", "{n} not delivered", counts["failed"])
        beside = ", ".join(text for text, n in ((held, counts["held"]), (failed, counts["failed"])) if n)
        waiting = texts.format_number(counts["queued"], language)
        idle = _("Waiting to be sent") if counts["queued"] else _("Nothing waits.")
        self._queue.show_figure(_("Mail queue"), waiting, beside or idle)
        self._show_alerts()

    def _show_alerts(self) -> None:
        service, now = self._context.service, self._glance.alerts
        switches = service.settings.alerts
        on = sum((switches.critical, switches.waf_blocked, switches.waf_detected, switches.new_ban))
        held = plural("{n} held", "{n} held", now.held) if now.held else _("none held")
        beside = f"{plural('{n} event told', '{n} events told', now.events_today)}, {held}"
        if (until := service.paused_until()) is not None:
            figure, beside = _("Paused"), f"{_('until {time}', time=short_moment(until, self._now()))}, {held}"
        elif now.mails_today:
            figure = plural("{n} mail", "{n} mails", now.mails_today)
        else:
            figure, beside = _("None"), held if now.held else _("{on} of 4 switched on", on=on)
        self._alerts.show_figure(_("Alerts today"), figure, beside)

    def _alert_banners(self) -> list[Banner]:
        """Return what waits for a person, the storms that go on, and what is held, each with its button."""
        now, clock = self._glance.alerts, self._now()
        told: list[tuple[Kind, str, str]] = []
        if now.unacknowledged:
            words = plural("{n} alert waits for you.", "{n} alerts wait for you.", now.unacknowledged)
            critical = now.last_critical
            where = f"alerts:{critical.id}" if critical is not None and critical.acknowledged_at is None else "alerts"
            told.append((Kind.CRITICAL, words, where))
        for storm in now.storms[:_STORMS]:
            events = plural("{n} event", "{n} events", storm.events)
            since = short_moment(storm.opened_at, clock)
            words = _(
                "Storm since {time}: {events}, {what}", time=since, events=events, what=one_line(storm.title, 120)
            )
            told.append((Kind.WARNING, words, f"alerts:{storm.id}"))
        if len(now.storms) > _STORMS:
            more = plural("{n} more storm", "{n} more storms", len(now.storms) - _STORMS)
            told.append((Kind.WARNING, more, "alerts"))
        if now.held:
            words = plural("{n} event is held and told later.", "{n} events are held and told later.", now.held)
            told.append((Kind.INFO, words, "alerts"))
        return [self._alert_banner(*one) for one in told]

    def _alert_banner(self, kind: Kind, words: str, where: str) -> Banner:
        banner = Banner(kind, words, _("Show me"))
        banner.activated.connect(lambda: self.page_wanted.emit(where))
        return banner

    def _show_troubles(self, troubles: list[Trouble]) -> None:
        for banner in self._banners:
            banner.hide()
            banner.deleteLater()
        self._banners = [*self._alert_banners(), *map(self._banner, troubles)]
        for banner in self._banners:
            self._trouble_card.add(banner)
        self._trouble_card.setVisible(bool(self._banners))

    def _banner(self, trouble: Trouble) -> Banner:
        text = words(trouble.error)
        where = _MENDED_BY.get(trouble.what.partition(":")[0], "")
        if (dismiss := self._dismissals.get(trouble.what)) is not None:
            banner = Banner(Kind.WARNING, text, _("Dismiss"))
            banner.activated.connect(lambda: self._dismiss(dismiss))
            return banner
        banner = Banner(Kind.WARNING, text, _("Show me") if where else "")
        banner.activated.connect(lambda: self.page_wanted.emit(where))
        return banner

    def _dismiss(self, dismiss: Callable[[], None]) -> None:
        self._context.bridge.run(dismiss, lambda _none: self.refresh(), self._told, owner=self)

    def _told(self, error: Exception) -> None:
        self.say(words(error), Kind.WARNING)


def _brief(subject: str) -> str:
    """Return a subject without the mark in front, shortened to what a tile can hold."""
    return textwrap.shorten(subject.removeprefix("[vxtray] "), _SUBJECT, placeholder="…")


def _short(moment: datetime, now: datetime, language: str) -> str:
    """Return Today 08:00, or Mon 08:00, or 1 Dec 08:00."""
    local, today = moment, now.astimezone(moment.tzinfo).date()
    time = texts.format_time(local, language, local.tzinfo)
    days = (local.date() - today).days
    if days == 0:
        return _("Today {time}", time=time)
    pattern = "EEE" if days < 7 else "d MMM"
    return f"{texts.format_date(local.date(), language, pattern)} {time}"
