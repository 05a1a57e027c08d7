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
        self.show_facts(facts)

    def show_facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Show these instead of those before."""
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for row, (name, value) in enumerate(facts):
            self._grid.addWidget(plain_label(name, "muted", wrap=False), row, 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(plain_label(value, selectable=True), row, 1)
