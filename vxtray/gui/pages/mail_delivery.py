"""How sending goes at the moment, on the page of the mail server: what is wrong and what helps, and three facts."""

from PySide6.QtCore import Slot

from vxtray.core import texts
from vxtray.core.errors import KeyringLocked
from vxtray.core.texts import _, plural
from vxtray.core.troubles import Trouble
from vxtray.gui.context import Context
from vxtray.gui.glance import Glance, short_moment
from vxtray.gui.pages.history_words import clock_time
from vxtray.gui.pages.overview_words import needs_sign_in
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Banner, Card, Facts, Kind

#: Troubles that are about the mail server: the first word of ``Trouble.what``.
_MAIL = "mail"


class MailTrouble(Banner):
    """Why mails do not leave, and one more try; hidden while they do.

    Signals: those of ``Banner``.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(Kind.DANGER, "")
        self._context = context
        self.refresh()

    def refresh(self) -> None:
        """Say how it stands now. A sign-in with a provider that ended has a card of its own."""
        found = [one for one in self._context.service.troubles() if one.what.partition(":")[0] == _MAIL]
        found = [one for one in found if not needs_sign_in(one)]
        self.setVisible(bool(found))
        if found:
            worst = min(found, key=lambda one: one.since)
            self.show_message(Kind.DANGER, self._said(worst), _("Try again"))

    def _said(self, trouble: Trouble) -> str:
        said = words(trouble.error)
        if isinstance(trouble.error, KeyringLocked):
            return said
        since = short_moment(trouble.since, self._context.service.clock())
        return _("Mail has not worked since {time}", time=since) + f". {said}"


class DeliveryCard(Card):
    """When a mail was accepted last, what waits, and what was given up."""

    def __init__(self, context: Context, glance: Glance) -> None:
        super().__init__(_("How sending goes"))
        self._context, self._glance = context, glance
        self._facts = Facts()
        self.add(self._facts)
        glance.changed.connect(self._changed)

    @Slot()
    def _changed(self) -> None:
        if self.isVisible():  # what is shown again is refreshed by its page
            self.refresh()

    def refresh(self) -> None:
        """Show how it stands now."""
        service, mail = self._context.service, self._glance.mail
        now, language = service.clock(), texts.current()
        proven = self._glance.proven_at
        accepted = texts.format_ago(proven, now, language) if proven is not None else _("Nothing was accepted yet.")
        lines = [(_("Last accepted"), accepted), (_("Waiting"), self._waiting())]
        if mail.failed:
            lines.append((_("Not delivered"), plural("{n} mail, see History", "{n} mails, see History", mail.failed)))
        self._facts.show_facts(lines)

    def _waiting(self) -> str:
        service, queued = self._context.service, self._glance.mail.queued
        if not queued:
            return _("Nothing waits.")
        said = plural("{n} mail", "{n} mails", queued)
        waiting = self._glance.mail.waiting
        if waiting is not None and waiting.until is not None and waiting.until > service.clock():
            said += ". " + _("Next try at {time}", time=clock_time(waiting.until, service.clock()))
        return said
