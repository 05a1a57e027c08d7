"""The logs of security programs that this machine has, each with a switch. GUI thread; looked for on ``vx-task``."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from vxtray.core.errors import VxtrayError
from vxtray.core.settings.tree import LogFile
from vxtray.core.sources.finding import Found, find_logs
from vxtray.core.texts import _
from vxtray.gui.bindings import follow
from vxtray.gui.context import Context
from vxtray.gui.icons import IconLabel
from vxtray.gui.logfile_dialog import LogFileDialog
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Beside, Card, Toggle, ToggleRow, link_button, plain_label


class _Locked(QWidget):
    """A log that is there and may not be read: what to enter, and how to copy it."""

    def __init__(self, found: Found) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 2, 0, 2)
        row.setSpacing(12)
        text = QVBoxLayout()
        text.setSpacing(3)
        text.addWidget(plain_label(found.program, "strong"))
        text.addWidget(plain_label(found.path, "muted", selectable=True))
        text.addWidget(plain_label(_how(found)))
        if found.command and not found.member:
            command = plain_label(found.command, "secondary", selectable=True)
            command.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
            copy = link_button(_("Copy"))
            copy.setAccessibleName(_("Copy: {name}", name=found.command))
            copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(found.command))
            copy.clicked.connect(lambda: copy.setText(_("✓ Copied")))
            text.addWidget(Beside(command, copy, least=220))
        mark = IconLabel("warning", "warning", 16)
        mark.setFixedWidth(Toggle("").sizeHint().width())  # the names stand in one column with those of the switches
        row.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(text, 1)


def _how(found: Found) -> str:
    """Return what keeps a person from reading a log, and what to do about it."""
    if found.member:
        return _("You are in the group “{group}” now: sign out and in again, then it can be read.", group=found.group)
    if found.group:
        return _(
            "Found, but only the group “{group}” may read it. Add yourself to it in a terminal, then sign out and in"
            " again:",
            group=found.group,
        )
    return _("Found, but only its owner may read it. Give yourself the right in a terminal:")


class LogsCard(Card):
    """A switch for each log that can be followed.

    Signals: ``looked`` when the search ended; ``told(text)`` when something was saved.
    """

    looked = Signal()
    told = Signal(str)

    def __init__(self, context: Context, root: Path) -> None:
        super().__init__(_("Logs on this machine"))
        self._context = context
        self._root = root
        self._found: Sequence[Found] | None = None
        self._looking = False
        self._switches: dict[str, Toggle] = {}
        self.dialog: LogFileDialog | None = None
        follow(self, context.model, lambda _change: self._show_followed())

    def look(self) -> None:
        """Look for logs; what was found before stays until then."""
        if self._looking:
            return
        self._looking = True
        if self._found is None:
            self.clear()
            self.add(plain_label(_("Looking for logs…"), "muted"))
        self._context.bridge.run(partial(find_logs, self._root), self._show, self._failed, owner=self, quick=True)

    def first_switch(self) -> QWidget | None:
        """Return the first switch, None where there is none yet."""
        return next(iter(self._switches.values()), None)

    def _failed(self, error: Exception) -> None:
        self._looking = False
        self.clear()
        self.add(plain_label(words(error), "trouble"))
        self.looked.emit()

    def _show(self, found: Sequence[Found]) -> None:
        self._looking = False
        if found != self._found:
            self._found = found
            self.clear()
            self._switches = {}
            for one in found:
                self.add_row(self._row(one) if one.readable else _Locked(one))
            if not found:
                said = _("No log of fail2ban, ModSecurity, Suricata, CrowdSec, nginx or Apache was found here.")
                self.add(plain_label(said, "muted"))
            other = link_button(_("Choose another &file…"))
            other.clicked.connect(self._choose)
            self.add(other)
        self._show_followed()
        self.looked.emit()

    def _row(self, found: Found) -> ToggleRow:
        row = ToggleRow(found.program, found.path)
        row.toggle.setAccessibleName(_("Follow {path}", path=found.path))
        row.toggle.setObjectName(found.path)
        row.toggle.setChecked(self._follows(found.path))
        row.toggle.toggled.connect(lambda on: self._switch(found, row, on=on))
        self._switches[found.path] = row.toggle
        return row

    def _follows(self, path: str) -> bool:
        return any(file.path == path for file in self._context.model.current.sources.files)

    def _show_followed(self) -> None:
        for path, toggle in self._switches.items():
            toggle.setChecked(self._follows(path))

    def _switch(self, found: Found, row: ToggleRow, *, on: bool) -> None:
        """Follow a log, or follow it no more; where that cannot be saved, the switch goes back."""
        if on == self._follows(found.path):
            return
        files = self._context.model.current.sources.files
        others = tuple(file for file in files if file.path != found.path)
        try:
            self._save((*others, LogFile(path=found.path, format=found.format)) if on else others)
        except VxtrayError as error:
            row.toggle.setChecked(not on)
            row.show_trouble(words(error))
        else:
            row.clear_trouble()

    def _save(self, files: tuple[LogFile, ...]) -> None:
        self._context.model.update({"sources.files": files})
        self.told.emit(_("Saved"))

    @Slot()
    def _choose(self) -> None:
        self.dialog = dialog = LogFileDialog(self._context, None, self)
        dialog.saved.connect(self._keep)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot(object)
    def _keep(self, file: LogFile) -> None:
        assert self.dialog is not None
        others = (one for one in self._context.model.current.sources.files if one.path != file.path)
        try:
            self._save((*others, file))
        except VxtrayError as error:
            self.dialog.complain(error)
            return
        self.dialog.accept()
        self.told.emit(_("{path} is followed.", path=file.path))
