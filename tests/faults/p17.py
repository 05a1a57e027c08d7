"""P17: the icon is there within 5 s of a tray, however late or unsteady that is; without one there is the window."""

from tests.faults.cases import held, missing
from tests.faults.promises import Measured, Run, promise

_BUS, _X = "tests/gui/test_tray_hosts.py", "tests/gui/test_xserver.py"

STATES = {
    "none": f"{_BUS}::test_without_any_tray_a_hidden_start_is_not_hidden",
    "late StatusNotifier host": f"{_BUS}::test_a_watcher_that_comes_late_and_starts_again",
    "watcher starts again": f"{_BUS}::test_a_watcher_that_comes_late_and_starts_again",
    "host is gone for good": f"{_BUS}::test_a_tray_that_goes_for_good_gives_the_window_back",
    "there from the start": f"{_BUS}::test_the_icon_its_words_and_its_menu_over_the_bus",
    "late XEmbed host, and a crash of it": f"{_X}::test_a_late_tray_and_one_that_starts_again",
}


@promise("P17", "tray states", "none, late XEmbed, late SNI, watcher restart, host crash: icon within 5 s of the tray")
def p17(run: Run) -> Measured:
    assert missing(STATES) == []
    words, rounds = f"{len(STATES)} states with a test", 0
    while run.full and rounds < 10 and (not rounds or not run.over()):
        found = held(run, sorted(set(STATES.values())), "-p", "no:rerunfailures")
        assert found["passed"], "nothing ran"
        rounds += 1
        words = f"{len(STATES)} states, {rounds} times over: {found['passed']} tests passed, {found['skipped']} skipped"
    return Measured(words, count=len(STATES) * max(1, rounds), unit="states", ok=True, detail={"states": STATES})
