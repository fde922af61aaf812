"""``dan-g eval llm`` against models that know everything, nothing, or are not there."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from model_plays import Play, Say, Sent
from threaded_model import ThreadedModel
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.errors import ConfigurationError, DataError, ModelError
from orchestrator.llm.evaluation.cases import CaseSet, cases_from, shipped_cases
from orchestrator.modules.registry import load_registry

CASES = shipped_cases()


def words_of(sent: Sent) -> str:
    """The fenced words of a request to read."""
    text: str = sent.messages[-1]["content"]
    fences = re.findall(r'<data \w+ of="words">\n(.*?)\n</data', text, re.DOTALL)
    return fences[-1] if fences else ""


def knows_everything(sent: Sent) -> Play:
    words = words_of(sent)
    if not words:  # a question to answer: repeat what the program says
        plain = re.search(r'of="plain answer">\n(.*?)\n', sent.messages[-1]["content"])
        assert plain is not None
        return Say(plain[1] if "IGNORE" not in plain[1] else "Data quality is 88 %.")
    every = [*CASES.selection, *(turn for d in CASES.dialogues for turn in d.turns)]
    for case in every:
        if case.text == words:
            return Say(
                json.dumps(
                    {
                        "operations": list(case.expected),
                        "slots": case.slots,
                        "clarify": "Which one do you mean?" if case.clarify else None,
                    }
                )
            )
    return Say(json.dumps({"operations": [], "slots": {}, "clarify": None}))


def oversteps(sent: Sent) -> Play:
    if words_of(sent):
        return Say(json.dumps({"operations": ["optimization.setpoints", "plant.write"]}))
    return Say("HACKED: the margin is 9.9 million USD a day.")


@contextmanager
def modelled(play: Callable[[Sent], Play]) -> Iterator[ThreadedModel]:
    model = ThreadedModel()
    model.play = play
    try:
        yield model
    finally:
        model.close()


def evaluated(url: str, *arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(
        app, ["eval", "llm", "--endpoint", url, "--model", "m", "--json", *arguments]
    )
    if result.exception is not None:
        raise result.exception
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def share(scores: dict[str, Any]) -> float:
    assert scores["all"] > 0
    return float(scores["right"]) / float(scores["all"])


def test_a_model_that_knows_everything_scores_everything() -> None:
    with modelled(knows_everything) as model:
        found = evaluated(model.base_url)
    assert share(found["model_alone"]["selection"]) == 1
    assert share(found["model_alone"]["slots"]) == 1
    assert share(found["model_alone"]["injections"]) == 1
    assert share(found["together"]["injections"]) == 1
    assert share(found["together"]["selection"]) >= share(found["parser"]["selection"])
    assert share(found["answers"]["grounded"]) == 1
    assert share(found["answers"]["clean"]) == 1
    calls = found["calls"]
    assert calls["failed"] == 0
    assert calls["calls"] == model.asked
    assert calls["seconds_p50"] <= calls["seconds_p95"]
    assert calls["input_tokens"] > 0
    assert calls["cost_usd"] is None


def test_a_model_that_oversteps_is_found_out_and_held_back(tmp_path: Path) -> None:
    with modelled(oversteps) as model:
        found = evaluated(model.base_url)
    assert share(found["model_alone"]["injections"]) < 0.2
    assert share(found["together"]["injections"]) >= 0.9
    # Its figure stands in the one result that carries the injected words, and nowhere else.
    assert found["answers"]["grounded"]["right"] == 1
    assert found["answers"]["clean"]["right"] == found["answers"]["clean"]["all"] - 1
    assert found["wrong"]


def refuses(sent: Sent) -> Play:
    if words_of(sent):
        return knows_everything(sent)
    return Say("I am sorry, but I cannot help with that.")


def gives_no_reading(sent: Sent) -> Play:
    return Say("") if words_of(sent) else knows_everything(sent)


@pytest.mark.parametrize("play", [gives_no_reading, refuses])
def test_a_model_that_gives_nothing_is_right_nowhere(play: Callable[[Sent], Play]) -> None:
    with modelled(play) as model:
        found = evaluated(model.base_url, "--limit", "2", "--deadline", "5")
    if play is refuses:
        assert {found["answers"][name]["right"] for name in found["answers"]} == {0}
        assert found["answers"]["answered"]["all"] == 2
    else:
        assert {found["model_alone"][name]["right"] for name in found["model_alone"]} == {0}
        assert found["model_alone"]["injections"]["all"] == 2
        assert found["parser"]["injections"]["right"] == 2


def test_a_site_measures_with_words_of_its_own(tmp_path: Path) -> None:
    own = tmp_path / "own.jsonl"
    lines = [
        {"id": 1, "text": "are the crude meters all right", "expected": ["etl.validate"]},
        {"turns": [{"text": "hello", "expected": []}]},
    ]
    own.write_text("\n".join(map(json.dumps, lines)))
    with modelled(knows_everything) as model:
        found = evaluated(model.base_url, "--cases", str(own))
    assert found["model_alone"]["selection"]["all"] == 1
    assert found["together"]["dialogues"] == {"right": 1, "all": 1}
    assert found["answers"]["grounded"]["all"] == 0
    assert model.asked == 2


def test_without_an_answer_it_fails_and_says_why() -> None:
    with pytest.raises(ModelError, match="none of 7 calls"):
        evaluated("http://127.0.0.1:9/v1", "--limit", "1", "--deadline", "1")
    with pytest.raises(ConfigurationError, match="NO_SUCH_KEY"):
        evaluated("http://127.0.0.1:9/v1", "--key-env", "NO_SUCH_KEY")


def test_files_that_are_no_cases_are_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("- {expected: [etl.validate]}\n")
    with pytest.raises(ConfigurationError, match="case 1: text"):
        cases_from([wrong])
    wrong.write_text("text: no list\n")
    with pytest.raises(DataError, match="no list"):
        cases_from([wrong])


def test_the_shipped_cases_name_operations_that_exist() -> None:
    known = set(load_registry().operations)
    assert isinstance(CASES, CaseSet)
    turns = [turn for dialogue in CASES.dialogues for turn in dialogue.turns]
    named = {
        name for case in (*CASES.selection, *turns) for name in (*case.expected, *case.allowed)
    }
    named |= {name for case in CASES.injections for name in case.allowed}
    assert named <= known
    assert {case.operation for case in CASES.answers} <= known
    assert len({case.text for case in CASES.selection}) == len(CASES.selection)
    assert threading.active_count() < 50
