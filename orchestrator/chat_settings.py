"""How the copilot answers, as a site configures it. All times are seconds unless the name says else."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from orchestrator.sections import Section


class ChatSettings(Section):
    """The copilot: ``POST /chat`` and ``dan-g chat``."""

    session_days: float = Field(default=30.0, gt=0)
    """Days for which a session is kept after its last turn."""
    deadline: float = Field(default=120.0, gt=0, le=600)
    """Longest time from a message to the end of its answer, s; what still runs then goes on."""
    results_share: float = Field(default=0.6, gt=0, le=1)
    """Share of that time that results may take, where a model is to put them into words."""
    heartbeat: float = Field(default=10.0, gt=0)
    """Longest silence of the stream, s; a comment breaks it."""
    whole_turns: int = Field(default=12, ge=1)
    """Turns that a model is shown whole; those before are summarised."""
    timezone: str = "UTC"
    """IANA zone of the site, in which shifts and days begin."""
    shift_starts: tuple[str, ...] = Field(default=("06:00", "14:00", "22:00"), min_length=1)
    """When shifts begin, HH:MM in the site's zone."""

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, KeyError) as error:
            raise ValueError(
                f"no time zone {value!r}; give an IANA name such as Europe/Berlin"
            ) from error
        return value

    @field_validator("shift_starts")
    @classmethod
    def _times(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if not re.fullmatch(r"(?:[01]\d|2[0-3]):[0-5]\d", text):
                raise ValueError(f"{text!r} is no time of day; give HH:MM")
        if len(set(value)) != len(value):
            raise ValueError("two shifts begin at one time")
        return tuple(sorted(value))
