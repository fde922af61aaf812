"""Another process on the same database, run by the tests.

``rival.py outcomes URL NAME COUNT`` records an outcome for each of the jobs at once and prints the
jobs whose outcome it wrote. ``rival.py decisions URL`` stores decisions and prints the id of each
one that was acknowledged, until it is killed. ``rival.py audit URL NAME COUNT`` appends entries.
``rival.py migrate URL`` migrates.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from conftest import Maker  # the folder of a script is on its path

from orchestrator.state.database import Database
from orchestrator.state.repositories import Store


async def main(task: str, url: str, *arguments: str) -> None:
    database = await Database.open(url, Path(tempfile.gettempdir()))
    store = Store(database)
    print("ready", flush=True)
    sys.stdin.readline()
    await TASKS[task](store, *arguments)
    await store.close()
    await database.close()


async def outcomes(store: Store, name: str, count: str) -> None:
    jobs = [Maker().job(id=f"job-{number:03}") for number in range(int(count))]
    written = await asyncio.gather(
        *(store.outcomes.record(Maker().outcome(job, result={"by": name})) for job in jobs)
    )
    for job, won in zip(jobs, written, strict=True):
        if won:
            print(job.id)


async def decisions(store: Store) -> None:
    make = Maker()

    async def keep_adding() -> None:
        while True:
            decision = make.decision()
            await store.decisions.add(decision, [make.job(decision, id=f"job-of-{decision.id}")])
            print(decision.id, flush=True)

    await asyncio.gather(*(keep_adding() for _ in range(8)))


async def audit(store: Store, name: str, count: str) -> None:
    for number in range(int(count)):
        await store.audit.append(name, "count", str(number))


async def migrate(store: Store) -> None:
    await store.database.migrate()


TASKS = {"outcomes": outcomes, "decisions": decisions, "audit": audit, "migrate": migrate}

if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
