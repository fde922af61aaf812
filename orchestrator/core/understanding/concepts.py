"""Reads ``concepts.yaml``: words of ten languages under the concept that they name."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path

from orchestrator.yaml_files import read_yaml

CONCEPTS = Path(__file__).with_name("concepts.yaml")
SHORTEST_STEM = 2
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


@cache
def _tables() -> tuple[dict[str, list[str]], dict[str, list[str]], dict[str, list[str]]]:
    """Concepts by whole word, by stem, and by Chinese word."""
    whole: dict[str, list[str]] = {}
    stems: dict[str, list[str]] = {}
    chinese: dict[str, list[str]] = {}
    for concept, words in read_yaml(CONCEPTS).items():
        for word in str(words).split():
            table = chinese if _CJK.match(word) else stems if word.endswith("*") else whole
            table.setdefault(word.rstrip("*"), []).append(str(concept))
    return whole, stems, chinese


@lru_cache(maxsize=1 << 13)
def concepts_of(token: str) -> list[str]:
    """Concepts of one folded word; of each Chinese word within a run of Chinese."""
    whole, stems, chinese = _tables()
    if _CJK.match(token):
        return [name for word, names in chinese.items() if word in token for name in names]
    found = list(whole.get(token, ()))
    bare = token[2:] if token.startswith("ال") and len(token) > 4 else token
    for length in range(len(bare), SHORTEST_STEM - 1, -1):
        if bare[:length] in stems:
            found += stems[bare[:length]]
            break
    return list(dict.fromkeys(found))
