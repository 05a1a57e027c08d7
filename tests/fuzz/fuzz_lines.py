"""Mutated lines by the million, in several processes; every fault is kept as a file.

    python -m tests.fuzz.fuzz_lines --lines 10000000 --processes 2 [--seed 1] [--seconds 600] [--keep out/fuzz]
    python -m tests.fuzz.fuzz_lines --again out/fuzz/fault-...

Ends with status 1 where a promise of ``judge`` was not kept. The same seed, number of lines and processes give the same
lines. As in the processes of a bulk import there is no search for cycles of garbage, so that such would show as growth.
"""

import argparse
import gc
import hashlib
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

from tests.fuzz.judge import GROWTH, Fault, Judge, resident, say
from tests.fuzz.mutation import Mutator
from vxtray.core.parsers import FORMATS

_BATCH = 200
#: After so many lines a process has all that it keeps: modules, zones, full caches.
_WARM = 100_000


def run(seed: int, lines: int, seconds: float, keep: Path | None = None, *, samples: bool = True) -> dict[str, Any]:
    """Judge about ``lines`` mutated lines in this process; return the figures."""
    mutator, judge = Mutator(seed, samples=samples), Judge()
    faults: list[str] = []
    began, warm, most, batches = time.monotonic(), 0, 0, 0
    while judge.total < lines and time.monotonic() - began < seconds:
        batches += 1
        try:
            _batch(mutator, judge, batches)
        except Fault as fault:
            faults.append(f"{fault} {_keep(fault, keep)}")
        if judge.total >= _WARM and batches % 50 == 0:
            most = max(most, resident())
            warm = warm or most
    if most - warm > GROWTH:
        faults.append(f"the process grew from {warm >> 20} to {most >> 20} MiB")
    return {
        "seed": seed,
        "lines": judge.total,
        "seconds": round(time.monotonic() - began, 1),
        **judge.counts,
        "slowest_ms": round(judge.slowest * 1000, 1),
        "over_1_ms": judge.over_a_millisecond,
        "warm_mib": warm >> 20,
        "most_mib": most >> 20,
        "faults": faults,
    }


def _batch(mutator: Mutator, judge: Judge, number: int) -> None:
    lines = mutator.stream(_BATCH)
    judge.stream(lines)
    if number % 10 == 0:  # a family may be asked for by name, whatever the line is
        for line in lines:
            judge.line(line, FORMATS[number // 10 % len(FORMATS)])
    stream = mutator.frames(lines[:20])
    judge.framing(stream, mutator.segments(stream))


def _keep(fault: Fault, keep: Path | None) -> str:
    """Write down what a fault was found in; return where, or the beginning of it."""
    if keep is None:
        return repr(fault.data[:300])
    keep.mkdir(parents=True, exist_ok=True)
    path = keep / f"fault-{hashlib.sha256(fault.data).hexdigest()[:12]}"
    path.write_bytes(fault.data)
    return str(path)


def _work(arguments: tuple[int, int, float, str]) -> dict[str, Any]:
    gc.freeze()
    gc.disable()
    seed, lines, seconds, keep = arguments
    return run(seed, lines, seconds, Path(keep))


def run_beside(seed: int, lines: int, seconds: float, processes: int, keep: Path) -> list[dict[str, Any]]:
    """Share the lines out among processes; return the figures of each."""
    share = -(-lines // processes)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return pool.map(_work, [(seed * 1000 + number, share, seconds, str(keep)) for number in range(processes)])


def again(paths: list[Path]) -> None:
    """Judge kept faults once more. Raises ``Fault``."""
    for path in paths:
        judge, data = Judge(), path.read_bytes()
        judge.line(data)
        judge.stream([data])
        for step in (1, 7):
            judge.framing(data, [data[at : at + step] for at in range(0, len(data), step)])
        say(f"{path}: {dict(judge.counts)}, {judge.slowest * 1000:.1f} ms")


def main() -> int:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--keep", type=Path, default=Path("out/fuzz"))
    parser.add_argument("--again", type=Path, nargs="+")
    options = parser.parse_args()
    if options.again:
        again(options.again)
        return 0
    results = run_beside(options.seed, options.lines, options.seconds, options.processes, options.keep)
    for result in results:
        say(str(result))
    say(f"{sum(result['lines'] for result in results)} lines, slowest {max(r['slowest_ms'] for r in results)} ms")
    return 1 if any(result["faults"] for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
