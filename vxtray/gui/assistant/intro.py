"""What vxtray does, for a person who sees it for the first time. GUI thread only."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from vxtray.core.texts import N_, _
from vxtray.gui.icons import IconLabel
from vxtray.gui.widgets import plain_label

_DOES = (
    ("reports", N_("Reports"), N_("Each day, week or month: what was blocked, by whom, and what changed.")),
    ("alerts", N_("Alerts"), N_("At once, when something critical happens. Every event counts, a storm is one mail.")),
    ("tray-ok", N_("A shield in the tray"), N_("Says at a glance whether everything is well, and stays quiet.")),
)


class Intro(QWidget):
    """Three lines, each with its icon."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 18, 0, 0)
        column.setSpacing(16)
        column.addWidget(plain_label(_("What you get in a few minutes"), "secondary"))
        for icon, title, text in _DOES:
            row = QHBoxLayout()
            row.setSpacing(14)
            row.addWidget(IconLabel(icon, "accent", 20), 0, Qt.AlignmentFlag.AlignTop)
            said = QVBoxLayout()
            said.setSpacing(1)
            said.addWidget(plain_label(_(title), "strong"))
            said.addWidget(plain_label(_(text), "muted"))
            row.addLayout(said, 1)
            column.addLayout(row)
