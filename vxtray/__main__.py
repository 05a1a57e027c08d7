"""python -m vxtray, and the two installed commands."""

import sys

from vxtray.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
