"""The guide with its contents and its search, for the Help page and for the window that dialogs open.

GUI thread only. The guide is a few small files, read when it is first shown.
"""

from PySide6.QtCore import QSignalBlocker, Qt, Slot
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QListWidget, QListWidgetItem, QSplitter, QVBoxLayout, QWidget

from vxtray.core import guide, texts
from vxtray.core.guide import Hit
from vxtray.core.texts import _
from vxtray.gui.guide.text import GuideText
from vxtray.gui.theme import theme
from vxtray.gui.widgets import button

_CONTENTS_WIDTH = 220
#: Below this width, in px at scale 1, contents and text have no room beside each other.
_NARROW = 560
_PLACE = Qt.ItemDataRole.UserRole


class GuideView(QWidget):
    """Contents, or what a search found, at the left, the page at the right; above them the way back and the search."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._back: list[tuple[str, str, int]] = []
        self.back = button(_("Back"))
        self.back.clicked.connect(self.go_back)
        self.index = button(_("Contents"))
        self.index.clicked.connect(lambda: self.show_topic("index"))
        self.field = QLineEdit()
        self.field.setPlaceholderText(_("Search the guide"))
        self.field.setAccessibleName(_("Search the guide"))
        self.field.setClearButtonEnabled(True)
        self.field.textChanged.connect(self._search)
        self.field.returnPressed.connect(self._open_first)
        self.list = QListWidget()
        self.list.setProperty("role", "contents")
        self.list.setAccessibleName(_("Contents"))
        self.list.setWordWrap(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.currentItemChanged.connect(lambda item, _before: self._open(item))
        self.list.itemClicked.connect(self._open)
        self.reader = GuideText()
        self.reader.link_wanted.connect(self.open)
        self._lay_out()
        for keys, call in (("Alt+Left", self.go_back), ("Ctrl+F", self._find)):
            key = QShortcut(QKeySequence(keys), self)
            key.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            key.activated.connect(call)
        self._show_back()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.back)
        row.addWidget(self.index)
        row.addWidget(self.field, 1)
        self._split = QSplitter()
        self._split.setChildrenCollapsible(False)
        self._split.setHandleWidth(10)
        self._split.addWidget(self.list)
        self._split.addWidget(self.reader)
        self._split.setStretchFactor(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 10, 0, 0)
        column.setSpacing(10)
        column.addLayout(row)
        column.addWidget(self._split, 1)

    # --- where one is ------------------------------------------------------------------------------------------------

    def show_topic(self, topic: str) -> None:
        """Show a topic as ``core.guide`` names it."""
        self.open(*guide.placed(topic, texts.current()))

    @Slot(str, str)
    def open(self, name: str, anchor: str = "") -> None:
        """Show a page, at a heading of it; a page that is not there is the first one."""
        self._leave()
        self._show(name, anchor)

    @Slot()
    def go_back(self) -> None:
        """Show what was shown before, as far down as it was."""
        if self._back:
            name, _anchor, scrolled = self._back.pop()
            self._show(name, "")
            self.reader.verticalScrollBar().setValue(scrolled)

    def where(self) -> str:
        """Return the name of the page that is shown, empty before the first."""
        return self.reader.page.name if self.reader.page else ""

    def _leave(self) -> None:
        if self.reader.page is not None:
            self._back.append((self.reader.page.name, "", self.reader.verticalScrollBar().value()))
            del self._back[:-50]

    def _show(self, name: str, anchor: str) -> None:
        shown = guide.page(name, texts.current()) or guide.pages(texts.current())[0]
        if self.reader.page is not shown:
            self.reader.show_page(shown)
        self.reader.go_to(anchor)
        self._show_back()
        if not self.field.text():
            self._choose(shown.name)

    def _show_back(self) -> None:
        self.back.setEnabled(bool(self._back))

    # --- contents and search -----------------------------------------------------------------------------------------

    @Slot(str)
    def _search(self, words: str) -> None:
        """Show what holds the words, or the contents where there are none."""
        language = texts.current()
        if words.strip():
            hits = guide.search(words, language)
        else:
            hits = [Hit(one.name, one.title, one.title, "") for one in guide.pages(language)]
        with QSignalBlocker(self.list):
            self.list.clear()
            for hit in hits:
                own = hit.title == hit.page_title
                item = QListWidgetItem(hit.title if own else f"{hit.title}\n{hit.page_title}")
                item.setData(_PLACE, (hit.page, hit.anchor))
                self.list.addItem(item)
            if not hits:
                nothing = QListWidgetItem(_("Nothing was found."))
                nothing.setFlags(Qt.ItemFlag.NoItemFlags)
                self.list.addItem(nothing)
        if not words.strip():
            self.reader.setExtraSelections([])
            self._choose(self.where())
        self._arrange()

    def _choose(self, name: str) -> None:
        """Show in the contents which page is shown."""
        with QSignalBlocker(self.list):
            for row in range(self.list.count()):
                if self.list.item(row).data(_PLACE) == (name, ""):
                    self.list.setCurrentRow(row)

    def _open(self, item: QListWidgetItem | None) -> None:
        place = item.data(_PLACE) if item is not None else None
        if place is None:
            return
        self.open(*place)
        if words := self.field.text().strip():
            self.reader.mark(words, place[1])

    @Slot()
    def _open_first(self) -> None:
        """Open what was found first; pressed again, what was found next."""
        row = self.list.currentRow() + 1
        self.list.setCurrentRow(row if row < self.list.count() else 0)

    @Slot()
    def _find(self) -> None:
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.selectAll()

    # --- Qt ----------------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Begin with the first page."""
        super().showEvent(event)
        if not self.list.count():
            self._search("")
        if self.reader.page is None:
            self._show("index", "")

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give contents and text the room that there is."""
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """Beside each other, or, where it is narrow, what a search found above the text and no contents at all."""
        px = theme().px
        narrow = self.width() < px(_NARROW)
        wanted = Qt.Orientation.Vertical if narrow else Qt.Orientation.Horizontal
        self.list.setVisible(not narrow or bool(self.field.text().strip()))
        if self._split.orientation() != wanted:
            self._split.setOrientation(wanted)
        whole = self._split.height() if narrow else self._split.width()
        least = px(120) if narrow else px(_CONTENTS_WIDTH)
        self._split.setSizes([least, max(whole - least, 1)])
