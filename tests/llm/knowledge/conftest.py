"""Documents on both databases, and a server of embeddings."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parent / "support"
if str(SUPPORT) not in sys.path:
    sys.path.insert(0, str(SUPPORT))

from embedding_server import EmbeddingServer, embedding_server  # noqa: E402

from orchestrator.knowledge_settings import KnowledgeSettings  # noqa: E402
from orchestrator.llm.knowledge.base import KnowledgeBase  # noqa: E402
from orchestrator.state.database import Database  # noqa: E402
from orchestrator.state.repositories import Store  # noqa: E402


@pytest.fixture(params=["sqlite", "postgresql"])
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return None


@pytest.fixture
async def store(state_url: str | None, tmp_path: Path) -> AsyncIterator[Store]:
    database = await Database.open(state_url, tmp_path)
    await database.migrate()
    opened = Store(database)
    yield opened
    await opened.close()
    await database.close()


@pytest.fixture
async def knowledge(store: Store) -> AsyncIterator[KnowledgeBase]:
    """Documents that are found by words alone."""
    base = KnowledgeBase(KnowledgeSettings(), store)
    yield base
    await base.close()


@pytest.fixture
def embeddings() -> Iterator[EmbeddingServer]:
    with embedding_server() as server:
        yield server
