"""From stored events to incidents and mails: each event once, whatever crashes in between, and old lines never."""

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from tests.core.alerts.watch import LOW, ON, Watch, sources
from tests.core.engine import DAY, HOUR, MONDAY, NOWHERE, PEOPLE, event, mails_in, settings, text_of
from vxtray.core.alerts import composing
from vxtray.core.alerts.conditions import Change
from vxtray.core.alerts.incidents import Kind, Pause, Shape, Silence, Why
from vxtray.core.alerts.rules import Rule
from vxtray.core.errors import StoreError
from vxtray.core.events import Action, Category, Severity
from vxtray.core.settings.tree import Alerts, General, QuietHours, Settings, Smtp
from vxtray.core.store.embedded import EmbeddedStore

MINUTE = timedelta(minutes=1)


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    one = Watch(tmp_path)
    yield one
    one.close()


def test_two_targets_two_mails(watch: Watch) -> None:
    watch.append(event(MONDAY), event(MONDAY, LOW), event(MONDAY + HOUR, target_host="www.example.com"))
    assert (watch.look(), watch.told) == (2, ["first 1", "first 1"])
    assert watch.look() == 0
    first, second = mails_in(watch.outbox)
    assert "shop.example.com" in text_of(first)
    assert "www.example.com" in text_of(second)
    assert first["Message-ID"] != second["Message-ID"]
    assert first["Auto-Submitted"] == "auto-generated"
    assert [address.addr_spec for address in first["To"].addresses] == list(PEOPLE)
    assert {entry.kind for entry in watch.outbox.entries()} == {"alert"}
    watch.check({1, 3})


def test_a_crash_between_storing_and_alerting_loses_and_repeats_nothing(watch: Watch) -> None:
    watch.append(*sources(1))
    watch.look()
    watch.append(*sources(2, first=2))
    watch.restart()
    assert (watch.look(), watch.told) == (2, ["first 1"] * 3)
    watch.check({1, 2, 3})
    watch.restart()
    assert watch.look() == 0
    watch.check({1, 2, 3})


def test_a_mail_has_the_key_of_its_incident_in_this_outbox(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Watch(tmp_path / "other")
    for one in (watch, other):
        one.append(*[event(MONDAY)] * 15)
        one.look()
    keys = [[entry.key.split(":") for entry in one.outbox.entries()] for one in (watch, other)]
    other.close()
    assert [[key[0], *key[2:]] for key in keys[0]] == [["alert", "1", "2"], ["alert", "1", "1"]]
    names = [{key[1] for key in each} for each in keys]
    assert len(names[0]) == 1
    assert names[0] != names[1], "a new outbox never takes its mails for those of an old one"


def test_a_full_disk_changes_nothing(watch: Watch) -> None:
    watch.append(*sources(50))
    (pages,) = watch.outbox._db.execute("PRAGMA page_count").fetchone()
    watch.outbox._db.execute(f"PRAGMA max_page_count={pages + 2}")
    for _ in range(2):
        with pytest.raises(StoreError, match="full"):
            watch.look()
    assert (watch.told, watch.desk.open_incidents(), watch.desk.held()) == ([], [], 0)
    watch.outbox._db.execute("PRAGMA max_page_count=1000000")
    assert watch.look() == 4
    assert watch.told == ["first 1", "first 1", "first 1", "started 1"]
    watch.check(set(range(1, 51)))


def test_a_mail_that_cannot_be_written_changes_nothing(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    watch.append(*sources(5))
    with monkeypatch.context() as broken:
        broken.setattr(composing.Composer, "_document", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            watch.look()
    assert (watch.told, watch.desk.open_incidents()) == ([], [])
    assert watch.look() == 4
    watch.check({1, 2, 3, 4, 5})


def test_old_lines_never_alert_not_even_after_a_crash(watch: Watch) -> None:
    watch.append(event(MONDAY - DAY), alerts=False)
    assert watch.look() == 0
    watch.append(event(MONDAY - DAY), alerts=False)
    watch.restart()
    assert watch.look() == 0
    watch.append(*sources(1, first=1))
    watch.append(event(MONDAY - DAY), alerts=False)
    watch.append(*sources(1, first=2))
    watch.restart()
    assert watch.look() == 2
    watch.check({3, 5})


def test_a_store_that_nobody_knows_begins_now(watch: Watch, tmp_path: Path) -> None:
    watch.append(event(MONDAY))
    watch.look()
    other = EmbeddedStore(tmp_path / "other.duckdb")
    other.append([event(MONDAY)] * 3)
    watch.desk.begin(other)
    assert watch.desk.catch_up(other, watch.manner()).alerts == ()
    other.append([event(MONDAY, target_host="other.example.com")])
    assert watch.desk.catch_up(other, watch.manner()).mails == 1
    other.close()


def test_a_cursor_beyond_the_last_event_begins_now(watch: Watch) -> None:
    """The engine dropped the cut-off end of its log, and gives those numbers again."""
    watch.append(event(MONDAY))
    watch.outbox.set_fact("alert-cursor", f"{watch.store.uuid}:900")
    watch.desk.begin(watch.store)
    assert watch.look() == 0
    watch.append(event(MONDAY))
    assert watch.look() == 1
    watch.check({2})


def test_a_new_outbox_begins_now(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "events.duckdb")
    store.append([event(MONDAY)])
    store.close()
    watch = Watch(tmp_path)
    assert watch.look() == 0
    watch.close()


def test_many_at_once_from_several_threads(watch: Watch) -> None:
    """Imports by commands run on threads of their own; each event is counted once all the same."""

    def one_import(number: int) -> None:
        for turn in range(5):
            watch.append(*sources(1, first=number * 5 + turn), event(MONDAY, LOW))
            watch.look()

    threads = [threading.Thread(target=one_import, args=(number,), name="import") for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    watch.check(set(range(1, 41, 2)))
    off = msgspec.structs.replace(ON, alerts=Alerts(critical=False, waf_blocked=True, minimum_severity=LOW))
    assert watch.look(off) == 0, "the cursor is behind the last event, so a rule switched on later sees new ones only"


def test_more_than_one_chunk(watch: Watch) -> None:
    watch.append(*[event(MONDAY, LOW)] * 2500, event(MONDAY))
    assert watch.look() == 1
    watch.check({2501})


def test_rules_in_force_decide(watch: Watch) -> None:
    ban = event(MONDAY, Severity.HIGH, category=Category.BAN, action=Action.BANNED, message="banned by fail2ban")
    watch.append(ban)
    assert watch.look() == 0
    watch.append(ban)
    assert watch.look(settings(alerts=Alerts(new_ban=True))) == 1
    assert "203.0.113.77" in text_of(mails_in(watch.outbox)[0])


@pytest.mark.parametrize(
    "unready",
    [
        settings(Smtp()),
        settings(msgspec.structs.replace(NOWHERE, recipients=())),
        msgspec.structs.replace(ON, store=msgspec.structs.replace(ON.store, send=False)),
    ],
)
def test_with_nobody_to_tell_events_only_reach_the_reports(watch: Watch, unready: Settings) -> None:
    watch.append(event(MONDAY))
    made = watch.desk.catch_up(watch.store, watch.manner(unready))
    assert (made.mails, [alert.event.seq for alert in made.alerts]) == (0, [1]), "the desktop is told all the same"
    watch.due(unready)
    assert (watch.look(ON), watch.desk.open_incidents(), watch.store.count()) == (0, [], 1)


def test_recipients_language_and_masks(watch: Watch) -> None:
    alerts = Alerts(recipients=("soc@example.org",))
    chosen = msgspec.structs.replace(settings(alerts=alerts), general=General(defang=True, mask_internal=True))
    watch.append(*[event(MONDAY, dst_ip="10.1.2.3", target_host="")] * 11)
    assert watch.look(chosen) == 2
    for mail in mails_in(watch.outbox):
        assert [address.addr_spec for address in mail["To"].addresses] == ["soc@example.org"]
        assert "10.1.2.3" not in text_of(mail)
        assert "203.0.113.77" not in text_of(mail)


def test_what_a_log_says_cannot_write_headers(watch: Watch) -> None:
    evil = "x\r\nBcc: everybody@example.net\r\n\r\nBody"
    watch.append(*[event(MONDAY, message=evil, rule_name=evil, target_host=evil, src_ip="203.0.113.1")] * 11)
    assert watch.look() == 2
    for mail in mails_in(watch.outbox):
        assert mail["Bcc"] is None
        assert "\n" not in mail["Subject"]


def test_the_log_line_and_the_past_of_the_source_stand_in_the_mail(watch: Watch) -> None:
    watch.append(*[event(MONDAY - HOUR)] * 3, alerts=False)
    watch.look()
    events = [event(MONDAY, LOW), event(MONDAY)]
    first, _last = watch.store.append(events)
    lines = ["low line", "raw line"].__getitem__
    assert watch.desk.look_at(watch.store, first, events, watch.manner(), alerts=True, lines=lines).mails == 1
    text = text_of(mails_in(watch.outbox)[-1])
    assert "raw line" in text
    assert "low line" not in text
    assert "Last 24 hours" in text


# --- storms ----------------------------------------------------------------------------------------------------------


def storm(watch: Watch) -> None:
    """A first mail, 30 more of the same, one every four minutes for more than an hour, and the end."""
    watch.append(event(MONDAY))
    watch.look()
    watch.append(*[event(MONDAY)] * 30)
    watch.look()
    for minute in range(0, 70, 4):
        watch.clock.now = MONDAY + minute * MINUTE
        watch.append(event(watch.clock()))
        watch.look()
    watch.clock.now += 6 * MINUTE
    watch.due()


def test_a_storm_is_one_conversation_and_sums_up(watch: Watch) -> None:
    storm(watch)
    kinds = [letter.kind for letter in watch.letters()]
    assert kinds == [Kind.FIRST, Kind.STARTED, Kind.SUMMARY, Kind.OVER]
    (incident,) = watch.incidents()
    assert (incident.shape, incident.untold, incident.mails) == (Shape.STORM, 0, len(kinds))
    assert incident.closed_at is not None
    assert sum(letter.events for letter in watch.letters()) == incident.events == watch.store.count()
    mails = mails_in(watch.outbox)
    assert all(mail["In-Reply-To"] == before["Message-ID"] for before, mail in pairwise(mails))
    assert {mail["References"].split()[0] for mail in mails[1:]} == {mails[0]["Message-ID"]}
    assert str(incident.events) in text_of(mails[-1]), "the end tells all of them"
    last = watch.folded(incident.id)
    assert last is not None
    assert (last.events, last.sources, last.targets) == (incident.events, 1, 1)
    assert [happening.what for happening in watch.outbox.history() if not happening.mail] == ["storm_over", "storm"]


def test_a_storm_goes_on_over_a_restart(watch: Watch) -> None:
    watch.append(*[event(MONDAY)] * 15)
    watch.look()
    watch.restart()
    watch.append(*[event(MONDAY)] * 5)
    assert watch.look() == 0
    watch.restart()
    watch.clock.now += 6 * MINUTE
    watch.due()
    assert watch.told == ["first 1", "started 10", "over 9"]
    watch.check(set(range(1, 21)))


def test_many_sources_are_one_storm(watch: Watch) -> None:
    for turn in range(4):
        watch.append(*sources(500, first=500 * turn + 1))
        watch.look()
    watch.clock.now += 6 * MINUTE
    watch.due()
    assert watch.told == ["first 1", "first 1", "first 1", "started 1", "over 1996"]
    wide = watch.incidents()[0]
    assert wide.shape is Shape.WIDE
    found = watch.folded(wide.id, 2)
    assert found is not None
    assert (found.events, found.sources, len(found.top_sources), found.reasons) == (
        1996,
        1996,
        10,
        ((Rule.CRITICAL, 1996),),
    )
    assert found.events == sum(1 for _ in range(1996))
    watch.check(set(range(1, 2001)))


def test_what_a_group_has_not_told_moves_into_the_wide_storm(watch: Watch) -> None:
    watch.append(*[event(MONDAY, src_ip="203.0.113.1", target_host="one")] * 5)
    watch.look()
    watch.append(*sources(9, first=10))
    watch.look()
    shapes = Counter(incident.shape for incident in watch.incidents())
    assert shapes == {Shape.GROUP: 3, Shape.WIDE: 1}
    wide = watch.incidents()[0]
    started = watch.folded(wide.id, 1)
    assert started is not None
    assert started.events == 1 + 4, "the event that made it, and what its groups had not told"
    watch.check(set(range(1, 15)))


# --- what is held ----------------------------------------------------------------------------------------------------


BLOCKED = settings(alerts=Alerts(waf_blocked=True, critical=True, minimum_severity=LOW))


def test_a_pause_holds_and_critical_ones_pass(watch: Watch) -> None:
    watch.desk.pause(Pause(until=watch.clock() + 8 * HOUR), watch.manner(BLOCKED))
    watch.append(event(MONDAY, LOW), event(MONDAY), event(MONDAY, LOW, target_host="other"))
    assert watch.look(BLOCKED) == 1
    assert (watch.told, watch.desk.held()) == (["first 1"], 2)
    held = watch.desk.open_incidents()[-1] if watch.desk.open_incidents()[-1].why else watch.desk.open_incidents()[0]
    assert (held.shape, held.why, held.untold) == (Shape.HELD, Why.PAUSE, 2)
    made, told = watch.desk.resume(watch.manner(BLOCKED))
    assert (made.mails, told, watch.desk.paused(), watch.desk.held()) == (1, 2, None, 0)
    assert watch.told == ["first 1", "digest 2"]
    watch.append(event(MONDAY, LOW))
    assert watch.look(BLOCKED) == 1
    watch.check({1, 2, 3, 4})
    found = [(one.what, one.detail) for one in reversed(watch.outbox.history()) if not one.mail]
    until = (watch.clock() + 8 * HOUR).isoformat()
    assert found == [
        ("paused", {"what": "alerts", "until": until, "everything": False}),
        ("resumed", {"what": "alerts", "told": 2}),
    ]


def test_a_pause_of_everything_holds_critical_ones_too(watch: Watch) -> None:
    watch.desk.pause(Pause(until=watch.clock() + HOUR, everything=True), watch.manner())
    watch.append(event(MONDAY))
    assert (watch.look(), watch.desk.held()) == (0, 1)


def test_a_pause_survives_a_restart_and_ends_by_itself(watch: Watch) -> None:
    until = watch.clock() + 8 * HOUR
    watch.desk.pause(Pause(until=until), watch.manner(BLOCKED))
    watch.append(event(MONDAY, LOW))
    watch.look(BLOCKED)
    watch.restart()
    watch.clock.now = until - timedelta(seconds=1)
    assert watch.desk.paused() == Pause(until=until)
    watch.due(BLOCKED)
    assert (watch.told, watch.desk.next_due) == ([], until)
    watch.clock.now = until
    watch.restart()
    assert watch.desk.paused() is None
    watch.due(BLOCKED)
    assert watch.told == ["digest 1"]
    assert [one.what for one in reversed(watch.outbox.history()) if not one.mail] == ["paused", "resumed"]


def test_a_pause_that_is_set_again_is_the_new_one(watch: Watch) -> None:
    watch.desk.pause(Pause(until=watch.clock() + HOUR, everything=True), watch.manner())
    watch.desk.pause(Pause(until=watch.clock() + 2 * HOUR), watch.manner())
    assert watch.desk.paused() == Pause(until=watch.clock() + 2 * HOUR)


def test_a_pause_of_an_earlier_release_goes_on_and_its_mails_leave(watch: Watch) -> None:
    """It held mails; they leave when it is over, by itself or by hand."""
    watch.append(event(MONDAY))
    watch.look()
    watch.outbox._db.execute("UPDATE mails SET state = 'held'")
    until = watch.clock() + HOUR
    watch.outbox.set_fact("alerts-paused", msgspec.json.encode(Pause(until=until, everything=True)).decode())
    watch.outbox.set_fact("alert-state", "")
    watch.restart()
    assert watch.desk.paused() == Pause(until=until, everything=True)
    assert (watch.desk.release_held(), watch.outbox.fact("alerts-paused")) == (0, "")
    watch.restart()
    assert watch.desk.paused() == Pause(until=until, everything=True)
    watch.clock.now = until
    assert (watch.desk.release_held(), watch.outbox.counts()["queued"]) == (1, 1)


def test_a_pause_ended_with_nobody_to_tell_is_told_later(watch: Watch) -> None:
    nobody = settings(msgspec.structs.replace(NOWHERE, recipients=()))
    watch.desk.pause(Pause(until=watch.clock() + HOUR, everything=True), watch.manner())
    watch.append(*sources(3))
    watch.look()
    _made, told = watch.desk.resume(watch.manner(nobody))
    watch.due(nobody)
    assert (told, watch.desk.paused(), watch.desk.held()) == (0, None, 3)
    watch.due()
    assert watch.told == ["digest 3"]
    watch.check({1, 2, 3})


def test_an_acknowledged_storm_only_tells_its_end(watch: Watch) -> None:
    watch.append(*[event(MONDAY)] * 15)
    watch.look()
    assert watch.desk.acknowledge(None, watch.manner())[1] == 1
    assert watch.desk.acknowledge(None, watch.manner())[1] == 0
    for minute in range(0, 120, 4):
        watch.clock.now = MONDAY + minute * MINUTE
        watch.append(event(watch.clock()))
        watch.look()
    watch.clock.now += 6 * MINUTE
    watch.due()
    assert watch.told == ["first 1", "started 10", "over 34"]
    assert [one.detail for one in watch.outbox.history() if one.what == "acknowledged"] == [
        {"title": ["SQL injection"], "incidents": 1}
    ]


def test_one_that_is_over_can_be_acknowledged(watch: Watch) -> None:
    watch.append(event(MONDAY))
    watch.look()
    watch.clock.now += HOUR
    watch.due()
    (incident,) = watch.incidents()
    assert incident.closed_at is not None
    assert watch.desk.acknowledge(incident.id + 1, watch.manner())[1] == 0
    assert watch.desk.acknowledge(incident.id, watch.manner())[1] == 1
    assert watch.incidents()[0].acknowledged_at == watch.clock()


# --- silences, conditions, repair ------------------------------------------------------------------------------------


def silence_of(watch: Watch, **what: object) -> Silence:
    values: dict[str, object] = {"until": watch.clock() + HOUR, "reason": "a scan of ours", **what}
    return Silence(id=0, made_at=watch.clock(), **values)  # type: ignore[arg-type]  # by name


def test_a_silence_holds_one_source_and_not_the_desktop_of_others(watch: Watch) -> None:
    silence, _made = watch.desk.silence(silence_of(watch, network="10.0.0.0/8"), watch.manner())
    watch.append(*sources(3), event(MONDAY))
    made = watch.desk.catch_up(watch.store, watch.manner())
    assert (made.mails, [alert.event.seq for alert in made.alerts]) == (1, [4])
    assert (watch.desk.held(), watch.desk.silences()) == (3, [silence])
    watch.restart()
    assert watch.desk.silences() == [silence]
    _made, told = watch.desk.end_silence(silence, watch.manner())
    assert (told, watch.desk.silences(), watch.told) == (3, [], ["first 1", "digest 3"])
    assert "a scan of ours" in text_of(mails_in(watch.outbox)[-1])
    watch.check({1, 2, 3, 4})
    found = [(one.what, one.detail.get("network"), one.detail.get("told")) for one in watch.outbox.history()[::-1]]
    assert [one for one in found if one[0] != "mail"] == [
        ("silenced", "10.0.0.0/8", None),
        ("unsilenced", "10.0.0.0/8", 3),
    ]


def test_a_silence_ends_by_itself(watch: Watch) -> None:
    watch.desk.silence(silence_of(watch, rule=Rule.CRITICAL), watch.manner())
    watch.append(*sources(3))
    assert watch.look() == 0
    watch.clock.now += HOUR
    watch.due()
    assert (watch.desk.silences(), watch.told) == ([], ["digest 3"])
    assert [one.what for one in watch.outbox.history() if not one.mail] == ["unsilenced", "silenced"]


def test_a_silence_of_everything_is_refused_and_changes_nothing(watch: Watch) -> None:
    for what in ({}, {"network": "nonsense"}):
        with pytest.raises(ValueError, match=r"."):
            watch.desk.silence(silence_of(watch, **what), watch.manner())
    assert watch.desk.silences() == []


def test_quiet_hours_deliver_a_morning_digest(watch: Watch) -> None:
    quiet = QuietHours(enabled=True, start="22:00", end="07:00")
    chosen = settings(alerts=Alerts(waf_blocked=True, minimum_severity=LOW, quiet_hours=quiet))
    watch.append(*sources(5, severity=LOW), event(MONDAY))
    assert (watch.look(chosen), watch.desk.held()) == (1, 5)
    watch.clock.at(7)
    watch.due(chosen)
    assert watch.told == ["first 1", "digest 5"]
    assert "22:00\N{EN DASH}07:00" in text_of(mails_in(watch.outbox)[-1])


@pytest.mark.parametrize("damage", ["", "{", '{"open": 7}'])
def test_lost_memory_is_rebuilt_from_the_incidents(watch: Watch, damage: str) -> None:
    watch.append(*[event(MONDAY)] * 15, *sources(4))
    watch.look()
    watch.desk.pause(Pause(until=watch.clock() + HOUR, everything=True), watch.manner())
    watch.append(*sources(2, first=90))
    watch.look()
    watch.outbox.set_fact("alert-state", damage)
    watch.restart()
    assert watch.desk.open_incidents() == [one for one in watch.incidents() if one.closed_at is None]
    watch.append(*sources(1, first=99))
    watch.look()
    watch.clock.now += 6 * MINUTE
    watch.due()
    assert watch.desk.held() == 0
    watch.check(set(range(1, 23)))


def test_what_is_old_is_forgotten(watch: Watch) -> None:
    watch.append(*[event(MONDAY)] * 15)
    watch.look()
    watch.clock.now += HOUR
    watch.due()
    watch.append(event(MONDAY, target_host="other"))
    watch.look()
    watch.clock.now += timedelta(days=399)
    assert watch.desk.forget_old() == 0
    watch.clock.now += timedelta(days=2)
    assert watch.desk.forget_old() == 1
    assert [incident.closed_at for incident in watch.incidents()] == [None], "what is open stays"
    assert watch.told == ["first 1"]
    assert watch.folded(1) is None


def condition(number: int = 1, **fields: object) -> Change:
    values: dict[str, object] = {
        "over": number == 2,
        "mailed": True,
        "until": MONDAY if number == 2 else None,
        **fields,
    }
    return Change(
        rule=Rule.SOURCE_SILENT,
        subject="syslog",
        at=MONDAY,
        since=MONDAY - HOUR,
        conversation=1,
        number=number,
        times=1,
        total=1,
        first_at=MONDAY - HOUR,
        **values,  # type: ignore[arg-type]  # by name
    )


def test_conditions_are_told_once_as_one_conversation(watch: Watch) -> None:
    for change in (condition(), condition(2), condition(3, mailed=False)):
        watch.desk.tell([change], {"conditions": str(change.number)}, watch.manner())
    first, second = mails_in(watch.outbox)
    assert second["In-Reply-To"] == first["Message-ID"]
    assert watch.outbox.fact("conditions") == "3"
    watch.desk.tell([condition(2)], {}, watch.manner())
    assert len(watch.outbox.entries()) == 2, "known by its key"


def test_conditions_are_held_like_alerts_and_count_like_them(watch: Watch) -> None:
    watch.desk.pause(Pause(until=watch.clock() + HOUR), watch.manner())
    watch.desk.tell([condition()], {}, watch.manner())
    watch.desk.tell([condition(2)], {}, watch.manner())
    watch.restart()
    assert watch.outbox.entries() == []
    watch.clock.now += HOUR
    few = settings(alerts=Alerts(max_mails_per_hour=2))
    assert watch.due(few) == 2
    assert watch.outbox.fact("alert-conditions") == ""
    assert len(watch.outbox.entries()) == 2
    watch.append(event(MONDAY))
    watch.look(few)
    assert watch.desk.held() == 1, "over the cap"


def test_conditions_with_nobody_to_tell_are_left_to_the_desktop(watch: Watch) -> None:
    watch.desk.tell([condition()], {"conditions": "1"}, watch.manner(Settings()))
    assert watch.outbox.fact("conditions") == "1"
    watch.due()
    assert watch.outbox.entries() == []


def test_events_that_no_rule_is_about_cost_no_wait_for_the_disk(watch: Watch) -> None:
    """Each batch of events moves the cursor; only one with an alert must have it on the disk."""
    said: list[str] = []
    watch.look()
    watch.outbox._db.set_trace_callback(said.append)
    events = [event(MONDAY, LOW)] * 3
    for _batch in range(3):
        first, _last = watch.store.append(events)
        assert watch.desk.look_at(watch.store, first, events, watch.manner(), alerts=True).mails == 0
    switched = [one for one in said if one.startswith("PRAGMA synchronous")]
    assert (switched, said.count("COMMIT")) == (["PRAGMA synchronous=NORMAL"], 3)
    watch.append(event(MONDAY))
    assert watch.look() == 1
    watch.outbox._db.set_trace_callback(None)
    assert [one for one in said if one.startswith("PRAGMA synchronous")][1:] == ["PRAGMA synchronous=FULL"]
    watch.restart()
    assert watch.look() == 0
