"""What applying the entries of grouping comes to: the tables of the outbox, as dictionaries."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime

from vxtray.core.alerts.grouping import Grouping
from vxtray.core.alerts.incidents import Entry, Fold, Incident, Kind, Letter, Move
from vxtray.core.alerts.rules import Alert, Rule
from vxtray.core.events import Action, Category, SecurityEvent, Severity

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

#: Rule, source, target, what it was.
Row = tuple[Rule, str, str, str]

_KINDS = {
    Rule.CRITICAL: (Category.AUTH, Action.FAILED, Severity.CRITICAL),
    Rule.WAF_BLOCKED: (Category.WAF, Action.BLOCKED, Severity.HIGH),
    Rule.NEW_BAN: (Category.BAN, Action.BANNED, Severity.MEDIUM),
    Rule.WAF_DETECTED: (Category.WAF, Action.DETECTED, Severity.LOW),
}


def match(
    rule: Rule = Rule.WAF_BLOCKED,
    source: str = "203.0.113.7",
    target: str = "shop.example.com",
    what: str = "SQL injection",
    *,
    seq: int = 0,
    at: datetime = AT,
) -> Alert:
    """Return a matched event."""
    category, action, severity = _KINDS[rule]
    event = SecurityEvent(
        at=at,
        source="sophos",
        category=category,
        action=action,
        severity=severity,
        src_ip=source,
        target_host=target,
        rule_name=what,
        seq=seq,
    )
    return Alert(rule=rule, event=event, matched=(rule,))


class Account:
    """Keeps the books by the entries alone, and is strict about their order."""

    def __init__(self) -> None:
        self.matched: Counter[Row] = Counter()
        self.rows: dict[int, dict[int, Counter[Row]]] = defaultdict(lambda: defaultdict(Counter))
        self.letters: list[Letter] = []
        self.closed: set[int] = set()
        self.incidents: dict[int, Incident] = {}

    def match(self, alerts: Iterable[Alert]) -> None:
        """Count what is to be accounted for."""
        for alert in alerts:
            event = alert.event
            self.matched[alert.rule, event.src_ip, event.target, event.rule_name] += 1

    def apply(self, entries: Iterable[Entry]) -> list[Letter]:
        """Enter what a step asked for; return its letters."""
        letters: list[Letter] = []
        for entry in entries:
            if isinstance(entry, Fold):
                self._fold(entry)
            elif isinstance(entry, Move):
                self._move(entry)
            else:
                letters.append(entry)
                self._letter(entry)
        self.letters += letters
        return letters

    def _fold(self, fold: Fold) -> None:
        assert fold.incident not in self.closed
        tally = fold.tally
        assert tally.events > 0
        assert tally.first_seq <= tally.last_seq
        assert tally.first_at <= tally.last_at
        self.rows[fold.incident][0][tally.rule, tally.source, tally.target, tally.what] += tally.events

    def _move(self, move: Move) -> None:
        assert not {move.incident, move.into} & self.closed
        untold = self.rows[move.incident].pop(0)
        assert untold, "nothing to move"
        self.rows[move.into][0] += untold
        self.closed.add(move.incident)

    def _letter(self, letter: Letter) -> None:
        incident = letter.incident
        assert incident.id not in self.closed
        rows = self.rows[incident.id]
        told = rows.pop(0, Counter())
        assert letter.number == len(rows) + 1 == incident.mails
        rows[letter.number] = told
        assert letter.events == told.total()
        assert letter.total == incident.events == sum(row.total() for row in rows.values())
        assert incident.untold == 0
        assert all((row[0] is Rule.CRITICAL) == incident.urgent for row in told)
        assert (letter.kind is Kind.FIRST) == (letter.event is not None)
        if letter.kind is Kind.FIRST:
            assert letter.events == letter.total == 1
        if letter.kind in {Kind.MORE, Kind.DIGEST, Kind.STARTED, Kind.SUMMARY}:
            assert letter.events > 0
        if incident.closed_at is not None:
            self.closed.add(incident.id)

    def check(self, grouping: Grouping) -> None:
        """Every matched event stands in one letter, or is untold in one open incident."""
        opened = grouping.state.open
        everything: Counter[Row] = Counter()
        for number, letters in self.rows.items():
            for row in letters.values():
                everything += row
            assert number in opened or not letters.get(0), "untold events of an incident that is closed"
        assert everything == self.matched
        for number, incident in opened.items():
            letters = self.rows.get(number, {})
            assert incident.untold == letters.get(0, Counter()).total()
            assert incident.events == sum(row.total() for row in letters.values())
            assert incident.mails == len(set(letters) - {0})
        for incident in grouping.changed():
            self.incidents[incident.id] = incident
        assert {one.id for one in self.incidents.values() if one.closed_at is None} == set(opened)
        assert all(self.incidents[number] == incident for number, incident in opened.items())
