"""Generated lines, what the generator knows of them, and what a store must hold when they have arrived.

The words are mapped by the tables of ``tests.core.parsers.sophos_truth``; a million events are counted by the store's
own engine, not one by one.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

from tests.core.parsers.sophos_truth import ACTION, CATEGORY, expected_severity, mapped
from vxtray.core.parsers.countries import alpha2
from vxtray.core.store.embedded import EmbeddedStore
from vxtray.core.store.rows import COLUMNS

Content = tuple[int, int, int]

LOCAL = timezone(timedelta(hours=1))  # of the generator, "+0100" and "CET"

_STAMP = re.compile(rb'timestamp="(\S{10})T(\S{8})|date=(\S{10}) time=(\S{8})')
_TUNNEL_DOWN = re.compile(rb'log_component="IPSec".* status="Failed"')
_SCORED = re.compile(rb'log_type="WAF"(?!.* reason="-")')
_TALLY = "SELECT {what}, count(*) FROM events WHERE {where} GROUP BY ALL"
#: The generator does not count the far end of a tunnel as a source.
_WITH_SOURCE = "src_ip <> '' AND NOT (category = 'vpn' AND (message LIKE '%IPSec%' OR message LIKE '%IKE%'))"


class Made(NamedTuple):
    """A file of generated lines, its truth, and what the lines themselves say that the truth does not."""

    log: Path
    total: int
    truth: dict[str, Any]
    severities: Counter[str]
    tunnels_down: Counter[str]

    def lines(self) -> Iterator[bytes]:
        """Yield the lines without their line feed (a few end with a carriage return)."""
        with self.log.open("rb") as file:
            for line in file:
                yield line[:-1]


def made(tool: Path, folder: Path, count: int, *options: str) -> Made:
    """Write ``events.log`` into a folder, with lines beyond use and odd ones among them."""
    log, truth = folder / "events.log", folder / "truth.json"
    words = ["-n", str(count), "--bad", "0.01", "--odd", "0.05", *options, "-o", str(log), "--truth", str(truth)]
    subprocess.run([sys.executable, str(tool), *words], check=True, timeout=600)
    told = json.loads(truth.read_text("utf-8"))
    scored, down = [], Counter[str]()
    with log.open("rb") as file:
        for line in file:
            if _SCORED.search(line):
                scored.append(line.decode("utf-8", "replace"))
            elif _TUNNEL_DOWN.search(line) and (found := _STAMP.search(line)):
                stamp = (found[1] or found[3]) + b"T" + (found[2] or found[4])
                down[f"{_utc_day(stamp.decode())}"] += 1
    assert down.total() == told["by_outcome"].get("Event|IPSec|System|Failed", 0)
    return Made(log, count, told, expected_severity(told, scored), down)


def _utc_day(stamp: str) -> str:
    return f"{datetime.fromisoformat(stamp) - LOCAL.utcoffset(None):%Y-%m-%d}"


class Found:
    """The store of a profile whose program has ended; a context manager."""

    def __init__(self, profile: Path) -> None:
        (path,) = profile.rglob("events.duckdb")
        self._store = EmbeddedStore(path, read_only=True)

    def __enter__(self) -> "Found":
        return self

    def __exit__(self, *_fault: object) -> None:
        self._store.close()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the engine."""
        with self._store._reading() as cursor:
            return cursor.execute(sql).fetchall()

    def tally(self, what: str, where: str = "true") -> dict[str, int]:
        """Return how many events there are of each value."""
        return dict(self.rows(_TALLY.format(what=what, where=where)))

    def top(self, what: str, where: str) -> list[list[Any]]:
        """Return the twenty most frequent values, equals in the order of the text."""
        found = self.tally(what, where)
        return [list(row) for row in sorted(found.items(), key=lambda row: (-row[1], row[0]))[:20]]

    def content(self, *, in_order: bool = True) -> Content:
        """Return how many events there are, and two sums over all that they hold, their order included."""
        columns = COLUMNS if in_order else COLUMNS.removeprefix("seq, ")
        ((count, one, other),) = self.rows(
            f"SELECT count(*), sum(hash({columns}) % 1000000007)::BIGINT, bit_xor(hash({columns})) FROM events"
        )
        return count, one, other


def check(found: Found, made: Made) -> None:
    """Compare a store with every total that the generator knows."""
    truth = made.truth
    ((count, first, last),) = found.rows('SELECT count(*), min("at")::VARCHAR, max("at")::VARCHAR FROM events')
    assert count == truth["good"]
    assert [first, last] == [truth[name].replace("T", " ").rstrip("Z") for name in ("first_utc", "last_utc")]
    assert found.tally("source") == {"sophos": count}
    assert found.tally("strftime(\"at\", '%Y-%m-%d')") == truth["by_day_utc"]
    local = """"at" + INTERVAL 1 HOUR"""
    assert found.tally(f"strftime({local}, '%Y-%m-%d')") == truth["by_day_local"]
    assert found.tally(f"strftime({local}, '%H')") == truth["by_hour_local"]
    assert found.tally("category::VARCHAR") == mapped(truth["by_category"], CATEGORY)
    down = made.tunnels_down.total()  # "info" for the generator
    actions = mapped(truth["by_action"], ACTION) + Counter(failed=down) - Counter(info=down)
    assert found.tally("action::VARCHAR") == actions
    assert found.tally("severity::VARCHAR") == made.severities
    assert _cube(found) == _expected_cube(made)
    _check_sources(found, truth)
    _check_targets_and_rules(found, truth)


def _cube(found: Found) -> Counter[tuple[str, str, str]]:
    rows = found.rows(
        "SELECT strftime(\"at\", '%Y-%m-%d'), category::VARCHAR, action::VARCHAR, count(*) FROM events GROUP BY ALL"
    )
    return Counter({(day, category, action): n for day, category, action, n in rows})


def _expected_cube(made: Made) -> Counter[tuple[str, str, str]]:
    cube: Counter[tuple[str, str, str]] = Counter()
    for day, categories in made.truth["by_day_utc_category_action"].items():
        for category, actions in categories.items():
            for action, n in actions.items():
                cube[day, CATEGORY.get(category, category), ACTION.get(action, action)] += n
    for day, n in made.tunnels_down.items():
        cube[day, "vpn", "info"] -= n
        cube[day, "vpn", "failed"] += n
    return +cube


def _check_sources(found: Found, truth: dict[str, Any]) -> None:
    ((lines, distinct),) = found.rows(f"SELECT count(*), count(DISTINCT src_ip) FROM events WHERE {_WITH_SOURCE}")
    assert (lines, distinct) == (truth["src_lines"], truth["src_distinct"])
    assert found.top("src_ip", _WITH_SOURCE) == truth["src_top20"]
    assert found.top("src_ip", "action = 'blocked' AND src_ip <> ''") == truth["src_blocked_top20"]
    countries: Counter[str] = Counter()
    for code, n in truth["by_src_country"].items():
        countries[alpha2(code)] += n
    del countries[""]  # R1, private space
    assert found.tally("country", "country <> ''") == countries


def _check_targets_and_rules(found: Found, truth: dict[str, Any]) -> None:
    targets = found.tally("target_host", "category IN ('waf', 'web', 'malware')")
    ranked = {name.partition(":")[0]: n for name, n in truth["target_top20"]}
    assert {name: targets.get(name) for name in ranked} == ranked
    prefix = "CASE category WHEN 'firewall' THEN 'fw' WHEN 'malware' THEN 'av' ELSE category::VARCHAR END"
    rules = found.tally(f"{prefix} || ':' || CASE WHEN rule_id <> '' THEN rule_id ELSE rule_name END")
    ranked = dict(truth["rule_top20"])
    assert {name: rules.get(name) for name in ranked} == ranked
