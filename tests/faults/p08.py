"""P8: it runs for a day under load and for 400 simulated days, and what it holds stays the same."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.vxtray_process import ROOT
from tests.faults.promises import Measured, Run, promise
from tests.faults.soaking import soak

#: After warm-up, in per cent.
MOST_GROWTH = 5.0
REAL_SECONDS = 3600.0
#: Name what ``python -m tests.faults.soaking --out`` and ``python -m tests.faults.days`` wrote, where these were run
#: before, by themselves.
ALREADY, ALREADY_DAYS = "VXTRAY_SOAKED", "VXTRAY_DAYS"


@promise(
    "P8",
    "Soak",
    "24 h under load and 400 simulated days: memory grows by less than 5 %, descriptors and threads stay, as P6 and P9",
)
def p8(run: Run) -> Measured:
    before = os.environ.get(ALREADY_DAYS) if run.full else None
    days = json.loads(Path(before).read_text()) if before else _days(run.amount(8, 400), 0.5 if run.full else 3.0)
    words = (
        f"{days['days']} simulated days, {days['suspends']} suspends, {days['zone changes']} zone changes:"
        f" {days['reports']} reports and {days['attacks']} attacks told once, memory {days['rss']['growth_percent']} %,"
        f" descriptors {days['fds']}, threads {days['threads']}"
    )
    detail: dict[str, Any] = {"days": days}
    ok = days["fds"][0] == days["fds"][1] and days["threads"][0] == days["threads"][1]
    earlier = days["seconds"] if before else 0.0
    if run.full:
        detail["real"] = real = _soaked(run)
        earlier += real["seconds"] if os.environ.get(ALREADY) else 0.0
        words += (
            f"; {real['seconds'] / 3600:.1f} h of the 24 asked at 200 lines/s: {real['stored']:,} lines of"
            f" {real['sent']:,}, USS {real['uss']['growth_percent']} % ({real['uss']['slope_mib_per_hour']} MiB/h),"
            f" descriptors {real['fds']['least']}-{real['fds']['most']}, threads {real['threads']['least']}"
            f"-{real['threads']['most']}, {real['told']} of {real['matched']} attacks told"
        )
        growth = max(days["rss"]["growth_percent"], real["rss"]["growth_percent"], real["uss"]["growth_percent"])
        ok = ok and growth < MOST_GROWTH and real["stored"] + real["dropped"] == real["sent"]
        ok = ok and real["told"] == real["matched"]
    return Measured(words, count=days["days"], unit="days", ok=ok, detail=detail, before=earlier)


def _soaked(run: Run) -> dict[str, Any]:
    """Return the figures of an hour and how long it was, or of one that was run before and that ``ALREADY`` names."""
    if before := os.environ.get(ALREADY):
        found: dict[str, Any] = json.loads(Path(before).read_text())
        return found["figures"] | {"seconds": found["samples"][-1]["seconds"]}
    with run.room("soak") as folder:
        soaked = soak(folder, min(REAL_SECONDS, max(60.0, run.left - 400)), seed=run.seed)
    return soaked.figures() | {"seconds": soaked.samples[-1].seconds}


def _days(days: int, hours: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.faults.days", "--days", str(days), "--hours", str(hours)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found
