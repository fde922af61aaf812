"""The object in an answer: found, checked, and its faults named so that a model can mend them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from asking import GOOD, Choice
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from orchestrator.llm.failures import Failure
from orchestrator.llm.json_reply import last_object, read_object


class Lax(BaseModel):
    model_config = ConfigDict(extra="allow")
    tag: str = ""


def malformed(answer: str, schema: type[BaseModel] = Choice) -> str:
    with pytest.raises(Failure) as caught:
        read_object(answer, schema)
    assert caught.value.kind == "malformed"
    return caught.value.detail


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"The set {{TI101, TI102}} is steady.\n{GOOD}",
        f'A 5" pipe, then: {GOOD} and {{more}}',
        f"An open brace {{ in words. {GOOD}",
        f"{GOOD}\n{{not json at all",
    ],
)
def test_the_object_is_found(answer: str) -> None:
    found = read_object(answer, Choice)
    assert found.value.action == "wait"
    assert found.text == GOOD


def test_braces_and_quotes_inside_strings_are_text() -> None:
    value = {"action": "plan", "reason": 'a "quoted" } brace { and a back\\slash'}
    assert read_object(f"x {json.dumps(value)} y", Choice).value.reason == value["reason"]


def test_of_two_different_objects_the_first_that_fits_counts_and_it_is_said() -> None:
    other = GOOD.replace("wait", "plan")
    found = read_object(f"{GOOD}\n{other}", Choice)
    assert (found.value.action, found.several) == ("wait", True)
    assert not read_object(f"{GOOD}\n{GOOD}", Choice).several
    echoed = read_object(f'{{"type": "object"}}\n{GOOD}', Choice)
    assert (echoed.value.action, echoed.several) == ("wait", True)


@pytest.mark.parametrize(
    "answer",
    [
        '{"evidence": [{"tag": "TI101"}], "action": "wait"',  # cut off
        '{"evidence": [{"tag": "TI101"}],, "action": "wait"}',  # broken, but balanced
    ],
)
def test_a_part_of_a_broken_object_is_never_taken_for_it(answer: str) -> None:
    malformed(answer, Lax)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("I would wait.", "no JSON object"),
        ('{"action": "wait"', "not closed"),
        ('{"action": "wait",}', "no valid JSON"),
        ("{'action': 'wait'}", "no valid JSON"),
        ('{"action": "stop"}', 'action: must be "wait", "forecast" or "plan", got "stop"'),
        ("{}", "action: is required"),
        ('{"action": "wait", "hours": 0}', "hours: must be greater than 0"),
        ('{"action": "wait", "action": "plan"}', "names action twice"),
        ('{"action": "wait", "hours": NaN}', "NaN is no JSON number"),
        ('{"action": "wait", "hours": Infinity}', "Infinity is no JSON number"),
        ('{"action": "wait", "hours": ' + "9" * 5000 + "}", "no valid JSON"),
        ('{"a":' * 200 + "1" + "}" * 200, "nested 200 deep"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "too long"),
        ("[1, 2]", "no JSON object"),
    ],
)
def test_what_is_wrong_is_said(answer: str, said: str) -> None:
    assert said in malformed(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "{" * 300_000,
        '{"' * 150_000,
        '"{' * 150_000,
        "{x" * 150_000,
        '{"a":' * 90_000,
        "{}" * 200_000,
    ],
)
def test_no_answer_takes_long_to_read(answer: str) -> None:
    begun = time.monotonic()
    malformed(answer)
    assert time.monotonic() - begun < 3


def test_the_last_object_of_a_reasoning_is_its_decision() -> None:
    thought = f'Maybe {{"action": "plan"}}. No: {GOOD}. Or {{"action": "stop"}}?'
    found = last_object(thought, Choice)
    assert found is not None
    assert found.value.action == "wait"
    assert last_object("no object at all", Choice) is None


values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.dictionaries(st.text(), values, max_size=4),
    st.text(st.characters(exclude_characters="{"), max_size=30),
)
def test_any_object_is_read_back_from_between_any_words(
    document: dict[str, Any], words: str
) -> None:
    document = {**document, "tag": "TI101"}
    found = read_object(f"{words}{json.dumps(document)}{words}", Lax)
    assert found.value.model_dump() == document
