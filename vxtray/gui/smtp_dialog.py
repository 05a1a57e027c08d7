"""Edit the mail server. Reloads the saved values each time it really appears, by whatever way it is opened.

GUI thread only; keyring and mail server are asked on ``vx-task``.
"""

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog, QScrollArea, QVBoxLayout, QWidget

from vxtray.core.credentials import Secret
from vxtray.core.errors import CredentialError, SettingsInvalid, VxtrayError
from vxtray.core.mail.certificates import Shown, keep
from vxtray.core.mail.delivery import secret_for
from vxtray.core.settings.tree import Auth, Smtp
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.doctor_view import DoctorView
from vxtray.gui.finding import Finder
from vxtray.gui.guide.window import help_key
from vxtray.gui.smtp_form import SmtpForm
from vxtray.gui.smtp_saving import Kept, KeptPassword, Saving
from vxtray.gui.smtp_sign_in import SmtpSignIn
from vxtray.gui.smtp_testing import Tests
from vxtray.gui.theme import theme
from vxtray.gui.trouble import words
from vxtray.gui.trusting import asks_to_trust
from vxtray.gui.widgets import Banner, Beside, FlowRow, Kind, button, primary_button, separator

#: The tests stay in one row beside Save, in px, or Save goes beneath them.
_NEVER_FOLDED = 10_000


class SmtpDialog(QDialog):
    """The mail server's settings with test buttons that use what is typed.

    Signals: those of ``QDialog``; ``accepted`` after the values were saved.
    """

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._saving: Saving | None = None
        self._busy = False
        self._keyring_said = False  # that the keyring could not be read is shown beneath the form
        self.setWindowTitle(_("Mail server"))
        self.setObjectName("smtp-dialog")
        self.finder = Finder(context.bridge)
        self.finder.chosen.connect(self._take)
        self.form = SmtpForm()
        self.doctor = DoctorView()
        self.sign_in = SmtpSignIn(context, self.form, self)
        for stored in self.sign_in.stored:
            stored.told.connect(self._keyring_works)
            stored.failed.connect(self._keyring_fails)
            stored.refused.connect(self._failed)
        self.sign_in.faulty.connect(self._complain)
        self._tests = Tests(context, self.doctor, self)
        self._tests.ended.connect(self._settle)
        self._tests.moved.connect(self._scroll_down)
        self._make_buttons()
        self._lay_out()
        help_key(self, "mail-server")

    def _make_buttons(self) -> None:
        self.test = button(_("Test connection"))
        self.send_test = button(_("Send test e-mail"))
        self.cancel = button(_("Cancel"))
        self.save = primary_button(_("Save"))
        self.save.setDefault(True)
        self.test.clicked.connect(self._test)
        self.send_test.clicked.connect(self._send_test)
        self.cancel.clicked.connect(self.reject)
        self.save.clicked.connect(self._save)

    def _lay_out(self) -> None:
        px = theme().px
        self.message = Banner(Kind.WARNING, "")
        self.message.hide()
        self.doctor.remedy_wanted.connect(self.try_changes)
        self.doctor.trust_wanted.connect(self.trust)
        self.doctor.ca_file_wanted.connect(self.choose_ca_file)
        self.doctor.sign_in_wanted.connect(self.sign_in.begin)
        inner = QWidget()
        inner.setObjectName("column")
        column = QVBoxLayout(inner)
        column.setContentsMargins(20, 20, 20, 8)
        column.setSpacing(12)
        column.addWidget(self.message)
        column.addWidget(self.finder)
        column.addWidget(separator())
        column.addWidget(self.form)
        column.addWidget(self.doctor)
        column.addStretch(1)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(inner)
        buttons = QVBoxLayout()
        buttons.setContentsMargins(20, 8, 20, 16)
        tests, ends = FlowRow(self.test, self.send_test, gap=10), FlowRow(self.cancel, self.save, gap=10)
        buttons.addWidget(Beside(tests, ends, least=_NEVER_FOLDED))
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self._scroll, 1)
        whole.addLayout(buttons)
        self.setMinimumWidth(px(560))
        self.resize(px(620), px(660))

    # --- opening -----------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Load the saved values, except when the window system only brings the dialog back."""
        if not event.spontaneous():
            self._align()
            self.reload()
        super().showEvent(event)

    def _align(self) -> None:
        """Let the address to search for begin where the fields of the form do."""
        labels = (self.finder.label, *self.form.labels)
        width = max(label.sizeHint().width() for label in labels)
        for label in labels:
            label.setMinimumWidth(width)

    def edit(self) -> None:
        """Open the dialog; one that is open already is only raised and keeps what was typed."""
        if not self.isVisible():
            self.open()
        self.raise_()
        self.activateWindow()

    @Slot()
    def switch(self) -> None:
        """Open the dialog at the sign-in with the provider of its server."""
        self.edit()
        self.sign_in.switch()

    def reload(self) -> None:
        """Show what is saved on the disk now."""
        self._context.model.reload()
        self.form.load(self._context.model.current.smtp)
        self.finder.load(self._context.model.current.smtp)
        self.doctor.hide()
        self._keyring_said = False
        self.message.hide()
        self._set_busy(False)
        trouble = self._context.model.loaded.trouble
        if trouble is not None:
            self._complain(trouble)
        self.sign_in.load()
        (self.form.host if self.form.host.text() else self.finder.address).setFocus()

    @Slot()
    def _keyring_works(self) -> None:
        if self._keyring_said:
            self._keyring_said = False
            self.doctor.hide()

    @Slot(object)
    def _keyring_fails(self, error: Exception) -> None:
        if not self.doctor.isVisible():
            self.doctor.say_error(error)  # beneath the form: what comes late must not move a field away
            self._keyring_said = True

    def _complain(self, error: Exception, beside: str = "") -> None:
        """Say what is wrong at the top, and lead to the field."""
        text = " ".join(filter(None, (words(error), beside)))
        if isinstance(error, SettingsInvalid) and str(error.values.get("key", "")).startswith("smtp."):
            field = self.form.field(str(error.values["key"]))
            name, value = field.accessibleName(), str(error.values.get("value", ""))
            allowed = _(str(error.values["allowed"]), **{k: v for k, v in error.values.items() if k != "allowed"})
            text = _("{field}: {allowed}.", field=name, allowed=allowed)
            if value:
                text = _("{field}: “{value}” – {allowed}.", field=name, value=value, allowed=allowed)
            field.setFocus()
        self.message.show_message(Kind.WARNING, text)
        self.message.show()
        self._scroll.verticalScrollBar().setValue(0)

    # --- saving and testing ------------------------------------------------------------------------------------------

    @Slot()
    def _save(self) -> None:
        """Save the settings; with a password typed, both or neither."""
        self._with_typed(self._keep_and_save)

    def _keep_and_save(self, smtp: Smtp) -> None:
        text, values, secrets = self.form.password.text(), self.form.values(), list[Kept]()
        if text and smtp.auth in {Auth.AUTO, Auth.PASSWORD}:
            secrets = [KeptPassword(self._context.credentials, smtp, Secret(text))]
        elif smtp.auth is Auth.OAUTH:
            secrets = self.sign_in.secrets(smtp)
        if not secrets:
            self._store_settings(values)
            return
        self._set_busy(True)
        self.form.setEnabled(False)  # what is saved is what was typed until now
        self._saving = Saving(self._context, secrets, values)
        self._saving.waiting.connect(self._keyring_waits)
        self._saving.saved.connect(self._saved)
        self._saving.failed.connect(self._not_saved)
        self._saving.start()

    @Slot()
    def _keyring_waits(self) -> None:
        self.doctor.begin(_("Waiting for the keyring. Unlock it, and vxtray saves; Cancel saves nothing."))
        self._scroll_down()

    @Slot()
    def _saved(self) -> None:
        self._saving = None
        self.accept()

    @Slot(object, str)
    def _not_saved(self, error: Exception, beside: str) -> None:
        self._saving = None
        self._set_busy(False)
        self.doctor.hide()
        self.form.secret_field().setFocus()
        if isinstance(error, CredentialError):
            self._failed(error)
        else:
            self._complain(error, beside)

    def _store_settings(self, values: dict[str, object]) -> None:
        try:
            self._context.model.update(values)
        except VxtrayError as error:
            self._complain(error)
            return
        self.form.password.clear()
        self.accept()

    @Slot()
    def _test(self) -> None:
        if self._busy:
            self._end_test()
            return
        self._with_typed(self._examine)

    def _examine(self, smtp: Smtp) -> None:
        self._set_busy(True)
        self.test.setText(_("Stop the test"))
        self.test.setEnabled(True)
        self._tests.examine(smtp, self._secret_source(smtp))

    @Slot()
    def _end_test(self) -> None:
        self._tests.stop()
        self._set_busy(False)

    # --- what a test leads to ----------------------------------------------------------------------------------------

    @Slot(dict)
    def _take(self, changes: dict[str, object]) -> None:
        """Type what was found, for a person to look at and to save."""
        self.form.fill(changes)
        self.doctor.hide()

    @Slot(dict)
    def try_changes(self, changes: dict[str, object]) -> None:
        """Type changes, and test with them; opens the dialog where it is closed."""
        self.edit()
        self.form.fill(changes)
        self._test()

    @Slot(object)
    def trust(self, certificate: Shown) -> None:
        """Ask whether to trust one certificate, and test with it."""
        self.edit()
        host = self.form.host.text().strip()
        if not asks_to_trust(host, certificate, self):
            return
        try:
            path = keep(self._context.profile.config / "certificates", host, certificate)
        except VxtrayError as error:
            self._complain(error)
            return
        self.try_changes({"ca_file": path})

    @Slot()
    def choose_ca_file(self) -> None:
        """Let a person choose an authority's file, and test with it."""
        self.edit()
        if self.form.choose_ca_file():
            self._test()

    @Slot()
    def _send_test(self) -> None:
        self._with_typed(self._try_sending)

    def _try_sending(self, smtp: Smtp) -> None:
        self._set_busy(True)
        self._tests.send(smtp, self._secret_source(smtp))

    @Slot()
    def _settle(self) -> None:
        self._set_busy(False)

    @Slot(object)
    def _failed(self, error: Exception) -> None:
        self._set_busy(False)
        self.doctor.say_error(error)
        self._scroll_down()

    def _secret_source(self, smtp: Smtp) -> Callable[[], Secret | None]:
        """Return how to get the secret: the typed one, else the stored one (asked for on the other thread)."""
        text, store = self.form.password.text(), self._context.credentials
        if smtp.auth is Auth.OAUTH:
            return self.sign_in.panel.token_source(smtp)
        if text and smtp.signs_in:
            return lambda: Secret(text)
        return lambda: secret_for(smtp, store)

    def _with_typed(self, action: Callable[[Smtp], None]) -> None:
        self.message.hide()
        try:
            smtp = self.form.typed()
        except VxtrayError as error:
            self._complain(error)
            return
        action(smtp)

    def _set_busy(self, busy: bool) -> None:
        self._busy = busy
        for one in (self.test, self.send_test, self.save):
            one.setEnabled(not busy)
        if not busy:
            self.form.setEnabled(True)
            self.test.setText(_("Test connection"))

    @Slot()
    def _scroll_down(self) -> None:
        """Show the newest step, once the layout has made room for it."""
        bar = self._scroll.verticalScrollBar()
        QTimer.singleShot(0, self, lambda: bar.setValue(bar.maximum()))

    def done(self, result: int) -> None:
        """Close; what was typed and not saved is gone, the password above all."""
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
        self._end_test()
        self.finder.stop()
        self.sign_in.stop()
        self.form.password.clear()
        super().done(result)
