"""Edit a server that events are read from: VIGILANCE X, or its tables in ClickHouse; try it before it is saved.

GUI thread only; the keyring and the server are asked on ``vx-task``. The password goes into the keyring first: until
the settings are saved, nobody uses it.
"""

from collections.abc import Callable
from typing import Literal

import msgspec
from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from vxtray.core.credentials import Account, Secret
from vxtray.core.errors import N_, SettingsInvalid, VxtrayError
from vxtray.core.settings import keys
from vxtray.core.settings.tree import ClickHouse, VigilanceX
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.sign_in_fields import Snug, beside
from vxtray.gui.source_words import TITLES
from vxtray.gui.stored_password import StoredSecret
from vxtray.gui.theme import theme
from vxtray.gui.trouble import field_words
from vxtray.gui.widgets import NumberField, button, label_for, mark, plain_label, primary_button, scrolled

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


class ServerDialog(QDialog):
    """Address, account and certificate of one server. Saving switches it on."""

    def __init__(self, context: Context, which: Which, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._which: Which = which
        self._section = f"sources.{which}"
        self.setWindowTitle(_(TITLES[which]))
        self._make_fields()
        self.trouble = plain_label(role="trouble")
        self.answer = plain_label(role="muted")
        self.test = button(_("Try it"))
        self.cancel = button(_("Cancel"))
        self.save = primary_button(_("Save"))
        self.save.setDefault(True)
        self.test.clicked.connect(self._test)
        self.cancel.clicked.connect(self.reject)
        self.save.clicked.connect(self._save)
        self._stored: StoredSecret[Account] = StoredSecret(
            context,
            self._account,
            context.credentials.get,
            context.credentials.forget,
            field=self.password,
            button=self.forget,
            unstored=_("Not stored for this server yet"),
        )
        self._stored.failed.connect(self._complain)
        self._stored.refused.connect(self._complain)
        for field in (self.url, self.username):
            field.editingFinished.connect(self._stored.look_again)
        self._lay_out()

    # --- building ----------------------------------------------------------------------------------------------------

    def _make_fields(self) -> None:
        near = "https://vigilance.example.com" if self._which == "vigilancex" else "https://clickhouse.example.com:8443"
        self.url = self._line(_("Address"), near)
        self.database = self._line(_("Database"), ClickHouse().database)
        self.username = self._line(_("User name"), "")
        self.password = self._line(_("Password"), "")
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.forget = button(_("Forget"))
        self.forget.setAccessibleName(_("Forget the stored password"))
        self.ca_file = self._line(_("Own CA"), _("Only for a self-signed certificate"))
        self.choose = button(_("Choose…"))
        self.choose.setAccessibleName(_("Choose: {name}", name=_("Own CA")))
        self.choose.clicked.connect(self._choose)
        self.poll_seconds = NumberField(5, 3600)
        self.poll_seconds.setAccessibleName(_("Ask every"))
        self.poll_seconds.setSuffix("\N{NO-BREAK SPACE}" + _("seconds"))
        self.notices = {name: QCheckBox(_(text)) for name, text in _NOTICES}

    def _line(self, name: str, placeholder: str) -> QLineEdit:
        line = QLineEdit()
        line.setAccessibleName(name)
        line.setPlaceholderText(placeholder)
        return line

    def _lay_out(self) -> None:
        px = theme().px
        ours = self._which == "vigilancex"
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(8)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        rows: list[tuple[str, QWidget, QWidget]] = [(_("Address"), self.url, self.url)]
        if not ours:
            rows.append((_("Database"), self.database, self.database))
        rows += [
            (_("User name"), self.username, self.username),
            (_("Password"), self.password, beside(self.password, self.forget)),
            (_("Own CA"), self.ca_file, beside(self.ca_file, self.choose)),
        ]
        if ours:
            rows.append((_("Ask every"), self.poll_seconds, self.poll_seconds))
        for label, field, shown in rows:
            form.addRow(label_for(field, label), shown)
        inner = QWidget()
        inner.setObjectName("column")
        column = QVBoxLayout(inner)
        column.setContentsMargins(20, 20, 20, 8)
        column.setSpacing(12)
        column.addWidget(Snug(plain_label(_hint(self._which), "muted")))
        column.addLayout(form)
        column.addWidget(self.trouble)
        column.addWidget(self.answer)
        if ours:
            column.addWidget(Snug(plain_label(_("Alert me, as of a critical event, when the server says:"), "strong")))
            for box in self.notices.values():
                column.addWidget(box)
        column.addStretch(1)
        foot = QHBoxLayout()
        foot.setContentsMargins(20, 8, 20, 16)
        foot.setSpacing(10)
        foot.addWidget(self.test)
        foot.addStretch(1)
        for one in (self.cancel, self.save):
            foot.addWidget(one)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(scrolled(inner, self.windowTitle()), 1)
        whole.addLayout(foot)
        self.setMinimumWidth(px(540))
        self.resize(px(620), px(640) if ours else px(440))

    @Slot()
    def _choose(self) -> None:
        kinds = _("Certificates (*.pem *.crt *.cer *.key)") + ";;" + _("All files (*)")
        name, _kind = QFileDialog.getOpenFileName(self, _("Own CA"), self.ca_file.text(), kinds)
        if name:
            self.ca_file.setText(name)

    # --- opening -----------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Load the saved values, except when the window system only brings the dialog back."""
        if not event.spontaneous():
            self.load()
        super().showEvent(event)

    def load(self) -> None:
        """Show the saved values; the password field is empty, which means: unchanged."""
        sources = self._context.model.current.sources
        saved = sources.vigilancex if self._which == "vigilancex" else sources.clickhouse
        for name in ("url", "username", "ca_file"):
            getattr(self, name).setText(getattr(saved, name))
        if isinstance(saved, VigilanceX):
            self.poll_seconds.setValue(saved.poll_seconds)
            for name, box in self.notices.items():
                box.setChecked(name in saved.notices)
        else:
            self.database.setText(saved.database)
        self.password.clear()
        self.answer.hide()
        self._complain(None)
        self._stored.ask()
        self.url.setFocus()

    def values(self) -> dict[str, object]:
        """Return what is typed by dotted key, unchecked."""
        typed: dict[str, object] = {name: getattr(self, name).text().strip() for name in ("url", "username", "ca_file")}
        if self._which == "vigilancex":
            typed["poll_seconds"] = self.poll_seconds.value()
            typed["notices"] = tuple(name for name, box in self.notices.items() if box.isChecked())
        else:
            typed["database"] = self.database.text().strip() or ClickHouse().database
        return {f"{self._section}.{name}": value for name, value in typed.items()}

    def typed(self) -> VigilanceX | ClickHouse:
        """Return what is typed. Raises ``SettingsInvalid``, ``SourceError`` for an address that cannot be used."""
        from vxtray.core.sources.vigilancex_api import address_of

        values = self.values()
        found = {key.rpartition(".")[2]: keys.convert(key, value) for key, value in values.items()}
        if not found["url"]:
            raise SettingsInvalid(N_("Enter the address of the server first."), "", key=f"{self._section}.url")
        address_of(str(found["url"]), self.windowTitle())
        kind: type[VigilanceX | ClickHouse] = VigilanceX if self._which == "vigilancex" else ClickHouse
        return msgspec.convert(found | {"enabled": True}, kind)

    def _account(self) -> Account:
        return Account(f"{self._which}-password", self.username.text().strip(), self.url.text().strip())

    # --- trying and saving -------------------------------------------------------------------------------------------

    @Slot()
    def _test(self) -> None:
        try:
            typed = self.typed()
        except VxtrayError as error:
            self._complain(error)
            return
        self._complain(None)
        self.answer.setText(_("Asking the server…"))
        self.answer.show()
        self.test.setEnabled(False)
        text, account, store = self.password.text(), self._account(), self._context.credentials

        def work() -> object:
            from vxtray.core.sources.server_trial import try_clickhouse, try_vigilancex

            password = Secret(text) if text else store.get(account)
            if isinstance(typed, VigilanceX):
                return try_vigilancex(typed, password)
            return try_clickhouse(typed, password)

        self._run(work, self._answered)

    def _answered(self, trial: object) -> None:
        from vxtray.core.sources.server_trial import Trial

        assert isinstance(trial, Trial)
        said = [_(text) for text in trial.words]
        if abs(trial.skew) > _SKEW_SECONDS:
            said.append(_("Its clock differs from this machine’s by {n} s; that is allowed for.", n=round(trial.skew)))
        self.answer.setText(" ".join(said))
        self.test.setEnabled(True)

    @Slot()
    def _save(self) -> None:
        try:
            self.typed()
        except VxtrayError as error:
            self._complain(error)
            return
        self._complain(None)
        text, account, store = self.password.text(), self._account(), self._context.credentials
        if not text:
            self._keep(None)
            return
        self.save.setEnabled(False)
        self._run(lambda: store.set(account, Secret(text)), self._keep)

    def _keep(self, _former: object) -> None:
        """Save the settings; the password is stored by now."""
        self.save.setEnabled(True)
        try:
            self._context.model.update(self.values() | {f"{self._section}.enabled": True})
        except VxtrayError as error:
            self._complain(error)
            return
        self.accept()

    def _run(self, work: Callable[[], object], done: Callable[[object], None]) -> None:
        self._context.bridge.run(work, done, self._failed, owner=self, waits=True)

    def _failed(self, error: Exception) -> None:
        self.test.setEnabled(True)
        self.save.setEnabled(True)
        self.answer.hide()
        self._complain(error)

    @Slot(object)
    def _complain(self, error: Exception | None) -> None:
        """Say what is wrong, and lead to the field."""
        values = error.values if isinstance(error, VxtrayError) else {}
        wrong = str(values.get("key", "")).removeprefix(f"{self._section}.")
        for name in ("url", "username", "ca_file", "database"):
            mark(getattr(self, name), wrong=name == wrong)
            if name == wrong:
                getattr(self, name).setFocus()
        self.trouble.setText("" if error is None else field_words(error))
        self.trouble.setVisible(error is not None)


def _hint(which: Which) -> str:
    if which == "vigilancex":
        return _(
            "vxtray signs in there and asks for new events, WAF requests and bans. An account of the role “audit” is"
            " enough. The past seven days are read at first, without alerts."
        )
    return _(
        "vxtray reads the tables events, modsec_logs and ip_ban_status. An account that may only read is enough."
        " Use this or the server itself, not both: each event would count twice."
    )
