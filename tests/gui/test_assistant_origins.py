"""The assistant's third step: logs of this machine with one tick each, and a firewall's lines as they come."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QWidget

from tests.gui.support.world import World
from vxtray.core.errors import SourceError
from vxtray.core.settings.tree import LogFile, Syslog
from vxtray.core.sources.finding import Found, free_port
from vxtray.gui.assistant.origins import OriginsStep
from vxtray.gui.assistant.receiver import ReceiverCard, facts_for, listening_for

pytestmark = [
    pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)"),
    pytest.mark.usefixtures("own_ports"),
]

PATIENCE = 30_000
LINE = (
    b'<30>device="SFW" date=2026-11-22 time=10:42:11 timezone="CET" device_name="XGS" device_id=C1'
    b' log_id=075000617071 log_type="WAF" log_component="Web Application Firewall" priority=Information'
    b" src_ip=18.160.13.241 local_ip=192.0.2.10 method=GET httpstatus=403 server=shop.example.com"
    b' reason="WAF Anomaly" extra="Inbound Anomaly Score Exceeded (Total Score: 25)"'
)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return the root of a machine with fail2ban and nginx."""
    root = tmp_path / "machine"
    for name in ("var/log/fail2ban.log", "var/log/nginx/error.log"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a line\n")
    return root


@pytest.fixture
def show(world: World, qtbot) -> Callable[[Path], OriginsStep]:
    """Return a function that shows the step for a machine, once it has looked at it."""

    def shown(root: Path) -> OriginsStep:
        step = OriginsStep(world.context, root)
        qtbot.addWidget(step)
        step.resize(860, 700)
        with qtbot.waitExposed(step), qtbot.waitSignal(step.logs.looked, timeout=PATIENCE):
            step.show()
            step.enter()
        step.activateWindow()
        qtbot.waitUntil(step.isActiveWindow)
        return step

    return shown


def words_in(part: QWidget) -> str:
    return "\n".join(label.text() for label in part.findChildren(QLabel) if label.isVisible())


# --- logs ------------------------------------------------------------------------------------------------------------


def test_one_tick_follows_a_log_and_another_ends_it(world: World, show, machine: Path, saves) -> None:
    world.model.update({"sources.files": (LogFile(path="/srv/own.log"),)})
    step, before = show(machine), saves.count()
    ticks = list(step.logs._switches.values())
    assert [one.accessibleName() for one in ticks] == [
        f"Follow {machine}/var/log/fail2ban.log",
        f"Follow {machine}/var/log/nginx/error.log",
    ]
    assert not any(one.isChecked() for one in ticks)
    assert step.first_field() is ticks[0]
    ticks[0].click()
    assert world.saved("sources.files") == (
        LogFile(path="/srv/own.log"),
        LogFile(path=f"{machine}/var/log/fail2ban.log", format="fail2ban"),
    )
    assert saves.count() == before + 1
    assert step.note() == "Saved"
    ticks[0].click()
    assert world.saved("sources.files") == (LogFile(path="/srv/own.log"),)


def test_what_is_followed_already_is_ticked_and_what_others_change_is_shown(world: World, show, machine: Path) -> None:
    log = f"{machine}/var/log/fail2ban.log"
    world.model.update({"sources.files": (LogFile(path=log),)})
    step = show(machine)
    assert step.logs._switches[log].isChecked()
    world.change_outside(sources__files=())
    world.model.reload_if_changed()
    assert not step.logs._switches[log].isChecked()


def test_a_log_that_appears_later_is_found_the_next_time(world: World, show, machine: Path, qtbot) -> None:
    step = show(machine)
    eve = machine / "var/log/suricata/eve.json"
    eve.parent.mkdir()
    eve.write_text("{}\n")
    with qtbot.waitSignal(step.logs.looked, timeout=PATIENCE):
        step.enter()
    assert str(eve) in step.logs._switches


def test_a_log_that_may_not_be_read_says_the_command_to_copy(show, tmp_path: Path, qtbot) -> None:
    step = show(tmp_path / "empty")
    qtbot.waitUntil(lambda: "was found here" in words_in(step.logs))
    locked = Found(
        program="fail2ban",
        path="/var/log/fail2ban.log",
        format="fail2ban",
        readable=False,
        group="adm",
        command="sudo usermod -aG adm camille",
    )
    step.logs._show((locked,))
    qtbot.waitUntil(lambda: "sudo usermod -aG adm camille" in words_in(step.logs))
    assert "only the group “adm” may read it" in words_in(step.logs)
    assert step.logs.first_switch() is None
    copy = next(one for one in step.logs.findChildren(type(step.receiver.copy)) if one.text() == "Copy")
    copy.click()
    assert QGuiApplication.clipboard().text() == "sudo usermod -aG adm camille"


def test_who_is_in_the_group_already_only_signs_in_again(show, tmp_path: Path, qtbot) -> None:
    step = show(tmp_path / "empty")
    step.logs._show(
        (
            Found(
                program="Suricata",
                path="/var/log/suricata/eve.json",
                format="suricata",
                readable=False,
                group="adm",
                member=True,
                command="sudo usermod -aG adm camille",
            ),
        )
    )
    qtbot.waitUntil(lambda: "sign out and in again" in words_in(step.logs))
    assert "usermod" not in words_in(step.logs)


# --- the receiver ----------------------------------------------------------------------------------------------------


def test_a_firewall_elsewhere_opens_the_network_for_it_alone() -> None:
    changes = listening_for("192.0.2.1", Syslog())
    assert changes["sources.syslog.address"] == "0.0.0.0"
    assert changes["sources.syslog.allow"] == ("192.0.2.1",)
    assert listening_for("2001:db8::/64", Syslog())["sources.syslog.address"] == "::"
    assert listening_for("127.0.0.1", Syslog())["sources.syslog.allow"] == ()
    assert "127.0.0.1" in listening_for("127.0.0.1", Syslog(allow=("192.0.2.1",)))["sources.syslog.allow"]  # type: ignore[operator]
    on = Syslog(enabled=True, address="0.0.0.0", port=6000, allow=("192.0.2.1",))
    again = listening_for("192.0.2.9", on)
    assert (again["sources.syslog.port"], again["sources.syslog.allow"]) == (6000, ("192.0.2.1", "192.0.2.9"))


def test_a_port_that_is_taken_is_avoided() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", free_port("127.0.0.1")))
        assert listening_for("127.0.0.1", Syslog())["sources.syslog.port"] != taken.getsockname()[1]


def test_what_to_enter_names_port_and_protocol() -> None:
    facts = dict(facts_for(Syslog(enabled=True, port=5599)))
    assert facts["Port"] == "5599"
    assert facts["Protocol"].startswith("UDP")
    assert "6514" in dict(facts_for(Syslog(enabled=True, tls_port=6514)))["Protocol"]


def test_no_address_and_a_wrong_one_are_told(world: World, show, tmp_path: Path, qtbot) -> None:
    step = show(tmp_path / "empty")
    card = step.receiver
    for typed in ("", "my firewall"):
        card.sender_field.setText(typed)
        card.switch_on.click()
        assert "192.168.1.1" in card.trouble.text()
        assert card.sender_field.hasFocus()
    assert world.saved("sources.syslog.enabled") is False


def test_where_no_port_is_free_the_reason_is_told(world: World, qtbot, monkeypatch: pytest.MonkeyPatch) -> None:
    card = ReceiverCard(world.context)
    qtbot.addWidget(card)
    card.show()
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    try:
        monkeypatch.setattr("vxtray.core.sources.finding._FIRST_PORT", taken[0].getsockname()[1])
        monkeypatch.setattr("vxtray.core.sources.finding._PORTS", 1)
        with pytest.raises(SourceError):
            free_port("127.0.0.1")
        card.sender_field.setText("127.0.0.1")
        card.begin()
        assert "No free port" in card.trouble.text()
    finally:
        for one in taken:
            one.close()
    assert world.saved("sources.syslog.enabled") is False


def test_enter_switches_it_on_and_the_first_line_is_shown_as_read(world: World, show, tmp_path: Path, qtbot) -> None:
    world.start()
    step = show(tmp_path / "empty")
    card = step.receiver
    card.sender_field.setFocus()
    QTest.keyClicks(card.sender_field, "127.0.0.1")
    step.forward()
    syslog = world.model.current.sources.syslog
    assert (syslog.enabled, syslog.address) == (True, "127.0.0.1")
    assert card.copy.hasFocus()
    assert "Waiting for the first line" in words_in(card)
    card.copy.click()
    assert f"Port: {syslog.port}" in QGuiApplication.clipboard().text()

    def heard() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as firewall:
            firewall.sendto(LINE, ("127.0.0.1", syslog.port))
        return card.heard.isVisible()

    qtbot.waitUntil(heard, timeout=PATIENCE)
    assert "It works" in card.heard.text()
    for part in ("Critical, blocked", "18.160.13.241", "shop.example.com", "WAF Anomaly", 'device="SFW"'):
        qtbot.waitUntil(lambda part=part: part in words_in(card))  # Qt shows what a layout takes in a turn later
    with qtbot.waitSignal(step.passed):
        step.forward()
    card.switch_off.click()
    assert world.saved("sources.syslog.enabled") is False
    assert card.off.isVisible()


def test_a_line_that_is_not_understood_is_told_too(world: World, show, tmp_path: Path, qtbot) -> None:
    world.model.update(listening_for("127.0.0.1", Syslog()))
    world.start()
    step = show(tmp_path / "empty")
    port = world.model.current.sources.syslog.port

    def heard() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"<30>\xff\xfe no log of ours", ("127.0.0.1", port))
        return step.receiver.heard.isVisible()

    qtbot.waitUntil(heard, timeout=PATIENCE)
    assert "it was not understood" in step.receiver.heard.text()


def test_lines_of_another_sender_are_told_while_nothing_else_comes(world: World, show, tmp_path: Path, qtbot) -> None:
    changes = listening_for("127.0.0.1", Syslog()) | {"sources.syslog.allow": ("192.0.2.1",)}
    world.model.update(changes)
    world.start()
    step = show(tmp_path / "empty")

    def told() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(LINE, ("127.0.0.1", int(str(changes["sources.syslog.port"]))))
        return "from another sender" in words_in(step.receiver)

    qtbot.waitUntil(told, timeout=PATIENCE)
    assert not step.receiver.heard.isVisible()


def test_keyboard_reaches_the_receiver_by_its_letter(world: World, show, tmp_path: Path, qtbot) -> None:
    step = show(tmp_path / "empty")
    QTest.keyClick(step, Qt.Key.Key_I, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(step.receiver.sender_field.hasFocus)
