"""How long the window is held up while the keyring waits for a person who does not come. Measures, under Xvfb.

A Secret Service that never answers: its name is taken on the session bus, and nobody reads what is asked there.
"""

import os

import pytest
from jeepney import MessageType
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, open_dbus_connection
from jeepney.wrappers import unwrap_msg

from tests.bench.conftest import Figures
from tests.bench.figures import IDLE, OURS
from tests.bench.test_window import Gaps, Rig, gaps  # noqa: F401 - a fixture
from tests.core.mail.office import Post
from tests.core.mail.wire import USER, settings
from tests.peers.desktop import XServer, need_programs
from tests.peers.mailbox import Mailbox
from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile
from vxtray.core.settings.tree import Security

pytestmark = [pytest.mark.bench, pytest.mark.xserver, pytest.mark.timeout(300)]

NAME = "org.freedesktop.secrets"
PAGES = ("overview", "mail_server", "history")
SECRET_SERVICE = "keyring.backends.SecretService.Keyring"


def expect_question(bus: DBusConnection) -> None:
    """Fail where nobody asked the service, which the test is about."""
    while bus.receive(timeout=5).header.message_type is not MessageType.method_call:
        pass


@pytest.mark.parametrize("locked", [False, True], ids=["no mail waits", "locked"])
def test_a_keyring_that_does_not_answer(
    locked: bool,
    xserver: XServer,
    session_bus: str,
    smtp_catcher: Mailbox,
    profile: Profile,
    gaps: Gaps,  # noqa: F811 - the fixture
    figures: Figures,
) -> None:
    need_programs("openbox", "xdotool")
    xserver.window_manager()
    smtp = settings(smtp_catcher.port, Security.STARTTLS, username=USER, ca_file=str(smtp_catcher.ca_file))
    names = ("host", "port", "security", "username", "from_address", "recipients", "ca_file")
    SettingsFile(profile.settings_file).merge({f"smtp.{name}": getattr(smtp, name) for name in names})
    if locked:
        post = Post(profile.outbox_file.parent, smtp)
        post.add(*(f"k{number}" for number in range(20)))
        post.close()
    env = {
        "DBUS_SESSION_BUS_ADDRESS": session_bus,
        "PYTHON_KEYRING_BACKEND": SECRET_SERVICE,
        "LANG": os.environ["LANG"],
    }
    with open_dbus_connection(session_bus) as bus:
        assert unwrap_msg(bus.send_and_get_reply(message_bus.RequestName(NAME))) == (1,)
        rig = Rig(xserver, profile.config, gaps, **env)
        try:
            rig.visit(*PAGES)
            for page in PAGES:
                told = rig.ask(f"{page}, keyring locked" if locked else page, "watch", page, 4)
                figures.add("gap-keyring", OURS if locked else IDLE, told["worst"])
            if locked:
                expect_question(bus)
        finally:
            rig.end()
