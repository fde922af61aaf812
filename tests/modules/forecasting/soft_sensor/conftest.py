"""Linear algebra on one thread, as in a worker process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for one another would take most of the time."""
    with threadpool_limits(1):
        yield
