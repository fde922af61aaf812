from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml

from orchestrator.errors import ConfigurationError
from orchestrator.plant.tags import load_plant
from orchestrator.plant.twin import PLANT_FILE, SCENARIOS
from orchestrator.plant.twin.catalogue import KINDS
from orchestrator.plant.twin.scenario import Fault, Scenario, load_scenario, shipped
from orchestrator.plant.twin.source import TwinSource

FAULT = "faults: [{name: a, kind: %s, target: %s, onset_minutes: 5%s}]"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "scenario.yaml"
    path.write_text("name: trial\nwarm_up_hours: 0\nprice_history_days: 0\n" + text)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        TwinSource(path)
    return str(caught.value)


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_scenario_runs(name):
    source = TwinSource(SCENARIOS / f"{name}.yaml")
    assert source.simulated
    assert source.plant.simulated


def test_a_shipped_scenario_is_found_by_its_name():
    assert load_scenario(Path("normal")).name == "normal"


def test_without_a_name_it_is_the_demo():
    assert load_scenario(None).name == "demo"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pace: 3\n", ["'pace'", "warm_up_hours"]),
        ("warm_up_hours: many\n", ["warm_up_hours"]),
        ("start: 2026-01-01T00:00:00\n", ["start", "time zone"]),
        (FAULT % ("explosion", "E-101", ""), ["faults.0.kind", "meter_bias"]),
        (FAULT % ("meter_bias", "FI999", ""), ["FI999", "FI306"]),
        (FAULT % ("exchanger_fouling", "E-999", ""), ["E-999", "E-101"]),
        (FAULT % ("pump_trip", "P-101", ", magnitude: 3"), ["share", "3"]),
        (FAULT % ("price_shock", "FI101", ""), ["FI101", "price"]),
        (FAULT % ("meter_bias", "FI101", ", repeat_minutes: 9"), ["duration_minutes"]),
        (FAULT % ("meter_bias", "FI101", ", loudness: 9"), ["loudness", "onset_minutes"]),
        (FAULT % ("analyser_fault", "FI101", ""), ["FI101", "AI304"]),
        (FAULT % ("lost_communication", "kitchen", ""), ["kitchen", "preheat", "all"]),
        (FAULT % ("tray_damage", "C-101", ", magnitude: 2"), ["sharpness", "2"]),
        ("crude: {light: 0.5, heavy: 0.4}\n", ["crude", "add up to 1"]),
        ("crude: peanut\n", ["crude", "bitumen"]),
        ("moves: [{tag: FC101_SP, to: 9000, at_minutes: 5}]\n", ["moves", "9000", "640"]),
        ("moves: [{tag: FC101_SP, where: 5}]\n", ["where", "at_minutes"]),
        ("set_points: {FC999_SP: 1}\n", ["FC999_SP", "FC101_SP"]),
        ("set_points: {FC101_SP: 9000}\n", ["9000", "640"]),
    ],
)
def test_a_wrong_scenario_is_refused_with_file_key_and_what_is_accepted(tmp_path, text, said):
    message = refusal(written(tmp_path, text))
    for part in said:
        assert part in message


def test_a_scenario_that_is_not_a_mapping_is_refused(tmp_path):
    path = tmp_path / "list.yaml"
    path.write_text("- 1\n")
    assert "named fields" in refusal(path)


def test_broken_yaml_and_a_missing_file_name_the_file(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("a: [1\n")
    assert "broken.yaml" in refusal(path)
    assert "absent.yaml" in refusal(tmp_path / "absent.yaml")


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_scenario_stays_finite_and_within_its_levels(name):
    scenario = load_scenario(Path(name))
    source = TwinSource(scenario, seed=1)
    tags = source.plant.tag_names
    taken = 0.0
    for true, _ in source.truth(timedelta(hours=6)):
        assert np.isfinite(true.values).all()
        for tag in ("LI201", "LI210"):
            level = true.values[:, tags.index(tag)]
            assert ((level > 0) & (level < 100)).all(), tag
        flows = [i for i, tag in enumerate(tags) if tag.startswith("FI")]
        assert (true.values[:, flows] > -1e-6).all()
        taken += 6
        if taken >= min(scenario.hours, 120):
            break


def test_a_blend_lies_between_its_crudes(quiet, run):
    density = [
        run(TwinSource(quiet(crude=crude)), 1)[0]["AI101"][-1]
        for crude in ("light", {"light": 0.5, "heavy": 0.5}, "heavy")
    ]
    assert density == sorted(density)


def test_a_planned_move_begins_on_time_and_goes_at_its_rate(quiet, run):
    moves = ({"tag": "TC203_SP", "to": 295, "at_minutes": 20},)
    true, shown = run(TwinSource(quiet(moves=moves)), 2)
    assert shown["TC203_SP"][19] == 292
    assert shown["TC203_SP"][20:24] == pytest.approx([292.3, 292.6, 292.9, 293.2])
    assert true["TI203"][-1] == pytest.approx(295, abs=0.05)


DOCUMENT = Path(__file__).parents[3] / "docs" / "twin.md"


def test_the_scenario_of_the_document_is_accepted(tmp_path):
    text = DOCUMENT.read_text(encoding="utf-8")
    example = text.partition("```yaml scenario\n")[2].partition("```")[0]
    path = tmp_path / "documented.yaml"
    path.write_text(example)
    assert set(yaml.safe_load(example)) == set(Scenario.model_fields)
    assert set(yaml.safe_load(example)["faults"][0]) == set(Fault.model_fields)
    assert TwinSource(path).scenario.faults


def test_the_document_lists_every_kind_of_fault_with_its_meaning():
    text = DOCUMENT.read_text(encoding="utf-8")
    for kind, known in KINDS.items():
        line = next(line for line in text.splitlines() if line.startswith(f"| `{kind}` |"))
        assert known.meaning in line
        assert all(target in line for target in known.targets if kind != "product_leak")


def test_the_counts_of_the_document_are_those_of_the_plant_file():
    plant = load_plant(PLANT_FILE)
    text = " ".join(DOCUMENT.read_text(encoding="utf-8").split())
    minute = [
        tag
        for tag in plant.tags
        if tag.kind not in ("lab", "price", "state")
        and not tag.controllable
        and tag.period_seconds == 60
    ]
    assert f"{len(plant.tags)} tags: {len(minute)} measured every minute" in text
