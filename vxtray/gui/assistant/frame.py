"""The assistant as a whole: the rail, the step that is shown, and the buttons beneath. GUI thread only."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from vxtray.core.texts import _
from vxtray.gui.assistant.account import AccountStep
from vxtray.gui.assistant.choices import ChoicesStep
from vxtray.gui.assistant.ending import EndingStep
from vxtray.gui.assistant.memory import Memory
from vxtray.gui.assistant.origins import OriginsStep
from vxtray.gui.assistant.proof import ProofStep
from vxtray.gui.assistant.rail import Bars, Rail, where_words
from vxtray.gui.assistant.recipients import RecipientsStep
from vxtray.gui.assistant.step import Step
from vxtray.gui.bindings import follow
from vxtray.gui.context import Context
from vxtray.gui.theme import theme
from vxtray.gui.widgets import button, link_button, plain_label, primary_button, read_in_order
from vxtray.gui.widgets.status import announce

#: The rail needs this much beside the step, in px at scale 1.
_RAIL_FROM = 780


class _Foot(QWidget):
    """The line of buttons, with a hairline above."""

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme().colour("window"))
        painter.fillRect(0, 0, self.width(), 1, theme().colour("line"))
        painter.end()


class Assistant(QWidget):
    """Six steps. Enter goes on, Esc leaves; both keep what is set.

    Signals: ``left`` when the person sends it away, ``finished`` at its end.
    """

    left = Signal()
    finished = Signal()

    def __init__(
        self,
        context: Context,
        in_tray: Callable[[], bool],
        *,
        root: Path = Path("/"),
        parent: QWidget | None = None,
    ) -> None:
        """``in_tray`` says whether an icon leads back to the window; ``root`` is where logs are looked for."""
        super().__init__(parent)
        self.memory = Memory(context.service)
        self.account = AccountStep(context)
        self.recipients = RecipientsStep(context)
        self.origins = OriginsStep(context, root)
        self.choices = ChoicesStep(context)
        self.proof = ProofStep(context)
        before = (self.account, self.recipients, self.origins, self.choices, self.proof)
        self.ending = EndingStep(context, before, in_tray)
        self.steps: tuple[Step, ...] = (*before, self.ending)
        self._names = [step.name for step in self.steps]
        self._at = 0
        self._make_buttons()
        self._lay_out()
        follow(self, context.model, lambda _change: self._show_buttons())
        for step in self.steps:
            self._stack.addWidget(step)
            step.passed.connect(self._go_on)
            step.busy_changed.connect(self._show_buttons)
            step.wanted.connect(self.show_step)
        self.setAccessibleName(_("Set up vxtray"))
        theme().changed.connect(self._fit)

    def _make_buttons(self) -> None:
        self.leave_button = link_button(_("&Leave for now"))
        self.leave_button.setToolTip(_("Esc"))
        self.back = button(_("&Back"))
        self.skip = button(_("S&kip"))
        self.next = primary_button(_("&Next"))
        for one, name, call in (
            (self.leave_button, "leave", self.leave),
            (self.back, "back", self._go_back),
            (self.skip, "skip", self._skip),
            (self.next, "next", self._press_next),
        ):
            one.setObjectName(f"assistant.{name}")
            one.clicked.connect(call)

    def _lay_out(self) -> None:
        px = theme().px
        self._rail = Rail(self._names)
        self._stack = QStackedWidget()
        self._where = plain_label(role="secondary")
        self._bars = Bars(len(self.steps))
        self._narrow = QWidget()
        head = QVBoxLayout(self._narrow)
        head.setContentsMargins(26, px(18), 26, 0)
        head.setSpacing(px(8))
        head.addWidget(self._where)
        head.addWidget(self._bars)
        foot = _Foot()
        row = QHBoxLayout(foot)
        row.setContentsMargins(22, px(12), 26, px(12))
        row.setSpacing(8)
        row.addWidget(self.leave_button)
        row.addStretch(1)
        for one in (self.back, self.skip, self.next):
            row.addWidget(one)
        right = QVBoxLayout()
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(0)
        right.addWidget(self._narrow)
        right.addWidget(self._stack, 1)
        right.addWidget(foot)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self._rail)
        whole.addLayout(right, 1)

    # --- where one is ------------------------------------------------------------------------------------------------

    @property
    def step(self) -> Step:
        """The step that is shown."""
        return self.steps[self._at]

    def begin(self) -> None:
        """Show the step that comes next, where it was left the last time."""
        self.show_step(self.memory.step)

    @Slot(str)
    def show_step(self, key: str) -> None:
        """Show a step by its key; the first one where there is none of that key."""
        self.step.halt()
        self._at = next((n for n, step in enumerate(self.steps) if step.key == key), 0)
        self.memory.at(self.step.key)
        self.step.enter()
        self._stack.setCurrentWidget(self.step)
        read_in_order((self.step, self.leave_button, self.back, self.skip, self.next))
        self.step.verticalScrollBar().setValue(0)
        self._show_place()
        self._show_buttons()
        self._take_focus()
        announce(self, f"{where_words(self._at, self._names)}. {self.step.heading.title()}")

    def _take_focus(self) -> None:
        """Lead the keyboard to the first field, or to the button where there is none."""
        if self.step.first_field() is None:
            self.next.setFocus(Qt.FocusReason.TabFocusReason)
        else:
            self.step.take_focus()

    def _show_place(self) -> None:
        done = frozenset(n for n, step in enumerate(self.steps) if n < self._at and step.complete())
        self._rail.show_place(self._at, done)
        self._bars.show_place(self._at)
        self._where.setText(where_words(self._at, self._names))

    @Slot()
    def _show_buttons(self) -> None:
        step = self.step
        self.back.setVisible(self._at > 0)
        self.skip.setVisible(step is not self.ending and not step.busy and not step.complete())
        self.back.setEnabled(not step.busy)
        self.next.setText(_("&Stop") if step.busy else step.next_words)

    # --- what the buttons do -----------------------------------------------------------------------------------------

    @Slot()
    def _press_next(self) -> None:
        if self.step.busy:
            self.step.halt()
            self._show_buttons()
        else:
            self.step.forward()

    @Slot()
    def _go_on(self) -> None:
        if self.step is self.ending:
            self.memory.done()
            self.finished.emit()
        else:
            self.show_step(self.steps[self._at + 1].key)

    @Slot()
    def _go_back(self) -> None:
        if self._at:
            self.show_step(self.steps[self._at - 1].key)

    @Slot()
    def _skip(self) -> None:
        self.step.halt()
        self._go_on()

    @Slot()
    def leave(self) -> None:
        """Send it away, with all that is set kept."""
        self.step.halt()
        self.memory.left(self.step.key)
        self.left.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go on by Enter, leave by Esc, wherever the focus is."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.isAutoRepeat():
            if not self.step.busy:
                self.step.forward()
        elif event.key() == Qt.Key.Key_Escape:
            self.leave()
        else:
            super().keyPressEvent(event)

    # --- the room there is -------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show the rail where there is room, the bars where there is none."""
        super().resizeEvent(event)
        self._fit()

    @Slot()
    def _fit(self) -> None:
        wide = self.width() >= theme().px(_RAIL_FROM)
        self._rail.setVisible(wide)
        self._narrow.setVisible(not wide)
