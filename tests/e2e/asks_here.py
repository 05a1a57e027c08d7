"""Run the driven program with resolvers that ask a name server of the test's own: asks_here.py PORT PROFILE-FOLDER."""

import runpy
import sys
from pathlib import Path

import dns.resolver

_DRIVEN = Path(__file__).resolve().parents[1] / "gui" / "support" / "driven.py"


def _ask(port: int) -> None:
    def ours(self: dns.resolver.Resolver, *_arguments: object) -> None:
        self.nameservers, self.port = ["127.0.0.1"], port

    dns.resolver.Resolver.read_resolv_conf = ours  # type: ignore[assignment]


if __name__ == "__main__":
    _ask(int(sys.argv.pop(1)))
    runpy.run_path(str(_DRIVEN), run_name="driven")
