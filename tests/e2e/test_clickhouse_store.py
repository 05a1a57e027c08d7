"""``vxtray serve`` with its events on a ClickHouse server, each a process of its own, and the server killed amid it."""

import re
import signal
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.core.engine import text_of
from tests.e2e.loglines import counted, firewall, waf
from tests.e2e.vxtray_process import Vxtray, credentials_of
from tests.peers.clickhouse import PASSWORD, USER, ClickHousePeer, clickhouse_server
from tests.peers.desktop import until
from tests.peers.mail_server import free_ports
from tests.peers.mailbox import Mailbox

SECONDS = 60


class Sending:
    """Sends lines by syslog and keeps them: the truth of what must be stored."""

    def __init__(self, port: int, at: datetime) -> None:
        self.port, self.at = port, at
        self.lines: list[str] = []

    def __call__(self, count: int, *, critical: str = "") -> None:
        begin = len(self.lines)
        new = [firewall(self.at, f"198.51.100.{n % 200}", denied=n % 3 == 0) for n in range(begin, begin + count)]
        if critical:
            new.append(waf(self.at, critical, 55))
        self.lines += new
        with socket.create_connection(("127.0.0.1", self.port)) as sock:
            sock.sendall("".join(f"{line}\n" for line in new).encode())


@pytest.mark.parametrize("restarted", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_what_came_while_the_server_was_away_is_in_the_report_once(
    tmp_path: Path, smtp_catcher: Mailbox, restarted: bool
) -> None:
    """``restarted``: vxtray too is killed while the server is away; otherwise it has to find the server by itself."""
    folder = credentials_of(tmp_path / "credentials", smtp_catcher)
    Path(folder, "store-clickhouse-password").write_text(PASSWORD)
    vxtray = Vxtray(tmp_path / "profile", without_qt=True, CREDENTIALS_DIRECTORY=folder, TZ="UTC")
    vxtray.set_up(smtp_catcher)
    port, syslog = free_ports(2)
    words = (f"url=http://127.0.0.1:{port}", f"username={USER}", "database=kept")
    vxtray.run("settings", "set", "store.engine=clickhouse", *(f"store.clickhouse.{word}" for word in words))
    vxtray.run("settings", "set", "sources.syslog.enabled=true", f"sources.syslog.port={syslog}")
    at = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
    send = Sending(syslog, at)

    engine = tmp_path / "engine"
    with vxtray.serve() as process:
        with clickhouse_server(engine, port) as peer:
            until(lambda: "kept" in peer.run("SHOW DATABASES"), "the tables", SECONDS)
            send(40)
            until(lambda: peer.run("SELECT count() FROM kept.events").strip() == "40", "events to arrive", SECONDS)
        send(60, critical="203.0.113.9")
        (alert,) = smtp_catcher.wait(1)
        assert "203.0.113.9" in text_of(alert.message)
        vxtray.run("report", "daily", status=1)
        assert len(smtp_catcher.mails) == 1, "no report without its numbers"
        state = vxtray.json("store", "status", status=1)
        assert (state["waiting"], "cannot be used" in state["error"]) == (61, True)
        if restarted:
            process.send_signal(signal.SIGKILL)
            process.wait()
        else:
            with clickhouse_server(engine, port) as peer:
                check(vxtray, peer, send, smtp_catcher)
    if restarted:
        with clickhouse_server(engine, port) as peer, vxtray.serve():
            check(vxtray, peer, send, smtp_catcher)
    assert "Traceback" not in vxtray.said


def check(vxtray: Vxtray, peer: ClickHousePeer, send: Sending, box: Mailbox) -> None:
    """Everything has to get to the server, once, and the report has to say so."""
    send(20)
    total = len(send.lines)
    seen = "SELECT count(), uniqExact(writer, seq) FROM kept.events"
    until(lambda: peer.run(seen).split() == [str(total)] * 2, "all events to arrive", SECONDS)
    numbers = vxtray.json("report", "daily", "--send")["totals"]
    truth = counted("\n".join(send.lines), f"{send.at:%Y-%m-%d}")
    assert truth["events"] == total
    assert {name: numbers[name] for name in truth} == truth
    report = box.wait(2)[1].message
    assert re.search(rf"^Events +{total}\b", text_of(report), re.MULTILINE)
    assert len(box.mails) == 2, "the alert came once"
    state = vxtray.json("store", "status")
    assert (state["waiting"], [program["sends"] for program in state["programs"]]) == (0, [True])
