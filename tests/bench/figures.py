"""What is measured, beside whom, and what is asked of it; pure.

A figure has values of ours and of its peers from one run. Each goal is a bound: a factor times a peer's figure, plus a
constant in the figure's unit. What is compared from run to run is the ratio to a peer, never a time.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

#: Who is measured beside us in every figure that has no other peer.
OURS = "vxtray"

Values = Mapping[str, Sequence[float]]


class Goal(msgspec.Struct, frozen=True):
    """At least or at most ``factor`` of a peer's figure, and ``plus``; without a peer the bound is ``plus`` alone."""

    peer: str = ""
    factor: float = 0.0
    plus: float = 0.0

    def bound(self, values: Values, figure: "Figure") -> float | None:
        """Return it, None where the peer was not measured."""
        if not self.peer:
            return self.plus
        return self.factor * figure.of(values[self.peer]) + self.plus if values.get(self.peer) else None

    def words(self, figure: "Figure") -> str:
        """Return it as a person reads it."""
        least = "≥" if figure.more_is_better else "≤"
        parts = [f"{self.factor:g} × {self.peer}"] if self.peer else []
        parts += [f"{self.plus:,g} {figure.unit}"] if self.plus or not self.peer else []
        return f"{least} {' + '.join(parts)}"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table. ``group`` is the module that measures it: ``test_<group>.py``.

    ``worst``: of several values the worst counts, not the median. ``tolerance`` is by which part a ratio may be worse
    than the stored one; ``against`` is the peer of that ratio, "" where there is nothing to be stored.
    """

    name: str
    title: str
    unit: str
    group: str
    goals: tuple[Goal, ...]
    against: str = ""
    more_is_better: bool = False
    worst: bool = False
    tolerance: float = 0.25

    def of(self, values: Sequence[float]) -> float:
        """Return the one number that stands for several values."""
        if self.worst:
            return min(values) if self.more_is_better else max(values)
        return statistics.median(values)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What came out for a figure; ``met`` is None where it was not measured, or a peer of a goal was not."""

    figure: str
    title: str
    unit: str
    ours: float | None
    low: float | None
    high: float | None
    peers: dict[str, float]
    ratio: float | None
    against: str
    goals: list[str]
    bounds: list[float | None]
    met: bool | None
    part_of_goal: float | None
    remarks: list[str]


def judged(figure: Figure, values: Values, remarks: Sequence[str] = ()) -> Verdict:
    """Return what came out; ``part_of_goal`` is below 1 where it is met, for the goal that is hardest."""
    mine = figure.of(values[OURS]) if values.get(OURS) else None
    peers = {name: figure.of(seen) for name, seen in values.items() if name != OURS and seen}
    bounds = [goal.bound(values, figure) for goal in figure.goals]
    met: bool | None = None
    part: float | None = None
    if mine is not None and figure.goals:
        parts = [_part(figure, mine, bound) for bound in bounds if bound is not None]
        part = max(parts, default=None)
        if any(one > 1 for one in parts):
            met = False
        elif len(parts) == len(bounds):
            met = True
    other = peers.get(figure.against)
    return Verdict(
        figure=figure.name,
        title=figure.title,
        unit=figure.unit,
        ours=mine,
        low=min(values[OURS]) if mine is not None else None,
        high=max(values[OURS]) if mine is not None else None,
        peers=peers,
        ratio=mine / other if mine is not None and other else None,
        against=figure.against,
        goals=[goal.words(figure) for goal in figure.goals],
        bounds=bounds,
        met=met,
        part_of_goal=part,
        remarks=list(remarks),
    )


def _part(figure: Figure, mine: float, bound: float) -> float:
    """Return which part of what is allowed is used; above 1 is too much."""
    over, under = (bound, mine) if figure.more_is_better else (mine, bound)
    if over == under:
        return 1.0
    return over / under if under > 0 else float("inf")


def worsened(figure: Figure, ratio: float, stored: float) -> bool:
    """Return whether a ratio is worse than a stored one by more than the figure's tolerance."""
    if figure.more_is_better:
        return ratio < stored * (1 - figure.tolerance)
    return ratio > stored * (1 + figure.tolerance)


def rows_of(raw: Mapping[str, Any]) -> list[Verdict]:
    """Judge every figure by the raw results: figure -> who -> values, and ``remarks`` by figure."""
    found: Mapping[str, Values] = raw.get("figures", {})
    remarks: Mapping[str, Sequence[str]] = raw.get("remarks", {})
    return [judged(figure, found.get(figure.name, {}), remarks.get(figure.name, ())) for figure in FIGURES]


F2B = "fail2ban-regex"
LOOP = "smtplib loop"
IDLE = "at rest"
_GAP = (Goal(plus=50),)


def _live(name: str) -> Figure:
    return Figure(
        name=f"live-{name.lower()}",
        title=f"live ingest, {name}, to committed in serve",
        unit="lines/s",
        group="speed",
        goals=(Goal(plus=20_000), Goal(F2B, 1)),
        against=F2B,
        more_is_better=True,
    )


def _gap(name: str, title: str, group: str) -> Figure:
    # Ratios of single longest gaps leap: the gate only tells what has become several times longer.
    return Figure(
        name=f"gap-{name}",
        title=f"longest window gap: {title}",
        unit="ms",
        group=group,
        goals=_GAP,
        against=IDLE,
        worst=True,
        tolerance=2.0,
    )


FIGURES = (
    Figure(
        name="start-tray",
        title="process start to a usable tray icon",
        unit="ms",
        group="desktop",
        goals=(Goal("bare tray", 1.3), Goal("Vorta", 1)),
        against="bare tray",
    ),
    Figure(
        name="start-window",
        title="process start to the first window painted",
        unit="ms",
        group="desktop",
        goals=(Goal("bare window", 1.5),),
        against="bare window",
    ),
    Figure(
        name="idle-memory",
        title="memory (USS) hidden, no source",
        unit="MiB",
        group="desktop",
        goals=(Goal("bare tray", 2),),
        against="bare tray",
        tolerance=0.1,
    ),
    Figure(
        name="idle-memory-store",
        title="memory (USS) hidden, a million events and a source",
        unit="MiB",
        group="desktop",
        goals=(Goal("bare tray", 3),),
        against="bare tray",
        tolerance=0.1,
    ),
    Figure(
        name="idle-wakeups",
        title="wake-ups, hidden, no source",
        unit="/s",
        group="desktop",
        goals=(Goal(plus=5),),
    ),
    Figure(
        name="idle-wakeups-store",
        title="wake-ups, hidden, a million events and a source",
        unit="/s",
        group="desktop",
        goals=(Goal(plus=5),),
    ),
    Figure(
        name="idle-cpu",
        title="processor time, hidden, a million events and a source",
        unit="%",
        group="desktop",
        goals=(Goal(plus=0.05),),
    ),
    *map(_live, ("UDP", "TCP", "TLS")),
    Figure(
        name="live-lost",
        title="lines lost of those sent live",
        unit="lines",
        group="speed",
        goals=(Goal(plus=0),),
        worst=True,
    ),
    Figure(
        name="import",
        title="bulk import of Sophos lines, two processors",
        unit="lines/s",
        group="speed",
        goals=(Goal(plus=50_000), Goal(F2B, 2.5)),
        against=F2B,
        more_is_better=True,
    ),
    Figure(
        name="disk",
        title="disk for a million events",
        unit="MiB",
        group="speed",
        goals=(Goal("raw lines", 0.1),),
        against="raw lines",
        tolerance=0.05,
    ),
    Figure(
        name="month-1m",
        title="numbers of a month's report, 1 M events",
        unit="s",
        group="reports",
        goals=(Goal("chdb", 2), Goal("SQLite", 1)),
        against="chdb",
    ),
    Figure(
        name="month-10m",
        title="numbers of a month's report, 10 M events",
        unit="s",
        group="reports",
        goals=(Goal(plus=3), Goal("chdb", 2)),
        against="chdb",
    ),
    Figure(
        name="month-30m",
        title="numbers of a month's report, 30 M events (--full)",
        unit="s",
        group="reports",
        goals=(Goal("chdb", 2),),
        against="chdb",
    ),
    Figure(
        name="month-growth",
        title="the same for an event, most events beside a tenth of them",
        unit="ns",
        group="reports",
        goals=(Goal("a tenth", 1),),
        against="a tenth",
    ),
    Figure(
        name="documents",
        title="report of a stored month: HTML, PDF, charts, CSV; the whole command",
        unit="s",
        group="documents",
        goals=(Goal(plus=1),),
        against="bare Python and Typst",
    ),
    Figure(
        name="burst",
        title="1,000 mails through outbox and post room, aiosmtpd",
        unit="mails/s",
        group="delivery",
        goals=(Goal(LOOP, 0.9), Goal("msmtp per mail", 1)),
        against=LOOP,
        more_is_better=True,
        tolerance=0.15,
    ),
    Figure(
        name="burst-postfix",
        title="1,000 mails through outbox and post room, Postfix",
        unit="mails/s",
        group="delivery",
        goals=(Goal(LOOP, 0.9), Goal("msmtp per mail", 1)),
        against=LOOP,
        more_is_better=True,
        tolerance=0.15,
    ),
    Figure(
        name="alert-p50",
        title="line in to mail accepted, median, new connection",
        unit="ms",
        group="alert_latency",
        goals=(Goal("limit", 2, 50), Goal("fail2ban and curl", 1)),
        against="limit",
        tolerance=0.5,
    ),
    Figure(
        name="alert-p99",
        title="line in to mail accepted, 99 of 100, new connection",
        unit="ms",
        group="alert_latency",
        goals=(Goal("fail2ban and curl", 1),),
        against="limit",
        tolerance=2.0,
    ),
    _gap("lines", "10,000 lines/s", "window"),
    _gap("search", "searching a million rows", "window"),
    _gap("import", "import", "window"),
    _gap("storm", "storm of alerts", "alert_window"),
    _gap("server", "mail server hangs", "hanging_server"),
    _gap("keyring", "keyring locked", "locked_keyring"),
)
BY_NAME = {figure.name: figure for figure in FIGURES}
GROUPS = tuple(dict.fromkeys(figure.group for figure in FIGURES))
