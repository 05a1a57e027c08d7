"""What the table of the benchmarks says of given values: goals, ratios, reasons, and what the regression gate finds."""

import json
from pathlib import Path

import pytest

from tests.bench.__main__ import gathered, main
from tests.bench.figures import BY_NAME, F2B, FIGURES, GROUPS, OURS, Figure, Goal, judged, rows_of, worsened
from tests.bench.telling import REASONS, Run, amiss, reasons, regressions, table

SLOWER = Figure(
    name="a", title="A", unit="s", group="speed", goals=(Goal(plus=3), Goal("other", 2, 1)), against="other"
)
QUICKER = Figure(
    name="b", title="B", unit="lines/s", group="speed", goals=(Goal("other", 2),), against="other", more_is_better=True
)


@pytest.mark.parametrize(
    ("ours", "other", "met", "part"),
    [(2.0, 1.0, True, 2 / 3), (4.0, 10.0, False, 4 / 3), (3.0, 0.5, False, 1.5), (3.0, 1.0, True, 1.0)],
)
def test_every_goal_must_be_met(ours: float, other: float, met: bool, part: float) -> None:
    found = judged(SLOWER, {OURS: [ours], "other": [other]})
    assert (found.met, found.part_of_goal, found.ratio) == (met, pytest.approx(part), pytest.approx(ours / other))


def test_a_peer_that_was_not_measured_leaves_the_goal_open() -> None:
    assert judged(SLOWER, {OURS: [2.0]}).met is None
    assert judged(SLOWER, {OURS: [4.0]}).met is False  # missed whatever the other one would do
    assert judged(SLOWER, {"other": [1.0]}).met is None


def test_more_is_better() -> None:
    assert judged(QUICKER, {OURS: [30.0], "other": [10.0]}).part_of_goal == pytest.approx(2 / 3)
    assert judged(QUICKER, {OURS: [10.0], "other": [10.0]}).met is False
    assert worsened(QUICKER, 0.7, 1.0)
    assert not worsened(QUICKER, 1.7, 1.0)


def test_the_median_counts_or_the_worst() -> None:
    assert judged(SLOWER, {OURS: [9.0, 1.0, 2.0], "other": [5.0]}).ours == 2.0
    gap = BY_NAME["gap-search"]
    assert judged(gap, {OURS: [9.0, 60.0, 20.0], gap.against: [10.0]}).met is False


def test_figures_have_a_module_and_a_goal() -> None:
    assert len(BY_NAME) == len(FIGURES)
    here = Path(__file__).parent
    for group in GROUPS:
        assert (here / f"test_{group}.py").is_file(), group
    for figure in FIGURES:
        assert figure.goals, figure.name


def test_reasons_name_missed_figures_only() -> None:
    missed = [judged(SLOWER, {OURS: [4.0]})]
    assert amiss(missed, {}) == ["a: missed, and no reason is given"]
    told = {"reason": "It reads twice.", "next": "Read once."}
    met = rows_of({"figures": {"disk": {OURS: [1.0], "raw lines": [100.0]}}})
    assert amiss(met, {"disk": told}) == ["disk: there is a reason, but the goal is met"]
    assert amiss(met, {"disc": told}) == ["disc: there is a reason, but no such figure"]
    assert amiss(met, {"import": {"reason": "Slow."}}) == ["import: reason and next step are wanted"]
    assert amiss(met, {}) == []


def test_the_reasons_in_force_are_of_figures() -> None:
    assert REASONS.is_file()
    assert set(reasons()) <= set(BY_NAME)


def test_ratios_are_compared_with_the_stored_ones() -> None:
    run = rows_of({"figures": {"import": {OURS: [50_000.0], F2B: [25_000.0]}}})
    assert regressions(run, {"import": 2.1}) == []
    assert len(regressions(run, {"import": 4.0})) == 1
    assert regressions(run, {"disk": 0.01}) == []


def test_a_run_is_told_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = tmp_path / "raw"
    (raw / "speed").mkdir(parents=True)
    kept = {
        "machine": {"processor": "a small one"},
        "figures": {"disk": {OURS: [30.0], "raw lines": [700.0]}, "import": {OURS: [10.0], F2B: [20_000.0]}},
        "remarks": {"import": ["it rained"]},
        "problems": {"test_x": "skipped: no such program"},
    }
    (raw / "speed" / "figures-speed.json").write_text(json.dumps(kept))
    (raw / "reports").mkdir()
    (raw / "reports" / "trouble.json").write_text('{"reports": "not done after 1 s"}')
    assert main(["--no-run", "--check", "--out", str(tmp_path)]) == 1  # the import is far from what is stored
    said = capsys.readouterr().out
    for words in ("| disk for a million events | 30 MiB |", "**no**", "it rained", "no such program", "not done after"):
        assert words in said
    assert (tmp_path / "plot.svg").read_bytes().startswith(b"<svg")
    rows = {row["figure"]: row for row in json.loads((tmp_path / "table.json").read_text())["verdicts"]}
    assert rows["disk"]["met"] is True
    assert rows["month-10m"]["met"] is None


def test_the_table_tells_reasons() -> None:
    run = Run(verdicts=[judged(SLOWER, {OURS: [4.0]})], machine={}, peers={}, problems={})
    assert "It reads twice. Next: Read once." in table(run, {"a": {"reason": "It reads twice.", "next": "Read once."}})


def test_nothing_measured_is_told_as_such(tmp_path: Path) -> None:
    assert {one.met for one in gathered(tmp_path).verdicts} == {None}
