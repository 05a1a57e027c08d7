"""The alert settings that most people never touch: what counts, who gets the mails, how they are folded.

GUI thread only; each saves at once, and what is wrong stands beside the control.
"""

from collections.abc import Callable
from typing import cast

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QHideEvent
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit, QSizePolicy, QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.errors import SettingsInvalid, VxtrayError
from vxtray.core.settings.keys import split_list, typed_value
from vxtray.core.settings.model import Change
from vxtray.core.texts import N_, _
from vxtray.gui.bindings import bind_choice, bind_list, bind_number, follow
from vxtray.gui.context import Context
from vxtray.gui.theme import theme
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Beside, ChoiceField, NumberField, PlainLabel, mark, plain_label, separator

_LANGUAGES = (("auto", N_("As the program")), ("en", "English"), ("fr", "Français"))

#: Each with what it means to a person.
_WORDS = {
    "recipients": (N_("Recipients"), N_("Separate several by commas. Empty: the recipients of the mail server.")),
    "language": (N_("Language of the mails"), N_("Of the alerts; the window has its own.")),
    "rule_ids": (
        N_("Only these rules"),
        N_("Numbers of the firewall’s WAF rules, one a line. Empty: all of them."),
    ),
    "allow": (
        N_("Never alert about"),
        N_("Addresses or networks of your own, such as a scanner, one a line. Their events are stored all the same."),
    ),
    "group_seconds": (
        N_("One conversation"),
        N_("What comes from the same source within this time after the last is counted, and told together."),
    ),
    "summary_minutes": (N_("While a storm lasts"), N_("How often a mail says how it goes on.")),
    "max_mails_per_hour": (
        N_("At most, in an hour"),
        N_("Whatever happens. What is above is counted and told later; a quarter is kept for critical events."),
    ),
}


class EntriesField(QPlainTextEdit):
    """Entries, one a line; Tab leaves it.

    Signals: ``left`` when the person leaves it, or it goes out of sight.
    """

    left = Signal()

    def __init__(self, name: str, placeholder: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setPlaceholderText(placeholder)
        self.setTabChangesFocus(True)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Return the size of three lines."""
        px = theme().px
        return QSize(px(230), self.fontMetrics().lineSpacing() * 3 + px(20))

    def minimumSizeHint(self) -> QSize:
        """Return the same."""
        return self.sizeHint()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Say so."""
        super().focusOutEvent(event)
        if event.reason() is not Qt.FocusReason.PopupFocusReason:  # its own menu
            self.left.emit()

    def hideEvent(self, event: QHideEvent) -> None:
        """Say so: nothing typed is lost by another page."""
        super().hideEvent(event)
        self.left.emit()


class MoreSettings(QWidget):
    """The rows."""

    def __init__(self, context: Context, saved: Callable[[VxtrayError | None], None]) -> None:
        super().__init__()
        self._context = context
        self._saved = saved
        self._troubles: dict[str, PlainLabel] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self.recipients, self.language = QLineEdit(), ChoiceField()
        self.recipients.setMinimumWidth(theme().px(230))
        self.rule_ids = EntriesField(_("Only these rules"), "942100\n949110")
        self.allow = EntriesField(_("Never alert about"), "192.0.2.10\n2001:db8::/32")
        self.group_seconds, self.summary_minutes = NumberField(0, 86400), NumberField(1, 1440)
        self.max_mails = NumberField(1, 1000)
        self.group_seconds.setSpecialValueText(_("off: a mail for each"))
        for field, unit in (
            (self.group_seconds, _("seconds")),
            (self.summary_minutes, _("minutes")),
            (self.max_mails, _("mails")),
        ):
            field.setSuffix("\N{NO-BREAK SPACE}" + unit)
        self._place("recipients", self.recipients)
        self._place("language", self.language)
        self._place("rule_ids", self.rule_ids)
        self._place("allow", self.allow)
        self._place("group_seconds", self.group_seconds)
        self._place("summary_minutes", self.summary_minutes)
        self._place("max_mails_per_hour", self.max_mails)
        self._bind()
        self.refresh()

    def _place(self, key: str, field: QWidget) -> None:
        """Put a row at the end: what it is and what it means, and the control at its right."""
        title, text = (_(said) for said in _WORDS[key])
        field.setAccessibleName(title)
        field.setAccessibleDescription(text)
        said = QWidget()
        column = QVBoxLayout(said)
        column.setContentsMargins(0, 1, 0, 1)
        column.setSpacing(2)
        name = plain_label(title, "strong")
        name.setBuddy(field)
        trouble = self._troubles[key] = plain_label(role="trouble")
        trouble.hide()
        for label in (name, plain_label(text, "muted"), trouble):
            column.addWidget(label)
        self._column.addWidget(separator())
        self._column.addWidget(Beside(said, field))

    def _bind(self) -> None:
        model = self._context.model
        bind_list(self.recipients, model, "alerts.recipients", self._told("recipients", self.recipients))
        languages = [(value, _(text)) for value, text in _LANGUAGES]
        bind_choice(self.language, model, "alerts.language", languages, self._told("language", self.language))
        for key, field in (
            ("group_seconds", self.group_seconds),
            ("summary_minutes", self.summary_minutes),
            ("max_mails_per_hour", self.max_mails),
        ):
            bind_number(field, model, f"alerts.{key}", self._told(key, field))
        self._bind_entries(self.rule_ids, "rule_ids")
        self._bind_entries(self.allow, "allow")

    def _bind_entries(self, field: EntriesField, key: str) -> None:
        """Tie entries to a list setting; saved on leaving. A wrong entry stays, to be mended."""
        model, dotted = self._context.model, f"alerts.{key}"
        told = self._told(key, field)

        def show() -> None:
            field.setPlainText("\n".join(cast("tuple[str, ...]", typed_value(model.current, dotted))))

        def save() -> None:
            typed = tuple(dict.fromkeys(split_list(field.toPlainText())))
            same = typed == typed_value(model.current, dotted)
            if same and self._troubles[key].isHidden():
                return
            try:
                model.update({} if same else {dotted: typed})
            except VxtrayError as error:
                told(error)
                return
            show()
            told(None)

        def changed(change: Change) -> None:
            if dotted in change.keys:
                show()

        field.left.connect(save)
        follow(field, model, changed)
        show()

    def _told(self, key: str, field: QWidget) -> Callable[[VxtrayError | None], None]:
        """Return where a control tells of a save."""

        def told(error: VxtrayError | None) -> None:
            trouble = self._troubles[key]
            trouble.setText("" if error is None else reason_of(error))
            trouble.setVisible(error is not None)
            mark(field, wrong=error is not None)
            if error is None:
                self._saved(None)

        return told

    def refresh(self) -> None:
        """Name who gets the mails where nobody is named."""
        people = ", ".join(self._context.model.current.smtp.recipients)
        self.recipients.setPlaceholderText(people or _("security@example.com"))


def reason_of(error: VxtrayError) -> str:
    """Return why a value was refused, without the setting's own name, which nobody sees here."""
    if isinstance(error, SettingsInvalid) and "allowed" in error.values:
        others = {name: value for name, value in error.values.items() if name != "allowed"}
        allowed = texts.translate(str(error.values["allowed"]), texts.current(), **others)
        return _("“{value}” – {allowed}.", value=error.values["value"], allowed=allowed)
    return words(error)
