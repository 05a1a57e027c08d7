"""P1: kill -9 at any moment loses nothing: at named points and at random, of the engine, of a burst, of an import."""

import contextlib
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import trustme

from tests.faults.failpoints import BURST, IMPORT, SERVE
from tests.faults.lives import BurstLife, EngineLife, ImportLife, Life
from tests.faults.nursery import Nursery
from tests.faults.promises import Impossible, Measured, Run, promise
from tests.peers.mail_servers import receiver_in

#: Kills of one profile before it is finished and compared.
_OF_ONE = {"engine": 40, "burst": 100, "import": 40}
#: How the kills are shared out.
_SHARE = {"engine": 4, "burst": 5, "import": 1}


#: Profiles that are killed beside each other in the full form, since each waits most of its time.
_BESIDE = 5


class _Tally:
    """What is still to be killed, and what was found; of several threads."""

    def __init__(self, parts: Mapping[str, int]) -> None:
        self.parts = parts
        self.total, self.hits = Counter[str](), Counter[str]()
        self.failed = False
        self._claimed = Counter[str]()
        self._lock = threading.Lock()

    def claim(self) -> tuple[str, int] | None:
        """Take the next life: what is killed, and how often; None where all is taken."""
        with self._lock:
            left = {what: part - self._claimed[what] for what, part in self.parts.items()}
            what = max(left, key=lambda what: left[what] / self.parts[what])
            if left[what] <= 0 or self.failed:
                return None
            kills = min(left[what], _OF_ONE[what])
            self._claimed[what] += kills
            return what, kills

    def add(self, what: str, life: Life, hits: Counter[str]) -> str:
        """Add a life that is finished; return how far it is."""
        with self._lock:
            self.total[what] += life.kills
            self.total["twice"] += life.twice
            self.total["doubts"] += life.doubts
            self.total.update(life.items)
            self.hits.update(hits)
            return f"{self.kills} kills, {self.total['twice']} twice, {dict(self.total)}"

    @property
    def kills(self) -> int:
        return sum(self.total[what] for what in self.parts)


@promise(
    "P1",
    "kill -9 at any moment loses nothing",
    "10,000 kills, half at named points: 0 lost; twice only between final dot and record, at most once a kill, same ID",
)
def p1(run: Run) -> Measured:
    if not sys.platform.startswith("linux"):
        raise Impossible("copies of a process are started by fork, and watched by their pidfd")
    many = run.amount(14, 10_000)
    tally = _Tally({what: max(1, many * share // sum(_SHARE.values())) for what, share in _SHARE.items()})
    lanes = run.amount(1, _BESIDE)
    with ThreadPoolExecutor(lanes) as pool:
        for lane in [pool.submit(_lane, run, tally, number) for number in range(lanes)]:
            lane.result()
    total = tally.total
    named = {point: count for point, count in sorted(tally.hits.items()) if point != "at random"}
    unmet = sorted({*SERVE, *BURST, *IMPORT} - named.keys())
    words = (
        f"0 lost, {total['twice']} twice in {total['doubts']} kills between dot and record;"
        f" {tally.hits['at random']:,} at random, {sum(named.values()):,} at {len(named)} named points"
    )
    detail = {"kills": {what: total[what] for what in tally.parts}, "points": named, "not met": unmet}
    return Measured(
        words, count=tally.kills, unit="kills", ok=tally.kills > 0, detail=detail | {"done": dict(total)}, of=10_000
    )


def _lane(run: Run, tally: _Tally, number: int) -> None:
    """Take one life after the other, until none is left or the time is over."""
    chance, hits = Random(f"{run.seed} {number}"), Counter[str]()
    try:
        with Nursery() as nursery:
            while not (run.over() and tally.kills) and (claimed := tally.claim()):
                what, kills = claimed
                before = hits.copy()
                with contextlib.ExitStack() as stack:
                    folder = stack.enter_context(run.room(what))
                    life = _made(what)(nursery, folder, chance, hits, stack)
                    life.patience *= run.amount(1, 2)
                    while life.kills < kills:
                        life.kill_once()
                    life.finish()
                run.say(tally.add(what, life, hits - before))
    except BaseException:
        tally.failed = True
        raise


def _made(what: str) -> Callable[[Nursery, Path, Random, Counter[str], contextlib.ExitStack], Life]:
    def made(nursery: Nursery, folder: Path, chance: Random, hits: Counter[str], stack: contextlib.ExitStack) -> Life:
        if what == "import":
            return ImportLife(folder, nursery, chance, hits)
        receiver = stack.enter_context(receiver_in(folder / "server", trustme.CA()))
        kind = EngineLife if what == "engine" else BurstLife
        return kind(folder, nursery, chance, hits, receiver)

    return made
