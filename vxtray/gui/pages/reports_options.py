"""Who gets the reports, in which language and zone, and what goes along. GUI thread only; each saves at once."""

from collections.abc import Callable

from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from vxtray.core.errors import VxtrayError
from vxtray.core.reports.period import machine_zone
from vxtray.core.texts import N_, _
from vxtray.gui.bindings import bind_choice, bind_list, bind_row, bind_text
from vxtray.gui.context import Context
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Beside, Card, ChoiceField, ToggleRow, mark, plain_label

_LANGUAGES = (("auto", N_("As the program")), ("en", "English"), ("fr", "Français"))
_CATCH_UP = (("last", N_("The newest one")), ("all", N_("Every one")))
_SWITCHES = (
    ("reports.attach_pdf", N_("Attach a PDF"), N_("The whole report with all its tables, to print or to pass on.")),
    ("reports.attach_csv", N_("Attach a CSV"), N_("The numbers for a spreadsheet.")),
    (
        "general.defang",
        N_("Make addresses harmless"),
        N_("203[.]0[.]113[.]9 instead of 203.0.113.9: no mail program makes a link of it. Alerts, too."),
    ),
    (
        "general.mask_internal",
        N_("Hide internal addresses"),
        N_("Of addresses of your own network the middle is left out. Alerts, too."),
    ),
)


class RecipientsCard(Card):
    """The addresses of the reports."""

    def __init__(self, context: Context, saved: Callable[[VxtrayError | None], None]) -> None:
        super().__init__(_("Recipients"))
        self._context = context
        self._saved = saved
        self.field = QLineEdit()
        self.field.setAccessibleName(_("Recipients of the reports"))
        self._trouble = plain_label(role="trouble")
        self._trouble.hide()
        bind_list(self.field, context.model, "reports.recipients", self._told)
        self._hint = plain_label(role="muted")
        for part in (self.field, self._trouble, self._hint):
            self.add(part)

    def refresh(self) -> None:
        """Say who gets them where nobody is named."""
        people = ", ".join(self._context.model.current.smtp.recipients)
        self.field.setPlaceholderText(people or _("security@example.com"))
        self._hint.setText(
            _("Separate several by commas. Empty: the recipients of the mail server.")
            if people
            else _("Separate several by commas.")
        )

    def _told(self, error: VxtrayError | None) -> None:
        self._trouble.setText("" if error is None else words(error))
        self._trouble.setVisible(error is not None)
        mark(self.field, wrong=error is not None)
        self._saved(error)


class OptionsCard(Card):
    """How reports are written."""

    def __init__(self, context: Context, saved: Callable[[VxtrayError | None], None]) -> None:
        super().__init__(_("How reports are made"))
        self._context = context
        self._saved = saved
        model = context.model
        self._troubles = {key: plain_label(role="trouble") for key in _CHOSEN}
        self.language, self.catch_up, self.zone = ChoiceField(), ChoiceField(), QLineEdit()
        bind_choice(
            self.language,
            model,
            "reports.language",
            [(value, _(text)) for value, text in _LANGUAGES],
            lambda error: self._told("reports.language", error),
        )
        bind_choice(
            self.catch_up,
            model,
            "reports.catch_up",
            [(value, _(text)) for value, text in _CATCH_UP],
            lambda error: self._told("reports.catch_up", error),
        )
        bind_text(self.zone, model, "reports.zone", lambda error: self._told("reports.zone", error))
        self.zone.setMinimumWidth(190)
        for key, field in (
            ("reports.language", self.language),
            ("reports.zone", self.zone),
            ("reports.catch_up", self.catch_up),
        ):
            title, text = _CHOSEN[key]
            self.add_row(self._row(key, _(title), _(text), field))
        for key, title, text in _SWITCHES:
            row = ToggleRow(_(title), _(text))
            row.toggle.setObjectName(key)
            bind_row(row, model, key, saved)
            self.add_row(row)

    def refresh(self) -> None:
        """Name the zone that counts where none is set."""
        self.zone.setPlaceholderText(machine_zone().key)

    def _row(self, key: str, title: str, text: str, field: QWidget) -> QWidget:
        field.setAccessibleName(title)
        field.setAccessibleDescription(text)
        said = QWidget()
        column = QVBoxLayout(said)
        column.setContentsMargins(0, 1, 0, 1)
        column.setSpacing(2)
        for label in (plain_label(title, "strong"), plain_label(text, "muted"), self._troubles[key]):
            column.addWidget(label)
        self._troubles[key].hide()
        return Beside(said, field)

    def _told(self, key: str, error: VxtrayError | None) -> None:
        trouble = self._troubles[key]
        trouble.setText("" if error is None else words(error))
        trouble.setVisible(error is not None)
        if key == "reports.zone":
            mark(self.zone, wrong=error is not None)
        self._saved(error)


_CHOSEN = {
    "reports.language": (N_("Language"), N_("Of the reports; the window has its own.")),
    "reports.zone": (N_("Time zone"), N_("Where a day begins, such as Europe/Paris. Empty: this computer’s.")),
    "reports.catch_up": (
        N_("After the computer was off"),
        N_("Which of the missed reports are sent when it is back."),
    ),
}
