"""The watch: what it makes of attempts, holds, sources and disks, what it keeps, and what stands on the board."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from tests.core.engine import NOWHERE, Clock
from vxtray.core.alerts.conditions import Change, Disk
from vxtray.core.alerts.rules import Rule
from vxtray.core.errors import StoreError
from vxtray.core.health import SourceHealth
from vxtray.core.mail.outbox import Outbox, Outcome, Outgoing, Parcel, Verdict
from vxtray.core.paths import Profile
from vxtray.core.settings.tree import Settings, Sources
from vxtray.core.troubles import TroubleBoard
from vxtray.core.watching import Watch, disk_at

MINUTE = timedelta(minutes=1)
ROOM, FULL = 1 << 40, 1 << 20


class Office:
    """A watch with all that it looks at."""

    def __init__(self, profile: Profile) -> None:
        self.clock = Clock()
        self.outbox = Outbox(profile.outbox_file, jitter=lambda span: span)
        self.board = TroubleBoard(lambda _notice: None, self.clock)
        self.settings = Settings(smtp=NOWHERE, sources=Sources(silent_minutes=30))
        self.sources: list[SourceHealth] = []
        self.wanted: list[str] = []
        self.folders = [profile.state]
        self.free = ROOM
        self.kept: list[Change] = []
        self.writes = 0
        self.refuse = False
        self.watch = self.new()

    def new(self) -> Watch:
        return Watch(
            self.outbox,
            self.board,
            lambda: self.folders,
            lambda: self.sources,
            lambda: self.wanted,
            self.clock,
            disk=lambda folder: Disk(path=str(folder), free=self.free, total=ROOM),
        )

    def keep(self, changes: list[Change], facts: Mapping[str, str]) -> None:
        if self.refuse:
            raise StoreError(path="outbox.db", reason="No space left on device")
        self.outbox.add_all((), self.clock(), facts=facts)
        self.kept += changes
        self.writes += 1

    def minutes(self, count: int = 1) -> None:
        for _ in range(count):
            self.clock.now += MINUTE
            self.look()

    def look(self) -> None:
        self.watch.look(self.settings, self.keep)

    def add(self, key: str) -> None:
        mail = Outgoing(
            key=key,
            kind="alert",
            subject="s",
            message_id=f"<{key}@x>",
            mail_from="a@example.org",
            recipients=("b@example.org",),
            data=b"x",
        )
        self.outbox.add(mail, self.clock())

    def deliver(self, verdict: Verdict, **more: object) -> int:
        """Answer each mail that is due with this."""

        def answer(parcel: Parcel) -> Outcome:
            accepted = parcel.recipients if verdict is Verdict.SENT else ()
            return Outcome(verdict=verdict, stage="connect", accepted=accepted, **more)  # type: ignore[arg-type]

        return len(list(self.outbox.deliver_due(answer, self.clock)))

    def told(self) -> dict[str, str]:
        return {trouble.what: str(trouble.error) for trouble in self.board.troubles()}


@pytest.fixture
def office(profile: Profile) -> Iterator[Office]:
    one = Office(profile)
    yield one
    one.outbox.close()


def listener(name: str, office: Office, *, running: bool = True) -> SourceHealth:
    return SourceHealth(name=name, running=running, began=office.clock())


@pytest.mark.expected_log("mail:down: ")
def test_the_record_of_attempts_says_since_when_mail_fails(office: Office) -> None:
    assert office.outbox.progress().worked_at is None
    office.add("first")
    office.deliver(Verdict.SENT)
    worked_at = office.clock()
    office.minutes(10)
    office.add("second")
    office.deliver(Verdict.SERVER)
    failed_at = office.clock()
    for _ in range(5):
        office.minutes(20)
        office.deliver(Verdict.RATE)
    progress = office.outbox.progress()
    assert (progress.worked_at, progress.failing_since, progress.waiting) == (worked_at, failed_at, 1)
    office.outbox.cancel(2, office.clock())
    assert office.outbox.progress().failing_since is None, "it waits no more"
    office.minutes(30)
    office.add("third")
    office.outbox.lift(office.clock())
    office.deliver(Verdict.SENT)
    office.minutes(5)
    office.add("fourth")
    office.deliver(Verdict.SENT)
    progress = office.outbox.progress()
    assert progress.failing_since is None
    assert progress.worked_at == office.clock() - 5 * MINUTE, "the first success after the failures"


@pytest.mark.expected_log("mail:down: No mail could be sent since")
@pytest.mark.parametrize("network", [True, False], ids=["no network", "locked keyring"])
def test_what_could_not_even_be_tried_counts_from_the_first_wait(office: Office, network: bool) -> None:
    office.minutes()
    office.add("alert")
    began = office.clock()
    office.deliver(Verdict.WAIT, network=network)
    office.look()
    for _ in range(59):
        office.clock.now += MINUTE
        office.deliver(Verdict.WAIT, network=network)
        office.look()
    assert not office.told()
    office.watch = office.new()
    for _ in range(12):  # after a start, what waits has its chance first
        office.clock.now += MINUTE
        office.deliver(Verdict.WAIT, network=network)
        office.look()
    assert list(office.told()) == ["mail:down"]
    assert [(change.rule, change.mailed, change.since) for change in office.kept] == [(Rule.MAIL_DOWN, False, began)]
    office.clock.now += MINUTE
    office.deliver(Verdict.SENT)
    office.minutes()
    assert not office.told()
    assert [(change.mailed, change.waited) for change in office.kept[1:]] == [(True, 1)]


def test_without_settings_mail_is_not_down(office: Office) -> None:
    office.settings = Settings()
    office.add("alert")
    office.deliver(Verdict.SERVER)
    office.minutes(200)
    assert not office.told()
    assert not office.kept


@pytest.mark.expected_log("Nothing was heard from")
def test_the_listeners_of_a_receiver_are_one_source(office: Office) -> None:
    office.wanted = ["syslog udp", "syslog tcp", "/var/log/mail.log"]
    office.sources = [listener("syslog udp", office), listener("syslog tcp", office)]
    office.minutes(32)
    assert office.told() == {"silent:syslog": "Nothing was heard from syslog since 23:00."}
    assert [(change.rule, change.subject) for change in office.kept] == [(Rule.SOURCE_SILENT, "syslog")]
    office.wanted, office.sources = [], []
    office.minutes()
    assert not office.told()
    assert [change.watched for change in office.kept] == [True, False]


@pytest.mark.expected_log("The disk is almost full", "watch: ")
def test_what_cannot_be_kept_is_told_on_the_board_and_kept_later(office: Office) -> None:
    office.minutes()
    office.free, office.refuse = FULL, True
    office.minutes(3)
    assert office.told().keys() == {f"disk:{office.folders[0]}", "watch"}
    assert not office.kept
    office.refuse = False
    office.minutes(3)
    assert office.told().keys() == {f"disk:{office.folders[0]}"}
    assert [(change.rule, change.number) for change in office.kept] == [(Rule.DISK_FULL, 1)]


@pytest.mark.expected_log("The disk is almost full")
def test_what_is_known_is_written_seldom_and_survives(office: Office) -> None:
    office.minutes(100)
    assert office.writes == 0
    office.free = FULL
    office.minutes(31)
    assert office.writes == 4, "when it began, and every ten minutes that it still is"
    office.watch = office.new()
    office.minutes(5)
    assert len(office.kept) == 1, "not told twice"
    office.outbox.set_fact("conditions", "{}}")
    office.watch = office.new()
    office.minutes()
    assert len(office.kept) == 2, "what cannot be read is found out again"


@pytest.mark.expected_log("The disk is almost full")
def test_a_disk_says_a_new_number_only_where_it_changed_much(office: Office) -> None:
    office.free = 400 << 20
    office.minutes()
    (before,) = office.told().values()
    assert "400 MiB" in before
    office.free = 390 << 20
    office.minutes()
    assert list(office.told().values()) == [before]
    office.free = 100 << 20
    office.minutes()
    assert "100 MiB" in next(iter(office.told().values()))


def test_one_disk_with_two_folders_is_told_once(office: Office, tmp_path: Path) -> None:
    assert tmp_path.stat().st_dev == office.folders[0].stat().st_dev
    office.folders.append(tmp_path)
    office.free = FULL
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(office.board, "put", lambda _what, _error: None)
        office.minutes()
    assert [change.subject for change in office.kept] == [str(office.folders[0])]


def test_the_disk_of_a_folder_that_is_not_made_yet(tmp_path: Path) -> None:
    disk = disk_at(tmp_path / "not" / "yet")
    assert disk.path == str(tmp_path / "not" / "yet")
    assert 0 < disk.free <= disk.total
