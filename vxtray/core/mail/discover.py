"""Mail settings from an e-mail address: providers known by name or MX, SRV records, the domain's settings file.

On the thread of the caller (``vx-task`` or a command), for at most some fifteen seconds; look-ups and connections run
side by side on threads that end with the call. Nothing is sent but greetings: no user name, no password, no mail.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from vxtray.core.errors import N_, UsageError
from vxtray.core.mail import autoconfig
from vxtray.core.mail.dnsrecords import LookupFault, Records
from vxtray.core.mail.protocol import ascii_host
from vxtray.core.mail.providers import Provider, Server, SignIn, by_domain, by_mx, by_server
from vxtray.core.mail.reaching import Reached, reach_all
from vxtray.core.mail.transport import Cutoff
from vxtray.core.phrases import Phrase
from vxtray.core.settings.tree import Auth, Security, Smtp
from vxtray.core.settings.wellformed import is_address

_SIDE_BY_SIDE = 6
#: So many proposals are tried at most, whatever a domain publishes.
_MOST = 12


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """One way to send: a server, a user name, and where both come from.

    ``verified``: the server answered there, with a good certificate, and offers a sign-in; ``detail`` says so or why
    not. ``sign_in`` is password, app-password or oauth; ``note`` is what the provider is particular about.
    """

    host: str
    port: int
    security: Security
    username: str
    sign_in: SignIn
    source: Phrase
    provider: str = ""
    note: Phrase = Phrase()
    verified: bool = False
    detail: Phrase = Phrase()

    def settings(self, smtp: Smtp, address: str) -> Smtp:
        """Return these settings with the proposal taken over; recipients and the rest stay."""
        return msgspec.structs.replace(
            smtp,
            host=self.host,
            port=self.port,
            security=self.security,
            username=self.username,
            from_address=smtp.from_address or address,
            auth=Auth.AUTO,
        )


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """What was found for an address, the best proposal first; ``fault`` tells what could not be asked."""

    address: str
    domain: str
    mx: tuple[str, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    fault: Phrase = Phrase()


def discover(
    address: str, smtp: Smtp | None = None, records: Records | None = None, cutoff: Cutoff | None = None
) -> Discovery:
    """Return proposals for an address, each tried by connecting. Raises ``UsageError`` where it is no address.

    ``smtp``: the settings so far, for their CA file. ``cutoff`` ends the connections early.
    """
    if not is_address(address):
        raise UsageError(N_("“{address}” is not an e-mail address."), address=address)
    domain = ascii_host(address.rpartition("@")[2])
    ca_file = smtp.ca_file if smtp is not None else ""
    search = _Search(address, domain, records or Records())
    with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="vx-discover") as pool:
        found = _tried(search.run(pool), ca_file, cutoff)
    if not found:
        found = [one for one in _tried(search.guesses(), ca_file, cutoff) if one.verified]
    found.sort(key=lambda one: not one.verified)
    return Discovery(address=address, domain=domain, mx=search.mx, proposals=tuple(found), fault=search.fault)


class _Search:
    """Asks the places where settings may be found."""

    def __init__(self, address: str, domain: str, records: Records) -> None:
        self._address = address
        self._domain = domain
        self._records = records
        self.mx: tuple[str, ...] = ()
        self.fault = Phrase()

    def run(self, pool: ThreadPoolExecutor) -> list[Proposal]:
        """Return proposals in the order of trust, each server once."""
        known = by_domain(self._domain)
        if known is not None:
            return self._of_provider(known, Phrase(N_("known for {domain}"), {"domain": self._domain}))
        mx = pool.submit(self._ask, lambda: self._records.mx(self._domain))
        services = [pool.submit(self._services, *kind) for kind in _SRV]
        files = [pool.submit(self._published, url) for url in autoconfig.places(self._domain, self._address)]
        self.mx = mx.result() or ()
        found: list[Proposal] = []
        known = by_mx(self.mx)
        if known is not None:
            found += self._of_provider(known, Phrase(N_("recognised by the MX record {mx}"), {"mx": self.mx[0]}))
        for answer in (*services, *files):
            found += answer.result()
        return _each_once(found)

    def guesses(self) -> list[Proposal]:
        """Return servers under the usual names, which only count where they answer."""
        names = dict.fromkeys((f"smtp.{self._domain}", f"mail.{self._domain}", *self.mx[:1]))
        source = Phrase(N_("a usual name, which answered"))
        return [
            self._proposal(Server(name, port, security), source) for name in names for port, security in _USUAL_PORTS
        ]

    def _ask(self, question: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
        try:
            return question()
        except LookupFault as fault:
            self.fault = Phrase(fault.title_id, fault.values)
            return ()

    def _of_provider(self, provider: Provider, source: Phrase) -> list[Proposal]:
        source = Phrase(N_("{how} ({where})"), {"how": source, "where": provider.source})
        return [self._proposal(server, source, provider) for server in provider.servers]

    def _services(self, prefix: str, security: Security) -> list[Proposal]:
        name = f"{prefix}.{self._domain}"
        try:
            services = self._records.srv(name)
        except LookupFault as fault:
            self.fault = Phrase(fault.title_id, fault.values)
            return []
        source = Phrase(N_("the SRV record {name}"), {"name": name})
        return [self._proposal(Server(one.host, one.port, security), source) for one in services if one.host]

    def _published(self, url: str) -> list[Proposal]:
        source = Phrase(N_("the domain's settings file {url}"), {"url": url.partition("?")[0]})
        return [
            self._proposal(server, source, username=server.username)
            for server in autoconfig.servers_of(autoconfig.fetch(url), self._address)
        ]

    def _proposal(
        self, server: Server, source: Phrase, provider: Provider | None = None, username: str = ""
    ) -> Proposal:
        provider = provider or by_server(server.host)
        local = self._address.rpartition("@")[0]
        return Proposal(
            host=server.host,
            port=server.port,
            security=server.security,
            username=username or (local if provider is not None and provider.local_part else self._address),
            sign_in=provider.sign_in if provider is not None else SignIn.PASSWORD,
            source=source,
            provider=provider.name if provider is not None else "",
            note=Phrase(provider.note if provider is not None else ""),
        )


#: Implicit TLS comes first (RFC 8314, 3.3 and 5.1).
_SRV = (("_submissions._tcp", Security.TLS), ("_submission._tcp", Security.STARTTLS))
_USUAL_PORTS = ((465, Security.TLS), (587, Security.STARTTLS))


def _each_once(proposals: list[Proposal]) -> list[Proposal]:
    return list({(one.host, one.port, one.security): one for one in reversed(proposals)}.values())[::-1]


def _tried(proposals: list[Proposal], ca_file: str, cutoff: Cutoff | None) -> list[Proposal]:
    """Return the proposals with how a connection to each went, without a sign-in."""
    proposals = proposals[:_MOST]
    choices = [Smtp(host=one.host, port=one.port, security=one.security, ca_file=ca_file) for one in proposals]
    return [_told(one, reached) for one, reached in zip(proposals, reach_all(choices, cutoff), strict=True)]


def _told(proposal: Proposal, reached: Reached) -> Proposal:
    """Return the proposal with how the try went."""
    if reached.offers is None:
        fault = reached.fault
        return msgspec.structs.replace(proposal, detail=Phrase(fault.title_id, fault.values) if fault else Phrase())
    if not reached.offers.auth:
        return msgspec.structs.replace(proposal, detail=Phrase(N_("The server answers, but offers no sign-in.")))
    detail = Phrase(N_("The server answers, protected, and offers a sign-in."))
    return msgspec.structs.replace(proposal, verified=True, detail=detail)
