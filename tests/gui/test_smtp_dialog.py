"""The mail server's dialog: always the saved values, nothing saved by half, and tests that use what is typed."""

import threading
from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QApplication, QComboBox, QDialog, QLineEdit, QPlainTextEdit, QSpinBox, QWidget

from tests.gui.support.smtp import SAVED, settled, shown
from tests.gui.support.world import SaveCounter, World, no_room
from vxtray.core.credentials import Account, MemoryStore, Secret
from vxtray.core.errors import KeyringLocked
from vxtray.core.paths import Profile
from vxtray.core.settings.tree import Auth, Security
from vxtray.gui.smtp_dialog import SmtpDialog

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

WORD = "typed and never written down"


@pytest.fixture
def dialog(world: World, qtbot) -> SmtpDialog:
    made = SmtpDialog(world.context)
    qtbot.addWidget(made)
    return made


# --- always the saved values -----------------------------------------------------------------------------------------


def by_show(dialog: SmtpDialog, look: Callable[[], None]) -> None:
    dialog.show()
    look()
    dialog.reject()


def by_open(dialog: SmtpDialog, look: Callable[[], None]) -> None:
    dialog.open()
    look()
    dialog.close()


def by_exec(dialog: SmtpDialog, look: Callable[[], None]) -> None:
    def inside() -> None:
        try:
            look()
        finally:
            dialog.reject()

    QTimer.singleShot(0, inside)
    assert dialog.exec() == QDialog.DialogCode.Rejected


def by_edit(dialog: SmtpDialog, look: Callable[[], None]) -> None:
    dialog.edit()
    look()
    dialog.hide()


@pytest.mark.parametrize("way", [by_show, by_open, by_exec, by_edit])
def test_every_way_of_opening_shows_what_is_saved(world: World, dialog: SmtpDialog, way) -> None:
    looks = []

    def look() -> None:
        assert dialog.isVisible()
        looks.append(shown(dialog.form) | {"password": dialog.form.password.text()})
        dialog.form.host.setText("typed.example.com")
        dialog.form.password.setText(WORD)
        dialog.form.recipients.setPlainText("")

    world.model.update(SAVED)
    way(dialog, look)
    way(dialog, look)  # after Cancel with typed text
    world.change_outside(smtp__host="other.example.com", smtp__recipients=("new@example.com",))
    way(dialog, look)  # after a change from outside that nobody told the window of
    text = world.profile.settings_file.read_text()
    world.profile.settings_file.write_text(text.replace("other.example.com", "hand.example.com"))
    way(dialog, look)
    world.model.update({"smtp.host": "saved.example.com"})
    way(dialog, look)
    assert [look["smtp.host"] for look in looks] == [
        "smtp.example.com",
        "smtp.example.com",
        "other.example.com",
        "hand.example.com",
        "saved.example.com",
    ]
    assert looks[0] == looks[1] == SAVED | {"password": ""}
    assert [look["smtp.recipients"] for look in looks[2:]] == [("new@example.com",)] * 3
    assert {look["password"] for look in looks} == {""}


def test_mixed_ways_one_after_the_other(world: World, dialog: SmtpDialog) -> None:
    world.model.update(SAVED)
    seen = []
    for way in (by_edit, by_exec, by_show, by_open, by_exec, by_edit):
        way(dialog, lambda: seen.append(shown(dialog.form)))
        dialog.form.load(type(world.model.current.smtp)())
    assert seen == [SAVED] * 6


def test_after_a_save_the_saved_values(world: World, dialog: SmtpDialog, saves: SaveCounter, qtbot) -> None:
    world.model.update(SAVED)
    dialog.open()
    dialog.form.host.setText("  smtp2.example.com ")
    dialog.form.from_name.setText("")
    qtbot.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    assert not dialog.isVisible()
    assert saves.count() == 2
    by_open(dialog, lambda: None)
    expected = SAVED | {"smtp.host": "smtp2.example.com", "smtp.from_name": ""}
    by_exec(dialog, lambda: None)
    assert shown(dialog.form) == expected
    assert {key: world.saved(key) for key in SAVED} == expected


def test_an_open_dialog_is_only_raised_and_keeps_what_was_typed(world: World, dialog: SmtpDialog) -> None:
    world.model.update(SAVED)
    dialog.edit()
    dialog.form.host.setText("typed.example.com")
    dialog.form.password.setText(WORD)
    world.change_outside(smtp__host="other.example.com")
    world.model.reload_if_changed()
    dialog.edit()
    assert dialog.form.host.text() == "typed.example.com"
    assert dialog.form.password.text() == WORD


def test_minimising_and_coming_back_keeps_what_was_typed(world: World, dialog: SmtpDialog, qtbot) -> None:
    world.model.update(SAVED)
    with qtbot.waitExposed(dialog):
        dialog.edit()
    dialog.form.host.setText("typed.example.com")
    dialog.showMinimized()
    qtbot.waitUntil(dialog.isMinimized)
    dialog.showNormal()
    qtbot.waitUntil(lambda: not dialog.isMinimized())
    assert dialog.form.host.text() == "typed.example.com"


@pytest.mark.expected_log(r"WARNING vxtray\.core\.\w+: settings: ")
def test_a_broken_file_is_said_and_the_last_values_stand(world: World, dialog: SmtpDialog) -> None:
    world.model.update(SAVED)
    world.profile.settings_file.write_text("this is = = no TOML")
    dialog.open()
    assert "cannot be read" in dialog.message.text()
    assert dialog.message.isVisible()
    assert shown(dialog.form) == SAVED


@pytest.mark.parametrize("auth", [Auth.PASSWORD, Auth.AUTO, Auth.NONE])
def test_a_way_to_sign_in_that_the_list_does_not_tell_apart_is_kept(
    world: World, dialog: SmtpDialog, auth: Auth
) -> None:
    world.model.update(SAVED | {"smtp.auth": auth})
    dialog.open()
    dialog.save.click()
    assert world.saved("smtp.auth") is auth


# --- the password ----------------------------------------------------------------------------------------------------


def test_the_password_field_is_empty_and_says_that_one_is_stored(world: World, dialog: SmtpDialog, qtbot) -> None:
    world.model.update(SAVED)
    world.keep_password("user@example.com", "smtp.example.com", WORD)
    dialog.open()
    qtbot.waitUntil(lambda: "Stored in the keyring" in dialog.form.password.placeholderText())
    assert dialog.form.password.text() == ""
    assert dialog.form.forget.isEnabled()
    dialog.save.click()
    assert not dialog.isVisible()
    assert world.password("user@example.com", "smtp.example.com") == WORD
    dialog.open()
    dialog.form.host.setText("other.example.com")
    dialog.form.host.editingFinished.emit()
    qtbot.waitUntil(lambda: "Not stored" in dialog.form.password.placeholderText())
    assert not dialog.form.forget.isEnabled()


def test_forget_deletes_the_stored_password(world: World, dialog: SmtpDialog, qtbot) -> None:
    world.model.update(SAVED)
    world.keep_password("user@example.com", "smtp.example.com", WORD)
    dialog.open()
    qtbot.waitUntil(dialog.form.forget.isEnabled)
    qtbot.mouseClick(dialog.form.forget, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: world.password("user@example.com", "smtp.example.com") is None)
    qtbot.waitUntil(lambda: "Not stored" in dialog.form.password.placeholderText())
    assert dialog.isVisible()


class WatchedStore(MemoryStore):
    """A store that looks, at the moment it is given a password, at what the settings file says."""

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        self._file = profile.settings_file
        self.file_then: list[str] = []

    def set(self, account: Account, secret: Secret) -> Secret | None:
        self.file_then.append(self._file.read_text() if self._file.exists() else "")
        return super().set(account, secret)


def test_a_typed_password_is_stored_first_under_the_typed_user_and_host(profile: Profile, qtbot, qapp) -> None:
    store = WatchedStore(profile)
    world = World(profile, store)
    try:
        world.model.update(SAVED)
        dialog = SmtpDialog(world.context)
        qtbot.addWidget(dialog)
        dialog.open()
        dialog.form.host.setText("Mail2.example.com")
        dialog.form.username.setText("Other@example.com")
        dialog.form.password.setText(WORD)
        with qtbot.waitSignal(dialog.accepted):
            dialog.save.click()
        assert "smtp.example.com" in store.file_then[0]
        assert "mail2" not in store.file_then[0].lower()
        assert world.password("Other@example.com", "Mail2.example.com") == WORD
        assert world.password("user@example.com", "smtp.example.com") is None
        assert world.saved("smtp.host") == "Mail2.example.com"
        assert WORD not in world.profile.settings_file.read_text()
        assert dialog.form.password.text() == ""
    finally:
        world.stop()


class LockedStore(MemoryStore):
    """A keyring that nobody unlocks."""

    def get(self, account: Account) -> Secret | None:
        raise KeyringLocked

    def set(self, account: Account, secret: Secret) -> None:
        raise KeyringLocked


def test_a_keyring_that_refuses_saves_nothing_and_the_dialog_says_so(profile: Profile, qtbot, qapp) -> None:
    world = World(profile, LockedStore())
    try:
        world.model.update(SAVED)
        dialog = SmtpDialog(world.context)
        qtbot.addWidget(dialog)
        dialog.open()
        dialog.form.host.setText("mail2.example.com")
        dialog.form.password.setText(WORD)
        dialog.save.click()
        qtbot.waitUntil(lambda: "keyring" in dialog.doctor.text())
        assert dialog.isVisible()
        assert settled(dialog)
        assert world.saved("smtp.host") == "smtp.example.com"
        assert dialog.form.password.text() == WORD
    finally:
        world.stop()


class SlowStore(MemoryStore):
    """A keyring that waits for its person."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.withdrawn = threading.Event(), threading.Event()

    def set(self, account: Account, secret: Secret) -> Secret | None:
        self.go.wait(10)
        return super().set(account, secret)

    def forget(self, account: Account) -> bool:
        found = super().forget(account)
        self.withdrawn.set()
        return found


def test_cancel_while_the_keyring_waits_saves_nothing_and_opens_fresh(profile: Profile, qtbot, qapp) -> None:
    store = SlowStore()
    world = World(profile, store)
    try:
        world.model.update(SAVED)
        dialog = SmtpDialog(world.context)
        qtbot.addWidget(dialog)
        dialog.open()
        dialog.form.host.setText("mail2.example.com")
        dialog.form.password.setText(WORD)
        dialog.save.click()
        dialog.cancel.click()
        dialog.open()
        store.go.set()
        qtbot.waitUntil(store.withdrawn.is_set)
        assert world.password("user@example.com", "mail2.example.com") is None, (
            "a password of a save that was cancelled"
        )
        assert dialog.isVisible()
        assert shown(dialog.form) == SAVED
        assert world.saved("smtp.host") == "smtp.example.com"
    finally:
        world.stop()


def test_what_is_typed_while_the_keyring_works_is_not_mixed_in(profile: Profile, qtbot, qapp) -> None:
    store = SlowStore()
    world = World(profile, store)
    try:
        world.model.update(SAVED)
        dialog = SmtpDialog(world.context)
        qtbot.addWidget(dialog)
        dialog.open()
        dialog.form.password.setText(WORD)
        dialog.save.click()
        dialog.form.username.setText("somebody.else@example.com")
        with qtbot.waitSignal(dialog.accepted):
            store.go.set()
        assert world.saved("smtp.username") == "user@example.com"
        assert world.password("user@example.com", "smtp.example.com") == WORD
    finally:
        world.stop()


def test_a_password_without_a_user_name_is_not_lost_silently(world: World, dialog: SmtpDialog) -> None:
    world.model.update(SAVED | {"smtp.username": ""})
    dialog.open()
    dialog.form.password.setText(WORD)
    dialog.save.click()
    assert dialog.isVisible()
    assert dialog.message.text().startswith("User name:")
    assert dialog.form.password.text() == WORD


def test_no_sign_in_needs_neither_user_nor_password(world: World, dialog: SmtpDialog) -> None:
    world.model.update(SAVED)
    dialog.open()
    dialog.form.choose_way("none")
    for field in (dialog.form.username, dialog.form.password, dialog.form.forget):
        assert not field.isEnabled()
    dialog.save.click()
    assert not dialog.isVisible()
    assert world.saved("smtp.auth") is Auth.NONE
    assert not world.model.current.smtp.signs_in


# --- what is typed ---------------------------------------------------------------------------------------------------


def test_a_security_mode_proposes_its_port(world: World, dialog: SmtpDialog, qtbot) -> None:
    dialog.open()
    form = dialog.form
    form.security.setFocus()
    assert form.port.value() == 587
    ports = []
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Up):
        qtbot.keyClick(form.security, key)
        ports.append(form.port.value())
    assert ports == [465, 25, 465, 587]
    form.port.setValue(2525)
    qtbot.keyClick(form.security, Qt.Key.Key_Down)
    assert form.port.value() == 2525
    assert form.values()["smtp.security"] is Security.TLS


@pytest.mark.parametrize(
    "typed",
    [
        "a@example.com, b@example.com,c@example.com",
        "a@example.com;b@example.com ; c@example.com",
        "a@example.com\nb@example.com\n\nc@example.com\n",
        " a@example.com,\nb@example.com; c@example.com,",
    ],
)
def test_recipients_by_comma_semicolon_or_line(world: World, dialog: SmtpDialog, typed: str) -> None:
    world.model.update(SAVED)
    dialog.open()
    dialog.form.recipients.setPlainText(typed)
    dialog.save.click()
    assert not dialog.isVisible()
    assert world.saved("smtp.recipients") == ("a@example.com", "b@example.com", "c@example.com")


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("recipients", "a@example.com, b at example.com; c@example.com", "Recipients: “b at example.com”"),
        ("recipients", "a@example.com\nBoss <b@example.com>", "Recipients: “Boss <b@example.com>”"),
        ("recipients", " ,; ", "Recipients: enter"),
        ("from_address", "nobody", "Sender's address: “nobody”"),
        ("from_address", "", "Sender's address: enter"),
        ("host", "", "Server: enter"),
        ("host", "https://smtp.example.com", "Server: “https://smtp.example.com”"),
        ("host", "smtp.example.com:587", "Server: “smtp.example.com:587”"),
    ],
)
@pytest.mark.parametrize("press", ["save", "test", "send_test"])
def test_what_is_wrong_is_named_and_nothing_happens(
    world: World, dialog: SmtpDialog, qtbot, field: str, typed: str, said: str, press: str
) -> None:
    world.model.update(SAVED)
    with qtbot.waitExposed(dialog):
        dialog.open()
    dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow)
    before = world.profile.settings_file.read_bytes()
    widget = getattr(dialog.form, field)
    widget.setPlainText(typed) if isinstance(widget, QPlainTextEdit) else widget.setText(typed)
    getattr(dialog, press).click()
    assert dialog.isVisible()
    assert dialog.message.text().startswith(said)
    assert widget.hasFocus()
    assert world.profile.settings_file.read_bytes() == before
    assert settled(dialog)


def test_from_may_differ_from_the_user(world: World, dialog: SmtpDialog) -> None:
    world.model.update(SAVED)
    dialog.open()
    dialog.form.from_address.setText("reports@other.example.org")
    dialog.save.click()
    assert world.saved("smtp.from_address") == "reports@other.example.org"
    assert world.saved("smtp.username") == "user@example.com"


def test_a_save_that_the_disk_refuses_keeps_the_dialog_and_the_values(world: World, dialog: SmtpDialog) -> None:
    world.model.update(SAVED)
    dialog.open()
    dialog.form.host.setText("mail2.example.com")
    with no_room():
        dialog.save.click()
    assert dialog.isVisible()
    assert "could not be saved" in dialog.message.text()
    assert dialog.form.host.text() == "mail2.example.com"
    assert world.saved("smtp.host") == "smtp.example.com"
    dialog.save.click()
    assert world.saved("smtp.host") == "mail2.example.com"


# --- by keyboard, and for those who listen ---------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["host", "username", "from_address", "port", "ca_file", "password"])
def test_enter_saves_and_esc_cancels(world: World, dialog: SmtpDialog, qtbot, field: str) -> None:
    world.model.update(SAVED)
    with qtbot.waitExposed(dialog):
        dialog.open()
    dialog.form.host.setText("escaped.example.com")
    getattr(dialog.form, field).setFocus()
    qtbot.keyClick(getattr(dialog.form, field), Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert world.saved("smtp.host") == "smtp.example.com"
    dialog.open()
    dialog.form.host.setText("entered.example.com")
    getattr(dialog.form, field).setFocus()
    qtbot.keyClick(getattr(dialog.form, field), Qt.Key.Key_Return)
    assert not dialog.isVisible()
    assert world.saved("smtp.host") == "entered.example.com"


def test_enter_among_the_recipients_is_a_new_line(world: World, dialog: SmtpDialog, qtbot) -> None:
    world.model.update(SAVED)
    dialog.open()
    dialog.form.recipients.setFocus()
    qtbot.keyClick(dialog.form.recipients, Qt.Key.Key_Return)
    assert dialog.isVisible()
    assert "\n" in dialog.form.recipients.toPlainText()


def test_tab_goes_through_the_fields_as_they_stand(world: World, dialog: SmtpDialog, qtbot) -> None:
    world.model.update(SAVED)
    world.keep_password("user@example.com", "smtp.example.com", WORD)
    with qtbot.waitExposed(dialog):
        dialog.open()
    dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow)
    qtbot.waitUntil(dialog.form.forget.isEnabled)
    form = dialog.form
    assert QApplication.focusWidget() is form.host
    expected: list[QWidget] = [form.host, form.port, form.security, form.auth, form.username, form.password]
    expected += [form.forget, form.from_name, form.from_address, form.recipients, form.ca_file]
    reached = []
    for _step in range(len(expected) + 5):
        reached.append(QApplication.focusWidget())
        qtbot.keyClick(reached[-1], Qt.Key.Key_Tab)
    assert reached[: len(expected)] == expected
    assert reached[-4:] == [dialog.test, dialog.send_test, dialog.cancel, dialog.save]
    assert QApplication.focusWidget() is dialog.finder.address


def test_every_field_has_a_name_to_be_spoken(world: World, dialog: SmtpDialog) -> None:
    world.model.update(SAVED)
    dialog.open()
    fields = [
        field
        for kind in (QLineEdit, QComboBox, QSpinBox, QPlainTextEdit)
        for field in dialog.form.findChildren(kind)
        if field.objectName() != "qt_spinbox_lineedit"
    ]
    assert len(fields) == 18
    names = [QAccessible.queryAccessibleInterface(field).text(QAccessible.Text.Name) for field in fields]
    assert all(names)
    assert len(set(names)) == len(names)
    spoken = QAccessible.queryAccessibleInterface(dialog.form.password)
    assert spoken.state().passwordEdit
