"""How many mails a second leave over one connection, beside a bare loop of ``smtplib`` to the same server.

Measures and asserts what was done, never how quickly. ``smtplib`` gets TCP_NODELAY, without which it would wait for
delayed acknowledgements. The whole way, from the outbox, has two durable records and an RSET for each mail more. The
ways take turns every few mails, each over its one connection, so that what else the machine does meets all alike;
medians of the turns are told, since a disk that is busy for a moment costs more than all mails of a turn. Then msmtp
(Debian), started anew for each mail as by a script, sends a few.
"""

import base64
import contextlib
import shutil
import smtplib
import socket
import ssl
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.bench.conftest import Figures
from tests.bench.figures import LOOP, OURS
from tests.core.mail.wire import PASSWORD, USER
from tests.peers.desktop import until
from tests.peers.mail_server import INBOX
from tests.peers.mail_servers import Receiver
from vxtray.core.credentials import MemoryStore, Secret, smtp_account
from vxtray.core.mail.message import Attachment, Mail, compose
from vxtray.core.mail.outbox import Outbox, Outgoing
from vxtray.core.mail.smtp import Session
from vxtray.core.postroom import PostRoom
from vxtray.core.settings.tree import Smtp
from vxtray.core.troubles import TroubleBoard

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

MAILS = 1000
AT_ONCE = 50
BY_MSMTP = 50
Rows = list[dict[str, Any]]
Mails = list[tuple[str, bytes]]
#: Sends mails and returns the seconds that it took.
Way = Callable[[Mails], float]


def mails(label: str) -> Mails:
    """Make mails of 20 kB, each with its Message-ID."""
    made = []
    for number in range(AT_ONCE):
        identity = f"<{label}.{number}@example.com>"
        mail = Mail(
            subject=f"Mail {number}",
            text="Good morning\n" * 10,
            html="",
            from_address=USER,
            from_name="vxtray",
            recipients=(INBOX,),
            message_id=identity,
            date=datetime.now(UTC),
            attachments=(Attachment("events.csv", "text/csv", b"203.0.113.7;blocked;100\r\n" * 560),),
        )
        made.append((identity, compose(mail)))
    return made


@contextlib.contextmanager
def by_smtplib(smtp: Smtp, folder: Path) -> Iterator[Way]:
    with smtplib.SMTP(smtp.host, smtp.port) as client:
        assert client.sock is not None
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.starttls(context=ssl.create_default_context(cafile=smtp.ca_file))
        client.ehlo()
        plain = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
        assert client.docmd("AUTH", f"PLAIN {plain}")[0] == 235  # its own login takes ASCII only

        def send(made: Mails) -> float:
            began = time.perf_counter()
            for _, data in made:
                assert client.sendmail(USER, [INBOX], data) == {}
            return time.perf_counter() - began

        yield send


@contextlib.contextmanager
def by_session(smtp: Smtp, folder: Path) -> Iterator[Way]:
    with Session(smtp, Secret(PASSWORD)) as session:

        def send(made: Mails) -> float:
            began = time.perf_counter()
            for _, data in made:
                session.deliver(USER, (INBOX,), data)
            return time.perf_counter() - began

        yield send


@contextlib.contextmanager
def by_post_room(smtp: Smtp, folder: Path) -> Iterator[Way]:
    def now() -> datetime:
        return datetime.now(UTC)

    def publish(_notice: object) -> None:
        """For nobody."""

    outbox = Outbox(folder / "outbox.db")
    credentials = MemoryStore()
    credentials.set(smtp_account(smtp), Secret(PASSWORD))
    room = PostRoom(outbox, smtp, credentials, TroubleBoard(publish, now), publish, now)

    def send(made: Mails) -> float:
        queued = [
            Outgoing(
                key=identity,
                kind="report",
                subject="Mail",
                message_id=identity,
                mail_from=USER,
                recipients=(INBOX,),
                data=data,
            )
            for identity, data in made
        ]
        outbox.add_all(queued, now())
        began = time.perf_counter()
        assert room._send() == len(made)  # as its thread does: the connection stays open
        return time.perf_counter() - began

    yield send
    room._courier.rest(now=True)
    outbox.close()


def by_msmtp(smtp: Smtp, folder: Path, made: Mails) -> float:
    """Send each mail by a process of its own; return the seconds."""
    config, secret = folder / "msmtprc", folder / "msmtp-password"
    secret.write_text(f"{PASSWORD}\n")
    config.write_text(
        f"account default\nhost {smtp.host}\nport {smtp.port}\nfrom {USER}\nauth plain\nuser {USER}\n"
        f"passwordeval cat {secret}\ntls on\ntls_starttls on\ntls_trust_file {smtp.ca_file}\n"
    )
    config.chmod(0o600)
    began = time.perf_counter()
    for _, data in made:
        subprocess.run(["msmtp", "-C", str(config), INBOX], input=data, check=True, timeout=30)
    return time.perf_counter() - began


WAYS: dict[str, Callable[[Smtp, Path], contextlib.AbstractContextManager[Way]]] = {
    LOOP: by_smtplib,
    "session, one connection": by_session,
    "outbox and post room": by_post_room,
}


@pytest.mark.parametrize("server", ["own_server", "postfix_receiver"])
def test_mails_over_one_connection(
    server: str, request: pytest.FixtureRequest, rows: Rows, figures: Figures, tmp_path: Path
) -> None:
    receiver: Receiver = request.getfixturevalue(server)
    turns: dict[str, list[float]] = {what: [] for what in WAYS}
    with contextlib.ExitStack() as stack:
        ways = {what: stack.enter_context(way(receiver.smtp, tmp_path)) for what, way in WAYS.items()}
        for turn in range(MAILS // AT_ONCE):
            for number in range(len(ways)):  # each comes first, in the middle and last by turns
                what = list(ways)[(turn + number) % len(ways)]
                turns[what].append(ways[what](mails(f"{turn}.{number}")))
    until(lambda: receiver.count() == MAILS * len(WAYS), "all arrived", 60)
    bare = turns[LOOP]
    postfix = server == "postfix_receiver"
    name = "Postfix" if postfix else "aiosmtpd"
    for what, took in turns.items():
        ratio = statistics.median(one / other for one, other in zip(bare, took, strict=True))
        remarks = f"mails of 20 kB; {ratio:.2f} of the bare loop in the same turn (median), {sum(took):.2f} s in all"
        seconds = statistics.median(took) * len(took)
        rows.append({"what": f"{name}: {what}", "lines": MAILS, "seconds": seconds, "remarks": remarks})
    figure = "burst-postfix" if postfix else "burst"
    for what, way in ((LOOP, LOOP), ("session alone", "session, one connection"), (OURS, "outbox and post room")):
        figures.add(figure, what, *(AT_ONCE / seconds for seconds in turns[way]))
    if shutil.which("msmtp") is None:
        pytest.skip("msmtp is not installed (Debian package msmtp); the loop and ours were measured")
    made = mails("msmtp")[:BY_MSMTP]
    figures.add(figure, "msmtp per mail", len(made) / by_msmtp(receiver.smtp, tmp_path, made))
    until(lambda: receiver.count() == MAILS * len(WAYS) + len(made), "all arrived", 60)
