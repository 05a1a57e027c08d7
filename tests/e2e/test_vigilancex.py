"""From a VIGILANCE X server to the mail: ``vxtray serve`` with such a server as its only source of events."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.core.engine import text_of
from tests.e2e.vxtray_process import Vxtray, credentials_of
from tests.peers.desktop import until
from tests.peers.mailbox import Mailbox
from tests.peers.vigilancex import PASSWORD, USER, vigilancex_server

SOURCE = "sources.vigilancex"


def told(vxtray: Vxtray) -> tuple[str, int]:
    """Return the name of the one source and how many events it gave since the start."""
    (source,) = vxtray.json("status")["sources"]
    return source["name"], source["events"]


def test_its_events_are_stored_and_its_bans_are_mailed_once(tmp_path: Path, smtp_catcher: Mailbox) -> None:
    folder = credentials_of(tmp_path / "credentials", smtp_catcher)
    (Path(folder) / "vigilancex-password").write_text(PASSWORD + "\n")
    vxtray = Vxtray(tmp_path / "profile", without_qt=True, CREDENTIALS_DIRECTORY=folder, TZ="UTC")
    vxtray.set_up(smtp_catcher)
    with vigilancex_server() as server:
        now = datetime.now(UTC)
        for hours in range(30):
            server.event(now - timedelta(hours=hours, minutes=1), src_ip=f"198.51.100.{hours}")
        vxtray.run("settings", "set", f"{SOURCE}.url={server.url}", f"{SOURCE}.username={USER}")
        vxtray.run("settings", "set", f"{SOURCE}.enabled=true", f"{SOURCE}.poll_seconds=5", "alerts.new_ban=true")
        with vxtray.serve():
            until(lambda: told(vxtray) == ("vigilancex", 30), "the events of the past")
            server.ban(datetime.now(UTC) + timedelta(seconds=1), "203.0.113.99", reason="too many attacks")
            (alert,) = smtp_catcher.wait(1)
            assert "203.0.113.99" in text_of(alert.message)
        with vxtray.serve():  # began anew: nothing again
            server.event(datetime.now(UTC), src_ip="198.51.100.77")
            until(lambda: told(vxtray) == ("vigilancex", 1), "the event after the restart")
    assert len(smtp_catcher.mails) == 1
    assert PASSWORD not in vxtray.said
