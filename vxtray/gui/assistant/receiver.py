"""The syslog receiver for a firewall: switched on for it, what to enter there, and the first line as it comes.

GUI thread only.
"""

import ipaddress
from collections.abc import Sequence

import msgspec
from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QFontDatabase, QGuiApplication, QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.errors import VxtrayError
from vxtray.core.health import SourceHealth
from vxtray.core.reports.period import machine_zone
from vxtray.core.settings.tree import Syslog
from vxtray.core.settings.wellformed import is_network
from vxtray.core.sources.finding import free_port, own_address
from vxtray.core.sources.preview import Reading, read_line
from vxtray.core.texts import _, plural
from vxtray.gui.bindings import follow
from vxtray.gui.context import Context
from vxtray.gui.icons import IconLabel
from vxtray.gui.source_words import hears_itself_only, sophos_facts, sophos_hint, what_of
from vxtray.gui.syslog_dialog import SyslogDialog
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Banner, Card, Facts, FlowRow, Kind, button, link_button, mark, plain_label, separator

_LOOK_MS = 500

#: Characters of a line that are shown.
_SHOWN = 400


def listening_for(sender: str, before: Syslog) -> dict[str, object]:
    """Return the changes that let a sender (an address or a network) reach the receiver, and switch it on.

    A sender elsewhere in the network needs the receiver on all addresses, for those that are named only. Raises
    ``SourceError`` where no port is free.
    """
    network = ipaddress.ip_network(sender, strict=False)
    if network.is_loopback:
        address = str(network.network_address if network.num_addresses == 1 else "127.0.0.1")
    else:
        address = "0.0.0.0" if network.version == 4 else "::"  # noqa: S104 - with a list of senders
    port = before.port if before.enabled and before.address == address else free_port(address)
    anybody_here = network.is_loopback and not before.allow
    allow = () if anybody_here else tuple(dict.fromkeys((*before.allow, sender)))
    names = {"enabled": True, "address": address, "port": port, "allow": allow}
    return {f"sources.syslog.{name}": value for name, value in names.items()}


def facts_for(syslog: Syslog) -> list[tuple[str, str]]:
    """Return what to enter in a Sophos firewall, with this machine's address as the first allowed sender sees it."""
    address = own_address(syslog.allow[0]) if syslog.allow and not hears_itself_only(syslog.address) else ""
    facts = sophos_facts(msgspec.structs.replace(syslog, address=address or syslog.address))
    at = next(n for n, (name, _value) in enumerate(facts) if name == _("Port"))
    protocol = _("UDP (TCP is heard, too)")
    if syslog.tls_port:
        protocol = _("UDP or TCP, or TLS on port {port}", port=syslog.tls_port)
    return [*facts[: at + 1], (_("Protocol"), protocol), *facts[at + 1 :]]


class ReceiverCard(Card):
    """Off: whose lines to receive. On: what to enter there, and what came.

    Signals: ``told(text)`` when something was saved; ``first_heard`` when the first line is shown.
    """

    told = Signal(str)
    first_heard = Signal()

    def __init__(self, context: Context) -> None:
        super().__init__(_("A firewall sends its log here"))
        self._context = context
        self._shown: tuple[object, ...] = ()
        self._dialog: SyslogDialog | None = None
        self.trouble = plain_label(role="trouble")
        self._make_off()
        self._make_on()
        for part in (self.off, self.on, self.trouble):
            self.add(part)
        self.trouble.hide()
        self._timer = QTimer(self, interval=_LOOK_MS)
        self._timer.timeout.connect(self.refresh)
        follow(self, context.model, lambda _change: self.refresh())
        self.refresh()

    def _make_off(self) -> None:
        self.off = QWidget()
        self.sender_field = QLineEdit()
        self.sender_field.setAccessibleName(_("Address of the firewall"))
        self.sender_field.setPlaceholderText("192.0.2.1")
        self.sender_field.textEdited.connect(lambda _text: self._complain(""))
        self.switch_on = button(_("&Receive"))
        self.switch_on.clicked.connect(self.begin)
        label = plain_label(_("Address of the f&irewall"), "muted", wrap=False)
        label.setBuddy(self.sender_field)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(label)
        row.addWidget(self.sender_field, 1)
        row.addWidget(self.switch_on)
        column = QVBoxLayout(self.off)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        said = _("Sophos and every other device that speaks syslog. Only the sender that you name here is heard.")
        column.addWidget(plain_label(said, "muted"))
        column.addLayout(row)

    def _make_on(self) -> None:
        self.on = QWidget()
        column = QVBoxLayout(self.on)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        self._hint = plain_label(role="muted")
        self._facts = Facts()
        self.copy = link_button(_("&Copy these values"))
        self.copy.clicked.connect(self._copy)
        self.more = link_button(_("More settings…"))
        self.more.setAccessibleName(_("Edit the syslog receiver"))
        self.more.clicked.connect(self._edit)
        self.switch_off = link_button(_("Switch off"))
        self.switch_off.setAccessibleName(_("Switch the syslog receiver off"))
        self.switch_off.clicked.connect(self._end)
        column.addWidget(self._hint)
        column.addWidget(self._facts)
        column.addWidget(FlowRow(self.copy, self.more, self.switch_off, gap=8))
        column.addWidget(separator())
        self._waiting = QWidget()
        line = QHBoxLayout(self._waiting)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(10)
        line.addWidget(IconLabel("history", "secondary", 16), 0, Qt.AlignmentFlag.AlignTop)
        self._awaited = plain_label(role="muted")
        line.addWidget(self._awaited, 1)
        self.heard = Banner(Kind.GOOD, "")
        self._parsed = Facts()
        self.line = plain_label(role="secondary", selectable=True)
        self.line.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        for part in (self._waiting, self.heard, self._parsed, self.line):
            column.addWidget(part)

    # --- on and off --------------------------------------------------------------------------------------------------

    def wants_switching_on(self) -> bool:
        """Return whether a sender is typed that is not received yet: Enter then means that."""
        return not self._context.model.current.sources.syslog.enabled and bool(self.sender_field.text().strip())

    @Slot()
    def begin(self) -> None:
        """Switch the receiver on for the sender that is typed."""
        sender = self.sender_field.text().strip()
        if not is_network(sender):
            text = _("Enter the address of the firewall in your network, such as 192.168.1.1.")
            self._complain(text)
            self.sender_field.setFocus()
            return
        try:
            self._context.model.update(listening_for(sender, self._context.model.current.sources.syslog))
        except VxtrayError as error:
            self._complain(words(error))
            return
        self.told.emit(_("The receiver is on."))
        self.copy.setFocus()

    @Slot()
    def _end(self) -> None:
        try:
            self._context.model.update({"sources.syslog.enabled": False})
        except VxtrayError as error:
            self._complain(words(error))
            return
        self.told.emit(_("The receiver is off."))
        self.sender_field.setFocus()

    @Slot()
    def _edit(self) -> None:
        if self._dialog is None:
            self._dialog = SyslogDialog(self._context, self)
        self._dialog.open()

    @Slot()
    def _copy(self) -> None:
        facts = facts_for(self._context.model.current.sources.syslog)
        QGuiApplication.clipboard().setText("\n".join(f"{name}: {value}" for name, value in facts))
        self.told.emit(_("Copied"))

    def _complain(self, text: str) -> None:
        self.trouble.setText(text)
        self.trouble.setVisible(bool(text))
        mark(self.sender_field, wrong=bool(text) and not self.off.isHidden())

    # --- looking -----------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Look while it is seen."""
        super().showEvent(event)
        self.refresh()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop looking."""
        self._timer.stop()
        super().hideEvent(event)

    @Slot()
    def refresh(self) -> None:
        """Say how the receiver stands now; what has not changed is not touched."""
        service, syslog = self._context.service, self._context.model.current.sources.syslog
        parts = [part for part in service.sources() if part.name.startswith("syslog ")]
        faults = [one.error for one in service.troubles() if one.what.startswith("source:syslog")]
        latest = max((line for part in parts for line in part.latest), default=None, key=lambda one: one[0])
        stand = (syslog, latest, sum(part.lines for part in parts), _dropped(parts), [words(one) for one in faults])
        if stand == self._shown:
            return
        before, self._shown = self._shown, stand
        self.off.setVisible(not syslog.enabled)
        self.on.setVisible(syslog.enabled)
        on, off = _("What to enter in a Sophos firewall"), _("A firewall sends its log here")
        self.set_title(on if syslog.enabled else off)
        if not before or before[0] != syslog:
            self._hint.setText(sophos_hint(syslog))
            self._facts.show_facts(facts_for(syslog) if syslog.enabled else ())
        if syslog.enabled or faults:
            self._complain("\n".join(dict.fromkeys(map(words, faults))))
        self._show_latest(latest[1] if latest else None, parts)

    def _show_latest(self, line: bytes | None, parts: Sequence[SourceHealth]) -> None:
        self._waiting.setVisible(line is None)
        for part in (self.heard, self._parsed, self.line):
            part.setVisible(line is not None)
        if line is None:
            others = _dropped(parts)
            said = _("Waiting for the first line. You may go on meanwhile: the receiver keeps listening.")
            if others:
                said = plural(
                    "{n} line came from another sender and was not taken. Check the address of the firewall.",
                    "{n} lines came from another sender and were not taken. Check the address of the firewall.",
                    others,
                )
            self._awaited.setText(said)
            return
        first = self.line.text() == ""
        text = line.decode("utf-8", "replace").strip()
        reading = read_line(text, zone=machine_zone())
        count = sum(part.lines for part in parts)
        if reading.reason:
            self.heard.show_message(
                Kind.WARNING, _("A line came, but it was not understood: {why}", why=what_of(reading))
            )
        else:
            self.heard.show_message(
                Kind.GOOD, plural("It works: {n} line has arrived.", "It works: {n} lines have arrived.", count)
            )
        self._parsed.show_facts(_parsed(reading))
        self.line.setText(_shortened(text))
        if first:
            self.first_heard.emit()


def _dropped(parts: Sequence[SourceHealth]) -> int:
    return sum(part.dropped.get("sender", 0) for part in parts)


def _shortened(text: str) -> str:
    """Return a line as far as it is shown."""
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _parsed(reading: Reading) -> list[tuple[str, str]]:
    """Return what the newest line says, as names and values."""
    facts = [(_("Read as"), what_of(reading))]
    if reading.events:
        event = reading.events[0]
        when = texts.format_time(event.at.astimezone(machine_zone()), texts.current())
        source = " · ".join(filter(None, (event.src_ip, event.country)))
        target = event.target_host or event.dst_ip
        rule = event.rule_name or event.message
        facts += [(_("Time"), when), (_("Source"), source), (_("Target"), target), (_("Rule"), rule)]
    return [(name, _shortened(value)) for name, value in facts if value]
