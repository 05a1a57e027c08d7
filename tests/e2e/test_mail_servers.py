"""The whole delivery against Postfix with Dovecot, Exim and OpenSMTPD, each where it is installed."""

import itertools
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.core.mail.office import HOUR, MINUTE, Post, unvaried
from tests.core.mail.wire import PASSWORD
from tests.e2e.vxtray_process import Vxtray
from tests.peers.desktop import until
from tests.peers.mail_server import GREY, INBOX, NOBODY, OTHER, SIZE, MailServer
from vxtray.core.mail.hold import Cause
from vxtray.core.mail.keeping import Keeper
from vxtray.core.mail.message import Attachment
from vxtray.core.mail.oauth.tokens import TokenKeeper
from vxtray.core.postroom import PostRoom
from vxtray.core.settings.tree import Security, Smtp
from vxtray.core.troubles import TroubleBoard

pytestmark = pytest.mark.timeout(60)

BURST = 100
NO_TLS = "this OpenSMTPD does not work with OpenSSL 3: no TLS, and no sign-in without"


class Office(Post):
    """The outbox with the post room as the engine has them, under a clock that the test moves."""

    def __init__(self, folder: Path, smtp: Smtp, password: str = PASSWORD) -> None:
        super().__init__(folder, smtp, password)
        self.told: list[object] = []
        self.board = TroubleBoard(self.told.append, self.clock)
        self.tokens = TokenKeeper(self.credentials, folder, self.clock, self.clock.awake)
        self.keeper = Keeper(self.credentials, folder, self.clock)
        self.keeper._made = self.tokens  # by the monotonic clock of the test, too
        self.room = PostRoom(
            self.outbox,
            smtp,
            self.credentials,
            self.board,
            self.told.append,
            self.clock,
            keeper=self.keeper,
            monotonic=self.clock.awake,
            default_route=lambda: self.route,
        )

    def states(self) -> list[str]:
        """Return the state of each mail, oldest first."""
        return [entry.state for entry in reversed(self.outbox.entries(10_000))]

    def own(self, mail: int = 1) -> bytes:
        """Return a mail as it was queued, with the ends of line of this system."""
        return self.outbox.entry(mail)[3].replace(b"\r\n", b"\n")

    def troubles(self) -> list[str]:
        return [trouble.what for trouble in self.board.troubles()]

    def close(self) -> None:
        self.room.stop()
        super().close()


@pytest.fixture
def office(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Office]:
    """Make a post room that sends to a server."""

    def make(smtp: Smtp, password: str = PASSWORD) -> Office:
        made = Office(tmp_path / "post", smtp, password)
        request.addfinalizer(made.close)
        return made

    return make


Making = Callable[..., Office]


def test_a_mail_arrives_as_it_was_queued(mail_server: MailServer, office: Making) -> None:
    one = office(mail_server.settings())
    one.add("k", to=(INBOX,))
    assert one.room.send_waiting() == 1
    (mail,) = mail_server.delivered(1)
    assert mail.endswith(one.own())
    assert one.states() == ["sent"]


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
def test_the_commands(mail_server: MailServer, security: Security, tmp_path: Path) -> None:
    if security is Security.TLS and not mail_server.speaks_tls:
        pytest.skip(NO_TLS)
    smtp = mail_server.settings(security)
    (tmp_path / "credentials").mkdir(mode=0o700)
    (tmp_path / "credentials" / "smtp-password").write_text(PASSWORD + "\n")
    vxtray = Vxtray(tmp_path / "profile", CREDENTIALS_DIRECTORY=str(tmp_path / "credentials"))
    names = ("host", "port", "username", "from_address", "ca_file")
    vxtray.run("smtp", "set", *(f"{name}={getattr(smtp, name)}" for name in names))
    vxtray.run("smtp", "set", f"security={smtp.security}", f"recipients={INBOX},{OTHER}")
    checked = vxtray.json("smtp", "test")
    assert checked["ok"]
    assert all(step["ok"] for step in checked["steps"])
    assert mail_server.files() == [], "the check sends nothing"
    sent = vxtray.json("smtp", "send-test")
    assert sent["ok"]
    assert sent["recipients"].keys() == {INBOX, OTHER}
    for person in (INBOX, OTHER):
        (mail,) = mail_server.delivered(1, person)
        assert sent["message_id"].encode() in mail
    refused = vxtray.json("smtp", "send-test", "--to", NOBODY, status=1)
    assert "550" in refused["recipients"][NOBODY]["reply"]


def test_a_burst_takes_one_connection(mail_server: MailServer, office: Making) -> None:
    one = office(mail_server.settings())
    one.add(*(f"k{number}" for number in range(BURST)), to=(INBOX,))
    assert one.room.send_waiting() == BURST
    assert one.states() == ["sent"] * BURST
    arrived = b"".join(mail_server.delivered(BURST))
    assert all(arrived.count(f"<k{number}@example.com>".encode()) == 1 for number in range(BURST))
    assert mail_server.connections() == 1


@pytest.mark.expected_log("mail 2 .*failed, 550", "undelivered")
def test_one_recipient_refused_and_the_others_served(mail_server: MailServer, office: Making) -> None:
    one = office(mail_server.settings())
    one.add("k", to=(INBOX, NOBODY, OTHER))
    one.add("l", to=(NOBODY,))
    one.room.send_waiting()
    assert one.states() == ["sent", "failed"]
    people = one.outbox.people(1)
    assert {person: state for person, (state, _) in people.items()} == {INBOX: "sent", NOBODY: "failed", OTHER: "sent"}
    assert people[NOBODY][1].startswith("550")
    for person in (INBOX, OTHER):
        (mail,) = mail_server.delivered(1, person)
        assert mail.endswith(one.own(1))
    assert one.troubles() == ["undelivered"]


@pytest.mark.expected_log("mail 2 .*failed", "undelivered")
def test_a_mail_that_is_too_large_goes_without_its_attachment(mail_server: MailServer, office: Making) -> None:
    one = office(mail_server.settings())
    large = Attachment("report.pdf", "application/pdf", b"\0%PDF" * (SIZE // 5))
    small = Attachment("events.csv", "text/csv", b"a;b\r\n")
    one.add("k", to=(INBOX,), attachments=(large, small))
    one.add("l", to=(INBOX,), html="<html lang='en'><body>" + "<p>many words</p>\n" * (SIZE // 15) + "</body></html>")
    one.add("m", to=(INBOX,))
    one.room.send_waiting()
    assert one.states() == ["sent", "failed", "sent"]
    assert one.attempts(1) == ["lighter", "sent"]
    lighter, other = sorted(mail_server.delivered(2), key=len, reverse=True)
    assert b"<k@example.com>" in lighter
    assert b"report.pdf" not in lighter.replace(b"The attachment report.pdf was left out", b"")
    assert b"The attachment report.pdf was left out" in lighter
    assert b"events.csv" in lighter
    assert other.endswith(one.own(3))
    assert "too large" in one.outbox.entry(2)[0].reply


def test_greylisting_is_waited_for(mail_server: MailServer, office: Making) -> None:
    one = office(mail_server.settings())
    one.add("k", to=(INBOX, GREY))
    one.add("l", to=(GREY,))
    one.add("m", to=(INBOX,))
    one.room.send_waiting()
    assert one.states() == ["queued", "queued", "sent"]
    one.clock.now += 4 * MINUTE
    assert one.room.send_waiting() == 0
    assert one.attempts(1) == ["sent"], "an earlier try would be taken for that of a spammer"
    mail_server.let_grey_pass()
    one.clock.now += 2 * MINUTE
    one.room.send_waiting()
    assert one.states() == ["sent"] * 3
    assert one.attempts(2) == ["later", "sent"]
    assert len(mail_server.delivered(2, GREY)) == 2
    assert len(mail_server.delivered(2)) == 2, "nobody gets it twice"
    assert one.troubles() == []


@pytest.mark.expected_log("refused the user name or the password")
def test_a_wrong_password_is_tried_once(mail_server: MailServer, office: Making) -> None:
    if not mail_server.speaks_tls:
        pytest.skip(NO_TLS)
    one = office(mail_server.settings(), "wrong")
    one.add("k", "l", to=(INBOX,))
    for _ in range(10):
        assert one.room.send_waiting() == 0
        one.clock.now += HOUR
    hold = one.outbox.hold()
    assert hold is not None
    assert hold.cause is Cause.ACCOUNT
    assert one.states() == ["queued"] * 2
    assert one.troubles() == ["mail"]
    until(lambda: mail_server.refused_sign_ins() == 2, "one LOGIN and one PLAIN")
    assert mail_server.connections() == 2
    assert [attempt["stage"] for attempt in one.outbox.entry(1)[2]] == ["auth"]


@pytest.mark.expected_log("refuses connections")
def test_a_server_that_was_away_for_hours(mail_server: MailServer, office: Making) -> None:
    one = office(mail_server.settings())
    one.outbox._jitter = unvaried
    mail_server.stop()
    try:
        one.add(*(f"k{number}" for number in range(30)), to=(INBOX,))
        tried: list[timedelta] = []
        began = one.clock()
        while one.clock() - began < 5 * HOUR:
            one.room.send_waiting()
            if (now := sum(len(one.attempts(mail)) for mail in range(1, 31))) > len(tried):
                assert now == len(tried) + 1, "one mail probes"
                tried.append(one.clock() - began)
            one.clock.now += MINUTE
    finally:
        mail_server.start()
    minutes = [round(moment / MINUTE) for moment in tried]
    assert minutes[:7] == [0, 1, 3, 8, 18, 33, 48]
    assert {after - before for before, after in itertools.pairwise(minutes[6:])} == {15}
    assert one.troubles() == ["mail"]
    one.clock.now += 15 * MINUTE
    assert one.room.send_waiting() == 30, "one success lets all go"
    assert one.states() == ["sent"] * 30
    mail_server.delivered(30)
    assert mail_server.connections() <= 2
    assert one.troubles() == []
