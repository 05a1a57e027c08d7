"""P6: exactly one report for each period, in every zone, over 17 years, at every half hour; and when clocks are set."""

import functools
import multiprocessing
import os
from zoneinfo import available_timezones

from hypothesis import HealthCheck, seed
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test

from tests.core.reports import test_desk_machine as machines
from tests.core.reports.test_period_everywhere import HALF_HOURS, check, zones
from tests.faults.promises import Measured, Run, promise

#: Where days are left out or go twice, half hours are added, or the clock is set at midnight.
ODD = ("Africa/Cairo", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca")


def _lived(pair: tuple[str, int], *, thorough: bool) -> tuple[str, int]:
    check(*pair, thorough=thorough)
    return pair


def _everywhere(run: Run) -> tuple[int, int]:
    """Live through all years in as many zones and half hours as there is time for; return how many of how many."""
    if not run.full:
        names = [*run.chance.sample(ODD, 2), run.chance.choice(sorted(available_timezones() - {"localtime"}))]
        for name in names:
            _lived((name, run.chance.randrange(48)), thorough=False)
        return len(names), len(names)
    # Each zone at one half hour before any at a second one, so that a run that is cut short has seen every zone.
    order = {zone: run.chance.sample(range(len(HALF_HOURS)), len(HALF_HOURS)) for zone in zones()}
    pairs = [(zone, order[zone][turn]) for turn in range(len(HALF_HOURS)) for zone in order]
    done = 0
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for _pair in pool.imap_unordered(functools.partial(_lived, thorough=True), pairs):
            done += 1
            if done % 50 == 0:
                run.say(f"{done} of {len(pairs)} zones x half hours")
            if run.over():
                pool.terminate()
                break
    return done, len(pairs)


def _lives(run: Run) -> int:
    """Clock, zone, network, mail server, settings and restarts change at random; return how many lives that was."""
    many = run.amount(3, 40)
    chosen = hypothesis_settings(
        max_examples=many,
        stateful_step_count=run.amount(8, 20),
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    for machine in (machines.Reporting, machines.CatchingUpLast):
        run_state_machine_as_test(seed(run.seed)(machine), settings=chosen)
    return 2 * many


@promise(
    "P6",
    "Reports: exactly one per period",
    "all zones x 2024-2040 x daily, weekly, monthly x 48 half hours: 0 missing, 0 double; also as clocks are set",
)
def p6(run: Run) -> Measured:
    lives = _lives(run)
    done, of = _everywhere(run)
    stands_for = len(available_timezones())
    words = f"0 missing, 0 double ({done:,} of {of:,}); 0 in {lives} random lives of clock, zone, network and server"
    detail = {"pairs": done, "of": of, "lives": lives, "zones_in_all": stands_for, "half_hours": len(HALF_HOURS)}
    return Measured(words, count=done, unit="zones x half hours, 17 years each", ok=True, detail=detail, of=of)
