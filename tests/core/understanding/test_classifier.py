"""The trained weights: up to date, compact, quick, and a fair reader of what they were trained on."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from orchestrator.core.plan import ORDER
from orchestrator.core.query_parser import QueryRequest, read_query
from orchestrator.core.slots import fold
from orchestrator.core.understanding.classifier import WEIGHTS, opinion, save, weights
from orchestrator.core.understanding.corpus import digest, labels, sentences, slipped
from orchestrator.core.understanding.questions import NAMES

EXAMPLES = Path(__file__).parents[3].parent / "shared/cases/selection"
LARGEST = 1 << 20
LEAST_LINES = 2000


def test_the_weights_were_trained_on_the_sentences_of_the_package() -> None:
    assert weights().learned_from == digest(), (
        "train again: python -m orchestrator.core.understanding.train"
    )
    assert set(weights().labels) == set(labels())
    assert WEIGHTS.stat().st_size < LARGEST


def test_every_label_is_an_operation_or_a_kind_of_words_that_runs_none() -> None:
    operations = {label for label in labels() if "." in label}
    assert operations == set(ORDER) - {"analysis.update"}
    assert set(NAMES) == operations
    assert {"history", "order", "injection", "system", "greeting", "outside", "vague"} < set(
        labels()
    )


def test_there_are_many_sentences_and_they_are_read_as_labelled() -> None:
    known = list(sentences(most=1, seed=7))
    assert len({sentence.line for sentence in known}) > LEAST_LINES
    right = [opinion(fold(s.text)).label == s.label for s in known[:: len(known) // 400]]
    assert np.mean(right) > 0.9


def test_the_same_seed_gives_the_same_sentences() -> None:
    first = [s.text for s in sentences(most=2, seed=3)]
    assert first == [s.text for s in sentences(most=2, seed=3)]
    assert first != [s.text for s in sentences(most=2, seed=4)]


def test_no_wording_of_the_reference_cases_is_learned() -> None:
    files = sorted(EXAMPLES.glob("*_examples.jsonl")) if EXAMPLES.is_dir() else []
    if not files:
        pytest.skip(f"reference data is absent: {EXAMPLES}")
    told = {
        fold(turn["text"]).strip("?!. ")
        for file in files
        for line in file.read_text(encoding="utf-8").splitlines()
        for turn in (json.loads(line).get("turns") or [json.loads(line)])
        if len(turn.get("text", "").split()) > 3
    }
    learned = {fold(s.text).strip("?!. ") for s in sentences(most=30)}
    assert told & learned == set()


def test_probabilities_are_those_of_one_want() -> None:
    said = opinion(fold("reconcile the flows of the CDU"))
    assert said.label == "etl.reconcile"
    assert sum(share for _, share in said.ranked) == pytest.approx(1.0, abs=1e-3)


def test_kept_weights_come_back_within_their_step(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    table = np.zeros((50, 3))
    table[::7] = rng.normal(size=(8, 3))
    save(["a", "b", "c"], table, np.zeros(3), tmp_path / "small.npz")
    with np.load(tmp_path / "small.npz") as kept:
        assert len(kept["rows"]) == 8
        back = kept["values"] * kept["scale"]
    assert np.abs(back - table[::7]).max() <= np.abs(table).max() / 127


@pytest.mark.parametrize("seed", range(5))
def test_a_slip_of_the_finger_changes_one_longer_word(seed: int) -> None:
    import random

    before = "forecast the kerosene now"
    after = slipped(before, random.Random(seed))
    changed = [a != b for a, b in zip(before.split(), after.split(), strict=True)]
    assert sum(changed) <= 1
    assert "now" in after


def test_a_request_is_read_in_milliseconds() -> None:
    texts = [s.text for s in sentences(most=1, seed=11)][::15]
    read_query(QueryRequest("warm up"))
    seconds = []
    for text in texts:
        started = time.process_time()
        read_query(QueryRequest(text))
        seconds.append(time.process_time() - started)
    assert np.quantile(seconds, 0.95) < 0.02
