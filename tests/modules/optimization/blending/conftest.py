"""Blending problems: published ones where they are at hand, and small ones to change."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.modules.base import OperationContext
from orchestrator.modules.optimization.blending.blend import run
from orchestrator.modules.optimization.blending.problem import BlendInput
from orchestrator.modules.optimization.blending.result import BlendResult

CASES = Path(__file__).parents[4].parent / "shared" / "cases" / "pooling"


@pytest.fixture
def pooling_case():
    """``pooling_case(name)``: a published pooling problem; skips where these are absent."""

    def read(name: str) -> dict[str, Any]:
        path = CASES / f"{name}.json"
        if not path.is_file():
            pytest.skip(f"reference data is absent: {path}")
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return document

    return read


@pytest.fixture
def blend(bare: OperationContext):
    """``blend(problem, **more)``: the result of the operation."""

    def solve(problem: dict[str, Any], **more: Any) -> BlendResult:
        return run(BlendInput.model_validate(problem | more), bare)

    return solve


@pytest.fixture
def pooled() -> dict[str, Any]:
    """Two feeds that must be pooled and one that need not (Haverly, ACM SIGMAP Bulletin 25, 1978)."""
    return copy.deepcopy(
        {
            "feeds": [
                {"id": "sour", "price": 6, "quality": {"sulphur": 3}},
                {"id": "sweet", "price": 16, "quality": {"sulphur": 1}},
                {"id": "middle", "price": 10, "quality": {"sulphur": 2}},
            ],
            "pools": [{"id": "tank"}],
            "products": [
                {"id": "x", "max": 100, "price": 9, "quality_max": {"sulphur": 2.5}},
                {"id": "y", "max": 200, "price": 15, "quality_max": {"sulphur": 1.5}},
            ],
            "arcs": {
                "feed_to_pool": [
                    {"feed": "sour", "pool": "tank"},
                    {"feed": "sweet", "pool": "tank"},
                ],
                "pool_to_product": [
                    {"pool": "tank", "product": "x"},
                    {"pool": "tank", "product": "y"},
                ],
                "feed_to_product": [
                    {"feed": "middle", "product": "x"},
                    {"feed": "middle", "product": "y"},
                ],
            },
        }
    )
