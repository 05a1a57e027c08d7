"""P20: ClickHouse is away for a day: what waits is bounded, nothing else is disturbed, all arrives afterwards, once."""

from tests.faults.cases import held, missing
from tests.faults.promises import Measured, Run, promise

_STORE, _ROOM = "tests/core/store/test_clickhouse.py", "tests/core/test_storeroom.py"
_WAY = "tests/e2e/test_clickhouse_store.py"

SITUATIONS = {
    "away: alerts are raised": f"{_STORE}::test_while_the_server_is_away_events_wait_and_still_raise_alerts",
    "back after a day: all arrives once": f"{_STORE}::test_what_waited_arrives_once_after_a_day",
    "the cap holds": f"{_STORE}::test_more_than_may_wait_is_refused_and_taken_again_when_it_has_arrived",
    "an answer was lost": f"{_STORE}::test_a_batch_whose_answer_was_lost_is_sent_again_as_it_was_though_more_waits",
    "and the program began anew": f"{_STORE}::test_a_batch_whose_answer_was_lost_is_not_doubled_by_a_restart",
    "faults of each kind while sending": f"{_STORE}::test_a_fault_while_sending_loses_nothing_and_doubles_nothing",
    "the whole program: reports wait": f"{_ROOM}::test_while_the_server_is_away_alerts_go_on_and_a_report_waits",
    "it comes back by itself": f"{_ROOM}::test_a_server_that_comes_back_gets_what_waited_without_a_new_event",
    "a server that hangs": f"{_ROOM}::test_a_server_that_hangs_holds_no_append_up",
    "the whole way": f"{_WAY}::test_what_came_while_the_server_was_away_is_in_the_report_once",
}


@promise(
    "P20", "ClickHouse away for 24 h", "the spool is bounded, nothing else disturbed, afterwards all sent, 0 doubles"
)
def p20(run: Run) -> Measured:
    assert missing(SITUATIONS) == []
    words, rounds = f"{len(SITUATIONS)} situations with a test", 0
    while run.full and rounds < 10 and (not rounds or not run.over()):
        found = held(run, sorted(set(SITUATIONS.values())), "-p", "no:rerunfailures")
        assert found["passed"], "nothing ran"
        rounds += 1
        words = (
            f"{len(SITUATIONS)} situations, {rounds} times over: {found['passed']} passed, {found['skipped']} skipped"
        )
    return Measured(words, count=len(SITUATIONS) * max(1, rounds), unit="situations", ok=True)
