"""The frame of every page: what it is called, what can be done, and a column that scrolls. GUI thread only."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, QTimer
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QLayout, QScrollArea, QVBoxLayout, QWidget

from vxtray.gui.theme import theme
from vxtray.gui.widgets.arranged import Beside, FlowRow, asked
from vxtray.gui.widgets.labels import plain_label
from vxtray.gui.widgets.status import Banner, Kind, QuietNote, announce

#: Beyond this width, in px at scale 1, lines get too long to read.
_WIDEST = 1120
_MARGIN = 26


def _knows_nothing(_text: str) -> str:
    return ""


class PageHeading(QWidget):
    """Title, subtitle and the page's buttons: beside them, or under them where there is no room."""

    def __init__(
        self, title: str, subtitle: str = "", actions: Sequence[QWidget] = (), parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._title = plain_label(role="heading")
        self._subtitle = plain_label(role="muted")
        words = QWidget()
        column = QVBoxLayout(words)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self._title)
        column.addWidget(self._subtitle)
        self._actions = FlowRow(*actions)
        if not actions:
            self._actions.hide()  # shown without a parent yet, it would be a window of its own
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(Beside(words, self._actions, least=320))
        self.set_words(title, subtitle)

    def title(self) -> str:
        """Return the title."""
        return self._title.text()

    def set_words(self, title: str, subtitle: str = "") -> None:
        """Say how things stand now."""
        self._title.setText(title)
        self._subtitle.setText(subtitle)
        self._subtitle.setVisible(bool(subtitle))


class _Ground(QWidget):
    """What scrolls: as high as its content is at its width, and not as it would be at the least width."""

    def __init__(self) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

    def minimumSizeHint(self) -> QSize:
        """Return the least width, and no more height than the present width needs."""
        return QSize(asked((self, "least"), self._least))

    def _least(self) -> QSize:
        least = super().minimumSizeHint()
        if self.hasHeightForWidth():
            least.setHeight(min(least.height(), self.heightForWidth(max(self.width(), least.width()))))
        return least


class Page(QScrollArea):
    """A page of the window: heading, column of cards, and a quiet confirmation. Its name is its heading."""

    def __init__(
        self, title: str, subtitle: str = "", actions: Sequence[QWidget] = (), parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.heading = PageHeading(title, subtitle, actions)
        ground = _Ground()
        ground.setObjectName("column")
        self._column = QVBoxLayout(ground)
        self._column.setContentsMargins(_MARGIN, 24, _MARGIN, 22)
        self._column.setSpacing(16)
        self._column.addWidget(self.heading)
        self._fault = Banner(Kind.WARNING, "")
        self._fault.hide()
        self._column.addWidget(self._fault)
        self.setWidget(ground)
        self._note = QuietNote(self)
        self._refresh: Callable[[], None] = lambda: None
        self._help: tuple[str, Callable[[str], str]] = ("", _knows_nothing)
        self._topic = ""
        self._timer = QTimer(self)
        self.setAccessibleName(title)

    def keep_fresh(self, refresh: Callable[[], None], milliseconds: int) -> None:
        """Call ``refresh`` when the page comes into sight, and every so often while it is seen."""
        self._refresh = refresh
        self._timer.setInterval(milliseconds)
        self._timer.timeout.connect(refresh)

    def refresh(self) -> None:
        """Look again at everything that is shown; for pages that can."""

    def set_words(self, title: str, subtitle: str = "") -> None:
        """Say how things stand now."""
        self.heading.set_words(title, subtitle)
        self.setAccessibleName(title)

    def add(self, content: QWidget | QLayout, stretch: int = 0) -> None:
        """Put a card at the end; with ``stretch`` it takes the height that is left."""
        if isinstance(content, QLayout):
            self._column.addLayout(content, stretch)
        else:
            self._column.addWidget(content, stretch)

    def add_stretch(self) -> None:
        """Keep the content at the top of a window that is higher."""
        self._column.addStretch(1)

    def say(self, text: str, kind: Kind = Kind.GOOD) -> None:
        """Confirm quietly, above the heading, wherever the page is scrolled to; a fault stays as a banner."""
        if kind is Kind.GOOD:
            self._fault.hide()
            self._note.say(text, kind)
            self._place_note()
            return
        words, topic_for = self._help
        self._topic = topic_for(text) if words else ""
        self._fault.show_message(kind, text, words if self._topic else "")
        self._fault.show()
        self.verticalScrollBar().setValue(0)
        announce(self._fault, text)

    def offer_help(self, words: str, topic_for: Callable[[str], str], wanted: Callable[[str], object]) -> None:
        """Give a fault a button of these words where ``topic_for`` knows it; ``wanted`` is called with the topic."""
        self._help = (words, topic_for)
        self._fault.activated.connect(lambda: wanted(self._topic))

    def note(self) -> str:
        """Return the confirmation that is on show, or nothing."""
        return "" if self._note.isHidden() else self._note.text()

    def warning(self) -> str:
        """Return the fault that is on show, or nothing."""
        return "" if self._fault.isHidden() else self._fault.text()

    def showEvent(self, event: QShowEvent) -> None:
        """Be up to date while it is seen."""
        self._refresh()
        if self._timer.interval():
            self._timer.start()
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop looking, and take the fault away with the page: who comes back has read it."""
        self._timer.stop()
        self._fault.hide()
        super().hideEvent(event)

    def minimumSizeHint(self) -> QSize:
        """Return a size that a small screen has."""
        return QSize(360, 240)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Place the column for the new width."""
        super().resizeEvent(event)
        self._place_column()
        self._place_note()

    def changeEvent(self, event: QEvent) -> None:
        """Place the column for another size of the font."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and self.widget() is not None:
            self._place_column()

    def _place_column(self) -> None:
        """Keep lines readable on a wide screen, and the column where it is when the scroll bar comes and goes."""
        px = theme().px
        bar = self.width() - self.viewport().width()
        spare = max(self.width() - 2 * _MARGIN - px(_WIDEST), 0) // 2
        self._column.setContentsMargins(_MARGIN + spare, px(24), max(_MARGIN + spare - bar, 8), 22)

    def _place_note(self) -> None:
        self._note.move(QPoint((self.viewport().width() - self._note.width()) // 2, 4))
