"""How one source of events stands, as a row of the page "Sources". GUI thread only."""

from collections.abc import Sequence

from PySide6.QtWidgets import QVBoxLayout, QWidget

from vxtray.gui.source_words import SourceState
from vxtray.gui.widgets import Beside, FlowRow, Kind, Pill, plain_label


class SourceRow(QWidget):
    """How one source stands: name, state, figures, what is wrong, and buttons."""

    def __init__(self, name: str, buttons: Sequence[QWidget], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pill = Pill(Kind.INFO, "")
        self.figures = plain_label(role="muted")
        self.trouble = plain_label(role="trouble")
        text = QWidget()
        column = QVBoxLayout(text)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        if name:
            column.addWidget(plain_label(name, "strong", selectable=True))
        for part in (self.figures, self.trouble):
            column.addWidget(part)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 2, 0, 2)
        whole.addWidget(Beside(text, FlowRow(self.pill, *buttons, gap=8), least=300))
        self.setAccessibleName(name)

    def show_state(self, state: SourceState) -> None:
        """Show how it stands now."""
        self.pill.show_state(state.kind, state.word)
        self.pill.updateGeometry()
        self.figures.setText(state.figures)
        self.trouble.setText(state.trouble)
        self.trouble.setVisible(bool(state.trouble))
        self.setAccessibleDescription(" ".join(filter(None, (state.word, state.figures, state.trouble))))
