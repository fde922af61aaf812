"""The gaps of a live source that are not filled yet: kept on disk, so that the next process fills them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import structlog

from orchestrator.clock import iso
from orchestrator.errors import DatabaseUnavailableError
from orchestrator.plant.historian import Historian
from orchestrator.plant.sources.base import FillsGaps, Gap

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = structlog.get_logger(__name__)


class GapKeeper:
    """Keeps the unfilled gaps of a source in a file, and hands them to it after a restart.

    A gap is in the file before what came after it is committed for good, and leaves the file only
    after what filled it is committed. A crash therefore makes the source read something again, and never
    miss it.

    Args:
        path: The file.
        source: The live source.
        tags: Its tags.
        historian: Where its samples go.
    """

    def __init__(
        self, path: Path, source: FillsGaps, name: str, tags: Sequence[str], historian: Historian
    ) -> None:
        self._path = path
        self._source = source
        self._name = name
        self._tags = tuple(tags)
        self._historian = historian
        self._kept: Mapping[str, datetime] = {}

    def resume(self) -> datetime | None:
        """Tell the source what to fetch; the newest sample stored of its tags, None without any."""
        last = self._historian.last_values(self._tags)
        if not last:
            return None
        newest = max(sample.source_time for sample in last.values())
        open_since = self._read()
        since = {
            tag: min(open_since.get(tag, newest), newest) - self._source.overlap
            for tag in self._tags
        }
        held = self._held(since)
        nothing = np.empty(0, dtype=np.int64)
        self._source.resume_gaps(
            {tag: Gap(at, held.get(tag, nothing)) for tag, at in since.items()}
        )
        log.info("the source resumes", after=iso(newest), gaps=len(open_since))
        return newest

    def keep(self) -> None:
        """Write the gaps down where they have changed."""
        unfilled = self._source.unfilled()
        if unfilled is self._kept:
            return
        try:
            self._historian.flush()
        except DatabaseUnavailableError:
            return  # what filled a gap is not on disk yet; the next call tries again
        document = {
            "source": self._name,
            "unfilled": {tag: since.isoformat() for tag, since in unfilled.items()},
        }
        try:
            self._write(json.dumps(document))
        except OSError as error:
            # The loop goes on: a full disk is told of elsewhere, and the next change tries again.
            log.warning("the gaps are not written down", file=str(self._path), error=str(error))
        self._kept = unfilled

    def _write(self, text: str) -> None:
        beside = self._path.with_suffix(".new")
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)

    def _read(self) -> dict[str, datetime]:
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            if document["source"] != self._name:
                return {}
            return {tag: datetime.fromisoformat(at) for tag, at in document["unfilled"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("the record of gaps cannot be read", file=str(self._path), error=str(error))
            return {}

    def _held(self, since: Mapping[str, datetime]) -> dict[str, NDArray[np.int64]]:
        """Times after ``since`` of which the historian has a good sample, by tag."""
        stored = set(self._historian.tags())
        tags = [tag for tag in since if tag in stored]
        if not tags:
            return {}
        parts: dict[str, list[NDArray[np.int64]]] = {tag: [] for tag in tags}
        for table in self._historian.iter_read(tags, min(since[tag] for tag in tags), None):
            times = table.column("time").to_numpy().astype("datetime64[us]").view(np.int64)
            for tag in tags:
                column = table.column(tag).combine_chunks()
                parts[tag].append(times[column.is_valid().to_numpy(zero_copy_only=False)])
        return {tag: np.concatenate(found) for tag, found in parts.items() if found}
