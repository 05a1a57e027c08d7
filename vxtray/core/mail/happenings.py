"""What was noted in the history, in the words of the reader's language. Pure, any thread.

Values may come from settings, servers and log files: they are shown as bounded plain text.
"""

from datetime import datetime
from typing import Any

from vxtray.core import texts
from vxtray.core.errors import N_
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.records import Happening
from vxtray.core.texts import _, plural

_VALUE = 200
_KEYS = 3

_NAMES = {
    "version": N_("Version"),
    "name": N_("Name"),
    "changed": N_("Changed"),
    "server": N_("Mail server"),
    "username": N_("User name"),
    "until": N_("Until"),
    "why": N_("Reason"),
    "reply": N_("Server's words"),
    "released": N_("Mails that left then"),
    "told": N_("Events told then"),
    "events": N_("Events"),
    "incidents": N_("Incidents"),
    "rule": N_("Alert rule"),
    "network": N_("Source"),
    "periods": N_("Periods"),
}
_HEADLINES = {
    "started": N_("vxtray {version} was started"),
    "stopped": N_("vxtray was stopped"),
    "secret": N_("A secret was changed: {name}"),
    "signed_in": N_("{username} signed in"),
    "signed_out": N_("{username} signed out"),
    "tested": N_("The server {server} took a test e-mail"),
    "paused": N_("Alert mails were paused"),
    "resumed": N_("Alert mails leave again"),
    "silenced": N_("Alert mails were silenced: {silenced}"),
    "unsilenced": N_("Alert mails leave again: {silenced}"),
    "acknowledged": N_("Alerts were acknowledged: {title}"),
    "storm": N_("A storm of alerts began: {title}"),
    "storm_over": N_("A storm of alerts is over: {title}"),
}
_SKIPPED = {
    "daily": N_("Daily reports were skipped, for a newer one was due already: {periods}"),
    "weekly": N_("Weekly reports were skipped, for a newer one was due already: {periods}"),
    "monthly": N_("Monthly reports were skipped, for a newer one was due already: {periods}"),
}
_OF_MAIL = {
    "paused": N_("Sending was paused: {why}"),
    "resumed": N_("Sending goes on"),
}


def headline(happening: Happening) -> str:
    """Return what happened, on one line."""
    what, detail = happening.what, happening.detail
    if what == "settings":
        keys = [one_line(key, _VALUE) for key in _changed(happening)]
        named = ", ".join(keys[:_KEYS]) + ("…" if len(keys) > _KEYS else "")
        return plural("{n} setting was changed: {keys}", "{n} settings were changed: {keys}", len(keys), keys=named)
    text = (_OF_MAIL if detail.get("what") == "mail" else _HEADLINES).get(what, "")
    if what == "skipped":
        text = _SKIPPED.get(str(detail.get("report")), "")
    values = {name: shown(value) for name, value in detail.items()}
    values["silenced"] = ", ".join(values[name] for name in ("rule", "network") if detail.get(name))
    if reason := values.get("why"):
        values["why"] = _(reason)  # an error's title
    return (
        _(text, **dict.fromkeys(("version", "name", "server", "username", "why", "periods", "title"), "") | values)
        if text
        else one_line(what, _VALUE)
    )


def facts(happening: Happening) -> list[tuple[str, str]]:
    """Return names and values of all that is known of it; of settings what they were and what they became."""
    if happening.what == "settings":
        return [
            (one_line(key, _VALUE), _("{before} → {after}", before=shown(before), after=shown(after)))
            for key, (before, after) in _changed(happening).items()
        ]
    known = ((_(_NAMES[name]), value) for name, value in happening.detail.items() if name in _NAMES)
    return [(name, shown(value)) for name, value in known if value not in ("", None)]


def shown(value: object) -> str:
    """Return a value as a person reads it: a moment on this machine's clock, yes and no, lists with commas."""
    if value is None or value in ("", [], ()):
        return _("(empty)")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list | tuple):
        return one_line(", ".join(shown(one) for one in value), _VALUE)
    if isinstance(value, dict):
        return one_line(", ".join(f"{name}: {shown(one)}" for name, one in value.items()), _VALUE)
    text = one_line(str(value), _VALUE)
    try:
        moment = datetime.fromisoformat(text) if len(text) > len("2026-11-23") and "T" in text else None
    except ValueError:
        return text
    return text if moment is None else texts.format_datetime(moment, texts.current())


def _changed(happening: Happening) -> dict[str, tuple[Any, Any]]:
    found = happening.detail.get("changed")
    if not isinstance(found, dict):
        return {}
    return {key: (pair[0], pair[1]) for key, pair in found.items() if isinstance(pair, list) and len(pair) == 2}
