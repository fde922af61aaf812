"""Passages by meaning: vectors of the passages, kept with them, held against the question's."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import numpy as np
import structlog
from numpy.typing import NDArray

from orchestrator.knowledge_settings import EmbeddingSettings
from orchestrator.llm.knowledge.embeddings import Embeddings, Vectors
from orchestrator.state.repositories.documents import Documents

log = structlog.get_logger(__name__)

AT_ONCE = 500
"""Passages that are read and kept at once."""


class Meaning:
    """Makes missing vectors and finds by them.

    All vectors of the model are held in memory (4 bytes a number: 40 MB for ten thousand passages of a
    thousand numbers) and read again when they have changed.
    """

    def __init__(self, settings: EmbeddingSettings, documents: Documents) -> None:
        self._settings = settings
        self._documents = documents
        self._embeddings = Embeddings(settings)
        self._stamp: tuple[int, int, int] | None = None
        self._ids: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._vectors: Vectors = np.empty((0, 0), dtype=np.float32)
        self._filling = asyncio.Lock()

    @property
    def model(self) -> str:
        """Name of the model whose vectors are kept."""
        return self._embeddings.model

    async def close(self) -> None:
        """Close the connections."""
        await self._embeddings.close()

    async def fill(self) -> None:
        """Make the vectors that are missing.

        Raises:
            EmbeddingsUnavailableError: the server gave none; what was made before is kept.
            DatabaseUnavailableError: they cannot be kept.
        """
        async with self._filling:
            while missing := await self._documents.without_vector(self.model, AT_ONCE):
                for start in range(0, len(missing), self._settings.batch):
                    batch = missing[start : start + self._settings.batch]
                    texts = [
                        f"{heading}\n{text}" if heading else text for _, heading, text in batch
                    ]
                    vectors = await self._embeddings.of(texts)
                    rows = {
                        identity: vector.astype("<f4").tobytes()
                        for (identity, _, _), vector in zip(batch, vectors, strict=True)
                    }
                    await self._documents.keep_vectors(self.model, rows)

    async def search(self, query: str, most: int) -> list[int]:
        """Ids of the passages nearest to ``query`` (cosine), the nearest first.

        Raises:
            EmbeddingsUnavailableError: the server gave no vector of the question.
        """
        await self._read()
        if not len(self._ids):
            return []
        asked = (await self._embeddings.of([query]))[0]
        if asked.shape[0] != self._vectors.shape[1]:
            log.warning("the server's vectors have another length than the stored ones")
            return []
        nearness = self._vectors @ asked
        best = np.argsort(-nearness, kind="stable")[:most]
        return [int(identity) for identity in self._ids[best]]

    async def _read(self) -> None:
        stamp = await self._documents.vector_stamp(self.model)
        if stamp == self._stamp:
            return
        rows = await self._documents.vectors(self.model)
        self._ids, self._vectors = await asyncio.to_thread(_matrix, rows)
        self._stamp = stamp


def _matrix(rows: Sequence[tuple[int, bytes]]) -> tuple[NDArray[np.int64], Vectors]:
    """Ids and vectors, one a row.

    After a change of the server's model under its old name, those of the usual length count.
    """
    lengths = Counter(len(vector) for _, vector in rows)
    usual = lengths.most_common(1)[0][0] if lengths else 0
    kept = [(identity, vector) for identity, vector in rows if len(vector) == usual]
    ids = np.array([identity for identity, _ in kept], dtype=np.int64)
    if not kept:
        return ids, np.empty((0, 0), dtype=np.float32)
    joined = b"".join(vector for _, vector in kept)
    return ids, np.frombuffer(joined, dtype="<f4").reshape(len(kept), -1)
