"""One life of the operator agent over the small plant: ``operate.py FOLDER URL``; killed from outside.

The plant outlives the process: its set points and its clock are in files, and each write that reaches
it is a line of ``plant.log``.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from operating import T0, Operating, SmallPlant

from orchestrator.clock import PlantClock
from orchestrator.state.database import Database
from orchestrator.state.repositories import Store


class LastingPlant(SmallPlant):
    """Keeps its set points and the time of day in a folder."""

    def __init__(self, clock: PlantClock, folder: Path) -> None:
        self._folder = folder
        kept = folder / "set_points.json"
        super().__init__(clock, json.loads(kept.read_text()) if kept.exists() else None)

    async def write(self, tag: str, value: float) -> None:
        # Some writes take a while, so that the end of the process may fall into them.
        await asyncio.sleep(0.01)
        self._keep("set_points.json", json.dumps({**self.set_points, tag: value}))
        with (self._folder / "plant.log").open("a") as log:
            log.write(f"{self.clock.now().isoformat()} {tag} {value!r}\n")
        await super().write(tag, value)
        await asyncio.sleep(0.01)

    def row(self, noise: float) -> list[float]:
        self._keep("time", self.clock.now().isoformat())
        return super().row(noise)

    def _keep(self, name: str, text: str) -> None:
        made = self._folder / f"{name}.new"
        made.write_text(text)
        made.replace(self._folder / name)


async def main(folder: Path, url: str | None) -> None:
    database = await Database.open(url, folder)
    await database.migrate()
    store = Store(database)
    time = folder / "time"
    clock = PlantClock(datetime.fromisoformat(time.read_text()) if time.exists() else T0)
    moves: tuple[Any, ...] = (("A_SP", 100.0, 109.0, "degC"), ("B_SP", 50.0, 58.0, "t/h"))
    op = Operating(store, folder, clock=clock, plant=LastingPlant(clock, folder), settle_minutes=5)
    await op.start(0 if time.exists() else 60)
    page = await store.recommendations.list()
    record = page.items[0] if page.items else await op.offered(moves=moves)
    print("opened", record.state, flush=True)
    while True:
        state = await op.state(record)
        print("state", state, flush=True)
        if state in ("completed", "rolled_back"):
            break
        if state == "awaiting_approval":
            await op.desk.approve(record.id, "Anna", record.digest)
        if state == "held":
            for write in await store.writes.open_writes():
                moved = op.plant.set_points[write.tag] == write.value
                end: Literal["done", "not_done"] = "done" if moved else "not_done"
                await op.desk.settle(write.id, end, "Anna", "seen at the panel")
            await op.desk.resume(record.id, "Anna", "go on")
        await op.run(1)
    print("ended", state, flush=True)
    op.close()
    await store.close()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2] or None))
    os._exit(0)
