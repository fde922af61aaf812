"""How much of the machine is free, read from the kernel without a foreign library."""

from __future__ import annotations

import os
import time
from pathlib import Path

SPAN_S = 15.0
LEAST_SPAN_S = 3.0
_PROC = Path("/proc")
_CGROUP = Path("/sys/fs/cgroup")
_CGROUP_UNLIMITED = 1 << 60


class ResourceMeter:
    """Free shares of processor and memory, 0 to 1; ``None`` where the system does not tell.

    The processor's share is a mean over the last ``span_s`` seconds or more. It is not known until
    ``least_span_s`` after it was first asked for: a start is busy, which tells little of the machine.
    """

    def __init__(self, span_s: float = SPAN_S, least_span_s: float = LEAST_SPAN_S) -> None:
        self._span_s = span_s
        self._least_span_s = min(least_span_s, span_s)
        self._times: tuple[float, float] | None = None
        self._read_at = 0.0
        self._cpu_free: float | None = None

    def cpu_free_share(self) -> float | None:
        """Share of processor time that was idle."""
        if self._times is None:
            self._times, self._read_at = _cpu_times(), time.monotonic()
            return None if self._times is not None else _free_share_from_load()
        age = time.monotonic() - self._read_at
        if age < (self._least_span_s if self._cpu_free is None else self._span_s):
            return self._cpu_free
        now = _cpu_times()
        if now is None:
            return None
        idle, total = now[0] - self._times[0], now[1] - self._times[1]
        if total <= 0:
            return self._cpu_free
        self._cpu_free = min(1.0, max(0.0, idle / total))
        self._times, self._read_at = now, time.monotonic()
        return self._cpu_free

    def memory_free_share(self) -> float | None:
        """Share of memory that may still be used, of the machine or of its control group."""
        shares = [
            share for share in (_machine_memory(), _control_group_memory()) if share is not None
        ]
        return min(shares, default=None)

    def scarce(self, least: float) -> bool:
        """Whether less than a share ``least`` of processor or memory is free; unknown is not."""
        shares = (self.cpu_free_share(), self.memory_free_share())
        return any(share is not None and share < least for share in shares)


def resident_mb(pid: int | str = "self") -> float | None:
    """Resident memory of a process, MB."""
    try:
        pages = int((_PROC / str(pid) / "statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _cpu_times() -> tuple[float, float] | None:
    """Free and total processor time since boot, in ticks; niced work, our workers', gives way."""
    try:
        fields = [float(x) for x in (_PROC / "stat").read_text().splitlines()[0].split()[1:9]]
        return fields[1] + fields[3] + fields[4], sum(fields)
    except (OSError, ValueError, IndexError):
        return None


def _free_share_from_load() -> float | None:
    try:
        load = os.getloadavg()[0]
    except OSError:
        return None
    return min(1.0, max(0.0, 1.0 - load / (os.cpu_count() or 1)))


def _machine_memory() -> float | None:
    try:
        lines = (_PROC / "meminfo").read_text().splitlines()
        sizes = {line.split(":")[0]: float(line.split()[1]) for line in lines}
        return min(1.0, max(0.0, sizes["MemAvailable"] / sizes["MemTotal"]))
    except (OSError, ValueError, IndexError, KeyError, ZeroDivisionError):
        return None


def _control_group_memory() -> float | None:
    """The same for a container whose limit is below the machine's memory (control group v2)."""
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        pairs = (line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        cached = next((int(value) for name, value in pairs if name == "inactive_file"), 0)
    except (OSError, ValueError):
        return None  # no control group, or "max"
    if not 0 < limit < _CGROUP_UNLIMITED:
        return None
    return min(1.0, max(0.0, 1.0 - (used - cached) / limit))
