"""Drafting a plant from data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.errors import ConfigurationError, DataError
from orchestrator.plant.plant_yaml import DRAFT_HEADER, plant_yaml, write_plant
from orchestrator.plant.sources.infer import infer_plant
from orchestrator.plant.sources.naming import guess_kind
from orchestrator.plant.tags import Limits, Plant, Tag, load_plant

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.parametrize(
    ("name", "description", "unit", "kind"),
    [
        ("XMEAS_9", "Reactor temperature", "degC", "temperature"),
        ("11TI042", "", "", "temperature"),
        ("FIC-101.PV", "", "", "flow"),
        ("PT_2001", "", "", "pressure"),
        ("LV1203", "", "", "valve"),
        ("A-LIC-12", "", "", "level"),
        ("XMV_1", "D feed flow", "%", "valve"),
        ("XMEAS_8", "Reactor level", "%", "level"),
        ("XMEAS_10", "Purge rate", "kscmh", "flow"),
        ("XMEAS_30", "Purge gas analysis component B", "mol%", "analyser"),
        ("XMEAS_20", "Compressor work", "kW", "other"),
        ("Total_Kerosene_Product_Flowrate", "", "", "flow"),
        ("WTI", "Crude, spot", "USD/bbl", "price"),
        ("month_mean_API", "", "", "lab"),
        ("plant_mode", "", "", "state"),
        ("x", "", "", "other"),
    ],
)
def test_kind(name: str, description: str, unit: str, kind: str) -> None:
    assert guess_kind(name, description, unit) == kind


def noisy(folder: Path, rows: int = 3000) -> Path:
    generator = np.random.default_rng(3)
    flow = 100 + generator.normal(size=rows)
    flow[::500] = 1e6  # a few wild points
    level = np.clip(50 + 30 * generator.normal(size=rows), 0, 100)
    at = np.datetime64("2024-01-01", "s") + np.arange(rows) * np.timedelta64(30, "s")
    lines = [
        f"{t},{flow[i]:.3f},{level[i]:.3f},7,{flow[i] / 2 if i % 10 == 0 else ''}\n"
        for i, t in enumerate(at)
    ]
    path = folder / "noisy.csv"
    path.write_text("time,FI1,LI2,constant,slow\n,t/h,%,,weird\n" + "".join(lines))
    return path


def test_draft_from_noisy_data(tmp_path: Path) -> None:
    plant = infer_plant(noisy(tmp_path))
    assert plant.name == "noisy"
    flow, level, constant, slow = plant.tags
    assert flow.normal is not None
    assert 94 < flow.normal[0] < 99
    assert 101 < flow.normal[1] < 106  # wild points do not widen it
    assert level.normal == (0, 100)
    assert (flow.period_seconds, slow.period_seconds) == (30, 300)
    assert flow.rate_limit is not None
    assert 6 < flow.rate_limit < 60
    assert (constant.normal, constant.rate_limit, constant.dead_band) == (None, None, 0)
    assert (flow.unit, level.unit, constant.unit) == ("t/h", "percent", "")
    assert (slow.unit, slow.description) == ("", "[weird]")
    assert flow.dead_band == pytest.approx(0.05 * (flow.normal[1] - flow.normal[0]), rel=0.05)


def test_nothing_is_invented(tmp_path: Path) -> None:
    plant = infer_plant(noisy(tmp_path))
    assert all(tag.limits == Limits() for tag in plant)
    assert not any(tag.controllable for tag in plant)
    assert (plant.balances, plant.kpis, plant.economics) == ((), {}, None)


def test_single_row(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("time,a\n2024-01-01,5\n")
    (tag,) = infer_plant(tmp_path / "one.csv").tags
    assert (tag.normal, tag.period_seconds, tag.rate_limit) == (None, None, None)


def test_written_plant_reads_back_the_same(tmp_path: Path) -> None:
    plant = infer_plant(noisy(tmp_path))
    write_plant(plant, tmp_path / "tags.yaml", header=DRAFT_HEADER.format(source="noisy.csv"))
    assert load_plant(tmp_path / "tags.yaml") == plant
    with pytest.raises(ConfigurationError, match="there already"):
        write_plant(plant, tmp_path / "tags.yaml")
    write_plant(Plant(name="other"), tmp_path / "tags.yaml", overwrite=True)
    assert load_plant(tmp_path / "tags.yaml").name == "other"


def test_names_that_yaml_could_misread_survive(tmp_path: Path) -> None:
    names = ("no", "1e3", "2024-01-01", "a: b", "ü °C", "# x", "null")
    plant = Plant(tags=tuple(Tag(name=name, limits=Limits(low=1, high=2)) for name in names))
    (tmp_path / "tags.yaml").write_text(plant_yaml(plant), encoding="utf-8")
    assert load_plant(tmp_path / "tags.yaml") == plant


def test_descriptions_must_describe(tmp_path: Path) -> None:
    data = noisy(tmp_path)
    (tmp_path / "list.csv").write_text("series;label;uom\nFI1;Feed;kg/h\n")
    plant = infer_plant(data, descriptions=tmp_path / "list.csv")
    assert (plant.tag("FI1").description, plant.tag("FI1").unit) == ("Feed", "kg/h")
    (tmp_path / "list.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="none of the tags"):
        infer_plant(data, descriptions=tmp_path / "list.csv")
    with pytest.raises(DataError, match="cannot be read"):
        infer_plant(data, descriptions=tmp_path / "nothing.csv")


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"reference data is absent: {SHARED}")
def test_tennessee_eastman_with_its_tag_list() -> None:
    plant = infer_plant(SHARED / "tep" / "d00.csv.gz", descriptions=SHARED / "tep" / "tags.csv")
    kinds = {kind: sum(tag.kind == kind for tag in plant) for kind in {t.kind for t in plant}}
    assert kinds == {
        "flow": 10, "pressure": 3, "level": 3, "temperature": 5, "analyser": 19, "valve": 11,
        "other": 1,
    }  # fmt: skip
    assert plant.tag("XMEAS_7").unit == "kPa"
    assert plant.tag("XMEAS_7").description == "Reactor pressure"
