"""How the copilot answers, as a site configures it. All times are seconds unless the name says else."""

from __future__ import annotations

from pydantic import Field

from orchestrator.sections import Section


class ChatSettings(Section):
    """The copilot: ``POST /chat`` and ``dan-g chat``."""

    session_days: float = Field(default=30.0, gt=0)
    """Days for which a session is kept after its last turn."""
    deadline: float = Field(default=120.0, gt=0)
    """Longest time from a message to the end of its answer, s; what still runs then goes on."""
    results_share: float = Field(default=0.6, gt=0, le=1)
    """Share of that time that results may take, where a model is to put them into words."""
    heartbeat: float = Field(default=10.0, gt=0)
    """Longest silence of the stream, s; a comment breaks it."""
    whole_turns: int = Field(default=12, ge=1)
    """Turns that a model is shown whole; those before are summarised."""
