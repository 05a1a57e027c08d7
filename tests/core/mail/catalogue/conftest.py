"""Certificates for the catalogue."""

from pathlib import Path

import pytest
import trustme

from tests.core.mail.catalogue.case import World


@pytest.fixture
def world(authority: trustme.CA, tmp_path: Path) -> World:
    return World(tmp_path, authority)
