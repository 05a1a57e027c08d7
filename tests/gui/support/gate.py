"""What a start loads first where a test wants to see it before its engine is there: waits until a file is there."""

import os
import time
from pathlib import Path

_gate = Path(os.environ["VXTRAY_TEST_GATE"])
while not _gate.exists():
    time.sleep(0.01)
