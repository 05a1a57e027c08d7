"""P1: kill -9 at any moment loses nothing: at named points and at random, of the engine, of a burst, of an import."""

import contextlib
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

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


@promise(
    "P1",
    "kill -9 at any moment loses nothing",
    "10,000 kills, half at named points: 0 lost; twice only between final dot and record, at most once a kill, same ID",
)
def p1(run: Run) -> Measured:
    if not sys.platform.startswith("linux"):
        raise Impossible("copies of a process are started by fork, and watched by their pidfd")
    total, hits = Counter[str](), Counter[str]()
    with Nursery() as nursery:
        many = run.amount(14, 10_000)
        parts = {what: max(1, many * share // sum(_SHARE.values())) for what, share in _SHARE.items()}
        while any(total[what] < part for what, part in parts.items()) and (run.full or not total) and not run.over():
            for what, part in parts.items():
                if total[what] < part:
                    _one_life(run, nursery, what, min(part, _OF_ONE[what]), total, hits)
            run.say(f"{sum(total[what] for what in parts)} kills, {total['twice']} twice, {dict(total)}")
    kills = sum(total[what] for what in parts)
    named = {point: count for point, count in sorted(hits.items()) if point != "at random"}
    unmet = sorted({*SERVE, *BURST, *IMPORT} - named.keys())
    words = (
        f"0 lost, {total['twice']} twice in {total['doubts']} kills between dot and record;"
        f" {hits['at random']:,} at random, {sum(named.values()):,} at {len(named)} named points"
    )
    detail = {"kills": {what: total[what] for what in parts}, "points": named, "not met": unmet, "done": dict(total)}
    return Measured(words, count=kills, unit="kills", ok=kills > 0, detail=detail, of=10_000)


def _one_life(run: Run, nursery: Nursery, what: str, kills: int, total: Counter[str], hits: Counter[str]) -> None:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(run.room(what))
        life = _made(what)(run, nursery, folder, hits, stack)
        life.patience *= run.amount(1, 2)
        while life.kills < kills:
            life.kill_once()
        life.finish()
    total[what] += life.kills
    total["twice"] += life.twice
    total["doubts"] += life.doubts
    total.update(life.items)


def _made(what: str) -> Callable[[Run, Nursery, Path, Counter[str], contextlib.ExitStack], Life]:
    def made(run: Run, nursery: Nursery, folder: Path, hits: Counter[str], stack: contextlib.ExitStack) -> Life:
        if what == "import":
            return ImportLife(folder, nursery, run.chance, hits)
        receiver = stack.enter_context(receiver_in(folder / "server", trustme.CA()))
        kind = EngineLife if what == "engine" else BurstLife
        return kind(folder, nursery, run.chance, hits, receiver)

    return made
