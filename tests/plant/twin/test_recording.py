import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from orchestrator.errors import ConfigurationError
from orchestrator.plant.sources.replay import ReplaySource
from orchestrator.plant.twin.recording import record
from orchestrator.plant.twin.source import TwinSource

BIAS = {
    "kind": "meter_bias",
    "target": "FI306",
    "magnitude": -25,
    "onset_minutes": 60,
    "duration_minutes": 60,
}


def test_the_truth_stands_beside_the_measurement(quiet, tmp_path: Path):
    path = tmp_path / "run.parquet"
    source = TwinSource(quiet(BIAS, noise=1), seed=3)
    written = record(source, path, 3)
    table = pq.read_table(path)
    assert table.num_rows == written.rows == 180
    tags = source.plant.tag_names
    assert table.column_names == [
        "time",
        *(name for tag in tags for name in (tag, f"{tag}.truth")),
        "faults",
    ]
    error = table["FI306"].to_numpy() - table["FI306.truth"].to_numpy()
    assert error[60:120].mean() == pytest.approx(-25, abs=1)
    assert error[:60].mean() == pytest.approx(0, abs=1)
    faults = table["faults"].to_pylist()
    assert set(faults[60:120]) == {"fault 0"}
    assert set(faults[:60] + faults[120:]) == {""}
    about = json.loads(table.schema.metadata[b"dan_g"])
    assert about["simulated"] is True
    assert about["seed"] == 3
    assert about["scenario"]["faults"][0]["kind"] == "meter_bias"


def test_without_truth_the_file_replays_as_plant_data(quiet, tmp_path: Path):
    path = tmp_path / "run.parquet"
    source = TwinSource(quiet(BIAS, warm_up_hours=2))
    written = record(source, path, 1, truth=False, warm_up=True)
    assert written.rows == 180
    blocks = list(ReplaySource(path, plant=source.plant).blocks(timedelta(days=1)))
    charge = np.concatenate([b.values[:, b.tags.index("FI101")] for b in blocks])
    assert len(charge) == 180
    assert np.isfinite(charge).all()


def test_the_same_seed_gives_the_same_file(quiet, tmp_path: Path):
    paths = [tmp_path / f"{i}.parquet" for i in range(2)]
    for path in paths:
        record(TwinSource(quiet(noise=1, disturbance=1), seed=9), path, 2)
    assert pq.read_table(paths[0]).equals(pq.read_table(paths[1]))


def test_a_place_that_cannot_be_written_is_named(quiet, tmp_path: Path):
    with pytest.raises(ConfigurationError, match="absent"):
        record(TwinSource(quiet()), tmp_path / "absent" / "run.parquet", 1)
