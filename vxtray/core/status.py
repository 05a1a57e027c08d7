"""Health at a glance, as ``vxtray status``, the tray and the overview show it.

Any thread; fast, so that a monitor may ask often.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from vxtray import __version__
from vxtray.core import texts
from vxtray.core.errors import N_, NotConfigured, StoreError, VxtrayError
from vxtray.core.mail.outbox import Entry
from vxtray.core.postroom import Waiting
from vxtray.core.revision import revision
from vxtray.core.service import Service
from vxtray.core.settings.tree import Auth


class State(StrEnum):
    """The one word for everything; also chooses the tray icon."""

    WORKING = "working"
    SENDING = "sending"
    PAUSED = "paused"
    TROUBLE = "trouble"
    NOT_CONFIGURED = "not_configured"
    STOPPED = "stopped"


def state_of(service: Service) -> State:
    """Return the state of a running service."""
    if service.troubles():
        return State.TROUBLE
    if not service.settings.ready:
        return State.NOT_CONFIGURED
    if service.paused_until() is not None:
        return State.PAUSED
    return State.SENDING if service.sending else State.WORKING


def status(service: Service, *, running: bool, language: str) -> dict[str, object]:
    """Return the document of ``vxtray status``."""
    if not running:
        service.watch_undelivered()
        service.watch_set_aside()
    state = state_of(service) if running else _stopped(service)
    trouble = [_trouble(item.error, item.since, language) for item in service.troubles()]
    if not running and state is State.STOPPED:
        error = VxtrayError(N_("vxtray is not running, so nothing is sent."), N_("Start it: vxtray, or vxtray serve."))
        trouble.append(_trouble(error, None, language))
    if state is State.NOT_CONFIGURED:
        trouble.append(_trouble(NotConfigured(), None, language))
    next_reports = {str(k): v.isoformat() if v else None for k, v in service.next_reports().items()}
    return {
        "ok": state in {State.WORKING, State.SENDING, State.PAUSED},
        "state": str(state),
        "running": running,
        "trouble": trouble,
        "next_reports": next_reports,
        "last_mail": last_mail(service.outbox.last_settled()),
        "queue": _queue(service),
        "alerts": {
            "open": len(service.alerts.open_incidents()),
            "unacknowledged": service.alerts.unacknowledged(),
            "held": service.alerts.held(),
            "paused_until": paused.until.isoformat() if (paused := service.alerts.paused()) else None,
            "silences": len(service.alerts.silences()),
        },
        "waiting": _waiting(service.mail_waiting()),
        "sign_in": _sign_in(service, language),
        "sources": [
            {
                "name": source.name,
                "last_event": source.last_event.isoformat() if source.last_event else None,
                "rate": round(source.rate, 2),
                "lines": source.lines,
                "events": source.events,
                "ignored": source.ignored,
                "rejected": source.rejected,
                "dropped": source.dropped_lines,
            }
            for source in service.sources()
        ],
        "workers": msgspec.to_builtins(service.workers.health()),
        "store": store_status(service, language),
        "version": __version__,
        "revision": revision(),
    }


def store_status(service: Service, language: str) -> dict[str, Any]:
    """Return which store is in use; of one on a server what waits, when some last arrived, and which programs use it.

    ``error`` is why it cannot be used, "" where it can.
    """
    try:
        health = service.room.health()
    except StoreError as error:
        return {"engine": service.settings.store.engine, "address": "", "error": texts.title(error, language)}
    document: dict[str, Any] = {"engine": health.engine, "address": health.address, "error": ""}
    if (sending := health.sending) is not None:
        document |= {
            "error": texts.title(sending.fault, language) if sending.fault else "",
            "waiting": sending.waiting,
            "oldest_waiting": sending.waiting_since.isoformat() if sending.waiting_since else None,
            "last_sent": sending.last_sent.isoformat() if sending.last_sent else None,
            "send": service.settings.store.send,
            "programs": [{"host": one.host, "sends": one.sends} for one in sending.programs],
        }
    return document


def _queue(service: Service) -> dict[str, int]:
    """Return how many mails wait; held are mails, and the events that wait for a mail to tell them."""
    counts = service.outbox.counts()
    return {**counts, "held": counts["held"] + service.alerts.held()}


def _waiting(waiting: Waiting | None) -> dict[str, object] | None:
    if waiting is None:
        return None
    return {"cause": waiting.cause, "until": waiting.until.isoformat() if waiting.until else None}


def _sign_in(service: Service, language: str) -> dict[str, object] | None:
    """Return how the sign-in with the provider is, None where mails leave with a password or without a sign-in."""
    smtp = service.settings.smtp
    if smtp.auth is not Auth.OAUTH:
        return None
    health = service.tokens.health(smtp)
    moments = {name: getattr(health, name) for name in ("signed_in_at", "last_refresh", "expected_end")}
    return {
        "state": health.state,
        "provider": smtp.oauth.provider,
        "username": smtp.username,
        "signed_in_as": health.signed_in_as,
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
        "note": texts.translate(health.note, language) if health.note else "",
        "fault": health.fault.in_language(language),
        "remedy": health.remedy.in_language(language),
        "details": list(health.details),
    }


def _stopped(service: Service) -> State:
    return State.STOPPED if service.settings.ready else State.NOT_CONFIGURED


def _trouble(error: VxtrayError, since: datetime | None, language: str) -> dict[str, object]:
    return {
        "what": texts.title(error, language),
        "since": since.isoformat() if since else None,
        "advice": texts.advice(error, language),
    }


def last_mail(entry: Entry | None) -> dict[str, object] | None:
    """Return the mail that was settled last, in a form for scripts."""
    if entry is None:
        return None
    return {
        "id": entry.id,
        "kind": entry.kind,
        "subject": entry.subject,
        "state": entry.state,
        "at": entry.settled_at,
        "reply": entry.reply,
    }
