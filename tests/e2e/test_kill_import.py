"""``vxtray import`` killed at random points: started again, it stores every record of its files once."""

import contextlib
import gzip
import json
import sys
from pathlib import Path

import pytest

from tests.e2e.killing import Killed, seeds
from tests.e2e.log_writer import day_of_records, records

SHORT, LONG = seeds(1, (11, 12, 13, 14))
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at processes in /proc")


class Imported:
    """Two logs that grow, one of them compressed, and their import."""

    def __init__(self, folder: Path, seed: int, sizes: tuple[int, ...], latest: float) -> None:
        """``sizes`` are how many records may be added at a time, ``latest`` the seconds until it is killed."""
        self.rig = Killed(folder, seed)
        self.plain, self.packed = folder / "a.log", folder / "b.log.gz"
        self.written: dict[Path, list[str]] = {self.plain: [], self.packed: []}
        self._sizes, self._latest = sizes, latest
        self._count = 0
        self.grow()

    def grow(self) -> None:
        """Add to both: lines, and a member to the compressed one."""
        for path, names in self.written.items():
            first, end = self._count, self._count + self.rig.chance.choice(self._sizes)
            data = records(first, end, day_of_records())
            with path.open("ab") as file:
                file.write(gzip.compress(data, 1) if path is self.packed else data)
            names += [f"n{number}" for number in range(first, end)]
            self._count = end
        self.rig.note(f"grown to {self._count}")

    def check(self) -> None:
        """Of each file a beginning was stored, in order."""
        stored = self.rig.stored
        for names in self.written.values():
            own = set(names)
            found = [name for name in stored if name in own]
            assert found == names[: len(found)], self.rig.told(self.rig.difference(own))

    def run(self) -> dict[str, int]:
        """Import to the end and return the figures."""
        before = len(self.rig.stored)
        process = self.rig.start("import", self.plain, self.packed, "--json")
        out, _ = process.communicate(timeout=100)
        assert process.returncode == 0, self.rig.told()
        self.rig.look()
        self.check()
        result: dict[str, int] = json.loads(out)
        count = sum(map(len, self.written.values()))
        assert (result["read"], result["rejected"], result["ignored"]) == (count, 0, 0)
        assert result["duplicates"] == before
        return result

    def kill_once(self) -> None:
        """Start it and kill it at some point."""
        process = self.rig.start("import", self.plain, self.packed, "--json")
        # Several processes have something to do only after a while.
        self.rig.wait_for_a_point(process, self.rig.chance.choice([2.0, 2.0, self._latest]))
        if not self.rig.kill(process):
            self.grow()
        assert process.stdout is not None
        process.stdout.close()
        self.check()


@pytest.mark.parametrize(
    ("seed", "points", "sizes", "latest"),
    [
        *((seed, 4, (3000, 12_000), 2.0) for seed in SHORT),
        *(
            pytest.param(seed, 25, (3000, 60_000, 200_000), 7.0, marks=[pytest.mark.slow, pytest.mark.timeout(300)])
            for seed in LONG
        ),
    ],
)
def test_a_killed_import_doubles_and_loses_nothing(
    tmp_path: Path, seed: int, points: int, sizes: tuple[int, ...], latest: float
) -> None:
    files = Imported(tmp_path, seed, sizes, latest)
    with contextlib.closing(files.rig):
        while files.rig.points < points:
            files.kill_once()
    wanted = {name for names in files.written.values() for name in names}
    files.run()
    assert set(files.rig.stored) == wanted, files.rig.told(files.rig.difference(wanted))
    assert files.run()["stored"] == 0
    assert len(files.rig.stored) == len(wanted)
