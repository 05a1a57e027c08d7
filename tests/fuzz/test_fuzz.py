"""The fuzzers' short form: the promises of ``judge`` hold for mutated lines, and the judge sees when they do not."""

from datetime import UTC
from pathlib import Path

import pytest

from tests.fuzz import judge as judging
from tests.fuzz.fuzz_lines import again, run
from tests.fuzz.judge import Fault, Judge
from tests.fuzz.material import own_lines, own_records
from tests.fuzz.mutation import Mutator
from vxtray.core.events import SecurityEvent
from vxtray.core.parsers import FORMATS, parse


def test_every_family_is_among_the_material() -> None:
    outcomes = [parse(line.decode(), zone=UTC) for line in [*own_lines(), *own_records()]]
    events = [outcome for outcome in outcomes if isinstance(outcome, SecurityEvent)]
    assert {event.source for event in events} == set(FORMATS) - {"auto"}


def test_mutated_lines_keep_the_promises(tmp_path: Path) -> None:
    figures = run(seed=20261123, lines=30_000, seconds=60, keep=tmp_path, samples=False)
    assert figures["faults"] == []
    assert figures["lines"] >= 30_000
    assert min(figures[kind] for kind in ("event", "ignored", "rejected")) > 500


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_million_mutated_lines_keep_the_promises(tmp_path: Path) -> None:
    assert run(seed=1, lines=1_000_000, seconds=500, keep=tmp_path)["faults"] == []


def test_the_same_seed_makes_the_same_lines() -> None:
    assert Mutator(7, samples=False).stream(500) == Mutator(7, samples=False).stream(500)


def test_a_slow_line_is_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    line = own_lines()[0]
    monkeypatch.setattr(judging, "LIMIT", 0.0)
    with pytest.raises(Fault, match="took") as fault:
        Judge().line(line)
    assert fault.value.data == line
    kept = tmp_path / "fault"
    kept.write_bytes(line)
    with pytest.raises(Fault):
        again([kept])
    monkeypatch.undo()
    again([kept])
