"""Statistics of decisions: what SQL counts is what a plain count over the records gives."""

from __future__ import annotations

import math
import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.state.records import DecisionRecord, FeedbackRecord, OutcomeRecord
from orchestrator.state.repositories import Store
from tests.state.conftest import T0, Maker

OPERATIONS = ("etl.validate", "forecasting.forecast", "optimization.setpoints")
TRIGGERS = ("margin_drop", "crack_spread", "limit_predicted")
WINDOWS: list[Any] = [
    (None, None),
    (T0 + timedelta(minutes=50), None),
    (None, T0 + timedelta(minutes=100)),
    (T0 + timedelta(minutes=50), T0 + timedelta(minutes=100)),
    (T0 + timedelta(days=1), None),
]


def nearest_rank(values: list[float], share: float) -> float | None:
    return sorted(values)[math.ceil(round(share * len(values), 9)) - 1] if values else None


class History:
    """A random history, and the statistics of it counted one by one."""

    def __init__(self, make: Maker, seed: int) -> None:
        chance = random.Random(seed)
        self.decisions: list[DecisionRecord] = []
        self.outcomes: list[OutcomeRecord] = []
        self.feedback: list[FeedbackRecord] = []
        self.jobs: list[Any] = []
        for minute in range(150):
            decision = make.decision(
                minutes=minute,
                actions=tuple(chance.sample(OPERATIONS, chance.randint(0, 3))),
                triggers=tuple(chance.sample(TRIGGERS, chance.randint(0, 3))),
                confidence=chance.choice([0.0, 0.1, 0.3, 0.55, 0.7, 0.799, 0.95, 1.0]),
                decided_by=chance.choice(["policy", "advisor"]),
                dry_run=chance.random() < 0.2,
            )
            self.decisions.append(decision)
            for action in decision.document["actions"]:
                job = make.job(decision, module=action["module"], operation=action["operation"])
                self.jobs.append(job)
                self.outcomes.append(
                    make.outcome(
                        job,
                        status=chance.choice(
                            ["succeeded"] * 5 + ["failed", "timed_out", "cancelled"]
                        ),
                        seconds=chance.choice([0.5, 1.0, 2.5, chance.uniform(0, 60)]),
                        ended_at=T0 + timedelta(minutes=minute + chance.random()),
                    )
                )
            if chance.random() < 0.3:
                benefit = chance.choice([None, 100.0, -25.5])
                verdict: Any = chance.choice(["right", "wrong"])
                at = T0 + timedelta(minutes=minute)
                self.feedback.append(
                    FeedbackRecord(f"f{minute}", decision.id, at, verdict, benefit)
                )

    async def keep(self, store: Store) -> None:
        for decision in self.decisions:
            jobs = [job for job in self.jobs if job.decision_id == decision.id]
            await store.decisions.add(decision, jobs)
        for outcome in self.outcomes:
            await store.outcomes.record(outcome)
        for one in self.feedback:
            await store.feedback.add(one)

    def statistics(self, since: Any, until: Any) -> dict[str, Any]:
        def within(time: Any) -> bool:
            return (since is None or time >= since) and (until is None or time < until)

        made = [one for one in self.decisions if within(one.created_at)]
        said = [one for one in self.feedback if within(one.created_at)]
        benefits = [one.benefit_usd for one in said if one.benefit_usd is not None]
        bins = Counter(min(int(one.confidence * 10), 9) for one in made)
        return {
            "decisions": len(made),
            "dry_runs": sum(one.dry_run for one in made),
            "mean_confidence": pytest.approx(sum(one.confidence for one in made) / len(made))
            if made
            else None,
            "without_action": sum(not one.document["actions"] for one in made),
            "by_decided_by": Counter(one.decided_by for one in made),
            "by_trigger": Counter(t["name"] for one in made for t in one.document["triggers"]),
            "by_operation": Counter(
                f"{a['module']}.{a['operation']}" for one in made for a in one.document["actions"]
            ),
            "confidence": [bins[number] for number in range(10)],
            "outcomes": self.outcome_statistics(
                [one for one in self.outcomes if within(one.ended_at)]
            ),
            "feedback": {
                "right": sum(one.verdict == "right" for one in said),
                "wrong": sum(one.verdict == "wrong" for one in said),
                "unclear": 0,
                "benefit_usd": sum(benefits) if benefits else None,
            },
        }

    def outcome_statistics(self, ended: list[OutcomeRecord]) -> dict[str, Any]:
        found = {}
        for name in {f"{one.module}.{one.operation}" for one in ended}:
            own = [one for one in ended if f"{one.module}.{one.operation}" == name]
            statuses = Counter(one.status for one in own)
            finished = len(own) - statuses["cancelled"]
            seconds = [one.seconds for one in own if one.status == "succeeded"]
            found[name] = {
                "count": len(own),
                **{
                    status: statuses[status]
                    for status in ("succeeded", "failed", "timed_out", "cancelled")
                },
                "success_rate": statuses["succeeded"] / finished if finished else None,
                "median_seconds": nearest_rank(seconds, 0.5),
                "p95_seconds": nearest_rank(seconds, 0.95),
            }
        return found


async def test_sql_counts_what_a_plain_count_gives(store: Store, make: Maker) -> None:
    history = History(make, seed=7)
    await history.keep(store)
    for since, until in WINDOWS:
        found = await store.decisions.analytics(since, until)
        bins = found.pop("confidence")
        expected = history.statistics(since, until)
        assert [one["count"] for one in bins] == expected.pop("confidence")
        assert found == expected


async def test_bins_of_confidence_cover_0_to_1(store: Store) -> None:
    bins = (await store.decisions.analytics())["confidence"]
    assert [(one["from"], one["to"]) for one in bins] == [
        (number / 10, (number + 1) / 10) for number in range(10)
    ]
    assert sum(one["count"] for one in bins) == 0


@pytest.mark.parametrize("size", [1, 2, 19, 20, 21, 40])
async def test_percentiles_are_values_that_were_seen(store: Store, make: Maker, size: int) -> None:
    jobs = [make.job() for _ in range(size)]
    await store.jobs.add(*jobs)
    seconds = [float(3 * number + 1) for number in range(size)]
    random.Random(size).shuffle(seconds)
    for job, value in zip(jobs, seconds, strict=True):
        await store.outcomes.record(make.outcome(job, seconds=value))
    found = (await store.decisions.analytics())["outcomes"]["forecasting.forecast"]
    assert found["median_seconds"] == nearest_rank(seconds, 0.5)
    assert found["p95_seconds"] == nearest_rank(seconds, 0.95)
