"""kill -9 in the middle of a burst to a mail server: every mail arrives, and none twice without saying so.

Two hundred kills: ``pytest -m slow tests/core/mail/test_kill_burst.py``.
"""

import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.core.mail.test_outbox import NOW, PEOPLE, ROOT, mail
from tests.core.mail.wire import Inbox, aiosmtpd
from vxtray.core.mail.outbox import Outbox

DELIVERS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from vxtray.core.credentials import MemoryStore
from vxtray.core.mail.delivery import Courier
from vxtray.core.mail.outbox import Outbox
from vxtray.core.settings.tree import Security, Smtp
smtp = Smtp(host="127.0.0.1", port=int(sys.argv[2]), security=Security.NONE, from_address="f@example.com")
clock = lambda: datetime.now(UTC)
box = Outbox(Path(sys.argv[1]))
box.recover()
box.lift(clock())
courier = Courier(smtp, MemoryStore(), clock, dot_follows=box.dot_follows)
print("sending", flush=True)
for delivery in box.deliver_due(courier.deliver, clock):
    pass
print("done", flush=True)
sys.stdin.read()
"""


def rounds(path: Path, port: int, kills: int, seed: int) -> int:
    """Kill so often at random, then let it finish; return how often it was killed while it sent."""
    chance, struck = random.Random(seed), 0
    for _ in range(kills):
        child = subprocess.Popen(
            [sys.executable, "-c", DELIVERS, str(path), str(port)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"sending\n"
            try:
                child.wait(chance.uniform(0.0, 0.12))
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
            struck += b"done" not in child.stdout.read()
    done = subprocess.run(
        [sys.executable, "-c", DELIVERS, str(path), str(port)], cwd=ROOT, input=b"", capture_output=True, check=False
    )
    assert b"done" in done.stdout, done.stderr
    return struck


def check(folder: Path, kills: int, mails: int, seed: int = 1) -> None:
    path, inbox = folder / "outbox.db", Inbox()
    box = Outbox(path)
    for number in range(mails):
        box.add(mail(f"k{number:04}", to=PEOPLE[: 1 + number % 3]), NOW)
    sent = {entry.message_id: box.entry(entry.id)[3] for entry in box.entries(mails)}
    box.close()
    with aiosmtpd(inbox):
        struck = rounds(path, inbox.port, kills, seed)
    assert struck, "no kill hit a burst"
    box = Outbox(path)
    doubts = Counter[bytes]()
    for entry in box.entries(mails):
        _, people, attempts, data = box.entry(entry.id)
        assert (entry.state, data) == ("sent", sent[entry.message_id])
        assert {state for state, _reply in people.values()} == {"sent"}
        doubts[data] = sum(attempt["outcome"] == "doubt" for attempt in attempts)
    box.close()
    arrived = Counter(content for _sender, _people, content in inbox.taken)
    assert arrived.keys() == set(sent.values()), "lost, or not the same bytes"
    for data, copies in arrived.items():
        assert copies <= 1 + doubts[data], "a second copy without a doubt"
    assert sum(arrived.values()) - mails <= struck, "at most one copy a kill"


def test_a_few_kills(tmp_path: Path) -> None:
    check(tmp_path, kills=6, mails=150)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_hundred_kills(tmp_path: Path) -> None:
    check(tmp_path, kills=200, mails=4000, seed=2)
