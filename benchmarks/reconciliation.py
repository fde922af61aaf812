"""Reconciliation: time of a network, and how often the right meter is named, with its confusion table.

The steam network of 28 streams is made up here in the shape and size of published ones (a chain of
headers with make-up, users and letdowns); the published one is used instead where its file is named in
``DAN_G_STEAM_NETWORK``. Every figure comes from seeded draws of simulated noise.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.modules.base import OperationContext
from orchestrator.modules.etl.network import ReconcileInput
from orchestrator.modules.etl.reconcile import run as reconcile
from orchestrator.modules.etl.reconciled import ReconcileResult
from orchestrator.plant.tags import Plant

DRAWS = int(os.environ.get("DAN_G_DRAWS", "1000"))
SEED = 20_250
LEAST_RIGHT = 0.90
MOST_FALSE = 0.10


def run() -> dict[str, Any]:
    """Shares over the draws, mean time a network, and the confusion table as text."""
    network = Draws(_network())
    strong = [i for i, s in enumerate(network.base.streams) if s.klass == "redundant"]
    everything = list(range(len(network.base.streams)))
    started = time.perf_counter()
    named = network.biased(strong, np.random.default_rng(SEED))
    elapsed = (time.perf_counter() - started) / DRAWS
    right = sum(hit == told for hit, told, _ in named) / DRAWS
    missed = sum(told is None for _, told, _ in named) / DRAWS
    false = network.unbiased(np.random.default_rng(SEED + 1))
    over_all = network.biased(everything, np.random.default_rng(SEED + 2))
    return {
        "draws": DRAWS,
        "streams whose adjustment has half the sd": f"{len(strong)} of {len(everything)}",
        "right meter first, those": right,
        "nothing named, those": missed,
        "right meter first, all": sum(hit == told for hit, told, _ in over_all) / DRAWS,
        "false alarms without bias": false,
        "mean confidence where right": _mean(c for hit, told, c in named if hit == told),
        "mean confidence where wrong": _mean(
            c for hit, told, c in named if told not in (None, hit)
        ),
        "ms a network": 1e3 * elapsed,
        "confusion": _confusion(named),
        "confusion, all": _confusion(over_all),
        "within budget": right >= LEAST_RIGHT and false <= MOST_FALSE,
    }


class Draws:
    """Seeded measurements about the true values of a network, projected onto its balances."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._nodes = document["nodes"]
        self._streams = [dict(item) for item in document["streams"]]
        self._sd = np.array([item["sd"] for item in self._streams])
        self.base = self._solve(np.array([item["true"] for item in self._streams]))
        self._true = np.array([item.reconciled for item in self.base.streams], dtype=np.float64)

    def _solve(self, values: np.ndarray) -> ReconcileResult:
        streams = [
            {**item, "measured": float(value)}
            for item, value in zip(self._streams, values, strict=True)
        ]
        context = OperationContext(now=datetime(2025, 1, 1, tzinfo=UTC), plant=Plant())
        parameters = ReconcileInput.model_validate({"nodes": self._nodes, "streams": streams})
        return reconcile(parameters, context)

    def _draw(self, rng: np.random.Generator) -> np.ndarray:
        noise: np.ndarray = rng.normal(size=len(self._sd)) * self._sd
        return np.asarray(self._true + noise)

    def biased(
        self, candidates: list[int], rng: np.random.Generator
    ) -> list[tuple[str, str | None, float]]:
        """Biased stream, first named one or None, and its confidence, for each draw."""
        found = []
        for _ in range(DRAWS):
            index = int(rng.choice(candidates))
            values = self._draw(rng)
            values[index] += rng.choice([-1, 1]) * rng.uniform(5, 10) * self._sd[index]
            errors = self._solve(values).gross_errors
            first = errors[0] if errors else None
            found.append(
                (
                    str(self._streams[index]["id"]),
                    first.id if first else None,
                    first.confidence if first else 0.0,
                )
            )
        return found

    def unbiased(self, rng: np.random.Generator) -> float:
        """Share of draws without bias in which something is named."""
        return sum(bool(self._solve(self._draw(rng)).gross_errors) for _ in range(DRAWS)) / DRAWS


def _network() -> dict[str, Any]:
    path = os.environ.get("DAN_G_STEAM_NETWORK")
    if path:
        document: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        return document
    headers = [f"H{i}" for i in range(1, 10)]
    flow = 200.0
    streams: list[dict[str, Any]] = [_stream("boiler", None, "H1", flow)]
    for i, header in enumerate(headers):
        users = 0.04 * flow, 0.07 * flow
        for k, user in enumerate(users):
            streams.append(_stream(f"user{i + 1}{'ab'[k]}", header, None, user))
        flow -= sum(users)
        following = headers[i + 1] if i + 1 < len(headers) else None
        streams.append(_stream(f"letdown{i + 1}", header, following, flow))
    return {"nodes": headers, "streams": streams}


def _stream(name: str, source: str | None, target: str | None, flow: float) -> dict[str, Any]:
    return {"id": name, "from": source, "to": target, "true": flow, "sd": 0.025 * flow}


def _mean(values: Any) -> float:
    listed = list(values)
    return float(np.mean(listed)) if listed else float("nan")


def _confusion(named: list[tuple[str, str | None, float]]) -> str:
    """Each biased stream: how often it was named, and what was named instead."""
    rows = []
    for name in dict.fromkeys(hit for hit, *_ in sorted(named, key=lambda item: item[0])):
        told = Counter(first or "nothing" for hit, first, _ in named if hit == name)
        rest = ", ".join(f"{k} {v}" for k, v in told.most_common() if k != name)
        rows.append(f"{name} {told[name]}/{sum(told.values())}" + (f" ({rest})" if rest else ""))
    return "; ".join(rows)
