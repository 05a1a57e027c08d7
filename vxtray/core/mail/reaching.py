"""Whether a mail server can be reached in some way, without a sign-in: for finding settings and for mending them.

On the thread of the caller; connections run side by side on threads that end with the call. Nothing is sent but
greetings.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from vxtray.core.errors import VxtrayError
from vxtray.core.mail import transport
from vxtray.core.mail.certificates import Shown
from vxtray.core.mail.connection import Connection, Limits
from vxtray.core.mail.faults import Stage
from vxtray.core.mail.protocol import Capabilities
from vxtray.core.mail.smtp import Session, stages
from vxtray.core.mail.transport import Cutoff
from vxtray.core.settings.tree import Auth, Security, Smtp

#: Seconds; a person waits.
_LIMITS = Limits(resolve=4, command=5, connect=4, quit=1, overall=8)
_PROBE_SECONDS = 2.0
_SIDE_BY_SIDE = 6

#: The usual ways in: submission with STARTTLS, with implicit TLS (RFC 8314), and a port that networks seldom block.
WAYS = ((587, Security.STARTTLS), (465, Security.TLS), (2525, Security.STARTTLS))


class Reached(msgspec.Struct, frozen=True):
    """How one try went: what the server offers, or why it failed."""

    smtp: Smtp
    offers: Capabilities | None = None
    fault: VxtrayError | None = None


def reach(smtp: Smtp, cutoff: Cutoff | None = None) -> Reached:
    """Connect up to EHLO, protected and with the certificate checked, and leave again."""
    bare = msgspec.structs.replace(smtp, auth=Auth.NONE, username="")
    session = Session(bare, None, _LIMITS, cutoff)
    try:
        for stage in stages(bare.security):
            session.run(stage)
        return Reached(smtp, offers=session.connection.capabilities)
    except VxtrayError as fault:
        return Reached(smtp, fault=fault)
    finally:
        session.close()


def reach_all(choices: Sequence[Smtp], cutoff: Cutoff | None = None) -> list[Reached]:
    """Try them side by side; return how each went, in the same order."""
    if not choices:
        return []
    with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="vx-reach") as pool:
        return list(pool.map(lambda one: reach(one, cutoff), choices))


def other_ways(smtp: Smtp, cutoff: Cutoff | None = None) -> list[Smtp]:
    """Return the usual ports and kinds of protection at which the server answers, without the one that is set."""
    choices = [
        msgspec.structs.replace(smtp, port=port, security=security)
        for port, security in WAYS
        if (port, security) != (smtp.port, smtp.security)
    ]
    return [one.smtp for one in reach_all(choices, cutoff) if one.offers is not None]


def silent_addresses(addresses: Sequence[transport.Address], cutoff: Cutoff) -> list[str]:
    """Return those of a host's addresses that take no connection within two seconds."""

    def answers(address: transport.Address) -> bool:
        try:
            transport.connect([address], transport.Deadline(_PROBE_SECONDS, cutoff.is_cut)).close()
        except OSError:
            return False
        return True

    if not addresses:
        return []
    with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="vx-reach") as pool:
        return [
            str(address[1][0])
            for address, good in zip(addresses, pool.map(answers, addresses), strict=True)
            if not good
        ]


def certificates_of(smtp: Smtp, cutoff: Cutoff | None = None) -> tuple[Shown, ...]:
    """Return the certificates that the server shows, believed or not; empty where it shows none."""
    connection = Connection(smtp, _LIMITS, cutoff or Cutoff())
    try:
        connection.resolve()
        connection.connect()
        if smtp.security is Security.STARTTLS:
            connection.greet()
        return connection.show_certificates()
    except VxtrayError:
        return ()
    finally:
        connection.drop()


def is_about_the_way(step: str) -> bool:
    """Return True for the steps that another port or another kind of protection could mend."""
    return step in {Stage.CONNECT, Stage.GREETING, Stage.TLS}
