"""Certificates and the password for the tests of the wire."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.core.mail.office import Post
from tests.core.mail.wire import PASSWORD
from vxtray.core.credentials import Secret
from vxtray.core.settings.tree import Smtp


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    """Return the file of the tests' authority."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def server_tls(authority: trustme.CA) -> Callable[..., ssl.SSLContext]:
    """Make the context of a server with a certificate for these names."""

    def make(*names: str, **options: Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*(names or ("localhost", "127.0.0.1")), **options).configure_cert(context)
        return context

    return make


@pytest.fixture
def secret() -> Secret:
    return Secret(PASSWORD)


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Callable[..., Post]]:
    """Make an outbox with a courier."""
    made: list[Post] = []

    def make(smtp: Smtp, password: str = PASSWORD, **options: Any) -> Post:
        made.append(Post(tmp_path / f"post-{len(made)}", smtp, password, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
