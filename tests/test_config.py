"""The configuration: what is accepted, what is refused, and what the refusal says."""

from pathlib import Path

import pytest

from orchestrator.config_file import find_config, load_settings, substitute
from orchestrator.errors import ConfigurationError

MISSION = """
orchestrator:
  llm: {model: "deepseek-r1", api_key: "${DEEPSEEK_API_KEY}", temperature: 0.7, max_tokens: 2048}
  modules:
    forecasting: {enabled: true, timeout: 300}
    analysis: {enabled: true, timeout: 180}
    optimization: {enabled: true, timeout: 600}
  decision_engine: {confidence_threshold: 0.8, max_retries: 3, cache_ttl: 3600}
"""


@pytest.fixture
def write(tmp_path: Path):
    def _write(text: str) -> Path:
        path = tmp_path / "site.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return _write


def test_the_missions_file_is_accepted_as_it_stands(write) -> None:
    settings = load_settings(write(MISSION), environment={})
    assert settings.llm.temperature == 0.7
    assert settings.llm.max_tokens == 2048
    assert settings.modules["analysis"].timeout == 180
    assert settings.modules["etl"].enabled
    assert settings.decision_engine.cache_ttl == 3600
    assert not settings.llm.usable
    assert "no api_key" in settings.llm.why_unusable


def test_a_key_without_an_address_starts_and_counts_as_no_model(write) -> None:
    settings = load_settings(write(MISSION), environment={"DEEPSEEK_API_KEY": "sk-abc"})
    assert not settings.llm.usable
    assert "base_url" in settings.llm.why_unusable
    assert "sk-abc" not in repr(settings)


def test_a_hosted_name_with_a_key_is_a_model(write) -> None:
    text = MISSION.replace("deepseek-r1", "deepseek-flash")
    assert load_settings(write(text), environment={"DEEPSEEK_API_KEY": "sk-abc"}).llm.usable


def test_a_retired_model_name_is_refused_with_the_current_ones(write) -> None:
    text = MISSION.replace("deepseek-r1", "deepseek-reasoner")
    with pytest.raises(ConfigurationError, match="deepseek-flash"):
        load_settings(write(text), environment={})


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("orchestrator: {llm: {modl: x}}", ["llm.modl", "max_tokens", "site.yaml"]),
        ("orchestrator: {plants: {}}", ["'plants'", "decision_engine"]),
        ("orchestrator: {modules: {etl: {timeout: soon}}}", ["modules.etl.timeout", '"soon"']),
        ("orchestrator: {modules: {etl: {time_out: 3}}}", ["modules.etl.time_out", "timeout"]),
        ("orchestrator: {decision_engine: {cache_ttl: -1}}", ["cache_ttl", "-1"]),
        ("llm: {}", ["'orchestrator'", "llm"]),
        ("orchestrator: [1, 2]", ["must hold sections", "[1, 2]"]),
        (
            "orchestrator: {a: [}",
            ["site.yaml, line 1, column 20", "is not valid YAML", "Mend the quotes"],
        ),
    ],
)
def test_an_error_names_file_key_value_and_what_is_accepted(write, text, parts) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(write(text), environment={})
    for part in parts:
        assert part in str(caught.value)


def test_a_bad_key_value_is_not_repeated_in_the_error(write) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(write("orchestrator: {llm: {api_key: {secret: sk-123}}}"), environment={})
    assert "sk-123" not in str(caught.value)


def test_an_override_from_the_environment_wins_over_the_file(write, monkeypatch) -> None:
    monkeypatch.setenv("DAN_G_DECISION_ENGINE__CACHE_TTL", "5")
    monkeypatch.setenv("DAN_G_MODULES__FORECASTING__TIMEOUT", "7")
    settings = load_settings(write(MISSION), environment={})
    assert settings.decision_engine.cache_ttl == 5
    assert settings.decision_engine.max_retries == 3
    assert settings.modules["forecasting"].timeout == 7
    assert settings.modules["optimization"].timeout == 600


def test_references_are_replaced_at_any_depth() -> None:
    document = {"a": ["${X}", {"b": "x-${X}-${Y:-2}"}], "c": "${Z}", "d": "${Z:-}", "n": "${N}"}
    assert substitute(document, {"X": "1", "N": "0.5"}) == {
        "a": [1, {"b": "x-1-2"}],
        "c": None,
        "d": None,
        "n": 0.5,
    }


def test_a_name_not_found_as_given_is_looked_for_in_config() -> None:
    assert find_config("production.yaml").parts[-2:] == ("config", "production.yaml")
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml"):
        find_config("nowhere.yaml")


def test_the_home_follows_the_environment(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("DAN_G_HOME", str(tmp_path / "here"))
    assert load_settings().home == tmp_path / "here"


def test_without_a_file_the_embedded_defaults_hold() -> None:
    settings = load_settings()
    assert set(settings.modules) >= {"etl", "forecasting", "analysis", "optimization"}
    assert settings.service.port == 8000
    assert settings.service.host == "127.0.0.1"


def test_an_override_of_a_section_that_there_is_not_is_refused(monkeypatch) -> None:
    monkeypatch.setenv("DAN_G_SERVCE__PORT", "9")
    with pytest.raises(ConfigurationError, match="DAN_G_SERVCE__PORT names no section"):
        load_settings()
