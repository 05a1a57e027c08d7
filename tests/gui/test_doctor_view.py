"""The staged check as it is shown: rows in order, the server's words as plain text, nothing heard after a stop."""

from collections.abc import Callable

import msgspec
import pytest
from PySide6.QtCore import QCoreApplication, QObject, Qt, QTranslator
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel

from tests.gui.support.world import World
from tests.peers.mailbox import Mailbox
from vxtray.core.credentials import Secret
from vxtray.core.errors import KeyringLocked
from vxtray.core.mail import reaching
from vxtray.core.mail.doctor import Step
from vxtray.core.phrases import Phrase
from vxtray.core.settings.tree import Security, Smtp
from vxtray.gui.doctor_view import DoctorView, Examination
from vxtray.gui.widgets import Button, PlainLabel, plain_label

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

STAGES = ["resolve", "connect", "greeting", "tls", "ehlo", "auth", "sender", "recipients"]


class Ear(QObject):
    """Hears an examination."""

    def __init__(self, examination: Examination) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.ends: list[object] = []
        examination.stepped.connect(self.steps.append)
        examination.finished.connect(self.ends.append)
        examination.failed.connect(self.ends.append)


def settings(box: Mailbox, **other: object) -> Smtp:
    values: dict[str, object] = {
        "host": box.host,
        "port": box.port,
        "username": box.user,
        "from_address": "alerts@example.com",
        "recipients": ("boss@example.com",),
        "ca_file": str(box.ca_file),
    }
    return Smtp(**(values | other))  # type: ignore[arg-type]


def step(ok: bool, detail: str, reply: str = "") -> Step:
    return Step(
        name="auth",
        title=Phrase("Sign-in"),
        ok=ok,
        ms=12,
        detail=Phrase("{text}", {"text": detail}),
        advice=Phrase() if ok else Phrase("Type it again."),
        reply=reply,
    )


def test_each_step_is_told_as_it_ends(world: World, smtp_catcher: Mailbox, qtbot) -> None:
    examination = Examination(world.bridge, world.bridge)
    ear = Ear(examination)
    examination.start(settings(smtp_catcher), lambda: Secret(smtp_catcher.password))
    qtbot.waitUntil(lambda: bool(ear.ends), timeout=10_000)
    assert [told.name for told in ear.steps] == STAGES
    assert ear.ends == [True]
    assert smtp_catcher.mails == []


def test_the_first_fault_is_the_last_step(world: World, smtp_catcher: Mailbox, qtbot) -> None:
    examination = Examination(world.bridge, world.bridge)
    ear = Ear(examination)
    examination.start(settings(smtp_catcher, ca_file=""), lambda: Secret(smtp_catcher.password))
    qtbot.waitUntil(lambda: bool(ear.ends), timeout=10_000)
    assert [told.name for told in ear.steps] == ["resolve", "connect", "greeting", "tls"]
    assert ear.ends == [False]


def test_a_keyring_that_is_locked_fails_at_the_sign_in(world: World, smtp_catcher: Mailbox, qtbot) -> None:
    def locked() -> Secret | None:
        raise KeyringLocked

    examination = Examination(world.bridge, world.bridge)
    ear = Ear(examination)
    examination.start(settings(smtp_catcher), locked)
    qtbot.waitUntil(lambda: bool(ear.ends))
    assert ear.ends == [False]
    *before, failed = ear.steps
    assert all(step.ok for step in before)
    assert failed.name == "auth"
    assert isinstance(failed.fault, KeyringLocked)


def test_nothing_is_heard_after_a_stop(world: World, smtp_catcher: Mailbox, qtbot) -> None:
    examination = Examination(world.bridge, world.bridge)
    ear = Ear(examination)
    examination.start(settings(smtp_catcher), lambda: Secret(smtp_catcher.password))
    examination.cancel()
    done: list[bool] = []
    world.bridge.run(lambda: True, done.append, lambda _error: None, owner=world.bridge)
    world.bridge.run(lambda: True, done.append, lambda _error: None, owner=world.bridge)
    qtbot.waitUntil(lambda: len(done) == 2, timeout=10_000)
    qtbot.wait(200)
    assert ear.steps == []
    assert ear.ends == []


def test_rows_show_what_was_found_and_what_to_do(qtbot) -> None:
    view = DoctorView()
    qtbot.addWidget(view)
    assert view.isHidden()
    view.begin("Testing…")
    assert view.isVisible()
    view.add_step(step(True, "Signed in.", "235 ok"))
    view.add_step(step(False, "The password was refused.", "535 5.7.8 <b>no</b>"))
    good, bad = view.text().splitlines()[0], view.text()
    assert good == "✓ · Sign-in · Signed in."
    assert "✗ · Sign-in · The password was refused." in bad
    assert "Type it again." in bad
    assert "Server's words: 535 5.7.8 <b>no</b>" in bad
    assert "235 ok" not in bad
    assert {label.textFormat() for label in view.findChildren(QLabel)} == {Qt.TextFormat.PlainText}
    view.say("The server took it.\nServer's words: 250 ok", good=True)
    assert view.text() == "✓ · The server took it. · Server's words: 250 ok"
    view.say_error(KeyringLocked())
    assert view.text().startswith("✗ · ")
    view.begin("Testing again…")
    assert view.text() == ""


LONG = "https://support.example.com/" + "0123456789" * 12


@pytest.fixture
def label(qtbot) -> PlainLabel:
    made = plain_label(f"Look at {LONG} please", selectable=True)
    qtbot.addWidget(made)
    made.resize(200, 200)
    with qtbot.waitExposed(made):
        made.show()
    return made


def test_a_long_address_wraps_and_is_copied_as_it_was(label: PlainLabel, qtbot) -> None:
    assert label.minimumSizeHint().width() <= 200
    label.setSelection(8, len(LONG))
    assert label.selectedText() == LONG
    label.setFocus()
    qtbot.keyClick(label, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == LONG
    QGuiApplication.clipboard().clear()
    (copy,) = label.actions()
    copy.trigger()
    assert QGuiApplication.clipboard().text() == LONG


def test_nothing_selected_leaves_the_clipboard_alone(label: PlainLabel, qtbot) -> None:
    QGuiApplication.clipboard().setText("kept")
    label.setFocus()
    qtbot.keyClick(label, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    label.actions()[0].trigger()
    assert QGuiApplication.clipboard().text() == "kept"


def test_qt_itself_has_french_for_the_menu(qapp) -> None:
    from PySide6.QtCore import QLibraryInfo

    translator = QTranslator()
    if not translator.load("qtbase_fr", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
        pytest.skip("this Qt came without its translations")
    assert translator.translate("QWidgetTextControl", "&Copy")
    assert QCoreApplication.translate("QWidgetTextControl", "&Copy")


# --- what can be done about a failed step ----------------------------------------------------------------------------


def links(view: DoctorView) -> dict[str, Button]:
    return {button.text(): button for button in view.findChildren(Button)}


@pytest.fixture
def failed_view(world: World, smtp_catcher: Mailbox, qtbot) -> Callable[[Smtp], DoctorView]:
    """Show a check of these settings to its end."""

    def show(smtp: Smtp) -> DoctorView:
        view = DoctorView()
        qtbot.addWidget(view)
        examination = Examination(world.bridge, world.bridge)
        ends: list[bool] = []
        examination.finished.connect(ends.append)
        view.follow(examination, smtp)
        examination.start(smtp, lambda: Secret(smtp_catcher.password))
        qtbot.waitUntil(lambda: bool(ends), timeout=10_000)
        return view

    return show


def test_a_certificate_can_be_looked_at_and_trusted(
    smtp_catcher: Mailbox, failed_view: Callable[[Smtp], DoctorView], qtbot
) -> None:
    view = failed_view(msgspec.structs.replace(settings(smtp_catcher), ca_file=""))
    assert "Certificate 1: localhost, 127.0.0.1" in view.text()
    with qtbot.waitSignal(view.trust_wanted) as wanted:
        links(view)["Trust this certificate…"].click()
    assert wanted.args[0].names == ("localhost", "127.0.0.1")
    with qtbot.waitSignal(view.ca_file_wanted):
        links(view)["Choose its CA file…"].click()


def test_note_and_conversation_go_to_the_clipboard(
    smtp_catcher: Mailbox, failed_view: Callable[[Smtp], DoctorView]
) -> None:
    smtp = settings(smtp_catcher)
    view = failed_view(msgspec.structs.replace(smtp, username="somebody@example.com"))
    links(view)["Copy a note for the administrator"].click()
    note = QGuiApplication.clipboard().text()
    assert note.startswith("For the administrator of the mail server 127.0.0.1")
    assert "535" in note
    links(view)["Copy the conversation"].click()
    said = QGuiApplication.clipboard().text()
    assert "> EHLO [127.0.0.1]" in said
    assert "< 535" in said
    assert smtp_catcher.password not in note + said
    assert len([text for text in links(view) if text == "✓ Copied"]) == 1  # the dict folds the two


def test_another_way_in_can_be_clicked(
    smtp_catcher: Mailbox, failed_view: Callable[[Smtp], DoctorView], monkeypatch: pytest.MonkeyPatch, qtbot
) -> None:
    monkeypatch.setattr(reaching, "WAYS", ((smtp_catcher.port, Security.STARTTLS),))
    view = failed_view(msgspec.structs.replace(settings(smtp_catcher), security=Security.TLS))
    with qtbot.waitSignal(view.remedy_wanted) as wanted:
        links(view)[f"Use port {smtp_catcher.port} with STARTTLS"].click()
    assert wanted.args == [{"port": smtp_catcher.port, "security": Security.STARTTLS}]


def test_details_of_a_good_step_open_and_close(
    smtp_catcher: Mailbox, failed_view: Callable[[Smtp], DoctorView]
) -> None:
    view = failed_view(settings(smtp_catcher))
    view.show()
    first = next(button for button in view.findChildren(Button) if button.text() == "Details")

    def chain() -> list[QLabel]:
        return [label for label in view.findChildren(QLabel) if "SHA-256" in label.text() and label.isVisible()]

    assert chain() == []
    first.click()
    assert len(chain()) == 1
    assert first.text() == "Fewer details"
    first.click()
    assert chain() == []
