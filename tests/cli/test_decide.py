"""``dan-g decide``: the engine alone, on files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2].parent / "shared/cases/selection/situations_examples.jsonl"
FIRES = {"plant_mode": "steady", "data_quality": {"score": 0.97}, "kpis": {"margin_change_pct": -3}}

Run = Callable[..., Any]


def test_a_situation_is_decided_and_nothing_is_stored(
    dan_g: Run, home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "situation.json"
    file.write_text(json.dumps(FIRES))
    done = dan_g("decide", "--situation", file, "--json")
    assert done.code == 0
    names = [f"{a['module']}.{a['operation']}" for a in done.json()["actions"]]
    assert names == ["optimization.setpoints"]
    assert not home.exists()


def test_standard_input_is_read_and_people_get_words(dan_g: Run) -> None:
    done = dan_g("decide", "--situation", "-", stdin=json.dumps(FIRES))
    assert done.code == 0
    assert "optimization.setpoints" in done.out
    assert "\x1b[" not in done.out
    assert max(map(len, done.out.splitlines())) <= 100


def test_all_examples_are_right(dan_g: Run) -> None:
    if not EXAMPLES.exists():
        pytest.skip(f"reference data is absent: {EXAMPLES}")
    cases = {c["id"]: c for c in map(json.loads, EXAMPLES.read_text().splitlines())}
    decided = dan_g("decide", "--situations", EXAMPLES, "--json").json()
    assert [item["id"] for item in decided] == list(cases)
    wrong = []
    for item in decided:
        case = cases[item["id"]]
        actions = item["decision"]["actions"]
        selected = {f"{a['module']}.{a['operation']}" for a in actions}
        deferred = {f"{a['module']}.{a['operation']}" for a in actions if a["deferred"]}
        expected = set(case["expected"])
        right = expected <= selected <= expected | set(case["allowed"])
        if not right or deferred & expected != set(case["deferred"]):
            wrong.append(item["id"])
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "EOF"),
        ('{"plant_mode": "asleep"}', "plant_mode"),
        ('{"kpis": {"margin_change_pct": NaN}}', "NaN"),
        ("[]", "object"),
    ],
)
def test_a_bad_situation_is_named(dan_g: Run, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(text)
    done = dan_g("decide", "--situation", file, "--json")
    assert done.code == 2
    assert said in done.problem()["detail"]
    assert str(file) in done.problem()["detail"]


def test_a_bad_line_is_named_by_its_number(dan_g: Run) -> None:
    lines = '{"id": 1, "situation": {}}\n\n{"id": 2}\n'
    done = dan_g("decide", "--situations", "-", "--json", stdin=lines)
    assert done.code == 2
    assert "line 3" in done.problem()["detail"]


@pytest.mark.parametrize(
    "arguments",
    [(), ("--situation", "nowhere.json"), ("--situation", "a", "--situations", "b"), ("--bogus",)],
)
def test_wrong_usage_ends_with_two(dan_g: Run, arguments: tuple[str, ...]) -> None:
    done = dan_g("decide", *arguments, "--json")
    assert done.code == 2
    assert done.problem()["status"] == 400
