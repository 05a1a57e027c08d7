"""What the dialogs about a server have in common: address, account and certificate, tried before they are saved.

GUI thread only; the keyring and the server are asked on ``vx-task``. The password goes into the keyring first: until
the settings are saved, nobody uses it.
"""

from collections.abc import Callable

import msgspec
from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog, QFileDialog, QFormLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from vxtray.core.credentials import Account, Secret
from vxtray.core.errors import N_, SettingsInvalid, VxtrayError
from vxtray.core.settings import keys
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.sign_in_fields import Snug, beside
from vxtray.gui.stored_password import StoredSecret
from vxtray.gui.theme import theme
from vxtray.gui.trouble import field_words
from vxtray.gui.widgets import button, label_for, mark, plain_label, primary_button, scrolled

_COMMON = ("url", "username", "ca_file")


class ServerForm(QDialog):
    """The fields ``url``, ``username``, ``password`` and ``ca_file`` of one section of the settings.

    Whoever inherits makes its further fields, then calls ``lay_out``, and says what a trial asks.
    """

    #: Of the dialog, in px at scale 1.
    HEIGHT = 440

    def __init__(self, context: Context, section: str, title: str, near: str, parent: QWidget | None = None) -> None:
        """``near`` is what an address looks like; of ``section`` comes the account of the keyring, too."""
        super().__init__(parent)
        self.context = context
        self.section = section
        self.setWindowTitle(title)
        self.url = self.line(_("Address"), near)
        self.username = self.line(_("User name"))
        self.password = self.line(_("Password"))
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.forget = button(_("Forget"))
        self.forget.setAccessibleName(_("Forget the stored password"))
        self.ca_file = self.line(_("Own CA"), _("Only for a self-signed certificate"))
        self.choose = button(_("Choose…"))
        self.choose.setAccessibleName(_("Choose: {name}", name=_("Own CA")))
        self.choose.clicked.connect(self._choose)
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
            self.account,
            context.credentials.get,
            context.credentials.forget,
            field=self.password,
            button=self.forget,
            unstored=_("Not stored for this server yet"),
        )
        self._stored.failed.connect(self.complain)
        self._stored.refused.connect(self.complain)
        for field in (self.url, self.username):
            field.editingFinished.connect(self._stored.look_again)

    # --- what differs ------------------------------------------------------------------------------------------------

    def hint(self) -> str:
        """Return what is said above the fields."""
        raise NotImplementedError

    def more_rows(self) -> tuple[list[tuple[str, QWidget]], list[tuple[str, QWidget]]]:
        """Return the further fields with their labels: those after the address, and those at the end."""
        return [], []

    def beneath(self) -> list[QWidget]:
        """Return what stands beneath the fields."""
        return []

    def saved(self) -> msgspec.Struct:
        """Return the section as it is saved now."""
        raise NotImplementedError

    def show_more(self) -> None:
        """Show the saved values of the further fields."""

    def more_values(self) -> dict[str, object]:
        """Return what is typed into the further fields, by the names of the section."""
        return {}

    def changes(self) -> dict[str, object]:
        """Return what saving changes besides, by dotted key."""
        return {}

    def begin_trial(self) -> None:
        """Say that the server is asked."""
        self.answer.setText(_("Asking the server…"))
        self.answer.show()

    def try_it(self, typed: msgspec.Struct, password: Callable[[], Secret | None]) -> object:
        """Ask the server, on ``vx-task``; ``password`` may ask the keyring. Raises ``VxtrayError``."""
        raise NotImplementedError

    def answered(self, trial: object) -> None:
        """Say what the server answered."""
        raise NotImplementedError

    def account(self) -> Account:
        """Return whose password is meant by what is typed. Raises ``VxtrayError``."""
        raise NotImplementedError

    # --- building ----------------------------------------------------------------------------------------------------

    def line(self, name: str, placeholder: str = "") -> QLineEdit:
        """Return a field for a line of text."""
        line = QLineEdit()
        line.setAccessibleName(name)
        line.setPlaceholderText(placeholder)
        return line

    def lay_out(self) -> None:
        """Put the fields in their places."""
        px = theme().px
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(8)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        early, late = self.more_rows()
        rows: list[tuple[str, QWidget, QWidget]] = [
            (_("Address"), self.url, self.url),
            *((label, field, field) for label, field in early),
            (_("User name"), self.username, self.username),
            (_("Password"), self.password, beside(self.password, self.forget)),
            (_("Own CA"), self.ca_file, beside(self.ca_file, self.choose)),
            *((label, field, field) for label, field in late),
        ]
        for label, field, shown in rows:
            form.addRow(label_for(field, label), shown)
        inner = QWidget()
        inner.setObjectName("column")
        column = QVBoxLayout(inner)
        column.setContentsMargins(20, 20, 20, 8)
        column.setSpacing(12)
        column.addWidget(Snug(plain_label(self.hint(), "muted")))
        column.addLayout(form)
        column.addWidget(self.trouble)
        column.addWidget(self.answer)
        for part in self.beneath():
            column.addWidget(part)
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
        self.resize(px(620), px(self.HEIGHT))

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
        saved = self.saved()
        for name in _COMMON:
            getattr(self, name).setText(getattr(saved, name))
        self.show_more()
        self.password.clear()
        self.answer.hide()
        self.complain(None)
        self._stored.ask()
        self.url.setFocus()

    def values(self) -> dict[str, object]:
        """Return what is typed by dotted key, unchecked."""
        typed: dict[str, object] = {name: getattr(self, name).text().strip() for name in _COMMON}
        return {f"{self.section}.{name}": value for name, value in (typed | self.more_values()).items()}

    def typed(self) -> msgspec.Struct:
        """Return the section as it is typed. Raises ``SettingsInvalid``, ``VxtrayError`` for an unusable address."""
        from vxtray.core.sources.vigilancex_api import address_of

        values = self.values()
        found = {key.removeprefix(f"{self.section}."): keys.convert(key, value) for key, value in values.items()}
        if not found["url"]:
            raise SettingsInvalid(N_("Enter the address of the server first."), "", key=f"{self.section}.url")
        address_of(str(found["url"]), self.windowTitle())
        return msgspec.structs.replace(self.saved(), **found)

    # --- trying and saving -------------------------------------------------------------------------------------------

    def _checked(self) -> msgspec.Struct | None:
        """Return what is typed; what is wrong with it is said."""
        try:
            typed = self.typed()
        except VxtrayError as error:
            self.complain(error)
            return None
        self.complain(None)
        return typed

    @Slot()
    def _test(self) -> None:
        typed = self._checked()
        if typed is None:
            return
        self.begin_trial()
        self.test.setEnabled(False)
        text, account, store = self.password.text(), self.account(), self.context.credentials

        def done(trial: object) -> None:
            self.test.setEnabled(True)
            self.answered(trial)

        self._run(lambda: self.try_it(typed, lambda: Secret(text) if text else store.get(account)), done)

    @Slot()
    def _save(self) -> None:
        if self._checked() is None:
            return
        text, account, store = self.password.text(), self.account(), self.context.credentials
        if not text:
            self._keep(None)
            return
        self.save.setEnabled(False)
        self._run(lambda: store.set(account, Secret(text)), self._keep)

    def _keep(self, _former: object) -> None:
        """Save the settings; the password is stored by now."""
        self.save.setEnabled(True)
        try:
            self.context.model.update(self.values() | self.changes())
        except VxtrayError as error:
            self.complain(error)
            return
        self.accept()

    def _run(self, work: Callable[[], object], done: Callable[[object], None]) -> None:
        self.context.bridge.run(work, done, self._failed, owner=self, waits=True)

    def _failed(self, error: Exception) -> None:
        self.test.setEnabled(True)
        self.save.setEnabled(True)
        self.answer.hide()
        self.complain(error)

    @Slot(object)
    def complain(self, error: Exception | None) -> None:
        """Say what is wrong, and lead to the field."""
        values = error.values if isinstance(error, VxtrayError) else {}
        wrong = str(values.get("key", "")).removeprefix(f"{self.section}.")
        for name in (*_COMMON, *self.more_values()):
            field = getattr(self, name, None)
            if isinstance(field, QLineEdit):
                mark(field, wrong=name == wrong)
                if name == wrong:
                    field.setFocus()
        self.trouble.setText("" if error is None else field_words(error))
        self.trouble.setVisible(error is not None)
