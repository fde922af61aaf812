"""What is proposed to be moved, and what an approval is bound to."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestrator.clock import iso, json_default
from orchestrator.plant.write_rules import RATE_WINDOW_SECONDS
from orchestrator.write_settings import TagEnvelope


@dataclass(frozen=True, slots=True)
class Step:
    """One write: ``tag`` goes from ``before`` to ``value`` (its unit) ``at_minutes`` after the begin."""

    tag: str
    before: float
    value: float
    at_minutes: float = 0.0

    def document(self) -> dict[str, Any]:
        """The step as JSON."""
        return {
            "tag": self.tag,
            "from": self.before,
            "to": self.value,
            "at_minutes": self.at_minutes,
        }


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's approval of the content with this digest; of no other."""

    by: str
    at: datetime
    digest: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """Moves that somebody or something proposes.

    Attributes:
        id: Of the recommendation.
        steps: In the order in which they are made.
        made_by: The operation or person.
        made_at: When.
        expires_at: The proposal is void from then on.
        situation_digest: Digest of the situation that it was made for.
        digest: What was approved; equals :func:`digest_of` of it unless it was changed since.
        content: What else the approver was shown: worth, evidence, risk.
        approvals: Given so far.
        grant_id: The autonomous grant to be used where nobody approved.
    """

    id: str
    steps: tuple[Step, ...]
    made_by: str
    made_at: datetime
    expires_at: datetime
    situation_digest: str
    digest: str
    content: Mapping[str, Any] = field(default_factory=dict)
    approvals: tuple[Approval, ...] = ()
    grant_id: str | None = None


def digest_of(proposal: Proposal) -> str:
    """SHA-256 over the canonical content of a proposal and the situation that it was made for.

    Covered is everything but the digest itself, the approvals and the grant. Canonical is JSON with
    sorted keys and without spaces.
    """
    document = {
        "id": proposal.id,
        "steps": [step.document() for step in proposal.steps],
        "made_by": proposal.made_by,
        "made_at": iso(proposal.made_at),
        "expires_at": iso(proposal.expires_at),
        "situation_digest": proposal.situation_digest,
        "content": dict(proposal.content),
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), default=json_default)
    return hashlib.sha256(text.encode()).hexdigest()


def ramp(
    tag: str, before: float, value: float, own: TagEnvelope, *, start_minutes: float = 0.0
) -> tuple[Step, ...]:
    """The fewest equal steps from one value to another that keep the rate and the interval of a tag.

    They are as far apart as they must be and no further: a step is made no earlier than so long after the
    end of the one before, and one that comes late moves those after it.
    """
    way = value - before
    count = max(1, math.ceil(abs(way) / own.max_rate - 1e-9))
    apart = max(RATE_WINDOW_SECONDS, own.min_interval) / 60.0
    places = [before + way * i / count for i in range(count)] + [value]
    return tuple(
        Step(tag, places[i], places[i + 1], start_minutes + i * apart) for i in range(count)
    )
