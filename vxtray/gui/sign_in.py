"""Signing in with a provider: one button, the wait for the browser, and what came of it.

A widget of its own for every place that signs in: the mail server's dialog and page, and the first start. It stores
nothing. GUI thread only; the sign-in waits on ``vx-wait``.
"""

from collections.abc import Callable
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QLineEdit, QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.credentials import Secret, redact
from vxtray.core.errors import VxtrayError
from vxtray.core.mail.admin_note import note_for_admin
from vxtray.core.mail.delivery import secret_for
from vxtray.core.mail.faults import MailError
from vxtray.core.mail.oauth.endpoints import PROVIDERS
from vxtray.core.mail.oauth.tokens import TokenKeeper, client_secret
from vxtray.core.settings.tree import Smtp
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.icons import IconLabel
from vxtray.gui.sign_in_attempt import LIMIT_SECONDS, Attempt
from vxtray.gui.sign_in_words import button_words, state_words
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Button, FlowRow, button, link_button, plain_label
from vxtray.gui.widgets.status import announce, with_icon

if TYPE_CHECKING:
    from vxtray.core.mail.oauth.device import Code
    from vxtray.core.mail.oauth.flow import Granted


class Step(Enum):
    """Where a sign-in is."""

    IDLE = auto()
    WAITING = auto()
    CODE = auto()
    DECIDING = auto()
    DONE = auto()
    FAILED = auto()


class SignInPanel(QWidget):
    """How the sign-in is, and the buttons to do it.

    Signals: ``granted(Smtp, Granted)`` once a person signed in, with the account that they decided on as the user name;
    ``failed(error)`` where it came to nothing; ``moved`` when it takes another height.
    """

    granted = Signal(object, object)
    failed = Signal(object)
    moved = Signal()

    def __init__(
        self,
        context: Context,
        settings: Callable[[], Smtp],
        *,
        typed_secret: Callable[[], str] = str,
        afterwards: str = "",
        parent: QWidget | None = None,
    ) -> None:
        """``settings`` gives what to sign in with, or raises ``VxtrayError``; all are asked on the GUI thread.

        ``typed_secret`` is the client secret where one is typed ("": the stored one); ``afterwards`` says beneath the
        success what is still to be done.
        """
        super().__init__(parent)
        self._context = context
        self._settings, self._typed_secret, self._afterwards = settings, typed_secret, afterwards
        self._attempt: Attempt | None = None
        self._fault: MailError | None = None
        self._smtp = Smtp()  # of the attempt, or of what was granted
        self._grant: Granted | None = None
        self.step = Step.IDLE
        self._make()
        self.refresh()

    def _make(self) -> None:
        self._icon = IconLabel("info", "secondary", 14)
        self.words = plain_label(role="strong", selectable=True)
        self.detail = plain_label(role="muted", selectable=True)
        self.code = plain_label(role="figure", selectable=True)
        self.code.setAccessibleName(_("Code to enter"))
        self.url = QLineEdit()
        self.url.setReadOnly(True)
        self.url.setAccessibleName(_("Address to open in the browser"))
        self.sign_in = self._button(button(""), self.start)
        self.by_code = self._button(link_button(_("This computer has no browser")), self.start_with_code)
        self.copy = self._button(button(_("Copy the address")), self._copy)
        self.take = self._button(button(_("Use this account")), self._take_account)
        self.again = self._button(button(_("Sign in again")), self.start)
        self.note = self._button(link_button(_("Copy a note for the administrator")), self._copy_note)
        self.cancel = self._button(button(_("Cancel")), self.stop)
        self._buttons = FlowRow(
            self.sign_in, self.take, self.again, self.copy, self.cancel, self.by_code, self.note, gap=8
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(with_icon(self._icon, self.words, 8))
        for part in (self.detail, self.code, self.url, self._buttons):
            column.addWidget(part)

    @staticmethod
    def _button(made: Button, pressed: Callable[[], None]) -> Button:
        made.clicked.connect(pressed)
        return made

    # --- what others do ----------------------------------------------------------------------------------------------

    @Slot()
    def refresh(self) -> None:
        """Show how the sign-in is for the settings of now; one that runs or was granted for others is forgotten."""
        smtp = self._now()
        same = smtp is not None and _same(smtp, self._smtp)
        if self.step in {Step.WAITING, Step.CODE, Step.DECIDING, Step.DONE} and same:
            return
        if self.step is Step.FAILED and same:
            return
        self.stop()

    @Slot()
    def start(self) -> None:
        """Open the browser and wait for the person."""
        self._begin(by_code=False)

    @Slot()
    def start_with_code(self) -> None:
        """Show a code to enter on another device, and wait."""
        self._begin(by_code=True)

    @Slot()
    def stop(self) -> None:
        """End what runs, forget what was granted, and show how the sign-in is."""
        self._end()
        self._grant, self._smtp = None, Smtp()
        self._show_idle()

    def also(self, other: Button) -> None:
        """Put one more button at the end of the row; who puts it there shows and hides it."""
        self._buttons.add(other)

    @Slot(str)
    def wait_for(self, what: str) -> None:
        """Say what a sign-in that was granted still waits for."""
        self._show(Step.DONE, "info", "accent", self.words.text(), what)

    def grant_for(self, smtp: Smtp) -> "Granted | None":
        """Return what was granted for exactly these settings, None where nothing was."""
        return self._grant if self.step is Step.DONE and _same(smtp, self._smtp) else None

    def token_source(self, smtp: Smtp) -> Callable[[], Secret | None]:
        """Return how to get an access token: of the sign-in just made, else of the one that is stored."""
        if (granted := self.grant_for(smtp)) is not None:
            return lambda: granted.access_token
        service = self._context.service
        return lambda: secret_for(smtp, service.credentials, service.tokens)

    # --- the steps ---------------------------------------------------------------------------------------------------

    def _now(self) -> Smtp | None:
        try:
            return self._settings()
        except VxtrayError:
            return None

    def _show_idle(self) -> None:
        smtp = self._now()
        if smtp is None or smtp.oauth.provider not in PROVIDERS:
            self._show(Step.IDLE, "info", "secondary", _("Not signed in yet."))
            return
        health = self._context.service.tokens.health(smtp)
        said = state_words(health)
        self._show(Step.IDLE, said.icon, said.colour, said.title, said.detail)

    def _begin(self, *, by_code: bool) -> None:
        self._end()
        self._grant = None
        try:
            self._smtp = smtp = self._settings()
        except VxtrayError as error:
            self.fail(error)
            return
        typed, store = self._typed_secret(), self._context.credentials
        self._attempt = attempt = Attempt(self._context.bridge, smtp, self)
        attempt.opened.connect(self._opened)
        attempt.coded.connect(self._coded)
        attempt.granted.connect(self._granted)
        attempt.failed.connect(self.fail)
        self.url.clear()
        self._show(Step.WAITING, "info", "accent", _("Asking for a code…") if by_code else _("Opening the browser…"))
        attempt.start(lambda: Secret(typed) if typed else client_secret(store, smtp), by_code=by_code)

    @Slot(str)
    def _opened(self, url: str) -> None:
        self._show_url(url)
        until = self._context.service.clock() + timedelta(seconds=LIMIT_SECONDS)
        self._show(
            Step.WAITING,
            "info",
            "accent",
            _("Waiting for the browser…"),
            _(
                "Sign in there and come back. If no browser opened, open this address yourself, on this computer."
                " vxtray waits until {time}.",
                time=texts.format_time(until.astimezone(), texts.current()),
            ),
        )

    @Slot(object)
    def _coded(self, code: "Code") -> None:
        self.code.setText(code.user_code)
        self._show_url(code.url)
        until = texts.format_time(code.expires_at.astimezone(), texts.current())
        warning = PROVIDERS[self._smtp.oauth.provider].device_note
        lines = [_("Open this address on any device and enter the code. It is valid until {time}.", time=until)]
        lines += [_(warning)] if warning else []
        self._show(Step.CODE, "info", "accent", _("Waiting for the code to be entered…"), " ".join(lines))

    def _show_url(self, url: str) -> None:
        self.url.setText(url)
        self.url.setCursorPosition(0)

    @Slot(object)
    def _granted(self, granted: "Granted") -> None:
        self._end()
        self._grant = granted
        other = TokenKeeper.mismatch(self._smtp, granted)
        if other and self._smtp.username:
            self.take.setAccessibleDescription(_("Use {address} as the user name", address=other))
            self._show(
                Step.DECIDING,
                "warning",
                "warning",
                _(
                    "You signed in as {other}, and the user name is {username}.",
                    other=other,
                    username=self._smtp.username,
                ),
                _("Mail can only be sent by the account that signed in. Nothing is stored yet."),
            )
            return
        self._finish(other or self._smtp.username)

    @Slot()
    def _take_account(self) -> None:
        assert self._grant is not None
        self._finish(self._grant.signed_in_as)

    def _finish(self, username: str) -> None:
        self._smtp = msgspec.structs.replace(self._smtp, username=username)
        grant, who = self._grant, self._grant.signed_in_as if self._grant is not None else ""
        title = _("Signed in as {address}.", address=who) if who else _("Signed in.")
        self._show(Step.DONE, "check", "good", title, self._afterwards)
        self.granted.emit(self._smtp, grant)

    @Slot(object)
    def fail(self, error: Exception) -> None:
        """Say why it came to nothing, here or where it was to be stored."""
        self._end()
        self._fault = error if isinstance(error, MailError) else None
        title = texts.title(error) if isinstance(error, VxtrayError) else words(error)
        advice = texts.advice(error) if isinstance(error, VxtrayError) else ""
        details = _details(error)
        said = _("Technical details: {details}", details=details) if details else ""
        self._show(Step.FAILED, "cross", "danger", title, "\n".join(filter(None, (advice, said))))
        self.failed.emit(error)

    def _end(self) -> None:
        if self._attempt is not None:
            self._attempt.cancel()
            self._attempt = None

    # --- what is shown -----------------------------------------------------------------------------------------------

    def _show(self, step: Step, icon: str, colour: str, title: str, detail: str = "") -> None:
        news = (title, detail) != (self.words.text(), self.detail.text())
        focus = QApplication.focusWidget()
        within = focus is not None and self.isAncestorOf(focus)
        self.step = step
        self._icon.set_icon(icon, colour)
        self.words.setText(title)
        self.detail.setText(detail)
        self.detail.setVisible(bool(detail))
        self._show_buttons()
        if within and focus is not None and not focus.isVisibleTo(self):
            next((one for one in self._buttons.shown() if one.isEnabled()), self).setFocus()
        if news and self.isVisible():
            announce(self, " ".join(filter(None, (title, detail))))
        self.moved.emit()

    def _show_buttons(self) -> None:
        step, smtp = self.step, self._now() or Smtp()
        self.sign_in.setText(button_words(smtp.oauth.provider, again=step is not Step.IDLE or self._is_signed_in(smtp)))
        self.code.setVisible(step is Step.CODE)
        self.url.setVisible(step in {Step.WAITING, Step.CODE} and bool(self.url.text()))
        shown = {
            self.sign_in: {Step.IDLE, Step.FAILED, Step.DONE},
            self.by_code: {Step.IDLE, Step.FAILED} if _has_codes(smtp) and not self._works(smtp) else set(),
            self.copy: {Step.WAITING, Step.CODE} if self.url.text() else set(),
            self.take: {Step.DECIDING},
            self.again: {Step.DECIDING},
            self.note: {Step.FAILED} if self._for_an_administrator() else set(),
            self.cancel: {Step.WAITING, Step.CODE, Step.DECIDING},
        }
        self.copy.setText(_("Copy the address"))
        self.note.setText(_("Copy a note for the administrator"))
        for one, steps in shown.items():
            one.setVisible(step in steps)

    def _is_signed_in(self, smtp: Smtp) -> bool:
        return smtp.oauth.provider in PROVIDERS and self._context.service.tokens.health(smtp).state != "signed-out"

    def _for_an_administrator(self) -> bool:
        return self._fault is not None and bool(self._fault.admin_note or _details(self._fault))

    def _works(self, smtp: Smtp) -> bool:
        return self._is_signed_in(smtp) and self._context.service.tokens.health(smtp).state != "needs-sign-in"

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.url.text())
        self.copy.setText(_("✓ Copied"))

    @Slot()
    def _copy_note(self) -> None:
        if self._fault is not None:
            note = note_for_admin(self._fault, self._smtp, _details(self._fault), texts.current())
            QGuiApplication.clipboard().setText(redact(note))
            self.note.setText(_("✓ Copied"))


def _details(error: Exception) -> str:
    """Return the technical words of a fault, for an administrator."""
    return " · ".join(filter(None, (getattr(error, "reply", ""), *getattr(error, "details", ()))))


def _same(one: Smtp, other: Smtp) -> bool:
    """Return whether two settings name the same registration and account."""
    return one.oauth == other.oauth and one.username.casefold() == other.username.casefold()


def _has_codes(smtp: Smtp) -> bool:
    known = PROVIDERS.get(smtp.oauth.provider)
    return known is not None and bool(known.device_url or smtp.oauth.device_url)
