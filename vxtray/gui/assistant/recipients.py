"""Step 2: who is told. GUI thread only."""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from vxtray.core.errors import VxtrayError
from vxtray.core.settings.keys import split_list
from vxtray.core.settings.wellformed import is_address
from vxtray.core.texts import _
from vxtray.gui.assistant.step import Step
from vxtray.gui.context import Context
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Card, link_button, mark, plain_label, read_in_order

#: Fields that may be made one by one; who has more pastes them into one, separated by commas.
_MOST = 20


class _Line(QWidget):
    """One recipient: a field, and a button that takes it away."""

    def __init__(self, number: int, address: str) -> None:
        super().__init__()
        self.field = QLineEdit(address)
        self.field.setPlaceholderText(_("you@example.com"))
        self.field.setAccessibleName(_("Recipient {n}", n=number))
        self.remove = link_button(_("Remove"))
        self.remove.setAccessibleName(_("Remove recipient {n}", n=number))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.field, 1)
        row.addWidget(self.remove)


class RecipientsStep(Step):
    """One field an address; the sender's own stands there at first."""

    def __init__(self, context: Context) -> None:
        super().__init__(
            context,
            "recipients",
            _("Recipients"),
            _("Who should be told?"),
            _("Reports and alerts go to these addresses. Other people for one of them can be named later."),
        )
        self.lines: list[_Line] = []
        self._people = QVBoxLayout()
        self._people.setSpacing(8)
        self.trouble = plain_label(role="trouble")
        self.more = link_button(_("&Add a recipient"))
        self.more.clicked.connect(self._add_empty)
        card = Card()
        self._label = plain_label(_("&E-mail addresses"), "muted", wrap=False)
        card.add(self._label)
        card.add(self._people)
        card.add(self.trouble)
        card.add(self.more)
        self.put(card)

    def complete(self) -> bool:
        """Return whether somebody is told."""
        return bool(self.context.model.current.smtp.recipients)

    def enter(self) -> None:
        """Show who is saved, else the sender."""
        smtp = self.context.model.current.smtp
        for line in list(self.lines):
            self._take(line)
        for address in smtp.recipients or (smtp.from_address,):
            self._add(address)
        self._complain("")

    def first_field(self) -> QWidget:
        """Return the first address."""
        return self.lines[0].field

    @Slot()
    def _add_empty(self) -> None:
        self._add("").field.setFocus()

    def _add(self, address: str) -> _Line:
        line = _Line(len(self.lines) + 1, address)
        line.remove.clicked.connect(lambda: self._remove(line))
        line.field.textEdited.connect(lambda _text: self._complain(""))
        self.lines.append(line)
        self._people.addWidget(line)
        self._arrange()
        return line

    def _remove(self, line: _Line) -> None:
        at = self.lines.index(line)
        self._take(line)
        self.lines[min(at, len(self.lines) - 1)].field.setFocus()

    def _take(self, line: _Line) -> None:
        self.lines.remove(line)
        line.hide()
        line.deleteLater()
        self._arrange()

    def _arrange(self) -> None:
        for line in self.lines:
            line.remove.setVisible(len(self.lines) > 1)
        self.more.setVisible(len(self.lines) < _MOST)
        if self.lines:
            self._label.setBuddy(self.lines[0].field)
        read_in_order((*self.lines, self.more))

    def _complain(self, text: str) -> None:
        self.trouble.setText(text)
        self.trouble.setVisible(bool(text))
        for line in self.lines:
            wrong = bool(text) and not all(map(is_address, split_list(line.field.text())))
            mark(line.field, wrong=wrong)

    def forward(self) -> None:
        """Save the addresses, or say which one is none."""
        typed = [(line, split_list(line.field.text())) for line in self.lines]
        for line, addresses in typed:
            if wrong := [one for one in addresses if not is_address(one)]:
                self._complain(_("“{value}” is not an e-mail address. Write it as name@example.com.", value=wrong[0]))
                line.field.setFocus()
                return
        people = tuple(dict.fromkeys(one for _line, addresses in typed for one in addresses))
        if not people:
            self._complain(_("Name at least one address, or skip this step for now."))
            self.first_field().setFocus()
            return
        try:
            self.context.model.update({"smtp.recipients": people})
        except VxtrayError as error:
            self._complain(words(error))
            return
        self.passed.emit()
