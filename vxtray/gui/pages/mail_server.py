"""What is saved about the mail server, and the ways to prove that it works."""

from PySide6.QtCore import Slot

from vxtray.core.mail.delivery import secret_for
from vxtray.core.notices import TroubleChanged
from vxtray.core.settings.model import Change
from vxtray.core.settings.tree import Auth, Security, Smtp
from vxtray.core.texts import N_, _
from vxtray.gui.actions import Actions
from vxtray.gui.bindings import follow
from vxtray.gui.context import Context
from vxtray.gui.doctor_view import DoctorView, Examination
from vxtray.gui.pages.mail_delivery import DeliveryCard, MailTrouble
from vxtray.gui.sign_in_card import SignInCard
from vxtray.gui.sign_in_fields import PROVIDERS
from vxtray.gui.sign_in_notice import PasswordNotice
from vxtray.gui.smtp_dialog import SmtpDialog
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Card, EmptyState, Facts, Kind, Page, button, primary_button

_SECURITY = {
    Security.STARTTLS: N_("STARTTLS, certificate checked"),
    Security.TLS: N_("TLS from the start, certificate checked"),
    Security.NONE: N_("None: others can read along"),
}


#: How often the sign-in is looked at while it is seen.
_REFRESH_MS = 15_000


class MailServerPage(Page):
    """The saved values with Edit, Test connection and Send test e-mail, and the sign-in with a provider."""

    def __init__(self, context: Context, actions: Actions) -> None:
        self._edit, self._test = primary_button(_("Edit")), button(_("Test connection"))
        self._send = button(_("Send test e-mail"))
        super().__init__(_("Mail server"), "", (self._send, self._test, self._edit))
        self._context = context
        self._examination: Examination | None = None
        self.dialog = SmtpDialog(context, self)
        self._edit.clicked.connect(self.dialog.edit)
        self._test.clicked.connect(self._examine)
        self._send.clicked.connect(actions.send_test.trigger)
        self._empty = EmptyState(
            "mail",
            _("No mail server yet"),
            _("vxtray sends reports and alerts through your own mail account. Enter its server, user and recipients."),
            _("Set up the mail server"),
        )
        self._empty.activated.connect(self.dialog.edit)
        self._card = Card(_("What is saved"))
        self._facts = Facts()
        self._card.add(self._facts)
        self.doctor = DoctorView()
        self.doctor.remedy_wanted.connect(self.dialog.try_changes)
        self.doctor.trust_wanted.connect(self.dialog.trust)
        self.doctor.ca_file_wanted.connect(self.dialog.choose_ca_file)
        self.doctor.sign_in_wanted.connect(self.begin_sign_in)
        self.sign_in = SignInCard(context)
        self.sign_in.told.connect(self.say)
        self.sign_in.failed.connect(self._told)
        self.notice = PasswordNotice(context)
        self.notice.activated.connect(self.dialog.switch)
        self.notice.failed.connect(self._told)
        self.trouble, self.delivery = MailTrouble(context), DeliveryCard(context, actions.glance)
        self.trouble.activated.connect(self._retry)
        for part in (self._empty, self.notice, self.trouble, self.sign_in, self._card, self.doctor, self.delivery):
            self.add(part)
        self.add_stretch()
        self.keep_fresh(self.refresh, _REFRESH_MS)
        context.bridge.noticed.connect(self._noticed)
        follow(self, context.model, self._follow)
        self.refresh()

    def refresh(self) -> None:
        """Show what is saved now."""
        smtp = self._context.model.current.smtp
        known = bool(smtp.host)
        self._empty.setVisible(not known)
        self._card.setVisible(known)
        for one in (self._edit, self._test, self._send, self.delivery):
            one.setVisible(known)
        self.set_words(_("Mail server"), smtp.host if known else "")
        self._facts.show_facts(_lines(smtp))
        self.sign_in.refresh()
        self.notice.refresh()
        self.trouble.refresh()
        self.delivery.refresh()

    @Slot()
    def begin_sign_in(self) -> None:
        """Sign in again, or where a password is still in use, offer to sign in instead."""
        if self._context.model.current.smtp.auth is Auth.OAUTH:
            self.sign_in.start()
        else:
            self.dialog.switch()

    @Slot(object)
    def _noticed(self, notice: object) -> None:
        if isinstance(notice, TroubleChanged) and self.isVisible():
            self.sign_in.refresh()
            self.trouble.refresh()

    @Slot()
    def _retry(self) -> None:
        """Try what waits now, whatever the pause between tries."""

        def done(_none: None) -> None:
            self.say(_("It is tried now."))

        self._context.bridge.run(self._context.service.mail_mended, done, self._told, owner=self)

    @Slot(object)
    def _told(self, error: Exception) -> None:
        self.say(words(error), Kind.WARNING)

    def _follow(self, change: Change) -> None:
        """Show changed settings; what a test said of others than these is taken away, and one that runs is stopped."""
        self.refresh()
        if any(key.startswith("smtp.") for key in change.keys):
            if self._examination is not None:
                self._examination.cancel()
            self._test.setEnabled(True)
            self.doctor.hide()

    @Slot()
    def _examine(self) -> None:
        smtp, service = self._context.model.current.smtp, self._context.service
        self._test.setEnabled(False)
        self._examination = Examination(self._context.bridge, self)
        self.doctor.follow(self._examination, smtp)
        self._examination.finished.connect(self._examined)
        self._examination.failed.connect(self._failed)
        self._examination.start(smtp, lambda: secret_for(smtp, service.credentials, service.tokens))

    @Slot(bool)
    def _examined(self, _good: bool) -> None:
        self._test.setEnabled(True)

    @Slot(object)
    def _failed(self, error: Exception) -> None:
        self._test.setEnabled(True)
        self.doctor.say_error(error)


def _way(smtp: Smtp) -> str:
    if smtp.auth is Auth.OAUTH:
        return _(dict(PROVIDERS).get(smtp.oauth.provider, N_("Another provider (OAuth 2.0)")))
    return _("User name and password") if smtp.signs_in else _("No sign-in")


def _lines(smtp: Smtp) -> list[tuple[str, str]]:
    lines = [
        (_("Server"), _("{server}, port {port}", server=smtp.host, port=smtp.port)),
        (_("Encryption"), _(_SECURITY[smtp.security])),
        (_("Sign in with"), _way(smtp)),
        (_("User name"), smtp.username if smtp.signs_in else _("no sign-in")),
        (_("From"), f"{smtp.from_name} <{smtp.from_address}>" if smtp.from_name else smtp.from_address or "–"),
        (_("Recipients"), "\n".join(smtp.recipients) or "–"),
    ]
    if smtp.ca_file:
        lines.append((_("Own CA"), smtp.ca_file))
    return lines
