"""Reads the sentences from which the reader learns, and varies them as people do."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from orchestrator.yaml_files import read_yaml

CORPUS = Path(__file__).with_name("corpus")
_CHOICE = re.compile(r"\(([^()]*)\)")
_FILLING = re.compile(r"\{([a-z]+)\}")
_POLITE_BEFORE = ("please ", "can you ", "could you please ", "hey, ", "quick one: ", "pls ", "ok ", "i would like you to ")
_POLITE_AFTER = (" please", " pls", " thanks", ", thank you", " asap", "?", "!!", " now please")  # fmt: skip
_CHANCE_OF_POLITE = 0.15
_LEAST_LETTERS = 5


class Sentence(NamedTuple):
    """A sentence with its label; all variants of one line of a file share ``line``."""

    text: str
    label: str
    line: int


def labels() -> list[str]:
    """All labels: operations, and kinds of words that run none."""
    return sorted(file.stem for file in CORPUS.glob("*.txt"))


def sentences(variants: int, seed: int = 1) -> Iterator[Sentence]:
    """Variants of every line: up to ``variants`` as written, as many polite ones or with slips."""
    rng = random.Random(seed)
    fillings = read_yaml(CORPUS / "fillings.yaml")
    number = 0
    for label in labels():
        for line in (CORPUS / f"{label}.txt").read_text(encoding="utf-8").splitlines():
            if not line.strip() or line.startswith("# "):
                continue
            number += 1
            seen: set[str] = set()
            for _ in range(variants):
                text = written(line, fillings, rng)
                seen.add(text)
                if rng.random() < _CHANCE_OF_POLITE and label not in ("aside", "vague", "greeting"):
                    seen.add(polite(text, rng))
            seen |= {slipped(text, rng) for text in sorted(seen)[:1]}
            for text in sorted(seen):
                yield Sentence(text, label, number)


def written(line: str, fillings: dict[str, list[str]], rng: random.Random) -> str:
    """One sentence of a line: a choice of each ``(a|b)`` and a filling of each name in braces."""
    while (found := _CHOICE.search(line)) is not None:
        line = line[: found.start()] + rng.choice(found[1].split("|")) + line[found.end() :]
    filled = _FILLING.sub(lambda match: str(rng.choice(fillings[match[1]])), line)
    return re.sub(r"\s+", " ", filled).strip()


def polite(text: str, rng: random.Random) -> str:
    """The sentence with a courtesy before or after."""
    if rng.random() < 1 / 2:
        return rng.choice(_POLITE_BEFORE) + text
    return text.rstrip("?. ") + rng.choice(_POLITE_AFTER)


def slipped(text: str, rng: random.Random) -> str:
    """The sentence with a slip of the finger in one longer word."""
    words = text.split(" ")
    long = [i for i, word in enumerate(words) if len(word) >= _LEAST_LETTERS and word.isalpha()]
    if not long:
        return text
    i = rng.choice(long)
    word, at = words[i], rng.randrange(1, len(words[i]) - 1)
    kind = rng.randrange(3)
    words[i] = (
        word[:at] + word[at + 1 :]
        if kind == 0
        else word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        if kind == 1
        else word[:at] + word[at] + word[at:]
    )
    return " ".join(words)
