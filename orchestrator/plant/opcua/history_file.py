"""The history of a served plant: one SQLite file that survives the death of the server."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

_SCHEMA = """
CREATE TABLE IF NOT EXISTS stored (item INTEGER NOT NULL, time INTEGER NOT NULL, value REAL,
    status INTEGER NOT NULL, PRIMARY KEY (item, time)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (item INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
"""
_BETWEEN = "SELECT time, value, status FROM stored WHERE item = ? AND time >= ? AND time <= ? "
_FORWARDS = _BETWEEN + "ORDER BY time LIMIT ?"
_BACKWARDS = _BETWEEN + "ORDER BY time DESC LIMIT ?"


class Stored(NamedTuple):
    """One stored value: microseconds since 1970, value (null where bad), OPC UA status code."""

    time: int
    value: float | None
    status: int


class HistoryFile:
    """Values by item and time. Safe to use from several threads.

    Args:
        path: The file, made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._file = sqlite3.connect(path, check_same_thread=False, timeout=10)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=NORMAL")
        self._file.executescript(_SCHEMA)

    def number(self, names: Iterable[str]) -> list[int]:
        """The number of each item; new ones get one."""
        with self._lock, self._file:
            held = dict(self._file.execute("SELECT name, item FROM items"))
            wanted = list(names)
            for name in wanted:
                held.setdefault(name, len(held))
            self._file.executemany(
                "INSERT OR IGNORE INTO items (item, name) VALUES (?, ?)",
                [(held[name], name) for name in wanted],
            )
        return [held[name] for name in wanted]

    def append(self, rows: Iterable[tuple[int, int, float | None, int]]) -> None:
        """Store (item, time, value, status); durable on return."""
        with self._lock, self._file:
            self._file.executemany("INSERT OR REPLACE INTO stored VALUES (?, ?, ?, ?)", rows)

    def read(self, item: int, start: int | None, end: int | None, most: int) -> list[Stored]:
        """At most ``most`` values from ``start`` to ``end``, both included; backwards if end < start."""
        backwards = start is None or (end is not None and end < start)
        low, high = (end, start) if backwards else (start, end)
        with self._lock:
            rows = self._file.execute(
                _BACKWARDS if backwards else _FORWARDS,
                (item, -(2**62) if low is None else low, 2**62 if high is None else high, most),
            ).fetchall()
        return [Stored(*row) for row in rows]

    def newest(self) -> datetime | None:
        """The newest time stored."""
        with self._lock:
            found = self._file.execute("SELECT max(time) FROM stored").fetchone()[0]
        return None if found is None else datetime.fromtimestamp(found / 1e6, UTC)

    def everything(self) -> dict[tuple[str, int], Stored]:
        """All stored values by item name and time; for tests and small files."""
        with self._lock:
            rows = self._file.execute(
                "SELECT name, time, value, status FROM stored JOIN items USING (item)"
            ).fetchall()
        return {(name, time): Stored(time, value, status) for name, time, value, status in rows}

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._file.close()
