"""A key that stands twice is an error with file, line and key, in every file that is read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from orchestrator.config_file import load_settings
from orchestrator.errors import ConfigurationError
from orchestrator.plant.tags import load_plant
from orchestrator.plant.twin.scenario import load_scenario
from orchestrator.yaml_files import parse_yaml, read_yaml

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "a"),
        ('a: 1\n"a": 2\n', 2, "a"),
        ("top:\n  - x: 1\n    y: 2\n    x: 3\n", 4, "x"),
        ("{a: 1, a: 1}", 1, "a"),
        ("1: a\n1: b\n", 2, "1"),
    ],
)
def test_a_key_given_twice_is_refused_with_its_place(tmp_path: Path, text, line, key):
    file = tmp_path / "file.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match="given twice, first in line") as refused:
        read_yaml(file)
    assert f'key "{key}"' in str(refused.value)
    assert f"{file}, line {line}, column" in str(refused.value)
    assert "Keep one of the two" in str(refused.value)


def test_what_a_merge_overrides_is_not_given_twice():
    text = "base: &b {a: 1, c: 3}\nmine: &m\n  <<: *b\n  a: 2\nlast: {<<: *m, c: 4}\n"
    found = parse_yaml(text)
    assert found["mine"] == {"a": 2, "c": 3}
    assert found["last"] == {"a": 2, "c": 4}


def test_equal_keys_of_different_mappings_are_fine():
    assert parse_yaml("a: {x: 1}\nb: {x: 2}\n") == {"a": {"x": 1}, "b": {"x": 2}}


def test_configuration_plant_file_and_scenario_refuse_it(tmp_path: Path):
    site = tmp_path / "site.yaml"
    site.write_text("orchestrator:\n  service: {port: 1}\n  service: {port: 2}\n")
    with pytest.raises(
        ConfigurationError, match=r'site\.yaml, line 3.*key "service" is given twice'
    ):
        load_settings(site, environment={})
    plant = tmp_path / "tags.yaml"
    plant.write_text("name: a\ntags:\n  - {name: F, unit: t/h, unit: kg/h}\n")
    with pytest.raises(ConfigurationError, match=r'tags\.yaml, line 3.*key "unit" is given twice'):
        load_plant(plant)
    scenario = tmp_path / "s.yaml"
    scenario.write_text("seed: 1\nseed: 2\n")
    with pytest.raises(ConfigurationError, match=r's\.yaml, line 2.*key "seed" is given twice'):
        load_scenario(scenario)


def test_a_variable_that_is_no_yaml_is_taken_as_text(tmp_path: Path):
    site = tmp_path / "site.yaml"
    site.write_text("orchestrator:\n  state: {database_url: '${URL}'}\n  service: {port: '${P}'}\n")
    settings = load_settings(site, environment={"URL": "@odd: value: here", "P": "81"})
    assert settings.state.database_url.get_secret_value() == "@odd: value: here"
    assert settings.service.port == 81


def test_all_files_are_read_by_the_one_loader():
    found = subprocess.run(
        ["grep", "-rnE", r"yaml\.(safe_)?load\(", "--include=*.py", str(ROOT / "orchestrator")],
        capture_output=True, text=True, check=False,
    ).stdout.splitlines()  # fmt: skip
    assert [line for line in found if "yaml_files.py" not in line] == []


def test_every_shipped_file_holds_each_key_once():
    files = [*ROOT.glob("config/*.yaml"), *ROOT.glob("orchestrator/**/*.yaml")]
    assert len(files) > 5
    for file in files:
        read_yaml(file)
