"""Commands on a home that no service owns: the same application, in the command's own process."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

PRICES = "time,WTI,GASOLINE\n" + "".join(
    f"2026-01-{day:02d},{70 + day / 10},{85 + day / 8}\n" for day in range(1, 29)
)


def test_an_invocation_prints_the_result_itself(dan_g: Run, tmp_path: Path) -> None:
    data = tmp_path / "prices.csv"
    data.write_text(PRICES)
    done = dan_g("invoke", "etl", "validate", "--data", data, "--json")
    assert done.code == 0, done.err
    assert done.json()["summary"]
    assert done.err == ""


def test_the_limit_of_bodies_is_no_limit_of_what_a_command_sends_itself(
    dan_g: Run, tmp_path: Path
) -> None:
    data, config = tmp_path / "prices.csv", tmp_path / "config.yaml"
    data.write_text(PRICES)
    config.write_text("orchestrator:\n  service: {max_body_mb: 0.0001}\n")
    done = dan_g("invoke", "etl", "clean", "--data", data, "--config", config, "--json")
    assert done.code == 0, done.err


def test_parameters_come_from_a_file_too(dan_g: Run, tmp_path: Path) -> None:
    rows = [{"time": f"2026-01-01T{h:02d}:00:00Z", "x": float(h)} for h in range(24)]
    file = tmp_path / "parameters.json"
    file.write_text(json.dumps({"data": {"rows": rows}}))
    done = dan_g("invoke", "etl", "validate", "--params", f"@{file}", "--json")
    assert done.code == 0, done.err


def test_a_model_comes_from_a_yaml_file(dan_g: Run, tmp_path: Path) -> None:
    file = tmp_path / "unit.yaml"
    file.write_text(
        "current: {u: 1.0}\n"
        "economics:\n"
        "  handles: {u: [0, 9]}\n"
        "  unknowns: {z: {start: 1, low: 0}}\n"
        "  equations: [z * z = u]\n"
        "  objective: 4 * z - u\n"
    )
    done = dan_g("invoke", "optimization", "setpoints", "--params", f"@{file}", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["moves"][0]["to"] == pytest.approx(4.0, rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nothing", "validate"), 3, "no module 'nothing'"),
        (("etl", "nothing"), 3, "no operation 'nothing'"),
        (("etl", "validate", "--params", '{"x": 1}'), 2, "x"),
        (("etl", "validate", "--params", "{"), 2, "--params"),
        (("etl", "validate", "--params", "[]"), 2, "object"),
        (("etl", "validate", "--params", "@nowhere.json"), 2, "nowhere.json"),
        (("etl", "validate", "--params", "@nowhere.yaml"), 2, "nowhere.yaml"),
        (("etl", "validate", "--data", "nowhere.csv"), 2, "nowhere.csv"),
    ],
)
def test_what_cannot_run_is_refused_with_its_exit_code(
    dan_g: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = dan_g("invoke", *arguments, "--json")
    assert done.code == code
    assert said in done.problem()["detail"]


def test_a_disabled_module_is_refused_by_its_gate(dan_g: Run, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("orchestrator:\n  modules: {analysis: {enabled: false}}\n")
    done = dan_g("invoke", "analysis", "market", "--config", file, "--json")
    assert done.code == 4
    assert done.problem()["status"] == 409


def test_words_are_asked_decided_and_remembered(dan_g: Run) -> None:
    asked = dan_g("ask", "what do crude prices do?", "--dry-run", "--json")
    assert asked.code == 0, asked.err
    decision = asked.json()
    assert decision["interpretation"]["operations"] == ["analysis.prices"]
    assert decision["dry_run"] is True
    shown = dan_g("decisions", "show", decision["id"], "--json").json()
    assert shown["decision"] == decision
    given = dan_g("decisions", "feedback", decision["id"], "--verdict", "right", "--by", "test")
    assert given.code == 0
    listed = dan_g("decisions")
    assert decision["id"] in listed.out
    missing = dan_g("decisions", "show", "none", "--json")
    assert missing.code == 3
    assert missing.problem()["title"] == "Not found"


def test_the_mode_is_set_shown_and_given_back(dan_g: Run) -> None:
    assert dan_g("mode", "set", "startup", "--by", "shift A", "--json").json()["mode"] == "startup"
    assert dan_g("mode").out == "startup (operator)\n"
    assert dan_g("mode", "set", "auto", "--json").json()["source"] == "assessment"
    wrong = dan_g("mode", "set", "holiday", "--json")
    assert wrong.code == 2
    assert "steady" in wrong.problem()["detail"]


def test_status_and_doctor_say_why_there_is_no_model(dan_g: Run) -> None:
    status = dan_g("status", "--json").json()
    assert status["model"]["usable"] is False
    assert "embedded" not in status["status"]
    done = dan_g("doctor", "--json")
    assert done.code == 0
    findings = {finding["subject"]: finding for finding in done.json()["findings"]}
    assert findings["model"]["state"] == "missing"
    assert "api_key" in findings["model"]["details"]
    assert findings["model"]["remedy"]
    assert findings["home"]["state"] == findings["database"]["state"] == "ok"
    keyed = dan_g("doctor", "--json", DAN_G_LLM__API_KEY="k-secret-k")
    model = next(f for f in keyed.json()["findings"] if f["subject"] == "model")
    assert "base_url" in model["details"]
    assert "k-secret-k" not in keyed.out


def test_a_database_that_is_down_is_a_finding(dan_g: Run) -> None:
    url = "postgresql://someone:hidden-word@127.0.0.1:1/none"
    done = dan_g("doctor", "--json", DAN_G_STATE__DATABASE_URL=url)
    assert done.code == 5
    database = next(f for f in done.json()["findings"] if f["subject"] == "database")
    assert database["state"] == "problem"
    assert "hidden-word" not in done.out + done.err


def test_a_home_owned_by_a_process_without_service_is_refused_in_time(
    dan_g: Run, home: Path
) -> None:
    from orchestrator.core.home import Home

    owned = Home.take(home)
    try:
        done = dan_g("status", "--json")
    finally:
        owned.release()
    assert done.code == 5
    assert done.problem()["type"] == "urn:dan-g:problem:home-locked"
    assert done.problem()["retryable"] is True


def test_a_database_file_of_something_else_is_an_error_with_words(dan_g: Run, home: Path) -> None:
    home.mkdir()
    (home / "state.sqlite").write_bytes(b"no database at all " * 100)
    done = dan_g("status", "--json")
    assert done.code != 0
    assert done.out == ""
    assert "Traceback" not in done.err
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(home / "state.sqlite").execute("SELECT 1 FROM decisions")


def test_an_ask_of_which_a_gate_refuses_all_ends_with_4(dan_g: Run) -> None:
    words = "optimise the set points of the cdu"
    done = dan_g("ask", words, "--json")
    assert done.code == 4
    problem = done.problem()
    assert problem["type"] == "urn:dan-g:problem:gate-refused"
    assert "the plant mode is not known" in problem["detail"]
    assert problem["decision"]["refused"][0]["operation"] == "optimization.setpoints"
    told = dan_g("ask", words)
    assert told.code == 4
    assert "refused: optimization.setpoints by plant_mode" in told.out
    assert "remedy:" in told.err
    dry = dan_g("ask", words, "--dry-run", "--json")
    assert dry.code == 0
    assert dry.json()["interpretation"]["operations"] == ["optimization.setpoints"]


def test_a_question_about_a_value_is_answered_in_plain_words(dan_g: Run, tmp_path: Path) -> None:
    nothing = dan_g("ask", "what is the feed flow now?")
    assert nothing.code == 0
    assert "No value: no tag is known" in nothing.out
    plant = tmp_path / "plant.yaml"
    plant.write_text("name: unit\ntags: [{name: FI1, description: Crude charge, kind: flow}]\n")
    file = tmp_path / "config.yaml"
    file.write_text(f"orchestrator:\n  plant: {{file: {plant}}}\n")
    done = dan_g("ask", "what is the feed flow now?", "--config", file)
    assert done.code == 0
    assert "Crude charge (FI1): no value: the historian has no sample of it." in " ".join(
        done.out.split()
    )


@pytest.mark.parametrize("parameters", ['{"horizon": -1}', '{"horizon": null, "targets": [true]}'])
def test_a_wrong_parameter_is_bad_input_in_the_words_of_json(dan_g: Run, parameters: str) -> None:
    done = dan_g("invoke", "forecasting", "forecast", "--params", parameters, "--json")
    assert done.code == 2
    problem = done.problem()
    assert problem["errors"]
    assert "True" not in done.err
    assert "/docs" not in done.err
    assert "job_id" not in problem
