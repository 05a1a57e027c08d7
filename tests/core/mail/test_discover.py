"""Settings from an address: what the DNS and settings files say, tried against a real server."""

import http.server
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.peers.mailbox import Mailbox
from tests.peers.nameserver import NameServer
from vxtray.core.errors import UsageError
from vxtray.core.mail import autoconfig
from vxtray.core.mail.discover import discover
from vxtray.core.mail.dnsrecords import LookupFault, Records
from vxtray.core.mail.providers import PROVIDERS, SignIn, by_domain, by_mx, by_server
from vxtray.core.settings.tree import Security, Smtp

ADDRESS = "reports@firma.invalid"


def _settings_file(*servers: str) -> bytes:
    return f"<clientConfig><emailProvider id='x'>{''.join(servers)}</emailProvider></clientConfig>".encode()


def _outgoing(host: str, port: object = 465, kind: str = "SSL", user: str = "%EMAILADDRESS%") -> str:
    return (
        f"<outgoingServer type='smtp'><hostname>{host}</hostname><port>{port}</port>"
        f"<socketType>{kind}</socketType><username>{user}</username></outgoingServer>"
    )


def test_srv_record_leads_to_a_server_that_is_tried(nameserver: NameServer, smtp_catcher: Mailbox) -> None:
    nameserver.records = {
        "_submission._tcp.firma.invalid SRV": [f"0 1 {smtp_catcher.port} localhost."],
        "_submissions._tcp.firma.invalid SRV": ["0 0 0 ."],
    }
    found = discover(ADDRESS, Smtp(ca_file=str(smtp_catcher.ca_file)))
    assert len(found.proposals) == 1
    one = found.proposals[0]
    assert (one.host, one.port, one.security, one.username) == (
        "localhost",
        smtp_catcher.port,
        Security.STARTTLS,
        ADDRESS,
    )
    assert one.verified
    assert one.source.in_language("en") == "the SRV record _submission._tcp.firma.invalid"
    taken = one.settings(Smtp(recipients=("boss@firma.invalid",)), ADDRESS)
    assert (taken.host, taken.from_address, taken.recipients) == ("localhost", ADDRESS, ("boss@firma.invalid",))
    assert not smtp_catcher.mails


def test_a_server_with_an_unknown_certificate_is_proposed_but_not_verified(
    nameserver: NameServer, smtp_catcher: Mailbox
) -> None:
    nameserver.records = {"_submission._tcp.firma.invalid SRV": [f"0 1 {smtp_catcher.port} localhost."]}
    one = discover(ADDRESS).proposals[0]
    assert not one.verified
    assert "certificate" in one.detail.in_language("en")


def test_srv_order_and_verified_ones_first(nameserver: NameServer, smtp_catcher: Mailbox) -> None:
    nameserver.records = {
        "_submission._tcp.firma.invalid SRV": [f"10 1 {smtp_catcher.port} localhost.", "0 1 1 localhost."]
    }
    ports = [one.port for one in discover(ADDRESS, Smtp(ca_file=str(smtp_catcher.ca_file))).proposals]
    assert ports == [smtp_catcher.port, 1]
    assert [service.port for service in Records().srv("_submission._tcp.firma.invalid")] == [1, smtp_catcher.port]


@pytest.mark.parametrize(
    ("mx", "provider", "host"),
    [
        ("firma-fr.mail.protection.outlook.com.", "Microsoft 365", "smtp.office365.com"),
        ("firma.p-v1.mx.microsoft.", "Microsoft 365", "smtp.office365.com"),
        ("ASPMX.L.GOOGLE.COM.", "Google", "smtp.gmail.com"),
        ("outlook-com.olc.protection.outlook.com.", "Outlook.com", "smtp-mail.outlook.com"),
        ("mx1.mail.ovh.net.", "OVHcloud", "smtp.mail.ovh.net"),
        ("spool.mail.gandi.net.", "Gandi", "mail.gandi.net"),
        ("mta-gw.infomaniak.ch.", "Infomaniak", "mail.infomaniak.com"),
        ("mx00.ionos.fr.", "IONOS", "smtp.ionos.fr"),
        ("in1-smtp.messagingengine.com.", "Fastmail", "smtp.fastmail.com"),
    ],
)
def test_providers_are_recognised_by_mx(nameserver: NameServer, mx: str, provider: str, host: str) -> None:
    nameserver.records = {"firma.invalid MX": ["20 backup.firma.invalid.", f"10 {mx}"]}
    found = by_mx(Records().mx("firma.invalid"))
    assert found is not None
    assert (found.name, found.servers[0].host) == (provider, host)


def test_a_name_that_only_ends_alike_is_not_the_provider() -> None:
    assert by_mx(("mx.notgoogle.com", "aspmx.l.google.com.evil.example")) is None
    assert by_domain("gmail.com.evil.example") is None


def test_known_domains_need_no_look_up(nameserver: NameServer) -> None:
    google = by_domain("GMail.com")
    assert google is not None
    assert google.sign_in is SignIn.APP_PASSWORD
    assert google.servers[0].security is Security.TLS
    assert not nameserver.asked
    free = by_domain("free.fr")
    assert free is not None
    assert free.local_part
    assert by_server("smtp.free.fr") is free


def test_every_provider_names_its_source_and_only_protected_servers() -> None:
    assert len({provider.name for provider in PROVIDERS}) >= 12
    for provider in PROVIDERS:
        assert provider.source
        assert provider.domains or provider.mx
        assert all(server.security is not Security.NONE for server in provider.servers)
    domains = [domain for provider in PROVIDERS for domain in provider.domains]
    assert len(domains) == len(set(domains))


def test_nothing_found_is_an_answer(nameserver: NameServer) -> None:
    found = discover(ADDRESS)
    assert (found.proposals, found.fault.text) == ((), "")
    assert "firma.invalid MX" in nameserver.asked


def test_a_name_server_that_is_silent_costs_little(nameserver: NameServer) -> None:
    nameserver.silent = True
    began = time.monotonic()
    found = discover(ADDRESS, records=Records(("127.0.0.1",), nameserver.port, seconds=0.3))
    assert time.monotonic() - began < 10
    assert found.fault.in_language("en").startswith("The name service did not answer")
    with pytest.raises(LookupFault):
        Records(seconds=0.3).txt("firma.invalid")


@pytest.mark.parametrize("address", ["", "nobody", "a@b@c", "a b@firma.invalid", "a@-"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError):
        discover(address)


def test_records_that_are_no_host_names_are_left_out(nameserver: NameServer) -> None:
    nameserver.records = {"firma.invalid MX": ["0 .", "10 bad\\032name.firma.invalid.", "20 good.firma.invalid."]}
    assert Records().mx("firma.invalid") == ("good.firma.invalid",)


# --- the settings file -----------------------------------------------------------------------------------------------


def test_servers_of_a_settings_file() -> None:
    data = _settings_file(
        _outgoing("smtp.%EMAILDOMAIN%", user="%EMAILLOCALPART%"),
        _outgoing("mail.firma.invalid", 587, "STARTTLS"),
        _outgoing("plain.firma.invalid", 25, "plain"),
        _outgoing("odd.firma.invalid", "x"),
        _outgoing("odd.firma.invalid", 99999),
        _outgoing("bad name", 465),
    )
    first, second = autoconfig.servers_of(b"<?xml version='1.0'?><!-- one -->" + data, ADDRESS)
    assert (first.host, first.port, first.security, first.username) == (
        "smtp.firma.invalid",
        465,
        Security.TLS,
        "reports",
    )
    assert (second.port, second.security, second.username) == (587, Security.STARTTLS, ADDRESS)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html><body>404",
        b"\xff\xfe\x00garbage",
        b"<clientConfig/>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + _settings_file(_outgoing("smtp.firma.invalid")),
        _settings_file(_outgoing("smtp.firma.invalid")) + b" " * 70000,
        b"<?xml version='1.0' encoding='klingon'?><clientConfig/>",
    ],
)
def test_what_is_no_settings_file_gives_nothing(data: bytes) -> None:
    assert autoconfig.servers_of(data, ADDRESS) == ()


class _Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/plain")
            self.end_headers()
        elif self.path == "/moved":
            self.send_response(301)
            self.send_header("Location", "/file")
            self.end_headers()
        else:
            body = _settings_file(_outgoing("smtp.firma.invalid")) + b" " * (10**6 * (self.path == "/large"))
            self.send_response(404 if self.path == "/none" else 200)
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def web(authority: trustme.CA) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Files) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, name="web", daemon=True)
        thread.start()
        yield f"https://localhost:{server.server_address[1]}"
        server.shutdown()
        thread.join(5)


@pytest.mark.parametrize(
    ("path", "there"), [("/file", True), ("/moved", True), ("/none", False), ("/away", False), ("/large", False)]
)
def test_fetching_the_file(
    web: str, path: str, there: bool, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert bool(autoconfig.servers_of(autoconfig.fetch(web + path), ADDRESS)) is there


def test_a_file_behind_an_unknown_certificate_is_not_believed(web: str) -> None:
    assert autoconfig.fetch(f"{web}/file") == b""
    assert autoconfig.fetch(f"{web.replace('https', 'http')}/file") == b""


def test_places_carry_the_address_escaped() -> None:
    first, second = autoconfig.places("firma.invalid", "a+b&c@firma.invalid")
    assert first.endswith("?emailaddress=a%2Bb%26c%40firma.invalid")
    assert second == "https://firma.invalid/.well-known/autoconfig/mail/config-v1.1.xml"
