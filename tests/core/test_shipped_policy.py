"""The configuration files in config/ carry the shipped policy, and start with nothing set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from orchestrator.config import Settings
from orchestrator.config_file import load_settings
from orchestrator.core.policy import policy_of, shipped_policy

CONFIG = Path(__file__).parents[2] / "config"
FILES = ["demo.yaml", "production.yaml"]


@pytest.mark.parametrize("name", FILES)
def test_a_configuration_file_carries_the_shipped_rules_and_gates(name: str) -> None:
    settings = load_settings(CONFIG / name, environment={})
    assert settings.decision_engine.triggers == shipped_policy().triggers
    assert settings.decision_engine.gates == shipped_policy().gates
    assert (
        policy_of(settings.decision_engine).version == policy_of(Settings().decision_engine).version
    )


@pytest.mark.parametrize("name", FILES)
def test_a_configuration_file_names_every_key(name: str) -> None:
    document = yaml.safe_load((CONFIG / name).read_text(encoding="utf-8"))["orchestrator"]
    assert list(_missing(Settings, document)) == []


@pytest.mark.parametrize("name", FILES)
def test_with_no_environment_a_configuration_file_uses_the_embedded_state(name: str) -> None:
    settings = load_settings(CONFIG / name, environment={})
    assert settings.state.database_url is None
    assert settings.state.cache_url is None
    assert not settings.llm.usable
    assert settings.service.host == "127.0.0.1"


def test_production_takes_its_addresses_and_its_key_from_the_environment() -> None:
    settings = load_settings(
        CONFIG / "production.yaml",
        environment={
            "DATABASE_URL": "postgresql://dan:secret@db/dan_g",
            "REDIS_URL": "redis://cache:6379/0",
            "DEEPSEEK_API_KEY": "sk-1",
            "DEEPSEEK_BASE_URL": "http://gpu:8000/v1",
        },
    )
    assert settings.state.database_url.get_secret_value() == "postgresql://dan:secret@db/dan_g"
    assert settings.state.cache_url.get_secret_value() == "redis://cache:6379/0"
    assert settings.llm.usable
    assert "secret" not in repr(settings)


def test_the_default_thresholds_are_the_shipped_ones() -> None:
    assert Settings().decision_engine.gates == shipped_policy().gates


def test_another_threshold_is_another_policy_version() -> None:
    engine = Settings().decision_engine
    gates = engine.gates.model_copy(update={"min_free_share": 0.2})
    other = policy_of(engine.model_copy(update={"gates": gates}))
    assert other.version != policy_of(engine).version


def _missing(model: type[BaseModel], document: dict[str, Any], at: str = "") -> Any:
    for name, field in model.model_fields.items():
        if name not in document:
            yield at + name
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _missing(field.annotation, document[name], f"{at}{name}.")
