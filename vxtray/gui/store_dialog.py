"""Edit the ClickHouse server that keeps the events; try it before it is saved. GUI thread only; see ``server_form``."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from vxtray.core import texts
from vxtray.core.credentials import Account, Secret
from vxtray.core.errors import VxtrayError
from vxtray.core.settings.tree import StoreClickHouse
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.doctor_view import DoctorView
from vxtray.gui.server_form import ServerForm
from vxtray.gui.widgets import NumberField

if TYPE_CHECKING:
    from vxtray.core.storeserver import Step


class StoreDialog(ServerForm):
    """Address, account and database of the server. Saving moves new events there."""

    HEIGHT = 620

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        near = "https://clickhouse.example.com:8443"
        super().__init__(context, "store.clickhouse", _("ClickHouse server for events"), near, parent)
        self.database = self.line(_("Database"), StoreClickHouse().database)
        self.cluster = self.line(_("Cluster"), _("Empty for one server"))
        self.max_waiting_mebibytes = NumberField(64, 1_048_576)
        self.max_waiting_mebibytes.setAccessibleName(_("Room for what waits"))
        self.max_waiting_mebibytes.setSuffix("\N{NO-BREAK SPACE}" + _("MiB"))
        self.max_waiting_mebibytes.setGroupSeparatorShown(True)
        self.steps = DoctorView()
        self.lay_out()

    def hint(self) -> str:
        """Return what is kept there."""
        return _(
            "New events are kept there, and reports count there. The tables are made at the first connection, or by"
            " the server’s administrator with what “vxtray store sql” prints. While the server is away, events wait on"
            " this machine. Events stored here so far stay here and are not moved."
        )

    def more_rows(self) -> tuple[list[tuple[str, QWidget]], list[tuple[str, QWidget]]]:
        """Return the database, and at the end what few need."""
        late: list[tuple[str, QWidget]] = [
            (_("Cluster"), self.cluster),
            (_("Room for what waits"), self.max_waiting_mebibytes),
        ]
        return [(_("Database"), self.database)], late

    def beneath(self) -> list[QWidget]:
        """Return where the steps of a trial appear."""
        return [self.steps]

    def saved(self) -> StoreClickHouse:
        """Return what is saved of it."""
        return self.context.model.current.store.clickhouse

    def show_more(self) -> None:
        """Show its further fields."""
        saved = self.saved()
        self.database.setText(saved.database)
        self.cluster.setText(saved.cluster)
        self.max_waiting_mebibytes.setValue(saved.max_waiting_mebibytes)
        self.steps.hide()

    def more_values(self) -> dict[str, object]:
        """Return what its further fields say."""
        return {
            "database": self.database.text().strip() or StoreClickHouse().database,
            "cluster": self.cluster.text().strip(),
            "max_waiting_mebibytes": self.max_waiting_mebibytes.value(),
        }

    def changes(self) -> dict[str, object]:
        """Keep events there from now on."""
        return {"store.engine": "clickhouse"}

    def account(self) -> Account:
        """Return whose password is meant."""
        from vxtray.core.storeserver import account_of

        return account_of(StoreClickHouse(url=self.url.text().strip(), username=self.username.text().strip()))

    # --- trying ------------------------------------------------------------------------------------------------------

    def begin_trial(self) -> None:
        """Say what is asked; the steps follow."""
        self.steps.begin(_("Asking the server…"))

    def try_it(self, typed: msgspec.Struct, password: Callable[[], Secret | None]) -> object:
        """Go through the steps and show each as it happens."""
        from vxtray.core.storeserver import StoreServer

        assert isinstance(typed, StoreClickHouse)
        days = self.context.model.current.store.retention_days
        for step in StoreServer(typed, password, lambda: days).examine():
            self.context.bridge.call(lambda step=step: self._show(step) if isValid(self) else None)  # type: ignore[misc]
        return None

    def _show(self, step: "Step") -> None:
        if step.error is None:
            self.steps.add_finding(_(step.name), _(step.words, **step.values), good=True)
        else:
            self.steps.add_finding(_(step.name), texts.title(step.error), texts.advice(step.error), good=False)

    def answered(self, _trial: object) -> None:
        """All is said already."""

    def complain(self, error: Exception | None) -> None:
        """Say what is wrong instead of the steps."""
        if isinstance(error, VxtrayError):
            self.steps.hide()
        super().complain(error)
