"""``dan-g config`` and ``dan-g tags``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Run = Callable[..., Any]

MISSION = """
orchestrator:
  llm: {model: "deepseek-r1", api_key: "${DEEPSEEK_API_KEY}", temperature: 0.7, max_tokens: 2048}
  modules:
    forecasting: {enabled: true, timeout: 300}
    analysis: {enabled: true, timeout: 180}
    optimization: {enabled: true, timeout: 600}
  decision_engine: {confidence_threshold: 0.8, max_retries: 3, cache_ttl: 3600}
"""


def test_the_missions_configuration_is_valid_and_its_key_is_never_shown(
    dan_g: Run, tmp_path: Path
) -> None:
    file = tmp_path / "mission.yaml"
    file.write_text(MISSION)
    checked = dan_g("config", "check", file, "--json", DEEPSEEK_API_KEY="k-secret-k")
    assert checked.code == 0
    assert checked.json()["valid"] is True
    for arguments in (("config", "show"), ("config", "show", "--json")):
        shown = dan_g(*arguments, "--config", file, DEEPSEEK_API_KEY="k-secret-k")
        assert "k-secret-k" not in shown.out
        settings = yaml.safe_load(shown.out)["orchestrator"]
        assert settings["llm"]["temperature"] == 0.7
        assert settings["llm"]["api_key"] == "**********"


def test_overrides_are_in_force_and_defaults_ignore_them(dan_g: Run) -> None:
    override = {"DAN_G_SERVICE__PORT": "9123"}
    shown = dan_g("config", "show", "--json", **override).json()
    assert shown["orchestrator"]["service"]["port"] == 9123
    default = dan_g("config", "show", "--defaults", "--json", **override).json()
    assert default["orchestrator"]["service"]["port"] == 8000


def a_rule(when: str, operation: str) -> str:
    rule = f"{{name: x, family: market, when: '{when}', operations: [{operation}]}}"
    return f"orchestrator: {{decision_engine: {{triggers: [{rule}]}}}}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("orchestrator: {decision_engin: {}}", "decision_engin"),
        ("orchestrator: {service: {port: many}}", "service.port"),
        (a_rule("a >", "etl.validate"), "'x'"),
        (a_rule("true", "etl.nothing"), "etl.nothing"),
        ("orchestrator: {plant: {file: nowhere.yaml}}", "nowhere.yaml"),
        ("[1, 2", "line"),
    ],
)
def test_what_is_wrong_in_a_configuration_is_named(
    dan_g: Run, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    done = dan_g("config", "check", file, "--json")
    assert done.code == 2
    assert said in done.problem()["detail"]


def test_a_plant_file_is_drafted_from_data_checked_and_listed(dan_g: Run, tmp_path: Path) -> None:
    data = tmp_path / "january.csv"
    rows = (f"2026-01-01T{h // 60:02d}:{h % 60:02d}:00Z,{h % 7},{h % 5}\n" for h in range(600))
    data.write_text("time,11FI001,11TI002\n" + "".join(rows))
    plant = tmp_path / "plant.yaml"
    drafted = dan_g("tags", "infer", data, "--output", plant)
    assert drafted.code == 0, drafted.err
    assert dan_g("tags", "check", plant, "--json").json()["tags"] == 2
    listed = dan_g("tags", "list", "--plant", plant, "--json").json()
    assert [tag["name"] for tag in listed] == ["11FI001", "11TI002"]


def test_a_plant_file_with_faults_names_each(dan_g: Run, tmp_path: Path) -> None:
    plant = tmp_path / "plant.yaml"
    plant.write_text(
        "tags: [{name: FI1, unit: furlongz}]\n"
        "kpis: {margin_usd_per_bbl: {expression: 'FI1 * FI9'}, energy_index: {expression: 'FI1 +'}}\n"
    )
    done = dan_g("tags", "check", plant, "--json")
    assert done.code == 2
    detail = done.problem()["detail"]
    for said in ("furlongz", "FI9", "energy_index"):
        assert said in detail


def test_without_a_plant_file_the_demo_is_listed_as_simulated(dan_g: Run) -> None:
    assert "SIMULATED" in dan_g("tags", "list").out


WRITABLE = (
    "orchestrator: {plant: {source: {kind: twin}, write_enabled: %s, write: {tags: {FC101_SP: {hard: [%s, 610],"
    " max_rate: 2, max_move: 5, max_cumulative: 10, tolerance: 0.1}}}}}"
)


def test_a_write_list_is_held_against_the_plant_file(dan_g: Run, tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(WRITABLE % ("true", 590))
    checked = dan_g("config", "check", file, "--json").json()
    assert checked["write"] == {"enabled": True, "tags": ["FC101_SP"]}
    file.write_text(WRITABLE % ("true", 100))
    refused = dan_g("config", "check", file)
    assert refused.code == 2
    assert "hard low 100 is below the plant file's" in refused.err


def test_writing_without_a_write_list_is_told(dan_g: Run, tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("orchestrator: {plant: {write_enabled: true}}")
    (warning,) = dan_g("config", "check", file, "--json").json()["warnings"]
    assert "nothing is written" in warning
