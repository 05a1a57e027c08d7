"""The guide; where things are, which versions run, and what the log said last; the keys; the licences.

GUI thread only; the licences and the keyring's name are read on ``vx-task``.
"""

import platform

import PySide6
from PySide6.QtCore import QUrl, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QPlainTextEdit, QTabWidget, QVBoxLayout, QWidget

from vxtray.core.credentials import redact
from vxtray.core.revision import version_line
from vxtray.core.texts import _
from vxtray.gui.actions import Actions
from vxtray.gui.context import Context
from vxtray.gui.guide.view import GuideView
from vxtray.gui.pages.help_licences import LicencesView
from vxtray.gui.pages.shortcuts import keyboard_card
from vxtray.gui.theme import theme
from vxtray.gui.widgets import Card, Facts, FlowRow, Page, button, scrolled

_LOG_BYTES = 20_000


class HelpPage(Page):
    """Four tabs: the guide, the diagnostics, ready to be copied, the keyboard and the licences."""

    def __init__(self, context: Context, actions: Actions) -> None:
        copy, assistant = button(_("Copy diagnostics")), button(_("Set-up assistant"))
        super().__init__(_("Help & diagnostics"), version_line(), (assistant, copy))
        assistant.clicked.connect(lambda: actions.page_wanted.emit("assistant"))
        self._context = context
        self._facts = self._collect()
        copy.clicked.connect(self._copy)
        self.guide = GuideView()
        self.licences = LicencesView(context)
        self._diagnostics = _column(_("Diagnostics"), self._places(), self._end_of_log())
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName(_("Help & diagnostics"))
        self.tabs.addTab(self.guide, _("Guide"))
        self.tabs.addTab(self._diagnostics, _("Diagnostics"))
        self.tabs.addTab(_column(_("Keyboard"), keyboard_card()), _("Keyboard"))
        self.tabs.addTab(self.licences, _("Licences"))
        self.add(self.tabs, 1)
        store = context.credentials
        context.bridge.run(store.describe, self._show_keyring, lambda _error: None, owner=self)

    def show_topic(self, topic: str) -> None:
        """Show a topic of the guide; an empty one leaves the guide where it is."""
        self.tabs.setCurrentWidget(self.guide)
        if topic:
            self.guide.show_topic(topic)

    def show_diagnostics(self) -> None:
        """Show where things are, and the log."""
        self.tabs.setCurrentWidget(self._diagnostics)

    def _places(self) -> Card:
        card = Card(_("Where things are"))
        self._shown = Facts(self._facts)
        card.add(self._shown)
        folders = FlowRow(
            self._opener(_("Open the settings folder"), "config"), self._opener(_("Open the log"), "logs")
        )
        card.add(folders)
        return card

    def _end_of_log(self) -> Card:
        log = Card(_("The log, newest last"))
        self._log = QPlainTextEdit()
        self._log.setReadOnly(True)
        self._log.setMinimumHeight(theme().px(220))
        self._log.setAccessibleName(_("The log, newest last"))
        self._log.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        log.add(self._log, 1)
        return log

    def _collect(self) -> list[tuple[str, str]]:
        profile = self._context.profile
        return [
            (_("Version"), version_line()),
            (_("Settings"), str(profile.settings_file)),
            (_("Mails and reports"), str(profile.outbox_file)),
            (_("Events"), str(profile.events_file)),
            (_("Log"), str(profile.log_file)),
            (_("Python, Qt"), f"{platform.python_version()}, {PySide6.__version__}"),
            (_("System"), platform.platform()),
        ]

    def _show_keyring(self, name: str) -> None:
        self._facts.append((_("Keyring"), name))
        self._shown.show_facts(self._facts)

    def _opener(self, text: str, folder: str) -> QWidget:
        one = button(text)
        path = getattr(self._context.profile, folder)
        one.clicked.connect(lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))))
        return one

    def showEvent(self, event: object) -> None:
        """Read the end of the log when the page is looked at."""
        self.refresh()
        super().showEvent(event)  # type: ignore[arg-type]  # Qt's own event, handed on

    def refresh(self) -> None:
        """Show what the log says now, the newest lines in sight."""
        self._log.setPlainText(self._tail())
        bar = self._log.verticalScrollBar()
        bar.setValue(bar.maximum())

    def _tail(self) -> str:
        try:
            with self._context.profile.log_file.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - _LOG_BYTES))
                text = file.read().decode("utf-8", errors="replace")
        except OSError:
            return _("There is no log yet.")
        return redact(text if size <= _LOG_BYTES else text.partition("\n")[2])

    @Slot()
    def _copy(self) -> None:
        lines = [f"{label}: {value}" for label, value in self._facts]
        QGuiApplication.clipboard().setText(redact("\n".join(lines) + "\n\n" + self._tail()))
        self.say(_("Copied"))


def _column(name: str, *cards: QWidget) -> QWidget:
    """Return cards below each other, to be scrolled."""
    inner = QWidget()
    inner.setObjectName("column")
    column = QVBoxLayout(inner)
    column.setContentsMargins(0, 12, 0, 0)
    column.setSpacing(16)
    for card in cards:
        column.addWidget(card)
    column.addStretch(1)
    return scrolled(inner, name)
