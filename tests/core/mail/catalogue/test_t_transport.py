"""T01 to T24 of the catalogue: transport, certificates, TLS."""

import contextlib
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import AuthorityInformationAccessOID

from tests.core.mail import hostile as h
from tests.core.mail.catalogue.case import (
    Case,
    Ends,
    Serve,
    World,
    assert_nothing_left,
    assert_retried,
    in_clear,
    numbered,
    over_starttls,
    over_tls,
    run,
)
from tests.core.mail.catalogue.papers import Paper, pem_of, with_sha1
from tests.core.mail.office import Post
from tests.core.mail.wire import PASSWORD, STARTTLS, TLS, USER, settings
from vxtray.core.credentials import Secret
from vxtray.core.mail import certificates, doctor
from vxtray.core.mail.faults import ConnectError, TlsError
from vxtray.core.settings.tree import Smtp

#: The old and weak things that the servers here offer; the client does not.
_ANYTHING = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"


def strange(world: World) -> ssl.SSLContext:
    """An authority that nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA(organization_unit_name="Strangers").issue_cert("127.0.0.1").configure_cert(context)
    return context


def self_signed(world: World) -> ssl.SSLContext:
    paper = Paper("localhost")
    return world.context(paper.key_pem, paper.pem)


def lasting(since: int, until: int) -> Callable[[World], ssl.SSLContext]:
    """Valid from so many days ago, for so many days from now."""
    now = datetime.now(UTC)
    return lambda world: world.tls(not_before=now + timedelta(days=since), not_after=now + timedelta(days=until))


def common_name_only(world: World) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    world.authority.issue_cert(common_name="localhost").configure_cert(context)
    return context


def own_authority(world: World, **options: Any) -> Paper:
    """Make an authority that the client trusts."""
    authority = Paper("An authority of one's own", authority=True, **options)
    world.file("own.pem", authority.pem)
    return authority


def short_key(world: World) -> ssl.SSLContext:
    authority, key = own_authority(world), rsa.generate_private_key(65537, 1024)
    return world.context(pem_of(key), Paper("localhost", authority, key=key).pem, ciphers=_ANYTHING)


def sha1_signature(world: World) -> ssl.SSLContext:
    authority = own_authority(world, key=rsa.generate_private_key(65537, 2048))
    paper = Paper("localhost", authority)
    return world.context(paper.key_pem, with_sha1(paper, authority), ciphers=_ANYTHING)


def old_versions(world: World) -> ssl.SSLContext:
    context = world.tls()
    context.set_ciphers(_ANYTHING)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # Python warns of old versions
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def weak_suites(name: str) -> Callable[[World], ssl.SSLContext]:
    def make(world: World) -> ssl.SSLContext:
        context = world.tls()
        context.set_ciphers(f"{name}:@SECLEVEL=0")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context

    return make


def incomplete_chain(world: World) -> ssl.SSLContext:
    between = Paper("Between", own_authority(world), authority=True)
    paper = Paper("localhost", between)
    return world.context(paper.key_pem, paper.pem)


def whole_chain(world: World) -> ssl.SSLContext:
    between = Paper("Between", own_authority(world), authority=True)
    paper = Paper("localhost", between)
    return world.context(paper.key_pem, paper.pem, between.pem)


def corporate(**older: bool) -> Callable[[World], ssl.SSLContext]:
    """An authority as companies have had for years."""

    def make(world: World) -> ssl.SSLContext:
        authority = own_authority(world, **older)
        paper = Paper("localhost", authority, identifiers=older.get("identifiers", True))
        return world.context(paper.key_pem, paper.pem)

    return make


def wants_certificate(mode: ssl.VerifyMode) -> Callable[[World], ssl.SSLContext]:
    def make(world: World) -> ssl.SSLContext:
        context = world.tls()
        context.verify_mode = mode
        context.load_verify_locations(world.ca_file)
        return context

    return make


def sec(make: Callable[[World], ssl.SSLContext], says: str, advises: str = "", **changes: Any) -> Case:
    """A certificate or a TLS that is not to be believed, over TLS from the start."""
    return Case(
        serve=over_tls(make),
        ends=Ends.SEC,
        fault=TlsError,
        says=says,
        advises=advises,
        stage="tls",
        security=TLS,
        changes={"host": "localhost"} | changes,
    )


def ok(make: Callable[[World], ssl.SSLContext], **changes: Any) -> Case:
    return Case(serve=over_tls(make), ends=Ends.OK, security=TLS, changes={"host": "localhost"} | changes)


def after_hello(act: Callable[[h.Talk], None]) -> Serve:
    """Do something in place of the server's half of the handshake."""

    def script(talk: h.Talk) -> None:
        talk.sock.recv(65536)  # not kept: these are no words of SMTP
        act(talk)

    return lambda _world: script


def reset(talk: h.Talk) -> None:
    talk.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    talk.sock.close()


_DRIP = h.drip(b"\x16\x03\x03\x10\x00" + b"\x02" * 500, 0.05)
_CUT = "ended the connection while it was being protected"
_BROKEN: dict[str, Any] = {"ends": Ends.RETRY, "fault": TlsError, "stage": "tls", "security": TLS}
_OWN = {"ca_file": "own.pem"}
_CLOCK = "Check the date and time of this computer"
_WEAK = "too weak to protect anything"
_OLD = "encryption that is too old"
_NAME = "for another name"
_UNKNOWN = "comes from an authority that this computer does not know"

CASES = [
    ("T01", sec(strange, _UNKNOWN, "give its certificate as CA file", host="127.0.0.1")),
    ("T02", sec(self_signed, "is signed by itself", "give its certificate as CA file")),
    ("T03", sec(lambda w: w.tls("mail.invalid"), f"The certificate of localhost is {_NAME}", "Enter the server")),
    ("T04 expired", sec(lasting(-9, -1), "has expired", _CLOCK)),
    ("T04 not yet valid", sec(lasting(1, 9), "is not valid yet", _CLOCK)),
    ("T05", sec(common_name_only, _NAME)),
    ("T06 RSA-1024", sec(short_key, _WEAK, "a longer key", **_OWN)),
    ("T06 SHA-1", sec(sha1_signature, _WEAK, **_OWN)),
    ("T07", sec(old_versions, _OLD, "TLS 1.2 or newer")),
    ("T08 anonymous", sec(weak_suites("ADH:AECDH"), _OLD, "TLS 1.2 or newer")),
    ("T08 NULL", sec(weak_suites("eNULL"), _OLD, "TLS 1.2 or newer")),
    ("T09", sec(lambda w: w.tls("localhost"), _NAME, host="127.0.0.1")),
    ("T10 trailing dot", ok(lambda w: w.tls("localhost"), host="localhost.")),
    ("T10 upper case", ok(lambda w: w.tls("localhost"), host="LOCALHOST")),
    ("T10 blanks", ok(lambda w: w.tls("localhost"), host="  LocalHost. ")),
    ("T12", sec(incomplete_chain, _UNKNOWN, **_OWN)),
    ("T12 whole", ok(whole_chain, **_OWN)),
    ("T13 basic constraints", ok(corporate(critical=False), **_OWN)),
    ("T13 key identifiers", ok(corporate(identifiers=False), **_OWN)),
    (
        "T14",
        Case(
            serve=over_tls(),
            ends=Ends.RETRY,
            fault=ConnectError,
            says="but said nothing",
            advises="usually 465",
            stage="greeting",
            security=STARTTLS,
            seconds=1,
        ),
    ),
    (
        "T15",
        Case(
            serve=in_clear(),
            ends=Ends.SEC,
            fault=TlsError,
            says="does not speak TLS from the start",
            advises="Choose the security “STARTTLS”",
            stage="tls",
            connections=1,
            security=TLS,
        ),
    ),
    ("T16 closed", Case(serve=after_hello(h.close), says=_CUT, **_BROKEN)),
    ("T16 reset", Case(serve=after_hello(reset), says=_CUT, **_BROKEN)),
    ("T17", Case(serve=after_hello(_DRIP), says="took too long to answer", seconds=1, **_BROKEN)),
    ("T20 wished for", ok(wants_certificate(ssl.CERT_OPTIONAL))),
    (
        "T20 wanted",
        Case(
            serve=over_tls(wants_certificate(ssl.CERT_REQUIRED)),
            ends=Ends.SEC,
            fault=TlsError,
            says="asks for a certificate of this computer",
            advises="a way in without one",
            security=TLS,
        ),
    ),
]


@numbered(CASES)
def test_transport(case: Case, world: World, post: Callable[..., Post]) -> None:
    if "ca_file" in case.changes:
        case = replace(case, changes=case.changes | {"ca_file": str(world.folder / "own.pem")})
    began = datetime.now(UTC)
    run(case, world, post)
    assert datetime.now(UTC) - began < timedelta(seconds=10)


def test_t07_the_oldest_version_is_set_by_us(world: World) -> None:
    """OpenSSL's security level refuses the old ones as well, but a system's configuration may lower that one."""
    assert certificates.client_context(world.ca_file).minimum_version is ssl.TLSVersion.TLSv1_2


def failed_step(smtp: Smtp) -> doctor.Step:
    """Let the doctor look; return what went wrong."""
    *_, last = doctor.check(smtp, Secret(PASSWORD))
    assert not last.ok
    return last


def facts(step: doctor.Step) -> str:
    return "\n".join(fact.in_language("en") for fact in step.facts)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(strange, "Strangers", id="T01 issuer"),
        pytest.param(lambda w: w.tls("mail.invalid"), "mail.invalid", id="T03 offered names"),
        pytest.param(incomplete_chain, "the certificate in between is missing", id="T12 words of its own"),
    ],
)
def test_the_doctor_shows_what_the_server_showed(
    make: Callable[[World], ssl.SSLContext], words: str, world: World
) -> None:
    with h.hostile(over_tls(make)(world)) as server:
        own = world.folder / "own.pem"
        ca_file = str(own) if own.exists() else world.ca_file
        step = failed_step(settings(server.port, TLS, username=USER, ca_file=ca_file, host="localhost"))
        assert words in facts(step)
        assert_nothing_left(server)


def test_t02_a_certificate_that_a_person_trusts_is_trusted_alone_t23_until_it_changes(
    world: World, post: Callable[..., Post]
) -> None:
    first, second = Paper("localhost"), Paper("localhost")
    shown = [world.context(paper.key_pem, paper.pem) for paper in (first, first, first, second)]
    polite = h.script()

    def script(talk: h.Talk) -> None:
        talk.upgrade(shown.pop(0))
        polite(talk)

    with h.hostile(script) as server:
        smtp = settings(server.port, TLS, username=USER, host="localhost")
        step = failed_step(smtp)  # two connections: the check, and the look at the certificate
        kept = certificates.keep(world.folder / "kept", "localhost", step.chain[0])
        one = post(settings(server.port, TLS, username=USER, host="localhost", ca_file=str(kept)))
        one.add("k")
        assert one.send() == [("k", "sent")]
        told = len(server.heard)
        one.add("l")
        assert one.send() == [("l", "queued")]
        assert_parked_for_tls(one)
        assert server.heard[told:] == b""


def assert_parked_for_tls(one: Post) -> None:
    assert isinstance(one.fault, TlsError)
    assert "signed by itself" in str(one.fault)
    assert not one.ready


def test_t11_a_name_with_umlauts_is_asked_for_named_and_compared_as_a_labels(
    world: World, post: Callable[..., Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    lookup = socket.getaddrinfo

    def resolver(host: str, *arguments: Any, **named: Any) -> Any:
        asked.append(host)
        return lookup("127.0.0.1", *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    indicated: list[str] = []
    context = world.tls("xn--mx-bcher-95a.example")
    context.sni_callback = lambda _socket, name, _context: indicated.append(name or "")
    case = Case(
        serve=over_tls(lambda _world: context), ends=Ends.OK, security=TLS, changes={"host": "MX-Bücher.example"}
    )
    run(case, world, post)
    assert (set(asked), set(indicated)) == ({"xn--mx-bcher-95a.example"}, {"xn--mx-bcher-95a.example"})
    with h.hostile(h.script()) as server:
        first, *_ = doctor.check(settings(server.port, host="mx-bücher.example"), None)
        assert facts(first) == "In the network this name is xn--mx-bcher-95a.example."
        first, *_ = doctor.check(settings(server.port, host="smtp.раypal.example"), None)
        assert "mixes letters of several scripts" in facts(first)


def test_t13_the_flags_are_ours_on_every_version_of_python(world: World) -> None:
    flags = certificates.client_context(world.ca_file).verify_flags
    assert not flags & ssl.VerifyFlags.VERIFY_X509_STRICT
    assert flags & ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN


def test_t18_many_session_tickets_cost_nothing(world: World, post: Callable[..., Post]) -> None:
    context = world.tls()
    context.num_tickets = 2000
    case = Case(serve=over_tls(lambda _world: context), ends=Ends.OK, security=TLS)
    run(case, world, post)
    silent = over_tls(lambda _world: context, greeting=h.hang)
    tracemalloc.start()
    try:
        run(Case(serve=silent, ends=Ends.RETRY, fault=ConnectError, security=TLS, seconds=1), world, post)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the program openssl")
def test_t18_a_server_that_wants_to_renegotiate_for_ever_is_left(world: World, post: Callable[..., Post]) -> None:
    paper = Paper("localhost", own_authority(world))
    chain, own = world.file("chain.pem", paper.key_pem + paper.pem), str(world.folder / "own.pem")
    server = subprocess.Popen(
        [str(shutil.which("openssl")), "s_server", "-accept", "127.0.0.1:0", "-cert", chain, "-tls1_2"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
    )
    orders, said = server.stdin, server.stdout
    assert orders is not None
    assert said is not None
    port = next(int(line.rpartition(b":")[2]) for line in said if line.startswith(b"ACCEPT 127"))

    def ask_again_and_again() -> None:
        next(line for line in said if line.startswith(b"CIPHER"))  # the handshake is done
        draining.start()
        with contextlib.suppress(OSError):
            while server.poll() is None:
                orders.write(b"R\n")  # s_server(1): renegotiate
                time.sleep(0.0005)

    draining = threading.Thread(target=said.read)
    asking = threading.Thread(target=ask_again_and_again)
    asking.start()
    try:
        one = post(settings(port, TLS, host="localhost", ca_file=own, timeout_seconds=20))
        one.add("k")
        began = time.monotonic()
        assert_retried(one)
        assert "broke off" in str(one.fault)
        assert time.monotonic() - began < 10, "it was the server's asking that ended it, not our patience"
    finally:
        server.kill()
        server.wait()
        asking.join()
        draining.join()
        orders.close()
        said.close()


def cut_off(text: bytes) -> Callable[[h.Talk], None]:
    """Say a part of a reply and end without TLS's goodbye (close_notify)."""

    def act(talk: h.Talk) -> None:
        talk.say(text)
        raise h.Gone

    return act


@numbered(
    [
        (
            "T19 before the mail",
            Case(
                serve=over_tls(EHLO=cut_off(b"250-mail.test\r\n250 AUTH LOG")),
                ends=Ends.RETRY,
                fault=ConnectError,
                says="broke off",
                security=TLS,
            ),
        ),
        (
            "T19 after the final dot",
            Case(
                serve=over_tls(DATA=h.take_mail(cut_off(b"250 2.0.0 tak"))),
                ends=Ends.DOUBT,
                fault=ConnectError,
                says="it may have arrived",
                security=TLS,
            ),
        ),
        (
            "T19 at STARTTLS",
            Case(serve=over_starttls(STARTTLS=cut_off(b"220 g")), ends=Ends.RETRY, fault=TlsError, security=STARTTLS),
        ),
    ]
)
def test_truncated(case: Case, world: World, post: Callable[..., Post]) -> None:
    run(case, world, post)


def test_t21_no_key_log_and_a_changed_trust_is_told(
    world: World, post: Callable[..., Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = world.folder / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    run(Case(serve=over_tls(), ends=Ends.OK, security=TLS), world, post)
    assert not log.exists()

    monkeypatch.setenv("SSL_CERT_FILE", world.file("others.pem", trustme.CA().cert_pem.bytes()))
    with h.hostile(over_tls()(world)) as server:
        smtp = settings(server.port, TLS, ca_file=world.ca_file)
        assert f"set from outside: SSL_CERT_FILE={world.folder / 'others.pem'}" in facts(
            list(doctor.check(smtp, None))[2]
        )
        step = failed_step(settings(server.port, TLS, username=USER))
        assert "SSL_CERT_FILE" in facts(step)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system's store cannot be exchanged for a test")
def test_t22_an_authority_of_the_systems_store_is_believed_and_named(
    world: World, post: Callable[..., Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy itself is not here; its root in the store is all that the client meets of it."""
    monkeypatch.setenv("SSL_CERT_FILE", world.ca_file)
    case = Case(serve=over_tls(), ends=Ends.OK, security=TLS, changes={"ca_file": ""})
    run(case, world, post)
    with h.hostile(over_tls()(world)) as server:
        step = list(doctor.check(settings(server.port, TLS), None))[2]
    issuer = world.authority._certificate.issuer.rfc4514_string()
    assert step.chain[0].issuer in issuer
    assert f"by {step.chain[0].issuer}" in step.detail.in_language("en")


def test_t24_revocation_is_not_asked_about(world: World, post: Callable[..., Post]) -> None:
    """Documented: OpenSSL checks no staple by itself, and nobody but the mail server is talked to."""
    with h.hostile(h.script()) as responder:
        where = x509.UniformResourceIdentifier(f"http://127.0.0.1:{responder.port}/")
        about = x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, where)])
        must_staple = x509.TLSFeature([x509.TLSFeatureType.status_request])
        paper = Paper("localhost", own_authority(world), extra=(about, must_staple))
        own = str(world.folder / "own.pem")
        run(ok(lambda _world: _world.context(paper.key_pem, paper.pem), ca_file=own), world, post)
        assert responder.connections == 0
