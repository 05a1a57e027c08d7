"""How long the window is held up while a mail server hangs, at each stage of a delivery. Measures, under Xvfb."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bench.conftest import Figures
from tests.bench.figures import IDLE, OURS
from tests.bench.test_window import Gaps, Rig, gaps  # noqa: F401 - a fixture
from tests.core.mail.hostile import PROMPT_USER, Talk, hang, hostile, script
from tests.core.mail.office import Post
from tests.core.mail.wire import PASSWORD, USER, settings
from tests.peers.desktop import XServer, need_programs
from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile
from vxtray.core.settings.tree import Security

pytestmark = [pytest.mark.bench, pytest.mark.xserver, pytest.mark.timeout(300)]

SECONDS = 3


def hang_after(words: bytes) -> Callable[[Talk], None]:
    """Say something first."""

    def said(talk: Talk) -> None:
        talk.say(words)
        hang(talk)

    return said


def deaf(talk: Talk) -> None:
    """Take no byte of the mail."""
    talk.say(b"354 go on\r\n")
    talk.server.over.wait()


def after_the_dot(talk: Talk) -> None:
    talk.say(b"354 go on\r\n")
    talk.until(b"\r\n.\r\n")
    hang(talk)


STAGES: dict[str, dict[str, Callable[[Talk], None]]] = {
    "greeting": {"greeting": hang},
    "EHLO": {"EHLO": hang},
    "TLS": {"STARTTLS": hang_after(b"220 go on\r\n")},
    "AUTH": {"AUTH": hang},
    "password": {"AUTH": hang_after(PROMPT_USER)},
    "MAIL": {"MAIL": hang},
    "RCPT": {"RCPT": hang},
    "DATA": {"DATA": hang},
    "body": {"DATA": deaf},
    "final dot": {"DATA": after_the_dot},
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_server_that_hangs(
    stage: str,
    xserver: XServer,
    profile: Profile,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    figures: Figures,
) -> None:
    need_programs("openbox", "xdotool")
    xserver.window_manager()
    (tmp_path / "credentials").mkdir(mode=0o700)
    (tmp_path / "credentials" / "smtp-password").write_text(PASSWORD + "\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    security = Security.STARTTLS if stage == "TLS" else Security.NONE
    offers = {"EHLO": b"250-mail.test\r\n250-STARTTLS\r\n250 AUTH LOGIN PLAIN\r\n"}
    with hostile(script(**(offers | STAGES[stage]))) as server:
        smtp = settings(server.port, security, username=USER, timeout_seconds=60)
        names = ("host", "port", "security", "username", "from_address", "recipients", "timeout_seconds")
        SettingsFile(profile.settings_file).merge({f"smtp.{name}": getattr(smtp, name) for name in names})
        post = Post(profile.outbox_file.parent, smtp)
        post.add(*(f"k{number}" for number in range(20)), html="<p>words</p>" * 200_000 if stage == "body" else "")
        post.close()
        rig = Rig(xserver, profile.config, request.getfixturevalue("gaps"))
        try:
            rig.visit("overview", "history")
            assert server.connections == 1
            for page in ("overview", "history"):
                watched = rig.ask(f"{page}, server hangs at {stage}", "watch", page, SECONDS)
                figures.add("gap-server", OURS, watched["worst"])
            server.over.set()
            figures.add("gap-server", IDLE, rig.ask("history, at rest", "watch", "history", 2)["worst"])
        finally:
            rig.end()
