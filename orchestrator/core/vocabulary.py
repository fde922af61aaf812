"""Reads ``vocabulary.yaml``: the cues from which the query parser tells what somebody wants."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from orchestrator.yaml_files import read_yaml

VOCABULARY = Path(__file__).with_name("vocabulary.yaml")
WEIGHTS = {
    "weak": 1.0,
    "fair": 2.0,
    "strong": 3.0,
    "strong_plus": 4.0,
    "certain": 5.0,
    "certain_plus": 6.0,
    "decisive": 7.0,
}
ENOUGH = WEIGHTS["fair"]
SURE = WEIGHTS["strong_plus"]


class Cue(NamedTuple):
    """A pattern over folded text, and how strongly it speaks for its operation."""

    pattern: re.Pattern[str]
    weight: float


@cache
def groups() -> dict[str, str]:
    """Named groups of words, each as a pattern."""
    document = read_yaml(VOCABULARY)
    return {name: f"(?:{'|'.join(parts)})" for name, parts in document["groups"].items()}


@cache
def cues() -> dict[str, tuple[Cue, ...]]:
    """Cues by operation."""
    document = read_yaml(VOCABULARY)
    return {
        operation: tuple(
            Cue(re.compile("|".join(map(expand, entry["any"]))), WEIGHTS[entry["weight"]])
            for entry in entries
        )
        for operation, entries in document["cues"].items()
    }


def expand(pattern: str) -> str:
    """``pattern`` with each ``{group}`` replaced by the group's own pattern."""
    return re.sub(r"\{([a-z_]+)\}", lambda match: groups()[match[1]], pattern)
