"""From stored events to alert mails: each event once, whatever crashes in between, and old lines never."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from tests.core.engine import DAY, HOUR, MONDAY, NOWHERE, PARIS, PEOPLE, Clock, event, mails_in, settings, text_of
from vxtray.core.alerts.desk import AlertDesk, Pause
from vxtray.core.errors import StoreError
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.mail.outbox import Outbox
from vxtray.core.settings.tree import Alerts, General, Settings, Smtp
from vxtray.core.store.embedded import EmbeddedStore

ON = settings()
LOW = Severity.LOW


class Watch:
    """A store and an outbox, and the desk between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.outbox = Outbox(folder / "outbox.db")
        self.store = EmbeddedStore(folder / "events.duckdb")
        self.desk = AlertDesk(self.outbox, self.clock)
        self.desk.begin(self.store)

    def restart(self) -> None:
        self.close()
        self.outbox = Outbox(self.folder / "outbox.db")
        self.store = EmbeddedStore(self.folder / "events.duckdb")
        self.desk = AlertDesk(self.outbox, self.clock)
        self.desk.begin(self.store)

    def append(self, *events: SecurityEvent, alerts: bool = True) -> None:
        self.store.append(events, alerts=alerts)

    def look(self, chosen: Settings = ON) -> int:
        return self.desk.catch_up(self.store, chosen, "en", PARIS)

    @property
    def told(self) -> list[str]:
        """The seqs that were told, in the order of their mails."""
        return [entry.key.rpartition(":")[2] for entry in reversed(self.outbox.entries(10_000))]

    def close(self) -> None:
        self.store.close()
        self.outbox.close()


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    one = Watch(tmp_path)
    yield one
    one.close()


def test_one_event_one_mail(watch: Watch) -> None:
    watch.append(event(MONDAY), event(MONDAY, LOW), event(MONDAY + HOUR, target_host="www.example.com"))
    assert (watch.look(), watch.told) == (2, ["1", "3"])
    assert watch.look() == 0
    first, second = mails_in(watch.outbox)
    assert "shop.example.com" in text_of(first)
    assert "www.example.com" in text_of(second)
    assert first["Message-ID"] != second["Message-ID"]
    assert first["Auto-Submitted"] == "auto-generated"
    assert [address.addr_spec for address in first["To"].addresses] == list(PEOPLE)
    assert {entry.kind for entry in watch.outbox.entries()} == {"alert"}


def test_a_crash_between_storing_and_alerting_loses_and_repeats_nothing(watch: Watch) -> None:
    watch.append(event(MONDAY))
    watch.look()
    watch.append(event(MONDAY), event(MONDAY))
    watch.restart()
    assert (watch.look(), watch.told) == (2, ["1", "2", "3"])
    watch.restart()
    assert watch.look() == 0


def test_a_crash_before_the_cursor_moved_repeats_nothing(watch: Watch) -> None:
    """The mails are known by key, even if the cursor were put back."""
    watch.append(event(MONDAY), event(MONDAY))
    cursor = watch.outbox.fact("alert-cursor")
    watch.look()
    watch.outbox.set_fact("alert-cursor", cursor)
    assert (watch.look(), watch.told) == (0, ["1", "2"])


def test_a_full_disk_moves_no_cursor(watch: Watch) -> None:
    watch.append(*[event(MONDAY)] * 50)
    (pages,) = watch.outbox._db.execute("PRAGMA page_count").fetchone()
    watch.outbox._db.execute(f"PRAGMA max_page_count={pages + 3}")
    with pytest.raises(StoreError, match="full"):
        watch.look()
    assert watch.told == []
    watch.outbox._db.execute("PRAGMA max_page_count=1000000")
    assert watch.look() == 50


def test_old_lines_never_alert_not_even_after_a_crash(watch: Watch) -> None:
    watch.append(event(MONDAY - DAY), alerts=False)
    assert watch.look() == 0
    watch.append(event(MONDAY - DAY), alerts=False)
    watch.restart()
    assert watch.look() == 0
    watch.append(event(MONDAY))
    watch.append(event(MONDAY - DAY), alerts=False)
    watch.append(event(MONDAY))
    watch.restart()
    assert (watch.look(), watch.told) == (2, ["3", "5"])


def test_a_store_that_nobody_knows_begins_now(watch: Watch, tmp_path: Path) -> None:
    watch.append(event(MONDAY))
    watch.look()
    other = EmbeddedStore(tmp_path / "other.duckdb")
    other.append([event(MONDAY)] * 3)
    watch.desk.begin(other)
    assert watch.desk.catch_up(other, ON, "en", PARIS) == 0
    other.append([event(MONDAY)])
    assert watch.desk.catch_up(other, ON, "en", PARIS) == 1
    other.close()


def test_a_cursor_beyond_the_last_event_begins_now(watch: Watch) -> None:
    """The engine dropped the cut-off end of its log, and gives those numbers again."""
    watch.append(event(MONDAY))
    watch.outbox.set_fact("alert-cursor", f"{watch.store.uuid}:900")
    watch.desk.begin(watch.store)
    assert watch.look() == 0
    watch.append(event(MONDAY))
    assert (watch.look(), watch.told) == (1, ["2"])


def test_a_new_outbox_begins_now(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "events.duckdb")
    store.append([event(MONDAY)])
    store.close()
    watch = Watch(tmp_path)
    assert watch.look() == 0
    watch.close()


def test_many_at_once_from_several_threads(watch: Watch) -> None:
    """Imports by commands run on threads of their own; each event is told once all the same."""

    def one_import() -> None:
        for _ in range(5):
            watch.append(event(MONDAY), event(MONDAY, LOW))
            watch.look()

    threads = [threading.Thread(target=one_import, name="import") for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(map(int, watch.told)) == list(range(1, 41, 2))
    off = msgspec.structs.replace(ON, alerts=Alerts(critical=False, waf_blocked=True, minimum_severity=LOW))
    assert watch.look(off) == 0, "the cursor is behind the last event, so a rule switched on later sees new ones only"


def test_more_than_one_chunk(watch: Watch) -> None:
    watch.append(*[event(MONDAY, LOW)] * 2500, event(MONDAY))
    assert (watch.look(), watch.told) == (1, ["2501"])


def test_rules_in_force_decide(watch: Watch) -> None:
    ban = event(MONDAY, Severity.HIGH, category=Category.BAN, action=Action.BANNED, message="banned by fail2ban")
    watch.append(ban)
    assert watch.look() == 0
    watch.append(ban)
    assert watch.look(settings(alerts=Alerts(new_ban=True))) == 1
    assert "203.0.113.77" in text_of(mails_in(watch.outbox)[0])


@pytest.mark.parametrize(
    "unready", [settings(Smtp()), msgspec.structs.replace(ON, store=msgspec.structs.replace(ON.store, send=False))]
)
def test_with_nobody_to_tell_events_only_reach_the_reports(watch: Watch, unready: Settings) -> None:
    watch.append(event(MONDAY))
    assert watch.look(unready) == 0
    assert watch.look(ON) == 0
    assert watch.store.count() == 1


def test_recipients_language_and_masks(watch: Watch) -> None:
    alerts = Alerts(recipients=("soc@example.org",))
    chosen = msgspec.structs.replace(settings(alerts=alerts), general=General(defang=True, mask_internal=True))
    watch.append(event(MONDAY, dst_ip="10.1.2.3", target_host=""))
    assert watch.look(chosen) == 1
    (mail,) = mails_in(watch.outbox)
    assert [address.addr_spec for address in mail["To"].addresses] == ["soc@example.org"]
    assert "10.1.2.3" not in text_of(mail)
    assert "203.0.113.77" not in text_of(mail)


def test_what_a_log_says_cannot_write_headers(watch: Watch) -> None:
    evil = "x\r\nBcc: everybody@example.net\r\n\r\nBody"
    watch.append(event(MONDAY, message=evil, rule_name=evil, target_host=evil, src_ip="203.0.113.1"))
    assert watch.look() == 1
    (mail,) = mails_in(watch.outbox)
    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]


# --- pause -----------------------------------------------------------------------------------------------------------


def states(watch: Watch) -> list[str]:
    return [entry.state for entry in reversed(watch.outbox.entries())]


BLOCKED = settings(alerts=Alerts(waf_blocked=True, critical=True, minimum_severity=LOW))


def test_a_pause_holds_and_critical_ones_pass(watch: Watch) -> None:
    watch.desk.hold(Pause(until=watch.clock() + 8 * HOUR))
    watch.append(event(MONDAY, LOW), event(MONDAY))
    assert watch.look(BLOCKED) == 2
    assert states(watch) == ["held", "queued"]
    assert watch.desk.resume() == 1
    assert states(watch) == ["queued", "queued"]
    assert watch.desk.pause() is None
    watch.append(event(MONDAY, LOW))
    watch.look(BLOCKED)
    assert states(watch) == ["queued"] * 3


def test_a_pause_of_everything_holds_critical_ones_too(watch: Watch) -> None:
    watch.desk.hold(Pause(until=watch.clock() + HOUR, everything=True))
    watch.append(event(MONDAY))
    watch.look()
    assert states(watch) == ["held"]


def test_a_pause_survives_a_restart_and_ends_by_itself(watch: Watch) -> None:
    until = watch.clock() + 8 * HOUR
    watch.desk.hold(Pause(until=until))
    watch.append(event(MONDAY, LOW))
    watch.look(BLOCKED)
    watch.restart()
    watch.clock.now = until - timedelta(seconds=1)
    assert watch.desk.pause() == Pause(until=until)
    assert states(watch) == ["held"]
    watch.clock.now = until
    watch.restart()
    assert watch.desk.pause() is None
    watch.desk.end_pause()
    assert states(watch) == ["queued"]


def test_a_pause_that_is_set_again_is_the_new_one(watch: Watch) -> None:
    watch.desk.hold(Pause(until=watch.clock() + HOUR, everything=True))
    watch.desk.hold(Pause(until=watch.clock() + 2 * HOUR))
    assert watch.desk.pause() == Pause(until=watch.clock() + 2 * HOUR)


def test_the_addresses_of_the_settings_are_needed(watch: Watch) -> None:
    watch.append(event(MONDAY))
    nobody = msgspec.structs.replace(ON, smtp=msgspec.structs.replace(NOWHERE, recipients=()))
    assert watch.look(nobody) == 0
