"""No case of the catalogue is without a test that bears its number."""

import re
import subprocess
import sys
from pathlib import Path

#: As many cases has each group.
GROUPS = {"T": 24, "S": 20, "G": 20, "A": 24, "R": 20, "D": 23, "X": 18, "N": 12}

#: What of a case cannot be had on one machine, or is not built; the rest of it is tested all the same.
NOT_HERE = {
    "T08": "RC4 and 3DES are in no OpenSSL of today: anonymous and NULL suites stand for the weak ones.",
    "T11": "no resolver of the tests knows the name: its A-label is asked for, indicated (SNI) and compared.",
    "T13": "one version of Python runs: the flags that differ between versions are ours, so the verdict is the same.",
    "T20": "TLS 1.2 has no alert of its own for a missing client certificate; the words are those of TLS 1.3's.",
    "T22": "no intercepting proxy: an authority in the system's store (Linux) is all that a client meets of it.",
    "T24": "revocation is documented as not checked; that nobody else is asked about it is tested.",
    "S18": "all is loopback here: only the peer's address is made up.",
    "A14": "refreshing the token and trying once more belong to the sign-in with OAuth, which is not built yet.",
    "A22": "the token endpoint belongs to the sign-in with OAuth; that no password takes its place is tested.",
    "D06": "one mail for all, asked for in portions of fifty (or the provider's number); a mail each is not offered.",
    "D15": "no mail has a CSV attachment yet; the one writer of cells, that of the exports, is tested.",
    "D16": "there is nowhere to link to: attachments are left out and a text is cut, and the mail says so.",
    "X10": "that no window stands still meanwhile is measured by tests/bench/test_hanging_server.py.",
    "X11": "before a connection stands, there is nothing to drip.",
    "X18": "one account at a time is set; a second one is a change of the settings.",
    "N05": "loopback has no unreachable hosts: that answer of the kernel is made up; refused and filtered are real.",
    "N06": "no second network here: the old way is reset, and the look-up fails until the new one stands.",
    "N08": "there is no setting for a proxy; that those of the environment are not used is tested.",
    "N10": "the clocks say that the computer slept; the socket is reset as on resume.",
    "N11": "old alerts folded into a digest belong to the grouping of alerts, which is not built yet.",
    "A23": "unlocking is the store's answer changing; the real keyrings are in the tests of the credentials.",
}

_NUMBER = re.compile(r"(?:\[|test_|_)([a-z]\d\d)(?=[ \]_]|$)", re.IGNORECASE)


def collected() -> set[str]:
    """Return the numbers in the ids of the tests here."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        str(Path(__file__).parent),
    ]
    listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    names = [line.partition("::")[2] for line in listed.stdout.splitlines()]
    return {number.upper() for name in names for number in _NUMBER.findall(name)}


def test_every_case_has_a_test() -> None:
    wanted = {f"{group}{number:02}" for group, count in GROUPS.items() for number in range(1, count + 1)}
    assert wanted - collected() == set()
    assert NOT_HERE.keys() <= wanted
