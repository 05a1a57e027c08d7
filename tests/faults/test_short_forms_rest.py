"""The short forms of P12 to P24."""

import pytest

from tests.faults.promises import Promise, check_short, known

PROMISES = {name: one for name, one in known().items() if one.number > 11}


@pytest.mark.expected_log(".*")
@pytest.mark.parametrize("one", PROMISES.values(), ids=PROMISES)
def test_the_promise_is_kept(one: Promise) -> None:
    check_short(one)
