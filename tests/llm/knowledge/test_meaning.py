"""Passages by meaning, from a real server of embeddings over HTTP; and what happens when it fails."""

from __future__ import annotations

import time

import pytest
from embedding_server import EmbeddingServer

from orchestrator.knowledge_settings import EmbeddingSettings, KnowledgeSettings
from orchestrator.llm.knowledge.base import KnowledgeBase
from orchestrator.llm.knowledge.ranking import fused
from orchestrator.state.repositories import Store

NOTES = """\
# Furnace

Watch the flame of the furnace.

# Pump

Vent the pump before it is started.

# Tank

Gauge the tank by hand each week.
"""


def settings(server: EmbeddingServer, **more: object) -> KnowledgeSettings:
    given = {"base_url": server.url, "model": "embedder", "api_key": "secret-key", "timeout": 2.0}
    return KnowledgeSettings(embeddings=EmbeddingSettings.model_validate({**given, **more}))


async def test_another_word_for_it_finds_it_too(store: Store, embeddings: EmbeddingServer) -> None:
    base = KnowledgeBase(settings(embeddings), store)
    taken = await base.add("notes.md", NOTES.encode(), "ann")
    assert taken.warnings == ()
    found = await base.search("heater", 1)
    assert found.passages[0].heading == "Furnace"
    assert found.passages[0].found_by == ("meaning",)
    assert "reciprocal rank fusion" in found.ranked_by
    assert "embedder" in found.ranked_by
    both = await base.search("vent a pump", 3)
    assert both.passages[0].heading == "Pump"
    assert both.passages[0].found_by == ("words", "meaning")
    assert set(embeddings.keys) == {"Bearer secret-key"}
    await base.close()


async def test_only_new_passages_are_sent(store: Store, embeddings: EmbeddingServer) -> None:
    base = KnowledgeBase(settings(embeddings, batch=2), store)
    await base.add("notes.md", NOTES.encode(), "ann")
    assert [len(request["input"]) for request in embeddings.requests] == [2, 1]
    await base.add("notes.md", NOTES.encode(), "ann")
    assert embeddings.texts == 3
    await base.add("notes.md", NOTES.replace("by hand", "by radar").encode(), "ann")
    assert embeddings.texts == 4
    assert "radar" in embeddings.requests[-1]["input"][0]
    assert (await base.search("blaze", 1)).passages[0].heading == "Furnace"
    await base.close()


async def test_vectors_outlive_a_restart(store: Store, embeddings: EmbeddingServer) -> None:
    base = KnowledgeBase(settings(embeddings), store)
    await base.add("notes.md", NOTES.encode(), "ann")
    await base.close()
    base = KnowledgeBase(settings(embeddings), store)
    assert (await base.search("heater", 1)).passages[0].heading == "Furnace"
    assert embeddings.texts == 4
    await base.close()


async def test_a_passing_failure_is_repeated(store: Store, embeddings: EmbeddingServer) -> None:
    base = KnowledgeBase(settings(embeddings), store)
    embeddings.statuses = [503, 429]
    taken = await base.add("notes.md", NOTES.encode(), "ann")
    assert taken.warnings == ()
    assert len(embeddings.requests) == 3
    await base.close()


@pytest.mark.parametrize("failure", ["refuses", "hangs", "nonsense", "short"])
async def test_without_the_server_words_still_find(
    store: Store, embeddings: EmbeddingServer, failure: str
) -> None:
    base = KnowledgeBase(settings(embeddings, timeout=0.5), store)
    if failure == "refuses":
        embeddings.statuses = [401] * 9
    elif failure == "hangs":
        embeddings.hangs = True
    elif failure == "nonsense":
        embeddings.body = b"<html>not what was asked for</html>"
    else:
        embeddings.body = b'{"data": [{"index": 0, "embedding": [1.0, 2.0]}]}'
    taken = await base.add("notes.md", NOTES.encode(), "ann")
    assert "until vectors can be made" in taken.warnings[0]
    assert "secret-key" not in taken.warnings[0]
    started = time.perf_counter()
    found = await base.search("furnace flame", 1)
    assert found.passages[0].heading == "Furnace"
    assert found.ranked_by.startswith("words (")
    assert time.perf_counter() - started < 1.0
    await base.close()


async def test_what_was_missed_is_made_up_for_later(
    store: Store, embeddings: EmbeddingServer
) -> None:
    base = KnowledgeBase(settings(embeddings), store)
    embeddings.statuses = [401]
    assert (await base.add("notes.md", NOTES.encode(), "ann")).warnings
    await base.close()
    base = KnowledgeBase(settings(embeddings), store)
    assert (await base.add("notes.md", NOTES.encode(), "ann")).warnings == ()
    assert (await base.search("heater", 1)).passages[0].heading == "Furnace"
    await base.close()


async def test_vectors_of_another_model_do_not_count(
    store: Store, embeddings: EmbeddingServer
) -> None:
    base = KnowledgeBase(settings(embeddings), store)
    await base.add("notes.md", NOTES.encode(), "ann")
    await base.close()
    embeddings.length = 32
    base = KnowledgeBase(settings(embeddings, model="other"), store)
    assert (await base.search("heater", 1)).passages == ()
    assert (await base.add("notes.md", NOTES.encode(), "ann")).change == "unchanged"
    assert (await base.search("heater", 1)).passages[0].heading == "Furnace"
    await base.close()


def test_fusion_follows_the_published_formula() -> None:
    scores = fused([7, 3, 5], [3, 9])
    assert scores[3] == pytest.approx(1 / 62 + 1 / 61)
    assert scores[7] == pytest.approx(1 / 61)
    assert list(scores) == [3, 7, 9, 5]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"base_url": "http://user:word@host/v1", "model": "m"}, "not in the address"),
        ({"base_url": "ftp://host", "model": "m"}, "expected http"),
        ({"base_url": "http://host/v1"}, "go together"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(given: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        EmbeddingSettings.model_validate(given)
    # pydantic shows the input beside our text; the loader of files leaves that out
    assert "word@host" not in str(refused.value.errors()[0]["msg"])  # type: ignore[attr-defined]
