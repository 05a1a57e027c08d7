"""What every step of the assistant is: a page with a heading, and what Enter and Next do there. GUI thread only."""

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.theme import theme
from vxtray.gui.widgets import Page

#: Lines and fields get no wider, in px at scale 1.
_WIDE = 660


class Step(Page):
    """One step. ``key`` is remembered, ``name`` stands in the rail.

    Signals: ``passed`` when its work is done and saved, so that the next one may come; ``busy_changed`` when ``busy``,
    ``next_words`` or ``ready`` may have changed; ``wanted(key)`` where a button leads to another step.
    """

    passed = Signal()
    busy_changed = Signal()
    wanted = Signal(str)

    def __init__(self, context: Context, key: str, name: str, title: str, subtitle: str) -> None:
        super().__init__(title, subtitle)
        self.context = context
        self.key, self.name = key, name
        self._ground = QWidget()
        self._ground.setMaximumWidth(theme().px(_WIDE))
        self._ground.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._parts = QVBoxLayout(self._ground)
        self._parts.setContentsMargins(0, 0, 0, 0)
        self._parts.setSpacing(14)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._ground, 1)
        row.addStretch(0)
        self.add(row)
        self.add_stretch()
        theme().changed.connect(self._fit)

    def _fit(self) -> None:
        self._ground.setMaximumWidth(theme().px(_WIDE))

    def put(self, part: QWidget) -> None:
        """Put a card at the end of the step."""
        self._parts.addWidget(part)

    # --- what a step answers -----------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """True while it works; the button then says ``stop`` and calls ``halt``."""
        return False

    @property
    def next_words(self) -> str:
        """What the primary button says."""
        return _("&Next")

    def complete(self) -> bool:
        """Return whether the settings hold what this step asks for."""
        return True

    def enter(self) -> None:
        """Show what is saved; called each time the step comes into sight."""

    def halt(self) -> None:
        """Stop what runs; called for Stop, and when the step is left."""

    def forward(self) -> None:
        """Do what Enter and the primary button mean here; ``passed`` follows where it went well."""
        self.passed.emit()

    def first_field(self) -> QWidget | None:
        """Return what gets the focus."""
        return None

    def take_focus(self) -> None:
        """Give the focus to the first field, with its ring."""
        if (field := self.first_field()) is not None:
            field.setFocus(Qt.FocusReason.TabFocusReason)
            QTimer.singleShot(0, self, self._show_focus)

    def _show_focus(self) -> None:
        """Scroll to what has the focus, once it is laid out."""
        field = self.first_field()
        if field is not None and field.hasFocus():
            self.ensureWidgetVisible(field, 0, theme().px(40))
