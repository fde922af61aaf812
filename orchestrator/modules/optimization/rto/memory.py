"""What is learned of the plant, kept between calls: one file for each model, written at once or not."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator.modules.optimization.rto.adaptation import Memory, Prediction
from orchestrator.modules.optimization.rto.history import OperatingPoint
from orchestrator.plant.economic_model import EconomicModel

VERSION = 1
MOST_POINTS = 40
SAME_SHARE = 2e-3
"""Positions that differ by less than this share of each handle's range are one."""
SAME_HOURS = 1.0


def digest_of(model: EconomicModel) -> str:
    """Names what is learned: it holds as long as handles and equations do, whatever money and limits."""
    parts = model.model_dump(
        mode="json",
        include={
            "definitions",
            "unknowns",
            "equations",
            "parameters",
            "responses",
            "measured",
        },
    )
    parts["handles"] = sorted(model.handles)
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def path_of(folder: Path, model: EconomicModel) -> Path:
    """Where the memory of a model lies in the module's own folder."""
    return folder / "set_points" / f"{digest_of(model)}.json"


def read(path: Path) -> Memory:
    """The memory; an empty one where there is none, or one of another version."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Memory()
    except (OSError, ValueError):
        return Memory()
    if not isinstance(document, dict) or document.get("version") != VERSION:
        return Memory()
    last = document["last"]
    return Memory(
        [_point(item) for item in document["points"]],
        document["radius"],
        document["centre"],
        None
        if last is None
        else Prediction(last["gain"], last["at_boundary"], tuple(last["target"])),
    )


def write(path: Path, memory: Memory) -> None:
    """Keep the memory: readers see the old file or the new one."""
    document = {
        "version": VERSION,
        "points": [
            {
                "handles": dict(p.handles),
                "measured": dict(p.measured),
                "noise": dict(p.noise),
                "fixed": dict(p.fixed),
                "at": None if p.at is None else p.at.isoformat(),
            }
            for p in memory.points
        ],
        "radius": memory.radius,
        "centre": memory.centre,
        "last": None if memory.last is None else dataclasses.asdict(memory.last),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def remember(memory: Memory, point: OperatingPoint, spans: Mapping[str, float]) -> None:
    """Add a point.

    One at the place and in the time of the last is averaged with it; past the greatest number, the
    oldest of all is forgotten that another point stands for.
    """
    if memory.points and _same_place(memory.points[-1], point, spans):
        last = memory.points.pop()
        point = _averaged(last, point) if _same_time(last, point) else point
    memory.points.append(point)
    while len(memory.points) > MOST_POINTS:
        gone = _least_telling(memory.points, spans)
        memory.points.pop(gone)
        if memory.centre >= gone:
            memory.centre = max(0, memory.centre - 1)
    memory.centre = min(memory.centre, len(memory.points) - 1)


def _same_place(one: OperatingPoint, other: OperatingPoint, spans: Mapping[str, float]) -> bool:
    return all(abs(one.handles[h] - v) <= SAME_SHARE * spans[h] for h, v in other.handles.items())


def _same_time(one: OperatingPoint, other: OperatingPoint) -> bool:
    if one.at is None or other.at is None:
        return dict(one.fixed) == dict(other.fixed)
    return abs((other.at - one.at).total_seconds()) <= SAME_HOURS * 3600.0


def _averaged(one: OperatingPoint, other: OperatingPoint) -> OperatingPoint:
    """Both measurements, each by its inverse variance; an exact one replaces the other."""
    measured, noise = dict(other.measured), dict(other.noise)
    for name, value in one.measured.items():
        first, second = one.noise.get(name, 0.0), noise.get(name, 0.0)
        if name in measured and first > 0 and second > 0:
            share = second**2 / (first**2 + second**2)
            measured[name] = share * value + (1.0 - share) * measured[name]
            noise[name] = first * second / (first**2 + second**2) ** 0.5
    return replace(other, measured=measured, noise=noise)


def _least_telling(points: list[OperatingPoint], spans: Mapping[str, float]) -> int:
    """The older one of the two points that lie nearest to each other, the last excepted."""
    nearest, found = float("inf"), 0
    for i, one in enumerate(points[:-1]):
        for other in points[i + 1 :]:
            apart = max(abs(one.handles[h] - v) / spans[h] for h, v in other.handles.items())
            if apart < nearest:
                nearest, found = apart, i
    return found


def _point(item: Mapping[str, Any]) -> OperatingPoint:
    at = item["at"]
    return OperatingPoint(
        item["handles"],
        item["measured"],
        item["noise"],
        item["fixed"],
        None if at is None else datetime.fromisoformat(at),
    )
