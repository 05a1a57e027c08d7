"""What the cards of the settings page are made of: a row for one field, and the offer to undo. GUI thread only."""

import time
from collections.abc import Callable, Mapping

import msgspec
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.errors import VxtrayError
from vxtray.core.phrases import Phrase
from vxtray.core.settings.model import SettingsModel
from vxtray.core.texts import _
from vxtray.gui.pages.alerts_more import reason_of
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Banner, Beside, Button, Kind, mark, plain_label
from vxtray.gui.widgets.status import announce

#: How long a change can be undone by one press.
UNDO_SECONDS = 10.0

#: Where the outcome of a save goes; None means that it went well.
Saved = Callable[[VxtrayError | None], None]


class SettingRow(QWidget):
    """What a setting is, what it means, and its field at the right; why a value was refused stands beneath."""

    def __init__(self, title: str, text: str, field: QWidget, saved: Saved) -> None:
        super().__init__()
        self.field = field
        self._help = text
        self._saved = saved
        field.setAccessibleName(title)
        field.setAccessibleDescription(text)
        name = plain_label(title, "strong")
        name.setBuddy(field)
        self._trouble = plain_label(role="trouble")
        self._trouble.hide()
        self._text = plain_label(text, "muted")
        said = QWidget()
        column = QVBoxLayout(said)
        column.setContentsMargins(0, 1, 0, 1)
        column.setSpacing(2)
        for label in (name, self._text, self._trouble):
            column.addWidget(label)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(Beside(said, field))

    def set_text(self, text: str) -> None:
        """Say what the setting means now."""
        self._help = text
        self._text.setText(text)
        if not self.trouble():
            self.field.setAccessibleDescription(text)

    def told(self, error: VxtrayError | None) -> None:
        """Say why saving failed, or pass on that it went well."""
        reason = "" if error is None else reason_of(error)
        self._trouble.setText(reason)
        self._trouble.setVisible(error is not None)
        self.field.setAccessibleDescription(reason or self._help)
        mark(self.field, wrong=error is not None)
        if error is None:
            self._saved(None)

    def trouble(self) -> str:
        """Return the reason that is shown, or nothing."""
        return "" if self._trouble.isHidden() else self._trouble.text()


class Offer(msgspec.Struct, frozen=True):
    """A change that was made and can be undone by ``back`` until ``until`` (monotonic clock)."""

    text: Phrase
    back: dict[str, object]
    until: float


class UndoBar(Banner):
    """Says what was changed and puts it back on a press, for ten seconds."""

    def __init__(self, model: SettingsModel, saved: Saved) -> None:
        super().__init__(Kind.INFO, "", _("Undo"))
        self._model = model
        self._saved = saved
        self._offer: Offer | None = None
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self.forget)
        self.activated.connect(self._put_back)
        self.hide()

    def offer(self, text: Phrase, back: Mapping[str, object]) -> None:
        """Say what was changed; ``back`` is the one change that undoes it."""
        self.take_over(Offer(text, dict(back), time.monotonic() + UNDO_SECONDS))

    def take_over(self, offer: Offer | None) -> None:
        """Go on with an offer of the window before, in the language of now."""
        left = 0.0 if offer is None else offer.until - time.monotonic()
        if offer is None or left <= 0:
            self.forget()
            return
        self._offer = offer
        self.show_message(Kind.INFO, offer.text.in_language(texts.current()), _("Undo"))
        self.show()
        announce(self, self.text())
        self._timer.start(round(left * 1000))

    def take_focus(self) -> None:
        """Give the keyboard to the button, where what was pressed is out of use now."""
        press = self.findChild(Button)
        if press is not None:
            press.setFocus()

    def pending(self) -> Offer | None:
        """Return what can still be undone."""
        return self._offer

    def forget(self) -> None:
        """Offer nothing any more."""
        self._offer = None
        self._timer.stop()
        self.hide()

    def _put_back(self) -> None:
        offer = self._offer
        if offer is None:
            return
        self.forget()
        try:
            self._model.update(offer.back)
        except VxtrayError as error:
            self._offer = offer  # the press is not lost with the disk's refusal
            self.show_message(Kind.WARNING, words(error), _("Undo"))
            self.show()
        else:
            self._saved(None)
