"""How much is read right of requests and dialogues that the corpus was not written from."""

import json
from pathlib import Path

import pytest

from benchmarks.understanding import score_file
from orchestrator.core.slots import fold
from orchestrator.core.understanding.corpus import sentences

CASES = Path(__file__).parent / "cases"
FILES = sorted(CASES.glob("*.jsonl"))
SELECTIONS, SLOTS = 0.88, 0.9


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_most_requests_are_read_right_and_nothing_runs_that_may_not(file):
    score = score_file(file)
    assert score.selections.all.total() >= 70
    assert score.selections.share() >= SELECTIONS, score.wrong
    assert score.slots.share() >= SLOTS, score.wrong
    assert score.overstepped == []


def test_no_sentence_of_these_cases_is_learned():
    told = {
        fold(turn["text"]).strip("?!. ")
        for file in FILES
        for line in file.read_text(encoding="utf-8").splitlines()
        for turn in (json.loads(line).get("turns") or [json.loads(line)])
        if len(turn["text"].split()) > 4  # "can we do better" is anybody's
    }
    assert len(told) > 100
    assert told & {fold(s.text).strip("?!. ") for s in sentences(most=30)} == set()
