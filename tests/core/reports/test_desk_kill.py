"""The program is killed between any two statements of its ledger and outbox: no report is lost, repeated or unnamed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.engine import MONDAY, Clock, mails_in, settings, text_of
from tests.core.reports.office import Quiet
from vxtray.core.mail.outbox import Outbox
from vxtray.core.reports.desk import ReportDesk
from vxtray.core.reports.rendering import undrawn
from vxtray.core.settings.tree import Daily, Reports, Weekly

ROOT = Path(__file__).resolve().parents[3]
DAYS = [f"report:daily:2026-11-{day}" for day in range(22, 27)]
WEEK = "report:weekly:2026-11-16"


def tick(folder: Path, catch_up: str, days: int, *, dies_at: int = 0) -> int:
    """Queue what is due so many days after Monday; return how many statements it took, or die before one of them."""
    outbox, clock, said = Outbox(folder / "outbox.db"), Clock(), 0

    def count(_statement: str) -> None:
        nonlocal said
        said += 1
        if said == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    outbox._db.set_trace_callback(count)
    clock.at(9 if days else 0, days=days)
    desk = ReportDesk(outbox, Quiet, clock, default_route=lambda: True, draw=undrawn)  # type: ignore[arg-type]  # all it asks of it
    reports = Reports(
        zone="Europe/Paris",
        language="en",
        catch_up=catch_up,  # type: ignore[arg-type]  # one of the two
        daily=Daily(enabled=True),
        weekly=Weekly(enabled=True),
    )
    desk.queue_due(settings(reports=reports), MONDAY)
    outbox.close()
    return said


def killed(folder: Path, catch_up: str, statement: int) -> bool:
    """Do in a program of its own what ``tick`` does, and return whether it was killed before a statement."""
    call = f"tick(Path({str(folder)!r}), {catch_up!r}, 4, dies_at={statement})"
    program = f"from pathlib import Path; from tests.core.reports.test_desk_kill import tick; {call}"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert done.returncode in {0, -signal.SIGKILL}
    return done.returncode != 0


def check(folder: Path, catch_up: str) -> None:
    """Tick again, and look what is in the outbox."""
    for _ in range(2):
        tick(folder, catch_up, 4)
    outbox = Outbox(folder / "outbox.db")
    keys = [entry.key for entry in outbox.entries(100)]
    assert sorted(keys) == sorted([*(DAYS if catch_up == "all" else DAYS[-1:]), WEEK])
    assert outbox.period_outcomes() == {key: "queued" if key in keys else "skipped" for key in [*DAYS, WEEK]}
    (last,) = [mail for mail in mails_in(outbox) if "Thursday 26 November 2026" in text_of(mail)]
    named = "4 earlier reports were not sent, for a newer one was due already: 22 November 2026 to 25 November 2026."
    assert (named in " ".join(text_of(last).split())) is (catch_up == "last")
    noted = [line.detail for line in outbox.history() if line.what == "skipped"]
    assert [line["periods"] for line in noted] == (
        [[f"2026-11-{n}" for n in range(22, 26)]] if catch_up == "last" else []
    )
    outbox.close()


def statements(folder: Path, catch_up: str) -> int:
    """Return how many statements an undisturbed tick takes, and check what it does."""
    tick(folder, catch_up, 0)
    count = tick(folder, catch_up, 4)
    check(folder, catch_up)
    return count


@pytest.mark.parametrize("catch_up", ["last", "all"])
def test_killed_around_the_first_report(tmp_path: Path, catch_up: str) -> None:
    count = statements(tmp_path / "undisturbed", catch_up)
    _some(tmp_path, catch_up, [count // 2, count - 8, count - 2])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("catch_up", ["last", "all"])
def test_killed_at_every_statement(tmp_path: Path, catch_up: str) -> None:
    _some(tmp_path, catch_up, range(1, statements(tmp_path / "undisturbed", catch_up) + 1))


def _some(folder: Path, catch_up: str, points: "list[int] | range") -> None:
    for point in points:
        place = folder / str(point)
        tick(place, catch_up, 0)
        assert killed(place, catch_up, point)
        check(place, catch_up)
