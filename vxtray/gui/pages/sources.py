"""Where events come from: the syslog receiver, followed log files, and how each of them stands."""

from collections.abc import Callable
from datetime import timedelta

from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from vxtray.core.errors import N_, SettingsInvalid, VxtrayError
from vxtray.core.health import SourceHealth
from vxtray.core.settings.tree import LogFile
from vxtray.core.texts import _, plural
from vxtray.gui.actions import Actions
from vxtray.gui.bindings import bind_number, bind_row, follow
from vxtray.gui.context import Context
from vxtray.gui.icons import IconLabel
from vxtray.gui.logfile_dialog import LogFileDialog
from vxtray.gui.pages.source_row import SourceRow
from vxtray.gui.pages.sources_servers import ServersCard
from vxtray.gui.source_view import SourceView
from vxtray.gui.source_words import (
    SourceState,
    errors_of,
    names_of,
    parts_of,
    sophos_facts,
    sophos_hint,
    state_of_source,
)
from vxtray.gui.syslog_dialog import SyslogDialog
from vxtray.gui.trouble import words
from vxtray.gui.widgets import (
    Banner,
    Beside,
    Button,
    Card,
    Facts,
    Kind,
    NumberField,
    Page,
    Tiles,
    ToggleRow,
    button,
    plain_label,
    primary_button,
    read_in_order,
)

_REFRESH_MS = 2000
_UNDO_MS = 10_000


class SourcesPage(Page):
    """The receiver with its switch, a row for each followed file, servers, and when silence is told."""

    def __init__(self, context: Context, actions: Actions) -> None:
        self.load = button(_("Import log files…"))
        self.load.clicked.connect(actions.import_files.trigger)
        self.add_file = primary_button(_("Follow a log file"))
        self.add_file.clicked.connect(self._add)
        super().__init__(_("Sources"), "", (self.load, self.add_file))
        self._context = context
        self._rows: dict[str, SourceRow] = {}
        self._views: dict[str, SourceView] = {}
        self.undo = Banner(Kind.INFO, "", _("Undo"))
        self.undo.activated.connect(self._put_back)
        self.undo.hide()
        self._removed: tuple[int, LogFile] | None = None
        self._facts_shown: list[tuple[str, str]] = []
        self._undo_timer = QTimer(self, singleShot=True, interval=_UNDO_MS)
        self._undo_timer.timeout.connect(self._forget_removed)
        self.syslog_dialog = SyslogDialog(context, self)
        self.file_dialog: LogFileDialog | None = None
        self.servers = ServersCard(context)
        self.servers.saved.connect(lambda: self.say(_("Saved")))
        self._empty = self._make_empty()
        self._files = QWidget()
        self._files_column = QVBoxLayout(self._files)
        self._files_column.setContentsMargins(0, 0, 0, 0)
        self._file_card: Card | None = None
        self._receiver_card, self._silence, self._hint = self._make_receiver(), self._make_silence(), self._make_hint()
        cards = (self._receiver_card, self._hint, self._files, self.servers, self._silence)
        for part in (self.undo, self._empty, *cards):
            self.add(part)
        self.add_stretch()
        self.keep_fresh(self.refresh, _REFRESH_MS)
        follow(self, context.model, lambda _change: self.refresh())
        self.refresh()

    # --- building ----------------------------------------------------------------------------------------------------

    def _make_empty(self) -> QWidget:
        """Return what a new person sees: the three ways, and what happens then."""
        receive = self._way(
            "sources",
            _("A firewall sends its log here"),
            _("Sophos and every other device that speaks syslog, over UDP, TCP or TLS. You see each line as it comes."),
            button(_("Set up the receiver")),
            self.syslog_dialog.open,
        )
        read = self._way(
            "events",
            _("A program on this machine writes a log file"),
            _("fail2ban, ModSecurity, Suricata, CrowdSec and others. vxtray reads each new line, also after rotation."),
            button(_("Choose a log file…")),
            self._add,
        )
        server = self._way(
            "eye",
            _("You have a VIGILANCE X server already"),
            _("vxtray asks it for new events, web attacks and bans, and can take its mail settings over."),
            button(_("Set up the server")),
            lambda: self.servers.edit("vigilancex"),
        )
        return Tiles((receive, read, server), least=254)

    def _way(self, icon: str, title: str, text: str, press: Button, call: Callable[[], None]) -> Card:
        card = Card()
        line = QHBoxLayout()
        line.addWidget(IconLabel(icon, "accent", 24))
        line.addStretch(1)
        card.add(line)
        card.add(plain_label(title, "strong"))
        card.add(plain_label(text, "muted"))
        card.add_stretch()
        press.clicked.connect(lambda _checked=False: call())
        card.add(press)
        return card

    def _make_receiver(self) -> Card:
        edit, show = button(_("Edit")), button(_("Lines"))
        edit.setAccessibleName(_("Edit the syslog receiver"))
        edit.clicked.connect(self.syslog_dialog.open)
        show.setAccessibleName(_("Show the last lines of the syslog receiver"))
        show.clicked.connect(lambda: self._show_view("syslog", _("Syslog receiver"), None))
        self.receiver = ToggleRow(_("Syslog receiver"), "", (edit,))
        self.receiver.toggle.setObjectName("sources.syslog.enabled")
        bind_row(self.receiver, self._context.model, "sources.syslog.enabled", self._say_saved)
        self._receiver_row = SourceRow("", (show,))
        card = Card()
        card.add_row(self.receiver)
        card.add(self._receiver_row)
        return card

    def _make_hint(self) -> Card:
        """Return what stands under the receiver until the first line comes."""
        card = Card(_("What to enter in a Sophos firewall"))
        self._hint_text = plain_label(role="muted")
        card.add(self._hint_text)
        self._hint_facts = Facts()
        card.add(self._hint_facts)
        return card

    def _make_silence(self) -> Card:
        self.silent_minutes = NumberField(0, 10080)
        self.silent_minutes.setSpecialValueText(_("never"))
        self.silent_minutes.setAccessibleName(_("Minutes of silence after which it is told"))
        self.silent_minutes.setSuffix("\N{NO-BREAK SPACE}" + _("minutes"))
        bind_number(self.silent_minutes, self._context.model, "sources.silent_minutes", self._told)
        card = Card()
        says = plain_label(_("Tell me when a source was not heard for"), "muted")
        card.add(Beside(says, self.silent_minutes))
        return card

    # --- looking -----------------------------------------------------------------------------------------------------

    @Slot()
    def refresh(self) -> None:
        """Say how each source stands now."""
        sources = self._context.model.current.sources
        self._place_rows(sources.files)
        states = {name: self._state(name) for name in names_of(sources)}
        self._empty.setVisible(not states)
        self.add_file.setVisible(bool(states))  # the empty page has a button of its own for that
        for part in (self._receiver_card, self.servers, self._silence):
            part.setVisible(bool(states))
        self.servers.refresh(self._state)
        self._files.setVisible(bool(sources.files))
        self._show_receiver(states.get("syslog"))
        for name, row in self._rows.items():
            row.show_state(states[name])
        self._say_headline(list(states.values()))

    def _parts(self, name: str) -> list[SourceHealth]:
        """Return what is known of a followed file or a server, or of all listeners of the receiver."""
        return parts_of(name, self._context.service.sources())

    def _state(self, name: str) -> SourceState:
        service = self._context.service
        limit = timedelta(minutes=self._context.model.current.sources.silent_minutes)
        return state_of_source(self._parts(name), errors_of(name, service.troubles()), service.clock(), limit)

    def _show_receiver(self, state: SourceState | None) -> None:
        syslog = self._context.model.current.sources.syslog
        at = _("Listens on {address}, port {port} (UDP and TCP)", address=syslog.address, port=syslog.port)
        if syslog.tls_port:
            at += " " + _("and {port} (TLS)", port=syslog.tls_port)
        self.receiver.set_text(at if state else _("Off. A firewall could send its log here."))
        self._receiver_row.setVisible(state is not None)
        if state is not None:
            self._receiver_row.show_state(state)
        waiting = state is not None and state.kind is not Kind.DANGER
        self._hint.setVisible(waiting and not any(part.lines for part in self._parts("syslog")))
        facts = sophos_facts(syslog)
        if not self._hint.isHidden() and facts != self._facts_shown:
            self._facts_shown = facts
            self._hint_text.setText(sophos_hint(syslog))
            self._hint_facts.show_facts(facts)

    def _say_headline(self, states: list[SourceState]) -> None:
        if not states:
            title = _("Where do your events come from?")
            self.set_words(title, _("Reports and alerts are made from them. There are three ways, alone or together."))
            return
        heard = sum(state.heard for state in states)
        title = plural("{heard} of {n} source heard", "{heard} of {n} sources heard", len(states), heard=heard)
        if any(state.kind in (Kind.DANGER, Kind.WARNING) for state in states):
            self.set_words(title, _("See below what is wrong, and what to do."))
        elif heard < len(states):
            self.set_words(title, _("Waiting for the first line.") if not heard else _("The others still wait."))
        else:
            self.set_words(title, _("Events come in."))

    # --- followed files ----------------------------------------------------------------------------------------------

    def _place_rows(self, files: tuple[LogFile, ...]) -> None:
        """Make a row for each file anew where the files have changed."""
        names = list(dict.fromkeys(file.path for file in files))
        if names == list(self._rows):
            return
        if self._file_card is not None:
            self._file_card.hide()
            self._file_card.deleteLater()
        self._file_card = Card(_("Followed log files"))
        self._rows = {name: self._file_row(name) for name in names}
        for row in self._rows.values():
            self._file_card.add_row(row)
        self._files_column.addWidget(self._file_card)
        read_in_order((self._receiver_card, self._file_card, self.servers, self._silence))

    def _file_row(self, path: str) -> SourceRow:
        test, edit, remove = button(_("Test")), button(_("Edit")), button(_("Remove"))
        for press, said, call in (
            (test, _("Test {path}", path=path), lambda: self._show_view(path, path, self._file(path))),
            (edit, _("Edit {path}", path=path), lambda: self._edit(path)),
            (remove, _("Remove {path}", path=path), lambda: self._remove(path)),
        ):
            press.setAccessibleName(said)
            press.clicked.connect(lambda _checked=False, call=call: call())
        return SourceRow(path, (test, edit, remove))

    def _file(self, path: str) -> LogFile | None:
        return next((file for file in self._context.model.current.sources.files if file.path == path), None)

    def _show_view(self, name: str, title: str, file: LogFile | None) -> None:
        if (before := self._views.pop(name, None)) is not None:
            before.close()
            before.deleteLater()
        view = SourceView(self._context, title, lambda: self._parts(name), file, self)
        self._views[name] = view
        view.show()

    @Slot()
    def _add(self) -> None:
        self._open_dialog(None)

    def _edit(self, path: str) -> None:
        self._open_dialog(self._file(path))

    def _open_dialog(self, before: LogFile | None) -> None:
        dialog = LogFileDialog(self._context, before, self)
        self.file_dialog = dialog
        dialog.saved.connect(lambda file: self._keep(dialog, before, file))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _keep(self, dialog: LogFileDialog, before: LogFile | None, file: LogFile) -> None:
        """Save a new or edited file with all others, or say in the dialog why not."""
        files = list(self._context.model.current.sources.files)
        try:
            if any(one.path == file.path for one in files if before is None or one.path != before.path):
                raise SettingsInvalid(N_("{path} is followed already."), "", path=file.path, key="path")
            at = next((n for n, one in enumerate(files) if before is not None and one.path == before.path), None)
            if at is None:
                files.append(file)
            else:
                files[at] = file
            self._context.model.update({"sources.files": tuple(files)})
        except VxtrayError as error:
            dialog.complain(error)
            return
        dialog.accept()
        self.say(_("Saved"))

    def _remove(self, path: str) -> None:
        files = self._context.model.current.sources.files
        at = next((n for n, one in enumerate(files) if one.path == path), None)
        if at is None:
            return
        removed = files[at]
        if self._save_files(files[:at] + files[at + 1 :]):
            self._removed = (at, removed)
            text = _("{path} is not followed any more. Its events stay.", path=path)
            self.undo.show_message(Kind.INFO, text, _("Undo"))
            self.undo.show()
            self._undo_timer.start()

    @Slot()
    def _put_back(self) -> None:
        if self._removed is None:
            return
        at, file = self._removed
        files = self._context.model.current.sources.files
        if self._file(file.path) is not None or self._save_files((*files[:at], file, *files[at:])):
            self._forget_removed()

    @Slot()
    def _forget_removed(self) -> None:
        self._removed = None
        self._undo_timer.stop()
        self.undo.hide()

    def _save_files(self, files: tuple[LogFile, ...]) -> bool:
        try:
            self._context.model.update({"sources.files": files})
        except VxtrayError as error:
            self.say(words(error), Kind.WARNING)
            return False
        return True

    def _say_saved(self, error: VxtrayError | None) -> None:
        if error is None:  # why a switch went back stands in its row
            self.say(_("Saved"))

    def _told(self, error: VxtrayError | None) -> None:
        self.say(_("Saved")) if error is None else self.say(words(error), Kind.WARNING)
