"""Plain conditions mean what the expression language says they mean."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config import DecisionEngineSettings
from orchestrator.core.expression import FUNCTIONS, holds
from orchestrator.core.policy import policy_of
from orchestrator.core.predicates import plain_predicate

NUMBERS = st.sampled_from([-3, -1.5, 0, 0.0, 1, 1.5, 3])
VALUES = NUMBERS | st.booleans() | st.sampled_from(["low", "high", "", "true"])
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "a": VALUES | st.fixed_dictionaries({}, optional={"x": VALUES, "y": VALUES}),
        "b": st.fixed_dictionaries(
            {}, optional={"z": VALUES | st.fixed_dictionaries({}, optional={"w": VALUES})}
        ),
    },
)
PATHS = st.sampled_from(["a.x", "a.y", "b.z", "b.z.w"])
LITERALS = st.sampled_from(
    ["-1.5", "0", "1", "1.5", "3.0", "1.5e0", "true", "false", "'high'", '"low"']
)


@st.composite
def relations(draw: st.DrawFn) -> str:
    path = draw(PATHS)
    kind = draw(st.sampled_from(["compare", "mirror", "abs", "in", "has", "bare"]))
    if kind == "in":
        return f"{path} in ['high', \"low\"]"
    if kind == "has":
        return f"has({path})"
    if kind == "bare":
        return path
    op = draw(st.sampled_from(["<=", ">=", "<", ">", "==", "!="]))
    number = draw(st.sampled_from(["-1.5", "0", "1.5", "3"]))
    if kind == "abs":
        return f"abs({path}) {op} {number}"
    literal = draw(LITERALS) if op in ("==", "!=") else number
    return f"{path} {op} {literal}" if kind == "compare" else f"{literal} {op} {path}"


CONDITIONS = st.recursive(
    relations(),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(" ".join),
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda p: f"({' '.join(p)})"),
        inner.map(lambda text: f"!({text})"),
    ),
    max_leaves=5,
)


def by_language(text: str, facts: dict[str, Any]) -> bool | None:
    with contextlib.redirect_stderr(io.StringIO()):
        return holds(cel.compile(text), cel.Context(facts, FUNCTIONS))


@given(CONDITIONS, FACTS)
def test_a_plain_condition_has_the_value_that_the_language_gives_it(
    text: str, facts: dict[str, Any]
) -> None:
    plain = plain_predicate(text)
    assert plain is not None
    assert plain(facts) == by_language(text, facts)


@given(CONDITIONS, FACTS)
def test_the_predicate_of_an_element_reads_the_element(text: str, facts: dict[str, Any]) -> None:
    of_element = text.replace("a.", "e.a.").replace("b.", "e.b.")
    plain = plain_predicate(of_element, "e")
    assert plain is not None
    assert plain(facts) == by_language(of_element, {"e": facts})


@pytest.mark.parametrize(
    "text",
    [
        "size(a.x) > 2",
        "a.x < b.z",
        "a.x + 1 > 2",
        "a.x < 5u",
        "a['x'] > 1",
        "a.x > 1 ? true : false",
        "a.x == null",
        "a.x == 'it\\'s'",
        "a.x < 'high'",
        "a.x in [1, 2]",
        "a.x.startsWith('b')",
        "e.x > 1 && other.y > 1",
        "has(a)",
        "abs(a.x)",
        "1 < 2",
        "a.x < 0x10",
        "a.x == 1 == true",
        "(a.x) == 'high'",
    ],
)
def test_what_says_more_is_left_to_the_language(text: str) -> None:
    assert plain_predicate(text) is None or text.startswith("e.")
    if text.startswith("e."):
        assert plain_predicate(text, "e") is None


def test_every_shipped_condition_without_a_quantifier_is_plain() -> None:
    policy = policy_of(DecisionEngineSettings())
    whole = [rule.when for rule in policy.triggers if ".exists(" not in rule.when]
    assert whole
    assert all(plain_predicate(text) is not None for text in whole)
