"""The tree of errors that a person may see, each with a title (what happened) and an advice (what to do).

    VxtrayError
    ├── UsageError                a command was called wrongly (exit status 2)
    ├── NotConfigured             something must be set first (exit status 3)
    ├── SettingsError
    │   ├── SettingsBroken        the file is not TOML
    │   ├── SettingsInvalid       a key has a value that is not allowed
    │   └── SettingsNotSaved      the disk refused the file
    ├── CredentialError
    │   ├── KeyringMissing        no usable keyring on this machine
    │   ├── KeyringLocked         it waits to be unlocked
    │   ├── KeyringRefused        the person or the system said no
    │   └── CredentialReadOnly    the secret comes from systemd and cannot be changed here
    ├── MailError                 (core/mail: each step of a delivery has its own)
    │   ├── ConnectError          name, network, port
    │   │   └── SignInUnreachable  the provider (OAuth) did not answer as it should
    │   ├── SignInCancelled       ended here before it was finished
    │   ├── TlsError              certificate, version, STARTTLS missing
    │   ├── AuthError             the sign-in was refused or is impossible
    │   │   └── SignInRefused     the provider (OAuth) or the person said no (core/mail/oauth/faults)
    │   │       └── NotSignedIn   no sign-in is stored
    │   ├── SenderRefused
    │   ├── RecipientsRefused
    │   ├── MessageRefused
    │   └── ProtocolError         the server does not speak SMTP as it should
    ├── BrowserMissing            no browser to sign in with (core/mail/oauth/flow)
    ├── LookupFault               the name service did not answer (core/mail/dnsrecords)
    ├── StoreError                the event store or the outbox cannot be used
    │   ├── StoreBusy             another process has the event store open
    │   ├── StoreFull             no room on the disk
    │   ├── StoreDamaged          the event store is no store any more
    │   ├── StateElsewhere        the state folder cannot be written to: a copy is used (core/standin)
    │   └── StandInLeft           such a copy was not taken back (core/standin)
    ├── LogFileError              a log file cannot be read
    ├── FileError                 another file that a person named cannot be read
    │   └── FileNotWritten        or cannot be written
    ├── DrawingFailed             a report's charts and PDF (core/reports/drawing)
    ├── AutostartFailed           the session's entry could not be changed (core/autostart)
    ├── SourceError               a source of events cannot work as it is set
    │   ├── PortTaken             another program listens there
    │   ├── ServerAway            a VIGILANCE X or ClickHouse server does not answer (core/sources/vigilancex_api)
    │   ├── Unlicensed            it wants a licence for that
    │   └── PathFailed            it answers with a fault of its own
    ├── ProgramBusy               another vxtray holds the profile
    └── ControlError              the running program could not be reached or refused

Runs on any thread. Texts are English message ids with ``{names}``; ``texts.title`` and ``texts.advice`` give them in
the reader's language, so an error can cross threads before anybody knows who will read it.
"""

import re
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from concurrent.futures import Future

_NAME = re.compile(r"\{(\w+)\}")

#: Values that may be marked texts themselves, with names of the other values in them.
MARKED_VALUES = frozenset({"allowed", "reason", "what"})


def N_(text: str) -> str:  # noqa: N802 - the customary name, by which babel finds the text
    """Mark a text for translation without translating it yet."""
    return text


class VxtrayError(Exception):
    """A fault that can be explained. ``transient`` says that trying again later may succeed."""

    title: ClassVar[str] = N_("Something went wrong.")
    advice: ClassVar[str] = ""
    transient: bool = False

    def __init__(self, title: str = "", advice: str = "", /, **values: object) -> None:
        """``title`` and ``advice`` replace the class's own; ``values`` fill their ``{names}``."""
        self.title_id = title or type(self).title
        self.advice_id = advice or type(self).advice
        self.values = values
        super().__init__(self.title_id)

    def __str__(self) -> str:
        """Return the English words, for logs."""
        values = {
            name: fill(value, self.values) if name in MARKED_VALUES and isinstance(value, str) else value
            for name, value in self.values.items()
        }
        return fill(self.title_id, values)


def fill(text: str, values: dict[str, object]) -> str:
    """Put values into ``{names}``; one without its value stays as it is.

    Not ``str.format``: a text may be what another program said, and ``{path:>999999999}`` would take all memory.
    """
    return _NAME.sub(lambda found: str(values.get(found[1], found[0])), text)


class UsageError(VxtrayError):
    """The command line was called wrongly."""

    title = N_("This command was not understood.")


class NotConfigured(VxtrayError):
    """Something must be set up before this can work."""

    title = N_("The mail server is not set up yet.")
    advice = N_("Enter it on the page “Mail server”, or with “vxtray smtp set host=… from_address=… recipients=…”.")


class SettingsError(VxtrayError):
    """Anything about the settings file."""

    title = N_("The settings cannot be used.")


class SettingsBroken(SettingsError):
    """The settings file is not TOML. Values: path, line, reason."""

    title = N_("The settings file cannot be read: {reason}.")
    advice = N_("Correct {path}, or delete it to begin with the defaults.")


class SettingsInvalid(SettingsError):
    """A key has a value that is not allowed. Values: key, value, allowed."""

    title = N_("{key} cannot be “{value}”: {allowed}.")
    advice = N_("Choose an allowed value; nothing was changed.")


class SettingsNotSaved(SettingsError):
    """The file could not be written. Values: path, reason."""

    title = N_("The settings could not be saved: {reason}.")
    advice = N_("Make room or check the rights of {path}; the former settings are still in force.")


class CredentialError(VxtrayError):
    """Anything about passwords and tokens."""

    title = N_("The password cannot be read.")


class KeyringMissing(CredentialError):
    """There is no keyring that keeps secrets encrypted."""

    title = N_("This machine has no usable keyring, and vxtray never writes a password to a plain file.")
    advice = N_(
        "Install and start a keyring (GNOME Keyring, KWallet); on a server, give the password as a systemd credential."
    )


class KeyringLocked(CredentialError):
    """The keyring waits to be unlocked.

    ``answer`` is the call that goes on behind the keyring's prompt, None where there is none: what the call would have
    returned or raised.
    """

    title = N_("Your keyring is locked.")
    advice = N_("Unlock it (usually with your login password); vxtray then goes on by itself.")
    transient = True
    answer: "Future[Any] | None" = None


class KeyringRefused(CredentialError):
    """The keyring answered no. Values: reason."""

    title = N_("The keyring refused: {reason}.")
    advice = N_("Allow vxtray to use the keyring, then try again.")


class CredentialReadOnly(CredentialError):
    """The secret is a systemd credential. Values: name, folder."""

    title = N_("The secret {name} comes from {folder} and can only be changed there.")
    advice = N_("Change the credential of the service and restart it.")


class StoreError(VxtrayError):
    """The event store or the outbox cannot be used. Values: path, reason."""

    title = N_("{path} cannot be used: {reason}.")
    advice = N_("Check the disk and the rights of the folder, then try again.")


class StoreBusy(StoreError):
    """Another process has the event store open. Values: path."""

    title = N_("The event store {path} is in use by another program.")
    advice = N_("Close the other vxtray, or wait until its command has finished, then try again.")
    transient = True


class StoreFull(StoreError):
    """The event store cannot grow. Values: path."""

    title = N_("The disk is full: the event store {path} cannot take new events.")
    advice = N_("Make room on the disk; nothing that was stored before is lost.")
    transient = True


class StoreDamaged(StoreError):
    """The file is no event store, or not any more. Values: path, reason."""

    title = N_("The event store {path} is damaged: {reason}.")
    advice = N_("Start vxtray again: it keeps the damaged file beside a new store.")


class LogFileError(VxtrayError):
    """A log file cannot be read. Values: path, reason."""

    title = N_("{path} cannot be read: {reason}.")
    advice = N_("Check the name and that you may read it.")


class FileError(VxtrayError):
    """A file that a person named, other than a log, cannot be read. Values: path, reason."""

    title = N_("{path} cannot be read: {reason}.")
    advice = N_("Check the name and that you may read it.")


class FileNotWritten(FileError):
    """A file cannot be written where a person wanted it. Values: path, reason."""

    title = N_("{path} cannot be written: {reason}.")
    advice = N_("Check the folder and that you may write there.")


class SourceError(VxtrayError):
    """A source of events cannot work as it is set. Values: source, reason."""

    title = N_("{source} cannot work: {reason}.")
    advice = N_("Correct its settings on the page “Sources”.")


class PortTaken(SourceError):
    """Another program listens there. Values: source, address, port."""

    title = N_("Port {port} on {address} is already in use, so {source} receives nothing.")
    advice = N_("End the program that listens there, or choose another port.")
    transient = True


class ProgramBusy(VxtrayError):
    """Another vxtray process holds the profile."""

    title = N_("Another vxtray command is working with this profile.")
    advice = N_("Wait until it has finished, then try again.")
    transient = True


class ControlError(VxtrayError):
    """The running program could not be reached. Values: reason."""

    title = N_("The running vxtray did not answer: {reason}.")
    advice = N_("Quit it and start it again.")
    transient = True
