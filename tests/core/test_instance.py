"""One process at a time holds a profile, and no longer than it lives."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vxtray.core.errors import ProgramBusy, StoreError
from vxtray.core.instance import holding
from vxtray.core.paths import Profile

HOLD = """
import sys
from pathlib import Path
from vxtray.core.instance import holding
from vxtray.core.paths import Profile
with holding(Profile.under(Path(sys.argv[1])), 0):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_is_refused_and_one_that_waits_gets_it(profile: Profile) -> None:
    with holding(profile, 0):
        with pytest.raises(ProgramBusy), holding(profile, 0):
            pytest.fail("held twice")
        held = threading.Event()

        def wait() -> None:
            with holding(profile, 30):
                held.set()

        waiting = threading.Thread(target=wait)
        waiting.start()
    assert held.wait(20)
    waiting.join()


def test_a_process_that_was_killed_holds_nothing(profile: Profile) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(profile.config)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    assert other.stdin is not None
    assert other.stdout.readline() == b"held\n"
    with pytest.raises(ProgramBusy), holding(profile, 0):
        pytest.fail("held twice")
    other.kill()
    other.wait(10)
    with holding(profile, 0):
        pass
    other.stdin.close()
    other.stdout.close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError), holding(Profile.under(tmp_path / "file" / "profile"), 0):
        pytest.fail("there is no such folder")
