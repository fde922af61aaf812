"""Fitted models of a home, kept by series and version, so that the next forecast need not fit again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.forecasting.candidate import Array, Candidate
from orchestrator.modules.forecasting.series import History

VERSIONS_KEPT = 3
SERIES_KEPT = 2000
FORMAT = 1
LIBRARIES = ("dan-g-orchestrator", "numpy", "statsforecast", "mlforecast", "lightgbm")


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of a fitted model, with what it was learned from.

    Attributes:
        number: Version, counted from 1 for each series.
        fitted_at: Plant time at which it was fitted, ISO 8601 UTC.
        model: The fitted model as bytes; :meth:`load` gives it back.
        fields: The rest of the selection, by name.
        values: History that it was learned from, ``(n,)``.
        known: Known inputs on that history and the steps ahead, if any.
        past: Past inputs on that history, if any.
        last_time: Time of its last value.
        season: Season length then.
    """

    number: int
    fitted_at: str
    model: bytes
    fields: Mapping[str, Any]
    values: Array
    known: Array | None
    past: Array | None
    last_time: np.datetime64
    season: int
    withdrawn: bool = False
    fingerprint: str = field(default="")

    def load(self) -> Candidate:
        """The fitted model."""
        found: Candidate = pickle.loads(self.model)  # noqa: S301  written by this home itself
        return found

    def rows_since(self, history: History) -> int | None:
        """How many rows ``history`` has beyond what this was learned from.

        ``None`` where it is not the same series continued: values were revised, it ends earlier, its
        season is another, or inputs differ.
        """
        ahead = (history.last_time - self.last_time).astype("timedelta64[us]").astype(np.int64)
        steps = round(float(ahead) / 1e6 / history.period)
        if steps < 0 or history.season != self.season:
            return None
        end = int(np.searchsorted(history.kept, -steps, side="right"))
        count = min(end, len(self.values))
        if count < len(self.values) // 2:
            return None
        same = np.array_equal(history.values[end - count : end], self.values[-count:])
        for now, then in (
            (history.inputs.known, self.known),
            (history.inputs.past, self.past),
        ):
            if now is not None and then is not None:
                before = then[: len(self.values)]
                same = same and np.array_equal(now[end - count : end], before[-count:])
            elif now is not then:
                return None
        return len(history.values) - end if same else None

    def same_plan(self, history: History) -> bool:
        """Whether the known inputs of the horizon are those that the stored forecast was made with."""
        known = history.inputs.known
        if known is None or self.known is None:
            return known is self.known
        ahead, before = known[len(history.values) :], self.known[len(self.values) :]
        return np.array_equal(ahead, before)


class ModelStore:
    """The folder of a home in which fitted models lie; without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def recall(self, key: str) -> list[Stored]:
        """Versions of a series, newest first; what cannot be read counts as absent."""
        if self._folder is None:
            return []
        try:
            with (self._folder / f"{key}.pkl").open("rb") as file:
                found: list[Stored] = pickle.load(file)  # noqa: S301  written by this home itself
        except (OSError, pickle.UnpicklingError, AttributeError, EOFError, ImportError, TypeError):
            return []
        return found

    def keep(self, key: str, versions: list[Stored]) -> None:
        """Keep the newest versions; a reader sees all of them or those before."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                pickle.dump(versions[:VERSIONS_KEPT], file, protocol=pickle.HIGHEST_PROTOCOL)
            Path(name).replace(self._folder / f"{key}.pkl")
            self._forget()
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise

    def _forget(self) -> None:
        """Remove the series that were not fitted for longest, beyond :data:`SERIES_KEPT`."""
        assert self._folder is not None
        files = list(self._folder.glob("*.pkl"))
        if len(files) <= SERIES_KEPT:
            return
        with contextlib.suppress(FileNotFoundError):
            for path in sorted(files, key=lambda file: file.stat().st_mtime)[:-SERIES_KEPT]:
                path.unlink(missing_ok=True)


def key_of(history: History, steps: int, **settings: Any) -> str:
    """Name of a series in the store: what it is, how far ahead, with which inputs and libraries."""
    what = {
        "format": FORMAT,
        "tag": history.tag,
        "period": history.period,
        "steps": steps,
        "known": history.inputs.known_names,
        "past": history.inputs.past_names,
        "libraries": {name: _installed(name) for name in LIBRARIES},
        **settings,
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:32]


def fingerprint(history: History) -> str:
    """SHA-256 of the values and times that a model is learned from."""
    digest = hashlib.sha256(history.values.tobytes())
    digest.update(str(history.last_time).encode())
    parts: tuple[NDArray[Any] | None, ...] = (
        history.kept,
        history.inputs.known,
        history.inputs.past,
    )
    for part in parts:
        digest.update(b"" if part is None else np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def withdrawn(stored: Stored) -> Stored:
    """The version marked as worse than the one before it."""
    return replace(stored, withdrawn=True)


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
