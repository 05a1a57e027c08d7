"""The demo: everything for real, on made events, in a temporary profile that nothing else touches.

A mailbox of its own (aiosmtpd with STARTTLS and LOGIN on loopback, certificate by trustme) receives what the engine
sends; secrets live in memory. Runs on the main thread; the mailbox has a thread of aiosmtpd's.
"""

import contextlib
import email.policy
import logging
import random
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from vxtray.core.autostart import Autostart, AutostartFailed
from vxtray.core.credentials import MemoryStore, Secret, smtp_account
from vxtray.core.errors import N_, VxtrayError
from vxtray.core.paths import Profile
from vxtray.core.reports.period import Cadence
from vxtray.core.service import Service
from vxtray.core.settings.file import SettingsFile
from vxtray.core.texts import _, current

if TYPE_CHECKING:
    from vxtray.app import Host
    from vxtray.core.control import Handler

_USER = "demo@example.com"
_PASSWORD = "only for the demo"  # noqa: S105 - of a mailbox that lives for seconds on loopback
_EVENTS = 1200
_SECONDS = 30.0


class Speaker(Protocol):
    """Where the demo tells what it did."""

    def say(self, text: str = "") -> None:
        """Write a line."""

    def document(self, value: object) -> None:
        """Write one JSON document."""


class Mailbox:
    """A mail server on loopback that keeps what it receives."""

    def __init__(self, folder: Path) -> None:
        import trustme
        from aiosmtpd.controller import Controller
        from aiosmtpd.smtp import AuthResult

        logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd tells of its own deprecations at each mail
        authority = trustme.CA()
        self.ca_file = folder / "demo-ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        self.mails: list[bytes] = []
        self._arrived = threading.Condition()

        def authenticate(*details: Any) -> AuthResult:
            data = details[-1]
            return AuthResult(success=data.login == _USER.encode() and data.password == _PASSWORD.encode())

        class AnyPort(Controller):
            """Finds out which free port it got before it tries itself out."""

            def _trigger_server(self) -> None:
                server: Any = self.server
                self.port = int(server.sockets[0].getsockname()[1])
                super()._trigger_server()  # type: ignore[no-untyped-call]  # aiosmtpd has no types

        self._controller = AnyPort(
            self,
            hostname="127.0.0.1",
            port=0,
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            auth_require_tls=True,
            authenticator=authenticate,
        )

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a mail."""
        with self._arrived:
            self.mails.append(bytes(envelope.content))
            self._arrived.notify_all()
        return "250 2.0.0 kept by the demo's mailbox"

    def wait(self, count: int, seconds: float = 20) -> bool:
        """Wait until so many mails are here; False where they did not come."""
        with self._arrived:
            return self._arrived.wait_for(lambda: len(self.mails) >= count, seconds)

    def __enter__(self) -> "Mailbox":
        self._controller.start()
        self.port = self._controller.port
        return self

    def __exit__(self, *_exception: object) -> None:
        self._controller.stop()


@contextlib.contextmanager
def demo_profile() -> Iterator[tuple[Profile, Mailbox, MemoryStore]]:
    """Make a temporary profile that is set up for a mailbox of its own, and clean both up afterwards."""
    with tempfile.TemporaryDirectory(prefix="vxtray-demo-") as name, Mailbox(Path(name)) as mailbox:
        profile = Profile.under(Path(name) / "profile")
        file = SettingsFile(profile.settings_file)
        settings = file.merge(
            {
                "smtp.host": "127.0.0.1",
                "smtp.port": mailbox.port,
                "smtp.username": _USER,
                "smtp.from_address": _USER,
                "smtp.from_name": "vxtray demo",
                "smtp.recipients": "admin@example.com",
                "smtp.ca_file": str(mailbox.ca_file),
                "alerts.critical": False,
                "general.language": current(),
                "sources.syslog.enabled": True,
                "sources.syslog.port": _free_port(),
            }
        ).settings
        credentials = MemoryStore()
        credentials.set(smtp_account(settings.smtp), Secret(_PASSWORD))
        try:
            yield profile, mailbox, credentials
        finally:
            with contextlib.suppress(AutostartFailed):  # no session shall start what is gone
                Autostart(profile).switch(on=False)


def run_demo(
    out: Path | None,
    *,
    with_window: bool,
    as_json: bool,
    terminal: Speaker,
    handler: "Callable[[Host], Handler]",
) -> int:
    """Send one daily report and one alert to the built-in mailbox and show what arrived.

    ``handler`` answers commands while the window is open.
    """
    with demo_profile() as (profile, mailbox, credentials):
        file = SettingsFile(profile.settings_file)
        service = Service(profile, file.read().settings, credentials, lambda _notice: None)
        service.start()
        try:
            now = datetime.now(UTC)
            stored = _send_lines(service, made_lines(now).splitlines(), mailbox)
            # What lies behind is no alert; from now on a critical event is one.
            service.apply(file.merge({"alerts.critical": True, "alerts.waf_blocked": True}).settings)
            stored += _send_lines(service, [_attack(now - timedelta(seconds=5), "203.0.113.77", 55)], mailbox, mails=1)
            service.send_report(Cadence.DAILY)
            _arrived(mailbox.wait(2))
            kinds = {entry.message_id: entry.kind for entry in service.outbox.entries()}
            mails = [_described(mail, kinds) for mail in mailbox.mails]
        finally:
            service.stop()
        file.merge({f"reports.{cadence}.enabled": True for cadence in Cadence})
        if out is not None:
            _keep(out, mailbox.mails, mails)
        picture = _show_window(profile, credentials, handler, out) if with_window else None
    summary = {"mails": mails, "events": stored, "out": str(out) if out else None, "picture": picture}
    if as_json:
        terminal.document(summary)
        return 0
    terminal.say(_("{n} made events were stored, and these mails were really sent and received:", n=stored))
    for mail in mails:
        terminal.say(f"  {mail['subject']}")
    if out is not None:
        terminal.say(_("They are in {folder}.", folder=out))
    return 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _send_lines(service: Service, lines: list[str], mailbox: Mailbox, mails: int = 0) -> int:
    """Send lines to the program's own syslog receiver, wait until they are stored, and return how many were."""
    before = _stored(service)
    end = time.monotonic() + _SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", service.settings.sources.syslog.port), 1) as connection:
                connection.sendall("".join(line + "\n" for line in lines).encode())
            break
        except OSError:  # the receiver's thread has only just started
            _arrived(time.monotonic() < end)
            time.sleep(0.02)
    while _stored(service) - before < len(lines):
        _arrived(time.monotonic() < end)
        time.sleep(0.02)
    _arrived(mailbox.wait(mails))
    return _stored(service) - before


def _stored(service: Service) -> int:
    return sum(source.events for source in service.sources())


def _arrived(good: bool) -> None:
    if not good:
        raise VxtrayError(N_("The demo's mails did not arrive."), "")


def _show_window(
    profile: Profile, credentials: MemoryStore, handler: "Callable[[Host], Handler]", out: Path | None
) -> str | None:
    from vxtray.desktop import demo_window

    picture = out / "window.png" if out else None
    demo_window(profile, credentials, handler, picture)
    return str(picture) if picture else None


def _keep(folder: Path, mails: list[bytes], described: list[dict[str, str]]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, (mail, words) in enumerate(zip(mails, described, strict=True), 1):
            (folder / f"{number}-{words['kind']}.eml").write_bytes(mail)
            for name, data in _attached(mail):
                (folder / name).write_bytes(data)
    except OSError as error:
        raise VxtrayError(
            N_("{path} cannot be written: {reason}."),
            N_("Check the folder and that you may write there."),
            path=folder,
            reason=error.strerror or str(error),
        ) from error


def _attached(mail: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the files that came with a mail; their names are the program's own."""
    message = email.message_from_bytes(mail, policy=email.policy.default)
    for part in message.iter_attachments():
        yield Path(part.get_filename() or "attachment").name, part.get_content()


def _described(mail: bytes, kinds: dict[str, str]) -> dict[str, str]:
    message = email.message_from_bytes(mail, policy=email.policy.default)
    message_id = str(message["Message-ID"])
    return {
        "kind": kinds.get(message_id, ""),
        "subject": str(message["Subject"]),
        "to": str(message["To"]),
        "message_id": message_id,
    }


# --- made events ------------------------------------------------------------------------------------------------------


class _Site(msgspec.Struct, frozen=True):
    """Who attacks what: address, country (ISO 3166 alpha-3, as Sophos writes it), weight."""

    address: str
    country: str
    weight: int


_SITES = (
    _Site("203.0.113.77", "CHN", 40),
    _Site("198.51.100.23", "USA", 22),
    _Site("192.0.2.145", "NLD", 14),
    _Site("198.51.100.201", "DEU", 9),
    _Site("2001:db8:2566:2282::7e36", "FRA", 6),
    _Site("203.0.113.9", "BRA", 4),
)
_HOSTS = ("shop.example.com", "www.example.com", "webmail.example.com", "vpn.example.com")
_WAF_MESSAGES = (
    "SQL Injection Attack Detected via libinjection",
    "XSS Attack Detected via libinjection",
    "Path Traversal Attack (/../)",
    "Restricted File Access Attempt",
)


def made_lines(now: datetime) -> str:
    """Return Sophos lines over yesterday and the day before, in the machine's zone, the same for the same day."""
    chance = random.Random(now.date().toordinal())  # noqa: S311 - made events, nothing secret
    midnight = now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    lines = []
    for number in range(_EVENTS):
        day = 1 if number % 5 else 2  # yesterday, and less the day before, to compare with
        at = midnight - timedelta(days=day) + timedelta(seconds=int(86399 * chance.betavariate(3, 2.4)))
        site = chance.choices(_SITES, [site.weight for site in _SITES])[0]
        lines.append((at, _line(at, site, chance)))
    return "\n".join(line for _at, line in sorted(lines)) + "\n"


def _line(at: datetime, site: _Site, chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.45:
        verdict, subtype = ("010101600001", "Allowed") if chance.random() < 0.6 else ("010102600002", "Denied")
        return _common(at, verdict, "Firewall", "Firewall Rule", subtype, "Information") + (
            f' fw_rule_id="{chance.randint(1, 9)}" fw_rule_name="LAN to WAN" src_ip="{site.address}"'
            f' src_country="{site.country}" dst_ip="172.16.16.{chance.randint(10, 40)}" protocol="TCP"'
            f" src_port={chance.randint(1024, 65000)} dst_port={chance.choice((22, 80, 443, 445, 3389))}"
        )
    if kind < 0.75:
        if chance.random() < 0.55:
            return _waf(at, site, chance.choice(_HOSTS), "/", "-", "-", 200)
        score, message = 5 * chance.randint(1, 5), chance.choice(_WAF_MESSAGES)
        extra = f"Inbound Anomaly Score Exceeded (Total Score: {score}, SQLi=, XSS=): Last Matched Message: {message}"
        return _waf(at, site, chance.choice(_HOSTS), "/index.php", "WAF Anomaly", extra, 403)
    if kind < 0.9:
        code, subtype = ("020804407002", "Drop") if chance.random() < 0.8 else ("020803407001", "Detect")
        return _common(at, code, "IDP", "Signatures", subtype, "Warning") + (
            f' signature_id=1881 signature_msg="SERVER-WEBAPP bad HTTP 1.1 request - potential worm attack"'
            f' classification="Web Application Attack" rule_priority=2 src_ip="{site.address}"'
            f' src_country="{site.country}" dst_ip="172.16.16.20" protocol="TCP" src_port=40000 dst_port=80'
        )
    return _common(at, "063110517711", "Event", "SSL VPN Authentication", "Authentication", "Notice") + (
        f' status="Failed" user_name="admin" auth_mechanism="AD" reason="wrong credentials" src_ip="{site.address}"'
        ' message="User admin failed to login to SSLVPN through AD authentication mechanism because of wrong'
        ' credentials"'
    )


def _common(at: datetime, log_id: str, kind: str, component: str, subtype: str, severity: str) -> str:
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S%z")
    sub = f' log_subtype="{subtype}"' if subtype else ""
    return (
        f'device_name="SFW" timestamp="{stamp}" device_model="XGS2100" device_serial_id="X21000DEMO" log_id="{log_id}"'
        f' log_type="{kind}" log_component="{component}"{sub} log_version=1 severity="{severity}"'
    )


def _waf(at: datetime, site: _Site, host: str, url: str, reason: str, extra: str, status: int) -> str:
    return _common(at, "075000617071", "WAF", "Web Application Firewall", "", "Information") + (
        f' user_name="-" server="{host}" src_ip="{site.address}" src_country="{site.country}" dst_ip="172.16.16.20"'
        f' protocol="HTTP/1.1" url="{url}" query_string="" method="GET" http_status="{status}" reason="{reason}"'
        f' extra="{extra}" user_agent="curl/8.5.0" fw_rule_id="79"'
    )


def _attack(at: datetime, address: str, score: int) -> str:
    """Return one blocked SQL injection so severe that it raises an alert."""
    extra = (
        f"Inbound Anomaly Score Exceeded (Total Score: {score}, SQLi={score}, XSS=): Last Matched Message: "
        + _WAF_MESSAGES[0]
    )
    return _waf(at.astimezone(), _Site(address, "CHN", 1), _HOSTS[0], "/index.php", "WAF Anomaly", extra, 403)
