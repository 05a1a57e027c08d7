"""Step 6: what is set and what is missing, the tray, and the start with the session. GUI thread only."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QWidget

from vxtray.core.errors import VxtrayError
from vxtray.core.settings.tree import Settings
from vxtray.core.texts import _, plural
from vxtray.gui.assistant.step import Step
from vxtray.gui.bindings import bind_row, follow
from vxtray.gui.context import Context
from vxtray.gui.icons import IconLabel
from vxtray.gui.theme import theme
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Beside, Card, ToggleRow, link_button, plain_label

#: Width of the names, in px at scale 1, so that what is set stands in a column.
_NAME = 176


class _Line(QWidget):
    """One thing that is set, or not yet, and the way back to its step."""

    def __init__(self, step: Step, go: Callable[[str], None]) -> None:
        super().__init__()
        self._step = step
        self.mark = IconLabel("check", "good", 16)
        self._said = plain_label(role="muted")
        change = link_button(_("Edit"))
        change.setAccessibleName(_("Change: {name}", name=step.name))
        change.clicked.connect(lambda: go(step.key))
        text = QWidget()
        row = QHBoxLayout(text)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(self.mark, 0, Qt.AlignmentFlag.AlignTop)
        name = plain_label(step.name, "strong")
        name.setFixedWidth(theme().px(_NAME))
        row.addWidget(name, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._said, 1)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(Beside(text, change, least=240))

    def show_state(self, said: str, *, done: bool) -> None:
        """Say what is set."""
        self.mark.set_icon("check" if done else "warning", "good" if done else "warning")
        self._said.setText(said)
        self.setAccessibleName(f"{self._step.name}: {said}")


class EndingStep(Step):
    """A summary, and the start with the session."""

    def __init__(self, context: Context, steps: Sequence[Step], in_tray: Callable[[], bool]) -> None:
        """``steps`` are those before; ``in_tray`` says whether an icon leads back to the window."""
        super().__init__(context, "ending", _("Ready"), "", "")
        self._steps = steps
        self._in_tray = in_tray
        self.lines = {step.key: _Line(step, self.wanted.emit) for step in steps}
        summary = Card()
        for line in self.lines.values():
            summary.add_row(line)
        self.autostart = ToggleRow(
            _("Start with the session"), _("vxtray then watches from the moment you sign in, as an icon in the tray.")
        )
        self.autostart.toggle.setObjectName("assistant.general.autostart")
        bind_row(self.autostart, context.model, "general.autostart", self._saved)
        self._shield = IconLabel("tray-ok", "accent", 24)
        self._tray = plain_label(role="muted")
        tray = QWidget()
        row = QHBoxLayout(tray)
        row.setContentsMargins(0, 2, 0, 2)
        row.setSpacing(14)
        row.addWidget(self._shield, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self._tray, 1)
        after = Card()
        after.add_row(self.autostart)
        after.add_row(tray)
        for card in (summary, after):
            self.put(card)
        follow(self, context.model, lambda _change: self.enter())

    @property
    def next_words(self) -> str:
        """Say that this is the end."""
        return _("&Finish")

    def complete(self) -> bool:
        """Return whether mails can be sent."""
        return self.context.model.current.ready

    def enter(self) -> None:
        """Say how everything stands."""
        settings = self.context.model.current
        missing = [step for step in self._steps if not step.complete()]
        if not missing:
            self.set_words(_("vxtray is ready"), _("From now on it watches, and tells you by e-mail what matters."))
        elif settings.ready:
            self.set_words(_("vxtray can send mail"), _("What is still open can be set at any time."))
        else:
            self.set_words(_("Not ready yet"), _("No mail can leave before the open points are set."))
        said = {
            "account": settings.smtp.from_address,
            "recipients": ", ".join(settings.smtp.recipients),
            "origins": _origins(settings),
            "choices": _choices(settings),
            "proof": _("A mail was accepted."),
        }
        for step in self._steps:
            done = step not in missing
            self.lines[step.key].show_state(said[step.key] if done else _("Not set yet"), done=done)
        if not self._steps[-1].complete():
            self.lines["proof"].show_state(_("Not tried yet"), done=False)
        if self._in_tray():
            text = _("The window now goes away. The shield in the tray says how everything stands, and brings it back.")
        else:
            text = _("This desktop shows no tray: vxtray runs for as long as its window is open.")
        self._tray.setText(text)
        self._shield.set_icon("tray-ok" if self._in_tray() else "info", "accent")

    @Slot(object)
    def tell_refused(self, error: Exception) -> None:
        """Say, beneath the switch, why the system does not start vxtray with the session."""
        self.autostart.show_trouble(words(error))

    def _saved(self, error: VxtrayError | None) -> None:
        if error is None:
            self.say(_("Saved"))

    def first_field(self) -> QWidget:
        """Return the switch."""
        return self.autostart.toggle


def _origins(settings: Settings) -> str:
    said = []
    if files := len(settings.sources.files):
        said.append(plural("{n} log file", "{n} log files", files))
    if settings.sources.syslog.enabled:
        said.append(_("the syslog receiver on port {port}", port=settings.sources.syslog.port))
    return ", ".join(said)


def _choices(settings: Settings) -> str:
    reports, alerts = settings.reports, settings.alerts
    on = sum(one.enabled for one in (reports.daily, reports.weekly, reports.monthly))
    rules = sum((alerts.critical, alerts.waf_blocked, alerts.waf_detected, alerts.new_ban))
    said = (
        plural("{n} report", "{n} reports", on) if on else _("no report"),
        plural("{n} kind of alert", "{n} kinds of alerts", rules) if rules else _("no alert"),
    )
    return ", ".join(said)
