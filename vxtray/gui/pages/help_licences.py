"""What is shipped with the program, and under which licences. GUI thread only; read on ``vx-task``."""

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase, QShowEvent
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QSplitter, QTextEdit, QVBoxLayout, QWidget

from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.theme import theme
from vxtray.gui.trouble import words
from vxtray.gui.widgets import plain_label

if TYPE_CHECKING:
    from vxtray.core.licences import Component

_LIST_WIDTH = 250


class LicencesView(QWidget):
    """The components at the left; licence, home page and text of the chosen one at the right."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._asked = False
        self._components: list[Component] = []
        self.list = QListWidget()
        self.list.setProperty("role", "contents")
        self.list.setAccessibleName(_("Shipped components"))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.currentRowChanged.connect(self._show)
        self.shown = QTextEdit()
        self.shown.setReadOnly(True)
        self.shown.setAccessibleName(_("Licence"))
        self.shown.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._about = plain_label(
            _("vxtray is free software under the MIT licence. With it are shipped, under licences of their own:"),
            "muted",
        )
        split = QSplitter()
        split.setChildrenCollapsible(False)
        split.setHandleWidth(10)
        split.addWidget(self.list)
        split.addWidget(self.shown)
        split.setStretchFactor(1, 1)
        split.setSizes([theme().px(_LIST_WIDTH), theme().px(3 * _LIST_WIDTH)])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 12, 0, 0)
        column.setSpacing(10)
        column.addWidget(self._about)
        column.addWidget(split, 1)

    def showEvent(self, event: QShowEvent) -> None:
        """Read the licences when they are looked at first."""
        super().showEvent(event)
        if not self._asked:
            self._asked = True
            from vxtray.core.licences import components  # reads with what the start has no need of

            self._context.bridge.run(components, self._fill, self._failed, owner=self, quick=True)

    def _fill(self, found: "list[Component]") -> None:
        self._components = found
        for one in found:
            item = QListWidgetItem(" ".join(filter(None, (one.name, one.version))))
            item.setToolTip(one.licence)
            self.list.addItem(item)
        self.list.setCurrentRow(0)

    def _failed(self, error: Exception) -> None:
        self._asked = False
        self.shown.setPlainText(words(error))

    def _show(self, row: int) -> None:
        if not 0 <= row < len(self._components):
            return
        one = self._components[row]
        head = [one.name, _("Licence: {name}", name=one.licence), one.homepage, _(one.note) if one.note else ""]
        self.shown.setPlainText("\n\n".join(filter(None, (*head, one.text))))
