"""The simulated unit behind a real OPC UA server, as a person starts it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from orchestrator.config import OpcUaSettings
from orchestrator.plant.sources.opcua import OpcUaSource
from orchestrator.plant.tags import load_plant
from orchestrator.plant.twin import PLANT_FILE
from tests.plant.opcua.conftest import ROOT, Taken

PROGRAM = "import typer; from orchestrator.commands.twin_opcua import serve; typer.run(serve)"


def test_twin_is_read_with_its_own_plant_file(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "--opcua", "--port", str(port), "--speed", "600",
         "--history", str(tmp_path / "twin.sqlite")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("SIMULATED"))
        assert f"127.0.0.1:{port}" in line
        plant = load_plant(PLANT_FILE)
        settings = OpcUaSettings(publishing_interval=0.2)
        taken = Taken(OpcUaSource(f"opc.tcp://127.0.0.1:{port}", settings, plant))
        taken.wait_until(lambda: taken.rows > 20)
        taken.close()
    finally:
        process.kill()
        process.communicate(timeout=10)
    assert taken.source.simulated
    times = np.concatenate([block.times for block in taken.blocks if len(block.tags) > 10])
    minutes = np.diff(np.unique(times)) / np.timedelta64(60, "s")
    assert np.median(minutes) == 1.0
    assert abs(time.time() - times[0].astype("datetime64[s]").astype(float)) < 86_400
