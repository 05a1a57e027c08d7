"""P2: a power cut at any moment: nothing is lost that was acknowledged, nothing is damaged, and the program starts."""

import contextlib
import re
import sqlite3
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import trustme

from tests.faults.lives import whole
from tests.faults.nursery import Nursery, a_mail
from tests.faults.powercut import Disk
from tests.faults.promises import Measured, Run, promise
from tests.peers.desktop import until
from tests.peers.mail_servers import Receiver, receiver_in
from vxtray.core.mail.outbox import Outbox
from vxtray.core.settings.file import SettingsFile
from vxtray.core.store.embedded import open_store

#: Cuts of one disk, before it is full.
_OF_ONE = 60
START_SECONDS = 5.0


@promise(
    "P2",
    "Power cut",
    "1,000 cuts: 0 acknowledged queue entries lost, 0 damaged files, starts within 5 s",
)
def p2(run: Run) -> Measured:
    total, slowest = Counter[str](), 0.0
    many = run.amount(4, 1000)
    with Nursery() as nursery:
        while total["cuts"] < many and not run.over():
            for part in (_writing, _sending):
                with run.room("disk") as place, Disk(place) as disk:
                    amount = max(1, min(_OF_ONE, (many - total["cuts"]) // (1 if part is _sending else 2) or 1))
                    slowest = max(slowest, part(run, nursery, place, disk, amount, total))
            run.say(f"{dict(total)}, slowest start {slowest:.2f} s")
    words = (
        f"0 lost of {total['mails']:,} mails, {total['saves']:,} saves, {total['events']:,} batches of events"
        f" acknowledged before a cut; 0 damaged; {total['again']} mails sent again, each in doubt;"
        f" slowest start {slowest:.1f} s"
    )
    ok = run.soon_enough(slowest, START_SECONDS)
    detail = dict(total) | {"slowest": round(slowest, 2)}
    return Measured(words, count=total["cuts"], unit="cuts", ok=ok, detail=detail, of=1000)


def acknowledged(acks: Path) -> dict[str, int]:
    """Return the last number that was told of each kind."""
    lines = acks.read_bytes().decode().splitlines() if acks.exists() else []
    return {kind: int(number) for kind, number in (line.split() for line in lines)}


def _writing(run: Run, nursery: Nursery, place: Path, disk: Disk, cuts: int, total: Counter[str]) -> float:
    """Cut the power while mails are queued, settings saved and events stored; return the longest start in seconds."""
    acks, slowest = place / "acks", 0.0
    (disk.folder / "number").write_text("0")
    child = nursery.start("write", disk.folder, acks=acks)
    try:
        until(lambda: child.ended() or len(acknowledged(acks)) == 3, "it writes", 60)
        for _ in range(cuts):
            if run.over():
                break
            time.sleep(run.chance.random() * 0.2)  # a random moment
            assert not child.ended(), (disk.folder / "said.txt").read_text()
            told = acknowledged(acks)
            with disk.cut() as folder:
                slowest = max(slowest, _check(folder, told))
            total["cuts"] += 1
            total.update({"mails": told["mail"], "saves": told["mail"] // 5, "events": told["mail"] // 3})
    finally:
        child.end()
    return slowest


def _check(folder: Path, told: dict[str, int]) -> float:
    began = time.monotonic()
    outbox = Outbox(folder / "outbox.db")
    outbox.recover()
    store, aside = open_store(folder / "events.duckdb")
    loaded = SettingsFile(folder / "settings.toml").read()
    took = time.monotonic() - began
    with store._reading() as cursor:
        rows = cursor.execute("SELECT rule_name, count(*) FROM events GROUP BY 1").fetchall()
    keys = {entry.key for entry in outbox.entries(1_000_000)}
    outbox.close()
    store.close()
    assert outbox.salvaged is None
    assert aside is None
    assert whole(folder / "outbox.db")
    lost = {f"n{number}" for number in range(1, told["mail"] + 1)} - keys
    assert not lost, f"mails lost: {sorted(lost)[:9]}"
    assert {count for _name, count in rows} <= {20}, "half a batch"
    lost = {f"n{number}" for number in range(3, told["events"] + 1, 3)} - {str(name) for name, _count in rows}
    assert not lost, f"events lost: {sorted(lost)[:9]}"
    check_settings(loaded.settings.store.retention_days, loaded.settings.smtp.from_address, told["settings"])
    return took


def check_settings(days: int, address: str, told: int) -> None:
    """The settings are whole, and not older than what was told."""
    if not told and not address:  # the first ones were not saved yet
        return
    assert re.fullmatch(rf"n{days}-x{{{days % 50}}}@example\.com", address), f"a mix: {days}, {address}"
    assert days >= told, f"{days} is older than {told}, which was saved"


def _sending(run: Run, nursery: Nursery, place: Path, disk: Disk, cuts: int, total: Counter[str]) -> float:
    """Cut the power while mails leave: what arrived is known as sent, or in doubt; return the slowest start."""
    slowest = 0.0
    with contextlib.ExitStack() as stack:
        receiver = stack.enter_context(receiver_in(place / "server", trustme.CA()))
        (disk.folder / "smtp.json").write_bytes(msgspec.json.encode(receiver.smtp))
        added, known = 0, set[str]()
        for _ in range(cuts):
            if run.over():
                break
            outbox = Outbox(disk.folder / "outbox.db")
            missing = 30 - outbox.counts()["queued"]
            outbox.add_all([a_mail(added + number, place.name) for number in range(missing)], datetime.now(UTC))
            added += missing
            outbox.close()
            before = receiver.count()
            child = nursery.start("burst", disk.folder, acks=place / "acks")
            until(lambda: child.ended() or receiver.count() > before, "mails leave", 60)  # noqa: B023 - called here
            time.sleep(run.chance.random() * 0.1)
            there = _identities(receiver)
            with disk.cut() as folder:
                slowest = max(slowest, _check_sent(folder, there - known, added, total))
            child.end()
            known |= _in_doubt(disk.folder / "outbox.db")  # by the kill; it is sent again at one of the next starts
            total["cuts"] += 1
            total["mails"] += added
    return slowest


def _in_doubt(path: Path) -> set[str]:
    """Return the Message-ID of a mail whose final dot was sent, and of which no more is known."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT message_id FROM mails WHERE state = 'sending' AND dot_at != ''").fetchall()
    return {str(row[0]) for row in rows}


def _identities(receiver: Receiver) -> set[str]:
    found = set()
    for mail in receiver.mails():
        (identity,) = re.findall(rb"^Message-ID: *(\S+)$", mail, re.MULTILINE)
        found.add(identity.decode())
    return found


def _check_sent(folder: Path, there: set[str], added: int, total: Counter[str]) -> float:
    began = time.monotonic()
    outbox = Outbox(folder / "outbox.db")
    outbox.recover()
    took = time.monotonic() - began
    entries = outbox.entries(1_000_000)
    assert len(entries) == added, "mails lost"
    again = [entry for entry in entries if entry.state == "queued" and entry.message_id in there]
    assert len(again) <= 1, f"{len(again)} mails arrived and would be sent again"
    for entry in again:
        assert [one["outcome"] for one in outbox.entry(entry.id)[2]][-1:] == ["doubt"], "sent again without a doubt"
    outbox.close()
    assert whole(folder / "outbox.db")
    total["again"] += len(again)
    return took
