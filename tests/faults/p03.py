"""P3: settings are never torn: after a kill or a power cut they are the old or the new ones, after "saved" the new."""

import time
from collections import Counter
from pathlib import Path

from tests.faults.failpoints import SETTINGS
from tests.faults.nursery import Nursery
from tests.faults.p02 import acknowledged, check_settings
from tests.faults.powercut import Disk
from tests.faults.promises import Impossible, Measured, Run, promise
from tests.peers.desktop import until
from vxtray.core.settings.file import SettingsFile


@promise("P3", "Settings never torn", "10,000 kills and 500 cuts: always old or new; after “saved” always new")
def p3(run: Run) -> Measured:
    hits = Counter[str]()
    with Nursery() as nursery:
        try:
            cuts, missing = _cuts(run, nursery), ""
        except Impossible as reason:
            cuts, missing = 0, f"; no power cuts: {reason}"
        with run.room("kills") as folder:
            kills = _kills(run, nursery, folder, hits)
    words = f"0 torn, 0 older than saved in {kills:,} kills and {cuts:,} power cuts{missing}"
    detail = {"kills": kills, "cuts": cuts, "points": dict(sorted(hits.items()))}
    return Measured(words, count=kills + cuts, unit="kills and cuts", ok=True, detail=detail, of=10_500)


def _kills(run: Run, nursery: Nursery, folder: Path, hits: Counter[str]) -> int:
    acks, kills, many = folder / "acks", 0, run.amount(40, 10_000)
    while kills < many and not run.over():
        point = run.chance.choice(SETTINGS) if kills % 2 else ""
        child = nursery.start("settings", folder, point=point, count=run.chance.randint(1, 9), acks=acks)
        if point:
            until(child.ended, f"it comes by {point}", 60)
        else:
            time.sleep(run.chance.random() * 0.05)
        assert child.end() == -9, (folder / "said.txt").read_text()
        hits[point or "at random"] += 1
        kills += 1
        if acks.exists():
            told = acknowledged(acks)
            _check(folder, told.get("settings", 0))
            acks.write_text("".join(f"{kind} {number}\n" for kind, number in told.items()))  # it would grow and grow
    return kills


def _check(folder: Path, told: int) -> None:
    loaded = SettingsFile(folder / "settings.toml").read()
    days = loaded.settings.store.retention_days
    # The number begins again after its highest, one below the first.
    check_settings(days, loaded.settings.smtp.from_address, told if days >= told or told < 35_000 else 0)


def _cuts(run: Run, nursery: Nursery) -> int:
    cuts, many = 0, run.amount(3, 500)
    half = run.left / 2
    while cuts < many and run.left > half:
        with run.room("disk") as place, Disk(place) as disk:
            acks = place / "acks"
            child = nursery.start("settings", disk.folder, acks=acks)
            try:
                until(lambda: child.ended() or bool(acknowledged(acks)), "it saves", 60)  # noqa: B023 - called here
                for _ in range(min(100, many - cuts)):
                    time.sleep(run.chance.random() * 0.1)  # a random moment
                    told = acknowledged(acks)["settings"]
                    with disk.cut() as folder:
                        _check(folder, told)
                    cuts += 1
            finally:
                child.end()
    return cuts
