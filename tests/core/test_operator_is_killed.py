"""``kill -9`` while moves are written: no step twice, none too fast, and nothing goes on unasked."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path

import operate
import pytest

SUPPORT = Path(operate.__file__).parent
RATES = {"A_SP": 1.0, "B_SP": 2.0}


def live(folder: Path, url: str, seconds: float | None) -> list[str]:
    """One life, killed ``seconds`` after it opened; what it said."""
    path = os.pathsep.join([str(SUPPORT), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, operate.__file__, str(folder), url],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        assert process.stdout is not None
        killer = threading.Timer(seconds if seconds is not None else 120, process.kill)
        said = []
        for line in process.stdout:
            said.append(line.strip())
            if line.startswith("opened") and not killer.is_alive():
                killer.start()
        process.wait()
        killer.cancel()
    if seconds is None:
        assert process.returncode == 0
    return said


@pytest.mark.parametrize(("database", "kills"), [("sqlite", 3), ("postgresql", 1)])
def test_a_killed_process_leaves_nothing_that_is_written_twice(
    tmp_path: Path, database: str, kills: int, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if database == "postgresql" else ""
    chance = random.Random(20)
    states = []
    for _ in range(kills):
        said = live(tmp_path, url, chance.uniform(0.05, 0.5))
        states += [line.split()[1] for line in said if line.startswith("opened")]
    assert live(tmp_path, url, None)[-1] == "ended completed"
    # Whatever had begun was found held, and a person let it go on.
    assert set(states[1:]) <= {"awaiting_approval", "held", "verifying", "completed"}
    lines = [line.split() for line in (tmp_path / "plant.log").read_text().splitlines()]
    for tag, begin, end in (("A_SP", 100.0, 109.0), ("B_SP", 50.0, 58.0)):
        written = [(datetime.fromisoformat(at), float(v)) for at, name, v in lines if name == tag]
        values = [begin, *(value for _, value in written)]
        assert values[-1] == end
        assert len(set(values)) == len(values)
        assert all(0 < b - a <= RATES[tag] + 1e-9 for a, b in itertools.pairwise(values))
        gaps = [b - a for (a, _), (b, _) in itertools.pairwise(written)]
        assert min(gaps) >= timedelta(minutes=1)
