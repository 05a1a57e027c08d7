"""What the tests of the stores share."""

from collections.abc import Iterator

import pytest

from tests.core.store.engines import ENGINES
from vxtray.core.store import EventStore


@pytest.fixture(params=ENGINES.values(), ids=ENGINES.keys())
def store(request, tmp_path) -> Iterator[EventStore]:
    """Open a store of each engine."""
    opened = request.param(tmp_path)
    yield opened
    opened.close()
