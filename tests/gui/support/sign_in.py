"""What the tests of signing in share: the provider of the test in settings and form, and browsers that do less."""

import sys
from pathlib import Path

import msgspec

from tests.gui.support.world import World
from vxtray.core.credentials import MemoryStore
from vxtray.core.settings.tree import Smtp
from vxtray.gui.sign_in import SignInPanel, Step
from vxtray.gui.smtp_form import SmtpForm

#: A browser that opens nothing.
IDLE_BROWSER = f"{sys.executable} -c pass %s"


def values(smtp: Smtp) -> dict[str, object]:
    """Return settings by dotted key, as the model takes them."""
    found = {f"smtp.{name}": value for name, value in msgspec.structs.asdict(smtp).items() if name != "oauth"}
    return found | {f"smtp.oauth.{name}": value for name, value in msgspec.structs.asdict(smtp.oauth).items()}


def type_in(form: SmtpForm, smtp: Smtp) -> None:
    """Type settings with another provider into the form, as a person does."""
    form.host.setText(smtp.host)
    form.port.setValue(smtp.port)
    form.security.setCurrentIndex(form.security.findData(smtp.security))
    form.switch_to("custom")
    form.username.setText(smtp.username)
    form.oauth.client_id.setText(smtp.oauth.client_id)
    form.oauth.authorize_url.setText(smtp.oauth.authorize_url)
    form.oauth.token_url.setText(smtp.oauth.token_url)
    form.oauth.device_url.setText(smtp.oauth.device_url)
    form.oauth.scopes.setText(" ".join(smtp.oauth.scopes))
    form.from_address.setText(smtp.from_address)
    form.recipients.setPlainText(", ".join(smtp.recipients))
    form.ca_file.setText(smtp.ca_file)
    form.account_changed.emit()


def reaches(panel: SignInPanel, *steps: Step):
    """Return a question for ``waitUntil``: whether the panel has come to one of these steps."""
    return lambda: panel.step in steps


def kept(world: World) -> dict[str, str]:
    """Return what the keyring holds, by the name of the secret."""
    assert isinstance(world.credentials, MemoryStore)
    return {account.name: secret.reveal() for account, secret in world.credentials._secrets.items()}


def files_of(folder: Path) -> bytes:
    """Return everything that stands in files below a folder."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
