"""What makes mail look like junk before it is even read: From against account, SPF and DMARC of the From domain.

On the thread of the caller, which the look-ups may block for some seconds. It warns only of what it knows: where the
DNS gives no answer, it says nothing.
"""

import ipaddress

import msgspec

from vxtray.core.errors import N_
from vxtray.core.mail.dnsrecords import LookupFault, Records
from vxtray.core.mail.protocol import ascii_host
from vxtray.core.mail.providers import Provider, by_domain, by_mx, by_server, is_within
from vxtray.core.phrases import Phrase
from vxtray.core.settings.tree import Smtp

#: Look-ups that an SPF record may cost (RFC 7208, 4.6.4); what needs more is broken.
_SPF_LOOKUPS = 10
#: Names under which nobody can receive mail (RFC 2606, RFC 6761, RFC 6762).
_NOBODY = ("local", "localhost", "lan", "home", "internal", "localdomain", "test", "example", "invalid", "home.arpa")


class Junk(msgspec.Struct, frozen=True):
    """Why a mail is likely to be taken for junk. ``about`` is from, spf or dmarc."""

    about: str
    title: Phrase
    advice: Phrase


def warnings(smtp: Smtp, records: Records | None = None) -> list[Junk]:
    """Return why mail sent with these settings may land in the junk folder; empty where nothing speaks for it."""
    _, _, domain = smtp.from_address.rpartition("@")
    if not domain or _private(smtp.host):
        return []  # an internal server knows its own senders; the public DNS says nothing about it
    domain = ascii_host(domain)
    if is_within(domain, _NOBODY):
        return [_junk("from", _NO_SUCH_DOMAIN, _TAKE_A_REAL_ONE, domain=domain)]
    found: list[Junk] = []
    records = records or Records()
    try:
        if by_domain(domain) is None and not records.exists(domain):
            return [_junk("from", _NO_SUCH_DOMAIN, _TAKE_A_REAL_ONE, domain=domain)]
        found += _about_dmarc(smtp, domain, records)
        found += _about_spf(smtp, domain, records)
    except LookupFault:
        pass
    return found


_NO_SUCH_DOMAIN = N_("Likely to be junked: nobody can receive mail at {domain}, the domain of the sender.")
_TAKE_A_REAL_ONE = N_("Set “From” to an address at a domain of yours that exists, best the account's own.")
_FOREIGN = N_("Likely to be refused or junked: {domain} asks receivers to refuse mail that others send in its name.")
_OWN_ADDRESS = N_("Set “From” to the account's own address, or send through the mail server of {domain}.")
_NO_SPF = N_("May be junked: {domain} does not say which servers may send its mail (no SPF record).")
_PUBLISH = N_("Ask whoever runs the DNS of {domain} to publish an SPF record that names {server}.")
_NOT_NAMED = N_("Likely to be junked: the SPF record of {domain} does not name the servers of {server}.")
_ADD = N_("Ask whoever runs the DNS of {domain} to add “include:{include}” to its SPF record.")


def _junk(about: str, title: str, advice: str, **values: object) -> Junk:
    return Junk(about, Phrase(title, values), Phrase(advice, values))


def _private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host.rstrip(".") or is_within(host, _NOBODY)


def _about_dmarc(smtp: Smtp, domain: str, records: Records) -> list[Junk]:
    """Warn where the account is of another domain than From, and From's domain asks to refuse such mail."""
    _, _, account = smtp.username.rpartition("@")
    if not account or "@" not in smtp.username or _related(ascii_host(account), domain):
        return []
    provider = by_server(smtp.host)
    if provider is not None and by_mx(records.mx(domain)) is provider:
        return []  # both addresses live with this provider, which signs for either
    if _dmarc_policy(domain, records) not in {"quarantine", "reject"}:
        return []
    return [_junk("dmarc", _FOREIGN, _OWN_ADDRESS, domain=domain)]


def _related(one: str, other: str) -> bool:
    return is_within(one, (other,)) or is_within(other, (one,))


def _dmarc_policy(domain: str, records: Records) -> str:
    """Return what the domain's DMARC record asks for, empty without one (RFC 7489; parents are asked by steps)."""
    labels = domain.split(".")
    for start in range(min(len(labels) - 1, 6)):
        for text in records.txt("_dmarc." + ".".join(labels[start:])):
            tags = {key.strip().lower(): value.strip() for key, _, value in (t.partition("=") for t in text.split(";"))}
            if tags.get("v", "").upper() == "DMARC1":
                return tags.get("sp" if start and "sp" in tags else "p", "none").lower()
    return ""


def _about_spf(smtp: Smtp, domain: str, records: Records) -> list[Junk]:
    """Warn where From's domain has no SPF record, or one that does not name the provider."""
    text = _spf(domain, records)
    provider = by_server(smtp.host)
    server = provider.name if provider is not None else smtp.host
    if not text:
        return [_junk("spf", _NO_SPF, _PUBLISH, domain=domain, server=server)]
    if provider is None or not provider.spf or domain in provider.domains:
        return []  # what addresses a server of one's own sends from is not known here
    if _names(text, domain, provider, records):
        return []
    return [_junk("spf", _NOT_NAMED, _ADD, domain=domain, server=server, include=provider.spf[0])]


def _spf(domain: str, records: Records) -> str:
    texts = (text for text in records.txt(domain) if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 "))
    return next(texts, "")


def _names(text: str, domain: str, provider: Provider, records: Records) -> bool:
    """Return True where an SPF record leads to the provider's, or where that cannot be told."""
    waiting, seen = [text], {domain}
    while waiting:
        for term in waiting.pop().lower().split()[1:]:
            bare = term.lstrip("+?~-")
            if bare == "all" and not term.startswith(("~", "-", "?")):
                return True
            if bare == "mx" and by_mx(records.mx(domain)) is provider:
                return True
            kind, _, name = bare.replace("=", ":", 1).partition(":")
            if kind not in {"include", "redirect"} or name in seen:
                continue
            if "%" in name or len(seen) > _SPF_LOOKUPS:
                return True  # macros depend on the mail; a record that leads on and on is not ours to judge
            if name in provider.spf:
                return True
            seen.add(name)
            waiting.append(_spf(name, records) or "v=spf1")
    return False
