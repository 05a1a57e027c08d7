"""Add or edit a followed log file, and try it: what its last lines would be read as.

GUI thread only; files are read on ``vx-task``.
"""

import os

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QDialog, QFileDialog, QFormLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from vxtray.core.errors import N_, SettingsInvalid, VxtrayError
from vxtray.core.settings.tree import LogFile
from vxtray.core.settings.wellformed import is_zone
from vxtray.core.sources.preview import Preview
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.guide.window import help_key
from vxtray.gui.lines_view import LinesView, read_file, summary_of
from vxtray.gui.theme import theme
from vxtray.gui.trouble import words
from vxtray.gui.widgets import ChoiceField, button, label_for, mark, plain_label, primary_button

_FORMATS = (
    ("auto", N_("Found by content")),
    ("sophos", N_("Sophos Firewall")),
    ("fail2ban", N_("fail2ban")),
    ("modsecurity", N_("ModSecurity (Apache, nginx)")),
    ("suricata", N_("Suricata")),
    ("crowdsec", N_("CrowdSec")),
    ("cef", N_("CEF")),
)
_STARTS = (
    ("now", N_("From now on: only new lines")),
    ("beginning", N_("From the beginning: read what is in it, too")),
)


class LogFileDialog(QDialog):
    """Path or pattern, format, zone and where to start; whoever opens it saves what ``typed`` says.

    Signals: ``saved(file)`` when the person wants to keep it; the receiver closes the dialog or complains.
    """

    saved = Signal(object)

    def __init__(self, context: Context, file: LogFile | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.setWindowTitle(_("Follow a log file") if file is None else _("Followed log file"))
        self._make_fields()
        self.trouble = plain_label(role="trouble")
        self.trouble.hide()
        self.test = button(_("Test"))
        self.test.clicked.connect(self._test)
        self.cancel = button(_("Cancel"))
        self.cancel.clicked.connect(self.reject)
        self.save = primary_button(_("Follow") if file is None else _("Save"))
        self.save.setDefault(True)
        self.save.clicked.connect(self._save)
        self.lines = LinesView()
        self.lines.hide()
        self._lay_out()
        help_key(self, "sources")
        self._load(file or LogFile(path=""))

    def _make_fields(self) -> None:
        self.path = QLineEdit()
        self.path.setAccessibleName(_("File or pattern"))
        self.path.setPlaceholderText(_("/var/log/fail2ban.log or /var/log/remote/*.log"))
        self.choose = button(_("Choose…"))
        self.choose.clicked.connect(self._choose)
        self.format = self._choice(_("Format"), _FORMATS)
        self.zone = QLineEdit()
        self.zone.setAccessibleName(_("Time zone of the log"))
        self.zone.setPlaceholderText(_("This machine's, or a name such as Europe/Paris"))
        self.start = self._choice(_("Where to start"), _STARTS)

    def _choice(self, name: str, choices: tuple[tuple[str, str], ...]) -> ChoiceField:
        field = ChoiceField()
        field.setAccessibleName(name)
        for value, text in choices:
            field.addItem(_(text), value)
        return field

    def _lay_out(self) -> None:
        px = theme().px
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(8)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        chosen = QHBoxLayout()
        chosen.setSpacing(8)
        chosen.addWidget(self.path, 1)
        chosen.addWidget(self.choose)
        form.addRow(label_for(self.path, _("File or pattern")), chosen)
        for label, field in (
            (_("Format"), self.format),
            (_("Time zone"), self.zone),
            (_("Start"), self.start),
        ):
            form.addRow(label_for(field, label), field)
        foot = QHBoxLayout()
        foot.setSpacing(10)
        foot.addWidget(self.test)
        foot.addStretch(1)
        for one in (self.cancel, self.save):
            foot.addWidget(one)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 16)
        column.setSpacing(12)
        column.addLayout(form)
        column.addWidget(self.trouble)
        column.addWidget(self.lines, 1)
        column.addStretch(0)
        column.addLayout(foot)
        self.setMinimumWidth(px(600))
        self.resize(px(760), px(260))

    def _load(self, file: LogFile) -> None:
        self.path.setText(file.path)
        self.format.setCurrentIndex(self.format.findData(file.format))
        self.zone.setText(file.zone)
        self.start.setCurrentIndex(self.start.findData(file.start))

    @Slot()
    def _choose(self) -> None:
        name, _kind = QFileDialog.getOpenFileName(self, _("Follow a log file"), self.path.text(), "")
        if name:
            self.path.setText(name)

    def typed(self) -> LogFile:
        """Return what is typed. Raises ``SettingsInvalid``."""
        path, zone = self.path.text().strip(), self.zone.text().strip()
        if not path or not path.isprintable():
            raise SettingsInvalid(N_("Name the log file first."), N_("Type its path, or choose it."), key="path")
        if not os.path.isabs(os.path.expanduser(path)):  # noqa: PTH111, PTH117 - it may be a pattern
            raise SettingsInvalid(
                N_("Write the whole path, from the root folder on."),
                N_("For example /var/log/fail2ban.log."),
                key="path",
            )
        if zone and not is_zone(zone):
            raise SettingsInvalid(
                N_("“{zone}” is not a time zone."),
                N_("Write an IANA name such as Europe/Paris."),
                key="zone",
                zone=zone,
            )
        return LogFile(path=path, format=self.format.currentData(), zone=zone, start=self.start.currentData())

    def complain(self, error: VxtrayError | None) -> None:
        """Say what is wrong, and lead to the field."""
        wrong = error.values.get("key") if error else None
        for name in ("path", "zone"):
            mark(getattr(self, name), wrong=name == wrong)
            if name == wrong:
                getattr(self, name).setFocus()
        self.trouble.setText("" if error is None else words(error))
        self.trouble.setVisible(error is not None)

    def _checked(self) -> LogFile | None:
        try:
            file = self.typed()
        except VxtrayError as error:
            self.complain(error)
            return None
        self.complain(None)
        return file

    @Slot()
    def _save(self) -> None:
        if (file := self._checked()) is not None:
            self.saved.emit(file)

    @Slot()
    def _test(self) -> None:
        if (file := self._checked()) is None:
            return
        self.test.setEnabled(False)
        read_file(self._context, file, self._tested, self._failed, self)

    def _tested(self, preview: Preview) -> None:
        self.test.setEnabled(True)
        if not self.lines.isVisible():
            self.lines.show()
            self.resize(self.width(), max(self.height(), theme().px(580)))
        self.lines.show_readings(preview.readings, summary_of(preview))

    def _failed(self, error: Exception) -> None:
        self.test.setEnabled(True)
        self.lines.hide()
        self.trouble.setText(words(error))
        self.trouble.show()
        mark(self.path, wrong=True)
