"""The fixtures keep their promises: a home of its own, loopback only, a mail server, a screen, a keyring."""

import os
import smtplib
import socket
import ssl
import sys
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.peers.desktop import SecretService, XServer
from tests.peers.loopback import ForbiddenNetwork
from tests.peers.mailbox import Mailbox
from vxtray.core.paths import Profile


def test_home_is_the_tests_own(isolation: Path, profile: Profile) -> None:
    assert Path.home() == isolation
    default = Profile.default()
    assert default.config.is_relative_to(isolation)
    assert default.state.is_relative_to(isolation)
    assert not any(isolation.rglob("*.toml"))
    assert not profile.config.exists()


def test_another_machine_cannot_be_reached() -> None:
    with socket.socket() as client, pytest.raises(ForbiddenNetwork):
        client.connect(("192.0.2.1", 25))
    with pytest.raises(ForbiddenNetwork):
        socket.getaddrinfo("mail.example.com", 25)
    with pytest.raises(socket.gaierror):
        socket.create_connection(("mail.invalid", 25))


def test_loopback_can_be_reached() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(("localhost", server.getsockname()[1])) as client,
    ):
        assert client.getpeername() == server.getsockname()


def test_mail_server_keeps_what_it_gets(smtp_catcher: Mailbox) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Été", smtp_catcher.user, "admin@example.com"
    message.set_content("bonjour")
    with smtplib.SMTP(smtp_catcher.host, smtp_catcher.port, timeout=10) as client:
        client.starttls(context=ssl.create_default_context(cafile=smtp_catcher.ca_file))
        client.login(smtp_catcher.user, smtp_catcher.password)
        client.send_message(message)
    (mail,) = smtp_catcher.wait(1)
    assert mail.recipients == ("admin@example.com",)
    assert mail.message["Subject"] == "Été"


def test_mail_server_refuses_the_wrong_password(smtp_catcher: Mailbox) -> None:
    with smtplib.SMTP(smtp_catcher.host, smtp_catcher.port, timeout=10) as client:
        client.starttls(context=ssl.create_default_context(cafile=smtp_catcher.ca_file))
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(smtp_catcher.user, "wrong")


@pytest.mark.xserver
def test_screen_has_a_window_manager_and_a_tray(xserver: XServer, tmp_path: Path) -> None:
    xserver.window_manager()
    xserver.tray()
    code = (
        "from PySide6.QtWidgets import QApplication, QLabel, QSystemTrayIcon\n"
        "app = QApplication([]); label = QLabel('hello'); label.setWindowTitle('fixture window'); label.show()\n"
        "print(app.platformName(), QSystemTrayIcon.isSystemTrayAvailable(), flush=True)\n"
        "app.exec()\n"
    )
    xserver.start(sys.executable, "-c", code)
    assert xserver.window("fixture window")
    (log,) = xserver.folder.glob("python*.log")
    assert log.read_text().strip().endswith("xcb True")
    assert xserver.screenshot(tmp_path / "screen.png").stat().st_size > 0


def test_keyring_keeps_a_secret_for_the_next_command(secret_service: SecretService) -> None:
    store = "import keyring, sys; keyring.set_password('vxtray-test', 'user', sys.stdin.read())"
    read = "import keyring; print(keyring.get_keyring().name, keyring.get_password('vxtray-test', 'user'))"
    done = secret_service.run([sys.executable, "-c", store], stdin="hunter2 and more")
    assert done.returncode == 0, done.stderr
    done = secret_service.run([sys.executable, "-c", read])
    assert done.stdout.split(maxsplit=2) == ["SecretService", "Keyring", "hunter2 and more\n"], done.stderr
    assert not secret_service.contains("hunter2 and more")
    assert "DBUS_SESSION_BUS_ADDRESS" not in os.environ
