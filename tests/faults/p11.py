"""P11: malformed input: mutated lines over all parsers and framings, none of which may raise, stall or grow."""

import os

from tests.faults.promises import Measured, Run, promise
from tests.fuzz.fuzz_lines import run as fuzz
from tests.fuzz.fuzz_lines import run_beside

#: Of the slowest line, in milliseconds.
MOST_MS = 50.0


@promise("P11", "Malformed input", "50 million lines over all parsers: 0 exceptions, 0 lines over 50 ms, p99.9 < 1 ms")
def p11(run: Run) -> Measured:
    with run.room() as folder:
        if run.full:
            found = run_beside(run.seed, 50_000_000, run.left, os.cpu_count() or 1, folder / "kept")
        else:
            found = [fuzz(run.seed, 6000, 30, folder / "kept", samples=False)]
        faults = [fault for one in found for fault in one["faults"]]
        assert not faults, faults[:5]
    lines, slow = sum(one["lines"] for one in found), sum(one["over_1_ms"] for one in found)
    share = slow / lines
    slowest = max(one["slowest_ms"] for one in found)
    words = f"0 exceptions; slowest {slowest} ms; {share:.4%} took 1 ms and more of processor time (p99.9 below: 0.1 %)"
    grown = max(one["most_mib"] - one["warm_mib"] for one in found)
    detail = {"over 1 ms": slow, "slowest ms": slowest, "grown MiB": grown, "processes": found}
    ok = share < 0.001 and (not run.full or slowest <= MOST_MS)
    return Measured(words, count=lines, unit="lines", ok=ok, detail=detail, of=50_000_000)
