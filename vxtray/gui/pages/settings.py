"""The program's own settings: language, look, start, notifications, storage, privacy; export, import, defaults.

GUI thread only; each field saves at once. What the store takes is read on ``vx-read``.
"""

from functools import partial

from PySide6.QtCore import QTimer, Slot
from PySide6.QtGui import QShowEvent

from vxtray.core import texts
from vxtray.core.errors import StoreError, VxtrayError
from vxtray.core.events import Severity
from vxtray.core.phrases import Phrase
from vxtray.core.settings.model import Change
from vxtray.core.texts import N_, _
from vxtray.gui.at_login import AtLogin
from vxtray.gui.bindings import bind_choice, bind_number, bind_row, follow
from vxtray.gui.context import Context
from vxtray.gui.pages.settings_files import FilesCard, StartOverCard
from vxtray.gui.pages.settings_login import LoginCard
from vxtray.gui.pages.settings_rows import Saved, SettingRow, UndoBar
from vxtray.gui.pages.settings_store import KeptCard, kept_words, room_words
from vxtray.gui.pages.settings_support import SupportCard
from vxtray.gui.theme import theme
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Card, ChoiceField, NumberField, Page, ToggleRow, plain_label

_REFRESH_MS = 5_000
_MEBIBYTE = 1024 * 1024

#: Of every field, in px at scale 1, so that they stand under each other.
_FIELD = 240

#: A language is named in itself, so that whoever cannot read the present one finds it.
_LANGUAGES = {"en": "English", "fr": "Français"}
_THEMES = (("light", N_("Light")), ("dark", N_("Dark")))
_SEVERITIES = (
    (Severity.CRITICAL, N_("Critical only")),
    (Severity.HIGH, N_("High and above")),
    (Severity.MEDIUM, N_("Medium and above")),
    (Severity.LOW, N_("Low and above")),
    (Severity.INFO, N_("Every one")),
)


class LookCard(Card):
    """Language and theme; both change at once."""

    def __init__(self, context: Context, saved: Saved) -> None:
        super().__init__(_("Language and look"))
        self.language, self.theme = ChoiceField(), ChoiceField()
        language = SettingRow(
            _("Language"),
            _("Of the window, the menus and the command line. Reports and alerts may have one of their own."),
            self.language,
            saved,
        )
        theme = SettingRow(
            _("Look"), _("“As the system” follows it while vxtray runs, also into high contrast."), self.theme, saved
        )
        system = _LANGUAGES[texts.system_language()]
        languages = [("auto", _("As the system ({name})", name=system)), *_LANGUAGES.items()]
        themes = [("auto", _("As the system")), *((value, _(text)) for value, text in _THEMES)]
        bind_choice(self.language, context.model, "general.language", languages, language.told)
        bind_choice(self.theme, context.model, "general.theme", themes, theme.told)
        for row in (language, theme):
            self.add_row(row)


class NotificationsCard(Card):
    """What pops up on the desktop."""

    def __init__(self, context: Context, saved: Saved) -> None:
        super().__init__(_("Notifications"))
        self._context = context
        self.notifications = ToggleRow(
            _("Show notifications"), _("On this desktop, when an alert is raised or something needs you.")
        )
        self.sound = ToggleRow(_("With a sound"), _("Where the desktop plays one."))
        self.least = ChoiceField()
        least = SettingRow(_("From which severity"), _("Of alerts; mails are sent all the same."), self.least, saved)
        for row, key in ((self.notifications, "desktop.notifications"), (self.sound, "desktop.sound")):
            row.toggle.setObjectName(key)
            bind_row(row, context.model, key, saved)
        choices = [(severity, _(text)) for severity, text in _SEVERITIES]
        bind_choice(self.least, context.model, "desktop.notify_from", choices, least.told)
        for part in (self.notifications, least, self.sound):
            self.add_row(part)
        follow(self, context.model, lambda _change: self.refresh())
        self.refresh()

    def refresh(self) -> None:
        """Leave out of use what has no effect."""
        shown = self._context.model.current.desktop.notifications
        self.sound.toggle.setEnabled(shown)
        self.least.setEnabled(shown)


class StorageCard(Card):
    """How long events stay and how much room they may take, with what they take now."""

    def __init__(self, context: Context, saved: Saved) -> None:
        super().__init__(_("Storage"))
        self._context = context
        self._saved = saved
        self._lowered: dict[str, object] = {}
        self.days, self.room = NumberField(1, 36500), NumberField(64, 1_048_576)
        self._days_row = SettingRow(_("Keep events for"), "", self.days, saved)
        self._room_row = SettingRow(_("Room for events"), "", self.room, saved)
        rows = (
            (self.days, self._days_row, "store.retention_days", _("days")),
            (self.room, self._room_row, "store.max_mebibytes", _("MiB")),
        )
        for field, row, key, unit in rows:
            field.setSuffix("\N{NO-BREAK SPACE}" + unit)
            field.setGroupSeparatorShown(True)
            bind_number(field, context.model, key, partial(self._told, row))
            self.add_row(row)
        self.undo = UndoBar(context.model, saved)
        self.used = plain_label(role="muted")
        self.add_row(self.used)
        self.add(self.undo)
        follow(self, context.model, self._changed)
        self._show_meaning()

    def _show_meaning(self) -> None:
        """Say what the limits mean where the events are kept now; the room on this computer is none of a server's."""
        engine = self._context.model.current.store.engine
        for row, text in zip((self._days_row, self._room_row), kept_words(engine), strict=True):
            row.set_text(text)
        self.room.setEnabled(engine == "embedded")

    def _changed(self, change: Change) -> None:
        if "store.engine" in change.keys:
            self._show_meaning()
            self.refresh()
        limits = (key for key in ("store.retention_days", "store.max_mebibytes") if key in change.keys)
        both = {key: change.keys[key] for key in limits}
        self._lowered = {key: before for key, (before, after) in both.items() if int(str(after)) < int(str(before))}

    def _told(self, row: SettingRow, error: VxtrayError | None) -> None:
        row.told(error)
        if error is None and self._lowered:  # what this deletes cannot be brought back later
            self.undo.offer(Phrase(N_("What is beyond the new limit is deleted in a minute.")), self._lowered)
        self._lowered = {}

    def refresh(self) -> None:
        """Look what the events take now."""
        self._context.bridge.run(self._look, self._show, self._failed, owner=self, quick=True)

    def _look(self) -> tuple[int, int]:
        """Return how many events this computer keeps or holds for the server, and the bytes of their files."""
        room = self._context.service.room
        path = room.file
        if not path.exists():
            return 0, 0
        sending = room.health().sending
        files = (path, path.with_name(path.name + ".wal"))
        # a server is not asked every few seconds how many there are: it would count them all
        events = sending.waiting if sending is not None else self._context.service.store().count()
        return events, sum(one.stat().st_size for one in files if one.exists())

    def _show(self, used: tuple[int, int]) -> None:
        events, size = used
        on_server = self._context.model.current.store.engine != "embedded"
        nothing = _("No events wait on this computer.") if on_server else _("No events are stored yet.")
        self.used.setText(room_words(events, max(1, round(size / _MEBIBYTE))) if events else nothing)

    def _failed(self, error: Exception) -> None:
        known = isinstance(error, StoreError)
        self.used.setText(words(error) if known else "")


class PrivacyCard(Card):
    """What leaves the house in mails."""

    def __init__(self, context: Context, saved: Saved) -> None:
        super().__init__(_("Privacy in mails"))
        for key, title, text in (
            (
                "general.defang",
                _("Make addresses harmless"),
                _("203[.]0[.]113[.]9 for 203.0.113.9: no mail program makes a link of it. In reports and alerts."),
            ),
            (
                "general.mask_internal",
                _("Hide internal addresses"),
                _("Of addresses of your own network the middle is left out. In reports and alerts."),
            ),
        ):
            row = ToggleRow(title, text)
            row.toggle.setObjectName(f"settings.{key}")
            bind_row(row, context.model, key, saved)
            self.add_row(row)


class SettingsPage(Page):
    """The cards, in the order in which they are wanted; made when the page is first looked at."""

    look: LookCard
    login: LoginCard
    notifications: NotificationsCard
    kept: KeptCard
    storage: StorageCard
    privacy: PrivacyCard
    files: FilesCard
    support: SupportCard
    defaults: StartOverCard

    def __init__(self, context: Context, at_login: AtLogin) -> None:
        super().__init__(_("Settings"), _("Each change is saved at once."))
        self._context = context
        self._at_login = at_login
        self._filled = False
        self.keep_fresh(self.refresh, _REFRESH_MS)

    def _fill(self) -> None:
        """Make the cards, once: a start in the tray need not pay for them."""
        if self._filled:
            return
        self._filled = True
        context, told = self._context, self._told
        self.look, self.login = LookCard(context, told), LoginCard(context, self._at_login, told)
        self.notifications, self.kept = NotificationsCard(context, told), KeptCard(context, told)
        self.storage = StorageCard(context, told)
        self.privacy, self.files = PrivacyCard(context, told), FilesCard(context, told)
        self.support, self.defaults = SupportCard(context, told), StartOverCard(context, told)
        cards: tuple[Card, ...] = (self.look, self.login, self.notifications, self.kept, self.storage, self.privacy)
        for card in (*cards, self.files, self.support, self.defaults):
            self.add(card)
        self.add_stretch()
        for field, key in (
            (self.look.language, "general.language"),
            (self.look.theme, "general.theme"),
            (self.notifications.least, "desktop.notify_from"),
            (self.kept.engine, "store.engine"),
            (self.storage.days, "store.retention_days"),
            (self.storage.room, "store.max_mebibytes"),
        ):
            field.setObjectName(key)
            field.setMinimumWidth(theme().px(_FIELD))

    def showEvent(self, event: QShowEvent) -> None:
        """Be there when it is looked at."""
        self._fill()
        super().showEvent(event)

    def show_store(self) -> None:
        """Lead to where events are kept."""
        self._fill()
        self.kept.engine.setFocus()
        QTimer.singleShot(0, self, self._reveal_store)  # cards just made have no place yet

    @Slot()
    def _reveal_store(self) -> None:
        self._column.activate()
        self.ensureWidgetVisible(self.kept, 0, 24)

    @Slot()
    def refresh(self) -> None:
        """Look again at what is not in the settings."""
        if self._filled:
            self.login.refresh()
            self.kept.refresh()
            self.storage.refresh()

    def take_over(self, old: "SettingsPage") -> None:
        """Go on where the page of another language stood: what could be undone there can be undone here."""
        if not old._filled:  # noqa: SLF001 - of the same class
            return
        self._fill()
        self.storage.undo.take_over(old.storage.undo.pending())
        self.files.undo.take_over(old.files.undo.pending())
        self.defaults.take_over(old.defaults.undo.pending())
        if old.note():
            self.say(_("Saved"))

    def _told(self, error: VxtrayError | None) -> None:
        if error is None:  # a fault stands beside its field
            self.say(_("Saved"))
