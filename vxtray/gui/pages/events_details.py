"""One event with all its fields, to read and to copy. GUI thread only."""

import msgspec
from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.events import SecurityEvent
from vxtray.core.mail.plaintext import body_text, one_line
from vxtray.core.mail.render import ACTIONS, CATEGORIES, SEVERITIES
from vxtray.core.reports.period import machine_zone
from vxtray.core.texts import _
from vxtray.gui.pages.events_model import shown_time, what_of
from vxtray.gui.theme import theme
from vxtray.gui.widgets import Beside, Card, Facts, FlowRow, Tiles, align_facts, link_button, plain_label, scrolled

_Facts = list[tuple[str, str]]


def facts_of(event: SecurityEvent) -> tuple[_Facts, _Facts, _Facts]:
    """Return names and values: what happened, between whom, and the long texts; fields without a value are left out."""
    zone = machine_zone()
    time = f"{shown_time(event.at.astimezone(zone), texts.current())} ({zone.key})"
    what = [
        (_("Time"), time),
        (_("Severity"), _(SEVERITIES[event.severity])),
        (_("Category"), _(CATEGORIES[event.category])),
        (_("Action"), _(ACTIONS[event.action])),
        (_("Rule"), event.rule_name),
        (_("Rule number"), event.rule_id),
        (_("Score"), "" if event.score is None else str(event.score)),
    ]
    who = [
        (_("Source address"), event.src_ip),
        (_("Source port"), _number(event.src_port)),
        (_("Country"), _country(event.country)),
        (_("Target"), event.target_host),
        (_("Destination address"), event.dst_ip),
        (_("Destination port"), _number(event.dst_port)),
        (_("User"), event.user),
        (_("Log source"), event.source),
        (_("Event number"), _number(event.seq)),
    ]
    long = [(_("Address (URL)"), event.target_url), (_("Message"), event.message)]
    what, who, long = ([(name, body_text(value)) for name, value in facts if value] for facts in (what, who, long))
    return what, who, long


def as_text(event: SecurityEvent) -> str:
    """Return an event as lines of names and values."""
    return "\n".join(f"{name}: {one_line(value, 8192)}" for facts in facts_of(event) for name, value in facts)


def as_json(event: SecurityEvent) -> str:
    """Return an event as indented JSON, fields as in the exports."""
    return msgspec.json.format(msgspec.json.encode(event), indent=2).decode()


def _number(value: int) -> str:
    return str(value) if value else ""


def _country(code: str) -> str:
    from babel import Locale

    name = Locale.parse(texts.current()).territories.get(code, "")
    return f"{name} ({code})" if name else code


class EventDetails(Card):
    """The chosen event.

    Signals: ``closed`` when the person wants it away.
    """

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.event_shown: SecurityEvent | None = None
        self._heading = plain_label(role="strong")
        copy, copy_json, close = link_button(_("Copy")), link_button(_("Copy as JSON")), link_button(_("Close"))
        copy.clicked.connect(self.copy_text)
        copy_json.clicked.connect(self.copy_json)
        close.clicked.connect(self.closed)
        self.add(Beside(self._heading, FlowRow(copy, copy_json, close, gap=4)))
        self._what, self._who, self._long = Facts(), Facts(), Facts()
        sides = [QWidget(), QWidget()]
        for side, facts in zip(sides, (self._what, self._who), strict=True):
            upright = QVBoxLayout(side)
            upright.setContentsMargins(0, 0, 0, 0)
            upright.addWidget(facts)
            upright.addStretch(1)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(10)
        column.addWidget(Tiles(sides, least=300, gap=28))
        column.addWidget(self._long)
        column.addStretch(1)
        self._scroll = scrolled(inside, _("Details of the event"))
        self.add(self._scroll, 1)

    def show_event(self, event: SecurityEvent) -> None:
        """Show another event, from its beginning."""
        self.event_shown = event
        self._heading.setText(what_of(event) or _(CATEGORIES[event.category]))
        for shown, facts in zip((self._what, self._who, self._long), facts_of(event), strict=True):
            shown.show_facts(facts)
        align_facts(self._what, self._long)
        self._scroll.verticalScrollBar().setValue(0)

    def copy_text(self) -> None:
        """Put the event on the clipboard as text."""
        if self.event_shown is not None:
            QGuiApplication.clipboard().setText(as_text(self.event_shown))

    def copy_json(self) -> None:
        """Put the event on the clipboard as JSON."""
        if self.event_shown is not None:
            QGuiApplication.clipboard().setText(as_json(self.event_shown))

    def sizeHint(self) -> QSize:
        """Return the least size: the page gives it what is left, and would scroll for more."""
        return self.minimumSizeHint()

    def minimumSizeHint(self) -> QSize:
        """Return a size that a small window has."""
        return QSize(super().minimumSizeHint().width(), theme().px(150))
