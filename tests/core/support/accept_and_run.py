"""A service in miniature, to be killed: ``accept_and_run.py FOLDER URL FIRST COUNT``.

Prints ``opening``, opens, accepts COUNT requests, half of them single jobs and half decisions of
two, and prints ``accepted`` and the ids of each as soon as it is told that they are. Then waits until everything it knows of has ended, and
prints ``all ended``.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from coordinating import Opened, opened, settings_for

from orchestrator.core.decision import Action, Decision
from orchestrator.state.records import DecisionRecord, JobRecord


def _decision(identity: str, ledger: Path) -> tuple[DecisionRecord, Decision]:
    now = datetime.now(UTC)
    actions = tuple(
        Action(module="counting", operation=name, parameters=parameters, depends_on=after)
        for name, parameters, after in (
            ("count", {"file": str(ledger), "seconds": 0.02}, ()),
            ("report", {"seconds": 0.02}, ("counting.count",)),
        )
    )
    decision = Decision(
        id=identity, created_at=now, situation_digest="", actions=actions, confidence=1,
        rationale="", policy_version="1", latency_ms=0,
    )  # fmt: skip
    record = DecisionRecord(
        id=identity, created_at=now, decided_by="policy", confidence=1, policy_version="1",
        situation_digest="", dry_run=False, document=decision.model_dump(mode="json"),
        situation={},
    )  # fmt: skip
    return record, decision


async def _accept(service: Opened, ledger: Path, number: int) -> list[JobRecord]:
    if number % 2:
        return await service.coordinator.submit(*_decision(f"decision-{number}", ledger))
    parameters = {"file": str(ledger), "seconds": 0.05}
    return [await service.coordinator.invoke("counting", "count", parameters)]


async def main(folder: Path, url: str | None, first: int, count: int) -> None:
    """Accept, tell, run."""
    print("opening", flush=True)
    settings = settings_for(url, modules={"counting": {"max_concurrency": 2}})
    async with opened(folder, settings) as service:
        for number in range(first, first + count):
            jobs = await _accept(service, folder / "ledger", number)
            print("accepted", *(job.id for job in jobs), flush=True)
        for job in await service.store.jobs.unfinished():
            await service.coordinator.wait(job.id, 60)
        print("all ended", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2] or None, int(sys.argv[3]), int(sys.argv[4])))
