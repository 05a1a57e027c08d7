"""Why a mail may be junked, from the DNS of the From domain."""

import pytest

from tests.peers.nameserver import NameServer
from vxtray.core.mail.dnsrecords import Records
from vxtray.core.mail.preflight import warnings
from vxtray.core.settings.tree import Smtp

MICROSOFT = Smtp(host="smtp.office365.com", username="fw@firma.example.net", from_address="fw@firma.example.net")


def texts(name: str, *values: str) -> dict[str, list[str]]:
    return {f"{name} TXT": [f'"{value}"' for value in values]}


def test_a_record_that_names_the_provider_is_fine(nameserver: NameServer) -> None:
    nameserver.records = texts("firma.example.net", "google-site=1", "v=spf1 include:spf.protection.outlook.com -all")
    assert warnings(MICROSOFT) == []


def test_named_through_another_record(nameserver: NameServer) -> None:
    nameserver.records = {
        **texts("firma.example.net", "v=spf1 ip4:192.0.2.1 redirect=_spf.firma.example.net"),
        **texts("_spf.firma.example.net", "v=spf1 include:spf.protection.outlook.com ~all"),
    }
    assert warnings(MICROSOFT) == []


@pytest.mark.parametrize(
    "record", ["v=spf1 ip4:192.0.2.1 -all", "v=spf1 -all", "v=spf1 include:loop.example.net -all", "v=spf1"]
)
def test_a_record_that_leaves_the_provider_out(nameserver: NameServer, record: str) -> None:
    nameserver.records = {
        **texts("firma.example.net", record),
        **texts("loop.example.net", "v=spf1 include:firma.example.net include:loop.example.net ?all"),
    }
    (one,) = warnings(MICROSOFT)
    assert one.about == "spf"
    assert "Microsoft 365" in one.title.in_language("en")
    assert "include:spf.protection.outlook.com" in one.advice.in_language("en")


@pytest.mark.parametrize("record", ["v=spf1 +all", "v=spf1 include:%{d}.example.net -all", "v=spf1 all"])
def test_what_cannot_be_judged_is_not_warned_of(nameserver: NameServer, record: str) -> None:
    nameserver.records = texts("firma.example.net", record)
    assert warnings(MICROSOFT) == []


def test_no_record_at_all(nameserver: NameServer) -> None:
    nameserver.records = {"firma.example.net MX": ["10 mx.firma.example.net."], **texts("firma.example.net", "v=spf10")}
    (one,) = warnings(MICROSOFT)
    assert (one.about, "no SPF record" in one.title.in_language("en")) == ("spf", True)


def test_a_domain_that_does_not_exist(nameserver: NameServer) -> None:
    (one,) = warnings(MICROSOFT)
    assert one.about == "from"
    assert one.advice.in_language("en").startswith("Set “From”")


@pytest.mark.parametrize("sender", ["fw@firewall.local", "fw@localhost", "fw@firma.test", "fw@router.lan"])
def test_names_under_which_nobody_has_mail(nameserver: NameServer, sender: str) -> None:
    (one,) = warnings(Smtp(host="smtp.office365.com", from_address=sender))
    assert one.about == "from"
    assert not nameserver.asked


@pytest.mark.parametrize(("policy", "warned"), [("reject", True), ("quarantine", True), ("none", False), ("", False)])
def test_a_foreign_from_address_under_dmarc(nameserver: NameServer, policy: str, warned: bool) -> None:
    smtp = Smtp(host="mail.example.com", username="me@example.com", from_address="boss@sub.firma.example.net")
    nameserver.records = {
        **texts("sub.firma.example.net", "v=spf1 -all"),
        **(texts("_dmarc.firma.example.net", f"v=DMARC1; p=none; sp={policy}") if policy else {}),
    }
    assert ("dmarc" in [one.about for one in warnings(smtp)]) is warned


def test_ones_own_domain_is_not_foreign(nameserver: NameServer) -> None:
    smtp = Smtp(host="mail.example.com", username="me@mail.firma.example.net", from_address="fw@firma.example.net")
    nameserver.records = {
        **texts("firma.example.net", "v=spf1 mx -all"),
        **texts("_dmarc.firma.example.net", "v=DMARC1; p=reject"),
    }
    assert warnings(smtp) == []


def test_both_domains_with_one_provider(nameserver: NameServer) -> None:
    smtp = Smtp(host="smtp.office365.com", username="me@other.example.net", from_address="fw@firma.example.net")
    nameserver.records = {
        "firma.example.net MX": ["0 firma.mail.protection.outlook.com."],
        **texts("firma.example.net", "v=spf1 mx -all"),
        **texts("_dmarc.firma.example.net", "v=DMARC1; p=reject"),
    }
    assert warnings(smtp) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "192.168.1.5", "::1", "mailhost", "mail.corp.local", "10.0.0.1"])
def test_internal_servers_are_not_judged(nameserver: NameServer, host: str) -> None:
    assert warnings(Smtp(host=host, from_address="fw@firma.example.net")) == []
    assert not nameserver.asked


def test_silence_of_the_dns_warns_of_nothing(nameserver: NameServer) -> None:
    nameserver.silent = True
    assert warnings(MICROSOFT, Records(("127.0.0.1",), nameserver.port, seconds=0.2)) == []
