"""The safety agent's check of ten steps, without and with rehearsal on the plant file's model.

The reference is what an approval must be bound to anyway: the SHA-256 digest of the proposal's content.
Every figure is the median of five rounds, in which check and reference take turns, in processor time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.modules.optimization.safety import (
    Approval,
    Proposal,
    SteadyRehearsal,
    check,
    digest_of,
    ramp,
)
from orchestrator.plant.envelope import Envelope
from orchestrator.plant.samples import Quality
from orchestrator.plant.tags import load_plant
from orchestrator.plant.twin import PLANT_FILE
from orchestrator.plant.write_facts import ActiveAlert, Facts, PastMove, TagValue
from orchestrator.write_settings import Interlock, TagEnvelope, WriteSettings

ROUNDS = 5
REPEATS = 300
MOST_MS = 1.0
NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)


def run() -> dict[str, Any]:
    """Times in ms, and ratios to the digest."""
    plant = load_plant(PLANT_FILE)
    own = TagEnvelope(
        hard=(560, 630),
        max_rate=2,
        max_move=20,
        max_cumulative=200,
        tolerance=0.1,
        reads=("FI101",),
    )
    settings = WriteSettings(
        tags={"FC101_SP": own}, interlocks=(Interlock(name="tube skin", when="TI131 < 540.0"),)
    )
    envelope = Envelope.of(settings, plant)
    facts = Facts(
        at=NOW,
        values={
            tag.name: TagValue(sum(tag.normal or (1.0, 1.0)) / 2, Quality.GOOD, NOW)
            for tag in plant
        },
        plant_mode="steady",
        data_quality=0.97,
        alerts=tuple(ActiveAlert((tag.name,), "anomaly", "low") for tag in plant.tags[:20]),
        moves=tuple(PastMove("FC101_SP", NOW - timedelta(minutes=5 + i), 1.0) for i in range(50)),
        situation_digest="s",
        write_enabled=True,
    )
    present = facts.values["FC101_SP"].value or 0.0
    proposal = Proposal(
        id="r1",
        steps=ramp("FC101_SP", present, present + 20, own),
        made_by="benchmark",
        made_at=NOW,
        expires_at=NOW + timedelta(hours=4),
        situation_digest="s",
        digest="",
    )
    proposal = replace(proposal, digest=digest_of(proposal))
    proposal = replace(proposal, approvals=(Approval("A. Operator", NOW, proposal.digest),))
    assert len(proposal.steps) == 10
    rehearse = SteadyRehearsal(plant)
    rounds = [
        {
            "digest": _milliseconds(lambda: digest_of(proposal)),
            "check": _milliseconds(lambda: check(proposal, facts, envelope)),
            "check with rehearsal": _milliseconds(
                lambda: check(proposal, facts, envelope, rehearse=rehearse)
            ),
        }
        for _ in range(ROUNDS)
    ]
    middle = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    return {
        **{f"{name}, ms": value for name, value in middle.items()},
        "check over digest": middle["check"] / middle["digest"],
        "check with rehearsal over digest": middle["check with rehearsal"] / middle["digest"],
        "within budget": middle["check"] < MOST_MS,
    }


def _milliseconds(what: Callable[[], object]) -> float:
    started = time.thread_time()
    for _ in range(REPEATS):
        what()
    return (time.thread_time() - started) / REPEATS * 1000
