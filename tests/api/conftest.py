"""One service for all tests of a file; each test makes its own decisions and jobs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
for folder in (TESTS / "api" / "support", TESTS / "core" / "support", TESTS / "llm" / "support"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from serving import Running, an_alert, serving, settings_for, store_alerts  # noqa: E402


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running service with three open alerts and a body limit of 1 MB."""
    home = tmp_path_factory.mktemp("home")
    store_alerts(home, *(an_alert(f"alert-{n}", f"11TI04{n}") for n in range(3)))
    settings = settings_for(
        home, service={"max_body_mb": 1.0, "allowed_hosts": ["Control.refinery.example"]}
    )
    with serving(settings, heartbeat_seconds=0.2) as running:
        yield running
