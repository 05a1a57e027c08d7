"""Step 1: an e-mail address, the server found for it, and a sign-in that works.

GUI thread only; search, check and keyring are asked on ``vx-task``.
"""

from typing import Any

import msgspec
from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import QGridLayout, QLineEdit, QWidget

from vxtray.core.credentials import Secret, smtp_account
from vxtray.core.errors import VxtrayError
from vxtray.core.mail.delivery import secret_for
from vxtray.core.mail.providers import SignIn, by_server
from vxtray.core.settings.tree import Auth, OAuth, Security, Smtp
from vxtray.core.settings.wellformed import is_address
from vxtray.core.texts import N_, _
from vxtray.gui.assistant.browser import BrowserSignIn, provider_at
from vxtray.gui.assistant.checking import Checking
from vxtray.gui.assistant.intro import Intro
from vxtray.gui.assistant.step import Step
from vxtray.gui.context import Context
from vxtray.gui.finding import Finder
from vxtray.gui.sign_in_words import button_words
from vxtray.gui.smtp_dialog import SmtpDialog
from vxtray.gui.smtp_saving import Kept, KeptPassword, Saving
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Card, FlowRow, link_button, mark, plain_label

_PROTECTED = {
    Security.TLS: N_("{host}, port {port}, encrypted from the start"),
    Security.STARTTLS: N_("{host}, port {port}, encrypted by STARTTLS"),
    Security.NONE: N_("{host}, port {port}, not encrypted: others can read along"),
}
_TAKEN = ("host", "port", "security", "username", "from_address", "ca_file")
_SAVED = (*_TAKEN, "auth")


def _known(changes: dict[str, object]) -> dict[str, Any]:
    """Return the changes that this step takes over; Qt hands a word of an enumeration on as its text."""
    known = {name: value for name, value in changes.items() if name in _TAKEN}
    return known | ({"security": Security(str(known["security"]))} if "security" in known else {})


class AccountStep(Step):
    """The search, then the sign-in by password or browser, then the staged check; what passed it is saved."""

    def __init__(self, context: Context) -> None:
        super().__init__(
            context,
            "account",
            _("Mail account"),
            _("Which mail account may vxtray use?"),
            _("Your e-mail address is enough to begin with: vxtray looks for its server, and tries it."),
        )
        self._taken = Smtp()
        self._stored = self._by_browser = False
        self._saving: Saving | None = None
        self._dialog: SmtpDialog | None = None
        self.finder = Finder(context.bridge)
        self.finder.chosen.connect(self._choose)
        self.finder.found.connect(self._found)
        self.finder.address.textEdited.connect(self._address_typed)
        self.trouble = plain_label(role="trouble")
        self._make_sign_in()
        self.checking = Checking(context)
        self.checking.stepped.connect(self._show_newest)
        self.checking.ended.connect(self._checked)
        self.checking.changes_wanted.connect(self._try)
        self.keep = link_button(_("Keep it all the same, and go on"))
        self.keep.clicked.connect(self._keep)
        self.by_hand = link_button(_("Enter the server by hand…"))
        self.by_hand.clicked.connect(self._open_dialog)
        self._ways = FlowRow(self.keep, self.by_hand, gap=8)
        self._intro = Intro()
        search = Card()
        search.add(self.finder)
        for part in (search, self.trouble, self.account, self.checking, self._ways, self._intro):
            self.put(part)

    def _make_sign_in(self) -> None:
        self.account = Card(_("Sign in"))
        self._server = plain_label(role="muted", selectable=True)
        self.account.add(self._server)
        self.username = QLineEdit()
        self.username.setAccessibleName(_("User name"))
        self.password = QLineEdit()
        self.password.setAccessibleName(_("Password"))
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.password.textEdited.connect(lambda _text: self._complain(""))
        self.username.editingFinished.connect(self._ask_stored)
        self._by_password = QWidget()
        grid = QGridLayout(self._by_password)
        grid.setContentsMargins(0, 4, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        for row, (text, field) in enumerate(((_("&User name"), self.username), (_("&Password"), self.password))):
            label = plain_label(text, "muted", wrap=False)
            label.setBuddy(field)
            grid.addWidget(label, row, 0)
            grid.addWidget(field, row, 1)
        grid.addWidget(plain_label(_("It goes to your keyring, never into a file."), "secondary"), 2, 1)
        self.browser = BrowserSignIn(self.context)
        self.browser.granted.connect(self._check)
        self.browser.changed.connect(self.busy_changed)
        self.browser.panel.moved.connect(self._show_newest)
        self.other_way = link_button("")
        self.other_way.clicked.connect(self._change_way)
        for part in (self._by_password, self.browser, self.other_way):
            self.account.add(part)

    # --- what a step answers -----------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """True while the server is tried or the password is stored."""
        return self.checking.running or self._saving is not None

    @property
    def next_words(self) -> str:
        """Say that the server is tried first."""
        return _("&Check and go on") if self._taken.host and self._changed() else super().next_words

    def complete(self) -> bool:
        """Return whether there is a way to send."""
        return self.context.model.current.smtp.configured

    def enter(self) -> None:
        """Show what is saved."""
        self._taken = self.context.model.current.smtp
        self.finder.load(self._taken)
        self.password.clear()
        self.checking.clear()
        self.keep.hide()
        self._complain("")
        self._choose_way()
        self._show_account()

    def first_field(self) -> QWidget:
        """Return the address, or what is asked next where its server is known."""
        if not self._taken.host:
            return self.finder.address
        return self.browser.first_field() if self._by_browser else self.password

    def halt(self) -> None:
        """Stop the search, the check, the wait for a browser, and a keyring that waits."""
        self.finder.stop()
        self.checking.halt()
        self.browser.stop()
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
        self._lock(on=False)

    def forward(self) -> None:
        """Search, or check what was found, or go on with what is saved already."""
        address = self.finder.address.text().strip()
        if self.busy or not self.finder.search.isEnabled():
            if not is_address(address):
                said = _("Enter the e-mail address that mails shall come from, such as name@example.com.")
                self._complain(said, self.finder.address)
            return
        if not self._taken.host or address != self._taken.from_address:
            self.finder.search.click()
        elif self._by_browser and not self.browser.signed_in():
            self.browser.start()
        elif not self._changed():
            self.passed.emit()
        elif not self._by_browser and self.username.text().strip() and not self.password.text() and not self._stored:
            self._complain(_("Enter the password of this account."), self.password)
        else:
            self._check()

    # --- what was found ----------------------------------------------------------------------------------------------

    @Slot()
    def _address_typed(self) -> None:
        self._complain("")
        self.busy_changed.emit()

    @Slot(dict)
    def _choose(self, changes: dict[str, object]) -> None:
        address = self.finder.address.text().strip()
        known = _known(changes) | {"from_address": address}
        self._taken = msgspec.structs.replace(self._taken, auth=Auth.AUTO, **known)
        self._choose_way()
        self._show_account()
        self.first_field().setFocus()

    @Slot()
    def _found(self) -> None:
        self.busy_changed.emit()
        self._show_newest()

    def _choose_way(self) -> None:
        """Take the way in that was saved, else the one that the provider wants."""
        known = by_server(self._taken.host) if self._taken.host else None
        wanted = known is not None and known.sign_in is SignIn.OAUTH and not self.complete()
        self._by_browser = self._taken.auth is Auth.OAUTH or wanted

    @Slot()
    def _change_way(self) -> None:
        self._by_browser = not self._by_browser
        self._show_account()
        self.first_field().setFocus()

    def _show_account(self) -> None:
        """Show the server in hand, and what it wants of a person."""
        smtp, provider = self._taken, provider_at(self._taken.host)
        self.account.setVisible(bool(smtp.host))
        self._intro.setVisible(not smtp.host)
        self._server.setText(_(_PROTECTED[smtp.security], host=smtp.host, port=smtp.port))
        self.username.setText(smtp.username)
        self.browser.load(smtp)
        self.browser.setVisible(self._by_browser)
        self._by_password.setVisible(not self._by_browser)
        self.other_way.setText(_("Sign in with a password instead") if self._by_browser else button_words(provider))
        self.other_way.setVisible(bool(provider))
        self._ask_stored()
        self.busy_changed.emit()

    @Slot()
    def _ask_stored(self) -> None:
        """Say in the password's field whether the keyring knows it."""
        self._stored = False
        self.password.setPlaceholderText("")
        smtp, store = self._typed(), self.context.credentials
        if self._by_browser or not smtp.host or not smtp.username:
            return
        account = smtp_account(smtp)

        def known(secret: Secret | None) -> None:
            if (self._typed().username, self._taken.host) == (smtp.username, smtp.host):
                self._stored = secret is not None
                said = _("Stored in the keyring. Leave empty to keep it") if self._stored else ""
                self.password.setPlaceholderText(said)

        self.context.bridge.run(lambda: store.get(account), known, lambda _error: None, owner=self, quick=True)

    def _typed(self) -> Smtp:
        """Return what is in hand, with what is typed."""
        if self._by_browser:
            return self.browser.settings()
        user = self.username.text().strip()
        auth = self._taken.auth
        if auth is Auth.OAUTH or (auth is Auth.NONE and user):
            auth = Auth.AUTO
        return msgspec.structs.replace(self._taken, username=user, auth=auth)

    def _changed(self) -> bool:
        return self._typed() != self.context.model.current.smtp or bool(self.password.text())

    # --- trying and saving -------------------------------------------------------------------------------------------

    @Slot()
    def _check(self) -> None:
        self._complain("")
        self.keep.hide()
        smtp, store = self._typed(), self.context.credentials
        # Before there are recipients, whether the server takes mail for the sender answers the same question.
        tried = msgspec.structs.replace(smtp, recipients=smtp.recipients or (smtp.from_address,))
        text = self.password.text() if smtp.signs_in else ""
        self._lock(on=True)
        if self._by_browser:
            self.checking.start(tried, self.browser.panel.token_source(smtp))
        else:
            self.checking.start(tried, lambda: Secret(text) if text else secret_for(smtp, store))
        self.checking.hear_no_warnings()
        self.busy_changed.emit()

    @Slot(bool)
    def _checked(self, good: bool) -> None:
        self._lock(on=False)
        if good:
            self._keep()
        else:
            self.keep.show()
            self.first_field().setFocus()  # which the lock took away
            self._show_newest()
        self.busy_changed.emit()

    @Slot(dict)
    def _try(self, changes: dict[str, object]) -> None:
        """Take over what the check proposes, and try again."""
        self._taken = msgspec.structs.replace(self._typed(), **_known(changes))
        self._show_account()
        self._check()

    @Slot()
    def _keep(self) -> None:
        """Save the settings; with a secret, both or neither."""
        smtp, text, secrets = self._typed(), self.password.text(), list[Kept]()
        values = {f"smtp.{name}": getattr(smtp, name) for name in _SAVED}
        try:
            if self._by_browser:
                values |= {f"smtp.oauth.{name}": getattr(smtp.oauth, name) for name in OAuth.__struct_fields__}
                secrets = self.browser.secrets(smtp)
            elif text and smtp.signs_in:
                secrets = [KeptPassword(self.context.credentials, smtp, Secret(text))]
            if not secrets:
                self.context.model.update(values)
        except VxtrayError as error:
            self._complain(words(error))
            return
        if not secrets:
            self._saved()
            return
        self._lock(on=True)
        self._saving = Saving(self.context, secrets, values)
        self._saving.waiting.connect(self._keyring_waits)
        self._saving.saved.connect(self._saved)
        self._saving.failed.connect(self._not_saved)
        self._saving.start()
        self.busy_changed.emit()

    @Slot()
    def _keyring_waits(self) -> None:
        self.checking.view.begin(_("Waiting for the keyring. Unlock it, and vxtray goes on."))
        self._show_newest()

    @Slot()
    def _saved(self) -> None:
        self._saving = None
        self.password.clear()
        self._lock(on=False)
        self.busy_changed.emit()
        self.passed.emit()

    @Slot(object, str)
    def _not_saved(self, error: Exception, beside: str) -> None:
        self._saving = None
        self._lock(on=False)
        self._complain(" ".join(filter(None, (words(error), beside))))
        self.busy_changed.emit()

    # --- the window --------------------------------------------------------------------------------------------------

    def _lock(self, *, on: bool) -> None:
        for part in (self.finder, self.account, self.by_hand):
            part.setEnabled(not on)

    def _complain(self, text: str, field: QLineEdit | None = None) -> None:
        self.trouble.setText(text)
        self.trouble.setVisible(bool(text))
        for one in (self.finder.address, self.password):
            mark(one, wrong=one is field)
        if field is not None:
            field.setFocus()

    @Slot()
    def _show_newest(self) -> None:
        """Scroll to what came last, once the layout has made room for it."""
        QTimer.singleShot(0, self, lambda: self.ensureWidgetVisible(self._ways, 0, 16))

    @Slot()
    def _open_dialog(self) -> None:
        if self._dialog is None:
            self._dialog = SmtpDialog(self.context, self)
            self._dialog.accepted.connect(self._entered_by_hand)
        self._dialog.edit()
        if not self._dialog.finder.address.text():
            self._dialog.finder.address.setText(self.finder.address.text())

    @Slot()
    def _entered_by_hand(self) -> None:
        self.enter()
        self.take_focus()
