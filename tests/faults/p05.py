"""P5: a disk that reports faults: each call that reads, writes or syncs fails once, for a while, or from then on."""

from tests.faults.cases import held
from tests.faults.failing import sweep, told
from tests.faults.promises import Measured, Run, promise

_CALLS = "write,pwrite64,ftruncate,fallocate,fsync,fdatasync,rename,renameat,renameat2,unlink,pread64"
#: The event store on a disk whose syncs fail: read-only after three, readable meanwhile, and well again by itself.
_RESTING = "tests/core/store/test_resting.py"


@promise(
    "P5",
    "I/O errors",
    "EIO at every sync, write and read: 0 crashes, 0 damage, what was told as done is there; store read-only after 3",
)
def p5(run: Run) -> Measured:
    rested = held(run, [_RESTING], "-p", "no:rerunfailures")["passed"] if run.full else 0
    total = sweep(run, _CALLS, "EIO", short=4)
    words, wrong = told(total)
    if rested:
        words += f"; the event store was read-only after 3 in a row and went on by itself ({rested} tests)"
    return Measured(
        words, count=total["faults"], unit="runs with a fault", ok=not wrong, detail=dict(total), of=total["of"]
    )
