"""Where events are kept: on this computer or on a ClickHouse server, how that stands, and who sends mail.

GUI thread only; how it stands is looked up on ``vx-read``.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QDialog, QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.errors import VxtrayError
from vxtray.core.settings.model import Change
from vxtray.core.texts import N_, _, plural
from vxtray.gui.bindings import bind_row, follow
from vxtray.gui.context import Context
from vxtray.gui.glance import short_moment
from vxtray.gui.pages.settings_rows import Saved, SettingRow
from vxtray.gui.pages.source_row import SourceRow
from vxtray.gui.source_words import SourceState
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Card, ChoiceField, Kind, ToggleRow, button, separator

if TYPE_CHECKING:
    from vxtray.core.storeroom import StoreHealth

_ENGINES = (("embedded", N_("This computer")), ("clickhouse", N_("A ClickHouse server")))


class KeptCard(Card):
    """The choice, the server, how it stands, and whether this program is the one that sends."""

    def __init__(self, context: Context, saved: Saved) -> None:
        super().__init__(_("Where events are kept"))
        self._context = context
        self._saved = saved
        #: The one that is open, or was opened last.
        self.dialog: QDialog | None = None
        self.engine = ChoiceField()
        for _value, title in _ENGINES:
            self.engine.addItem(_(title))
        self.choice = SettingRow(
            _("Keep events on"),
            _("A server is for more events than this computer should hold, or for several programs together."),
            self.engine,
            saved,
        )
        self.edit = button(_("Set up…"))
        self.edit.setAccessibleName(_("Set up: {name}", name=_("ClickHouse server for events")))
        self.state = SourceRow(_("ClickHouse server"), (self.edit,))
        self.send = ToggleRow(
            _("This program sends mails and reports"),
            _(
                "Of several programs that keep their events on one server, leave this on in exactly one: else each mail"
                " comes more than once, or none at all."
            ),
        )
        self.send.toggle.setObjectName("store.send")
        self.engine.activated.connect(self._choose)
        self.edit.clicked.connect(self.open_dialog)
        bind_row(self.send, context.model, "store.send", saved)
        self.add_row(self.choice)
        self._below = {row: _under_line(row) for row in (self.state, self.send)}
        for part in self._below.values():
            self.add(part)
        follow(self, context.model, self._changed)
        self._show_choice()

    # --- the choice --------------------------------------------------------------------------------------------------

    @Slot(int)
    def _choose(self, index: int) -> None:
        """Save the choice; a server that is not set up yet is set up first."""
        engine = _ENGINES[index][0]
        store = self._context.model.current.store
        if engine == "clickhouse" and not store.clickhouse.url:
            self._show_choice()
            self.open_dialog()
            return
        if engine == store.engine:
            return
        try:
            self._context.model.update({"store.engine": engine})
        except VxtrayError as error:
            self._show_choice()
            self.choice.told(error)
        else:
            self.choice.told(None)

    @Slot()
    def open_dialog(self) -> None:
        """Open the dialog that sets the server up; saving it chooses the server."""
        from vxtray.gui.store_dialog import StoreDialog

        dialog = self.dialog = StoreDialog(self._context, self)
        dialog.accepted.connect(lambda: self._saved(None))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _changed(self, change: Change) -> None:
        if any(key.startswith("store.") for key in change.keys):
            self._show_choice()
            self.refresh()

    def _show_choice(self) -> None:
        store = self._context.model.current.store
        on_server = store.engine == "clickhouse"
        self.engine.setCurrentIndex([value for value, _title in _ENGINES].index(store.engine))
        self._below[self.state].setVisible(on_server or bool(store.clickhouse.url))
        # by itself a program always sends, unless that was switched off: then it must be seen why nothing comes
        self._below[self.send].setVisible(on_server or not store.send)

    # --- how it stands -----------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Look how the server stands."""
        store = self._context.model.current.store
        if store.engine == "embedded":
            self.state.show_state(SourceState(Kind.INFO, _("Not in use"), store.clickhouse.url, ""))
            self.send.clear_trouble()
            return
        self._context.bridge.run(self._context.service.room.health, self._show, self._failed, owner=self, quick=True)

    def _show(self, health: "StoreHealth") -> None:
        if health.engine == "embedded" or health.sending is None:
            return
        self.state.show_state(state_of(health, datetime.now(UTC)))
        told = (one.error for one in self._context.service.troubles() if one.what == "store:programs")
        trouble = next(map(words, told), "")
        if not trouble:
            self.send.clear_trouble()
        elif trouble != self.send.trouble():  # said aloud once, not with each look
            self.send.show_trouble(trouble)

    def _failed(self, error: Exception) -> None:
        url = self._context.model.current.store.clickhouse.url
        self.state.show_state(SourceState(Kind.DANGER, _("Not working"), url, words(error)))


def _under_line(row: QWidget) -> QWidget:
    """Return a row with the hairline above it, to be shown or hidden together."""
    whole = QWidget()
    column = QVBoxLayout(whole)
    column.setContentsMargins(0, 0, 0, 0)
    for part in (separator(), row):
        column.addWidget(part)
    return whole


def state_of(health: "StoreHealth", now: datetime) -> SourceState:
    """Return how a server stands, in words."""
    sending = health.sending
    assert sending is not None
    said = [health.address]
    if sending.waiting:
        since = short_moment(sending.waiting_since, now) if sending.waiting_since else "?"
        said.append(plural("{n} event waits since {time}", "{n} events wait since {time}", sending.waiting, time=since))
    elif sending.last_sent is not None:
        said.append(_("last sent {time}", time=short_moment(sending.last_sent, now)))
    figures = " · ".join(filter(None, said))
    if sending.fault is not None:
        kind, word = (Kind.WARNING, _("Away")) if sending.fault.transient else (Kind.DANGER, _("Not working"))
        return SourceState(kind, word, figures, words(sending.fault))
    if sending.programs or sending.last_sent is not None:
        return SourceState(Kind.GOOD, _("Connected"), figures, "")
    return SourceState(Kind.INFO, _("Waiting"), figures, "")


def kept_words(engine: str) -> tuple[str, str]:
    """Return what the two limits of the storage mean for an engine: the days, and the room."""
    if engine == "embedded":
        return (
            _("Older ones are deleted, and reports know nothing of them."),
            _("Above that, the oldest go first."),
        )
    return (
        _("The server deletes older ones by itself, those of other programs that share it, too (TTL of its table)."),
        _("Only for events on this computer; the server’s own disk is up to its administrator."),
    )


def room_words(events: int, room: int) -> str:
    """Return how many events there are on this computer, and what they take (MiB)."""
    said = texts.format_number(room, texts.current())
    return plural("Now {n} event on {room} MiB.", "Now {n} events on {room} MiB.", events, room=said)
