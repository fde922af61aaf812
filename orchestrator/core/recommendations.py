"""Turns proposed set points into the content of a recommendation: moves, worth, evidence, limits and risk."""

from __future__ import annotations

from typing import Any

from orchestrator.clock import iso
from orchestrator.state.records import OutcomeRecord

PROPOSING_OPERATIONS = frozenset({"setpoints"})
RISK = (
    "the moves stand on a steady-state model placed at the present point; what it does not hold is "
    "seen in the plant's response alone"
)
CARRIED = (
    "kind",
    "path",
    "worth_interval",
    "chance_of_gain",
    "back_offs",
    "parameters",
    "modifiers",
    "trust_region",
)
"""Fields of the result that go with the recommendation as they are, where the operation gives them."""


def content_of(outcome: OutcomeRecord, situation_digest: str | None) -> dict[str, Any] | None:
    """The content of the recommendation that an outcome holds; null where nothing is to be moved.

    Args:
        outcome: Of an operation that proposes moves.
        situation_digest: Of the situation that its decision was made on.
    """
    result = outcome.result or {}
    moves = result.get("moves") or []
    proposes = outcome.module == "optimization" and outcome.operation in PROPOSING_OPERATIONS
    if not proposes or outcome.status != "succeeded" or not moves:
        return None
    if result.get("iterates"):
        return None  # they are moves on a plant that was simulated for this run alone
    return {
        "moves": moves,
        "worth_usd_per_day": result.get("worth_usd_per_day"),
        "limits_touched": result.get("binding", []),
        "expected_response": result.get("expected", {}),
        "status": result.get("status"),
        "summary": result.get("summary"),
        "warnings": list(result.get("warnings", ())),
        "evidence": [
            {
                "source": f"{outcome.module}.{outcome.operation}",
                "job_id": outcome.job_id,
                "decision_id": outcome.decision_id,
                "time": iso(outcome.ended_at),
            }
        ],
        "risk": RISK,
        "situation_digest": situation_digest,
        **{name: result[name] for name in CARRIED if result.get(name) is not None},
    }
