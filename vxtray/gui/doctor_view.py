"""The staged connection check, step by step, as it happens. GUI thread only; the check itself runs on ``vx-task``."""

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.credentials import Secret, redact
from vxtray.core.errors import CredentialError
from vxtray.core.mail.admin_note import note_for_admin
from vxtray.core.mail.doctor import Remedy, Step, check
from vxtray.core.mail.faults import MailError, TlsError
from vxtray.core.mail.preflight import Junk, warnings
from vxtray.core.mail.transcript import Transcript
from vxtray.core.settings.tree import Auth, Smtp
from vxtray.core.texts import _
from vxtray.gui.bridge import Bridge
from vxtray.gui.guide.window import open_guide, topic_for
from vxtray.gui.icons import IconLabel
from vxtray.gui.sign_in_words import button_words, provider_for
from vxtray.gui.theme import theme
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Button, Card, link_button, plain_label, separator


class Examination(QObject):
    """One run of the check; ``transcript`` holds what was said.

    Signals: ``stepped(step)`` for each step, ``finished(ok)`` at the end, ``failed(error)`` where it could not begin,
    ``warned(list)`` after the end with what makes mail look like junk, where there is something.
    """

    stepped = Signal(object)
    finished = Signal(bool)
    failed = Signal(object)
    warned = Signal(list)

    def __init__(self, bridge: Bridge, parent: QObject) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._cutoff = bridge.cutoff()
        self.transcript = Transcript()

    def start(self, smtp: Smtp, secret: Callable[[], Secret | None]) -> None:
        """Begin; ``secret`` is asked for on the other thread, since a keyring may block."""
        cutoff, bridge = self._cutoff, self._bridge

        def work() -> list[Junk]:
            good = True
            for step in check(smtp, _secret_or_fault(secret), cutoff=cutoff, transcript=self.transcript):
                if cutoff.is_cut():
                    return []
                good = good and step.ok
                bridge.call(lambda step=step: self._tell(step))  # type: ignore[misc]  # binds the loop's value
            bridge.call(lambda: self._end(good))
            return warnings(smtp)

        self._bridge.run(work, self._warn, self._fail, owner=self)

    def cancel(self) -> None:
        """Hear no more of it, and let go of the server at once."""
        self._cutoff.cut()

    def _tell(self, step: Step) -> None:
        if not self._cutoff.is_cut():
            self.stepped.emit(step)

    def _end(self, good: bool) -> None:
        if not self._cutoff.is_cut():
            self.finished.emit(good)

    def _warn(self, found: list[Junk]) -> None:
        if found and not self._cutoff.is_cut():
            self.warned.emit(found)

    def _fail(self, error: Exception) -> None:
        if not self._cutoff.is_cut():
            self.failed.emit(error)


def _secret_or_fault(secret: Callable[[], Secret | None]) -> Secret | CredentialError | MailError | None:
    """Return the secret, or why there is none: the steps before the sign-in need none and may be wrong too."""
    try:
        return secret()
    except (CredentialError, MailError) as error:
        return error


class DoctorView(Card):
    """The steps as rows: a mark and a name, what was found or what to do, and the time it took.

    Signals: ``remedy_wanted(dict)`` with the settings below ``smtp.`` that a person wants to try;
    ``trust_wanted(Shown)`` for a certificate that is to be believed; ``ca_file_wanted`` to choose an authority's file;
    ``sign_in_wanted`` to sign in with the provider.
    """

    remedy_wanted = Signal(dict)
    trust_wanted = Signal(object)
    ca_file_wanted = Signal()
    sign_in_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._smtp = Smtp()
        self._transcript: Transcript | None = None
        self._list = QWidget()
        self._steps = QVBoxLayout(self._list)
        self._steps.setContentsMargins(0, 0, 0, 0)
        self._steps.setSpacing(6)
        self.add(self._list)
        self.hide()

    def follow(self, examination: Examination, smtp: Smtp) -> None:
        """Show the steps of a check of these settings as they come."""
        self._smtp, self._transcript = smtp, examination.transcript
        self.begin(_("Testing the connection to {server}…", server=f"{smtp.host}:{smtp.port}"))
        examination.stepped.connect(self.add_step)
        examination.warned.connect(self.add_warnings)

    def begin(self, text: str) -> None:
        """Empty the list and say what is going on."""
        self._clear()
        self._steps.addWidget(plain_label(text, "muted"))
        self.show()

    @Slot(object)
    def add_step(self, step: Step) -> None:
        """Show a step."""
        self._add(_Row.of_step(step, self._links(step)))

    def add_finding(self, title: str, detail: str, advice: str = "", *, good: bool) -> None:
        """Show a step of another check."""
        self._add(_Row("good" if good else "danger", title, detail, advice))

    @Slot(list)
    def add_warnings(self, found: list[Junk]) -> None:
        """Show what makes mail look like junk."""
        language = texts.current()
        for one in found:
            self._add(_Row("warning", "", one.title.in_language(language), one.advice.in_language(language)))

    def _add(self, row: "_Row") -> None:
        if self._list.findChild(_Row) is None:
            self._clear()
        else:
            self._steps.addWidget(separator())
        self._steps.addWidget(row)

    def say(self, text: str, *, good: bool) -> None:
        """Show one sentence instead of steps."""
        self._clear()
        first, _newline, rest = text.partition("\n")
        topic = "" if good else topic_for(first)
        links = [self._link(_("Help on this error"), lambda: open_guide(topic, self))] if topic else []
        self._steps.addWidget(_Row("good" if good else "danger", "", first, rest, links=links))
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

    # --- what a person can do about a failed step --------------------------------------------------------------------

    def _links(self, step: Step) -> list[Button]:
        if step.ok:
            return []
        found = [self._remedy(remedy) for remedy in step.remedies]
        if isinstance(step.fault, TlsError) and step.fault.about_certificate:
            found.append(self._link(_("Choose its CA file…"), self.ca_file_wanted.emit))
            if step.chain:
                own = step.chain[0]
                found.append(self._link(_("Trust this certificate…"), lambda: self.trust_wanted.emit(own)))
        if isinstance(step.fault, MailError) and step.fault.sign_in:
            again = self._smtp.auth is Auth.OAUTH
            found.append(self._link(button_words(provider_for(self._smtp), again=again), self.sign_in_wanted.emit))
        if isinstance(step.fault, MailError):
            found.append(self._copier(_("Copy a note for the administrator"), self._note(step.fault)))
        if topic := topic_for(step.detail.in_language(texts.current())):
            found.append(self._link(_("Help on this error"), lambda: open_guide(topic, self)))
        if self._transcript is not None:
            transcript = self._transcript
            found.append(self._copier(_("Copy the conversation"), transcript.text))
        return found

    def _remedy(self, remedy: Remedy) -> Button:
        return self._link(
            remedy.words.in_language(texts.current()), lambda: self.remedy_wanted.emit(dict(remedy.changes))
        )

    def _note(self, fault: MailError) -> Callable[[], str]:
        smtp = self._smtp
        return lambda: redact(note_for_admin(fault, smtp, fault.reply, texts.current()))

    def _copier(self, text: str, content: Callable[[], str]) -> Button:
        def copy() -> None:
            QGuiApplication.clipboard().setText(content())
            button.setText(_("✓ Copied"))

        button = self._link(text, copy)
        return button

    @staticmethod
    def _link(text: str, action: Callable[[], object]) -> Button:
        button = link_button(text)
        button.clicked.connect(lambda _checked: action())
        return button


_MARKS = {"good": "check", "danger": "cross", "warning": "warning"}
_SIGNS = {"good": "✓", "danger": "✗", "warning": "▲"}
#: Links of a row that stand side by side.
_LINKS_A_LINE = 2


class _Row(QWidget):
    """One step, or one sentence: a mark, what was found, what to do, and what can be clicked."""

    def __init__(
        self,
        state: str,
        title: str,
        detail: str,
        advice: str = "",
        took: str = "",
        facts: str = "",
        links: list[Button] | None = None,
    ) -> None:
        super().__init__()
        self.text = " · ".join(filter(None, (_SIGNS[state], title, detail, advice, facts)))
        self.setAccessibleName(self.text)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(10)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(2, 1)
        self._head(state, title, detail, took)
        if advice:
            self._grid.addWidget(plain_label(advice, "muted", selectable=True), 1, 2)
        if facts:
            self._add_facts(facts, shown=state != "good")
        if links:
            self._add_links(links)

    @classmethod
    def of_step(cls, step: Step, links: list[Button]) -> "_Row":
        """Return the row of a step."""
        language = texts.current()
        advice = step.advice.in_language(language)
        if not step.ok and step.reply:
            advice = "\n".join(filter(None, (advice, _("Server's words: {reply}", reply=step.reply))))
        return cls(
            "good" if step.ok else "danger",
            step.title.in_language(language),
            step.detail.in_language(language),
            advice,
            f"{texts.format_number(step.ms, language)} ms",
            "\n".join(fact.in_language(language) for fact in step.facts),
            links,
        )

    def _head(self, state: str, title: str, detail: str, took: str) -> None:
        mark = IconLabel(_MARKS[state], state, 14)
        self._grid.addWidget(mark, 0, 0, Qt.AlignmentFlag.AlignTop)
        name = plain_label(title, "strong")
        name.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        if title:
            name.setFixedWidth(theme().px(116))
        self._grid.addWidget(name, 0, 1, Qt.AlignmentFlag.AlignTop)
        name.setVisible(bool(title))  # not before: without a parent it would be a window, and take the keyboard
        found = plain_label(detail, "body" if state == "good" else "strong", selectable=True)
        self._grid.addWidget(found, 0, 2)
        if took:
            self._grid.addWidget(plain_label(took, "muted", wrap=False), 0, 3, Qt.AlignmentFlag.AlignTop)

    def _add_facts(self, facts: str, *, shown: bool) -> None:
        """Put further findings beneath; those of a step that went well only on demand."""
        label = plain_label(facts, "muted", selectable=True)
        self._grid.addWidget(label, 2, 2)
        label.setVisible(shown)
        if shown:
            return
        more = link_button(_("Details"))
        more.setAccessibleName(_("Details: {facts}", facts=facts))

        def toggle() -> None:
            label.setVisible(label.isHidden())
            more.setText(_("Details") if label.isHidden() else _("Fewer details"))

        more.clicked.connect(toggle)
        self._grid.addLayout(_line([more]), 3, 2)

    def _add_links(self, links: list[Button]) -> None:
        for at, start in enumerate(range(0, len(links), _LINKS_A_LINE)):
            self._grid.addLayout(_line(links[start : start + _LINKS_A_LINE]), 4 + at, 1, 1, 3)


def _line(links: list[Button]) -> QHBoxLayout:
    line = QHBoxLayout()
    line.setSpacing(14)
    for one in links:
        line.addWidget(one)
    line.addStretch(1)
    return line
