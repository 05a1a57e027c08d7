"""Put the promises to the test and write down what was measured.

    python -m tests.faults [P1 P6 ...] [--short | --full] [--minutes 120] [--seed N] [--out FOLDER]

The short form of all takes some minutes, the full one hours; ``--minutes`` is the most for each promise. What was
measured goes to ``faults.json`` and ``faults.md`` in the folder, beside what earlier runs of other promises left there.
Ends with status 1 where a promise was not kept. See README.md.
"""

import argparse
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import PERSONAL, home_in
from tests.faults.promises import FOLDER, SEED, keep, known
from tests.faults.table import add


def main() -> int:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("promises", nargs="*", metavar="P1", help="which ones; all where none is named")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--short", action="store_true", help="the form of the gate (the default)")
    form.add_argument("--full", action="store_true", help="until the figure or the time is reached")
    parser.add_argument("--minutes", type=float, default=120, help="the most for each promise")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=FOLDER / "results")
    options = parser.parse_args()
    promises = known()
    if unknown := [name for name in options.promises if name.upper() not in promises]:
        parser.error(f"no such promise: {', '.join(unknown)}; there are {', '.join(promises)}")
    wanted = [name.upper() for name in options.promises] or list(promises)
    logging.getLogger("vxtray").addHandler(logging.NullHandler())
    kept = True
    with tempfile.TemporaryDirectory(prefix="vxf-home-") as home:
        for name in PERSONAL:
            os.environ.pop(name, None)
        os.environ.update(home_in(Path(home)))
        time.tzset()
        for name in wanted:
            sys.stderr.write(f"{name} {promises[name].title}\n")
            row = keep(promises[name], full=options.full, seed=options.seed, seconds=options.minutes * 60)
            add(options.out, row)
            word = {True: "kept", False: "BROKEN", None: "skipped"}[row.ok]
            sys.stdout.write(f"{name} {word}: {row.measured} ({row.count:,} {row.unit}, {row.seconds:.0f} s)\n")
            sys.stdout.flush()
            if row.ok is False:
                kept = False
                sys.stderr.write(str(row.detail.get("traceback", row.detail)) + "\n")
    return 0 if kept else 1


if __name__ == "__main__":  # processes that promises start read this file again
    sys.exit(main())
