"""Run the real program, which loads its engine only once the file VXTRAY_TEST_GATE is there.

Usage: python gated.py WORDS, as of ``vxtray``.
"""

import sys

from vxtray import desktop
from vxtray.cli import main

desktop._ENGINE = ("tests.gui.support.gate", *desktop._ENGINE)
sys.exit(main())
