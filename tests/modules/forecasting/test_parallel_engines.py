"""The same forecasts on processes and on Ray, and what happens where Ray is not there."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

from orchestrator.errors import UnknownTagError
from orchestrator.modules.forecasting.batch import forecast_all
from orchestrator.modules.forecasting.chunks import MAX_TARGETS, chunks_of
from orchestrator.modules.forecasting.series import plan
from orchestrator.modules.frames import Frame
from orchestrator.simple_forecasting_script_parallel import main

ROOT = Path(__file__).parents[3]
SCRIPT = "orchestrator/simple_forecasting_script_parallel.py"
TIMES = np.datetime64("2025-01-01", "us") + np.arange(60) * np.timedelta64(86_400, "s")

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed (extra ray)"
)


def frame(tags: int) -> Frame:
    values = np.random.default_rng(1).normal(size=(60, tags)).cumsum(axis=0)
    return Frame(TIMES, tuple(f"T{i}" for i in range(tags)), values)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    table = frame(5)
    path = tmp_path / "plant.csv"
    columns = dict(zip(table.names, table.values.T, strict=True))
    csv.write_csv(pa.table({"time": TIMES, **columns, "stuck": np.full(60, 7.0)}), path)
    return path


@pytest.mark.parametrize(("tags", "processes"), [(1, 1), (5, 2), (200, 2), (40, 64)])
def test_chunks_hold_every_target_once_and_few_columns(tags: int, processes: int):
    whole = frame(tags)
    chunks = list(chunks_of(whole, whole.names, processes))
    assert [name for chunk in chunks for name in chunk.targets] == list(whole.names)
    assert np.array_equal(np.hstack([chunk.values for chunk in chunks]), whole.values)
    assert max(chunk.values.shape[1] for chunk in chunks) <= MAX_TARGETS
    assert len(chunks) >= min(tags, 2 * processes)


def test_chunks_are_cut_as_they_are_asked_for():
    """Else all columns of a wide file would be in memory twice."""
    whole = frame(200)
    chunks = chunks_of(whole, [*whole.names, "absent"], 2)
    assert len(next(chunks).targets) < 20
    with pytest.raises(UnknownTagError):
        list(chunks)


def test_an_unknown_target_is_refused_before_anything_starts():
    whole = frame(3)
    with pytest.raises(UnknownTagError, match="absent"):
        next(forecast_all(whole, ["T0", "absent"], plan(whole, 3, None), jobs=2))


def test_all_takes_every_numeric_column(data: Path, tmp_path: Path, capsys):
    arguments = ["--data", str(data), "--targets", "all", "--horizon", "2", "--jobs", "1"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().err
    assert "5 of 6 targets" in told
    assert "stuck: the value never changes" in told


@needs_ray
def test_ray_gives_the_same_table_with_the_same_call(data: Path, tmp_path: Path):
    tables = []
    for engine in ("local", "ray"):
        out = tmp_path / engine
        command = [sys.executable, SCRIPT, "--data", str(data), "--targets", "all", "--horizon",
                   "4", "--jobs", "2", "--engine", engine, "--out", str(out)]  # fmt: skip
        done = subprocess.run(
            command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=170
        )
        assert done.returncode == 0, done.stderr
        assert "6/6" in done.stderr
        assert "stuck: the value never changes" in done.stderr
        tables.append((out / "forecast.csv").read_bytes())
    assert tables[0] == tables[1]
    assert tables[0].count(b"\n") == 1 + 5 * 4


@needs_ray
@pytest.mark.parametrize(
    ("address", "code", "text"),
    [("127.0.0.1:{closed}", 5, "no Ray cluster answers"), ("head", 2, "is no address")],
)
def test_a_cluster_that_is_not_there_is_said_at_once(
    data: Path, tmp_path: Path, capsys, address, code, text
):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = free.getsockname()[1]
    given = ["--engine", "ray", "--ray-address", address.format(closed=closed)]
    began = time.monotonic()
    arguments = ["--data", str(data), "--targets", "T0", "--horizon", "2", "--out", str(tmp_path)]
    assert main([*arguments, *given]) == code
    assert time.monotonic() - began < 20
    assert text in capsys.readouterr().err
    assert not (tmp_path / "forecast.csv").exists()


@needs_ray
@pytest.mark.slow
def test_a_running_cluster_that_asks_for_a_token_gives_the_same_table(data: Path, tmp_path: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    # Ray's sockets have to have short paths
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16),
                   "RAY_USAGE_STATS_ENABLED": "0"}  # fmt: skip
    head = [str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", "--port", port,
            "--num-cpus", "2", "--include-dashboard=false", "--temp-dir", str(folder)]  # fmt: skip
    tables = []
    with subprocess.Popen(
        head, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as cluster:
        try:
            end = time.monotonic() + 90
            while time.monotonic() < end and cluster.poll() is None:
                with socket.socket() as trial:
                    if trial.connect_ex(("127.0.0.1", int(port))) == 0:
                        break
                time.sleep(0.5)
            for more in ([], ["--engine", "ray", "--ray-address", f"127.0.0.1:{port}"]):
                out = tmp_path / str(len(more))
                command = [sys.executable, SCRIPT, "--data", str(data), "--targets", "all",
                           "--horizon", "4", "--models", "fast", "--out", str(out)]  # fmt: skip
                done = subprocess.run(
                    [*command, *more],
                    check=False,
                    cwd=ROOT,
                    capture_output=True,
                    text=True,
                    timeout=120,
                    env=environment,
                )
                assert done.returncode == 0, done.stderr
                tables.append((out / "forecast.csv").read_bytes())
        finally:
            cluster.send_signal(signal.SIGINT)
            cluster.wait(60)
            shutil.rmtree(folder, ignore_errors=True)
    assert tables[0] == tables[1]


def test_an_address_without_the_engine_is_a_mistake(data: Path, tmp_path: Path, capsys):
    arguments = ["--data", str(data), "--targets", "T0", "--horizon", "2", "--out", str(tmp_path)]
    assert main([*arguments, "--ray-address", "head:6379"]) == 2
    assert "Add --engine ray" in capsys.readouterr().err


def test_without_ray_the_error_says_how_to_get_it(data: Path, tmp_path: Path):
    """A folder before all others, in which ``ray`` cannot be imported, stands for its absence."""
    (tmp_path / "ray.py").write_text("raise ImportError('absent')\n")
    command = [sys.executable, SCRIPT, "--data", str(data), "--targets", "T0", "--horizon", "2",
               "--engine", "ray", "--out", str(tmp_path)]  # fmt: skip
    done = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 2
    assert "pip install 'dan-g-orchestrator[ray]'" in done.stderr
    assert "--engine local" in done.stderr


def test_an_interrupt_ends_it_and_leaves_no_process(tmp_path: Path):
    psutil = pytest.importorskip("psutil")
    whole = frame(60)
    path = tmp_path / "wide.csv"
    csv.write_csv(
        pa.table({"time": TIMES, **dict(zip(whole.names, whole.values.T, strict=True))}), path
    )
    command = [sys.executable, SCRIPT, "--data", str(path), "--targets", "all", "--horizon", "5",
               "--jobs", "2", "--out", str(tmp_path / "out")]  # fmt: skip
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        children: list = []
        end = time.monotonic() + 60
        while len(children) < 2 and time.monotonic() < end and process.poll() is None:
            children = psutil.Process(process.pid).children(recursive=True)
            time.sleep(0.1)
        time.sleep(1.0)
        os.killpg(process.pid, signal.SIGINT)
        told = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert b"interrupted" in told
    _, left = psutil.wait_procs(children, timeout=20)
    assert left == []
