"""What an approval is bound to: the content with its steps, and the situation that matters to it.

The digest of the whole live situation changes with every sample, so that no approval would live to be
used. What matters to a set of moves is less: the plant mode, whether the data is fit for use, alerts on
the tags that are moved or limit the moves, and whether the handles still are where the moves begin.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from orchestrator.modules.optimization.safety import Approval, Proposal, Step, digest_of
from orchestrator.plant.tags import Plant, Tag
from orchestrator.state.records import ApprovalRecord, RecommendationRecord

STILL_SHARE = 0.005
"""A handle within this share of its normal range is where it was."""


def canonical(value: Any) -> Any:
    """A document as it is whatever database it was kept in: every number a float, none of them NaN."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): canonical(item) for name, item in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        return [canonical(item) for item in value]
    return str(value)


def proposal_of(
    id_: str,
    content: Mapping[str, Any],
    *,
    made_at: datetime,
    expires_at: datetime,
    digest: str | None = None,
    approvals: Sequence[ApprovalRecord] = (),
    grant_id: str | None = None,
) -> Proposal:
    """The recommendation as the safety agent looks at it.

    Args:
        id_: Of the recommendation.
        content: Its canonical content, with ``steps`` and ``relevant_situation``.
        made_at: When it was made.
        expires_at: When it expires.
        digest: The digest that was stored and approved; null computes it.
        approvals: Those given.
        grant_id: The grant in their place.
    """
    proposal = Proposal(
        id=id_,
        steps=tuple(
            Step(item["tag"], float(item["from"]), float(item["to"]), float(item["at_minutes"]))
            for item in content["steps"]
        ),
        made_by="optimization.setpoints",
        made_at=made_at,
        expires_at=expires_at,
        situation_digest=RelevantSituation.model_validate(content["relevant_situation"]).digest(),
        digest=digest or "",
        content=canonical(content),
        approvals=tuple(
            Approval(item.by, item.at, item.digest)
            for item in approvals
            if not item.void and item.grant_id is None
        ),
        grant_id=grant_id,
    )
    return proposal if digest is not None else replace(proposal, digest=digest_of(proposal))


def stored_proposal(
    record: RecommendationRecord,
    approvals: Sequence[ApprovalRecord] = (),
    grant_id: str | None = None,
) -> Proposal:
    """A kept recommendation as the safety agent looks at it, with the digest that was stored.

    Args:
        record: The recommendation.
        approvals: Those that count.
        grant_id: The grant in their place.
    """
    assert record.expires_at is not None
    return proposal_of(
        record.id,
        record.document,
        made_at=record.created_at,
        expires_at=record.expires_at,
        digest=record.digest,
        approvals=approvals,
        grant_id=grant_id,
    )


class RelevantSituation(BaseModel):
    """The facts that an approval stands on; any change of them is material.

    Attributes:
        plant_mode: The plant mode, null where nothing tells it.
        data_fit: Whether the data-quality score is at least the module's; null where it is not known.
        alerts: ``tag kind`` of each active alert on a tag that is moved or limits the moves.
        handles_away: Handles that are not where their moves begin.
    """

    model_config = ConfigDict(frozen=True)

    plant_mode: str | None = None
    data_fit: bool | None = None
    alerts: tuple[str, ...] = ()
    handles_away: tuple[str, ...] = ()

    def digest(self) -> str:
        """SHA-256 of these facts."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def changes_to(self, now: RelevantSituation) -> list[str]:
        """What is different now, in words."""
        found = []
        if now.plant_mode != self.plant_mode:
            found.append(f"the plant mode was {self.plant_mode} and is {now.plant_mode}")
        if now.data_fit != self.data_fit:
            fit = {True: "fit for use", False: "not fit for use", None: "of unknown quality"}
            found.append(f"the data was {fit[self.data_fit]} and is {fit[now.data_fit]}")
        found += [f"new alert: {alert}" for alert in now.alerts if alert not in self.alerts]
        found += [f"alert has ended: {alert}" for alert in self.alerts if alert not in now.alerts]
        moved = set(now.handles_away) - set(self.handles_away)
        found += [f"{tag} is no longer where its move begins" for tag in sorted(moved)]
        back = set(self.handles_away) - set(now.handles_away)
        found += [f"{tag} is back where its move begins" for tag in sorted(back)]
        return found


def relevant_situation(
    content: Mapping[str, Any],
    plant: Plant,
    *,
    plant_mode: str | None,
    data_fit: bool | None,
    alerts: Iterable[tuple[str, str]],
    values: Mapping[str, float | None],
) -> RelevantSituation:
    """The facts that matter to a recommendation.

    Args:
        content: The recommendation's content, with ``moves`` and ``limits_touched``.
        plant: Tags with their normal ranges and dead bands.
        plant_mode: Plant mode now.
        data_fit: Whether the data is fit for use now.
        alerts: Tag and kind of each active alert of the plant.
        values: Present values of the handles, in each tag's unit; absent or null is unknown, and a
            handle of unknown place counts as away.
    """
    touched = {*moved_tags(content), *limiting_tags(content)}
    return RelevantSituation(
        plant_mode=plant_mode,
        data_fit=data_fit,
        alerts=tuple(sorted({f"{tag} {kind}" for tag, kind in alerts if tag in touched})),
        handles_away=tuple(
            sorted(
                move["tag"]
                for move in content.get("moves", ())
                if not _near(values.get(move["tag"]), move["from"], plant.by_name.get(move["tag"]))
            )
        ),
    )


def moved_tags(content: Mapping[str, Any]) -> tuple[str, ...]:
    """The handles that a recommendation moves."""
    return tuple(move["tag"] for move in content.get("moves", ()))


def limiting_tags(content: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the limits that hold the moves back: tags, and expressions as they are written."""
    return tuple(item["limit"] for item in content.get("limits_touched", ()))


def followed(content: Mapping[str, Any], plant: Plant, values: Mapping[str, float | None]) -> bool:
    """Whether every handle is where the recommendation wants it."""
    return all(
        _near(values.get(move["tag"]), move["to"], plant.by_name.get(move["tag"]))
        for move in content.get("moves", ())
    )


def moved_elsewhere(
    content: Mapping[str, Any], plant: Plant, values: Mapping[str, float | None]
) -> tuple[str, ...]:
    """Handles that are neither at the begin of their move, nor at its end, nor between."""
    found = []
    for move in content.get("moves", ()):
        now = values.get(move["tag"])
        if now is None or not math.isfinite(now):
            continue
        low, high = sorted((move["from"], move["to"]))
        room = tolerance(plant.by_name.get(move["tag"]), move["from"])
        if not low - room <= now <= high + room:
            found.append(move["tag"])
    return tuple(sorted(found))


def tolerance(tag: Tag | None, value: float) -> float:
    """How near is as good as there, in the tag's unit: dead band, or half a percent of the normal range."""
    span = abs(value) if tag is None or tag.normal is None else tag.normal[1] - tag.normal[0]
    return max(tag.dead_band if tag is not None else 0.0, STILL_SHARE * span, 1e-9)


def _near(value: float | None, wanted: float, tag: Tag | None) -> bool:
    return (
        value is not None and math.isfinite(value) and abs(value - wanted) <= tolerance(tag, wanted)
    )
