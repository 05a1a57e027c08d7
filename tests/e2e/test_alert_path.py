"""A log line becomes an alert mail: each rule by each way in, through a program of its own, read back from a server.

What is switched off, and what is read again, is proven silent by a line behind it that does alert.
"""

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from tests.core.engine import text_of
from tests.e2e.alert_counts import all_told
from tests.e2e.loglines import waf
from tests.e2e.vxtray_process import Vxtray, credentials_of
from tests.peers.desktop import until
from tests.peers.mail_server import free_ports
from tests.peers.mailbox import Mailbox

Send = Callable[[str], None]

STORM = 4_000


def critical(at: datetime, address: str) -> str:
    return (
        f'<30>device="SFW" date={at:%Y-%m-%d} time={at:%H:%M:%S} timezone="UTC" device_name="XG230" '
        f'device_id=1234567890123457 log_id=030906208001 log_type="Anti-Virus" log_component="HTTP" '
        f'log_subtype="Virus" status="" priority=Critical fw_rule_id=2 user_name="" virus="Sandstorm" '
        f'url="http://sophostest.com/Sandstorm/SBTestFile1.pdf" domainname="sophostest.com" src_ip={address} '
        f'src_country_code=R1 dst_ip=13.226.155.93 dst_country_code=USA protocol="TCP" src_port=57695 dst_port=80'
    )


def waf_blocked(at: datetime, address: str) -> str:
    return waf(at, address, 12)


def new_ban(at: datetime, address: str) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S},123 fail2ban.actions        [812]: NOTICE  [sshd] Ban {address}"


def waf_detected(at: datetime, address: str) -> str:
    return (
        f"[{at:%a %b %d %H:%M:%S}.094249 {at:%Y}] [:error] [pid 1159:tid 1320] [client {address}:0] [client {address}] "
        "ModSecurity: Warning. Unconditional match in SecAction. "
        '[file "/etc/crs4/rules/RESPONSE-980-CORRELATION.conf"] [line "96"] '
        '[id "980170"] [msg "Anomaly Scores: (Inbound Scores: blocking=5, threshold=5)"] '
        '[ver "OWASP_CRS/4.0.0"] [tag "reporting"] [hostname "shop.example.com"] [uri "/.git/config?<b>&amp;"] '
        '[unique_id "ZmwR5AebAO5-Tfs4FnXWuwAAigg"]'
    )


#: The switches, each with a line of a real log that meets this rule and no other.
LINES = {"critical": critical, "waf_blocked": waf_blocked, "new_ban": new_ban, "waf_detected": waf_detected}

#: By language and rule what the subject says, in this order, with the address in the place of ``{}``.
SUBJECTS = {
    "en": {
        "critical": ("Critical", "Sandstorm", "sophostest.com", "{}", "blocked"),
        "waf_blocked": ("High", "SQL Injection", "shop.example.com", "{}", "blocked"),
        "new_ban": ("{}", "banned", "sshd"),
        "waf_detected": ("Medium", "Anomaly Scores", "shop.example.com", "{}", "detected"),
    },
    "fr": {
        "critical": ("Critique", "Sandstorm", "sophostest.com", "{}", "bloqué"),
        "waf_blocked": ("Élevée", "SQL Injection", "shop.example.com", "{}", "bloqué"),
        "new_ban": ("{}", "banni", "sshd"),
        "waf_detected": ("Moyenne", "Anomaly Scores", "shop.example.com", "{}", "détecté"),
    },
}
ALL = "all"
HEADINGS = {"en": "What to do next", "fr": "Que faire"}


class Way(NamedTuple):
    """How lines come in, and how the alerts are set up: the language, and recipients of their own or none."""

    name: str
    language: str
    own: tuple[str, ...] = ()


WAYS = [
    Way("udp", "en"),
    Way("tcp", "fr", ("soc@example.org", "duty@example.net")),
    Way("tls", "en", ("soc@example.org",)),
    Way("file", "fr"),
]


class World:
    """A program with ways in, and the mails of its alerts."""

    def __init__(self, folder: Path, box: Mailbox, authority: trustme.CA) -> None:
        self.folder = folder
        self.box = box
        self._authority = authority
        self.vxtray = Vxtray(
            folder / "profile",
            without_qt=True,
            CREDENTIALS_DIRECTORY=credentials_of(folder / "credentials", box),
            TZ="UTC",
        )
        self.port, self.tls_port = free_ports(2)
        self.log = folder / "log" / "firewall.log"
        self.log.parent.mkdir()

    def switch(self, **rules: bool) -> None:
        self.vxtray.run("settings", "set", *(f"alerts.{rule}={on}".lower() for rule, on in rules.items()))

    def set_up(self, way: Way, *, on: bool) -> None:
        """Make the settings, with all rules on or off."""
        self.vxtray.set_up(self.box)
        self.vxtray.run(
            "settings",
            "set",
            *self._source(way.name),
            *(f"alerts.{rule}={on}".lower() for rule in LINES),
            "alerts.minimum_severity=medium",
            f"alerts.language={way.language}",
            f"alerts.recipients={','.join(way.own)}",
        )

    def _source(self, name: str) -> tuple[str, ...]:
        if name == "file":
            return (f'sources.files=[{{"path": "{self.log}", "start": "beginning"}}]',)
        settings = ("sources.syslog.enabled=true", f"sources.syslog.port={self.port}")
        if name != "tls":
            return settings
        chain, key = self.folder / "chain.pem", self.folder / "key.pem"
        certificate = self._authority.issue_cert("localhost")
        certificate.cert_chain_pems[0].write_to_path(str(chain))
        certificate.private_key_pem.write_to_path(str(key))
        tls = (f"sources.syslog.cert_file={chain}", f"sources.syslog.key_file={key}")
        return (*settings, f"sources.syslog.tls_port={self.tls_port}", *tls)

    @contextlib.contextmanager
    def way(self, name: str) -> Iterator[Send]:
        """Open a way in."""
        if name == "file":
            with self.log.open("a") as file:
                yield lambda line: print(line, file=file, flush=True)
        elif name == "udp":
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.connect(("127.0.0.1", self.port))
                yield lambda line: sock.sendall(line.encode())
        elif name == "tcp":
            with socket.create_connection(("127.0.0.1", self.port)) as sock:
                yield lambda line: sock.sendall(line.encode() + b"\n")
        else:
            context = ssl.create_default_context()
            self._authority.configure_trust(context)
            with (
                socket.create_connection(("127.0.0.1", self.tls_port)) as sock,
                context.wrap_socket(sock, server_hostname="localhost") as secure,
            ):
                yield lambda line: secure.sendall(b"%d %s" % (len(line.encode()), line.encode()))

    def begun(self) -> None:
        """Wait until the sources are there."""
        until(lambda: len(self.sources()) > 0, "the sources begin")

    def sources(self) -> list[dict[str, object]]:
        return list(self.vxtray.json("status")["sources"])

    def stored(self, lines: int) -> None:
        """Wait until so many lines were stored; what they raise is decided then."""
        until(lambda: sum(int(str(one["lines"])) for one in self.sources()) >= lines, f"{lines} lines are stored")


@pytest.fixture
def world(tmp_path: Path, smtp_catcher: Mailbox, authority: trustme.CA) -> World:
    return World(tmp_path, smtp_catcher, authority)


def squeezed(text: str) -> str:
    """Return a text without blanks: a mail breaks long lines."""
    return "".join(text.split())


def check(message: EmailMessage, rule: str, line: str, address: str, language: str) -> None:
    """What the mail says of the line: on the lock screen, and within."""
    subject = str(message["Subject"])
    assert subject.startswith("[vxtray] ")
    at = 0
    for part in SUBJECTS[language][rule]:
        at = subject.index(part.format(address), at)
    text = text_of(message)
    assert HEADINGS[language] in text
    assert squeezed(line.removeprefix("<30>")) in squeezed(text)
    body = message.get_body(("html",))
    assert body is not None
    html = body.get_content()
    assert f'lang="{language}"' in html
    assert address in html
    assert "<b>&amp;" not in html  # as the line holds it: escaped


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_each_rule(world: World, way: Way) -> None:
    """Its own line raises it while it is switched on; before that, and while only others are on, nothing does."""
    now = datetime.now(UTC)
    world.set_up(way, on=False)
    rounds = list(LINES) if way.name == "udp" else [ALL]  # the switches one by one; by the other ways, all at once
    expected: list[tuple[str, str, str]] = []
    with world.vxtray.serve():
        world.begun()
        with world.way(way.name) as send:
            for number, make in enumerate(LINES.values()):
                send(make(now, f"198.51.100.{number}"))
            world.stored(len(LINES))
            for number, on in enumerate(rounds):
                world.switch(**{rule: on in (rule, ALL) for rule in LINES})
                for rule in sorted(LINES, key=lambda rule: rule == on):
                    address = f"203.0.113.{100 + 10 * number + list(LINES).index(rule)}"
                    line = LINES[rule](now, address)
                    send(line)
                    if on in (rule, ALL):
                        expected.append((rule, line, address))
                world.box.wait(len(expected))
    assert len(world.box.mails) == len(expected) == len(LINES)
    for rule, line, address in expected:
        (mail,) = [one for one in world.box.mails if address in str(one.message["Subject"])]
        check(mail.message, rule, line, address, way.language)
        assert sorted(mail.recipients) == sorted(way.own or ["a@example.org"])
        assert mail.sender == "reports@example.com"
    assert "Traceback" not in world.vxtray.said


def test_old_lines_never_alert(world: World) -> None:
    """What stood in a log before it was followed, what is imported without a wish, and what comes once more."""
    now = datetime.now(UTC)
    old = [make(now, f"198.51.100.{number}") for number, make in enumerate(LINES.values())]
    world.log.write_text("".join(f"{line}\n" for line in old))
    other = world.folder / "old.log"
    other.write_text(world.log.read_text().replace("198.51.100.", "192.0.2."))
    world.set_up(Way("file", "en"), on=True)
    with world.vxtray.serve(), world.way("file") as send:
        world.begun()
        world.stored(len(old))
        assert world.vxtray.json("import", other)["stored"] == len(old)
        send(critical(now, "203.0.113.1"))
        world.box.wait(1)
    new = [*(waf_detected(now, f"198.51.100.{number}") for number in range(3)), new_ban(now, "203.0.113.2")]
    log = world.folder / "new.log"
    log.write_text("no log\n".join(f"{line}\n" for line in new))
    with world.vxtray.serve():
        world.begun()
        world.switch(waf_detected=False)
        assert world.vxtray.json("import", "--alerts", world.log, other)["stored"] == 0
        assert world.vxtray.json("import", "--alerts", log)["stored"] == len(new)
        world.box.wait(2)
    first, last = (mail.message for mail in world.box.mails)
    check(first, "critical", critical(now, "203.0.113.1"), "203.0.113.1", "en")
    check(last, "new_ban", new_ban(now, "203.0.113.2"), "203.0.113.2", "en")


def test_a_storm_is_few_mails_that_count_every_event(world: World) -> None:
    """One source, many sources, and two classes of alerts, over UDP."""
    now = datetime.now(UTC)
    lines = []
    for number in range(STORM // 4):
        lines += [
            critical(now, "203.0.113.1"),
            critical(now, f"198.18.{number >> 8}.{number & 255}"),
            new_ban(now, "203.0.113.2"),
            new_ban(now, f"198.19.{number >> 8}.{number & 255}"),
        ]
    world.set_up(Way("udp", "en"), on=True)
    world.vxtray.run("settings", "set", "alerts.group_seconds=2")
    with world.vxtray.serve():
        world.begun()
        with world.way("udp") as send:
            for number, line in enumerate(lines, 1):
                send(line)
                if number % 1000 == 0:
                    world.stored(number)  # UDP cannot say "wait"
        until(lambda: all_told(world.box.mails) >= STORM, "every event is told", 30)
    assert all_told(world.box.mails) == STORM
    assert 4 <= len(world.box.mails) <= 10, [mail.message["Subject"] for mail in world.box.mails]
