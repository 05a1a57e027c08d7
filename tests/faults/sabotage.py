"""Shows that each rig of the promises can fail: the product is broken in a copy of the tree, and the rig must say so.

    python -m tests.faults.sabotage [P4 P15 ...] [--sound] [--table FILE]

One ``Sabotage`` after the other is done to a copy of what git knows of this tree, in the temporary folder, and the
short form of its promise is run there. It counts as caught only where the rig fails with the words that belong to it; a
rig that fails for another reason has shown nothing. ``--sound`` runs the rig on the copy as it is first (the gate does
so at each change). ``--table`` writes what was said as Markdown. Ends with status 1 where one was not caught.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.sabotages import SABOTAGES, Sabotage

ROOT = Path(__file__).resolve().parents[2]
#: Longer than any form that is run here; a rig that hangs has not caught anything.
_MOST_SECONDS = 600
_MOST_SHOWN = 160


@dataclass(frozen=True)
class Said:
    """What a rig said: whether the promise was kept (None: it could not be tried), in a line, and with its trace."""

    kept: bool | None
    line: str
    whole: str
    seconds: float


class Copy:
    """A copy of the tree, in which the rigs run with this interpreter."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.tree = place / "tree"
        self._out = place / "out"
        self._env = {name: value for name, value in os.environ.items() if not name.startswith(("VXTRAY_", "COV_"))}
        self._env |= {"PYTHONPATH": str(self.tree), "TMPDIR": str(place / "t")}
        place.chmod(0o755)  # some rigs run a part as another user
        (place / "t").mkdir()
        (place / "t").chmod(0o1777)
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        for name in filter(None, os.fsdecode(listed.stdout).split("\0")):
            if (ROOT / name).is_file():  # what was deleted is still listed
                (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.tree / name)
        where = [sys.executable, "-c", "import vxtray; print(vxtray.__file__)"]
        found = subprocess.run(where, cwd=self.tree, env=self._env, capture_output=True, text=True, check=True).stdout
        assert Path(found.strip()).is_relative_to(self.tree), f"the copy imports {found}"

    @contextlib.contextmanager
    def broken(self, one: Sabotage) -> Iterator[None]:
        """Do a sabotage, and undo it afterwards."""
        path = self.tree / "vxtray" / one.file
        sound = path.read_text("utf-8")
        self._write(path, one.done_to(sound))
        try:
            yield
        finally:
            self._write(path, sound)

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text, "utf-8")
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()  # which may look as young as its source

    def run(self, promise: str, *options: str) -> Said:
        """Run the rig of a promise."""
        shutil.rmtree(self._out, ignore_errors=True)
        command = [sys.executable, "-m", "tests.faults", promise, "--out", str(self._out), *options]
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=self.tree,
            env=self._env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            told = process.communicate(timeout=_MOST_SECONDS)[1]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            told = f"no end within {_MOST_SECONDS} s"
            process.communicate()
        seconds = time.monotonic() - began
        for left in (self._place / "t").iterdir():  # what a failure leaves to be looked at
            shutil.rmtree(left, ignore_errors=True)
        if not (self._out / "faults.json").exists():
            return Said(None, f"did not run: {told.strip().splitlines()[-1:]}", told, seconds)
        (row,) = json.loads((self._out / "faults.json").read_text("utf-8"))
        words = f"{row['measured']}\n{json.dumps(row['detail'])}".replace(str(self._place), "…")
        return Said(row["ok"], words.partition("\n")[0], words, seconds)


def verdict(one: Sabotage, said: Said) -> str:
    """Return "caught", or why a sabotage was not."""
    if said.kept is None:
        return "NOT tried"
    if said.kept:
        return "NOT caught"
    return "caught" if re.search(one.says, said.whole) else "NOT caught: it failed for another reason"


def shown(one: Sabotage, said: Said) -> str:
    """Return the line of what a rig said that belongs to the sabotage, not too long."""
    lines = said.whole.replace("\\n", "\n").splitlines()
    line = next((line for line in lines if re.search(one.says, line)), said.line)
    found = re.search(one.says, line)
    start = max(0, found.start() - _MOST_SHOWN // 3) if found and len(line) > _MOST_SHOWN else 0
    cut = line[start : start + _MOST_SHOWN].strip()
    return f"{'…' if start else ''}{cut}{'…' if start + _MOST_SHOWN < len(line) else ''}"


def _table(rows: list[tuple[Sabotage, str, str]]) -> str:
    cells = [
        (one.promise, one.broken, f"{word}: `{said.replace('`', '')}`".replace("|", "/")) for one, word, said in rows
    ]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    head = ["| Promise | What is broken | What the rig says |", "|---|---|---|"]
    return "\n".join([f"Run on {datetime.now(UTC):%Y-%m-%d}.", "", *head, *lines, ""])


def main() -> int:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.sabotage",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("promises", nargs="*", metavar="P1", help="whose rigs; all where none is named")
    parser.add_argument("--sound", action="store_true", help="run each rig on the product as it is first")
    parser.add_argument("--table", type=Path, help="a file for the table")
    options = parser.parse_args()
    wanted = [name.upper() for name in options.promises]
    if unknown := set(wanted) - {one.promise for one in SABOTAGES}:
        parser.error(f"no sabotage of {', '.join(sorted(unknown))}")
    chosen = [one for one in SABOTAGES if not wanted or one.promise in wanted]
    rows: list[tuple[Sabotage, str, str]] = []
    good, sound = True, dict[tuple[str, ...], bool]()
    with tempfile.TemporaryDirectory(prefix="vxs-", ignore_cleanup_errors=True) as place:
        copy = Copy(Path(place))
        for one in chosen:
            words = (one.promise, *one.options())
            if options.sound and words not in sound:
                said = copy.run(*words)
                sound[words] = said.kept is True
                if not sound[words]:
                    _say(f"{one.promise} is not kept by the product as it is: {said.line}")
                    good = False
            with copy.broken(one):
                said = copy.run(*words)
            word = verdict(one, said)
            good = good and word == "caught"
            rows.append((one, word, shown(one, said)))
            _say(f"{one.promise} {one.broken}\n    {word} ({said.seconds:.0f} s): {rows[-1][2]}")
    if options.table:
        options.table.write_text(_table(rows), "utf-8")
    return 0 if good else 1


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
