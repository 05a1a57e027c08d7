"""A long table, what stands in its place while it is empty, and the details of the chosen row beneath.

GUI thread only.
"""

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QSizePolicy, QSplitter, QStackedWidget, QWidget

from vxtray.gui.pages.paged_table import PagedTable
from vxtray.gui.theme import theme
from vxtray.gui.widgets import Card

#: A row that is only passed by with the arrow keys is not looked at.
_CHOSEN_MS = 40


class SplitList(QSplitter):
    """The parts of a page with a long list.

    Signals: ``chosen()`` a moment after a row was; ``closed()`` when the details were taken away.
    """

    chosen = Signal()
    closed = Signal()

    def __init__(self, table: PagedTable, details: QWidget, others: tuple[QWidget, ...], height: int) -> None:
        """``others`` may stand in the table's place; ``height``: what most details need, in px at scale 1."""
        super().__init__(Qt.Orientation.Vertical)
        self._table, self._details, self._wanted = table, details, height
        self._stack = QStackedWidget()
        self._stack.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        for content in (table, *others):
            self._stack.addWidget(content)
        ground = Card()
        if (column := ground.layout()) is not None:
            column.setContentsMargins(1, 6, 1, 6)
        ground.add(self._stack, 1)
        details.hide()
        self.setChildrenCollapsible(False)
        self.setHandleWidth(10)
        self.addWidget(ground)
        self.addWidget(details)
        self.setStretchFactor(0, 1)
        self._choosing = QTimer(self, singleShot=True, interval=_CHOSEN_MS)
        self._choosing.timeout.connect(self.chosen)
        table.selectionModel().currentRowChanged.connect(lambda _now, _before: self.choose())
        for widget in (table, details):
            away = QShortcut(QKeySequence(Qt.Key.Key_Escape), widget)
            away.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            away.activated.connect(self.close_details)

    def choose(self) -> None:
        """Say soon that a row is chosen."""
        self._choosing.start()

    def stand(self, content: QWidget) -> None:
        """Show the table, or what stands in its place."""
        if self._stack.currentWidget() is not content:
            self._stack.setCurrentWidget(content)
        # the stack would ask for the height of its tallest page
        hint = content.minimumSizeHint() if content is self._table else content.sizeHint()
        self._stack.setMinimumHeight(hint.height())

    def open_details(self) -> None:
        """Make room for the details, where they do not stand there already, and keep the chosen row in sight."""
        if self._details.isHidden():
            self._details.show()
            wanted = theme().px(self._wanted)
            self.setSizes([self.height() - wanted, wanted])
            self._table.scrollTo(self._table.currentIndex())

    @Slot()
    def close_details(self) -> None:
        """Take the details away and choose nothing."""
        focused = QApplication.focusWidget()
        if focused is not None and self._details.isAncestorOf(focused):
            self._table.setFocus()
        self._details.hide()
        self._table.clearSelection()
        self._table.setCurrentIndex(self._table.rootIndex())
        self._choosing.stop()
        self.closed.emit()
