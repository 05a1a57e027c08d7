"""The staged connection check, step by step, as it happens. GUI thread only; the check itself runs on ``vx-task``."""

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.credentials import Secret
from vxtray.core.mail.doctor import Step, check
from vxtray.core.settings.tree import Smtp
from vxtray.core.texts import _
from vxtray.gui.bridge import Bridge
from vxtray.gui.icons import IconLabel
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Card, plain_label, separator


class Examination(QObject):
    """One run of the check.

    Signals: ``stepped(step)`` for each step, ``finished(ok)`` at the end, ``failed(error)`` where it could not begin.
    """

    stepped = Signal(object)
    finished = Signal(bool)
    failed = Signal(object)

    def __init__(self, bridge: Bridge, parent: QObject) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._cutoff = bridge.cutoff()

    def start(self, smtp: Smtp, secret: Callable[[], Secret | None]) -> None:
        """Begin; ``secret`` is asked for on the other thread, since a keyring may block."""
        cutoff, bridge = self._cutoff, self._bridge

        def work() -> bool:
            good = True
            for step in check(smtp, secret(), cutoff=cutoff):
                if cutoff.is_cut():
                    return False
                good = good and step.ok
                bridge.call(lambda step=step: self._tell(step))  # type: ignore[misc]  # binds the loop's value
            return good

        self._bridge.run(work, self._end, self._fail, owner=self)

    def cancel(self) -> None:
        """Hear no more of it, and let go of the server at once."""
        self._cutoff.cut()

    def _tell(self, step: Step) -> None:
        if not self._cutoff.is_cut():
            self.stepped.emit(step)

    def _end(self, good: bool) -> None:
        if not self._cutoff.is_cut():
            self.finished.emit(good)

    def _fail(self, error: Exception) -> None:
        if not self._cutoff.is_cut():
            self.failed.emit(error)


class DoctorView(Card):
    """The steps as rows: a mark and a name, what was found or what to do, and the time it took."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._list = QWidget()
        self._steps = QVBoxLayout(self._list)
        self._steps.setContentsMargins(0, 0, 0, 0)
        self._steps.setSpacing(6)
        self.add(self._list)
        self.hide()

    def begin(self, text: str) -> None:
        """Empty the list and say what is going on."""
        self._clear()
        self._steps.addWidget(plain_label(text, "muted"))
        self.show()

    def add_step(self, step: Step) -> None:
        """Show a step."""
        if self._list.findChild(_Row) is None:
            self._clear()
        else:
            self._steps.addWidget(separator())
        self._steps.addWidget(_Row(step))

    def say(self, text: str, *, good: bool) -> None:
        """Show one sentence instead of steps."""
        self._clear()
        self._steps.addWidget(_Row.sentence(text, good=good))
        self.show()

    def say_error(self, error: Exception) -> None:
        """Show why there are no steps."""
        reply = getattr(error, "reply", "")
        said = _("Server's words: {reply}", reply=reply) if reply else ""
        self.say("\n".join(filter(None, (words(error), said))), good=False)

    def text(self) -> str:
        """Return everything that is shown, for tests and for the clipboard."""
        return "\n".join(row.text for row in self._list.findChildren(_Row))

    def _clear(self) -> None:
        while (item := self._steps.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
                widget.setParent(None)


class _Row(QWidget):
    """One step."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        language = texts.current()
        title, detail = step.title.in_language(language), step.detail.in_language(language)
        advice = step.advice.in_language(language)
        if not step.ok and step.reply:
            advice = "\n".join(filter(None, (advice, _("Server's words: {reply}", reply=step.reply))))
        self._fill(title, detail, advice, f"{step.ms} ms", good=step.ok)

    @classmethod
    def sentence(cls, text: str, *, good: bool) -> "_Row":
        """Return a row that is one sentence with a mark."""
        row = cls.__new__(cls)
        QWidget.__init__(row)
        first, _newline, rest = text.partition("\n")
        row._fill("", first, rest, "", good=good)  # noqa: SLF001 - the class's own row
        return row

    def _fill(self, title: str, detail: str, advice: str, took: str, *, good: bool) -> None:
        self.text = " · ".join(filter(None, ("✓" if good else "✗", title, detail, advice)))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(2)
        mark = IconLabel("check" if good else "cross", "good" if good else "danger", 14)
        grid.addWidget(mark, 0, 0, Qt.AlignmentFlag.AlignTop)
        name = plain_label(title, "strong", wrap=False)
        name.setVisible(bool(title))
        name.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        if title:
            name.setMinimumWidth(150)
        grid.addWidget(name, 0, 1, Qt.AlignmentFlag.AlignTop)
        found = plain_label(detail, "body" if good else "strong", selectable=True)
        grid.addWidget(found, 0, 2)
        if took:
            grid.addWidget(plain_label(took, "muted", wrap=False), 0, 3, Qt.AlignmentFlag.AlignTop)
        if advice:
            grid.addWidget(plain_label(advice, "muted", selectable=True), 1, 2)
        grid.setColumnStretch(2, 1)
        self.setAccessibleName(self.text)
