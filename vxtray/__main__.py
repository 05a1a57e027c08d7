"""python -m vxtray, the two installed commands, and the bundle's program, which is its own children's, too."""

import re
import sys

from vxtray.cli import main

__all__ = ["main"]

#: What multiprocessing has the tracker of its resources run, taking every program for a Python.
_TRACKER = re.compile(r"from multiprocessing\.resource_tracker import main; *main\((\d+)\)")


def work_as_child(words: list[str]) -> None:
    """Do what a child of the bundle was started for, and end; return where these are a person's words.

    multiprocessing's own ``freeze_support`` does nothing on POSIX, and PyInstaller's would be imported at each start.
    """
    if words[:1] == ["--multiprocessing-fork"]:
        from multiprocessing import spawn

        spawn.freeze_support()
    elif words[-2:-1] == ["-c"] and (asked := _TRACKER.fullmatch(words[-1])):
        from multiprocessing import resource_tracker

        resource_tracker.main(int(asked[1]))
        sys.exit(0)


if __name__ == "__main__":
    if getattr(sys, "frozen", False):
        work_as_child(sys.argv[1:])
    sys.exit(main())
