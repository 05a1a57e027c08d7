"""Signing in over a connection: the mechanisms in their order, one PLAIN after a refused LOGIN, one new token.

On the thread of the caller, which it blocks; asking for a new token talks to the provider. A refused sign-in is never
repeated with the same password or token: too many tries lock accounts.
"""

from collections.abc import Callable

from vxtray.core.credentials import Secret
from vxtray.core.errors import N_
from vxtray.core.mail import auth
from vxtray.core.mail.connection import Connection
from vxtray.core.mail.faults import AuthError, Kind, MailError, Stage
from vxtray.core.mail.protocol import Reply
from vxtray.core.mail.replies import fault_of
from vxtray.core.settings.tree import Auth, Security, Smtp

#: What a refused token lacks, where asking for another one cannot help (RFC 6750, 3.1).
_LACKS_RIGHTS = frozenset({"insufficient_scope", "403"})


class SigningIn:
    """One sign-in. Afterwards ``connection`` is the one that is signed in, maybe another than at the beginning."""

    def __init__(
        self, connection: Connection, settings: Smtp, afresh: Callable[[], Connection], proven: str = ""
    ) -> None:
        """``afresh`` opens another connection, as far as EHLO; ``proven`` is the mechanism to begin with."""
        self.connection = connection
        #: The mechanism that signed us in, empty without a sign-in.
        self.mechanism = ""
        #: Mechanisms that the server announced and then did not take.
        self.refused: list[str] = []
        self._settings = settings
        self._afresh = afresh
        self._proven = proven

    def run(self, secret: Secret | None) -> None:
        """Sign in with what EHLO announced. Raises ``AuthError``, or another ``MailError``."""
        self.connection.step = Stage.AUTH
        if not self._settings.signs_in and self._settings.auth is not Auth.OAUTH:
            return
        secret = auth.credentials(self._settings, secret)
        self._keep_out_of_the_clear()
        names = auth.choose(self.connection.capabilities, self._settings, self._proven)
        for position, name in enumerate(names):
            dialogue = auth.mechanism(name, self._settings, secret)
            reply = self._reply_to(dialogue)
            if reply is not None and reply.code == 235:
                self.mechanism = name
                return
            self.refused.append(name)
            following = names[position + 1 :]
            if reply is not None and auth.unsupported(reply) and following and self.connection.usable:
                continue
            if isinstance(dialogue, auth.Bearer):
                self._with_another_token(dialogue, secret, reply)
                return
            assert reply is not None
            if auth.may_retry_with_plain(name, reply, following) and self._plain_afresh(secret):
                return
            raise fault_of(reply, Stage.AUTH)

    def _reply_to(self, dialogue: auth.Mechanism) -> Reply | None:
        """Return the server's last reply, None where it refused the token by a challenge and then left."""
        try:
            return self.connection.authenticate(dialogue)
        except MailError:
            if isinstance(dialogue, auth.Bearer) and dialogue.refused and not self.connection.usable:
                return None
            raise

    def _keep_out_of_the_clear(self) -> None:
        if self._settings.security is Security.NONE and not self.connection.peer_is_loopback:
            raise AuthError(
                N_("The password would travel unprotected to {host}, so it was not sent.")
                if self._settings.auth is not Auth.OAUTH
                else N_("The sign-in would travel unprotected to {host}, so it was not sent."),
                N_("Choose the security “STARTTLS” or “TLS”, or the sign-in “none” if this server needs none."),
                step=Stage.AUTH,
                kind=Kind.ACCOUNT,
                host=self._settings.host,
            )

    # --- tokens ------------------------------------------------------------------------------------------------------

    def _with_another_token(self, dialogue: auth.Bearer, token: Secret, reply: Reply | None) -> None:
        """Have a refused token renewed, once, and sign in with the new one, over the same connection where it lasts."""
        if dialogue.status in _LACKS_RIGHTS:
            raise self._without_rights(reply)
        fault = self._fault(reply)
        if not isinstance(token, auth.Token) or not self._about_the_token(dialogue, reply, fault):
            raise fault
        reply = self._once_more(dialogue.name, auth.credentials(self._settings, token.renewed()))
        if reply is None or reply.code != 235:
            raise self._refused_twice(self._fault(reply))
        self.refused.remove(dialogue.name)
        self.mechanism = dialogue.name

    def _once_more(self, name: str, token: Secret) -> Reply | None:
        if self.connection.usable:
            try:
                return self._reply_to(auth.mechanism(name, self._settings, token))
            except MailError:
                if self.connection.usable:
                    raise
        self.connection = self._afresh()
        return self._reply_to(auth.mechanism(name, self._settings, token))

    @staticmethod
    def _about_the_token(dialogue: auth.Bearer, reply: Reply | None, fault: MailError) -> bool:
        """Tell a token that is too old from a switch, a policy or a limit, which a new one does not mend."""
        if fault.kind is Kind.ADMIN or (reply is not None and auth.unsupported(reply)):
            return False
        return dialogue.refused or (reply is not None and reply.code == 535)

    def _fault(self, reply: Reply | None) -> MailError:
        return fault_of(reply or Reply(535, "", ()), Stage.AUTH, oauth=True)

    def _refused_twice(self, fault: MailError) -> MailError:
        if fault.kind is Kind.ACCOUNT:
            fault.title_id = N_("{host} refused the sign-in of {username}, even after it was renewed.")
            fault.values = {"host": self._settings.host, "username": self._settings.username}
        return fault

    def _without_rights(self, reply: Reply | None) -> AuthError:
        fault = AuthError(
            N_("The sign-in of {username} does not include the right to send mail."),
            N_("Sign in again and allow sending; the registered application must ask for the right to send by SMTP."),
            step=Stage.AUTH,
            kind=Kind.ACCOUNT,
            reply=reply.words if reply is not None else "",
            username=self._settings.username,
        )
        fault.sign_in = True
        return fault

    # --- passwords ---------------------------------------------------------------------------------------------------

    def _plain_afresh(self, secret: Secret) -> bool:
        """Try PLAIN once on a new connection; what is told in the end is the first refusal, so this tells only yes."""
        self.connection.quit()
        try:
            fresh = self._afresh()
        except MailError:
            return False
        try:
            if auth.Plain.name not in fresh.capabilities.auth:
                return False
            if fresh.authenticate(auth.Plain(self._settings.username, secret)).code != 235:
                return False
            self.connection, fresh = fresh, self.connection
            self.mechanism = auth.Plain.name
            return True
        except MailError:
            return False
        finally:
            fresh.quit()
