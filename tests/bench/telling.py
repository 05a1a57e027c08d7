"""The table and the plot of a run, and what is wrong with it: reasons that are missing or stale, ratios that got worse.

Pure but for the files named.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.bench.figures import BY_NAME, Verdict, worsened

HERE = Path(__file__).parent
REASONS = HERE / "reasons.toml"
_WORDS = {True: "yes", False: "**no**", None: "not measured"}


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """All raw results together. ``problems`` says by test, or by group, what measured nothing and why."""

    verdicts: list[Verdict]
    machine: dict[str, str]
    peers: dict[str, str]
    problems: dict[str, str]


def reasons() -> dict[str, dict[str, str]]:
    """Return ``reason`` and ``next`` by figure."""
    found: dict[str, dict[str, str]] = tomllib.loads(REASONS.read_text("utf-8"))
    return found


def amiss(verdicts: Sequence[Verdict], given: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return what is wrong with the reasons: each missed figure has one, and no other; both parts are there."""
    by_name = {verdict.figure: verdict for verdict in verdicts}
    found = [
        f"{name}: missed, and no reason is given"
        for name, one in by_name.items()
        if one.met is False and name not in given
    ]
    for name, told in given.items():
        if name not in BY_NAME:
            found.append(f"{name}: there is a reason, but no such figure")
        elif name in by_name and by_name[name].met is True:
            found.append(f"{name}: there is a reason, but the goal is met")
        if not told.get("reason") or not told.get("next"):
            found.append(f"{name}: reason and next step are wanted")
    return found


def regressions(verdicts: Sequence[Verdict], stored: Mapping[str, float]) -> list[str]:
    """Return which ratios are worse than the stored ones by more than their tolerance."""
    return [
        f"{verdict.figure}: {verdict.ratio:.3g} x {verdict.against}, stored {stored[verdict.figure]:.3g},"
        f" tolerance {BY_NAME[verdict.figure].tolerance:.0%}"
        for verdict in verdicts
        if verdict.ratio is not None
        and verdict.figure in stored
        and worsened(BY_NAME[verdict.figure], verdict.ratio, stored[verdict.figure])
    ]


def table(run: Run, given: Mapping[str, Mapping[str, str]]) -> str:
    """Return the table in Markdown."""
    lines = ["# Benchmarks", "", *(f"- {name}: {value}" for name, value in (run.machine | run.peers).items()), ""]
    lines += ["| figure | vxtray | spread | peers | ratio | goal | met |", "|---|--:|---|---|--:|---|---|"]
    for one in run.verdicts:
        peers = "; ".join(f"{name} {number(value)}" for name, value in one.peers.items())
        ratio = f"{one.ratio:.2f}" if one.ratio is not None else ""
        mine = f"{number(one.ours)} {one.unit}" if one.ours is not None else ""
        spread = f"{number(one.low)}–{number(one.high)}" if one.low != one.high else ""
        lines.append(
            f"| {one.title} | {mine} | {spread} | {peers} | {ratio} | {'; '.join(one.goals)} | {_WORDS[one.met]} |"
        )
    counts = {met: sum(one.met is met for one in run.verdicts) for met in _WORDS}
    lines += ["", f"{counts[True]} met, {counts[False]} missed, {counts[None]} not measured."]
    if missed := [one for one in run.verdicts if one.met is False]:
        lines += ["", "## Missed", ""]
        for one in missed:
            told = given.get(one.figure, {})
            lines.append(
                f"- **{one.title}**: {told.get('reason', 'no reason is given')} Next: {told.get('next', 'unknown')}"
            )
    if run.problems:
        lines += ["", "## Not measured, and why", "", *(f"- {test}: {why}" for test, why in run.problems.items())]
    if remarks := [(one.title, text) for one in run.verdicts for text in one.remarks]:
        lines += ["", "## Remarks", "", *(f"- {title}: {text}" for title, text in remarks)]
    return "\n".join(lines) + "\n"


def number(value: float | None) -> str:
    """Return three digits that count, without an exponent."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def plot(run: Run, out: Path) -> None:
    """Draw how much of each goal is used, as SVG and PNG, by Typst."""
    import typst

    bars = [
        {"title": one.title, "part": min(one.part_of_goal, 100.0), "met": one.met is True}
        for one in run.verdicts
        if one.part_of_goal is not None
    ]
    inputs = {"bars": json.dumps(bars), "machine": run.machine.get("processor", "")}
    for kind in ("svg", "png"):
        typst.compile(HERE / "plot.typ", output=out / f"plot.{kind}", format=kind, sys_inputs=inputs, ppi=110)


def as_json(run: Run, given: Mapping[str, Mapping[str, str]]) -> bytes:
    """Return the table as JSON, with the reasons of what was missed."""
    document: dict[str, Any] = msgspec.to_builtins(run)
    for row in document["verdicts"]:
        row["why"] = given.get(row["figure"]) if row["met"] is False else None
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
