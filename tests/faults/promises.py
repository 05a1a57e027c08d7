"""The promises of the program, each a function that puts it under a fault and returns what was measured.

A module ``pNN.py`` of this folder marks its functions with ``promise``; ``known`` finds them all. Each has two forms: a
short one for the gate, and a full one that goes on until its figure or its time is reached. ``keep`` runs one and makes
the row of the table.
"""

import importlib
import itertools
import random
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parent
#: Of every short form; a full form takes it, too, unless it is given another one.
SEED = 20261123


class Impossible(Exception):
    """This machine cannot do it; says why."""


@dataclass(frozen=True)
class Measured:
    """What came of a run: words with the figures, of how many what, and whether the promise was kept."""

    measured: str
    count: int
    #: Of ``count``: "kills", "cuts", "lines", "zones x half hours".
    unit: str
    ok: bool
    detail: dict[str, Any] = field(default_factory=dict)
    #: Where the figure that is asked is one of ``unit``: a full form that came less far says so. 0: no such figure.
    of: int = 0
    #: Seconds of what was run before, by itself, and counts here.
    before: float = 0.0


class Run:
    """One run of a promise: a folder of its own, a seed, and how much is to be done."""

    def __init__(self, folder: Path, *, full: bool, seed: int, seconds: float) -> None:
        self.folder = folder
        self.full = full
        self.seed = seed
        self.chance = random.Random(seed)
        self._end = time.monotonic() + seconds
        self._rooms = itertools.count(1)  # several threads may ask

    def amount(self, short: int, full: int) -> int:
        """Return how much is to be done in this form."""
        return full if self.full else short

    @property
    def left(self) -> float:
        """The seconds that are left for it; a full form ends with what it has done by then."""
        return self._end - time.monotonic()

    def soon_enough(self, seconds: float, most: float) -> bool:
        """Judge a time; only a full form does, on a machine that does nothing else."""
        return not self.full or seconds <= most

    def over(self) -> bool:
        """Return whether its time is over."""
        return self.left <= 0

    @contextmanager
    def room(self, name: str = "room") -> Iterator[Path]:
        """Give an empty folder, which is deleted where all went well."""
        folder = self.folder / f"{name}{next(self._rooms)}"
        folder.mkdir()
        yield folder
        shutil.rmtree(folder, ignore_errors=True)

    def say(self, words: str) -> None:
        """Tell how far it is."""
        sys.stderr.write(f"  {words}\n")
        sys.stderr.flush()


@dataclass(frozen=True)
class Promise:
    """One row of the table."""

    name: str
    title: str
    asked: str
    check: Callable[[Run], Measured]

    @property
    def number(self) -> int:
        """Return 6 of P6."""
        return int(self.name[1:])


@dataclass(frozen=True)
class Row:
    """What is kept of a run, as JSON and as a line of the table."""

    promise: str
    title: str
    asked: str
    measured: str
    count: int
    unit: str
    #: None where the machine cannot do it; ``measured`` says why then.
    ok: bool | None
    form: str
    seconds: float
    seed: int
    command: str
    detail: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


_PROMISES: dict[str, Promise] = {}


def promise(name: str, title: str, asked: str) -> Callable[[Callable[[Run], Measured]], Callable[[Run], Measured]]:
    """Mark the function that checks a promise; ``asked`` is the figure of the reference, in words."""

    def mark(check: Callable[[Run], Measured]) -> Callable[[Run], Measured]:
        _PROMISES[name] = Promise(name, title, asked, check)
        return check

    return mark


def known() -> dict[str, Promise]:
    """Return all promises, in order."""
    for module in sorted(FOLDER.glob("p*.py")):
        if re.fullmatch(r"p\d\d", module.stem):
            importlib.import_module(f"tests.faults.{module.stem}")
    return {one.name: one for one in sorted(_PROMISES.values(), key=lambda one: one.number)}


def check_short(one: Promise) -> None:
    """Run the short form of a promise as a test."""
    row = keep(one, full=False)
    if row.ok is None:
        pytest.skip(row.measured)
    assert row.ok, f"{row.measured}\n{row.command}\n{row.detail.get('traceback', row.detail)}"


def keep(one: Promise, *, full: bool, seed: int = SEED, seconds: float = 7200.0) -> Row:
    """Run a promise and return its row; a failure is a row, too, with what was raised and the folder left as it was."""
    folder = Path(tempfile.mkdtemp(prefix=f"vxf-{one.name.lower()}-"))
    began = time.monotonic()
    run = Run(folder, full=full, seed=seed, seconds=seconds)
    ok: bool | None
    try:
        found = one.check(run)
        ok = found.ok
    except (Impossible, pytest.skip.Exception) as reason:
        found, ok = Measured(f"not on this machine: {reason}", 0, "", ok=True), None
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - whatever it is, the promise is not kept
        words = f"{type(error).__name__}: {error}".strip()
        trace = traceback.format_exc()[-6000:]
        found = Measured(words[:2000], 0, "", ok=False, detail={"traceback": trace, "folder": str(folder)})
        ok = False
    if ok is not False:
        shutil.rmtree(folder, ignore_errors=True)
    form = "full" if full else "short"
    seconds = round(time.monotonic() - began + found.before, 1)
    words = found.measured
    if full and ok is not None and found.count < found.of:
        words += f"; asked are {found.of:,} {found.unit}, these are the most in {max(1, round(seconds / 60))} min here"
    return Row(
        promise=one.name,
        title=one.title,
        asked=one.asked,
        measured=words,
        count=found.count,
        unit=found.unit,
        ok=ok,
        form=form,
        seconds=seconds,
        seed=seed,
        command=f"python -m tests.faults {one.name} --{form}" + (f" --seed {seed}" if seed != SEED else ""),
        detail=found.detail,
    )
