"""Finding the mail server's settings from an e-mail address. GUI thread only; the search runs on ``vx-task``."""

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.mail.transport import Cutoff
from vxtray.core.settings.tree import Smtp
from vxtray.core.settings.wellformed import is_address
from vxtray.core.texts import _
from vxtray.gui.bridge import Bridge
from vxtray.gui.icons import IconLabel
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Card, button, label_for, link_button, plain_label, separator

if TYPE_CHECKING:
    from vxtray.core.mail.discover import Discovery, Proposal

#: Proposals that are shown; more would hide the form.
_SHOWN = 4


def _discover(address: str, base: Smtp, cutoff: Cutoff) -> "Discovery":
    """Search; what that needs is loaded with the first search, not with the window."""
    from vxtray.core.mail.discover import discover

    return discover(address, base, cutoff=cutoff)


class Finder(QWidget):
    """An address, a button, and what was found for it.

    Signals: ``chosen(dict)`` with settings below ``smtp.``: the best proposal that was verified, or the one clicked;
    ``found`` when a search ended.
    """

    chosen = Signal(dict)
    found = Signal()

    def __init__(self, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._base = Smtp()
        self._cutoff: Cutoff | None = None
        self.address = QLineEdit()
        self.address.setAccessibleName(_("E-mail address to find settings for"))
        self.address.setPlaceholderText(_("you@example.com"))
        self.search = button(_("Find settings"))
        self.search.setAccessibleDescription(_("Looks for the mail server of this address, and tries it."))
        self.address.returnPressed.connect(self._search)
        self.address.textEdited.connect(self._typed)
        self.search.clicked.connect(self._search)
        line = QHBoxLayout()
        line.setSpacing(8)
        self.label = label_for(self.address, _("E-mail address"))
        line.addWidget(self.label)
        line.addSpacing(8)  # as far as in a form
        line.addWidget(self.address, 1)
        line.addWidget(self.search)
        self.results = Card()
        self.results.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(line)
        column.addWidget(self.results)

    def load(self, smtp: Smtp) -> None:
        """Begin anew with saved settings."""
        self.stop()
        self._base = smtp
        self.address.setText(smtp.from_address)
        self.search.setText(_("Find settings"))
        self.results.hide()
        self._typed()

    def stop(self) -> None:
        """Hear no more of a search that runs."""
        if self._cutoff is not None:
            self._cutoff.cut()
            self._cutoff = None
        self.search.setEnabled(True)

    @Slot()
    def _typed(self) -> None:
        self.search.setEnabled(is_address(self.address.text().strip()))

    @Slot()
    def _search(self) -> None:
        address, base = self.address.text().strip(), self._base
        if not is_address(address) or self._cutoff is not None:
            return
        cutoff = self._cutoff = self._bridge.cutoff()
        self.search.setEnabled(False)
        self._say(_("Looking for the mail server of {address}…", address=address))
        self._bridge.run(
            lambda: _discover(address, base, cutoff),
            lambda answer: self._show(answer) if self._ended(cutoff) else None,
            lambda error: self._say(words(error)) if self._ended(cutoff) else None,
            owner=self,
        )

    def _ended(self, cutoff: Cutoff) -> bool:
        """Return True where the search that ended is the one in hand."""
        if self._cutoff is not cutoff:
            return False
        self._cutoff = None
        self.search.setEnabled(True)
        return True

    def _show(self, answer: "Discovery") -> None:
        if not answer.proposals:
            lines = [_("Nothing was found for {domain}.", domain=answer.domain)]
            if answer.fault.text:
                lines.append(answer.fault.in_language(texts.current()))
            lines.append(_("Ask the provider for its SMTP server and port, and enter them by hand."))
            self._say("\n".join(lines))
        else:
            self._empty()
            for position, proposal in enumerate(answer.proposals[:_SHOWN]):
                if position:
                    self.results.add(separator())
                self.results.add(self._row(proposal, answer.address))
            best = answer.proposals[0]
            if best.verified:
                self._choose(best, answer.address)
        self.found.emit()

    def _row(self, proposal: "Proposal", address: str) -> QWidget:
        language = texts.current()
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(10)
        line.addWidget(
            IconLabel("check" if proposal.verified else "warning", "good" if proposal.verified else "warning", 14)
        )
        column = QVBoxLayout()
        column.setSpacing(1)
        server = f"{proposal.host}:{proposal.port}"
        name = f"{proposal.provider} · {server}" if proposal.provider else server
        column.addWidget(plain_label(name, "strong", selectable=True))
        told = (
            proposal.detail.in_language(language),
            proposal.note.in_language(language),
            _("Source: {source}", source=proposal.source.in_language(language)),
        )
        for text in filter(None, told):
            column.addWidget(plain_label(text, "muted"))
        line.addLayout(column, 1)
        use = link_button(_("Use this"))
        use.setAccessibleName(_("Use {server}", server=server))
        use.clicked.connect(lambda: self._choose(proposal, address))
        line.addWidget(use)
        return row

    def _choose(self, proposal: "Proposal", address: str) -> None:
        taken = proposal.settings(self._base, address)
        names = ("host", "port", "security", "username", "from_address")
        self.chosen.emit({name: getattr(taken, name) for name in names})

    def _say(self, text: str) -> None:
        self._empty()
        self.results.add(plain_label(text, "muted"))

    def _empty(self) -> None:
        self.results.clear()
        self.results.show()
