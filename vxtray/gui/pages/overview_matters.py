"""What needs a look, one line each with its button, or that nothing does. GUI thread only.

Lines are kept while their matter lasts, so that a button never goes away under the mouse or from the keyboard.
"""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from vxtray.core.texts import _
from vxtray.gui.icons import IconLabel
from vxtray.gui.pages.overview_words import Matter
from vxtray.gui.widgets import Beside, Card, Pill, button, plain_label, separator


class MatterRow(QWidget):
    """A word for the sort, what it is, and one button."""

    def __init__(self, matter: Matter) -> None:
        super().__init__()
        self.pill = Pill(matter.kind, matter.word)
        self._lead = QWidget()
        lead = QVBoxLayout(self._lead)
        lead.setContentsMargins(0, 0, 0, 0)
        lead.addWidget(self.pill, 0, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeading)
        lead.addStretch(1)
        self.text, self.beside = plain_label(), plain_label(role="secondary")
        words = QWidget()
        column = QVBoxLayout(words)
        column.setContentsMargins(0, 1, 0, 0)
        column.setSpacing(1)
        column.addWidget(self.text)
        column.addWidget(self.beside)
        said = QWidget()
        line = QHBoxLayout(said)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(12)
        line.addWidget(self._lead)
        line.addWidget(words, 1)
        self.press = button(matter.mend.action)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 2, 0, 2)
        whole.addWidget(Beside(said, self.press, least=220))
        self.matter = matter
        self.show_matter(matter)

    def show_matter(self, matter: Matter) -> None:
        """Say how it stands now."""
        self.matter = matter
        self.pill.show_state(matter.kind, matter.word)
        self.pill.updateGeometry()
        self.text.setText(matter.text)
        self.beside.setText(matter.beside)
        self.beside.setVisible(bool(matter.beside))
        self.press.setText(matter.mend.action)
        about = ", ".join(filter(None, (matter.text, matter.beside)))  # two storms may be of the same kind
        self.press.setAccessibleName(f"{matter.mend.action}: {about}")
        self.setAccessibleName(f"{matter.word}: {matter.text}")
        self.setAccessibleDescription(matter.beside)

    def lead_width(self) -> int:
        """Return the width of the word, in px."""
        return self.pill.sizeHint().width()

    def align(self, width: int) -> None:
        """Let the text begin where that of the other lines does."""
        self._lead.setFixedWidth(width)


class MattersCard(Card):
    """The lines.

    Signals: ``wanted(where)`` when a button is pressed; see ``overview_words.Mend``.
    """

    wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__(_("Needs a look"))
        self._calm = QWidget()
        line = QHBoxLayout(self._calm)
        line.setContentsMargins(0, 2, 0, 4)
        line.setSpacing(8)
        line.addWidget(IconLabel("check", "good", 14), 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(plain_label(_("Nothing at the moment."), "muted"), 1)
        self._lines = QWidget()
        self._list = QVBoxLayout(self._lines)
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(8)
        self._hairlines: list[QWidget] = []
        self.rows: dict[str, MatterRow] = {}
        for part in (self._calm, self._lines):
            self.add(part)
        self.add_stretch()

    def show_matters(self, matters: Sequence[Matter]) -> None:
        """Show these, the most pressing first."""
        if [one.key for one in matters] != list(self.rows):
            self._place(matters)
        for one in matters:
            self.rows[one.key].show_matter(one)
        width = max((row.lead_width() for row in self.rows.values()), default=0)
        for row in self.rows.values():
            row.align(width)
        self._calm.setVisible(not matters)
        self._lines.setVisible(bool(matters))

    def _place(self, matters: Sequence[Matter]) -> None:
        """Make a line for each new matter, and take away those that are over."""
        before, self.rows = self.rows, {}
        for one in matters:
            self.rows[one.key] = before.pop(one.key) if one.key in before else self._row(one)
        while self._list.takeAt(0) is not None:
            pass
        for gone in (*before.values(), *self._hairlines):
            gone.hide()
            gone.deleteLater()
        self._hairlines = [separator() for _row in list(self.rows)[1:]]
        for at, row in enumerate(self.rows.values()):
            if at:
                self._list.addWidget(self._hairlines[at - 1])
            self._list.addWidget(row)

    def _row(self, matter: Matter) -> MatterRow:
        row = MatterRow(matter)
        row.press.clicked.connect(lambda _checked=False: self.wanted.emit(row.matter.mend.where))
        return row
