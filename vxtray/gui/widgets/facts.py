"""Names and values side by side, such as what is saved or where things are. GUI thread only."""

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QWidget

from vxtray.gui.widgets.labels import plain_label


class Facts(QWidget):
    """Two columns; values can be selected, long ones wrap."""

    def __init__(self, facts: Iterable[tuple[str, str]] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(24)
        self._grid.setVerticalSpacing(8)
        self._grid.setColumnStretch(1, 1)
        self._shown: list[tuple[str, str]] = []
        self.show_facts(facts)

    def show_facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Show these instead of those before; equal ones stay, with what a person selected in them."""
        facts = list(facts)
        if facts == self._shown:
            return
        self._shown = facts
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for row, (name, value) in enumerate(facts):
            self._grid.addWidget(plain_label(name, "muted", wrap=False), row, 0, Qt.AlignmentFlag.AlignTop)
            said = plain_label(value, selectable=True)
            said.setContentsMargins(0, 1, 0, 0)  # what can be selected is drawn a pixel higher
            said.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeading)
            self._grid.addWidget(said, row, 1)

    def keep_names(self, width: int) -> None:
        """Give the names at least so much room, in px."""
        self._grid.setColumnMinimumWidth(0, width)

    def names_width(self) -> int:
        """Return the width of the longest name, in px."""
        items = [self._grid.itemAtPosition(row, 0) for row in range(len(self._shown))]
        names = [item.widget() for item in items if item is not None]
        return max((name.sizeHint().width() for name in names if name is not None), default=0)


def align_facts(*blocks: Facts) -> None:
    """Let the values of blocks that stand one above the other begin at the same place."""
    width = max(block.names_width() for block in blocks)
    for block in blocks:
        block.keep_names(width)
