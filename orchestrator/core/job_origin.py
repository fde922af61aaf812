"""Who had a job run: the live loop by itself, or somebody who asked; kept with the job, so over a restart too."""

from __future__ import annotations

from typing import Final

from orchestrator.state.records import JobRecord

LIVE: Final = "live"
"""The policy, on the live situation, with nobody asking."""
ADVICE: Final = "advice"
"""A language model's advice beside the live loop."""
REQUEST: Final = "request"
"""A query, a chat, or a situation that was given."""


def of_way(way: str) -> dict[str, str]:
    """The origin that is kept with a job."""
    return {"way": way}


def decided_live(job: JobRecord) -> bool:
    """Whether the live loop itself decided it. What says nothing of its origin was asked for.

    What is asked for directly has no decision, so that no caller passes for the live loop by its origin.
    """
    origin = job.request.get("origin")
    way = origin.get("way") if isinstance(origin, dict) else None
    return job.decision_id is not None and way == LIVE
