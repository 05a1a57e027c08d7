"""P16: whatever state a keyring is in, it ends in a documented state: nothing in plain, no stall, nothing lost."""

from tests.faults.cases import held, missing
from tests.faults.promises import Measured, Run, promise

_HERE = "tests/core/test_credentials.py"

#: The ten states, and the test that puts the program into it.
STATES = {
    "absent": f"{_HERE}::test_without_any_keyring",
    "no bus": f"{_HERE}::test_what_a_keyring_raises_is_told_in_our_words",
    "fail": f"{_HERE}::test_without_any_keyring",
    "null": f"{_HERE}::test_a_back_end_that_does_not_encrypt_is_refused",
    "plain-text back end": f"{_HERE}::test_a_back_end_that_does_not_encrypt_is_refused",
    "locked, with a prompt": f"{_HERE}::test_a_keyring_that_waits_for_the_person_is_asked_once",
    "locked, without a prompt": f"{_HERE}::test_a_locked_keyring_is_told_and_nothing_is_written_elsewhere",
    "prompt dismissed": f"{_HERE}::test_what_a_keyring_raises_is_told_in_our_words",
    "vanishes while running": f"{_HERE}::test_a_keyring_that_vanishes_is_told_and_found_again",
    "wrong value": f"{_HERE}::test_a_back_end_that_only_pretends_is_found_out",
    "hangs at the end": f"{_HERE}::test_a_keyring_that_hangs_does_not_keep_the_program_from_ending",
    "the queue meanwhile": "tests/core/mail/catalogue/test_a_sign_in.py::test_keyring",
}


@promise("P16", "keyring states", "ten states: each ends as documented, 0 written in plain, 0 stalls, the queue intact")
def p16(run: Run) -> Measured:
    assert missing(STATES) == []
    words = f"{len(STATES)} states with a test"
    if run.full:
        found = held(run, sorted(set(STATES.values())), "-p", "no:rerunfailures")
        words += f", {found['passed']} of their tests passed, {found['skipped']} skipped"
        assert found["passed"]
    return Measured(words, count=len(STATES), unit="states", ok=True, detail={"states": STATES})
