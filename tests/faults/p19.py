"""P19: a log that is rotated in every style while it is written and read: every line once."""

import pytest
from hypothesis import HealthCheck, seed
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test

from tests.core.sources.test_rotations import Rotations, rotate_under_load
from tests.faults.promises import Measured, Run, promise


@promise(
    "P19",
    "Log follower",
    "10,000 rotations in all styles under load, stops and crashes: 0 lost, 0 double; copy-truncate loss counted",
)
def p19(run: Run) -> Measured:
    rotations, part, wanted = 0, run.amount(40, 500), run.amount(40, 10_000)
    with pytest.MonkeyPatch.context() as patch:
        while rotations < wanted and not run.over():
            with run.room() as folder:
                rotate_under_load(folder, part, patch)
            rotations += part
            if run.full:
                run.say(f"{rotations} rotations")
    lives = 0
    while lives < run.amount(10, 1000) and (not lives or not run.over()):
        some = run.amount(10, 50)
        chosen = hypothesis_settings(
            max_examples=some, stateful_step_count=30, suppress_health_check=list(HealthCheck), deadline=None
        )
        run_state_machine_as_test(seed(run.seed + lives)(Rotations), settings=chosen)
        lives += some
    words = f"0 lost, 0 double, with {lives} random lives of writer, rotations, stops and crashes beside"
    return Measured(words, count=rotations, unit="rotations", ok=rotations > 0, detail={"lives": lives}, of=10_000)
