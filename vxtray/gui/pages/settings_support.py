"""A support file: shown before it is saved. GUI thread only; it is gathered and written on ``vx-task``."""

from pathlib import Path

from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QFileDialog, QPlainTextEdit

from vxtray.core import support, texts
from vxtray.core.support import Bundle
from vxtray.core.texts import N_, _
from vxtray.gui.context import Context
from vxtray.gui.pages.settings_rows import Saved
from vxtray.gui.theme import theme
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Beside, Card, FlowRow, ToggleRow, button, plain_label, primary_button

_KIND = N_("Support file (ZIP)")


class SupportCard(Card):
    """What would be in the file, whether names are told, and then the file."""

    def __init__(self, context: Context, saved: Saved) -> None:
        super().__init__(_("Support file"))
        self._context = context
        self._saved = saved
        self._bundle: Bundle | None = None
        self.look_button = button(_("Show what would be in it…"))
        self.look_button.clicked.connect(self.look)
        text = _("Versions, settings, health and the log, for whoever helps you. No passwords, no events, no mails.")
        self.add(Beside(plain_label(text, "muted"), FlowRow(self.look_button)))
        self.names = ToggleRow(
            _("With names and addresses"), _("Otherwise machines, people, addresses and paths are only numbered.")
        )
        self.names.toggle.toggled.connect(lambda _on: self.look())
        self.preview = QPlainTextEdit()
        self.preview.setReadOnly(True)
        self.preview.setAccessibleName(_("What would be in the support file"))
        self.preview.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.preview.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.preview.setMinimumHeight(theme().px(260))
        self.save, self.close_button = primary_button(_("Save the file…")), button(_("Close"))
        self.close_button.setAccessibleName(_("Close the support file without saving it"))
        self.save.clicked.connect(self._choose_target)
        self.close_button.clicked.connect(self._close)
        self.trouble = plain_label(role="trouble")
        self._choices = FlowRow(self.save, self.close_button)
        for part in (self.names, self.preview, self._choices, self.trouble):
            part.hide()
            self.add(part)

    def look(self) -> None:
        """Gather it, and show it."""
        context, addresses = self._context, self.names.toggle.isChecked()
        settings, fault = context.model.current, context.model.loaded.trouble
        self._context.bridge.run(
            lambda: support.gather(
                context.profile,
                context.service,
                settings,
                context.service.clock(),
                running=True,
                fault=fault,
                addresses=addresses,
            ),
            self._show,
            self._failed,
            owner=self,
        )

    def _show(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self.preview.setPlainText(bundle.text)
        self.trouble.hide()
        for part in (self.names, self.preview, self._choices):
            part.show()

    def _choose_target(self) -> None:
        day = texts.format_date(self._context.service.clock().date(), "en", "yyyy-MM-dd")
        name, _kind = QFileDialog.getSaveFileName(
            self, _("Save the support file"), f"vxtray-support-{day}.zip", f"{_(_KIND)} (*.zip)"
        )
        if name:
            path = Path(name)
            self.save_to(path if path.suffix else path.with_suffix(".zip"))

    def save_to(self, path: Path) -> None:
        """Write what is shown."""
        if (bundle := self._bundle) is not None:
            self._context.bridge.run(lambda: support.write(bundle, path), self._written, self._failed, owner=self)

    def _written(self, _nothing: object) -> None:
        self._close()
        self._saved(None)

    def _failed(self, error: Exception) -> None:
        self.trouble.setText(words(error))
        self.trouble.show()

    def _close(self) -> None:
        self._bundle = None
        self.preview.clear()
        for part in (self.names, self.preview, self._choices, self.trouble):
            part.hide()
        self.look_button.setFocus()
