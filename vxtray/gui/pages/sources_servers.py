"""The servers that events are read from: VIGILANCE X, and its tables in ClickHouse. GUI thread only."""

from collections.abc import Callable
from typing import Literal

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QWidget

from vxtray.core.errors import VxtrayError
from vxtray.core.texts import N_, _
from vxtray.gui.bindings import bind_row
from vxtray.gui.context import Context
from vxtray.gui.pages.source_row import SourceRow
from vxtray.gui.source_words import TITLES, SourceState, servers_of
from vxtray.gui.widgets import Card, ToggleRow, button

Which = Literal["vigilancex", "clickhouse"]
_WHICH: tuple[Which, ...] = ("vigilancex", "clickhouse")
_ABOUT: dict[Which, str] = {
    "vigilancex": N_("Reads events, WAF requests and bans from a server that you have already."),
    "clickhouse": N_("Reads the same from the server’s database; no licence is needed for that."),
}


class ServersCard(Card):
    """A switch for each server, with how it stands where it is on.

    Signals: ``saved`` after a change here.
    """

    saved = Signal()

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(_("Servers"), parent)
        self._context = context
        #: The one that is open, or was opened last.
        self.dialog: QDialog | None = None
        self.rows: dict[Which, ToggleRow] = {}
        self.states: dict[Which, SourceRow] = {}
        self.take_over = button(_("Take its mail settings over…"))
        self.take_over.clicked.connect(self._take_over)
        for which in _WHICH:
            self._add_server(which)

    def _add_server(self, which: Which) -> None:
        edit = button(_("Set up…"))
        edit.setAccessibleName(_("Set up: {name}", name=_(TITLES[which])))
        edit.clicked.connect(lambda: self.edit(which))
        row = ToggleRow(_(TITLES[which]), "", (edit,))
        row.toggle.setObjectName(f"sources.{which}.enabled")
        bind_row(row, self._context.model, f"sources.{which}.enabled", self._told)
        state = SourceRow("", (self.take_over,) if which == "vigilancex" else ())
        self.rows[which], self.states[which] = row, state
        self.add_row(row)
        self.add(state)

    def refresh(self, state_of: Callable[[str], SourceState]) -> None:
        """Show how each server stands; ``state_of`` tells it by the name of the source."""
        sources = self._context.model.current.sources
        self._warn(twice=len(servers_of(sources)) > 1)
        for which in _WHICH:
            saved = sources.vigilancex if which == "vigilancex" else sources.clickhouse
            row = self.rows[which]
            row.set_text(saved.url or _(_ABOUT[which]) + " " + _("Set it up first."))
            row.toggle.setEnabled(bool(saved.url))  # there is nothing to switch on before
            self.states[which].setVisible(saved.enabled)
            if saved.enabled:
                self.states[which].show_state(state_of(which))

    def _warn(self, *, twice: bool) -> None:
        row, said = self.rows["clickhouse"], _("Both are on: each event counts twice. Switch one off.")
        if twice and not row.trouble():
            row.show_trouble(said)
        elif not twice and row.trouble() == said:
            row.clear_trouble()

    def _told(self, error: VxtrayError | None) -> None:
        if error is None:  # why a switch went back stands in its row
            self.saved.emit()

    def edit(self, which: Which) -> None:
        """Open the dialog that sets a server up."""
        from vxtray.gui.server_dialog import ServerDialog

        self._open(ServerDialog(self._context, which, self))

    def _take_over(self) -> None:
        from vxtray.gui.take_over_dialog import TakeOverDialog

        self._open(TakeOverDialog(self._context, self))

    def _open(self, dialog: QDialog) -> None:
        self.dialog = dialog
        dialog.accepted.connect(self.saved)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
