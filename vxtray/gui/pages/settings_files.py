"""Export and import of all settings, and sections that begin anew; each can be undone. GUI thread only."""

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.errors import VxtrayError
from vxtray.core.phrases import Phrase
from vxtray.core.settings import portable
from vxtray.core.settings.tree import shown
from vxtray.core.texts import N_, _, plural
from vxtray.gui.bindings import follow
from vxtray.gui.context import Context
from vxtray.gui.pages.settings_rows import Offer, Saved, UndoBar
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Beside, Button, Card, Facts, FlowRow, button, plain_label, primary_button

_KIND, _ANY_KIND = N_("Settings (TOML)"), N_("All files")

_SECTIONS = (
    ("smtp", N_("Mail server"), N_("Server, sender and recipients. The password stays in the keyring.")),
    ("reports", N_("Reports"), N_("When they are sent, to whom, and what goes along.")),
    ("alerts", N_("Alerts"), N_("Which events are told at once, to whom, quiet hours.")),
    ("sources", N_("Sources"), N_("Where events come from. What is stored already stays.")),
    ("desktop", N_("Notifications"), N_("What pops up on this desktop.")),
    ("store", N_("Storage"), N_("Where events are kept, how long, and how much room they may take.")),
    ("general", N_("Language, look, start and privacy"), N_("The other settings of this page.")),
)


class FilesCard(Card):
    """Two buttons; a chosen file is first shown as what it would change."""

    def __init__(self, context: Context, saved: Saved) -> None:
        super().__init__(_("Export and import"))
        self._context = context
        self._saved = saved
        self._path = Path()
        self._raw: Mapping[str, object] | None = None
        self._plan = portable.Plan({})
        self.export_button, self.import_button = button(_("Export settings…")), button(_("Import settings…"))
        self.export_button.clicked.connect(self._choose_target)
        self.import_button.clicked.connect(self._choose_source)
        text = _("All settings as one file, for another machine or to keep. Passwords are never in it.")
        self.add(Beside(plain_label(text, "muted"), FlowRow(self.export_button, self.import_button)))
        self.trouble = plain_label(role="trouble")
        self.undo = UndoBar(context.model, saved)
        self.preview = self._make_preview()
        for part in (self.trouble, self.preview, self.undo):
            part.hide()
            self.add(part)
        follow(self, context.model, lambda _change: self._plan_again())

    def _make_preview(self) -> QWidget:
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(10)
        self._headline = plain_label(role="strong")
        self.changes = Facts()
        self._besides = plain_label(role="muted")
        self.take, self.cancel = primary_button(_("Take over")), button(_("Cancel"))
        self.take.setAccessibleName(_("Take over the settings of the file"))
        self.cancel.setAccessibleName(_("Leave the settings as they are"))
        self.take.clicked.connect(self._apply)
        self.cancel.clicked.connect(self._close_preview)
        for part in (self._headline, self.changes, self._besides, FlowRow(self.take, self.cancel)):
            column.addWidget(part)
        return whole

    # --- export ------------------------------------------------------------------------------------------------------

    def _choose_target(self) -> None:
        day = texts.format_date(self._context.service.clock().date(), "en", "yyyy-MM-dd")
        name, _kind = QFileDialog.getSaveFileName(
            self, _("Export settings"), f"vxtray-settings-{day}.toml", f"{_(_KIND)} (*.toml)"
        )
        if name:
            path = Path(name)
            self.export_to(path if path.suffix else path.with_suffix(".toml"))

    def export_to(self, path: Path) -> None:
        """Write the settings that are in force."""
        settings = self._context.model.current
        self._context.bridge.run(
            lambda: portable.export_file(settings, path),
            lambda _nothing: self._say(None),
            self._failed,
            owner=self,
            quick=True,
        )

    # --- import ------------------------------------------------------------------------------------------------------

    def _choose_source(self) -> None:
        name, _kind = QFileDialog.getOpenFileName(
            self, _("Import settings"), "", f"{_(_KIND)} (*.toml);;{_(_ANY_KIND)} (*)"
        )
        if name:
            self.look_into(Path(name))

    def look_into(self, path: Path) -> None:
        """Read a file and show what it would change."""
        self._context.bridge.run(
            lambda: portable.read_settings(path, portable.read_file(path)),
            lambda raw: self._proposed(path, raw),
            self._failed,
            owner=self,
            quick=True,
        )

    def _proposed(self, path: Path, raw: Mapping[str, object]) -> None:
        self.undo.forget()
        self._propose(path, raw)
        if self._raw is not None:
            (self.take if self._plan.changes else self.cancel).setFocus()

    def _propose(self, path: Path, raw: Mapping[str, object]) -> None:
        try:
            self._plan = portable.plan(self._context.model.current, raw)
        except VxtrayError as error:
            self._failed(error)
            return
        self._path, self._raw = path, raw
        self.trouble.hide()
        self._show_plan()

    def _plan_again(self) -> None:
        """Keep what is shown true when settings change meanwhile."""
        if self._raw is not None:
            self._propose(self._path, self._raw)

    def _show_plan(self) -> None:
        changes = self._plan.changes
        name = shown(self._path.name)
        if changes:
            said = plural(
                "{name} would change {n} setting:", "{name} would change {n} settings:", len(changes), name=name
            )
        else:
            said = _("{name} says what is set already: there is nothing to change.", name=name)
        self._headline.setText(said)
        self.changes.show_facts(
            (key, _("{before} → {after}", before=value_words(before), after=value_words(after)))
            for key, (before, after) in changes.items()
        )
        self.changes.setVisible(bool(changes))
        besides = [
            _("Not known here, so left out: {keys}.", keys=shown(", ".join(self._plan.unknown)))
            if self._plan.unknown
            else "",
            _("Enter the password on the page “Mail server” afterwards: it is not in the file.")
            if {"smtp.host", "smtp.username"} & set(changes)
            else "",
        ]
        self._besides.setText(" ".join(filter(None, besides)))
        self._besides.setVisible(any(besides))
        self.take.setVisible(bool(changes))
        self.preview.show()

    def _apply(self) -> None:
        plan, name = self._plan, shown(self._path.name)
        self._raw = None  # what follows is no news for the preview
        try:
            self._context.model.update(plan.forth)
        except VxtrayError as error:
            self._failed(error)
            return
        self._close_preview()
        self.undo.offer(Phrase(N_("The settings of {name} are in force."), {"name": name}), plan.back)
        self._say(None)

    def _close_preview(self) -> None:
        self._raw = None
        self.preview.hide()
        self.import_button.setFocus()

    def _failed(self, error: Exception) -> None:
        self.trouble.setText(words(error))
        self.trouble.show()
        self._raw = None
        self.preview.hide()

    def _say(self, error: VxtrayError | None) -> None:
        self.trouble.hide()
        self._saved(error)


class StartOverCard(Card):
    """A row for each section: what it holds, how much differs from the defaults, and a button."""

    def __init__(self, context: Context, saved: Saved) -> None:
        super().__init__(_("Back to the defaults"))
        self._context = context
        self._saved = saved
        self._texts = {section: plain_label(role="muted") for section, _title, _text in _SECTIONS}
        self.buttons: dict[str, Button] = {}
        self._rows_of: dict[str, QVBoxLayout] = {}
        self.trouble = plain_label(role="trouble")
        self.trouble.hide()
        self.add(self.trouble)
        self.undo = UndoBar(context.model, saved)
        self.undo.setParent(self)  # placed beneath the row that it is about
        for section, title, _text in _SECTIONS:
            self.add_row(self._row(section, _(title)))
        follow(self, context.model, lambda _change: self.refresh())
        self.refresh()

    def _row(self, section: str, title: str) -> QWidget:
        press = self.buttons[section] = button(_("Reset"))
        press.setAccessibleName(_("Reset: {section}", section=title))
        press.clicked.connect(lambda _checked=False: self.start_over(section))
        said = QWidget()
        column = QVBoxLayout(said)
        column.setContentsMargins(0, 1, 0, 1)
        column.setSpacing(2)
        for label in (plain_label(title, "strong"), self._texts[section]):
            column.addWidget(label)
        whole = QWidget()
        row = self._rows_of[section] = QVBoxLayout(whole)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(Beside(said, press))
        return whole

    def refresh(self) -> None:
        """Say how much of each section differs from the defaults."""
        same = _("All as it came.")
        for section, _title, text in _SECTIONS:
            count = len(portable.start_over(self._context.model.current, section).changes)
            differ = plural("{n} setting differs from its default.", "{n} settings differ from their defaults.", count)
            said = f"{_(text)} {differ if count else same}"
            self._texts[section].setText(said)
            self.buttons[section].setAccessibleDescription(said)
            self.buttons[section].setEnabled(bool(count))

    def start_over(self, section: str) -> None:
        """Give a section its defaults again."""
        plan = portable.start_over(self._context.model.current, section)
        by_keyboard = self.buttons[section].hasFocus()
        try:
            self._context.model.update(plan.forth)
        except VxtrayError as error:
            self.trouble.setText(words(error))
            self.trouble.show()
            return
        self.trouble.hide()
        title = next(title for name, title, _text in _SECTIONS if name == section)
        self._rows_of[section].addWidget(self.undo)  # beneath the button: nothing above it moves
        self.undo.offer(Phrase(N_("{section}: back to the defaults."), {"section": Phrase(title)}), plan.back)
        if by_keyboard:
            self.undo.take_focus()
        self._saved(None)

    def take_over(self, offer: Offer | None) -> None:
        """Go on with what could be undone in the window of another language."""
        if offer is not None:
            section = next(iter(offer.back)).partition(".")[0]
            self._rows_of[section].addWidget(self.undo)
        self.undo.take_over(offer)


def value_words(value: object) -> str:
    """Return a setting's value for a person: bounded, one line."""
    if isinstance(value, bool):
        return _("on") if value else _("off")
    if isinstance(value, list | tuple):
        named = [one["path"] if isinstance(one, Mapping) and "path" in one else one for one in value]
        return shown(", ".join(map(str, named))) if named else _("none")
    return shown(value) if value != "" else _("empty")
