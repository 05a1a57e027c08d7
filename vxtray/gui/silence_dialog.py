"""Silence a rule, a source, or a rule of one source for a while, with a reason.

GUI thread only; the engine is told on ``vx-task``. Nothing is lost by it: what is silenced is counted and told in one
mail afterwards.
"""

from datetime import datetime, timedelta

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QDialog, QFormLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from vxtray.core.alerts.incidents import Silence
from vxtray.core.alerts.rules import Rule
from vxtray.core.errors import N_, UsageError, VxtrayError
from vxtray.core.mail.plaintext import one_line
from vxtray.core.settings.wellformed import is_network
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.guide.window import help_key
from vxtray.gui.rule_names import RULES
from vxtray.gui.theme import theme
from vxtray.gui.trouble import words
from vxtray.gui.widgets import ChoiceField, MomentField, button, mark, plain_label, primary_button

_CHOICES: tuple[Rule | None, ...] = (None, *RULES)
_LENGTHS = (
    (timedelta(hours=1), N_("1 hour")),
    (timedelta(hours=8), N_("8 hours")),
    (timedelta(days=1), N_("1 day")),
    (timedelta(days=7), N_("7 days")),
    (None, N_("Until…")),
)
_REASON_LENGTH = 200


class SilenceDialog(QDialog):
    """Which rule, which source, until when, and why.

    Signals: ``silenced(silence)`` once it is in force; the dialog is closed then.
    """

    silenced = Signal(object)

    def __init__(
        self, context: Context, parent: QWidget | None = None, *, rule: Rule | None = None, network: str = ""
    ) -> None:
        """``rule`` and ``network`` are proposed."""
        super().__init__(parent)
        self._context = context
        self.setWindowTitle(_("Silence alerts"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._make_fields(rule, network)
        self.trouble = plain_label(role="trouble")
        self.trouble.hide()
        self.cancel, self.save = button(_("Cancel")), primary_button(_("Silence them"))
        self.save.setDefault(True)
        self.cancel.clicked.connect(self.reject)
        self.save.clicked.connect(self._save)
        self._lay_out()
        help_key(self, "alerts#silences")
        (self.network if not network else self.reason).setFocus()

    def _make_fields(self, rule: Rule | None, network: str) -> None:
        self.rule, self.length = ChoiceField(), ChoiceField()
        self.rule.addItem(_("Every rule"))
        for text in RULES.values():
            self.rule.addItem(_(text))
        self.rule.setCurrentIndex(_CHOICES.index(rule))
        self.network = QLineEdit(one_line(network, 60))
        self.network.setPlaceholderText(_("Every source, or an address or network such as 192.0.2.0/24"))
        for value, text in _LENGTHS:
            self.length.addItem(_(text), value)
        self.until = MomentField(_("Until"), self._context.service.clock() + timedelta(days=1))
        self.until.hide()
        self.length.currentIndexChanged.connect(lambda _index: self.until.setVisible(self._length() is None))
        self.reason = QLineEdit()
        self.reason.setMaxLength(_REASON_LENGTH)
        self.reason.setPlaceholderText(_("For example: penetration test until Friday"))

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(8)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        times = QHBoxLayout()
        times.setSpacing(8)
        times.addWidget(self.length)
        times.addWidget(self.until)
        times.addStretch(1)
        for name, field, content in (
            (_("Rule"), self.rule, self.rule),
            (_("Source"), self.network, self.network),
            (_("For"), self.length, times),
            (_("Reason"), self.reason, self.reason),
        ):
            field.setAccessibleName(name)
            label = plain_label(name, "muted", wrap=False)
            label.setBuddy(field)
            form.addRow(label, content)
        foot = QHBoxLayout()
        foot.setSpacing(10)
        foot.addStretch(1)
        foot.addWidget(self.cancel)
        foot.addWidget(self.save)
        said = _("No mail leaves about it meanwhile. Everything is counted, and one mail tells it afterwards.")
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 16)
        column.setSpacing(12)
        column.addWidget(plain_label(said, "muted"))
        column.addLayout(form)
        column.addWidget(self.trouble)
        column.addStretch(1)
        column.addLayout(foot)
        px = theme().px
        self.setMinimumWidth(px(480))
        self.resize(px(560), px(300))

    def _length(self) -> timedelta | None:
        return _LENGTHS[self.length.currentIndex()][0]

    def typed(self) -> tuple[Rule | None, str, datetime, str]:
        """Return rule, network, until when and the reason. Raises ``UsageError`` for what cannot be."""
        rule, network = _CHOICES[self.rule.currentIndex()], self.network.text().strip()
        if network and not is_network(network):
            raise UsageError(
                N_("“{network}” is not an address or a network."),
                N_("Write an address such as 192.0.2.7, or a network such as 192.0.2.0/24."),
                network=one_line(network, 60),
                key="network",
            )
        if rule is None and not network:
            raise UsageError(
                N_("Choose a rule or name a source."),
                N_("To hold everything, pause alert mails instead."),
                key="network",
            )
        now, length = self._context.service.clock(), self._length()
        until = self.until.moment() if length is None else now + length
        if until <= now:
            raise UsageError(N_("This time is over."), N_("Choose a later one."), key="until")
        return rule, network, until, one_line(self.reason.text(), _REASON_LENGTH)

    @Slot()
    def _save(self) -> None:
        try:
            rule, network, until, reason = self.typed()
        except VxtrayError as error:
            self._complain(error)
            return
        self._complain(None)
        self.save.setEnabled(False)
        room = self._context.service.alerts
        self._context.bridge.run(
            lambda: room.silence(rule=rule, network=network, until=until, reason=reason),
            self._done,
            self._complain,
            owner=self,
        )

    def _done(self, silence: Silence) -> None:
        self.silenced.emit(silence)
        self.accept()

    def _complain(self, error: Exception | None) -> None:
        """Say what is wrong, and lead to the field."""
        self.save.setEnabled(True)
        wrong = error.values.get("key") if isinstance(error, VxtrayError) else None
        for name, field in (("network", self.network), ("until", self.until)):
            mark(field, wrong=name == wrong)
            if name == wrong:
                field.setFocus()
        self.trouble.setText("" if error is None else words(error))
        self.trouble.setVisible(error is not None)
