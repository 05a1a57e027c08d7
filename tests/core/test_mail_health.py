"""What a person is told when mail cannot leave, and that no fault of one part keeps the others from working."""

import contextlib
import resource
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from tests.core.engine import MONDAY, NOWHERE, Engine, event, settings
from vxtray.core.errors import NotConfigured
from vxtray.core.mail.outbox import Outcome, Parcel, Verdict
from vxtray.core.paths import Profile
from vxtray.core.reports.period import Cadence
from vxtray.core.settings.file import SettingsFile
from vxtray.core.settings.model import Change, SettingsModel
from vxtray.core.settings.tree import Alerts, Reports, Settings, Smtp
from vxtray.core.status import State, state_of

NOBODY = msgspec.structs.replace(NOWHERE, recipients=())


@pytest.fixture
def engine(profile: Profile, request: pytest.FixtureRequest) -> Iterator[Engine]:
    chosen: Settings = getattr(request, "param", settings(reports=Reports(zone="Europe/Paris")))
    one = Engine(profile, chosen, None)
    yield one
    one.service.stop()


@contextlib.contextmanager
def no_room() -> Iterator[None]:
    """Let no file grow, as on a full disk; this limit binds root, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.expected_log("outbox: ", "mail: ")
def test_a_full_disk_does_not_keep_new_mail_settings_from_the_courier(engine: Engine) -> None:
    changed = msgspec.structs.replace(
        engine.service.settings, smtp=Smtp(host="new.invalid", from_address="a@b.example")
    )
    with no_room():
        engine.service.apply(changed)
    assert engine.service.settings == changed
    assert engine.service._post._courier.smtp.host == "new.invalid"
    assert "outbox" in {trouble.what for trouble in engine.service.troubles()}


@pytest.mark.expected_log("a listener of the settings met a fault")
def test_a_listener_that_fails_keeps_the_change_from_nobody(tmp_path: Path) -> None:
    model = SettingsModel(SettingsFile(tmp_path / "settings.toml"))
    told: list[Change] = []

    def broken(_change: Change) -> None:
        raise OSError("full")

    model.subscribe(broken)
    model.subscribe(told.append)
    assert model.update({"alerts.new_ban": True}).alerts.new_ban
    assert [list(change.keys) for change in told] == [["alerts.new_ban"]]


@pytest.mark.expected_log("undelivered: ")
def test_a_mail_that_was_given_up_is_trouble_until_it_is_dismissed(engine: Engine) -> None:
    service = engine.service
    service.send_report(Cadence.DAILY)

    def refuse(parcel: Parcel) -> Outcome:
        return Outcome(verdict=Verdict.FAILED, reply="550 no", refused=dict.fromkeys(parcel.recipients, "550 no"))

    assert [one.state for one in service.outbox.deliver_due(refuse, engine.clock)] == ["failed"]
    service.watch_undelivered()
    (trouble,) = service.troubles()
    assert (trouble.what, trouble.error.values["count"]) == ("undelivered", 1)
    assert state_of(service) is State.TROUBLE
    service.dismiss_undelivered()
    assert not service.troubles()
    assert [entry.state for entry in service.outbox.entries()] == ["cancelled"]


@pytest.mark.parametrize(
    "engine",
    [Settings(smtp=NOBODY, alerts=Alerts(language="en", recipients=("soc@example.org",)))],
    indirect=True,
)
def test_alerts_with_recipients_of_their_own_need_no_others(engine: Engine) -> None:
    assert engine.service.settings.ready
    first, _last = engine.service.store().append([event(MONDAY)])
    engine.service._committed(first, [event(MONDAY)], True)
    (mail,) = engine.mails("alert")
    assert mail["To"] == "soc@example.org"


@pytest.mark.parametrize(
    "engine",
    [Settings(smtp=NOBODY, reports=Reports(zone="Europe/Paris", recipients=("boss@example.org",)))],
    indirect=True,
)
def test_reports_with_recipients_of_their_own_need_no_others(engine: Engine) -> None:
    engine.service.send_report(Cadence.DAILY)
    (mail,) = engine.mails("report")
    assert mail["To"] == "boss@example.org"


@pytest.mark.parametrize("engine", [Settings(smtp=NOBODY)], indirect=True)
def test_a_report_for_nobody_is_refused(engine: Engine) -> None:
    with pytest.raises(NotConfigured):
        engine.service.send_report(Cadence.DAILY)
    assert not engine.service.outbox.entries()


def test_asking_for_the_pause_waits_for_nobody(engine: Engine) -> None:
    engine.service.pause_alerts(timedelta(hours=1))
    with engine.service.alerts._desk._guard:  # as while alerts are being composed on the store's thread
        answers: list[object] = []
        asking = threading.Thread(target=lambda: answers.append(engine.service.paused_until()), name="asking")
        asking.start()
        asking.join(5)
    assert answers == [engine.clock() + timedelta(hours=1)]
