"""python -m vxtray, and the two installed commands."""

import sys

from vxtray.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    if getattr(sys, "frozen", False):  # such a program starts itself again for each child that parses
        import multiprocessing

        multiprocessing.freeze_support()
    sys.exit(main())
