"""Documents and times as they are stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.state.columns import clean_text, encode_document, utc_text

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m))),
)


@given(DOCUMENTS)
def test_any_document_becomes_json_that_postgresql_takes(document: Any) -> None:
    text = encode_document(document)
    text.encode("utf-8")
    read = json.loads(text, parse_constant=lambda name: 1 / 0)
    assert json.loads(encode_document(read)) == read
    assert not any("\x00" in part for part in texts_in(read))


@given(
    st.recursive(
        st.integers() | st.text(st.characters(codec="utf-8", exclude_characters="\x00")),
        lambda inner: st.lists(inner) | st.dictionaries(st.just("k"), inner),
    )
)
def test_a_storable_document_comes_back_as_it_was(document: Any) -> None:
    assert json.loads(encode_document(document)) == document


@given(ANY_TEXT)
def test_clean_text_is_storable_and_changes_nothing_else(text: str) -> None:
    cleaned = clean_text(text)
    cleaned.encode("utf-8")
    assert len(cleaned) == len(text)
    for before, after in zip(text, cleaned, strict=True):
        storable = before != "\x00" and not 0xD800 <= ord(before) <= 0xDFFF
        assert after == (before if storable else "\ufffd")


@given(MOMENTS, MOMENTS)
def test_stored_times_sort_as_the_times_do(one: datetime, other: datetime) -> None:
    assert (utc_text(one) < utc_text(other)) == (one < other)
    assert datetime.fromisoformat(utc_text(one)) == one
    assert datetime.fromisoformat(utc_text(one)).tzinfo == UTC


def texts_in(document: Any) -> list[str]:
    if isinstance(document, str):
        return [document]
    if isinstance(document, dict):
        return [*document, *(text for item in document.values() for text in texts_in(item))]
    if isinstance(document, list):
        return [text for item in document for text in texts_in(item)]
    return []
