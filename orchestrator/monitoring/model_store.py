"""What the monitor learned from, kept under the home, and the journal of every change of it.

A model is kept as the rows of normal operation it was fitted on, with their SHA-256 and a version
number. Fitting takes about a second and gives the same model from the same rows, so that nothing is
loaded that a newer release reads differently, and nothing that could run code.

    0001.npz, 0001.json    rows, and the record of version 1
    journal.jsonl          one line a version: when, why, from which data
"""

from __future__ import annotations

import hashlib
import json
import zlib
from datetime import UTC, datetime
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import structlog
from filelock import FileLock
from filelock import Timeout as FileLockTimeout
from pydantic import BaseModel, ConfigDict, ValidationError

from orchestrator import __version__
from orchestrator.errors import ConfigurationError, DataError
from orchestrator.plant.samples import SampleBlock

log = structlog.get_logger(__name__)

MOST_ROWS = 20_000
"""Rows kept of a longer training record: the latest."""
VERSIONS_KEPT = 10
JOURNAL = "journal.jsonl"
LOCK_WAIT_S = 10.0


class ModelRecord(BaseModel):
    """One version.

    Attributes:
        version: Counts from 1.
        made_at: Plant time of the last training row.
        stored_at: Wall-clock time at which it was stored.
        reason: Why it was fitted.
        source: Where the rows come from.
        rows: Number of training rows.
        start: Time of the first row.
        end: Time of the last row.
        tags: Tags of the rows.
        fingerprint: SHA-256 of tags, times, values and quality.
        release: Release of the orchestrator that stored it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    made_at: datetime
    stored_at: datetime
    reason: str
    source: str
    rows: int
    start: datetime
    end: datetime
    tags: tuple[str, ...]
    fingerprint: str
    release: str


def fingerprint(block: SampleBlock) -> str:
    """SHA-256 over tags, times, values and quality of a block."""
    digest = hashlib.sha256("\n".join(block.tags).encode())
    digest.update(block.times.astype("datetime64[us]").astype("<i8").tobytes())
    digest.update(np.ascontiguousarray(block.values, dtype="<f8").tobytes())
    digest.update(np.ascontiguousarray(block.quality, dtype=np.uint8).tobytes())
    return digest.hexdigest()


class ModelStore:
    """The folder of the monitor's models. One process writes at a time, others wait; files appear whole.

    Args:
        folder: Made when the first version is stored.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, block: SampleBlock, *, reason: str, source: str = "") -> ModelRecord:
        """Store rows as the next version; the same rows as the current version's are not stored twice.

        Raises:
            ConfigurationError: the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / "writing.lock", timeout=LOCK_WAIT_S):
                return self._save(block, reason, source)
        except (OSError, FileLockTimeout) as error:
            raise ConfigurationError(
                f"the model cannot be stored: {getattr(error, 'strerror', None) or error}",
                where=str(self.folder),
                remedy="set DAN_G_HOME to a folder that you may write to",
            ) from error

    def _save(self, block: SampleBlock, reason: str, source: str) -> ModelRecord:
        block = block.rows(max(len(block) - MOST_ROWS, 0), len(block))
        found = fingerprint(block)
        versions = self._versions()
        latest = self._record(versions[-1]) if versions else None
        if latest is not None and latest.fingerprint == found:
            return latest
        record = ModelRecord(
            version=versions[-1] + 1 if versions else 1,
            made_at=block.end,
            stored_at=datetime.now(UTC),
            reason=reason,
            source=source,
            rows=len(block),
            start=block.start,
            end=block.end,
            tags=block.tags,
            fingerprint=found,
            release=__version__,
        )
        self._write(record, block)
        for version in self._versions()[:-VERSIONS_KEPT]:
            self._path(version, "npz").unlink(missing_ok=True)
            self._path(version, "json").unlink(missing_ok=True)
        log.info("monitor.model_stored", version=record.version, reason=reason, rows=len(block))
        return record

    def load(self) -> tuple[ModelRecord, SampleBlock] | None:
        """The newest version that is whole; null where there is none."""
        for version in reversed(self._versions()):
            try:
                return self._read(version)
            except DataError as error:
                log.warning("monitor.model_unusable", version=version, reason=str(error))
        return None

    def records(self) -> list[ModelRecord]:
        """The journal, oldest first; versions whose rows are gone are in it too."""
        try:
            lines = (self.folder / JOURNAL).read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        found = []
        for line in lines:
            try:
                found.append(ModelRecord.model_validate_json(line))
            except ValidationError:
                log.warning("monitor.model_journal_line_unreadable")
        return found

    def _write(self, record: ModelRecord, block: SampleBlock) -> None:
        beside = self.folder / "writing.npz"
        np.savez_compressed(
            beside,
            times=block.times.astype("datetime64[us]").astype(np.int64),
            values=block.values,
            quality=block.quality,
        )
        beside.replace(self._path(record.version, "npz"))
        text = record.model_dump_json()
        with (self.folder / JOURNAL).open("a", encoding="utf-8") as journal:
            journal.write(text + "\n")
        # The record comes last: a version without one is not seen.
        note = self.folder / "writing.json"
        note.write_text(json.dumps(json.loads(text), indent=2) + "\n", encoding="utf-8")
        note.replace(self._path(record.version, "json"))

    def _read(self, version: int) -> tuple[ModelRecord, SampleBlock]:
        record = self._record(version)
        if record is None:
            raise DataError("its record cannot be read", where=str(self._path(version, "json")))
        path = self._path(version, "npz")
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                block = SampleBlock(
                    record.tags,
                    arrays["times"].astype("datetime64[us]"),
                    arrays["values"],
                    arrays["quality"],
                )
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
            raise DataError(f"its rows cannot be read: {error}", where=str(path)) from error
        if fingerprint(block) != record.fingerprint:
            raise DataError("its rows are not those it was stored with", where=str(path))
        return record, block

    def _record(self, version: int) -> ModelRecord | None:
        try:
            return ModelRecord.model_validate_json(
                self._path(version, "json").read_text(encoding="utf-8")
            )
        except (OSError, ValidationError):
            return None

    def _versions(self) -> list[int]:
        return sorted(
            int(path.stem) for path in self.folder.glob("[0-9]*.json") if path.stem.isdigit()
        )

    def _path(self, version: int, suffix: str) -> Path:
        return self.folder / f"{version:04d}.{suffix}"
