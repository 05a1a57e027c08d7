"""How everything stands, in words: the heading with the way to mend it, and what needs a look. Pure, GUI thread."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from vxtray.core import texts
from vxtray.core.alerts.incidents import Incident
from vxtray.core.errors import KeyringLocked
from vxtray.core.mail.faults import MailError
from vxtray.core.mail.plaintext import one_line
from vxtray.core.status import State
from vxtray.core.texts import N_, _, plural
from vxtray.core.troubles import Trouble
from vxtray.gui.glance import AlertsNow, short_moment
from vxtray.gui.pages.alerts_words import what_of
from vxtray.gui.widgets import Kind

#: Storms shown one by one.
_STORMS = 3

#: Characters of what others wrote, in a line.
_LINE = 120


class Mend(NamedTuple):
    """What a button says, and where it leads: a page as ``MainWindow.go_to`` takes it, or one of ``DOINGS``."""

    action: str = ""
    where: str = ""


#: What a button does here, without leading elsewhere.
RESUME, RETRY, TEST, DISMISS = DOINGS = ("resume", "retry", "test", "dismiss")


#: Where a button leads while no mail can leave.
MAIL_MENDS = ("mail_server", "sign_in", RETRY)


class Headline(NamedTuple):
    """The state in a few words, what belongs to it, and the one button that mends it ("" where nothing is wrong)."""

    title: str
    text: str
    mend: Mend = Mend()


class Matter(NamedTuple):
    """Something that needs a look; ``key`` tells it from the others, ``word`` says of what kind it is."""

    key: str
    kind: Kind
    word: str
    text: str
    beside: str
    mend: Mend


class _Sort(NamedTuple):
    """Troubles of one sort: a word for it, the heading while it is the worst, and what mends it."""

    word: str
    title: str
    mend: Mend


_DIAGNOSTICS = Mend(N_("Show diagnostics"), "help")
_STORE = Mend(N_("Show the event store"), "settings:store")
_ANY = N_("Something needs a look since {time}")

#: By the first word of ``Trouble.what``, the worst first.
_SORTS: Mapping[str, _Sort] = {
    "mail": _Sort(N_("Mail"), N_("Mail has not worked since {time}"), Mend(N_("Check the mail server"), "mail_server")),
    "outbox": _Sort(N_("Mail"), N_("Mail has not worked since {time}"), _DIAGNOSTICS),
    "store": _Sort(N_("Events"), N_("Events cannot be kept since {time}"), _DIAGNOSTICS),
    "store:server": _Sort(N_("Events"), N_("The server for events cannot be used"), _STORE),
    "store:programs": _Sort(N_("Events"), N_("Check which program sends mail"), _STORE),
    "disk": _Sort(N_("Disk"), N_("The disk is almost full"), _DIAGNOSTICS),
    "folder": _Sort(N_("Disk"), _ANY, _DIAGNOSTICS),
    "settings": _Sort(N_("Settings"), N_("The settings file needs a look"), _DIAGNOSTICS),
    "undelivered": _Sort(N_("Mail"), N_("Mail was not delivered"), Mend(N_("Show the mails"), "lost")),
    "source": _Sort(N_("Source"), N_("A source needs a look since {time}"), Mend(N_("Show the sources"), "sources")),
    "silent": _Sort(N_("Source"), N_("A source has fallen silent"), Mend(N_("Show the sources"), "sources")),
    "reports": _Sort(N_("Reports"), _ANY, Mend(N_("Show the reports"), "reports")),
    "alert-times": _Sort(N_("Alerts"), _ANY, Mend(N_("Show the alerts"), "alerts")),
    "set-aside": _Sort(N_("Events"), N_("The event store was damaged"), Mend(N_("Dismiss"), DISMISS)),
}
_OTHER = _Sort(N_("Trouble"), _ANY, _DIAGNOSTICS)
_RANKS = list(_SORTS)

#: Without these nothing is told at all.
_GRAVE = frozenset({"mail", "outbox", "store"})


def _sort_of(trouble: Trouble) -> _Sort:
    return _SORTS.get(_family(trouble), _OTHER)


def _family(trouble: Trouble) -> str:
    return trouble.what if trouble.what in _SORTS else trouble.what.partition(":")[0]


def by_rank(troubles: Sequence[Trouble]) -> list[Trouble]:
    """Return the worst first, of equals the oldest."""
    last = len(_RANKS)
    return sorted(troubles, key=lambda one: _RANKS.index(_family(one)) if _family(one) in _RANKS else last)


def headline(
    state: State, troubles: Sequence[Trouble], alerts: AlertsNow, paused: datetime | None, now: datetime
) -> Headline | None:
    """Return what is wrong, None where nothing is. What keeps mails from leaving comes before what they would tell."""
    ranked = by_rank(troubles)
    if ranked and _family(ranked[0]) in {"mail", "outbox"}:
        return _trouble_headline(ranked[0], now)
    if state is State.NOT_CONFIGURED:
        return Headline(_("Welcome to vxtray"), _("Nothing is sent yet."))
    if left := alerts.unacknowledged:
        what = _newest(alerts, now) or _("Look at them, then acknowledge them.")
        title = plural("{n} alert waits for you", "{n} alerts wait for you", left)
        return Headline(title, what, Mend(_("Show me"), _newest_place(alerts)))
    if ranked:
        return _trouble_headline(ranked[0], now)
    if paused is not None:
        title = _("Alert mails are held until {time}", time=short_moment(paused, now))
        return Headline(title, _("They are counted and sent then."), Mend(_("Send alert mails again"), RESUME))
    return None


def _trouble_headline(trouble: Trouble, now: datetime) -> Headline:
    said = texts.title(trouble.error)
    if isinstance(trouble.error, KeyringLocked):
        return Headline(
            _("Waiting for your keyring to be unlocked"), texts.advice(trouble.error), Mend(_("Try again"), RETRY)
        )
    sort = _sort_of(trouble)
    title = _(sort.title, time=short_moment(trouble.since, now))
    if needs_sign_in(trouble):
        return Headline(title, said, Mend(_("Sign in again"), "sign_in"))
    return Headline(title, said, Mend(_(sort.mend.action), sort.mend.where))


def needs_sign_in(trouble: Trouble) -> bool:
    """Return whether only a new sign-in with the provider mends it."""
    return isinstance(trouble.error, MailError) and trouble.error.sign_in


def _newest_place(alerts: AlertsNow) -> str:
    incident = alerts.last_critical
    return "alerts" if incident is None or incident.acknowledged_at is not None else f"alerts:{incident.id}"


def _newest(alerts: AlertsNow, now: datetime) -> str:
    incident = alerts.last_critical
    if incident is None or incident.acknowledged_at is not None:
        return ""
    return f"{one_line(what_of(incident), _LINE)} ({short_moment(incident.last_at, now)})"


# --- what needs a look ------------------------------------------------------------------------------------------------


def matters(troubles: Sequence[Trouble], alerts: AlertsNow, now: datetime) -> list[Matter]:
    """Return what keeps mails from leaving, what waits for a person, what else is wrong, storms, and what is held."""
    told = [_trouble(trouble) for trouble in by_rank(troubles)]
    grave, others = ([one for one in told if (one.kind is Kind.DANGER) is wanted] for wanted in (True, False))
    return [*grave, *_waiting(alerts, now), *others, *_storms(alerts, now), *_held(alerts)]


def _waiting(alerts: AlertsNow, now: datetime) -> Iterator[Matter]:
    left, incident = alerts.unacknowledged, alerts.last_critical
    if incident is not None and incident.acknowledged_at is None:
        left -= 1
        going = any(storm.id == incident.id for storm in alerts.storms)
        yield _incident(incident, Kind.CRITICAL, _("Critical"), now, going=going)
    if left > 0:
        told = plural("{n} more alert waits for you.", "{n} more alerts wait for you.", left)
        if left == alerts.unacknowledged:
            told = plural("{n} alert waits for you.", "{n} alerts wait for you.", left)
        yield Matter("alerts", Kind.WARNING, _("Alerts"), told, "", Mend(_("Show me"), "alerts"))


def _incident(incident: Incident, kind: Kind, word: str, now: datetime, *, going: bool) -> Matter:
    events, since = plural("{n} event", "{n} events", incident.events), short_moment(incident.opened_at, now)
    beside = _("{time}, still going on · {events}", time=since, events=events) if going else f"{since} · {events}"
    what = one_line(what_of(incident), _LINE)
    return Matter(f"alert:{incident.id}", kind, word, what, beside, Mend(_("Show me"), f"alerts:{incident.id}"))


def _storms(alerts: AlertsNow, now: datetime) -> Iterator[Matter]:
    shown = alerts.last_critical if alerts.unacknowledged else None
    storms = [one for one in alerts.storms if shown is None or one.id != shown.id or one.acknowledged_at is not None]
    for storm in storms[:_STORMS]:
        yield _incident(storm, Kind.WARNING, _("Storm"), now, going=True)
    if (more := len(storms) - _STORMS) > 0:
        told = plural("{n} more storm", "{n} more storms", more)
        yield Matter("storms", Kind.WARNING, _("Storm"), told, "", Mend(_("Show me"), "alerts"))


def _held(alerts: AlertsNow) -> Iterator[Matter]:
    if alerts.held:
        told = plural("{n} event is held and told later.", "{n} events are held and told later.", alerts.held)
        yield Matter("held", Kind.INFO, _("Held"), told, "", Mend(_("Show me"), "alerts"))


def _trouble(trouble: Trouble) -> Matter:
    sort = _sort_of(trouble)
    mend = Mend(_("Dismiss") if sort.mend.where == DISMISS else _("Show me"), sort.mend.where)
    if isinstance(trouble.error, KeyringLocked):
        mend = Mend(_("Try again"), RETRY)
    elif needs_sign_in(trouble):
        mend = Mend(_("Sign in again"), "sign_in")
    said, advice = texts.title(trouble.error), texts.advice(trouble.error)
    kind = Kind.DANGER if _family(trouble) in _GRAVE else Kind.WARNING
    return Matter(f"trouble:{trouble.what}", kind, _(sort.word), said, advice, mend)
