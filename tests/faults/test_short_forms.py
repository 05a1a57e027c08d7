"""The short forms of P1 to P11, which need most of the time; the others are in ``test_short_forms_rest``."""

import pytest

from tests.faults.promises import Promise, check_short, known

PROMISES = {name: one for name, one in known().items() if one.number <= 11}


@pytest.mark.expected_log(".*")
@pytest.mark.parametrize("one", PROMISES.values(), ids=PROMISES)
def test_the_promise_is_kept(one: Promise) -> None:
    check_short(one)
