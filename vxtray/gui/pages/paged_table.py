"""What the long tables have in common: one row is chosen at a time, and the next page is asked for in time.

GUI thread only.
"""

from PySide6.QtCore import QAbstractItemModel, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from vxtray.gui.theme import theme

#: Rows from the end at which the next page is asked for.
_AHEAD = 100


class PagedTable(QTableView):
    """A table over a model that fetches more; Tab leaves it.

    A subclass calls ``measure`` once it is made, and gives columns their widths in ``_share_out``.
    """

    def __init__(self, model: QAbstractItemModel, name: str, least_section: int, parent: QWidget | None = None) -> None:
        """``least_section``: the least width of a column, in px."""
        super().__init__(parent)
        self.setModel(model)
        self.setAccessibleName(name)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setCornerButtonEnabled(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsClickable(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setMinimumSectionSize(theme().px(least_section))
        self.verticalScrollBar().valueChanged.connect(self._look_ahead)
        theme().changed.connect(self.measure)

    def measure(self) -> None:
        """Give rows the size that the font asks for, and share the width out."""
        # the header as well: its default answers for rows that do not exist yet
        self.verticalHeader().setDefaultSectionSize(theme().px(30))
        self._share_out()

    def _share_out(self) -> None:
        """Give each column its width."""
        raise NotImplementedError

    def _look_ahead(self, value: int) -> None:
        """Ask for the next page before the last row is reached; the bar counts rows."""
        root = self.rootIndex()
        if self.verticalScrollBar().maximum() - value < _AHEAD and self.model().canFetchMore(root):
            self.model().fetchMore(root)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the width out anew."""
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self._share_out()

    def sizeHint(self) -> QSize:
        """Return the least size: the page gives it what is left, and would scroll for more."""
        return self.minimumSizeHint()

    def minimumSizeHint(self) -> QSize:
        """Return a size that a small window has."""
        px = theme().px
        return QSize(px(240), px(150))
