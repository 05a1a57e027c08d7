"""How a source stands, in words: its state, its figures, and what is wrong with it. GUI thread only; no widgets."""

import ipaddress
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from vxtray.core import texts
from vxtray.core.errors import VxtrayError
from vxtray.core.health import SourceHealth
from vxtray.core.mail.render import ACTIONS, CATEGORIES, SEVERITIES
from vxtray.core.reports.period import machine_zone
from vxtray.core.settings.tree import Sources, Syslog
from vxtray.core.sources.preview import Reading
from vxtray.core.texts import N_, _, plural
from vxtray.core.troubles import Trouble
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Kind

#: Of ``sources.Health.dropped``, beside how many.
_DROPPED = {
    "kernel": N_("came faster than they could be read"),
    "queue": N_("too many lines were waiting"),
    "sender": N_("not among the allowed senders"),
    "rate": N_("one sender sent too many at once"),
    "length": N_("longer than 64 KiB"),
    "connections": N_("too many connections at once"),
    "framing": N_("connections that did not send syslog, or ended in a message"),
    "tls": N_("failed TLS handshakes"),
    "truncated": N_("the file was cut before it was read"),
}


#: The name under which all listeners of the receiver are one source; a followed file has its path.
RECEIVER = "syslog"


#: The sources that are not known by the path of a file, as they are titled.
TITLES = {
    RECEIVER: N_("Syslog receiver"),
    "vigilancex": N_("VIGILANCE X server"),
    "clickhouse": N_("VIGILANCE X tables in ClickHouse"),
}


class SourceState(NamedTuple):
    """How a source stands: a word for it, its figures in one line, what is wrong and what to do ("" nothing)."""

    kind: Kind
    word: str
    figures: str
    trouble: str

    @property
    def heard(self) -> bool:
        """True where all is well and lines come."""
        return self.kind is Kind.GOOD


def names_of(sources: Sources) -> list[str]:
    """Return the sources that the settings name, in the order in which they are shown."""
    names = [*([RECEIVER] if sources.syslog.enabled else []), *(file.path for file in sources.files)]
    return list(dict.fromkeys(names + servers_of(sources)))


def servers_of(sources: Sources) -> list[str]:
    """Return the servers that are asked: those that are switched on."""
    servers = {"vigilancex": sources.vigilancex.enabled, "clickhouse": sources.clickhouse.enabled}
    return [name for name, asked in servers.items() if asked]


def parts_of(name: str, known: Iterable[SourceHealth]) -> list[SourceHealth]:
    """Return what is known of a followed file or a server, or of all listeners of the receiver."""
    return [part for part in known if part.name == name or (name == RECEIVER and part.name.startswith(f"{RECEIVER} "))]


def errors_of(name: str, troubles: Iterable[Trouble]) -> list[VxtrayError]:
    """Return what keeps a source from working."""
    begins = f"source:{name}"
    return [
        trouble.error
        for trouble in troubles
        if trouble.what == begins or (name == RECEIVER and trouble.what.startswith(f"{begins} "))
    ]


def state_of_source(
    parts: Sequence[SourceHealth], errors: Iterable[VxtrayError], now: datetime, limit: timedelta
) -> SourceState:
    """Return the state of what is one source for a person: a followed file, or all listeners of the receiver.

    ``errors`` are those that keep it from working; ``limit`` is when silence becomes trouble, 0 for never.
    """
    figures = _figures(parts, now)
    present = [part.trouble for part in parts if part.trouble is not None]  # before the board is told
    told = [words(error) for error in (*errors, *present)]
    if told:
        partly = any(part.running for part in parts)
        kind, word = (Kind.WARNING, _("Needs a look")) if partly else (Kind.DANGER, _("Not working"))
        return SourceState(kind, word, figures, "\n".join(dict.fromkeys(told)))
    if not any(part.running for part in parts):
        return SourceState(Kind.INFO, _("Not running"), figures, "")
    heard = _latest(part.last_line for part in parts)
    faults = dict.fromkeys(_(part.fault, path=part.where, where=part.where) for part in parts if part.fault)
    trouble = "\n".join(faults)
    if limit and now - (heard or max(part.began for part in parts)) > limit:
        advice = _("Check that the sender still runs and that its log goes here.")
        return SourceState(Kind.WARNING, _("Silent"), figures, trouble or advice)
    # A receiver's last fault may be long over; a file's is a present one
    if trouble and not (heard and parts[0].name.startswith("syslog ")):
        return SourceState(Kind.WARNING, _("Needs a look"), figures, trouble)
    if heard is None:
        return SourceState(Kind.INFO, _("Waiting"), figures, "")
    return SourceState(Kind.GOOD, _("Heard"), figures, trouble)


def _latest(moments: Iterable[datetime | None]) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)


def _figures(parts: Sequence[SourceHealth], now: datetime) -> str:
    language = texts.current()
    lines = sum(part.lines for part in parts)
    if not lines:
        said = [_("Waiting for the first line…")]
    else:
        last = _latest(part.last_event for part in parts)
        rate = texts.format_number(round(sum(part.rate for part in parts), 1), language)
        rejected = sum(part.rejected for part in parts)
        said = [
            _("Last event {when}", when=texts.format_ago(last, now, language)) if last else _("No event yet"),
            _("{rate} lines per second", rate=rate),
            plural("{n} event", "{n} events", sum(part.events for part in parts)),
        ]
        if rejected:
            said.append(_("{share} not understood", share=_share(rejected / lines)))
    if dropped := sum(part.dropped_lines for part in parts):
        said.append(plural("{n} line dropped", "{n} lines dropped", dropped))
    return " · ".join(said)


def _share(share: float) -> str:
    if 0 < share < 0.001:
        return "< " + texts.format_percent(0.001, texts.current(), 1)
    return texts.format_percent(share, texts.current(), 1)


def counts_of(parts: Sequence[SourceHealth]) -> list[tuple[str, str]]:
    """Return what was counted, as names and values."""
    language = texts.current()

    def number(name: str) -> str:
        return texts.format_number(sum(getattr(part, name) for part in parts), language)

    return [
        (_("Lines"), number("lines")),
        (_("Events"), number("events")),
        (_("Without an event"), number("ignored")),
        (_("Not understood"), _by_reason((part.rejected_by for part in parts), {})),
        (_("Dropped"), _by_reason((part.dropped for part in parts), _DROPPED)),
    ]


def _by_reason(counts: Iterable[dict[str, int]], names: dict[str, str]) -> str:
    """Return one line for each reason, the most frequent first."""
    total: dict[str, int] = {}
    for count in counts:
        for reason, n in count.items():
            total[reason] = total.get(reason, 0) + n
    most = sorted(total.items(), key=lambda item: -item[1])
    said = [f"{texts.format_number(n, texts.current())} – {_(names.get(reason, reason))}" for reason, n in most if n]
    return "\n".join(said) or texts.format_number(0, texts.current())


def what_of(reading: Reading) -> str:
    """Return what a line was read as, in one line."""
    if reading.reason:
        return _(reading.reason)
    if not reading.events:
        return _("No security event")
    event = reading.events[0]
    return ", ".join(
        (_(SEVERITIES[event.severity]), _(ACTIONS[event.action]), _(CATEGORIES[event.category])),
    )


def hears_itself_only(address: str) -> bool:
    """True for an address that only this machine reaches; other names than localhost may lead anywhere."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def sophos_hint(syslog: Syslog) -> str:
    """Return where in a Sophos firewall to enter it, and what must be changed here before it can reach us."""
    said = _("System services > Log settings > Syslog servers > Add. Then choose there which logs are sent to it.")
    if hears_itself_only(syslog.address):
        said += "\n" + _(
            "The receiver listens for this machine only. For a firewall, set its address here to 0.0.0.0 first."
        )
    return said


def sophos_facts(syslog: Syslog) -> list[tuple[str, str]]:
    """Return what to enter in the form of a Sophos firewall: System services > Log settings > Syslog servers > Add."""
    anywhere = syslog.address in ("", "0.0.0.0", "::") or hears_itself_only(syslog.address)  # noqa: S104 - only read
    address = _("the address of this machine in your network") if anywhere else syslog.address
    return [
        (_("Name"), "vxtray"),
        (_("IP address / domain"), address),
        (_("Secure log transmission"), _("on, port {port}", port=syslog.tls_port) if syslog.tls_port else _("off")),
        (_("Port"), str(syslog.port)),
        (_("Facility"), "DAEMON"),
        (_("Severity level"), "Information"),
        (_("Format"), _("Device standard format or Central reporting format; both are understood")),
    ]


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its IANA name, the machine's for ""."""
    return ZoneInfo(name) if name else machine_zone()
