"""Whether the sources of events are alive: each with its state and when its last line came. GUI thread only."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import NamedTuple

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from vxtray.core.health import SourceHealth
from vxtray.core.mail.plaintext import one_line
from vxtray.core.service import Service
from vxtray.core.settings.tree import Sources
from vxtray.core.texts import _, plural
from vxtray.gui.pages.alerts_words import short_ago
from vxtray.gui.source_words import TITLES, SourceState, errors_of, names_of, parts_of, state_of_source
from vxtray.gui.widgets import Beside, Card, FlowRow, Kind, Pill, button, plain_label, separator

#: Sources shown one by one.
_MOST = 6
_NAME = 60


class Alive(NamedTuple):
    """A source as shown here: its name, how it stands, and when it was last heard."""

    key: str
    name: str
    state: SourceState
    heard: str


def alive(service: Service, sources: Sources, now: datetime) -> list[Alive]:
    """Return how each source of the settings stands."""
    known, troubles = service.sources(), service.troubles()
    limit = timedelta(minutes=sources.silent_minutes)
    found = []
    for key in names_of(sources):
        parts = parts_of(key, known)
        name = _(TITLES[key]) if key in TITLES else one_line(PurePath(key).name or key, _NAME)
        found.append(Alive(key, name, state_of_source(parts, errors_of(key, troubles), now, limit), _heard(parts, now)))
    return found


def _heard(parts: Sequence[SourceHealth], now: datetime) -> str:
    last = max((part.last_line for part in parts if part.last_line is not None), default=None)
    if last is None:
        return _("No line yet")
    return _("Last line {when}", when=short_ago(last, now))


class _Line(QWidget):
    """One source."""

    def __init__(self) -> None:
        super().__init__()
        self._name, self._heard = plain_label(), plain_label(role="secondary")
        self._pill = Pill(Kind.INFO, "")
        words = QWidget()
        column = QVBoxLayout(words)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        column.addWidget(self._name)
        column.addWidget(self._heard)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 2, 0, 2)
        whole.addWidget(Beside(words, FlowRow(self._pill), least=110))

    def show_source(self, source: Alive) -> None:
        """Say how it stands now."""
        self._name.setText(source.name)
        self._name.setToolTip("" if source.key in TITLES else one_line(source.key, 300).replace("<", "‹"))
        self._heard.setText(source.heard)
        self._pill.show_state(source.state.kind, source.state.word)
        self._pill.updateGeometry()
        self.setAccessibleName(source.name)
        self.setAccessibleDescription(f"{source.state.word}. {source.heard}")


class SourcesCard(Card):
    """The sources, or why there are none.

    Signals: ``wanted(where)`` with the page that a button leads to.
    """

    wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__(_("Sources"))
        self._none = plain_label(
            _("Nothing is listened to or followed. Events come only from log files that you import."), "muted"
        )
        self.set_up = button(_("Set up a source"))
        self.set_up.clicked.connect(lambda: self.wanted.emit("sources"))
        self._ground = QWidget()
        self._list = QVBoxLayout(self._ground)
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(8)
        self._more = plain_label("", "secondary")
        parts: tuple[QWidget, ...] = (self._none, self.set_up, self._ground, self._more)
        for part in parts:
            self.add(part)
        self.add_stretch()
        self._lines: dict[str, _Line] = {}

    def show_sources(self, sources: Sequence[Alive]) -> None:
        """Show these."""
        good = sum(one.state.heard for one in sources)
        if sources:
            title = plural("{heard} of {n} source heard", "{heard} of {n} sources heard", len(sources), heard=good)
        else:
            title = _("Sources")
        self.set_title(title)
        shown = sorted(sources, key=lambda one: one.state.heard)[:_MOST] if len(sources) > _MOST else list(sources)
        if [one.key for one in shown] != list(self._lines):
            self._place([one.key for one in shown])
        for one in shown:
            self._lines[one.key].show_source(one)
        self._none.setVisible(not sources)
        self.set_up.setVisible(not sources)
        self._ground.setVisible(bool(sources))
        left = len(sources) - len(shown)
        self._more.setVisible(bool(left))
        self._more.setText(plural("and {n} more", "and {n} more", left) if left else "")

    def _place(self, keys: Sequence[str]) -> None:
        while (item := self._list.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._lines = {key: _Line() for key in keys}
        for at, line in enumerate(self._lines.values()):
            if at:
                self._list.addWidget(separator())
            self._list.addWidget(line)
