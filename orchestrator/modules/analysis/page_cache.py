"""What a server said of the pages that were asked for, so that it can say that one did not change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Known:
    """What the server said of one page: enough to ask whether it changed, nothing of its rows."""

    etag: str | None
    last_modified: str | None
    total: int
    rows: int


class PageCache:
    """A small file a page, named by the SHA-256 of its address without the key.

    Args:
        folder: Where the files are; ``None`` remembers nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def get(self, page: str) -> Known | None:
        """What is remembered of a page; a file that cannot be read counts as none."""
        if self._folder is None:
            return None
        try:
            return Known(**json.loads(self._file(self._folder, page).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def remember(self, known: Mapping[str, Known]) -> None:
        """Keep what was said; to be called after the values are stored, or they would be lost."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for page, item in known.items():
            file = self._file(self._folder, page)
            if item.etag is None and item.last_modified is None:
                file.unlink(missing_ok=True)
                continue
            beside = file.with_suffix(".new")
            beside.write_text(json.dumps(asdict(item)), encoding="utf-8")
            beside.replace(file)

    @staticmethod
    def _file(folder: Path, page: str) -> Path:
        return folder / f"{hashlib.sha256(page.encode()).hexdigest()}.json"
