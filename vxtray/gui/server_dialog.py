"""Edit a server that events are read from: VIGILANCE X, or its tables in ClickHouse; try it before it is saved.

GUI thread only; see ``server_form``.
"""

from collections.abc import Callable
from typing import Literal

import msgspec
from PySide6.QtWidgets import QCheckBox, QWidget

from vxtray.core.credentials import Account, Secret
from vxtray.core.errors import N_
from vxtray.core.settings.tree import ClickHouse, VigilanceX
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.guide.window import help_key
from vxtray.gui.server_form import ServerForm
from vxtray.gui.sign_in_fields import Snug
from vxtray.gui.source_words import TITLES
from vxtray.gui.widgets import NumberField, plain_label

Which = Literal["vigilancex", "clickhouse"]

#: What a VIGILANCE X server says of itself; see ``vigilancex_notices``.
_NOTICES = (
    ("update", N_("A newer version is available")),
    ("leak", N_("A data leak was found")),
    ("load", N_("High load of processor or memory")),
    ("disk", N_("Its disk fills up")),
    ("license", N_("Its licence ends")),
    ("syslog", N_("It hears nothing from the firewall")),
    ("bans", N_("Bans wait for approval")),
)
_SKEW_SECONDS = 60


class ServerDialog(ServerForm):
    """Address, account and certificate of one server. Saving switches it on."""

    def __init__(self, context: Context, which: Which, parent: QWidget | None = None) -> None:
        self._which: Which = which
        ours = which == "vigilancex"
        near = "https://vigilance.example.com" if ours else "https://clickhouse.example.com:8443"
        super().__init__(context, f"sources.{which}", _(TITLES[which]), near, parent)
        if ours:
            self.HEIGHT = 640
        self.database = self.line(_("Database"), ClickHouse().database)
        self.poll_seconds = NumberField(5, 3600)
        self.poll_seconds.setAccessibleName(_("Ask every"))
        self.poll_seconds.setSuffix("\N{NO-BREAK SPACE}" + _("seconds"))
        self.notices = {name: QCheckBox(_(text)) for name, text in _NOTICES}
        self.lay_out()
        help_key(self, "vigilance-x")

    def hint(self) -> str:
        """Return what is read there."""
        if self._which == "vigilancex":
            return _(
                "vxtray signs in there and asks for new events, WAF requests and bans. An account of the role “audit”"
                " is enough. The past seven days are read at first, without alerts."
            )
        return _(
            "vxtray reads the tables events, modsec_logs and ip_ban_status. An account that may only read is enough."
            " Use this or the server itself, not both: each event would count twice."
        )

    def more_rows(self) -> tuple[list[tuple[str, QWidget]], list[tuple[str, QWidget]]]:
        """Return how often it is asked, or the database."""
        if self._which == "vigilancex":
            return [], [(_("Ask every"), self.poll_seconds)]
        return [(_("Database"), self.database)], []

    def beneath(self) -> list[QWidget]:
        """Return the notices to choose from."""
        if self._which == "clickhouse":
            return []
        said = _("Alert me, as of a critical event, when the server says:")
        return [Snug(plain_label(said, "strong")), *self.notices.values()]

    def saved(self) -> VigilanceX | ClickHouse:
        """Return what is saved of it."""
        sources = self.context.model.current.sources
        return sources.vigilancex if self._which == "vigilancex" else sources.clickhouse

    def show_more(self) -> None:
        """Show its further fields."""
        saved = self.saved()
        if isinstance(saved, VigilanceX):
            self.poll_seconds.setValue(saved.poll_seconds)
            for name, box in self.notices.items():
                box.setChecked(name in saved.notices)
        else:
            self.database.setText(saved.database)

    def more_values(self) -> dict[str, object]:
        """Return what its further fields say."""
        if self._which == "clickhouse":
            return {"database": self.database.text().strip() or ClickHouse().database}
        notices = tuple(name for name, box in self.notices.items() if box.isChecked())
        return {"poll_seconds": self.poll_seconds.value(), "notices": notices}

    def changes(self) -> dict[str, object]:
        """Switch it on."""
        return {f"{self.section}.enabled": True}

    def account(self) -> Account:
        """Return whose password is meant."""
        return Account(f"{self._which}-password", self.username.text().strip(), self.url.text().strip())

    def try_it(self, typed: msgspec.Struct, password: Callable[[], Secret | None]) -> object:
        """Sign in and ask for what is read later."""
        from vxtray.core.sources.server_trial import try_clickhouse, try_vigilancex

        if isinstance(typed, VigilanceX):
            return try_vigilancex(typed, password())
        assert isinstance(typed, ClickHouse)
        return try_clickhouse(typed, password())

    def answered(self, trial: object) -> None:
        """Say what can be read, and by how much its clock differs."""
        from vxtray.core.sources.server_trial import Trial

        assert isinstance(trial, Trial)
        said = [_(text) for text in trial.words]
        if abs(trial.skew) > _SKEW_SECONDS:
            said.append(_("Its clock differs from this machine’s by {n} s; that is allowed for.", n=round(trial.skew)))
        self.answer.setText(" ".join(said))
