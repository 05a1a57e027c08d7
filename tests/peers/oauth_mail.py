"""A mail server that signs in by access token alone: aiosmtpd with XOAUTH2 and OAUTHBEARER, strict about both.

Whose token is good, the tests' OAuth server says, as a provider's mail server asks its own. What a client says that the
mechanisms do not allow is kept in ``mistakes``, and fails the test.
"""

import base64
import binascii
import contextlib
import json
import re
import ssl
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import MISSING, AuthResult

from tests.peers.anyport import AnyPort
from tests.peers.mailbox import Mailbox, ReceivedMail
from tests.peers.oauth_server import ACCOUNT, OAuthServer
from vxtray.core.settings.tree import Auth, Security, Smtp

_FORMS = {
    "XOAUTH2": re.compile(rb"user=([^\x01]+)\x01auth=Bearer ([\x21-\x7e]+)\x01\x01"),
    "OAUTHBEARER": re.compile(rb"n,a=([^\x01,]+),\x01host=[^\x01]+\x01port=\d+\x01auth=Bearer ([\x21-\x7e]+)\x01\x01"),
}
_ENDS = {"XOAUTH2": b"", "OAUTHBEARER": b"\x01"}
_DENIED = json.dumps({"status": "401", "schemes": "bearer", "scope": "https://outlook.office.com/"})


class OAuthMail:
    """aiosmtpd's handler. ``sign_ins`` counts tries by (mechanism, user, accepted); ``box`` keeps the mails.

    ``wants_again`` is what an open connection says at MAIL FROM when its token has ended: a reply, ``hang up``, or
    nothing (the token counts at the sign-in only, as with Exchange). ``said_no`` is the reply to a refused token.
    """

    def __init__(self, provider: OAuthServer) -> None:
        self.provider = provider
        self.sign_ins: Counter[tuple[str, str, bool]] = Counter()
        self.mistakes: list[str] = []
        self.connections = 0
        self.wants_again = ""
        self.said_no = "535 5.7.3 Authentication unsuccessful"
        self.expire_after = 0
        self.box = Mailbox("127.0.0.1", 0, Path())

    def settings(self, **changes: Any) -> Smtp:
        """Return the settings that lead here, with a sign-in at the OAuth server."""
        usual: dict[str, Any] = {
            "host": self.box.host,
            "port": self.box.port,
            "security": Security.STARTTLS,
            "auth": Auth.OAUTH,
            "username": ACCOUNT,
            "from_address": ACCOUNT,
            "recipients": ("a@example.org",),
            "ca_file": str(self.box.ca_file),
            "timeout_seconds": 5,
            "oauth": self.provider.settings(),
        }
        return Smtp(**usual | changes)

    def accepted(self) -> int:
        """Return how many sign-ins succeeded."""
        return sum(count for (_, _, good), count in self.sign_ins.items() if good)

    def refused(self) -> int:
        """Return how many were refused."""
        return sum(count for (_, _, good), count in self.sign_ins.items() if not good)

    # --- aiosmtpd's hooks --------------------------------------------------------------------------------------------

    async def auth_XOAUTH2(self, server: Any, args: list[str]) -> AuthResult:
        return await self._signed_in(server, args)

    async def auth_OAUTHBEARER(self, server: Any, args: list[str]) -> AuthResult:
        return await self._signed_in(server, args)

    async def _signed_in(self, server: Any, args: list[str]) -> AuthResult:
        mechanism = args[0]
        try:
            said = base64.b64decode(args[1], validate=True) if len(args) > 1 else await server.challenge_auth("")
        except binascii.Error:
            said = b"not base64"
        found = None if said is MISSING else _FORMS[mechanism].fullmatch(said)
        if found is None:
            self.mistakes.append(f"{mechanism} was malformed")
            return AuthResult(success=False, handled=False, message="501 5.5.2 malformed")
        user, token = found[1].decode().replace("=2C", ",").replace("=3D", "="), found[2].decode()
        good = self.provider.accepts(token) == user
        self.sign_ins[mechanism, user, good] += 1
        if good:
            server.session.token = token
            return AuthResult(success=True)
        if await server.challenge_auth(_DENIED) != _ENDS[mechanism]:
            self.mistakes.append(f"the refusal of {mechanism} was answered wrongly")
        return AuthResult(success=False, handled=False, message=self.said_no)

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if self.wants_again and not self.provider.accepts(session.token):
            if self.wants_again == "hang up":
                server.transport.abort()
                return "421 gone"
            return self.wants_again
        envelope.mail_from = address
        return "250 2.1.0 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = ReceivedMail(envelope.mail_from or "", tuple(envelope.rcpt_tos), bytes(envelope.content or b""))
        with self.box.arrived:
            self.box.mails.append(mail)
            self.box.arrived.notify_all()
        if len(self.box.mails) == self.expire_after:
            self.provider.expire_access_tokens()
        return "250 2.0.0 kept"


class _Counting(AnyPort):
    def _trigger_server(self) -> None:
        super()._trigger_server()
        self.handler.connections = 0  # the trigger was one

    def factory(self) -> Any:
        self.handler.connections += 1
        return super().factory()


@contextlib.contextmanager
def running(provider: OAuthServer, authority: trustme.CA, folder: Path) -> Iterator[OAuthMail]:
    """Run a mail server with STARTTLS that takes a provider's tokens; the authority's file lies in the folder."""
    ca_file = folder / "oauth-mail.pem"
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    mail = OAuthMail(provider)
    controller = _Counting(
        mail,
        server_hostname="mail.example.com",
        require_starttls=True,
        tls_context=context,
        auth_required=True,
        auth_exclude_mechanism=["LOGIN", "PLAIN"],
        authenticator=lambda *_arguments: AuthResult(success=False),
    )
    controller.start()
    mail.box = Mailbox("127.0.0.1", controller.port, ca_file)
    try:
        yield mail
    finally:
        controller.stop()
    assert mail.mistakes == []


@pytest.fixture
def oauth_mail(oauth_server: OAuthServer, authority: trustme.CA, tmp_path: Path) -> Iterator[OAuthMail]:
    """Run a mail server that takes the OAuth server's tokens."""
    with running(oauth_server, authority, tmp_path) as mail:
        yield mail
