"""What goes wrong while signing in, in words; decided by OAuth's ``error`` value alone.

Pure, any thread. Microsoft's AADSTS numbers and texts change and never decide (learn.microsoft.com/entra/
identity-platform/reference-error-codes): number, correlation id and link are technical details for an administrator.
Nothing else that a provider says is shown, for it could repeat a secret.
"""

import re
from collections.abc import Mapping

import msgspec

from vxtray.core.credentials import redact
from vxtray.core.errors import N_
from vxtray.core.mail.faults import AuthError, ConnectError, Kind, MailError, Stage
from vxtray.core.mail.oauth.endpoints import REDIRECT_URI_TO_REGISTER

_ERROR = re.compile(r"[a-z][a-z_]{0,59}")
_NUMBER = re.compile(r"\bAADSTS(\d{4,8})\b")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class SignInRefused(AuthError):
    """The provider or the person said no. ``error`` is OAuth's value, ``details`` are for an administrator."""

    title = N_("The sign-in did not succeed.")
    error = ""
    details: tuple[str, ...] = ()


class NotSignedIn(SignInRefused):
    """No sign-in is stored."""


class SignInUnreachable(ConnectError):
    """The provider did not answer, or not as it should; what was granted before stays."""

    title = N_("{host} cannot be reached to sign in.")
    of_provider = True
    error = ""
    details: tuple[str, ...] = ()


class SignInCancelled(MailError):
    """The sign-in was ended here before it was finished."""

    title = N_("The sign-in was cancelled.")


class _Words(msgspec.Struct, frozen=True):
    """What an error value means. ``again``: signing in again is a remedy; ``asks`` are for the administrator."""

    title: str
    advice: str
    again: bool = True
    asks: tuple[str, ...] = ()


NOT_OAUTH = N_("{host} did not answer as a sign-in server does.")
_ADMIN_CONSENT = N_("Grant admin consent to the app registration, or allow people to consent to SMTP.Send.")

_ENDED = _Words(
    N_("The sign-in for {username} has ended."),
    N_("Sign in again; it was revoked, the password changed, or it was not used for too long. Mails wait until then."),
)
_NOT_TAKEN = _Words(
    N_("{host} did not accept the sign-in."),
    N_("Sign in again, and leave no long pause in the browser."),
)
_WRONG_APP = _Words(
    N_("{host} does not accept the app registration."),
    N_("Check the client id; a client secret may be wrong or have expired: make a new one and enter it."),
    again=False,
)
_MEANINGS: dict[str, _Words] = {
    "access_denied": _Words(
        N_("Access was not allowed."),
        N_("Sign in again and allow vxtray to send mail; if that is not offered, an administrator must allow the app."),
        asks=(_ADMIN_CONSENT,),
    ),
    "consent_required": _Words(
        N_("The permission to send mail has not been given."),
        N_("Sign in again and accept; if that is not offered, an administrator must grant consent to the app."),
        asks=(_ADMIN_CONSENT,),
    ),
    "interaction_required": _Words(
        N_("{host} wants {username} to sign in again."),
        N_("Sign in again; the organisation may ask for a second factor or for another network."),
        asks=(N_("Check whether a Conditional Access policy stops the app or this computer."),),
    ),
    "invalid_client": _WRONG_APP,
    "unauthorized_client": _Words(
        N_("The app registration does not allow this sign-in."),
        N_("Check client id and tenant, and that {redirect_uri} is registered for a public (native) client."),
        again=False,
    ),
    "invalid_request": _Words(
        N_("{host} did not understand the sign-in."),
        N_("Check that {redirect_uri} is registered as the redirect address of a public (native) client."),
        again=False,
    ),
    "invalid_scope": _Words(
        N_("{host} does not know what was asked for."),
        N_("Check the scopes, and the permissions of the app registration."),
        again=False,
    ),
    "expired_token": _Words(
        N_("The code was not entered in time."),
        N_("Begin again and enter the new code."),
    ),
}
_MEANINGS["login_required"] = _MEANINGS["interaction_required"]

#: Nothing is wrong with the account: the same request may succeed later (RFC 6749, section 4.1.2.1).
_PASSING = frozenset({"temporarily_unavailable", "server_error", "slow_down"})

#: What ends a sign-in when it comes from a refresh; any other word may be a passing fault of the provider.
_FINAL_AT_REFRESH = frozenset(
    {
        *("invalid_grant", "interaction_required", "login_required", "consent_required"),
        *("unauthorized_client", "invalid_client", "access_denied"),
    }
)


def from_answer(
    answer: Mapping[str, object], host: str, username: str, *, refresh: bool
) -> SignInRefused | SignInUnreachable:
    """Return what an error answer means; ``refresh``: it came while renewing a sign-in that worked before."""
    error = answer.get("error")
    value = error if isinstance(error, str) and _ERROR.fullmatch(error) else ""
    details = _details(value, answer)
    if value in _PASSING or not value or (refresh and value not in _FINAL_AT_REFRESH):
        return unreachable(host, value, details, NOT_OAUTH)
    if value == "invalid_grant":
        words = _ENDED if refresh else _NOT_TAKEN
    else:
        words = _MEANINGS.get(value) or _Words(
            N_("{host} refused the sign-in: {error}."), N_("Check the app registration and sign in again."), again=False
        )
    return refused(words.title, words.advice, host, username, value, details, again=words.again, asks=words.asks)


def refused(
    title: str,
    advice: str,
    host: str,
    username: str,
    error: str = "",
    details: tuple[str, ...] = (),
    *,
    again: bool = True,
    asks: tuple[str, ...] = (),
    kind: type[SignInRefused] = SignInRefused,
) -> SignInRefused:
    """Return account trouble in these words, whose ``{names}`` are those of the arguments and ``{redirect_uri}``."""
    fault = kind(
        title,
        advice,
        step=Stage.AUTH,
        kind=Kind.ACCOUNT,
        host=host,
        username=username,
        error=redact(error),
        redirect_uri=REDIRECT_URI_TO_REGISTER,
    )
    fault.error, fault.details, fault.sign_in, fault.asks = error, details, again, asks
    return fault


def unreachable(host: str, error: str = "", details: tuple[str, ...] = (), title: str = "") -> SignInUnreachable:
    """Return the fault of a provider that did not answer properly."""
    if error:
        title = N_("{host} cannot sign anybody in at the moment.")
    fault = SignInUnreachable(
        title,
        N_("Try again in a few minutes. An earlier sign-in is kept, and vxtray then goes on with it by itself."),
        step=Stage.AUTH,
        kind=Kind.TEMPORARY,
        host=host,
        error=redact(error),
    )
    fault.error, fault.details = error, details
    return fault


def cancelled() -> SignInCancelled:
    """Return the fault of a sign-in that was ended here."""
    return SignInCancelled("", N_("Sign in again when you like."), step=Stage.AUTH, kind=Kind.TEMPORARY)


def not_signed_in(username: str) -> SignInRefused:
    """Return the fault of a profile without a stored sign-in."""
    return refused(
        N_("Nobody is signed in for {username}."),
        N_("Sign in; mails wait until then."),
        "",
        username,
        kind=NotSignedIn,
    )


def foreign(host: str, username: str) -> SignInRefused:
    """Return the fault of an answer that belongs to another sign-in, or was made up."""
    return refused(
        N_("An answer arrived that does not belong to this sign-in; it was not used."),
        N_("Sign in again. If that happens once more, another program on this computer may be interfering."),
        host,
        username,
    )


def _details(value: str, answer: Mapping[str, object]) -> tuple[str, ...]:
    said = answer.get("error_description")
    number = _NUMBER.search(said[:2000]) if isinstance(said, str) else None
    correlation = answer.get("correlation_id")
    details = [redact(value)] if value else []
    if number:
        details.append(f"AADSTS{number[1]}")
    if isinstance(correlation, str) and _UUID.fullmatch(correlation):
        details.append(f"correlation id {correlation}")
    if number:
        details.append(f"https://login.microsoftonline.com/error?code={number[1]}")
    return tuple(details)
